"""Searches and loops on real streets: the bundled extracts of Altona and Copenhagen."""

from pathlib import Path

import numpy as np
import pytest

from geo.loops.loops import loops
from geo.osm.importer import import_osm
from geo.routing.costs import static_costs
from geo.routing.metric import make_metric
from geo.routing.paths import walked_twice_m
from geo.routing.search import Place, SearchSpace, path_coordinates, shortest_path
from tests.geo.naive_search import assert_walkable, naive_cost

OSM = Path(__file__).parents[2] / "data" / "osm"


def city(name):
    graph = import_osm(sorted((OSM / name).glob("*.osm.pbf")))
    return graph, make_metric(graph, static_costs(graph), {}), SearchSpace(graph)


def somewhere(graph, rng):
    return Place(int(rng.integers(graph.edge_count)), float(rng.random()))


def test_altona_equals_dijkstra():
    graph, metric, space = city("altona")
    rng = np.random.default_rng(0)
    for _ in range(300):
        start, end = somewhere(graph, rng), somewhere(graph, rng)
        path = shortest_path(graph, metric, start, end, space)
        assert path.impedance == pytest.approx(naive_cost(graph, metric, start, end), rel=1e-9)
        assert_walkable(graph, path, start, end)


def test_copenhagen_has_loops_of_the_wanted_length():
    graph, metric, space = city("copenhagen")
    rng = np.random.default_rng(0)
    errors, repeated = [], []
    for _ in range(40):
        start, wanted = somewhere(graph, rng), float(rng.uniform(2000, 6000))
        loop = loops(graph, metric, start, space, length_m=wanted)[0]
        assert_walkable(graph, loop, start, start)
        lat, lon = path_coordinates(graph, loop)
        assert (lat[0], lon[0]) == pytest.approx((lat[-1], lon[-1]), abs=1e-9)
        errors.append(abs(loop.length_m / wanted - 1))
        repeated.append(walked_twice_m(graph, loop) / loop.length_m)
    assert np.mean(np.array(errors) <= 0.05) >= 0.95
    assert np.median(repeated) <= 0.06
