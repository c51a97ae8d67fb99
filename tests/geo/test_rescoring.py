"""What a change of the costs makes of ways ahead, against the sums of plain impedances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.graph import Graph
from geo.routing.cost_kernels import Ways
from geo.routing.costs import (
    DYNAMIC_FACTORS,
    FACTORS,
    Costs,
    apply_conditions,
    changed_edges,
    impedance,
    static_costs,
)
from geo.routing.scoring import rescore, spared_at_most
from tests.geo.asciimap import graph_from_ascii

MAP = """
A---B---C---D---E
|   |   |   |   |
F---G---H---I---J
|   |   |   |   |
K---L---M---N---O
"""
GRAPH, _ = graph_from_ascii(MAP, metres_per_char=60.0)


def drawn_costs(rng: np.random.Generator, version: int) -> Costs:
    cells = rng.random((len(GRAPH.cell_h3), len(DYNAMIC_FACTORS))).astype(np.float32)
    cells[rng.random(len(cells)) < 0.5] = np.nan
    busy = rng.choice(GRAPH.edge_count, 4, replace=False).astype(np.int32)
    shut = rng.choice(GRAPH.edge_count, 2, replace=False).astype(np.int32)
    return apply_conditions(
        GRAPH, version, cells, {"traffic": (busy, rng.random(4).astype(np.float32))}, shut, night=False
    )


def stroll(rng: np.random.Generator, graph: Graph) -> list[int]:
    edges = [int(rng.integers(graph.edge_count))]
    for _ in range(int(rng.integers(0, 8))):
        node = graph.head[edges[-1]]
        edges.append(int(rng.integers(graph.first_out[node], graph.first_out[node + 1])))
    return edges


def naive(costs: Costs, weight: np.ndarray, edges: list[int], start: float, end: float) -> float:
    values = impedance(GRAPH, costs, weight)
    total = 0.0
    for k, e in enumerate(edges):
        share = (end if k == len(edges) - 1 else 1.0) - (start if k == 0 else 0.0)
        if share <= 0.0:
            continue
        value = float(values[e])
        if math.isinf(value) and k == 0 and start > 0.0:
            value = float(GRAPH.duration_s[e])
        total += share * value
    return total


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_costs_before_and_after_are_the_sums_of_impedances(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old, new = drawn_costs(rng, 1), drawn_costs(rng, 2)
    changed = changed_edges(old, new)
    strolls = [stroll(rng, GRAPH) for _ in range(12)]
    first = np.concatenate([[0], np.cumsum([len(s) for s in strolls])])
    start, end = rng.random(12) * (rng.random(12) < 0.7), rng.uniform(0.2, 1.0, 12)
    weight = rng.uniform(-1.0, 2.0, (12, len(FACTORS))).astype(np.float32)
    ways = Ways(first[:-1], first[1:], np.concatenate(strolls).astype(np.int32), start, end)
    got = rescore(GRAPH, old, new, changed, ways, weight, 0.01)
    for r, edges in enumerate(strolls):
        if not np.isin(edges, changed).any():
            assert math.isnan(got.was[r])
            assert math.isnan(got.now[r])
            continue
        assert got.was[r] == pytest.approx(naive(old, weight[r], edges, start[r], end[r]), rel=1e-5)
        assert got.now[r] == pytest.approx(naive(new, weight[r], edges, start[r], end[r]), rel=1e-5)
        if got.now[r] > got.was[r] * 1.02:
            assert got.worse_m[r] < sum(float(GRAPH.length_m[e]) for e in edges)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_no_stretch_within_reach_is_eased_by_more_than_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old, new = drawn_costs(rng, 1), drawn_costs(rng, 2)
    changed = changed_edges(old, new)
    weight = rng.uniform(-1.0, 2.0, (3, len(FACTORS))).astype(np.float32)
    here = np.tile([[float(GRAPH.node_lat[0]), float(GRAPH.node_lon[0])]], (3, 1))
    bound = spared_at_most(GRAPH, old, new, changed, (here, here), np.full(3, 1e5), weight)
    for r in range(3):
        was, now = impedance(GRAPH, old, weight[r]), impedance(GRAPH, new, weight[r])
        with np.errstate(invalid="ignore"):
            spared = (was - now) / GRAPH.duration_s
        assert np.nanmax(np.where(np.isnan(spared), 0.0, spared)) <= bound[r] + 1e-4
    near = spared_at_most(GRAPH, old, new, changed, (here + 1.0, here + 1.0), np.full(3, 500.0), weight)
    assert near.tolist() == [0.0] * 3


def test_nothing_changed_is_nothing_to_say() -> None:
    costs = static_costs(GRAPH)
    ways = Ways(np.zeros(1, np.int64), np.ones(1, np.int64), np.zeros(1, np.int32), np.zeros(1), np.ones(1))
    weight = np.zeros((1, len(FACTORS)), np.float32)
    got = rescore(GRAPH, costs, costs, np.zeros(0, np.int32), ways, weight, 0.01)
    assert math.isnan(got.now[0])
    assert math.isinf(got.worse_m[0])
