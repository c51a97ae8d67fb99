"""Ways, gates and parks that are shut at some hours: what OSM says, which edges it shuts, and when."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from geo.errors import BadGraph, BadInput
from geo.graph import Graph, Rule, edge_id, open_graph, save_graph
from geo.opening_hours import Timetable, closed_edges, time_zone_at
from geo.osm.timed_access import gate_hours, park_hours, way_hours
from geo.routing.costs import DYNAMIC_FACTORS, apply_conditions
from tests.geo.asciimap import graph_from_ascii

Tags = dict[str, str]


def at(text: str, zone: str = "Europe/Helsinki") -> float:
    """ "2026-06-03 21:30" as seconds since the epoch; drawn maps lie east of Helsinki."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("tags", "rules", "grants"),
    [
        ({"opening_hours": "08:00-20:00"}, ["open 08:00-20:00"], False),
        ({"access:conditional": "no @ (Mo-Fr 07:00-17:00)"}, ["closed Mo-Fr 07:00-17:00"], False),
        ({"foot:conditional": "no@2024Apr15-2024Nov14"}, ["closed 2024Apr15-2024Nov14"], False),
        ({"access:conditional": "no @ (07:00-17:00); delivery @ (07:00-17:00)"}, ["closed 07:00-17:00"], 0),
        ({"access:conditional": "yes @ (08:00-20:00)"}, ["open 08:00-20:00"], False),
        ({"access:conditional": "destination @ (09:00-17:00)"}, [], False),
        ({"access": "yes", "access:conditional": "yes @ (08:00-20:00)"}, [], False),
        ({"access": "private", "access:conditional": "yes @ (08:00-20:00)"}, ["open 08:00-20:00"], True),
        ({"foot": "no", "foot:conditional": "permissive @ (Sa,Su)"}, ["open Sa,Su"], True),
        ({"access": "private", "access:conditional": "yes @ (weight < 3)"}, [], False),
        ({"foot": "yes", "access:conditional": "no @ (07:00-17:00)"}, [], False),
        ({"foot": "yes", "foot:conditional": "no @ (07:00-17:00)"}, ["closed 07:00-17:00"], False),
        ({"motor_vehicle:conditional": "no @ (07:00-17:00)"}, [], False),
        ({"opening_hours": "sunrise-sunset", "foot:conditional": "no @ (Jan-Mar)"},
         ["open sunrise-sunset", "closed Jan-Mar"], False),
    ],
)  # fmt: skip
def test_hours_of_ways(tags: Tags, rules: Sequence[str], grants: bool) -> None:
    found = way_hours({"highway": "footway", **tags})
    assert (list(found.rules), found.grants) == (list(rules), grants)


@pytest.mark.parametrize(
    ("tags", "rules", "grants"),
    [
        ({"barrier": "gate", "opening_hours": "07:00-22:00"}, ["open 07:00-22:00"], True),
        ({"barrier": "gate", "locked": "yes", "opening_hours": "07:00-22:00"}, ["open 07:00-22:00"], True),
        (
            {"barrier": "gate", "access": "private", "opening_hours": "07:00-22:00"},
            ["open 07:00-22:00"],
            False,
        ),
        ({"barrier": "gate", "access:conditional": "yes @ (Mo-Fr)"}, ["open Mo-Fr"], False),
        ({"barrier": "gate", "access": "no", "access:conditional": "yes @ (Mo-Fr)"}, ["open Mo-Fr"], True),
        ({"barrier": "no", "opening_hours": "07:00-22:00"}, [], False),
        ({"amenity": "cafe", "opening_hours": "07:00-22:00"}, [], False),
    ],
)
def test_hours_of_gates(tags: Tags, rules: Sequence[str], grants: bool) -> None:
    found = gate_hours(tags)
    assert (list(found.rules), found.grants) == (list(rules), grants)


def test_hours_of_parks_and_of_nothing_else() -> None:
    assert park_hours({"leisure": "park", "opening_hours": "dawn-dusk"}) == ("open dawn-dusk",)
    assert park_hours({"landuse": "cemetery", "opening_hours": "dawn-dusk"}) == ("open dawn-dusk",)
    assert park_hours({"leisure": "park"}) == ()
    assert park_hours({"leisure": "pitch", "opening_hours": "dawn-dusk"}) == ()
    assert park_hours({"shop": "bakery", "opening_hours": "dawn-dusk"}) == ()


def shut(graph: Graph, index: dict[str, int], when: str) -> set[str]:
    """The stretches, as pairs of places, that are closed at a time."""
    place = {node: name for name, node in index.items()}
    edges = closed_edges(graph, at(when))
    assert set(graph.reverse[edges].tolist()) <= {-1, *edges.tolist()}
    return {"".join(sorted(place[graph.tail[e]] + place[graph.head[e]])) for e in edges.tolist()}


PARK = """
    E----A---------B----F
         |         |
         |  I---J  |
         |      |  |
    G----D------C--K----H
"""


def test_a_park_shuts_what_is_inside_and_not_the_street_through_it() -> None:
    tags = {
        "ABKCDA": {"leisure": "park", "opening_hours": "08:00-20:00"},
        "IJ": {"highway": "path"}, "JC": {"highway": "footway"}, "EA": {"highway": "residential"},
        "AJ": {"highway": "residential"}, "DJ": {"highway": "footway", "bridge": "yes"},
        "KH": {"highway": "footway"},
    }  # fmt: skip
    graph, index = graph_from_ascii(PARK, tags=tags)
    assert shut(graph, index, "2026-06-03 12:00") == set()
    assert shut(graph, index, "2026-06-03 20:30") == {"IJ", "CJ"}
    assert shut(graph, index, "2026-06-03 07:59") == {"IJ", "CJ"}
    assert shut(graph, index, "2026-06-03 08:00") == set()
    counted = graph.meta["opening_hours"]
    assert counted == {"rules": 1, "edges": 4, "not_understood": {}}


def test_a_gate_shuts_the_shorter_stretch_at_it() -> None:
    tags = {"AGB": {"highway": "path"}, "G": {"barrier": "gate", "opening_hours": "Mo-Fr 07:00-22:00"}}
    graph, index = graph_from_ascii("A---------G----B", tags=tags)
    assert shut(graph, index, "2026-06-03 12:00") == set()  # a Wednesday
    assert shut(graph, index, "2026-06-06 12:00") == {"BG"}


def test_rules_of_a_way_and_of_a_park_must_all_allow_it() -> None:
    tags = {
        "ABKCDA": {"leisure": "park", "opening_hours": "08:00-20:00"},
        "IJ": {"highway": "path", "foot:conditional": "no @ (Sa)"},
    }
    graph, index = graph_from_ascii(PARK, tags=tags)
    assert shut(graph, index, "2026-06-03 12:00") == set()
    assert shut(graph, index, "2026-06-06 12:00") == {"IJ"}
    assert shut(graph, index, "2026-06-03 21:00") >= {"IJ"}


def test_a_private_way_that_is_open_at_some_hours_is_in_the_graph() -> None:
    private = {"highway": "path", "access": "private", "access:conditional": "yes @ (08:00-20:00)"}
    graph, index = graph_from_ascii("A----B----C", tags={"AB": private})
    assert graph.edge_count == 4
    assert shut(graph, index, "2026-06-03 21:00") == {"AB"}


def test_what_is_not_understood_is_open_and_counted() -> None:
    tags = {"AB": {"highway": "path", "opening_hours": "Closed after eight"}}
    graph, index = graph_from_ascii("A----B----C", tags=tags)
    assert shut(graph, index, "2026-06-03 21:00") == set()
    assert graph.meta["opening_hours"] == {
        "rules": 0,
        "edges": 0,
        "not_understood": {"Closed after eight": 1},
    }
    by_appointment = {"AB": {"highway": "path", "opening_hours": '"by appointment"'}}
    graph, index = graph_from_ascii("A----B----C", tags=by_appointment)
    assert shut(graph, index, "2026-06-03 21:00") == set()


@pytest.mark.parametrize(
    ("hours", "when", "closed"),
    [
        ("sunrise-sunset", "2026-06-03 22:00", False),  # midsummer light
        ("sunrise-sunset", "2026-12-03 17:00", True),
        ("22:00-02:00", "2026-06-03 01:00", False),
        ("22:00-02:00", "2026-06-03 03:00", True),
        ("Oct-Mar 09:00-18:00; Apr-Sep 08:00-21:00", "2026-10-03 20:00", True),
        ("08:00-20:00; PH off", "2026-12-06 12:00", True),  # Finland's independence day
        ("08:00-20:00; PH off", "2026-12-07 12:00", False),
        # clocks go forward at 03:00, so 02:30 is no time there, and backward at 04:00
        ("03:30-05:00", "2026-03-29 04:00", False),
        ("off", "2026-06-03 12:00", True),
    ],
)
def test_hours_are_those_of_the_place(hours: str, when: str, closed: bool) -> None:
    tags = {"AB": {"highway": "path", "opening_hours": hours}}
    graph, index = graph_from_ascii("A----B----C", tags=tags)
    assert shut(graph, index, when) == ({"AB"} if closed else set())


def test_the_time_zone_comes_from_the_place() -> None:
    zones = [
        (41.15, -8.61, "Europe/Lisbon"),
        (38.9, -77.04, "America/New_York"),
        (43.73, 7.42, "Europe/Monaco"),
    ]
    for lat, lon, zone in zones:
        assert time_zone_at(lat, lon) == zone


def test_a_timetable_says_how_long_its_answer_holds() -> None:
    tags = {
        "AB": {"highway": "path", "opening_hours": "08:00-20:00"},
        "BC": {"highway": "path", "opening_hours": "10:00-18:00"},
    }
    graph, _ = graph_from_ascii("A----B----C", tags=tags)
    table = Timetable(graph)
    first = table.closed_edges(at("2026-06-03 09:00"))
    assert len(first) == 2
    assert table.until_s == at("2026-06-03 10:00")
    assert table.closed_edges(at("2026-06-03 09:59")) is first
    assert len(table.closed_edges(table.until_s)) == 0
    assert table.until_s == at("2026-06-03 18:00")
    # time may be asked for in any order
    assert len(table.closed_edges(at("2026-06-03 07:00"))) == 4
    for hour in range(24):
        now = at(f"2026-06-03 {hour:02}:30")
        assert np.array_equal(table.closed_edges(now), closed_edges(graph, now))


def test_a_graph_without_hours_is_always_open() -> None:
    table = Timetable(graph_from_ascii("A----B")[0])
    assert len(table.closed_edges(0.0)) == 0
    assert table.until_s == math.inf


def test_closed_edges_cannot_be_walked_and_survive_the_disk(tmp_path: Path) -> None:
    tags = {"AB": {"highway": "path", "opening_hours": "08:00-20:00"}}
    graph = save_graph(tmp_path / "g", graph_from_ascii("A----B----C", tags=tags)[0])
    opened = open_graph(tmp_path / "g", verify=True)
    assert opened.rules == graph.rules
    edges = closed_edges(opened, at("2026-06-03 21:00"))
    calm = np.zeros((len(opened.cell_h3), len(DYNAMIC_FACTORS)), np.float32)
    costs = apply_conditions(opened, 1, calm, {}, edges, night=False)
    assert np.flatnonzero(costs.closed).tolist() == edges.tolist()
    assert len(edges) == 2


@pytest.mark.parametrize("when", [math.nan, -1.0, math.inf, 1e15])
def test_what_is_no_time_is_refused(when: float) -> None:
    with pytest.raises(BadInput, match="no time"):
        closed_edges(graph_from_ascii("A----B")[0], when)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule(("open gibberish",), 60.0, 24.0, "Europe/Helsinki"), "not understood"),
        (Rule(("open 24/7",), 60.0, 24.0, "Moon/Base"), "time zone"),
    ],
)
def test_a_rule_that_cannot_be_evaluated_is_refused(rule: Rule, message: str) -> None:
    graph = graph_from_ascii("A----B")[0]
    with pytest.raises(BadGraph, match=message):
        Timetable(replace(graph, rules=(rule,)))


def test_a_real_park_in_porto_shuts_at_night(porto: Graph) -> None:
    graph = porto
    night = closed_edges(graph, at("2026-06-03 22:00", "Europe/Lisbon"))
    assert len(night) > 20
    assert len(closed_edges(graph, at("2026-06-03 20:59", "Europe/Lisbon"))) == 0
    assert len(closed_edges(graph, at("2026-12-03 20:59", "Europe/Lisbon"))) == len(night)
    # Parque das Virtudes lies on the slope north of the customs house
    assert np.all(np.abs(graph.node_lat[graph.tail[night]] - 41.145) < 0.003)
    assert len({edge_id(graph, e) for e in night.tolist()}) == len(night)
