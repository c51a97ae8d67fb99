"""Shortest paths against a naive Dijkstra, and the properties that any shortest path has."""

import math
from dataclasses import replace

import numpy as np
import pytest

from geo.errors import BadInput, NoRoute
from geo.geodesy import haversine_m
from geo.routing.costs import STATIC_FACTORS, static_costs
from geo.routing.metric import Metric, customized, dearer, make_metric
from geo.routing.path_kernels import Places
from geo.routing.search import (
    Place,
    SearchSpace,
    path_coordinates,
    shortest_path,
    shortest_paths,
)
from tests.geo.naive_search import (
    assert_walkable,
    graph_of,
    naive_cost,
    random_costs,
    random_graph,
    random_place,
    walk_cost,
)


def cost_or_inf(graph, metric, start, end, space, **options):
    try:
        return shortest_path(graph, metric, start, end, space, **options).impedance
    except NoRoute:
        return math.inf


def leaving_costs(graph, metric):
    return np.where(np.isfinite(metric.impedance), metric.impedance, graph.duration_s)


def on_a_floor(graph, metric):
    """The same metric, searched with the help of one that is cheaper, and open where it is closed."""
    rng = np.random.default_rng(graph.edge_count)
    open_all = np.where(np.isfinite(metric.impedance), metric.impedance, graph.duration_s)
    cheaper = (open_all * rng.uniform(0.3, 1.0, graph.edge_count)).astype(np.float32)
    return dearer(customized(graph, Metric(cheaper)), metric.impedance)


SEARCHED = {"both ends": lambda graph, metric: metric, "hierarchy": customized, "floor": on_a_floor}


@pytest.mark.parametrize("searched", SEARCHED)
@pytest.mark.parametrize("block", range(10))
def test_equals_dijkstra_on_random_graphs(block, searched):
    for seed in range(block * 200, block * 200 + 200):
        print("seed", seed)
        graph = random_graph(seed)
        metric = SEARCHED[searched](graph, make_metric(graph, random_costs(graph, seed), {}))
        space = SearchSpace(graph)
        rng = np.random.default_rng(seed)
        for _ in range(5):
            start, end = random_place(graph, rng), random_place(graph, rng)
            expected = naive_cost(graph, metric, start, end)
            if expected == math.inf:
                with pytest.raises(NoRoute):
                    shortest_path(graph, metric, start, end, space)
                continue
            path = shortest_path(graph, metric, start, end, space)
            rel = 1e-9 if searched == "both ends" else 1e-6  # weights are sums of float32
            assert path.impedance == pytest.approx(expected, rel=rel, abs=1e-9)
            assert_walkable(graph, path, start, end)
            walked = walk_cost(graph, metric.impedance, path, leaving=leaving_costs(graph, metric))
            assert walked == pytest.approx(path.impedance, rel=1e-9, abs=1e-9)
            assert path.length_m == pytest.approx(walk_cost(graph, graph.length_m, path), abs=1e-6)
            assert path.duration_s == pytest.approx(walk_cost(graph, graph.duration_s, path), abs=1e-6)


def test_many_paths_in_one_call_are_those_of_single_ones():
    for seed in range(100):
        graph = random_graph(seed)
        metric = customized(graph, make_metric(graph, random_costs(graph, seed, closed_share=0.2), {}))
        rng, space = np.random.default_rng(seed), SearchSpace(graph)
        starts, ends = ([random_place(graph, rng) for _ in range(8)] for _ in range(2))
        routes, impedance = shortest_paths(graph, metric, places(starts), places(ends), space)
        assert routes.first[-1] == len(routes.edges)
        for r in range(8):
            edges = routes.edges[routes.first[r] : routes.first[r + 1]]
            assert cost_or_inf(graph, metric, starts[r], ends[r], space) == impedance[r]
            if len(edges):
                one = shortest_path(graph, metric, starts[r], ends[r], space)
                assert one.edges.tolist() == edges.tolist()
                assert (one.start_fraction, one.end_fraction) == (
                    routes.start_fraction[r],
                    routes.end_fraction[r],
                )
    with pytest.raises(BadInput, match="not on this graph"):
        shortest_paths(graph, metric, places([Place(0, 1.5)]), places([Place(0, 1.0)]), space)
    with pytest.raises(BadInput, match="2 starts"):
        shortest_paths(graph, metric, places(starts[:2]), places(ends[:1]), space)


def places(some):
    return Places(np.array([p.edge for p in some], np.int32), np.array([p.fraction for p in some], float))


def test_dearer_edge_never_makes_a_cheaper_route():
    for seed in range(300):
        graph = random_graph(seed)
        metric = make_metric(graph, random_costs(graph, seed), {})
        space = SearchSpace(graph)
        rng = np.random.default_rng(seed)
        start, end = random_place(graph, rng), random_place(graph, rng)
        before = cost_or_inf(graph, metric, start, end, space)
        dearer = metric.impedance.copy()
        dearer[rng.integers(graph.edge_count)] *= np.float32(1.0 + rng.random() * 5)
        after = cost_or_inf(graph, Metric(dearer), start, end, space)
        assert after >= before - 1e-9


def test_closure_is_never_walked_except_to_leave_it():
    for seed in range(300):
        graph = random_graph(seed)
        costs = random_costs(graph, seed, closed_share=0.2)
        metric = make_metric(graph, costs, {})
        rng = np.random.default_rng(seed)
        start, end = random_place(graph, rng), random_place(graph, rng)
        try:
            path = shortest_path(graph, metric, start, end, SearchSpace(graph))
        except NoRoute:
            continue
        assert not costs.closed[path.edges[1:-1]].any()
        if len(path.edges) > 1:
            assert not costs.closed[path.edges[-1]] or path.end_fraction == 0.0


def test_symmetric_graph_costs_the_same_both_ways():
    for seed in range(300):
        graph = random_graph(seed, symmetric=True)
        metric = make_metric(graph, static_costs(graph), {})
        space = SearchSpace(graph)
        rng = np.random.default_rng(seed)
        start, end = random_place(graph, rng), random_place(graph, rng)
        there = cost_or_inf(graph, metric, start, end, space)
        back = cost_or_inf(graph, metric, end, start, space)
        assert there == pytest.approx(back, rel=1e-9, abs=1e-9)


LINE = graph_of(
    [55.0, 55.0, 55.0], [12.0, 12.001, 12.002], [(0, 1), (1, 2)], static=np.zeros((2, len(STATIC_FACTORS)))
)
LINE_METRIC = make_metric(LINE, static_costs(LINE), {})


def edge_between(graph, a, b):
    return next(e for e in range(graph.edge_count) if (graph.tail[e], graph.head[e]) == (a, b))


def test_start_and_end_on_the_same_edge_in_either_order():
    edge = edge_between(LINE, 0, 1)
    space = SearchSpace(LINE)
    ahead = shortest_path(LINE, LINE_METRIC, Place(edge, 0.25), Place(edge, 0.75), space)
    assert (ahead.edges.tolist(), ahead.start_fraction, ahead.end_fraction) == ([edge], 0.25, 0.75)
    assert ahead.length_m == pytest.approx(LINE.length_m[edge] / 2)
    behind = shortest_path(LINE, LINE_METRIC, Place(edge, 0.75), Place(edge, 0.25), space)
    assert (behind.edges.tolist(), behind.start_fraction) == ([LINE.reverse[edge]], 0.25)
    assert behind.impedance == pytest.approx(ahead.impedance)


def test_one_way_edge_is_walked_round_to_a_place_behind():
    graph = graph_of([55, 55.001, 55], [12, 12, 12.001], [(0, 1), (1, 2), (2, 0)], one_way=[0, 1, 2])
    metric = make_metric(graph, static_costs(graph), {})
    edge = edge_between(graph, 0, 1)
    path = shortest_path(graph, metric, Place(edge, 0.5), Place(edge, 0.25), SearchSpace(graph))
    assert path.edges.tolist() == [edge, edge_between(graph, 1, 2), edge_between(graph, 2, 0), edge]
    assert path.length_m == pytest.approx(graph.length_m.sum() - graph.length_m[edge] / 4)


def test_closed_start_can_be_left_and_a_closed_end_is_not_reached():
    edge = edge_between(LINE, 0, 1)
    closed = np.zeros(LINE.edge_count, bool)
    closed[[edge, LINE.reverse[edge]]] = True
    metric = make_metric(LINE, replace(static_costs(LINE), closed=closed), {})
    space = SearchSpace(LINE)
    ahead = edge_between(LINE, 1, 2)
    path = shortest_path(LINE, metric, Place(edge, 0.5), Place(ahead, 0.5), space)
    assert path.edges.tolist() == [edge, ahead]
    assert path.impedance == pytest.approx(LINE.duration_s[edge] * 0.5 + LINE.duration_s[ahead] * 0.5)
    with pytest.raises(NoRoute, match="no way on foot"):
        shortest_path(LINE, metric, Place(ahead, 0.5), Place(edge, 0.5), space)
    assert shortest_path(LINE, metric, Place(edge, 0.2), Place(edge, 0.6), space).length_m > 0


def test_turn_penalty_is_held_against_turning_but_not_counted():
    edge = edge_between(LINE, 1, 2)
    end = Place(edge_between(LINE, 0, 1), 0.5)
    space = SearchSpace(LINE)
    free = shortest_path(LINE, LINE_METRIC, Place(edge, 0.5), end, space)
    held = shortest_path(LINE, LINE_METRIC, Place(edge, 0.5), end, space, turn_penalty=20.0)
    assert free.edges[0] == LINE.reverse[edge]
    assert held.impedance == pytest.approx(free.impedance)
    far = shortest_path(LINE, LINE_METRIC, Place(edge, 0.9), end, space, turn_penalty=1e3)
    assert far.edges[0] == edge
    assert far.edges[1] == LINE.reverse[edge]


def test_coordinates_are_trimmed_and_never_doubled():
    first, second = edge_between(LINE, 0, 1), edge_between(LINE, 1, 2)
    space = SearchSpace(LINE)
    path = shortest_path(LINE, LINE_METRIC, Place(first, 0.5), Place(second, 0.25), space)
    lat, lon = path_coordinates(LINE, path)
    assert lat.tolist() == [55.0] * 3
    assert lon == pytest.approx([12.0005, 12.001, 12.00125])
    at_node = shortest_path(LINE, LINE_METRIC, Place(first, 1.0), Place(second, 0.25), space)
    assert path_coordinates(LINE, at_node)[1] == pytest.approx([12.001, 12.00125])
    nowhere = shortest_path(LINE, LINE_METRIC, Place(first, 0.5), Place(first, 0.5), space)
    assert len(path_coordinates(LINE, nowhere)[0]) == 1


def test_coordinates_follow_the_length_on_random_graphs():
    for seed in range(200):
        graph = graph_of(*planar(seed))
        metric = make_metric(graph, static_costs(graph), {})
        rng = np.random.default_rng(seed)
        start, end = random_place(graph, rng), random_place(graph, rng)
        try:
            path = shortest_path(graph, metric, start, end, SearchSpace(graph))
        except NoRoute:
            continue
        lat, lon = path_coordinates(graph, path)
        assert haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:]).sum() == pytest.approx(
            path.length_m, rel=1e-4, abs=1e-3
        )


def planar(seed):
    rng = np.random.default_rng(seed)
    lat, lon = 55 + rng.random(20) * 0.004, 12 + rng.random(20) * 0.007
    pairs = {tuple(sorted(map(int, rng.choice(20, 2, replace=False)))) for _ in range(40)}
    return lat, lon, sorted(pairs)


@pytest.mark.parametrize("searched", SEARCHED)
def test_memory_is_reused_when_the_stamp_wraps(monkeypatch, searched):
    monkeypatch.setattr("geo.routing.search._LAST_STAMP", 3)
    graph = random_graph(11)
    metric = SEARCHED[searched](graph, make_metric(graph, random_costs(graph, 11), {}))
    space, rng = SearchSpace(graph), np.random.default_rng(1)
    for _ in range(20):
        start, end = random_place(graph, rng), random_place(graph, rng)
        expected = naive_cost(graph, metric, start, end)
        assert cost_or_inf(graph, metric, start, end, space) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_each_search_looks_at_what_it_must():
    side = 30
    lat = 55 + np.repeat(np.arange(side), side) * 0.001
    lon = 12 + np.tile(np.arange(side), side) * 0.0018
    pairs = [(n, n + 1) for n in range(side * side) if n % side + 1 < side]
    pairs += [(n, n + side) for n in range(side * side - side)]
    graph = graph_of(lat, lon, pairs, static=np.zeros((len(pairs), len(STATIC_FACTORS))))
    metric = make_metric(graph, static_costs(graph), {})
    space = SearchSpace(graph)
    start, end = Place(edge_between(graph, 465, 466), 0.0), Place(edge_between(graph, 474, 475), 1.0)
    settled = {}
    for name, searched in SEARCHED.items():
        shortest_path(graph, searched(graph, metric), start, end, space)
        settled[name] = space.settled
    exact = dearer(customized(graph, metric), metric.impedance)
    shortest_path(graph, exact, start, end, space)
    assert 9 <= space.settled <= 25  # the way itself and what ties with it
    assert 9 <= settled["hierarchy"] < 150
    assert 9 <= settled["both ends"] < 150  # of 900
    assert space.settled_total == sum(settled.values()) + space.settled


@pytest.mark.parametrize("place", [Place(-1, 0.0), Place(4, 0.0), Place(0, 1.5), Place(0, math.nan)])
def test_place_outside_the_graph_is_refused(place):
    with pytest.raises(BadInput, match="not on this graph"):
        shortest_path(LINE, LINE_METRIC, place, Place(0, 0.0), SearchSpace(LINE))


def test_core_leaves_out_dead_ends():
    # a triangle with a tail of two stretches
    graph = graph_of(
        [55, 55, 55.001, 55.002, 55.003], [12, 12.001, 12, 12, 12], [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)]
    )
    assert SearchSpace(graph).core.tolist() == [True, True, True, False, False]
