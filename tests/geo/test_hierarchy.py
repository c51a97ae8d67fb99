"""The contraction hierarchy: its order, its weights after every kind of change, bounds and one-to-all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.routing import customization
from geo.routing.costs import static_costs
from geo.routing.customization import customize, recustomize
from geo.routing.hierarchy import build_hierarchy
from geo.routing.metric import Metric, customized, make_metric, updated
from geo.routing.node_order import order_nodes, undirected
from geo.routing.search import SearchSpace, impedances_from, shortest_path
from geo.routing.search_kernels import bound_of
from tests.geo.naive_search import naive_distances, random_costs, random_graph, random_place

seeds = st.integers(0, 100_000)


def naive_fill_in(graph, rank):
    """Contract node by node on sets: rank → the higher ranks that it is joined to."""
    first, neighbour = undirected(graph)
    up = [set() for _ in range(graph.node_count)]
    for n in range(graph.node_count):
        for m in neighbour[first[n] : first[n + 1]]:
            up[min(rank[n], rank[m])].add(int(max(rank[n], rank[m])))
    for higher in up:
        if higher:
            up[min(higher)] |= higher - {min(higher)}
    return up


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_arcs_and_triangles_equal_those_of_contracting_on_sets(seed):
    graph = random_graph(seed)
    rank = order_nodes(graph)
    assert sorted(rank) == list(range(graph.node_count))
    hierarchy = build_hierarchy(graph, rank)
    up = naive_fill_in(graph, rank)
    arcs = [(r, m) for r in range(graph.node_count) for m in sorted(up[r])]
    tails = np.repeat(np.arange(graph.node_count), np.diff(hierarchy.first_up))
    assert list(zip(tails.tolist(), hierarchy.head.tolist(), strict=True)) == arcs
    number = {arc: i for i, arc in enumerate(arcs)}
    triangles = {
        (number[y, z], number[x, y], number[x, z])
        for x in range(graph.node_count)
        for y in up[x]
        for z in up[x]
        if y < z
    }
    above = np.repeat(np.arange(len(arcs)), np.diff(hierarchy.first_triangle))
    found = zip(above.tolist(), hierarchy.low_arc.tolist(), hierarchy.high_arc.tolist(), strict=True)
    assert set(found) == triangles
    assert len(hierarchy.low_arc) == len(triangles)
    for edge, slot in enumerate(hierarchy.slot_of_edge.tolist()):
        ends = rank[graph.tail[edge]], rank[graph.head[edge]]
        if ends[0] == ends[1]:
            assert slot == -1
        else:
            assert arcs[slot // 2] == (min(ends), max(ends))
            assert (slot % 2 == 1) == (ends[0] > ends[1])


def naive_distances_to(graph, metric, place):
    """Bellman and Ford on dicts: node → impedance to the place."""
    ends = [(place.edge, place.fraction)]
    if graph.reverse[place.edge] >= 0:
        ends.append((int(graph.reverse[place.edge]), 1.0 - place.fraction))
    best = {}
    for edge, until in ends:
        cost = until * float(metric.impedance[edge]) if until > 0.0 else 0.0
        best[int(graph.tail[edge])] = min(cost, best.get(int(graph.tail[edge]), np.inf))
    for _ in range(graph.node_count):
        for edge in range(graph.edge_count):
            through = float(metric.impedance[edge]) + best.get(int(graph.head[edge]), np.inf)
            best[int(graph.tail[edge])] = min(through, best.get(int(graph.tail[edge]), np.inf))
    return {node: cost for node, cost in best.items() if cost < np.inf}


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(1, 6))
def test_recustomizing_gives_what_customizing_anew_does(seed, changes):
    graph = random_graph(seed)
    hierarchy = graph.hierarchy
    rng = np.random.default_rng(seed)
    values = rng.choice([1.0, 2.0, 4.0, np.inf], graph.edge_count).astype(np.float32)
    weights = customize(hierarchy, values)
    for _ in range(4):
        edges = rng.integers(graph.edge_count, size=changes).astype(np.int32)
        values = values.copy()
        values[edges] = rng.choice([1.0, 2.0, 4.0, np.inf], changes)  # with many ties
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(customization, "MANY", 0)  # or a few edges are many in so small a graph
            weights = recustomize(hierarchy, weights, values, edges)
        anew = customize(hierarchy, values)
        np.testing.assert_array_equal(weights.weight, anew.weight)
        np.testing.assert_array_equal(weights.via, anew.via)


@settings(max_examples=150, deadline=None)
@given(seeds, st.booleans())
def test_one_to_all_equals_dijkstra(seed, backward):
    graph = random_graph(seed)
    metric = customized(graph, make_metric(graph, random_costs(graph, seed), {}))
    place = random_place(graph, np.random.default_rng(seed))
    found = impedances_from(graph, metric, place, SearchSpace(graph), backward=backward)
    expected = (naive_distances_to if backward else naive_distances)(graph, metric, place)
    assert {n for n in range(graph.node_count) if np.isfinite(found[n])} == set(expected)
    for node, cost in expected.items():
        assert found[node] == pytest.approx(cost, rel=1e-6, abs=1e-9)


def test_update_of_a_metric_equals_a_new_one():
    for seed in range(60):
        graph = random_graph(seed)
        old, new = static_costs(graph), random_costs(graph, seed)
        metric = customized(graph, make_metric(graph, old, {}))
        anew = customized(graph, make_metric(graph, new, {}))
        after = updated(graph, metric, new, {}, np.arange(graph.edge_count, dtype=np.int32))
        np.testing.assert_array_equal(after.impedance, anew.impedance)
        np.testing.assert_array_equal(after.weights.weight, anew.weights.weight)


def test_bounds_obey_the_triangle_inequality_and_are_exact(copenhagen):
    from geo.routing import search

    graph = copenhagen
    metric = customized(graph, make_metric(graph, static_costs(graph), {}))
    space = SearchSpace(graph)
    rng = np.random.default_rng(4)
    for end in (random_place(graph, rng) for _ in range(3)):
        guide = search._guide(graph, metric, end, space)
        stamp = space.next_stamp()
        search.kernels.climb_to_ends(guide.hierarchy, guide.weight, guide.climb, guide.ends)
        bound = np.array([bound_of(guide, n, stamp) for n in range(graph.node_count)])
        exact = impedances_from(graph, metric, end, SearchSpace(graph), backward=True)
        np.testing.assert_allclose(bound, exact, rtol=3e-6)
        assert (bound <= exact).all()
        edge_slack = metric.impedance + bound[graph.head] - bound[graph.tail]
        assert edge_slack.min() > -1e-2  # in seconds, of up to two hours: rounding of the weights
        space = SearchSpace(graph)


def test_same_answers_with_and_without_the_hierarchy_in_a_city(copenhagen):
    graph = copenhagen
    rng = np.random.default_rng(5)
    closed = rng.random(graph.edge_count) < 0.01
    plain = make_metric(graph, static_costs(graph), {"noise": 1.0, "green": -0.5})
    plain = Metric(np.where(closed, np.inf, plain.impedance).astype(np.float32))
    quick, space = customized(graph, plain), SearchSpace(graph)
    for _ in range(100):
        start, end = random_place(graph, rng), random_place(graph, rng)
        try:
            expected = shortest_path(graph, plain, start, end, space)
        except Exception as error:  # the same answer, whatever it is
            with pytest.raises(type(error)):
                shortest_path(graph, quick, start, end, space)
            continue
        found = shortest_path(graph, quick, start, end, space)
        assert found.impedance == pytest.approx(expected.impedance, rel=1e-6)


def test_hierarchy_of_a_city_is_shallow(copenhagen):
    hierarchy = copenhagen.hierarchy
    assert len(hierarchy.head) < 6 * copenhagen.node_count
    depth = np.zeros(copenhagen.node_count, int)
    for rank in range(copenhagen.node_count - 2, -1, -1):
        first, last = hierarchy.first_up[rank : rank + 2]
        depth[rank] = depth[hierarchy.head[first]] + 1 if first < last else 0
    assert depth.max() < 150
