"""The declared factors, and impedance and conditions computed from them."""

import math

import numpy as np
import pytest

from geo.costs import (
    COLUMN,
    DYNAMIC_FACTORS,
    FACTOR_NAMES,
    FACTORS,
    STATIC_FACTORS,
    apply_conditions,
    impedance,
    scaled,
    static_costs,
    weights,
)
from geo.errors import BadInput
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
    assert default[COLUMN["noise"]] == pytest.approx(0.5)
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
    assert np.array_equal(made.factors, static_costs(graph).factors)
    assert not made.closed.any()


def test_cell_values_are_gated_by_their_static_factor():
    graph = random_graph(4)
    cells = calm(graph)
    cells[1, DYNAMIC_FACTORS.index("rain")] = 0.5
    cells[0, DYNAMIC_FACTORS.index("traffic")] = 0.25
    cells[0, DYNAMIC_FACTORS.index("heat")] = np.nan
    cells[1, DYNAMIC_FACTORS.index("heat")] = 3.0
    factors = apply_conditions(graph, 1, cells, {}, NO_EDGES, night=True).factors
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
    traffic = apply_conditions(graph, 1, cells, one, NO_EDGES, night=False).factors[:, COLUMN["traffic"]]
    assert traffic[[edge, back]] == pytest.approx([0.1, 0.1])
    assert np.delete(traffic, [edge, back]) == pytest.approx(0.9)
    both = {"traffic": (np.array([edge, back], np.int32), np.array([0.1, 0.4], np.float32))}
    traffic = apply_conditions(graph, 1, cells, both, NO_EDGES, night=False).factors[:, COLUMN["traffic"]]
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
