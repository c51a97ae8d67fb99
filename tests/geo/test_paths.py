"""Paths joined, cleaned of spurs, and compared."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from geo.errors import NoRoute
from geo.routing.costs import STATIC_FACTORS, static_costs
from geo.routing.metric import make_metric
from geo.routing.paths import joined, node_place, path_of, shared_m, walked_twice_m, without_spurs
from geo.routing.search import Place, SearchSpace, shortest_path
from tests.geo.naive_search import (
    assert_walkable,
    graph_of,
    piece_fractions,
    random_costs,
    random_graph,
    random_place,
)

# 0 - 1 - 2 - 3, and 1 - 4
GRAPH = graph_of(
    [55.0, 55.0, 55.0, 55.0, 55.001],
    [12.0, 12.001, 12.002, 12.003, 12.001],
    [(0, 1), (1, 2), (2, 3), (1, 4)],
    static=np.zeros((4, len(STATIC_FACTORS))),
)
METRIC = make_metric(GRAPH, static_costs(GRAPH), {})


def edge(a, b):
    return next(e for e in range(GRAPH.edge_count) if (GRAPH.tail[e], GRAPH.head[e]) == (a, b))


def way(*nodes):
    return np.array([edge(a, b) for a, b in itertools.pairwise(nodes)], np.int32)


@pytest.mark.parametrize(
    ("edges", "start", "end", "expected"),
    [
        (way(0, 1, 4, 1, 2), 0.0, 1.0, (way(0, 1, 2), 0.0, 1.0)),
        (way(0, 1, 2, 3, 2, 1, 4), 0.0, 1.0, (way(0, 1, 4), 0.0, 1.0)),
        (way(1, 0, 1, 2), 0.75, 1.0, (way(0, 1, 2), 0.25, 1.0)),
        (way(0, 1, 2, 1), 0.0, 0.25, (way(0, 1, 2), 0.0, 0.75)),
        (way(0, 1, 0), 0.25, 0.25, (way(0, 1), 0.25, 0.75)),
        (way(0, 1, 0), 0.75, 0.75, (way(1, 0), 0.25, 0.75)),
        (way(0, 1), 0.5, 1.0, (way(0, 1), 0.5, 1.0)),
    ],
)
def test_spurs_are_cut_off(edges, start, end, expected):
    path = without_spurs(GRAPH, METRIC, edges, start, end)
    assert (path.edges.tolist(), path.start_fraction, path.end_fraction) == (
        expected[0].tolist(),
        expected[1],
        expected[2],
    )


def test_joined_legs_walk_what_the_legs_walk():
    for seed in range(300):
        graph = random_graph(seed)
        metric = make_metric(graph, random_costs(graph, seed, closed_share=0.0), {})
        rng, space = np.random.default_rng(seed), SearchSpace(graph)
        start, end = random_place(graph, rng), random_place(graph, rng)
        nodes = [
            n for n in rng.permutation(graph.node_count)[:3] if graph.first_out[n] < graph.first_out[n + 1]
        ]
        stops = [start, *(node_place(graph, int(n)) for n in nodes), end]
        try:
            legs = [shortest_path(graph, metric, a, b, space) for a, b in itertools.pairwise(stops)]
        except NoRoute:
            continue
        path = joined(graph, metric, legs)
        assert_walkable(graph, path, start, end)
        total = sum(leg.length_m for leg in legs)
        assert path.length_m <= total + 1e-6
        inner = path.edges[1:-1]
        if len(inner) > 1:
            assert not (inner[1:] == graph.reverse[inner[:-1]]).any()


def test_walked_twice_counts_ground_in_either_direction():
    length = float(GRAPH.length_m[edge(0, 1)])
    there_and_back = path_of(GRAPH, METRIC, way(1, 2, 3, 2, 1), 0.0, 1.0)
    assert walked_twice_m(GRAPH, there_and_back) == pytest.approx(2 * length, rel=1e-5)
    once = path_of(GRAPH, METRIC, way(0, 1, 2, 3), 0.25, 0.5)
    assert walked_twice_m(GRAPH, once) == pytest.approx(0.0, abs=1e-4)
    ends = path_of(GRAPH, METRIC, way(1, 2, 3, 2), 0.5, 0.5)
    assert walked_twice_m(GRAPH, ends) == pytest.approx(0.5 * length, rel=1e-5)
    same_end = path_of(GRAPH, METRIC, way(0, 1, 4, 1, 0), 0.25, 0.5)
    up = float(GRAPH.length_m[edge(1, 4)])
    assert walked_twice_m(GRAPH, same_end) == pytest.approx(up + 0.5 * length, rel=1e-5)


def test_walked_twice_equals_counting_small_pieces():
    for seed in range(200):
        graph = random_graph(seed)
        rng = np.random.default_rng(seed)
        edges = [int(rng.integers(graph.edge_count))]
        for _ in range(int(rng.integers(1, 12))):
            node = int(graph.head[edges[-1]])
            if graph.first_out[node] == graph.first_out[node + 1]:
                break
            edges.append(int(rng.integers(graph.first_out[node], graph.first_out[node + 1])))
        start, end = rng.integers(0, 9, 2) / 8
        if len(edges) == 1:
            start, end = min(start, end), max(start, end)
        metric = make_metric(graph, static_costs(graph), {})
        path = path_of(graph, metric, np.array(edges, np.int32), float(start), float(end))
        seen, twice = set(), 0.0
        for i, (e, share) in enumerate(piece_fractions(path)):
            begin = round(8 * (path.start_fraction if i == 0 else 0.0))
            for eighth in range(begin, begin + round(8 * share)):
                back = int(graph.reverse[e])
                piece = (e, eighth) if back < 0 or e < back else (back, 7 - eighth)
                twice += float(graph.length_m[e]) / 8 if piece in seen else 0.0
                seen.add(piece)
        assert walked_twice_m(graph, path) == pytest.approx(twice, abs=1e-3)


def test_shared_metres_are_those_of_the_first_path():
    path = path_of(GRAPH, METRIC, way(0, 1, 2), 0.5, 1.0)
    other = path_of(GRAPH, METRIC, way(4, 1, 0), 0.0, 1.0)
    assert shared_m(GRAPH, path, other) == pytest.approx(0.5 * GRAPH.length_m[edge(0, 1)])


def test_closed_first_edge_costs_its_duration_and_a_closed_later_one_cannot_be_walked():
    closed = np.zeros(GRAPH.edge_count, bool)
    closed[[edge(0, 1), edge(1, 0)]] = True
    metric = make_metric(GRAPH, replace(static_costs(GRAPH), closed=closed), {})
    away = path_of(GRAPH, metric, way(0, 1, 2), 0.5, 1.0)
    assert away.impedance == pytest.approx(away.duration_s)
    assert path_of(GRAPH, metric, way(0, 1), 0.25, 0.75).impedance == pytest.approx(
        0.5 * GRAPH.duration_s[edge(0, 1)]
    )
    assert path_of(GRAPH, metric, way(2, 1, 0), 0.0, 1.0).impedance == math.inf
    assert path_of(GRAPH, metric, way(0, 1, 0), 0.0, 1.0).impedance == math.inf


def test_place_of_a_node_is_at_the_node():
    assert node_place(GRAPH, 1) == Place(int(GRAPH.first_out[1]), 0.0)
