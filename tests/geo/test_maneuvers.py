"""Maneuvers: what a walker is told of on drawn maps, and what must hold of any path."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geo.guidance.junctions import special_classes, turn_deg
from geo.guidance.maneuvers import leg_of, modifier_of
from geo.guidance.path_line import LOOK_M, path_line, simplified
from geo.osm.foot_access import ROAD_CLASSES
from geo.routing.search import path_coordinates
from tests.geo.asciimap import graph_from_ascii
from tests.geo.naive_city import lattice_city
from tests.geo.walked import path_over, walk, wander

CITY = lattice_city(seed=4, side=20)


def street(name, **tags):
    return {"highway": "residential", "name": name, **tags}


def told(map, places, *, tags=None, start=0.0, end=1.0, destination=None, **drawing):
    """What is told on the way over `places`: (type, modifier, street) between depart and arrive."""
    graph, at = graph_from_ascii(map, tags=tags, **drawing)
    leg = leg_of(graph, walk(graph, at, places, start, end), destination)
    steps = leg.steps
    assert steps[0].maneuver == "depart"
    assert steps[-1].maneuver == "arrive"
    return [(s.maneuver, s.modifier, graph.names[s.name] if s.name >= 0 else "") for s in steps[1:-1]]


CROSSROADS = """
              N
              |
              |
    W---------X---------E
              |
              |
              S
"""
BOTH = {"WXE": street("Long Street"), "NXS": street("Cross Street")}


def test_a_junction_that_is_walked_over_straight_is_not_told():
    assert told(CROSSROADS, "WXE", tags=BOTH) == []


@pytest.mark.parametrize(
    ("places", "modifier"), [("WXN", "left"), ("WXS", "right"), ("EXN", "right"), ("NXW", "right")]
)
def test_a_turn_into_another_street(places, modifier):
    name = "Cross Street" if places[-1] in "NS" else "Long Street"
    assert told(CROSSROADS, places, tags=BOTH) == [("turn", modifier, name)]


def test_bearings_are_those_of_the_way_here_and_the_way_on():
    graph, at = graph_from_ascii(CROSSROADS, tags=BOTH)
    depart, turn, arrive = leg_of(graph, walk(graph, at, "WXN")).steps
    assert (depart.bearing_before, depart.bearing_after) == (0, 90)
    assert (turn.bearing_before, turn.bearing_after) == (90, 0)
    assert (arrive.bearing_before, arrive.bearing_after) == (0, 0)
    assert depart.length_m == pytest.approx(100.0, rel=1e-3)
    assert turn.length_m == pytest.approx(30.0, rel=1e-3)


def test_a_bend_without_a_choice_is_not_told():
    map = """
        A---------B
                  |
                  |
                  C
    """
    assert told(map, "ABC", tags={"ABC": street("Bent Street")}) == []
    assert told(map, "ABC") == []


def test_who_turns_with_the_street_is_told_to_stay_on_it_where_another_leads_on():
    map = """
        A---------B---------D
                  |
                  |
                  C
    """
    tags = {"ABC": street("Bent Street"), "BD": street("Other Street")}
    assert told(map, "ABC", tags=tags) == [("continue", "right", "Bent Street")]


def test_where_the_way_ends_at_another_one():
    map = """
                  C
                  |
                  |
        A---------B
                  |
                  |
                  D
    """
    tags = {"AB": street("Stem"), "CBD": street("Bar")}
    assert told(map, "ABC", tags=tags) == [("end of road", "left", "Bar")]
    assert told(map, "ABD", tags=tags) == [("end of road", "right", "Bar")]
    assert told(map, "ABD") == [("end of road", "right", "")]


def test_a_fork_tells_the_side():
    map = """
                               C
        A---------B
                               D
    """
    footway = {"highway": "footway"}
    tags = {"BC": footway, "BD": footway}
    assert told(map, "ABC", tags=tags) == [("fork", "slight left", "")]
    assert told(map, "ABD", tags=tags) == [("fork", "slight right", "")]
    # a street is gone on along, whatever path leaves it at a small angle
    tags = {"ABC": street("Main"), "BD": footway}
    assert told(map, "ABC", tags=tags) == []


def test_the_middle_one_of_three_ways_leads_straight_on():
    map = """
                               C
        A---------B------------D
                               E
    """
    tags = {"BC": {"highway": "footway"}, "BE": {"highway": "footway"}}
    assert told(map, "ABD", tags=tags, metres_per_char=8.0) == [("fork", "straight", "")]


def test_lines_across_a_square_are_not_told_of_one_by_one():
    map = """
                               C---------E
        A---------B
                               D
    """
    square = {"highway": "pedestrian", "name": "Market"}
    tags = {"AB": square, "BC": square, "BD": square, "CE": square, "*": {"highway": "footway"}}
    assert told(map, "ABCE", tags=tags) == []
    # where the ways are no square, one must be told which to take
    footways = {way: {"highway": "footway", "name": "Market"} for way in ("AB", "BC", "BD", "CE")}
    assert told(map, "ABCE", tags=footways) == [("fork", "slight left", "Market")]


def test_a_street_that_changes_its_name():
    map = "A---------B---------C---D"
    tags = {"AB": street("First"), "BC": street("Second"), "CD": street("Second")}
    assert told(map, "ABCD", tags=tags) == [("new name", "straight", "Second")]
    tags = {"AB": street("First"), "BC": street("First"), "CD": street("First")}
    assert told(map, "ABCD", tags=tags) == []


def test_a_short_nameless_bit_belongs_to_the_street():
    map = "A---------B--C---------D"
    tags = {"AB": street("Main"), "BC": {"highway": "footway"}, "CD": street("Main")}
    assert told(map, "ABCD", tags=tags) == []


PAVEMENTS = """
    A---------B-C---------D
              | |
              | |
    E---------F-G---------H
              | |
              I J
"""


def test_a_crossing_and_the_turn_behind_it_are_one_maneuver():
    tags = {"FG": {"highway": "footway", "footway": "crossing"}, "*": {"highway": "footway"}}
    # 20 m are a crossing and more; at 5 m a character it is 10 m
    assert told(PAVEMENTS, "EFGC", tags=tags, metres_per_char=5.0) == [("turn", "left", "")]
    assert told(PAVEMENTS, "EFGJ", tags=tags, metres_per_char=5.0) == [("turn", "right", "")]


def test_a_crossing_that_is_met_straight_is_not_told():
    tags = {"FG": {"highway": "footway", "footway": "crossing"}, "*": {"highway": "footway"}}
    assert told(PAVEMENTS, "EFGH", tags=tags, metres_per_char=5.0) == []


def test_a_step_to_the_other_side_and_on_is_not_told():
    map = """
        A-----------B
                    C-----------D
        E-----------F-----------G
    """
    tags = {"AB": street("Main"), "BC": {"highway": "footway"}, "CD": street("Main")}
    assert told(map, "ABCD", tags=tags, metres_per_char=8.0) == []


def test_stairs_are_told_of_and_a_few_steps_are_not():
    map = "A---------B----C---------D"
    stairs = {"BC": {"highway": "steps"}}
    graph, at = graph_from_ascii(map, tags=stairs)
    steps = leg_of(graph, walk(graph, at, "ABCD")).steps
    assert [ROAD_CLASSES[s.road_class] for s in steps] == ["footway", "steps", "footway"]
    assert (steps[1].maneuver, steps[1].modifier) == ("continue", "straight")
    assert told(map, "ABCD", tags=stairs, metres_per_char=0.7) == []


def test_flights_with_a_landing_between_them_are_one():
    tags = {"BC": {"highway": "steps"}, "DE": {"highway": "steps"}}
    stairs = ("continue", "straight", "")
    near, far = "A---------B--C-D--E---------F", "A---------B--C------D--E---------F"
    assert told(near, "ABCDEF", tags=tags, metres_per_char=6.0) == [stairs]
    assert told(far, "ABCDEF", tags=tags, metres_per_char=6.0) == [stairs, stairs]


def test_what_is_special_about_a_way():
    way = {name: code for code, name in enumerate(ROAD_CLASSES)}
    walked = ["footway", "steps", "footway", "steps", "escalator", "footway", "steps", "footway", "ferry"]
    length_m = [50.0, 9.0, 8.0, 5.0, 6.0, 8.0, 3.0, 5.0, 90.0]
    found = special_classes([way[name] for name in walked], length_m)
    steps, escalator, ferry = way["steps"], way["escalator"], way["ferry"]
    # three metres of steps are none; a landing has the same on both sides
    assert found == [-1, steps, steps, steps, escalator, -1, -1, -1, ferry]


def test_stairs_are_told_of_however_near_the_turns_around_them_are():
    map = """
        A---------B---------G
                  |
                  C
        H---------D---------E
    """
    tags = {"CD": {"highway": "steps"}, "*": {"highway": "footway"}}
    graph, at = graph_from_ascii(map, tags=tags, metres_per_char=7.0)
    found = leg_of(graph, walk(graph, at, "ABCDE")).steps[1:-1]
    assert [(s.modifier, ROAD_CLASSES[s.road_class]) for s in found] == [
        ("right", "steps"),
        ("left", "footway"),
    ]


def test_a_ferry_is_boarded_and_left():
    map = "A---------B--------------C---------D"
    tags = {"BC": {"route": "ferry", "foot": "yes", "name": "Harbour Bus"}, "CD": street("Quay")}
    assert told(map, "ABCD", tags=tags) == [
        ("notification", "straight", "Harbour Bus"),
        ("notification", "straight", "Quay"),
    ]


def test_turning_round():
    map = "A---------B---------C"
    assert told(map, "ABCB", tags={"ABC": street("Main")}) == [("continue", "uturn", "Main")]


def test_a_turn_right_at_the_start_belongs_to_the_departure():
    graph, at = graph_from_ascii(CROSSROADS, tags=BOTH)
    depart, arrive = leg_of(graph, walk(graph, at, "WXN", start=0.95)).steps
    assert depart.bearing_after == 0
    assert graph.names[depart.name] == "Cross Street"
    assert depart.length_m == pytest.approx(35.0, rel=1e-3)
    assert arrive.maneuver == "arrive"


@pytest.mark.parametrize(("north_m", "modifier"), [(10.0, "left"), (-10.0, "right"), (0.0, ""), (2.0, "")])
def test_the_side_of_the_destination(north_m, modifier):
    graph, at = graph_from_ascii(CROSSROADS, tags=BOTH)
    lat, lon = float(graph.node_lat[at["E"]]), float(graph.node_lon[at["E"]])
    goal = (lat + north_m / 111_195.0, lon)
    assert leg_of(graph, walk(graph, at, "WXE"), goal).steps[-1].modifier == modifier


def test_a_path_of_no_length_departs_and_arrives():
    graph, at = graph_from_ascii(CROSSROADS, tags=BOTH)
    leg = leg_of(graph, walk(graph, at, "WX", start=0.5, end=0.5))
    assert [s.maneuver for s in leg.steps] == ["depart", "arrive"]
    assert leg.steps[0].length_m == 0.0


def test_a_mirrored_city_has_mirrored_turns():
    """Turning the map over swaps left and right and nothing else."""
    rng = np.random.default_rng(0)
    mirrored = _mirrored(CITY)
    swap = {"left": "right", "right": "left"}
    for _ in range(100):
        path = wander(CITY, rng, 30)
        ours, theirs = leg_of(CITY, path), leg_of(mirrored, path)
        for a, b in zip(ours.steps, theirs.steps, strict=True):
            words = [swap.get(word, word) for word in a.modifier.split()]
            assert (b.maneuver, b.modifier) == (a.maneuver, " ".join(words))
            assert (b.first_edge, b.last_edge) == (a.first_edge, a.last_edge)


def _mirrored(graph):
    from dataclasses import replace

    middle = 2 * float(graph.node_lon.mean())
    return replace(graph, node_lon=middle - graph.node_lon, shape_lon=middle - graph.shape_lon)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 60))
def test_steps_cover_the_path_in_order(seed, count):
    path = wander(CITY, np.random.default_rng(seed), count)
    leg = leg_of(CITY, path)
    steps = leg.steps
    assert [s.maneuver == "depart" for s in steps] == [True] + [False] * (len(steps) - 1)
    assert [s.maneuver == "arrive" for s in steps] == [False] * (len(steps) - 1) + [True]
    assert steps[0].first_edge == 0
    assert steps[-1].first_edge == steps[-1].last_edge == len(path.edges)
    for a, b in itertools.pairwise(steps):
        assert a.last_edge == b.first_edge
    assert sum(s.length_m for s in steps) == pytest.approx(path.length_m, abs=1e-3)
    assert sum(s.duration_s for s in steps) == pytest.approx(path.duration_s, abs=1e-3)
    for step in steps[1:-1]:
        assert step.length_m > 0.0
        assert 0 <= step.bearing_before < 360
        assert 0 <= step.bearing_after < 360
        if step.maneuver not in ("fork", "arrive") and "uturn" not in step.modifier:
            angle = turn_deg(step.bearing_before, step.bearing_after)
            # whole degrees, and two turns to one side may pass 180
            near = {modifier_of(angle + d) for d in (-1.1, 0.0, 1.1)} | {modifier_of(-angle)}
            assert step.modifier in near


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 40))
@example(seed=1_611_941_928, count=27)
def test_the_line_is_that_of_the_path(seed, count):
    path = wander(CITY, np.random.default_rng(seed), count)
    line = path_line(CITY, path)
    lat, lon = path_coordinates(CITY, path)
    # who sets out a hair before a corner has a point there that no one can tell from the corner's
    micro = np.rint(np.stack([lat, lon]) * 1e6)
    apart = np.append(True, (np.diff(micro) != 0.0).any(axis=0))
    np.testing.assert_array_equal(line.lat, lat[apart])
    np.testing.assert_array_equal(line.lon, lon[apart])
    for i in range(1, len(path.edges)):
        node = CITY.tail[path.edges[i]]
        at = line.lat[line.at[i]], line.lon[line.at[i]]
        assert at == pytest.approx((CITY.node_lat[node], CITY.node_lon[node]), rel=0.0, abs=1e-6)
    assert line.length_m.sum() == pytest.approx(path.length_m, rel=1e-5, abs=1e-3)
    assert line.along_m[-1] == pytest.approx(path.length_m, rel=2e-3, abs=0.1)


def test_directions_are_taken_over_some_metres():
    map = """
        A---------B
                  C---------D
    """
    graph, at = graph_from_ascii(map, metres_per_char=3.0, tags={"BC": {"highway": "footway"}})
    line = path_line(graph, walk(graph, at, "ABCD"))
    # 3 m to the south and then 7 m on to the east are no turn to the right
    assert LOOK_M == 10.0
    assert line.after_deg[1] == pytest.approx(90.0 + np.degrees(np.arctan2(3.0, 7.0)), abs=1.0)


def test_a_simplified_line_stays_near_the_line():
    rng = np.random.default_rng(2)
    x = np.cumsum(rng.normal(0, 4, 300))
    lat, lon = 55.0 + np.cumsum(rng.normal(0, 4, 300)) / 111_195, 12.0 + x / 64_000
    new_lat, new_lon = simplified(lat, lon, 5.0)
    kept = [int(np.flatnonzero((lat == a) & (lon == b))[0]) for a, b in zip(new_lat, new_lon, strict=True)]
    assert kept[0] == 0
    assert kept[-1] == 299
    assert len(kept) < 200
    for a, b in itertools.pairwise(kept):
        for k in range(a + 1, b):
            assert _distance_m((lat[k], lon[k]), (lat[a], lon[a]), (lat[b], lon[b])) <= 5.05


def _distance_m(point, a, b):
    scale = np.array([111_195.0, 111_195.0 * np.cos(np.radians(55.0))])
    p, a, b = (np.array(v) * scale for v in (point, a, b))
    t = np.clip(np.dot(p - a, b - a) / max(np.dot(b - a, b - a), 1e-12), 0, 1)
    return float(np.hypot(*(p - a - t * (b - a))))


def test_the_whole_path_may_be_one_edge():
    path = path_over(CITY, [7], 0.25, 0.5)
    assert [s.maneuver for s in leg_of(CITY, path).steps] == ["depart", "arrive"]


FOOTWAY = {"highway": "footway"}


def test_a_short_dead_end_is_no_way_on():
    map = """
        A---------B-S
                  |
                  |
                  C
    """
    assert told(map, "ABC", metres_per_char=8.0) == []  # 16 m
    assert told(map, "ABC", metres_per_char=12.0) == [("turn", "right", "")]


def test_the_lines_of_a_square_do_not_compete():
    map = """
                               C
        A---------B
                               D
    """
    square = {"highway": "pedestrian"}
    assert told(map, "ABC", tags={"CBD": square}) == []
    assert told(map, "ABC", tags={"BC": square, "BD": square}) == [("fork", "slight left", "")]


def test_another_street_does_not_compete_with_the_one_that_goes_on():
    map = """
                               C
        A---------B
                               D
    """
    assert told(map, "ABC", tags={"ABC": street("Main"), "BD": street("Other")}) == []
    assert told(map, "ABC", tags={"AB": street("Main"), "BC": street("Main"), "BD": street("Main")}) == [
        ("fork", "slight left", "Main")
    ]


def test_a_slight_bend_is_told_only_where_something_leads_on_straighter():
    map = """
                  E
                  |
        A---------B---------D
                  |
                  F

                        C
    """
    assert told(map, "ABC", tags={"BC": FOOTWAY}) == [("turn", "slight right", "")]
    without_ahead = map.replace("B---------D", "B          ")
    assert told(without_ahead, "ABC", tags={"BC": FOOTWAY}) == []


def test_a_street_that_turns_takes_its_walkers_along_past_a_path():
    map = """
                  F
                  |
        A---------B
                  |
                  |
                  C
    """
    tags = {"ABC": street("Bent"), "BF": FOOTWAY}
    assert told(map, "ABC", tags=tags) == []
    tags["BF"] = street("Other")
    assert told(map, "ABC", tags=tags) == [("end of road", "right", "Bent")]


def test_two_ways_on_one_side_are_no_end_of_the_road():
    map = """
        A---------B
                  |
                  |
                  C D
    """
    assert told(map, "ABC", tags={"BD": FOOTWAY}) == [("turn", "right", "")]


def test_who_changes_the_side_of_a_street_is_told_only_if_it_is_another_one():
    map = """
        A---------B---------E
        F---------C---------D
    """
    tags = {"AB": street("Main"), "BE": FOOTWAY, "BC": FOOTWAY, "CD": street("Main"), "FC": FOOTWAY}
    assert told(map, "ABCD", tags=tags, metres_per_char=20.0) == []
    tags["CD"] = street("Other")
    assert told(map, "ABCD", tags=tags, metres_per_char=20.0) == [
        ("turn", "right", ""),
        ("end of road", "left", "Other"),
    ]


def test_stairs_right_at_the_start_are_told():
    map = "A---------B----C---------D"
    assert told(map, "ABCD", tags={"BC": {"highway": "steps"}}, start=0.95) == [("continue", "straight", "")]


def test_a_turn_in_the_last_metres_is_left_to_the_eye():
    assert told(CROSSROADS, "WXN", tags=BOTH, end=0.2) == []
    assert told(CROSSROADS, "WXN", tags=BOTH, end=0.4) == [("turn", "left", "Cross Street")]


def test_two_turns_to_the_right_are_not_one_to_the_left():
    map = """
        A---------B------E
    D             |
                  C------F
    """
    # C lies 10 m below B, and D a little higher than C: a turn of 187 degrees
    tags = {"CD": FOOTWAY, "*": FOOTWAY}
    assert told(map, "ABCD", tags=tags, metres_per_char=5.0) == [("turn", "sharp right", "")]


def test_a_flight_of_turns_is_more_than_one_maneuver():
    map = """
        A---------B          F
                  CD         G
                   EH        K
                  P IJ-------L
                   Q
    """
    ways = ("BC", "CD", "DE", "EH", "HI", "IJ", "BF", "CP", "DG", "EQ", "HK")
    graph, at = graph_from_ascii(map, tags=dict.fromkeys(ways, FOOTWAY), metres_per_char=12.0)
    steps = leg_of(graph, walk(graph, at, "ABCDEHIJL")).steps
    # the first four corners are a way straight on in small steps; the fifth is too far from the first
    assert [(step.maneuver, step.first_edge) for step in steps] == [("depart", 0), ("turn", 5), ("arrive", 8)]


def test_a_few_metres_of_a_street_are_not_worth_its_name():
    map = "A---------B--C---------D"
    tags = {"AB": street("First"), "BC": street("Bridge"), "CD": street("Second")}
    assert told(map, "ABCD", tags=tags, metres_per_char=8.0) == [("new name", "straight", "Second")]
    assert told(map, "ABCD", tags=tags, metres_per_char=12.0) == [
        ("new name", "straight", "Bridge"),
        ("new name", "straight", "Second"),
    ]


@pytest.mark.parametrize(("metres_per_char", "count"), [(6.0, 0), (10.0, 1)])
def test_leaving_a_street_straight_on_is_told_if_it_is_for_long(metres_per_char, count):
    map = """
        A---------B---------E
        F---------C---------D
    """
    tags = {"AB": street("Main"), "BC": FOOTWAY, "*": FOOTWAY}
    found = told(map, "ABCD", tags=tags, metres_per_char=metres_per_char)
    assert found == [("continue", "straight", "")] * count


def test_the_ends_of_a_line_look_the_other_way():
    line = path_line(CITY, wander(CITY, np.random.default_rng(0), 10))
    assert line.before_deg[0] == line.after_deg[0]
    assert line.after_deg[-1] == line.before_deg[-1]
