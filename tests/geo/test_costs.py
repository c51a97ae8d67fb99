"""The declared factors, and impedance and conditions computed from them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from geo.routing.costs import (
    COLUMN,
    DYNAMIC_FACTORS,
    FACTOR_NAMES,
    FACTORS,
    STATIC_FACTORS,
    apply_conditions,
    changed_edges,
    impedance,
    impedance_of,
    scaled,
    static_costs,
    weights,
    with_closed,
)
from tests.geo.naive_search import naive_impedance, random_costs, random_graph

NO_EDGES = np.empty(0, np.int32)


def calm(graph):
    return np.zeros((len(graph.cell_h3), len(DYNAMIC_FACTORS)), np.float32)


def test_declaration_is_consistent():
    assert FACTOR_NAMES == STATIC_FACTORS + DYNAMIC_FACTORS
    assert len(set(FACTOR_NAMES)) == len(FACTORS)
    for factor in FACTORS:
        assert factor.low < factor.high
        assert factor.gate is None or (factor.kind == "dynamic" and factor.gate in STATIC_FACTORS)
    pleasant = {factor.name for factor in FACTORS if factor.default_weight < 0}
    assert pleasant == {"green", "water", "sights", "amenities"}


def test_impedance_equals_its_naive_twin():
    for seed in range(50):
        graph = random_graph(seed)
        costs = random_costs(graph, seed)
        rng = np.random.default_rng(seed)
        taste = {name: float(rng.uniform(-2, 2)) for name in rng.choice(FACTOR_NAMES, 5, replace=False)}
        expected = naive_impedance(graph, costs, weights(taste))
        assert impedance(graph, costs, taste) == pytest.approx(expected, rel=1e-5)


def test_impedance_is_clamped_and_infinite_where_closed():
    graph = random_graph(1)
    costs = random_costs(graph, 1, closed_share=0.3)
    values = impedance(graph, costs, {"green": -10.0, "water": -10.0, "sights": -10.0})
    assert np.isinf(values[costs.closed]).all()
    still_open = ~costs.closed
    assert (values[still_open] >= graph.duration_s[still_open] * 0.2 * (1 - 1e-6)).all()


def test_taste_overrides_the_default_weights():
    default = weights({})
    assert default[COLUMN["noise"]] == FACTORS[COLUMN["noise"]].default_weight
    changed = weights({"noise": 2.0})
    assert changed[COLUMN["noise"]] == 2.0
    assert np.delete(changed, COLUMN["noise"]).tolist() == np.delete(default, COLUMN["noise"]).tolist()


@pytest.mark.parametrize("taste", [{"nose": 1.0}, {"noise": math.nan}, {"noise": 10.5}, {"noise": -math.inf}])
def test_bad_taste_is_named(taste):
    with pytest.raises(BadInput, match=next(iter(taste))):
        weights(taste)


def test_scaled_runs_from_low_to_high():
    assert [scaled("wind", raw) for raw in (0.0, 4.0, 10.0, 16.0, 40.0)] == [0, 0, 0.5, 1, 1]
    assert scaled("rain", math.nan) == 0.0
    with pytest.raises(BadInput, match="snow"):
        scaled("snow", 1.0)


def test_calm_conditions_equal_static_costs():
    graph = random_graph(3)
    made = apply_conditions(graph, 7, calm(graph), {}, NO_EDGES, night=False)
    assert made.version == 7
    assert np.array_equal(made.factor_rows(), static_costs(graph).factor_rows())
    assert not made.closed.any()


def test_cell_values_are_gated_by_their_static_factor():
    graph = random_graph(4)
    cells = calm(graph)
    cells[1, DYNAMIC_FACTORS.index("rain")] = 0.5
    cells[0, DYNAMIC_FACTORS.index("traffic")] = 0.25
    cells[0, DYNAMIC_FACTORS.index("heat")] = np.nan
    cells[1, DYNAMIC_FACTORS.index("heat")] = 3.0
    factors = apply_conditions(graph, 1, cells, {}, NO_EDGES, night=True).factor_rows()
    here = graph.cell == 1
    unsheltered = graph.static_factors[:, STATIC_FACTORS.index("unsheltered")]
    assert factors[:, COLUMN["rain"]] == pytest.approx(np.where(here, 0.5 * unsheltered, 0.0))
    assert factors[:, COLUMN["traffic"]] == pytest.approx(np.where(here, 0.0, 0.25))
    assert factors[:, COLUMN["heat"]] == pytest.approx(np.where(here, 1.0, 0.0))
    assert factors[:, COLUMN["dark"]] == pytest.approx(graph.static_factors[:, COLUMN["unlit"]])
    assert cells[0, DYNAMIC_FACTORS.index("dark")] == 0.0, "the caller's array must stay as it was"


def test_edge_values_go_before_cells_and_hold_both_ways():
    graph = random_graph(5)
    cells = calm(graph)
    cells[:, DYNAMIC_FACTORS.index("traffic")] = 0.9
    edge = int(np.flatnonzero(graph.reverse >= 0)[0])
    back = int(graph.reverse[edge])
    one = {"traffic": (np.array([edge], np.int32), np.array([0.1], np.float32))}
    rows = apply_conditions(graph, 1, cells, one, NO_EDGES, night=False).factor_rows()
    traffic = rows[:, COLUMN["traffic"]]
    assert traffic[[edge, back]] == pytest.approx([0.1, 0.1])
    assert np.delete(traffic, [edge, back]) == pytest.approx(0.9)
    both = {"traffic": (np.array([edge, back], np.int32), np.array([0.1, 0.4], np.float32))}
    rows = apply_conditions(graph, 1, cells, both, NO_EDGES, night=False).factor_rows()
    traffic = rows[:, COLUMN["traffic"]]
    assert traffic[[edge, back]] == pytest.approx([0.1, 0.4])


def test_closed_edges_are_closed_both_ways():
    graph = random_graph(6)
    edge = int(np.flatnonzero(graph.reverse >= 0)[0])
    costs = apply_conditions(graph, 1, calm(graph), {}, np.array([edge], np.int32), night=False)
    assert sorted(np.flatnonzero(costs.closed)) == sorted([edge, int(graph.reverse[edge])])


def test_bad_conditions_are_refused():
    graph = random_graph(7)
    outside = np.array([graph.edge_count], np.int32)
    one = np.ones(1, np.float32)
    with pytest.raises(BadInput, match="shape"):
        apply_conditions(graph, 1, np.zeros((1, 2), np.float32), {}, NO_EDGES, night=False)
    with pytest.raises(BadInput, match=f"edge {graph.edge_count}"):
        apply_conditions(graph, 1, calm(graph), {}, outside, night=False)
    with pytest.raises(BadInput, match="noise"):
        apply_conditions(graph, 1, calm(graph), {"noise": (NO_EDGES, one)}, NO_EDGES, night=False)
    with pytest.raises(BadInput, match="0 edges but 1 values"):
        apply_conditions(graph, 1, calm(graph), {"rain": (NO_EDGES, one)}, NO_EDGES, night=False)


def test_impedance_of_some_edges_is_that_of_all_bit_by_bit():
    for seed in range(50):
        graph, rng = random_graph(seed), np.random.default_rng(seed)
        costs = random_costs(graph, seed, closed_share=0.1)
        row = rng.uniform(-10, 10, len(FACTORS)).astype(np.float32)
        edges = rng.integers(0, graph.edge_count, 40).astype(np.int32)
        whole = impedance(graph, costs, row)
        assert np.array_equal(impedance_of(graph, costs, row, edges), whole[edges])
        assert np.array_equal(whole, impedance(graph, costs, dict(zip(FACTOR_NAMES, row, strict=True))))
    with pytest.raises(BadInput, match="edge -1"):
        impedance_of(graph, costs, row, np.array([-1], np.int32))


def test_a_closure_shares_everything_else_and_opens_again():
    graph = random_graph(6)
    edge = int(np.flatnonzero(graph.reverse >= 0)[0])
    old = random_costs(graph, 6, closed_share=0.0)
    shut = with_closed(graph, old, 2, np.array([edge], np.int32), closed=True)
    assert shut.version == 2
    assert shut.static_factors is old.static_factors
    assert shut.zone is old.zone
    assert shut.zone_values is old.zone_values
    assert not old.closed.any(), "what others read must stay as it was"
    assert changed_edges(old, shut).tolist() == sorted([edge, int(graph.reverse[edge])])
    again = with_closed(graph, shut, 3, np.array([edge], np.int32), closed=False)
    assert changed_edges(old, again).tolist() == []


def naive_changed(old, new):
    different = (old.factor_rows() != new.factor_rows()).any(1) | (old.closed != new.closed)
    return set(np.flatnonzero(different).tolist())


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_changed_edges_miss_nothing_and_stay_within_what_was_told(data):
    graph = random_graph(data.draw(st.integers(0, 20)))
    cells = st.lists(st.sampled_from([0.0, 0.5, 1.0, math.nan]), min_size=2 * len(DYNAMIC_FACTORS),
                     max_size=2 * len(DYNAMIC_FACTORS))  # fmt: skip
    edges = st.lists(st.integers(0, graph.edge_count - 1), max_size=3)
    made, told = [], []
    for version in range(2):
        busy, shut = (np.array(data.draw(edges), np.int32) for _ in range(2))
        values = np.array(data.draw(cells), np.float32).reshape(2, -1)
        traffic = {"traffic": (busy, np.full(len(busy), 0.25, np.float32))}
        made.append(apply_conditions(graph, version, values, traffic, shut, night=False))
        told.append((np.nan_to_num(values), np.concatenate([busy, shut])))
    changed = set(changed_edges(*made).tolist())
    assert naive_changed(*made) <= changed
    named = np.concatenate([told[0][1], told[1][1]])
    named = set(named.tolist()) | set(graph.reverse[named].tolist())
    cell_changed = (told[0][0] != told[1][0]).any(1)[graph.cell]
    assert changed <= named | set(np.flatnonzero(cell_changed).tolist())
    for costs in made:
        rows = costs.factor_rows()
        assert ((rows >= 0) & (rows <= 1)).all()
