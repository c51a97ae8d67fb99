"""The scoring kernels against plain loops over random paths."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput, NoRoute
from geo.routing.cost_kernels import Routes
from geo.routing.costs import COLUMN, DYNAMIC_FACTORS, FACTOR_NAMES, STATIC_FACTORS, impedance, weights
from geo.routing.metric import make_metric
from geo.routing.scoring import pack, remaining_impedance, score_routes
from geo.routing.search import Path, Place, SearchSpace, shortest_path
from tests.geo.naive_search import (
    naive_impedance,
    piece_fractions,
    random_costs,
    random_graph,
    random_place,
    walk_cost,
)

TASTES = ({}, {"noise": 3.0, "green": -2.0}, {"green": -9.0, "sights": -9.0})


def random_paths(graph, seed, count=8):
    metric = make_metric(graph, random_costs(graph, seed, closed_share=0.0), {})
    rng, space, paths = np.random.default_rng(seed), SearchSpace(graph), []
    for _ in range(count):
        try:
            paths.append(
                shortest_path(graph, metric, random_place(graph, rng), random_place(graph, rng), space)
            )
        except NoRoute:
            continue
    return paths


def test_scores_equal_their_naive_twin():
    for seed in range(150):
        graph = random_graph(seed)
        costs = random_costs(graph, seed, closed_share=0.1)
        paths = random_paths(graph, seed)
        scores = score_routes(graph, costs, paths, TASTES)
        rows = costs.factor_rows().astype(float)
        for r, path in enumerate(paths):
            assert scores.length_m[r] == pytest.approx(walk_cost(graph, graph.length_m, path), abs=1e-6)
            duration = walk_cost(graph, graph.duration_s, path)
            assert scores.duration_s[r] == pytest.approx(duration, abs=1e-6)
            for k in range(len(FACTOR_NAMES)):
                spent = walk_cost(graph, graph.duration_s * rows[:, k], path)
                mean = spent / duration if duration > 0 else 0.0
                assert scores.exposure[r, k] == pytest.approx(mean, abs=1e-6)
            for t, taste in enumerate(TASTES):
                values = naive_impedance(graph, costs, weights(taste))
                leaving = [d if math.isinf(v) else v for v, d in zip(values, graph.duration_s, strict=True)]
                expected = walk_cost(graph, values, path, leaving=leaving)
                assert scores.impedance[r, t] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_breakdown_adds_up_to_the_impedance():
    graph = random_graph(8)
    paths = random_paths(graph, 8)
    scores = score_routes(graph, random_costs(graph, 8, closed_share=0.0), paths, [{}])
    assert len(paths) > 3
    assert scores.duration_s + scores.added_s[:, 0].sum(1) == pytest.approx(scores.impedance[:, 0], rel=1e-6)
    assert (scores.added_s[:, 0, COLUMN["green"]] <= 0).all()
    assert scores.exposures(0)["noise"] == scores.exposure[0, COLUMN["noise"]]


def test_score_agrees_with_the_search():
    for seed in range(100):
        graph = random_graph(seed)
        costs = random_costs(graph, seed, closed_share=0.1)
        metric, rng = make_metric(graph, costs, TASTES[1]), np.random.default_rng(seed)
        try:
            path = shortest_path(
                graph, metric, random_place(graph, rng), random_place(graph, rng), SearchSpace(graph)
            )
        except NoRoute:
            continue
        score = score_routes(graph, costs, [path], [TASTES[1]])
        assert score.impedance[0, 0] == pytest.approx(path.impedance, rel=1e-5, abs=1e-6)


def test_no_routes_and_no_tastes_are_fine():
    graph = random_graph(2)
    costs = random_costs(graph, 2)
    assert score_routes(graph, costs, [], [{}]).impedance.shape == (0, 1)
    assert score_routes(graph, costs, random_paths(graph, 2)[:1], []).impedance.shape == (1, 0)


def test_remaining_equals_its_naive_twin():
    for seed in range(150):
        graph = random_graph(seed)
        paths = random_paths(graph, seed)
        if not paths:
            continue
        costs = random_costs(graph, seed, closed_share=0.1)
        rows = np.stack([impedance(graph, costs, taste) for taste in TASTES])
        rng = np.random.default_rng(seed)
        index = np.array([rng.integers(len(path.edges) + 1) for path in paths], np.int32)
        fraction = np.array([at_least(path, i, rng) for path, i in zip(paths, index, strict=True)])
        taste = rng.integers(0, len(TASTES), len(paths)).astype(np.int32)
        left = remaining_impedance(graph, rows, pack(paths), index, fraction, taste)
        for r, path in enumerate(paths):
            tail = Path(path.edges[index[r] :], fraction[r], path.end_fraction, 0, 0, 0)
            expected = 0.0
            for i, (edge, share) in enumerate(piece_fractions(tail)):
                value = float(rows[taste[r], edge])
                if i == 0 and math.isinf(value) and fraction[r] > 0:
                    value = float(graph.duration_s[edge])
                expected += share * value if share > 0 else 0.0
            assert left[r] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def at_least(path, index, rng):
    """A random fraction on the path's index-th edge, not before where the path begins."""
    start = path.start_fraction if index == 0 else 0.0
    return float(start + rng.random() * (1 - start))


def test_remaining_from_the_start_is_the_whole_route():
    graph = random_graph(9)
    costs = random_costs(graph, 9, closed_share=0.0)
    metric = make_metric(graph, costs, {})
    path = shortest_path(graph, metric, Place(0, 0.25), Place(graph.edge_count - 1, 0.5), SearchSpace(graph))
    left = remaining_impedance(
        graph,
        metric.impedance[None],
        pack([path]),
        np.zeros(1, np.int32),
        np.array([path.start_fraction]),
        np.zeros(1, np.int32),
    )
    assert left[0] == pytest.approx(path.impedance)


def test_closing_a_stretch_ahead_makes_the_rest_infinite():
    graph = random_graph(9)
    path = max(random_paths(graph, 9), key=lambda path: len(path.edges))
    assert len(path.edges) > 3
    closed = np.zeros(graph.edge_count, bool)
    closed[path.edges[2]] = True
    rows = impedance(graph, replace(random_costs(graph, 9), closed=closed), {})[None]
    zero = np.zeros(1, np.int32)
    before = remaining_impedance(graph, rows, pack([path]), zero + 1, np.zeros(1), zero)
    before_it = remaining_impedance(graph, rows, pack([path]), zero + 2, np.zeros(1), zero)
    on_it = remaining_impedance(graph, rows, pack([path]), zero + 2, np.full(1, 0.1), zero)
    behind = remaining_impedance(graph, rows, pack([path]), zero + 3, np.zeros(1), zero)
    assert before[0] == before_it[0] == math.inf
    assert behind[0] < on_it[0] < math.inf


def test_arrays_that_do_not_fit_are_refused():
    graph = random_graph(9)
    routes, zero = pack(random_paths(graph, 9)[:1]), np.zeros(1, np.int32)
    rows = np.ones((1, graph.edge_count), np.float32)
    with pytest.raises(BadInput, match="1 values"):
        remaining_impedance(graph, rows, routes, np.zeros(2, np.int32), np.zeros(1), zero)
    with pytest.raises(BadInput, match="needs"):
        remaining_impedance(graph, rows[:, :-1], routes, zero, np.zeros(1), zero)
    with pytest.raises(BadInput, match=r"taste must lie in 0\.\.0"):
        remaining_impedance(graph, rows, routes, zero, np.zeros(1), zero + 1)


# ---- properties of any routes at all: the kernel does not ask whether edges follow each other


@st.composite
def blocks(draw):
    """A graph, costs of it, a taste row and a few routes of any edges, with trimmed ends."""
    graph = random_graph(draw(st.integers(0, 30)))
    costs = random_costs(graph, draw(st.integers(0, 1000)), closed_share=0.0)
    edge = st.integers(0, graph.edge_count - 1)
    lists = draw(st.lists(st.lists(edge, min_size=2, max_size=12), min_size=1, max_size=5))
    start = draw(st.lists(st.floats(0, 1), min_size=len(lists), max_size=len(lists)))
    end = draw(st.lists(st.floats(0, 1), min_size=len(lists), max_size=len(lists)))
    first = np.concatenate([[0], np.cumsum([len(edges) for edges in lists])])
    routes = Routes(first, np.concatenate(lists).astype(np.int32), np.array(start), np.array(end))
    row = np.random.default_rng(draw(st.integers(0, 1000))).uniform(-2, 2, (1, len(FACTOR_NAMES)))
    return graph, costs, row.astype(np.float32), routes


@given(blocks(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_route_cut_in_two_scores_as_its_halves_together(block, data):
    graph, costs, row, routes = block
    r = data.draw(st.integers(0, len(routes.first) - 2))
    begin, end = routes.first[r], routes.first[r + 1]
    cut = data.draw(st.integers(begin + 1, end - 1))
    halves = Routes(
        np.array([0, cut - begin, end - begin]),
        routes.edges[begin:end],
        np.array([routes.start_fraction[r], 0.0]),
        np.array([1.0, routes.end_fraction[r]]),
    )
    whole, parts = score_routes(graph, costs, routes, row), score_routes(graph, costs, halves, row)
    assert parts.length_m.sum() == pytest.approx(whole.length_m[r], abs=1e-9)
    assert parts.duration_s.sum() == pytest.approx(whole.duration_s[r], abs=1e-9)
    assert parts.impedance.sum() == pytest.approx(whole.impedance[r, 0], rel=1e-12, abs=1e-9)
    doses = parts.exposure * parts.duration_s[:, None]
    assert doses.sum(0) == pytest.approx(whole.exposure[r] * whole.duration_s[r], abs=1e-9)


@given(blocks())
@settings(max_examples=60, deadline=None)
def test_a_route_scores_the_same_in_any_company(block):
    graph, costs, row, routes = block
    together = score_routes(graph, costs, routes, np.repeat(row, 3, axis=0))
    assert (together.exposure >= 0).all()
    assert (together.exposure <= 1 + 1e-9).all()
    for r in range(len(routes.first) - 1):
        begin, end = routes.first[r : r + 2]
        alone = Routes(
            np.array([0, end - begin]),
            routes.edges[begin:end],
            routes.start_fraction[r : r + 1],
            routes.end_fraction[r : r + 1],
        )
        scores = score_routes(graph, costs, alone, row)
        assert scores.impedance[0, 0] == together.impedance[r, 0] == together.impedance[r, 2]
        assert np.array_equal(scores.exposure[0], together.exposure[r])


@given(blocks(), st.integers(0, len(DYNAMIC_FACTORS) - 1))
@settings(max_examples=60, deadline=None)
def test_more_of_what_is_disliked_never_costs_less(block, column):
    graph, costs, row, routes = block
    row[:, len(STATIC_FACTORS) + column] = abs(row[:, len(STATIC_FACTORS) + column])
    worse = costs.zone_values.copy()
    worse[:, column] = 1.0
    before = score_routes(graph, costs, routes, row).impedance
    after = score_routes(graph, replace(costs, zone_values=worse), routes, row).impedance
    assert (after >= before * (1 - 1e-6)).all()
    lower = impedance(graph, costs, row[0])
    assert (impedance(graph, replace(costs, zone_values=worse), row[0]) >= lower * (1 - 1e-5)).all()


def test_a_route_has_the_score_of_the_search_that_found_it_almost_bit_by_bit():
    """Search and score add the same numbers, if not in the same order."""
    for seed in range(40):
        graph = random_graph(seed)
        costs = random_costs(graph, seed, closed_share=0.0)
        taste = {"green": -10.0, "noise": 10.0, "rain": 7.5}
        metric, rng = make_metric(graph, costs, taste), np.random.default_rng(seed)
        try:
            path = shortest_path(
                graph, metric, random_place(graph, rng), random_place(graph, rng), SearchSpace(graph)
            )
        except NoRoute:
            continue
        score = score_routes(graph, costs, [path], [taste])
        assert score.impedance[0, 0] == pytest.approx(path.impedance, rel=1e-7, abs=1e-9)


def test_tastes_of_another_shape_are_refused():
    graph = random_graph(9)
    routes = pack(random_paths(graph, 9)[:1])
    with pytest.raises(BadInput, match=r"needs \(T, "):
        score_routes(graph, random_costs(graph, 9), routes, np.zeros((1, 3), np.float32))
