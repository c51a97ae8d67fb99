"""The picture of a walk: what is in it, read from the SVG itself."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from geo.errors import BadInput
from geo.polyline import encode6
from models.pictures.drawing import WIDTH, draw_walk, stages
from models.records import RouteUpdate
from models.routes.client_route import reconstruct
from tests.geo.asciimap import graph_from_ascii

GRAPH, AT = graph_from_ascii(
    """
    A----------B----------C
    |          |          |
    |          |          |
    |          |          |
    D----------E----------F
    """,
    metres_per_char=10.0,
)
NOTHING = np.zeros(0)
NO_EDGES = np.zeros(0, np.int32)
T0 = 1_760_000_000.0  # 2025-10-09 08:53:20 UTC


def line(places):
    nodes = [AT[place] for place in places]
    return GRAPH.node_lat[nodes], GRAPH.node_lon[nodes]


def update(version, places, reason="requested", keep_m=0.0, message=None, trip="0-1"):
    return RouteUpdate(
        device="anna", trip=trip, version=version, ts=T0 + version, reason=reason, keep_m=keep_m,
        geometry=encode6(*line(places)), length_m=220.0, duration_s=180.0, message=message,
    )  # fmt: skip


def edge(a, b):
    return next(e for e in range(GRAPH.edge_count) if (GRAPH.tail[e], GRAPH.head[e]) == (AT[a], AT[b]))


def draw(updates, fixes="", closed=()):
    lat, lon = line(fixes)
    ts = T0 + 60.0 * np.arange(len(lat))
    return draw_walk(GRAPH, "anna", ts, lat, lon, reconstruct(updates), np.array(closed, np.int32))


def words(svg):
    return [node.text for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def strokes(svg, colour):
    paths = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}path")
    return [path.get("d") for path in paths if path.get("stroke") == colour]


WALK = [
    update(1, "ABC", message="Here is your route."),
    update(65, "BEF", "world_changed", 110.0, "A street ahead is closed: here is a way round."),
    update(129, "", "arrived", 330.0, "You have arrived."),
]


def test_says_what_happened_when_and_why():
    said = " | ".join(words(draw(WALK, "ABEF", [edge("B", "C")])))
    assert "anna, 9 October 2025" in said
    assert re.search(r"walked 2\d\d m in 3 min; 3 route updates; times are UTC", said)
    assert "08:53:21  first route | 220 m, 3 min to go | Here is your route." in said
    assert "08:54:25  world changed" in said
    assert "A street ahead is closed: here is a way round." in said
    assert "08:55:29  arrived | You have arrived." in said
    for always in ("start", "end", "© OpenStreetMap contributors", "walked (GPS)", "closed street"):
        assert always in said


def test_has_a_white_ground_and_a_width_of_its_own():
    root = ET.fromstring(draw(WALK, "ABEF"))
    ground = root.find("{http://www.w3.org/2000/svg}rect")
    assert (root.get("width"), ground.get("fill")) == (str(WIDTH), "#ffffff")
    assert (ground.get("width"), ground.get("height")) == (root.get("width"), root.get("height"))


def test_nothing_stands_outside_of_the_picture():
    svg = draw(WALK, "ABEF", [edge("B", "C")])
    root = ET.fromstring(svg)
    for node in root.iter("{http://www.w3.org/2000/svg}text"):
        assert 0 <= float(node.get("x")) <= WIDTH
        assert 0 <= float(node.get("y")) <= float(root.get("height"))


def test_a_closed_street_is_red_and_crossed_only_when_it_is_in_sight():
    assert strokes(draw(WALK, "ABEF"), "#d00000") == []
    crossed = strokes(draw(WALK, "ABEF", [edge("B", "C")]), "#d00000")
    assert len(crossed) == 3  # the street, its cross, and the cross of the key
    # AD is 110 m to the west of a walk that stays on CF
    assert strokes(draw([update(1, "CF")], "CF", [edge("A", "D")]), "#d00000") != crossed


def test_streets_in_sight_are_drawn_once():
    (streets,) = strokes(draw(WALK, "ABEF"), "#cccccc")
    assert streets.count("M") == 7  # of two-way pairs one each


def test_a_tail_is_split_where_the_next_update_took_over():
    first, second, end = stages(reconstruct(WALK))
    assert first.number == "1"
    assert (first.followed[1][-1], first.dropped[1][0]) == (first.dropped[1][0], first.followed[1][-1])
    assert first.followed[1][-1] == pytest.approx(GRAPH.node_lon[AT["B"]], abs=1e-5)
    assert first.dropped[1][-1] == pytest.approx(GRAPH.node_lon[AT["C"]], abs=1e-5)
    assert len(second.followed[0]) >= 3
    assert not end.has_tail


def test_updates_one_after_the_other_in_one_place_are_one_stage():
    many = [update(1, "ABC"), *(update(65 + i, "DEF", "off_route", 5.0) for i in range(4)), update(200, "FC")]
    shown = stages(reconstruct(many))
    assert [stage.number for stage in shown] == ["1", "2–5", "6"]
    assert "08:54:25  off route × 4" in words(draw(many))
    # the same place for another reason is another matter
    assert len(stages(reconstruct([update(1, "ABC"), update(2, "ABC", "disliked")]))) == 2


def test_draws_a_route_nobody_has_walked_yet():
    svg = draw([update(1, "ABC")])
    assert "1 route update; times are UTC" in words(svg)
    assert "walked (GPS)" not in words(svg)


def test_someone_who_stood_still_gets_a_picture_too():
    at = GRAPH.node_lat[[AT["B"]] * 3], GRAPH.node_lon[[AT["B"]] * 3]
    ET.fromstring(draw_walk(GRAPH, "anna", T0 + np.arange(3.0), *at, [], NO_EDGES))


def test_whatever_a_message_holds_the_picture_stays_xml():
    odd = 'a < b & "c" \x00\x1b\ufffe ' + "long " * 150
    svg = draw([update(1, "ABC", message=odd)])
    text = " ".join(words(svg))
    assert 'a < b & "c"' in text
    assert text.count("long") == 150


def test_the_same_walk_gives_the_same_bytes():
    assert draw(WALK, "ABEF") == draw(WALK, "ABEF")


def test_refuses_a_walk_without_a_place():
    with pytest.raises(BadInput, match="anna"):
        draw_walk(GRAPH, "anna", NOTHING, NOTHING, NOTHING, [], NO_EDGES)
