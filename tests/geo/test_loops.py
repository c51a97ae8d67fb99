"""Loops: as long as wanted, back at the start, hardly repeating themselves, different, repeatable."""

from dataclasses import replace

import numpy as np
import pytest

from geo.errors import BadInput, NoRoute
from geo.loops.loops import loop_remainder, loops
from geo.routing.costs import FACTOR_NAMES, static_costs
from geo.routing.metric import Metric, make_metric
from geo.routing.paths import both_ways, shared_m, stretches, walked_twice_m
from geo.routing.search import Place, SearchSpace, shortest_path
from tests.geo.asciimap import graph_from_ascii
from tests.geo.naive_city import lattice_city
from tests.geo.naive_search import assert_walkable

CITY = lattice_city(2)
METRIC = make_metric(CITY, static_costs(CITY), {})
SPACE = SearchSpace(CITY)


def inner_place(rng):
    """Somewhere that is neither in a dead end nor at the city's very border."""
    while True:
        edge = int(rng.integers(CITY.edge_count))
        row, column = divmod(int(CITY.tail[edge]), 40)
        if SPACE.core[CITY.tail[edge]] and SPACE.core[CITY.head[edge]] and min(row, column, 39 - row) > 5:
            return Place(edge, float(rng.random()))


def test_loops_have_the_wanted_length_and_hardly_repeat():
    rng, errors, repeated = np.random.default_rng(1), [], []
    for _ in range(20):
        start, wanted = inner_place(rng), float(rng.uniform(1500, 5000))
        for loop in loops(CITY, METRIC, start, SPACE, length_m=wanted):
            assert_walkable(CITY, loop, start, start)
            errors.append(abs(loop.length_m / wanted - 1))
            repeated.append(walked_twice_m(CITY, loop) / loop.length_m)
    assert np.mean(np.array(errors) <= 0.05) >= 0.95
    assert np.median(repeated) <= 0.06


def test_loops_of_a_wanted_duration():
    rng = np.random.default_rng(2)
    for _ in range(8):
        loop = loops(CITY, METRIC, inner_place(rng), SPACE, duration_s=1800.0)[0]
        assert loop.duration_s == pytest.approx(1800.0, rel=0.05)


def test_loops_do_not_depend_on_what_was_searched_for_before():
    """What cannot be reached now may have been reached by an earlier search in the same memory."""
    rng, used = np.random.default_rng(9), SearchSpace(CITY)
    row = CITY.tail // 40
    parted = Metric(
        np.where((row == 20) | (CITY.head // 40 == 20), np.inf, METRIC.impedance).astype(np.float32)
    )
    for _ in range(8):
        start, other = inner_place(rng), inner_place(rng)
        loops(CITY, METRIC, other, used, length_m=4000.0)
        answers = []
        for space in (used, SearchSpace(CITY)):
            try:
                found = loops(CITY, parted, start, space, length_m=3000.0)
            except NoRoute:
                found = []
            answers.append([path.edges.tolist() for path in found])
        assert answers[0] == answers[1]


def test_loops_offered_together_differ():
    rng, numbers = np.random.default_rng(3), []
    for _ in range(8):
        found = loops(CITY, METRIC, inner_place(rng), SPACE, length_m=3000.0)
        numbers.append(len(found))
        for i, loop in enumerate(found):
            for other in found[:i]:
                assert shared_m(CITY, loop, other) <= 0.6 * loop.length_m + 1e-3
    assert np.mean(numbers) > 2.5


def test_same_arguments_give_the_same_loops_and_another_seed_others():
    start = inner_place(np.random.default_rng(4))
    first = loops(CITY, METRIC, start, SPACE, length_m=3000.0)
    shortest_path(CITY, METRIC, Place(0, 0.0), Place(99, 0.0), SPACE)  # whatever was searched in between
    again = loops(CITY, METRIC, start, SearchSpace(CITY), length_m=3000.0)
    assert [loop.edges.tolist() for loop in first] == [loop.edges.tolist() for loop in again]
    other = loops(CITY, METRIC, start, SPACE, length_m=3000.0, seed=1)
    assert [loop.edges.tolist() for loop in other] != [loop.edges.tolist() for loop in first]


def test_way_home_has_the_wanted_length_left():
    rng = np.random.default_rng(5)
    for _ in range(12):
        place, home = inner_place(rng), inner_place(rng)
        direct = shortest_path(CITY, METRIC, place, home, SPACE)
        wanted = direct.length_m * float(rng.uniform(1.3, 2.0)) + 500
        path = loop_remainder(CITY, METRIC, place, home, SPACE, length_m=wanted)[0]
        assert_walkable(CITY, path, place, home)
        assert path.length_m == pytest.approx(wanted, rel=0.05)


def test_way_home_that_is_too_long_already_is_the_best_one():
    rng = np.random.default_rng(6)
    place, home = inner_place(rng), inner_place(rng)
    direct = shortest_path(CITY, METRIC, place, home, SPACE)
    (only,) = loop_remainder(CITY, METRIC, place, home, SPACE, length_m=direct.length_m / 2)
    assert only.edges.tolist() == direct.edges.tolist()


def test_avoided_ground_is_avoided_where_it_can_be():
    start = inner_place(np.random.default_rng(7))
    first = loops(CITY, METRIC, start, SPACE, length_m=3000.0)[0]
    second = loops(CITY, METRIC, start, SPACE, length_m=3000.0, avoid_edges=first.edges)[0]
    assert shared_m(CITY, second, first) < 0.3 * second.length_m
    assert second.length_m == pytest.approx(3000.0, rel=0.05)


def test_closed_stretches_are_in_no_loop():
    rng = np.random.default_rng(8)
    closed = np.zeros(CITY.edge_count, bool)
    closed[both_ways(CITY, rng.integers(0, CITY.edge_count, 300).astype(np.int32))] = True
    metric = make_metric(CITY, replace(static_costs(CITY), closed=closed), {})
    for _ in range(6):
        start = inner_place(rng)
        if closed[start.edge]:
            continue
        for loop in loops(CITY, metric, start, SPACE, length_m=2500.0):
            assert not closed[loop.edges].any()


def test_turning_round_must_be_worth_it():
    place, home = (inner_place(np.random.default_rng(seed)) for seed in (9, 10))
    options = {"length_m": 4000.0, "turn_penalty": 1e6}
    path = loop_remainder(CITY, METRIC, place, home, SPACE, **options)[0]
    assert path.edges[0] == place.edge
    back = Place(int(CITY.reverse[place.edge]), 1 - place.fraction)
    path = loop_remainder(CITY, METRIC, back, home, SPACE, **options)[0]
    assert path.edges[0] == back.edge


def test_no_loop_in_a_dead_end_street():
    graph, _ = graph_from_ascii("A----B----C")
    metric = make_metric(graph, static_costs(graph), {})
    with pytest.raises(NoRoute, match="no loop of 500 m"):
        loops(graph, metric, Place(0, 0.5), SearchSpace(graph), length_m=500.0)


@pytest.mark.parametrize(
    "amount", [{}, {"length_m": 1.0, "duration_s": 1.0}, {"length_m": 0.0}, {"duration_s": float("nan")}]
)
def test_bad_amounts_are_refused(amount):
    with pytest.raises(BadInput):
        loops(CITY, METRIC, Place(0, 0.0), SPACE, **amount)


def test_way_home_that_is_too_pleasant_is_shortened_to_what_is_left():
    rng, shortened = np.random.default_rng(11), 0
    metres = Metric(np.array(CITY.length_m))
    felt = rng.uniform(1.0, 8.0, CITY.edge_count)[stretches(CITY, np.arange(CITY.edge_count))]
    fussy = Metric((CITY.duration_s * felt).astype(np.float32))
    for _ in range(30):
        place, home = inner_place(rng), inner_place(rng)
        direct = shortest_path(CITY, fussy, place, home, SPACE)
        shortest = shortest_path(CITY, metres, place, home, SPACE)
        if shortest.length_m < 0.85 * direct.length_m:
            wanted = 0.9 * direct.length_m
            (path,) = loop_remainder(CITY, fussy, place, home, SPACE, length_m=wanted)
            assert_walkable(CITY, path, place, home)
            assert shortest.length_m <= path.length_m <= 1.05 * wanted
            assert path.impedance >= direct.impedance - 1e-6
            shortened += 1
    assert shortened > 2


def test_any_taste_and_either_amount_give_loops():
    rng = np.random.default_rng(12)
    for _ in range(8):
        taste = dict(zip(FACTOR_NAMES, rng.uniform(-0.5, 2.0, len(FACTOR_NAMES)).tolist(), strict=True))
        metric, start = make_metric(CITY, static_costs(CITY), taste), inner_place(rng)
        for loop in loops(CITY, metric, start, SPACE, duration_s=2400.0):
            assert_walkable(CITY, loop, start, start)
            assert loop.duration_s == pytest.approx(2400.0, rel=0.05)
            assert walked_twice_m(CITY, loop) <= 0.2 * loop.length_m
