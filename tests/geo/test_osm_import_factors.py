"""Static factors and walking time, each rule on a drawn map."""

import math

import numpy as np
import pytest

from geo.osm.importer import graph_of
from geo.osm.static_factors import NAMES, narrow, rough_surface, steep
from geo.pace import tagged_slope, tobler_factor, walking_s
from geo.routing.costs import STATIC_FACTORS
from tests.geo.asciimap import extract_from_ascii, graph_from_ascii

Tags = dict[str, dict[str, str]]


def factor(name: str, drawing: str, tags: Tags, *, metres_per_char: float = 10.0) -> float:
    """The factor of the drawn way A-B, the same in both directions."""
    graph, at = graph_from_ascii(drawing, tags=tags, metres_per_char=metres_per_char)
    there = np.flatnonzero((graph.tail == at["A"]) & (graph.head == at["B"]))
    back = np.flatnonzero((graph.tail == at["B"]) & (graph.head == at["A"]))
    values = graph.static_factors[np.concatenate([there, back]), NAMES.index(name)]
    assert len(values) == 2
    assert values[0] == values[1]
    return float(values[0])


def test_the_columns_are_those_of_the_costs() -> None:
    assert STATIC_FACTORS == NAMES


FAR_ROAD = """
    A----B



    C----D
"""  # 40 m apart


@pytest.mark.parametrize("name", ["noise", "air"])
def test_noise_and_air_follow_class_and_distance(name: str) -> None:
    def near(highway: str, metres_per_char: float) -> float:
        return factor(name, FAR_ROAD, {"CD": {"highway": highway}}, metres_per_char=metres_per_char)

    classes = ["service", "residential", "tertiary", "secondary", "primary", "motorway"]
    by_class = [near(highway, 4) for highway in classes]
    assert by_class == sorted(by_class)
    assert by_class[0] < by_class[-1]
    by_distance = [near("primary", metres) for metres in (2, 5, 10, 20, 50)]
    assert by_distance == sorted(by_distance, reverse=True)
    assert near("footway", 1) == 0
    assert near("primary", 100) < 0.05


def test_noise_falls_by_3_db_with_each_doubling() -> None:
    loud = factor("noise", FAR_ROAD, {"CD": {"highway": "primary"}}, metres_per_char=5)
    quieter = factor("noise", FAR_ROAD, {"CD": {"highway": "primary"}}, metres_per_char=10)
    assert (loud - quieter) * 30 == pytest.approx(10 * math.log10(2), abs=0.05)


def test_a_road_in_a_tunnel_is_not_heard() -> None:
    assert factor("noise", FAR_ROAD, {"CD": {"highway": "primary", "tunnel": "yes"}}, metres_per_char=4) == 0


PARK = """
    C----------D
    |          |
    |  A----B  |
    |          |
    F----------E
"""
NOT_LINES: Tags = {"*": {"note": "no way"}}


@pytest.mark.parametrize(
    ("tags", "value"),
    [
        ({"leisure": "park"}, 1.0),
        ({"natural": "wood"}, 1.0),
        ({"landuse": "grass"}, 0.6),
        ({"leisure": "park", "access": "private"}, 0.0),
        ({"landuse": "industrial"}, 0.0),
    ],
)
def test_green_inside(tags: dict[str, str], value: float) -> None:
    assert factor("green", PARK, {"AB": {"highway": "path"}, "CDEFC": tags}) == pytest.approx(value)


def test_green_fades_out_beside_a_park_and_with_trees() -> None:
    drawing = """
        A----B

        C----D
        |    |
        F----E
    """
    park: Tags = {"AB": {"highway": "path"}, "CDEFC": {"leisure": "park"}}
    values = [factor("green", drawing, park, metres_per_char=m) for m in (2, 5, 10, 20)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == 0
    trees = """
         T  U
        A----B
    """
    tree: Tags = {"T": {"natural": "tree"}, "U": {"natural": "tree"}}
    one = factor("green", trees, {"T": {"natural": "tree"}}, metres_per_char=3)
    assert 0 < one < factor("green", trees, tree, metres_per_char=3) <= 0.8


@pytest.mark.parametrize(
    ("way", "metres_per_char", "value"),
    [
        ({"waterway": "river"}, 4, 1.0),
        ({"waterway": "canal"}, 17.5, 0.5),
        ({"natural": "coastline"}, 30, 0.0),
        ({"waterway": "stream"}, 2, 0.6),
        ({"waterway": "river", "tunnel": "culvert"}, 4, 0.0),
    ],
)
def test_water_alongside(way: dict[str, str], metres_per_char: float, value: float) -> None:
    drawing = """
        C--------------------D

            A---B
    """
    tags = {"CD": way, "AB": {"highway": "path"}}
    assert factor("water", drawing, tags, metres_per_char=metres_per_char) == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize(
    ("tags", "value"),
    [
        ({"highway": "path", "lit": "yes"}, 0.0),
        ({"highway": "residential", "lit": "no"}, 1.0),
        ({"highway": "path", "lit": "limited"}, 0.5),
        ({"highway": "path"}, 0.7),
        ({"highway": "residential"}, 0.15),
    ],
)
def test_unlit_by_tag_or_class(tags: dict[str, str], value: float) -> None:
    assert factor("unlit", "A----B", {"AB": tags}) == pytest.approx(value)


def test_lamps_light_and_parks_are_darker() -> None:
    lamp: Tags = {"AB": {"highway": "path"}, "L": {"highway": "street_lamp"}}
    assert factor("unlit", " L\n\nA--B", lamp, metres_per_char=5) == pytest.approx(0.05)
    park: Tags = {"AB": {"highway": "footway"}, "CDEFC": {"leisure": "park"}}
    assert factor("unlit", PARK, park) == pytest.approx(0.7)


def test_rough_surface_is_the_worse_of_what_is_known() -> None:
    assert rough_surface({"surface": "asphalt"}, "path") == 0
    assert rough_surface({"surface": "sand"}, "footway") == 0.8
    assert rough_surface({"surface": "asphalt", "smoothness": "bad"}, "footway") == 0.5
    assert rough_surface({"surface": "a new kind"}, "track") == 0.6
    assert rough_surface({}, "footway") == 0.1


def test_stairs() -> None:
    assert factor("steps", "A----B", {"AB": {"highway": "steps"}}) == 1
    assert factor("steps", "A----B", {"AB": {"highway": "steps", "conveying": "yes"}}) == pytest.approx(0.2)
    assert factor("steps", "A----B", {"AB": {"highway": "footway"}}) == 0


def test_sights_nearby_add_up_to_less_than_one() -> None:
    drawing = """
         S T
        A---B
    """
    museum: Tags = {"S": {"tourism": "museum"}}
    both: Tags = {**museum, "T": {"historic": "castle"}}
    one, two = factor("sights", drawing, museum), factor("sights", drawing, both)
    assert 0.4 < one < two < 1
    assert factor("sights", drawing, museum, metres_per_char=100) == 0
    assert factor("sights", drawing, {"S": {"shop": "kiosk"}}) == 0


def test_amenities_nearby_add_up_to_less_than_one() -> None:
    drawing = """
         S T
        A---B
    """
    bench: Tags = {"S": {"amenity": "bench"}}
    both: Tags = {**bench, "T": {"amenity": "toilets"}}
    one, two = factor("amenities", drawing, bench), factor("amenities", drawing, both)
    assert 0.2 < one < two < 1
    assert factor("amenities", drawing, bench, metres_per_char=100) == 0
    assert factor("amenities", drawing, {"S": {"amenity": "toilets", "access": "private"}}) == 0
    assert factor("amenities", drawing, {"S": {"amenity": "bank"}}) == 0


@pytest.mark.parametrize(
    ("tags", "value"),
    [
        ("highway=footway width=0.8", 1.0),
        ("highway=footway width=2", 0.5),
        ("highway=path width=2,5\u00a0m", 0.25),
        ("highway=footway est_width=4", 0.0),
        ("highway=footway width=narrow", 0.1),
        ("highway=footway width=6'", 0.1),
        ("highway=path", 0.5),
        ("highway=pedestrian", 0.1),
        ("highway=primary sidewalk=both", 0.0),
        ("highway=primary sidewalk:left=yes sidewalk:right=no", 0.0),
        ("highway=primary sidewalk=no width=12", 1.0),
        ("highway=residential sidewalk=none", 0.3),
        ("highway=residential", 0.15),
    ],
)
def test_narrow_by_width_class_and_pavement(tags: str, value: float) -> None:
    pairs = dict(pair.split("=") for pair in tags.split(" "))
    assert narrow(pairs, pairs["highway"]) == pytest.approx(value)


@pytest.mark.parametrize(
    "tags",
    [{"covered": "arcade"}, {"tunnel": "yes"}, {"tunnel": "building_passage"}, {"indoor": "yes"}],
)
def test_roofs_shelter(tags: dict[str, str]) -> None:
    assert factor("unsheltered", "A----B", {"AB": {"highway": "footway", **tags}}) == 0


def test_houses_and_trees_shelter_a_little() -> None:
    street = """
        C----D
        F----E
        A----B
        G----H
        J----I
    """
    open_air: Tags = {"AB": {"highway": "footway"}, **NOT_LINES}
    one_side = {**open_air, "CDEFC": {"building": "yes"}}
    both_sides = {**one_side, "GHIJG": {"building": "house"}}
    assert factor("unsheltered", street, open_air) == 1
    assert factor("unsheltered", street, one_side) == pytest.approx(0.8)
    assert factor("unsheltered", street, both_sides) == pytest.approx(0.6)
    wood: Tags = {"AB": {"highway": "path"}, "CDEFC": {"natural": "wood"}}
    assert factor("unsheltered", PARK, wood) == pytest.approx(0.5)


def test_a_long_way_is_the_mean_along_it() -> None:
    drawing = """
        C    D

        A----------B

        F    E
    """
    tags: Tags = {"AB": {"highway": "path"}, "CDEFC": {"leisure": "park"}}
    value = factor("green", drawing, tags, metres_per_char=50)
    assert value == pytest.approx(0.5, abs=0.05)


def test_factors_do_not_depend_on_how_samples_are_chunked(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = """
        A----B----C
        |    |    |
        D----E----F
    """
    tags: Tags = {"BE": {"highway": "primary"}, "CF": {"highway": "residential"}, "A": {"tourism": "museum"}}
    extract, _ = extract_from_ascii(drawing, tags=tags)
    whole = graph_of([extract], keep_all=True).static_factors
    monkeypatch.setattr("geo.osm.static_factors.CHUNK", 3)
    assert np.allclose(graph_of([extract], keep_all=True).static_factors, whole, atol=1e-6)


def test_tobler_is_fastest_a_little_downhill() -> None:
    assert tobler_factor(0) == pytest.approx(1)
    assert tobler_factor(-0.05) == pytest.approx(math.exp(-3.5 * 0.05))
    assert tobler_factor(0.1) == pytest.approx(math.exp(0.35))
    assert tobler_factor(-0.1) == pytest.approx(1)
    assert tobler_factor(9) == tobler_factor(0.4)


@pytest.mark.parametrize(
    ("tags", "road_class", "seconds"),
    [
        ({}, "footway", 100.0), ({"surface": "sand"}, "path", 150.0), ({}, "steps", 200.0),
        ({"surface": "sand"}, "steps", 200.0), ({"surface": "lava"}, "path", 100.0),
        ({}, "ferry", 135 / 2.8),
    ],
)  # fmt: skip
def test_walking_time(tags: dict[str, str], road_class: str, seconds: float) -> None:
    assert walking_s(135, tags, road_class) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("incline", "slope"),
    [
        ("10%", 0.1), ("-10 %", -0.1), ("2,5%", 0.025), ("5°", math.tan(math.radians(5))), ("up", 0),
        ("", 0), ("%", 0), ("90%", 0), ("10", 0), ("nan%", 0),
    ],
)  # fmt: skip
def test_incline(incline: str, slope: float) -> None:
    assert tagged_slope({"incline": incline}) == pytest.approx(slope)


def test_a_measured_incline_slows_uphill_only_and_is_steep_both_ways() -> None:
    graph, at = graph_from_ascii("A----B", tags={"AB": {"highway": "path", "incline": "10%"}})
    up = int(np.flatnonzero(graph.tail == at["A"])[0])
    down = int(graph.reverse[up])
    assert graph.duration_s[up] > graph.duration_s[down]
    assert graph.duration_s[up] == pytest.approx(graph.length_m[up] / 1.35 * math.exp(0.35), rel=1e-5)
    column = NAMES.index("steep")
    assert graph.static_factors[up, column] == graph.static_factors[down, column]
    assert graph.static_factors[up, column] == pytest.approx(steep(0.1)) == pytest.approx(0.08 / 0.13)
    assert steep(0.02) == steep(0) == 0
    assert steep(-0.3) == 1
