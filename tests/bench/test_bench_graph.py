"""What the benchmarks on a graph draw, check, grow and add up."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.conditions import live_routes, rain_cells
from bench.growing.grown import cut, mosaic
from bench.growing.growth import PIECES, Size, estimates, exponent, sizes_of
from bench.peers.round_trips import summed_up
from bench.peers.routing import choose_routing_peers
from bench.rig.dijkstra import least_impedances
from bench.rig.draws import (
    Pairs,
    edges_of_largest_component,
    random_closures,
    random_pairs,
    random_stretches,
    random_tastes,
)
from bench.rig.exactness import agrees, count_mismatches, walked_impedance
from bench.rig.memory import array_bytes
from bench.rig.timing import Samples, percentile
from bench.route import Searcher, deviation, peer_figures
from geo.errors import BadInput
from geo.graph import Graph
from geo.osm.importer import import_osm
from geo.routing.costs import static_costs, with_closed
from geo.routing.metric import customized, make_metric
from geo.routing.search import Path, Place, SearchSpace, shortest_path
from tests.geo.naive_search import naive_cost, random_costs, random_graph, random_place

ALTONA = File(__file__).parents[2] / "data" / "osm" / "altona" / "altona.osm.pbf"


@pytest.fixture(scope="module")
def altona() -> Graph:
    return import_osm([ALTONA])


def pairs_of(places: list[tuple[Place, Place]]) -> Pairs:
    return Pairs(
        np.array([start.edge for start, _ in places], np.int32),
        np.array([start.fraction for start, _ in places]),
        np.array([end.edge for _, end in places], np.int32),
        np.array([end.fraction for _, end in places]),
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_oracle_finds_what_a_plain_search_finds(seed: int) -> None:
    graph = random_graph(seed)
    metric = make_metric(graph, random_costs(graph, seed), {})
    rng = np.random.default_rng(seed)
    places = [(random_place(graph, rng), random_place(graph, rng)) for _ in range(10)]
    least = least_impedances(graph, metric.impedance, pairs_of(places))
    for (start, end), cost in zip(places, least.tolist(), strict=True):
        assert cost == pytest.approx(naive_cost(graph, metric, start, end), abs=1e-9)


def test_pairs_lie_in_the_largest_component_and_come_again_with_the_seed(altona: Graph) -> None:
    split = replace(altona, component=np.where(np.arange(altona.edge_count) < 300, 1, 0).astype(np.int32))
    pairs = random_pairs(split, 500, 7)
    assert min(pairs.start_edge.min(), pairs.end_edge.min()) >= 300
    assert list(pairs) == list(random_pairs(split, 500, 7))
    assert list(pairs) != list(random_pairs(split, 500, 8))
    assert list(pairs.part(20, 30)) == list(pairs)[20:30]
    with pytest.raises(BadInput, match="pairs is 0"):
        random_pairs(altona, 0, 1)


def test_closures_take_whole_stretches(altona: Graph) -> None:
    closed = random_closures(altona, 0.01, 3)
    assert len(closed) == pytest.approx(0.01 * altona.edge_count, abs=2)
    back = altona.reverse[closed]
    assert set(back[back >= 0].tolist()) <= set(closed.tolist())
    drawn = np.concatenate(random_stretches(altona, altona.edge_count, 3))
    assert sorted(drawn.tolist()) == edges_of_largest_component(altona).tolist()


def test_tastes_are_spread_over_all_factors() -> None:
    weights = np.array([list(taste.values()) for taste in random_tastes(200, 5)])
    assert weights.min() >= -0.3
    assert weights.max() <= 1.0
    np.testing.assert_allclose(weights.mean(axis=0), 0.35, atol=0.12)


def test_searches_are_exact_on_a_city_with_closures(altona: Graph) -> None:
    costs = with_closed(altona, static_costs(altona), 1, random_closures(altona, 0.05, 1), True)
    metric = make_metric(altona, costs, random_tastes(1, 1)[0])
    searcher = Searcher(altona, costs)
    pairs = random_pairs(altona, 300, 2)
    answers = [
        lambda some: searcher.paths(customized(altona, metric), some),
        lambda some: searcher.paths_one_by_one(metric, some),
    ]
    assert count_mismatches(altona, metric.impedance, pairs, answers) == 0
    some = [path is None for path in searcher.paths_one_by_one(metric, pairs)]
    assert any(some), "no pair was cut off, so that was not tried"
    assert not all(some)


def test_a_search_on_another_metric_is_found_out(altona: Graph) -> None:
    searcher = Searcher(altona, static_costs(altona))
    metric = customized(altona, make_metric(altona, searcher.costs, {"noise": 3.0}))
    other = make_metric(altona, searcher.costs, {"noise": 0.0})
    pairs = random_pairs(altona, 100, 2)
    wrong = count_mismatches(altona, other.impedance, pairs, [lambda some: searcher.paths(metric, some)])
    assert wrong > 90


WRONG: dict[str, Callable[[Path], Path | None]] = {
    "no way": lambda path: None,
    "cost": lambda path: replace(path, impedance=path.impedance * (1 + 3e-6)),
    "a hole": lambda path: replace(path, edges=np.delete(path.edges, len(path.edges) // 2)),
    "start": lambda path: replace(path, start_fraction=path.start_fraction / 2),
    "end": lambda path: replace(path, edges=path.edges[:-1]),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_answer_is_found_out(altona: Graph, kind: str) -> None:
    metric = make_metric(altona, static_costs(altona), {})
    start, end = Place(10, 0.25), Place(altona.edge_count - 50, 0.5)
    path = shortest_path(altona, metric, start, end, SearchSpace(altona))
    assert len(path.edges) > 5
    assert agrees(altona, metric.impedance, path, path.impedance, start, end)
    assert not agrees(altona, metric.impedance, WRONG[kind](path), path.impedance, start, end)
    assert not agrees(altona, metric.impedance, path, math.inf, start, end)


def test_who_stands_amid_a_closed_edge_pays_its_duration(altona: Graph) -> None:
    values = make_metric(altona, static_costs(altona), {}).impedance.copy()
    values[7] = np.inf
    path = Path(np.array([7], np.int32), 0.5, 1.0, 0.0, 0.0, 0.0)
    assert walked_impedance(altona, values, path) == pytest.approx(0.5 * float(altona.duration_s[7]))
    assert walked_impedance(altona, values, replace(path, start_fraction=0.0)) == math.inf


def test_rain_falls_on_edges_that_lie_together(altona: Graph) -> None:
    cells = rain_cells(altona, 20, 100, 1)
    assert {len(np.unique(cell)) for cell in cells} == {100}
    tail = altona.tail[cells[0]]
    assert np.ptp(altona.node_lat[tail]) < 0.5 * np.ptp(altona.node_lat)


def test_live_routes_have_the_edges_that_are_told(altona: Graph) -> None:
    routes = live_routes(altona, static_costs(altona), 1)
    assert np.all(np.diff(routes.first) == 100)
    assert len(routes.edges) == routes.first[-1] == 1_000_000


def test_a_piece_is_a_graph_whose_ways_are_those_of_the_whole(altona: Graph) -> None:
    piece = cut(altona, 0.3)
    assert 0.15 * altona.node_count < piece.node_count <= 0.31 * altona.node_count
    _check_topology(piece)
    assert set(piece.way.tolist()) <= set(altona.way.tolist())
    searcher = Searcher(piece, static_costs(piece))
    metric = customized(piece, make_metric(piece, searcher.costs, {}))
    assert None not in searcher.paths(metric, random_pairs(piece, 200, 1)), "it hangs together"


def test_a_mosaic_is_copies_that_streets_join(altona: Graph) -> None:
    whole = mosaic(altona, 2)
    assert whole.node_count == 4 * altona.node_count
    assert 4 * altona.edge_count < whole.edge_count < 4.2 * altona.edge_count
    _check_topology(whole)
    searcher = Searcher(whole, static_costs(whole))
    metric = customized(whole, make_metric(whole, searcher.costs, {}))
    paths = searcher.paths(metric, random_pairs(whole, 200, 1))
    assert None not in paths
    copies = [
        len(set((whole.tail[path.edges] // altona.node_count).tolist())) for path in paths if path is not None
    ]
    assert max(copies) >= 3, "nobody walks from one copy to another"


def _check_topology(graph: Graph) -> None:
    assert np.all(np.diff(graph.tail) >= 0)
    np.testing.assert_array_equal(
        np.repeat(np.arange(graph.node_count), np.diff(graph.first_out)), graph.tail
    )
    forth = np.flatnonzero(graph.reverse >= 0)
    np.testing.assert_array_equal(graph.reverse[graph.reverse[forth]], forth)
    np.testing.assert_array_equal(graph.head[graph.reverse[forth]], graph.tail[forth])
    np.testing.assert_array_equal(graph.length_m[graph.reverse[forth]], graph.length_m[forth])


def test_sizes_grow(altona: Graph) -> None:
    nodes = [graph.node_count for _, graph in sizes_of("altona", altona, 2)]
    assert nodes == sorted(set(nodes))
    assert len(nodes) == len(PIECES) + 2


def test_an_exponent_is_that_of_the_power_that_the_values_follow() -> None:
    sizes = [Size(str(n), n, 3 * n, {"order_s": 1e-6 * n**1.2}) for n in (1_000, 5_000, 40_000)]
    power = exponent(sizes, "order_s")
    assert power == pytest.approx(1.2)
    values = dict.fromkeys(
        ("arcs", "triangles", "customize_ms", "closure_ms", "query_us", "hierarchy_bytes", "metric_bytes"),
        2.0,
    )
    largest = replace(sizes[-1], values={"order_s": 4.0, **values})
    figures = estimates(largest, {"order_s": 1.2, **dict.fromkeys(values, 1.0)}, "country", 400_000)
    assert ("country_order_s", pytest.approx(4.0 * 10**1.2), "s") in figures
    assert ("country_arcs", pytest.approx(20.0), "1") in figures


def test_bytes_of_a_shared_array_count_once() -> None:
    shared, own = np.zeros(10, np.int32), np.zeros(5)
    assert array_bytes((shared, (own, shared), 3, "x")) == 80


def test_samples_tell_the_core_from_the_clock() -> None:
    samples = Samples([0.1, 0.3, 0.2], [0.2, 0.6, 0.4])
    assert (samples.median_s, samples.p99_s, samples.core_share) == (0.2, 0.3, 0.5)
    assert samples.measure(lambda: 5) == 5
    assert len(samples.cpu_s) == len(samples.wall_s) == 4
    assert [percentile([3.0, 1.0, 2.0, 4.0], percent) for percent in (0.0, 50.0, 75.0, 76.0)] == [1, 2, 3, 4]


def test_a_peer_that_finds_other_costs_is_found_out(altona: Graph) -> None:
    metric = make_metric(altona, static_costs(altona), {})
    pairs = random_pairs(altona, 50, 1)
    between = Pairs(pairs.start_edge, np.ones(50), pairs.end_edge, np.zeros(50))
    costs = least_impedances(altona, metric.impedance, between).tolist()
    assert deviation(altona, metric.impedance, pairs, costs) < 1e-12
    costs[3] *= 1.01
    assert deviation(altona, metric.impedance, pairs, costs) == pytest.approx(0.01)
    assert deviation(altona, metric.impedance, pairs, [*costs[:-1], None]) == math.inf


def test_peers_are_chosen_by_name_and_need() -> None:
    assert choose_routing_peers([], ("igraph",), False) == ()
    with pytest.raises(BadInput, match=r"'osrm' is unknown: choose from igraph, or none"):
        choose_routing_peers(["osrm"], ("igraph",), False)
    with pytest.raises(BadInput, match=r"valhalla makes a graph of its own: name the OSM extract"):
        choose_routing_peers(["valhalla"], ("igraph", "valhalla"), False)
    assert [peer.name for peer in choose_routing_peers(["igraph"], ("igraph",), False)] == ["igraph"]
    measured = {"queries_per_s": 7.0}
    assert peer_figures({"ch": measured, "flexible": measured}) == [
        ("-ch", "archetype_queries_per_s", 7.0),
        ("-flexible", "personal_queries_per_s", 7.0),
    ]


def test_round_trips_are_summed_up() -> None:
    of_starts = [
        [[2_040.0, 0.1, 5.0], [2_000.0, 0.0, 5.0], [1_000.0, 0.5, 5.0]],
        [[1_000.0, 0.3, 9.0], None, [1_900.0, 0.0, 9.0]],
        [None, None, None],
    ]
    trips = summed_up(2_000.0, of_starts)
    assert trips.failure_share == pytest.approx(1 / 3)
    assert trips.within_5pct_share == pytest.approx(1 / 3)
    assert trips.length_error_median == pytest.approx((0.02 + 0.5) / 2)
    assert trips.best_of_five_error_median == pytest.approx((0.0 + 0.05) / 2)
    assert trips.walked_twice_median == pytest.approx(0.2)
    assert trips.three_loops_p99_ms == pytest.approx(15.0)
