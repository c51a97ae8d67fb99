"""Loops by way of places that are wanted."""

import numpy as np
import pytest

from geo.errors import BadInput
from geo.loops.through import MOST_PLACES, loops_through
from geo.routing.costs import static_costs
from geo.routing.metric import customized, make_metric
from geo.routing.paths import walked_twice_m
from geo.routing.search import Place, SearchSpace, impedances_from
from tests.geo.naive_search import assert_walkable, random_place


@pytest.fixture(scope="module")
def city(copenhagen):
    metric = customized(copenhagen, make_metric(copenhagen, static_costs(copenhagen), {}))
    return copenhagen, metric, SearchSpace(copenhagen)


def near(graph, metric, space, start, rng, count, within=1200.0):
    """Places on stretches that can be walked to and back within so much impedance."""
    there = impedances_from(graph, metric, start, space)
    close = np.flatnonzero((there[graph.tail] < within) & (graph.length_m > 20.0))
    return [Place(int(edge), float(rng.random())) for edge in rng.choice(close, count, replace=False)]


def passes(graph, path, place):
    """Whether the path has a junction at one of the ends of the place's stretch."""
    nodes = set(graph.head[path.edges].tolist()) | set(graph.tail[path.edges].tolist())
    nearer = graph.tail[place.edge] if place.fraction < 0.5 else graph.head[place.edge]
    return int(nearer) in nodes


@pytest.mark.parametrize("seed", range(12))
def test_loops_pass_every_place_and_have_the_wanted_length(city, seed):
    graph, metric, space = city
    rng = np.random.default_rng(seed)
    start = random_place(graph, rng)
    places = near(graph, metric, space, start, rng, 1 + seed % 3)
    found = loops_through(graph, metric, start, places, space, length_m=6000.0, seed=seed)
    assert found
    for path in found:
        assert_walkable(graph, path, start, start)
        assert all(passes(graph, path, place) for place in places)
        assert path.length_m == pytest.approx(6000.0, rel=0.05)
        assert walked_twice_m(graph, path) < 0.35 * path.length_m
    timed = loops_through(graph, metric, start, places, space, duration_s=5000.0, count=1)[0]
    assert timed.duration_s == pytest.approx(5000.0, rel=0.05)
    assert all(passes(graph, timed, place) for place in places)


def test_a_round_that_is_longer_than_wanted_is_the_only_one(city):
    graph, metric, space = city
    rng = np.random.default_rng(3)
    start = random_place(graph, rng)
    places = near(graph, metric, space, start, rng, 4)
    found = loops_through(graph, metric, start, places, space, length_m=200.0)
    assert len(found) == 1
    assert all(passes(graph, found[0], place) for place in places)
    assert found[0].length_m > 200.0


def test_the_order_of_the_places_does_not_matter(city):
    graph, metric, space = city
    rng = np.random.default_rng(5)
    start = random_place(graph, rng)
    places = near(graph, metric, space, start, rng, 3)
    one, other = (
        loops_through(graph, metric, start, order, space, length_m=200.0)[0].impedance
        for order in (places, places[::-1])
    )
    assert one == pytest.approx(other, rel=1e-6)


def test_bad_questions_are_refused(city):
    graph, metric, space = city
    start = Place(0, 0.5)
    for places in ([], [start] * (MOST_PLACES + 1)):
        with pytest.raises(BadInput, match="1 to 6 places"):
            loops_through(graph, metric, start, places, space, length_m=2000.0)
    with pytest.raises(BadInput, match="either length_m or duration_s"):
        loops_through(graph, metric, start, [start], space)
    with pytest.raises(BadInput, match="not on this graph"):
        loops_through(graph, metric, start, [Place(-1, 0.0)], space, length_m=2000.0)
