"""OSRM route JSON: the same form as in real answers, and consistent with the path that it tells of."""

from __future__ import annotations

import itertools
from pathlib import Path as File

import numpy as np
import orjson
import pytest

from geo.errors import BadInput
from geo.geodesy import haversine_m
from geo.osm.importer import import_osm
from geo.polyline import decode6
from geo.routing.search import Path, Place, path_coordinates
from models.routes.osrm import Waypoint, route_response
from tests.geo.asciimap import graph_from_ascii
from tests.geo.naive_city import lattice_city
from tests.geo.walked import path_over, walk, wander

REAL = File(__file__).with_name("navigation")
OSM = File(__file__).parents[2] / "data" / "osm" / "altona"
CITY = lattice_city(seed=4, side=20)


def ends_of(graph, *paths):
    """The waypoints of legs that follow one another, asked for 11 m north of them."""
    first, last = paths[0], paths[-1]
    places = [Place(int(first.edges[0]), first.start_fraction)]
    places += [Place(int(path.edges[-1]), path.end_fraction) for path in (*paths[:-1], last)]
    found = []
    for place in places:
        here = Path(np.array([place.edge], np.int32), place.fraction, place.fraction, 0.0, 0.0, 0.0)
        lat, lon = path_coordinates(graph, here)
        found.append(Waypoint(float(lat[0]) + 1e-4, float(lon[0]), place))
    return found


def answer_for(graph, *paths, **options):
    response = route_response(graph, [paths], waypoints=ends_of(graph, *paths), **options)
    return orjson.loads(orjson.dumps(response))


def drawn():
    map = """
        A---------B--------------------F
                  |
                  |
        C---------D---E---------G
    """
    tags = {
        "ABF": {"highway": "residential", "name": "High Street"},
        "BD": {"highway": "residential", "name": "Side Street"},
        "DE": {"highway": "steps"},
        "CD": {"highway": "footway"},
        "EG": {"highway": "residential", "name": "Lower Street"},
    }
    graph, at = graph_from_ascii(map, tags=tags)
    return graph, walk(graph, at, "ABDEG", start=0.2)


def shapes(value, path="", found=None):
    """Of every place in a JSON document: its types, and for objects the keys of each."""
    found = {} if found is None else found
    entry = found.setdefault(path, {"types": set(), "keys": []})
    entry["types"].add("number" if isinstance(value, int | float) and value is not True else type(value))
    if isinstance(value, dict):
        entry["keys"].append(set(value))
        for key, item in value.items():
            shapes(item, f"{path}.{key}", found)
    elif isinstance(value, list):
        for item in value:
            shapes(item, f"{path}[]", found)
    return found


# what some services add for themselves; all else that the real answers always have, ours has too
THEIR_OWN = {"uuid", "hint", "admins", "via_waypoints", "admin_index", "geometry_index", "maxspeed",
             "speedLimitSign", "speedLimitUnit", "weight_typical", "secondary", "abbr", "abbr_priority",
             "degrees", "driving_side"}  # fmt: skip


def test_the_answer_has_the_form_of_real_ones():
    graph, path = drawn()
    ours = shapes(answer_for(graph, path, annotations=True))
    real = [shapes(orjson.loads(file.read_bytes())) for file in sorted(REAL.glob("*.json"))]
    assert len(real) == 4
    for place, entry in ours.items():
        known = [other[place] for other in real if place in other]
        assert known, f"no real answer has {place}"
        assert entry["types"] <= set.union(*(other["types"] for other in known)), place
    for place in ours:
        always = [set.intersection(*o[place]["keys"]) for o in real if place in o and o[place]["keys"]]
        if always:
            missing = set.intersection(*always) - set.intersection(*ours[place]["keys"])
            assert missing <= THEIR_OWN, place
    steps = ".routes[].legs[].steps[]"
    assert {steps, f"{steps}.bannerInstructions[].primary", f"{steps}.voiceInstructions[]"} <= set(ours)


def test_every_type_and_modifier_is_one_of_osrm():
    types = {"depart", "arrive", "turn", "continue", "new name", "fork", "end of road", "notification"}
    modifiers = {"uturn", "straight"}
    modifiers |= {f"{how}{side}" for how in ("", "slight ", "sharp ") for side in ("left", "right")}
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(60):
        for step in answer_for(CITY, wander(CITY, rng, 40))["routes"][0]["legs"][0]["steps"]:
            assert step["maneuver"]["type"] in types
            assert step["maneuver"].get("modifier", "straight") in modifiers
            seen.add(step["maneuver"]["type"])
    assert {"turn", "fork", "end of road", "depart", "arrive"} <= seen


@pytest.fixture(scope="module")
def altona():
    return import_osm(sorted(OSM.glob("*.osm.pbf")))


@pytest.mark.parametrize("seed", range(8))
def test_the_answer_is_consistent(seed, altona):
    rng = np.random.default_rng(seed)
    for graph, count in itertools.product((CITY, altona), (1, 2, 7, 40)):
        path = wander(graph, rng, count)
        answer = answer_for(graph, path, annotations=True)
        (route,) = answer["routes"]
        (leg,) = route["legs"]
        for what in ("distance", "duration", "weight"):
            assert sum(step[what] for step in leg["steps"]) == pytest.approx(leg[what], abs=0.06)
            assert leg[what] == route[what]
        assert route["distance"] == pytest.approx(path.length_m, abs=0.051)
        assert route["duration"] == pytest.approx(path.duration_s, abs=0.051)
        assert route["weight"] == pytest.approx(path.impedance, abs=0.051)
        check_geometry(route, leg)
        check_steps(leg["steps"])
        check_annotation(leg)
        for ours, asked in zip(answer["waypoints"], ends_of(graph, path), strict=True):
            assert ours["distance"] == pytest.approx(11.1, abs=0.1)
            lon, lat = ours["location"]
            assert float(haversine_m(lat, lon, asked.lat, asked.lon)) == pytest.approx(11.1, abs=0.1)


def check_geometry(route, leg):
    whole = points_of(route["geometry"])
    steps = [points_of(step["geometry"]) for step in leg["steps"]]
    for a, b in itertools.pairwise(steps):
        assert a[-1] == b[0]
    assert all(len(points) >= 2 for points in steps)
    assert unrepeated(itertools.chain(*steps)) == unrepeated(whole)
    for points, step in zip(steps, leg["steps"], strict=True):
        assert step["maneuver"]["location"] == pytest.approx(points[0][::-1], abs=2e-6)
        for junction in step["intersections"]:
            assert any(junction["location"] == pytest.approx(p[::-1], abs=2e-6) for p in points)


def check_steps(steps):
    assert steps[0]["maneuver"]["type"] == "depart"
    assert steps[-1]["maneuver"]["type"] == "arrive"
    assert steps[-1]["distance"] == steps[-1]["duration"] == 0
    assert "in" not in steps[0]["intersections"][0]
    assert "out" not in steps[-1]["intersections"][0]
    assert steps[-1]["voiceInstructions"] == steps[-1]["bannerInstructions"] == []
    for k, step in enumerate(steps):
        for key in ("bearing_before", "bearing_after"):
            assert isinstance(step["maneuver"][key], int)
            assert 0 <= step["maneuver"][key] <= 359
        for junction in step["intersections"]:
            assert len(junction["bearings"]) == len(junction["entry"])
            assert junction["bearings"] == sorted(junction["bearings"])
            assert all(0 <= bearing <= 359 for bearing in junction["bearings"])
            for way in ("in", "out"):
                assert 0 <= junction.get(way, 0) < len(junction["bearings"])
            if "out" in junction:
                assert junction["entry"][junction["out"]]
        if k + 1 < len(steps):
            (banner,) = step["bannerInstructions"]
            following = steps[k + 1]["maneuver"]
            assert banner["distanceAlongGeometry"] == step["distance"]
            assert banner["primary"]["type"] == following["type"]
            assert banner["primary"].get("modifier") == following.get("modifier")
            before = [said["distanceAlongGeometry"] for said in step["voiceInstructions"]]
            assert before == sorted(before, reverse=True)
            assert all(0 <= metres <= step["distance"] for metres in before)
            assert step["voiceInstructions"][-1]["announcement"].startswith(following["instruction"])


def check_annotation(leg):
    points = unrepeated(itertools.chain(*(points_of(step["geometry"]) for step in leg["steps"])))
    note = leg["annotation"]
    assert {len(values) for values in note.values()} == {max(1, len(points) - 1)}
    assert sum(note["distance"]) == pytest.approx(leg["distance"], abs=0.06 + 0.006 * len(points))
    assert sum(note["duration"]) == pytest.approx(leg["duration"], abs=0.06 + 0.006 * len(points))


def points_of(geometry):
    return [(round(a, 6), round(b, 6)) for a, b in zip(*decode6(geometry), strict=True)]


def unrepeated(points):
    return [point for point, _ in itertools.groupby(points)]


def test_a_start_a_hair_before_a_junction_repeats_no_point():
    edges = wander(CITY, np.random.default_rng(7), 5).edges.tolist()
    path = path_over(CITY, edges, start=1 - 1e-9, end=1e-9)
    (route,) = answer_for(CITY, path, annotations=True)["routes"]
    points = points_of(route["geometry"])
    assert points == unrepeated(points)
    check_geometry(route, route["legs"][0])
    check_annotation(route["legs"][0])


def test_what_a_drawn_walk_is_told():
    graph, path = drawn()
    answer = answer_for(graph, path)
    (leg,) = answer["routes"][0]["legs"]
    assert [step["maneuver"]["instruction"] for step in leg["steps"]] == [
        "Head east on High Street",
        "Turn right onto Side Street",
        "Turn left and take the stairs",
        "Continue onto Lower Street",
        "You have arrived: your destination is on the left",
    ]
    assert leg["summary"] == "High Street, Lower Street"
    assert [point["name"] for point in answer["waypoints"]] == ["High Street", "Lower Street"]
    turn = leg["steps"][1]
    assert turn["name"] == "Side Street"
    assert turn["intersections"][0]["bearings"] == [90, 180, 270]
    assert turn["intersections"][0]["entry"] == [True, True, False]
    assert (turn["intersections"][0]["in"], turn["intersections"][0]["out"]) == (2, 1)
    banner = turn["bannerInstructions"][0]
    assert banner["primary"]["text"] == "Turn left and take the stairs"
    assert "sub" not in banner  # 40 m of stairs are long enough to be shown alone
    assert leg["steps"][2]["bannerInstructions"][0]["primary"]["text"] == "Lower Street"


def test_a_ferry_is_another_mode():
    map = "A---------B--------------C---------D"
    tags = {"BC": {"route": "ferry", "foot": "yes", "name": "Harbour Bus"}}
    graph, at = graph_from_ascii(map, tags=tags)
    (leg,) = answer_for(graph, walk(graph, at, "ABCD"))["routes"][0]["legs"]
    assert [step["mode"] for step in leg["steps"]] == ["walking", "ferry", "walking", "walking"]
    assert leg["steps"][1]["maneuver"]["instruction"] == "Take the ferry: Harbour Bus"


def test_a_route_of_several_legs():
    rng = np.random.default_rng(5)
    whole = wander(CITY, rng, 20)
    edges = whole.edges.tolist()
    first, second = path_over(CITY, edges[:11], 0.0, 0.5), path_over(CITY, edges[10:], 0.5, 1.0)
    answer = answer_for(CITY, first, second)
    (route,) = answer["routes"]
    assert len(answer["waypoints"]) == 3
    assert [leg["steps"][-1]["maneuver"]["type"] for leg in route["legs"]] == ["arrive", "arrive"]
    told = [leg["steps"][-1]["maneuver"]["instruction"] for leg in route["legs"]]
    assert told[0] == "You have reached a stop of your walk"
    assert told[1].startswith("You have arrived")
    assert sum(leg["distance"] for leg in route["legs"]) == pytest.approx(route["distance"], abs=0.11)
    steps = [points_of(step["geometry"]) for leg in route["legs"] for step in leg["steps"]]
    assert unrepeated(itertools.chain(*steps)) == unrepeated(points_of(route["geometry"]))


def test_alternatives_have_their_own_objects():
    graph, path = drawn()
    response = route_response(
        graph, [path, path], waypoints=ends_of(graph, path), extra=[{"score": 1.0}, {"score": 2.0}]
    )
    assert [route["flaneur"] for route in response["routes"]] == [{"score": 1.0}, {"score": 2.0}]


def test_forms_of_geometry():
    graph, path = drawn()
    whole = points_of(answer_for(graph, path)["routes"][0]["geometry"])
    geojson = answer_for(graph, path, geometries="geojson")["routes"][0]["geometry"]
    assert geojson["type"] == "LineString"
    np.testing.assert_allclose(np.array(geojson["coordinates"])[:, ::-1], whole, atol=1.1e-6)
    five = answer_for(graph, path, geometries="polyline")["routes"][0]["geometry"]
    lat, lon = decode6(five)  # five decimals read as six are a tenth
    np.testing.assert_allclose(np.stack([lat, lon], axis=1) * 10, whole, atol=5.6e-6)


def test_overviews():
    path = wander(CITY, np.random.default_rng(3), 60)
    assert "geometry" not in answer_for(CITY, path, overview="false")["routes"][0]
    full = points_of(answer_for(CITY, path)["routes"][0]["geometry"])
    simple = points_of(answer_for(CITY, path, overview="simplified")["routes"][0]["geometry"])
    assert (simple[0], simple[-1]) == (full[0], full[-1])
    assert set(simple) <= set(full)
    assert len(simple) < len(full)


def test_without_steps():
    graph, path = drawn()
    (leg,) = answer_for(graph, path, steps=False)["routes"][0]["legs"]
    assert leg["steps"] == []
    assert leg["summary"] == ""
    assert leg["distance"] == pytest.approx(path.length_m, abs=0.06)


def test_a_way_that_may_be_walked_one_way_only():
    map = """
                  C
                  |
        A---------B---------D
    """
    graph, at = graph_from_ascii(map, tags={"AB": {"highway": "footway", "oneway": "yes"}})
    steps = answer_for(graph, walk(graph, at, "ABC"))["routes"][0]["legs"][0]["steps"]
    junction = steps[1]["intersections"][0]
    assert junction["bearings"] == [0, 90, 270]
    assert junction["entry"] == [True, True, False]
    assert (junction["in"], junction["out"]) == (2, 0)


def test_a_closed_start_has_a_weight_that_json_can_hold():
    graph, path = drawn()
    closed = Path(path.edges, 0.2, 1.0, path.length_m, path.duration_s, float("inf"))
    assert answer_for(graph, closed)["routes"][0]["weight"] == pytest.approx(path.duration_s, abs=0.06)


@pytest.mark.parametrize(
    "wrong", [{"geometries": "wkt"}, {"overview": "all"}, {"language": "tlh"}, {"extra": []}]
)
def test_what_cannot_be_answered_is_refused(wrong):
    graph, path = drawn()
    with pytest.raises(BadInput):
        route_response(graph, [path], waypoints=ends_of(graph, path), **wrong)


def test_legs_and_waypoints_must_fit():
    graph, path = drawn()
    with pytest.raises(BadInput, match="1 legs"):
        route_response(graph, [[path, path]], waypoints=ends_of(graph, path))
