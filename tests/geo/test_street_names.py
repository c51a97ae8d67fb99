"""The street that people walk along: drawn pavements, and the kernel against a plain loop on Altona."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geo.geodesy import to_local
from geo.guidance.street_names import BESIDE_M, PARALLEL_COS, names_along
from geo.osm.foot_access import CLASS_CODE, ROAD_CLASSES
from geo.osm.importer import import_osm
from tests.geo.asciimap import graph_from_ascii
from tests.geo.walked import walk

OSM = Path(__file__).parents[2] / "data" / "osm"
STREETS = {
    "pedestrian", "living_street", "residential", "unclassified", "road",
    "tertiary", "secondary", "primary", "trunk",
}  # fmt: skip


def names(map, places, tags, **drawing):
    graph, at = graph_from_ascii(map, tags=tags, **drawing)
    edges = walk(graph, at, places).edges
    codes = names_along(graph, edges, graph.length_m[edges])
    return [graph.names[code] if code >= 0 else "" for code in codes]


MAP = """
    A---------B---------C
    |
    D---------E---------F
    |
    G---------H---------I
"""
MAIN = {"highway": "secondary", "name": "Main"}
PAVEMENT = {"highway": "footway", "footway": "sidewalk"}


def test_a_pavement_has_the_name_of_its_street():
    tags = {"ABC": MAIN, "DEF": PAVEMENT, "*": {"highway": "footway"}}
    assert names(MAP, "DEF", tags) == ["Main", "Main"]
    # the third line is 40 m away, and what leads there is at right angles
    assert names(MAP, "GHI", tags) == ["", ""]
    assert names(MAP, "GDA", tags) == ["", ""]


def test_the_nearer_street_names_a_path_between_two():
    tags = {"ABC": MAIN, "DEF": PAVEMENT, "GHI": {"highway": "service", "name": "Yard"}}
    assert names(MAP, "DEF", tags) == ["Main", "Main"]  # a yard is no street to know a path by


def test_a_path_beside_one_street_and_then_another_has_neither_name():
    map = """
        A----B      C----E
        D----------------F
    """
    first, second = {**MAIN, "name": "First"}, {**MAIN, "name": "Second"}
    assert names(map, "DF", {"AB": first, "CE": second}) == [""]
    assert names(map, "DF", {"AB": first, "CE": first}) == ["First"]


def test_own_names_stay():
    tags = {"ABC": MAIN, "DEF": {"highway": "footway", "name": "Poets' Walk"}}
    assert names(MAP, "DEF", tags) == ["Poets' Walk", "Poets' Walk"]


@pytest.mark.parametrize(("metres_per_char", "name"), [(3.0, "Main"), (10.0, "")])
def test_a_bit_between_two_stretches_of_a_street_belongs_to_it_if_it_is_short(metres_per_char, name):
    tags = {"AB": MAIN, "BC": {"highway": "steps"}, "CD": MAIN}
    assert names("A---------B----C---------D", "ABCD", tags, metres_per_char=metres_per_char) == [
        "Main",
        name,
        "Main",
    ]


def test_a_street_that_is_only_crossed_keeps_its_name_if_it_is_long():
    tags = {"AB": MAIN, "BC": {"highway": "residential", "name": "Side"}, "CD": MAIN}
    assert names("A---------B----C---------D", "ABCD", tags, metres_per_char=3.0) == ["Main"] * 3
    assert names("A---------B----C---------D", "ABCD", tags, metres_per_char=6.0) == ["Main", "Side", "Main"]
    assert names("A---------B----C---------D", "ABCD", tags) == ["Main", "Side", "Main"]


def test_the_kernel_equals_a_plain_loop():
    graph = import_osm(sorted((OSM / "altona").glob("*.osm.pbf")))
    # the extract knows hardly a pavement: every third way becomes one without a name
    footway = graph.way % 3 == 0
    graph = replace(
        graph,
        name=np.where(footway, -1, graph.name).astype(np.int32),
        road_class=np.where(footway, CLASS_CODE["footway"], graph.road_class).astype(np.uint8),
    )
    is_street = [ROAD_CLASSES[code] in STREETS for code in graph.road_class]
    streets = [e for e in range(graph.edge_count) if graph.name[e] >= 0 and is_street[e]]
    found = 0
    for edge in np.flatnonzero(footway)[::5].tolist():
        (code,) = names_along(graph, np.array([edge], np.int32), np.ones(1))
        assert code == naive_name(graph, streets, edge)
        found += code >= 0
    assert found > 10


def naive_name(graph, streets, edge):
    """By looking at every segment of every street."""
    first, end = graph.shape_first[edge], graph.shape_first[edge + 1]
    lat0, lon0 = float(graph.shape_lat[first]), float(graph.shape_lon[first])
    x, y = to_local(graph.shape_lat[first:end], graph.shape_lon[first:end], lat0, lon0)
    done = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    answers = []
    for share in (0.25, 0.5, 0.75):
        along = share * done[-1]
        px, py = np.interp(along, done, x), np.interp(along, done, y)
        i = max(0, int(np.searchsorted(done, along)) - 1)
        direction = np.array([x[i + 1] - x[i], y[i + 1] - y[i]])
        best, answer = BESIDE_M, -1
        for street in streets:
            a, b = graph.shape_first[street], graph.shape_first[street + 1]
            if abs(graph.shape_lat[a] - lat0) > 0.01 or abs(graph.shape_lon[a] - lon0) > 0.02:
                continue
            sx, sy = to_local(graph.shape_lat[a:b], graph.shape_lon[a:b], lat0, lon0)
            for k in range(len(sx) - 1):
                piece = np.array([sx[k + 1] - sx[k], sy[k + 1] - sy[k]])
                size = math.hypot(*piece)
                if size == 0.0 or abs(piece @ direction) < PARALLEL_COS * size * math.hypot(*direction):
                    continue
                t = min(1.0, max(0.0, ((px - sx[k]) * piece[0] + (py - sy[k]) * piece[1]) / size**2))
                away = math.hypot(sx[k] + t * piece[0] - px, sy[k] + t * piece[1] - py)
                if away < best:
                    best, answer = away, int(graph.name[street])
        answers.append(answer)
    return next((a for a in answers if a >= 0 and answers.count(a) >= 2), -1)
