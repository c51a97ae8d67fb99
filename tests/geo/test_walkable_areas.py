"""Squares, platforms and piers that people cross, on drawn maps, in OSM files and in real cities."""

from pathlib import Path

import numpy as np
import pytest

from geo.geodesy import haversine_m
from geo.graph import Graph, edge_id, edge_of_id
from geo.graph_check import check_graph
from geo.osm.foot_access import is_area, is_obstacle
from geo.osm.importer import import_osm
from tests.geo.asciimap import graph_from_ascii
from tests.geo.test_osm_import import xml

SQUARE = {"highway": "pedestrian", "area": "yes", "name": "Torv"}

PLAZA = """
    E----A-----------B----F
         |           |
         |           |
         |           |
    G----D-----------C----H
"""


def distance(graph: Graph, start: int, end: int) -> float:
    """The shortest way in metres, by Bellman and Ford."""
    away = np.full(graph.node_count, np.inf)
    away[start] = 0.0
    for _ in range(graph.node_count):
        before = away.copy()
        np.minimum.at(away, graph.head, away[graph.tail] + graph.length_m)
        if np.array_equal(before, away):
            break
    return float(away[end])


def straight(graph: Graph, a: int, b: int) -> float:
    return float(haversine_m(graph.node_lat[a], graph.node_lon[a], graph.node_lat[b], graph.node_lon[b]))


@pytest.mark.parametrize(
    ("tags", "crossed"),
    [
        (SQUARE, True),
        ({"highway": "footway", "area": "yes"}, True),
        ({"highway": "service", "area": "yes"}, True),
        ({"railway": "platform"}, True),
        ({"man_made": "pier"}, True),
        ({"highway": "pedestrian"}, False),  # a street that runs in a ring
        ({"railway": "platform", "area": "no"}, False),
        ({"highway": "pedestrian", "area": "yes", "oneway:foot": "yes"}, False),
    ],
)
def test_areas_are_crossed_and_rings_walked_round(tags: dict[str, str], crossed: bool) -> None:
    graph, at = graph_from_ascii(PLAZA, tags={"ABCDA": tags})
    check_graph(graph)
    diagonal = straight(graph, at["A"], at["C"])
    sides = straight(graph, at["A"], at["B"]) + straight(graph, at["B"], at["C"])
    assert distance(graph, at["A"], at["C"]) == pytest.approx(diagonal if crossed else sides, rel=1e-3)


def test_a_line_across_is_named_by_the_way_of_the_area() -> None:
    graph, at = graph_from_ascii(PLAZA, tags={"ABCDA": SQUARE})
    across = np.flatnonzero((graph.tail == at["A"]) & (graph.head == at["C"]))
    assert len(across) == 1
    edge = int(across[0])
    assert graph.way[edge] == 101
    assert graph.names[graph.name[edge]] == "Torv"
    assert edge_of_id(graph, edge_id(graph, edge)) == edge
    assert (
        edge_id(graph, int(graph.reverse[edge])) == f"101/{graph.node_osm[at['C']]}/{graph.node_osm[at['A']]}"
    )
    ids = [edge_id(graph, e) for e in range(graph.edge_count)]
    assert len(set(ids)) == len(ids)


def test_nobody_walks_through_a_house_on_the_square_or_a_door_that_is_shut() -> None:
    drawing = """
        E----A-----------B----F
             |  I-----J  |
             |  |     |  |
             |  L-----K  |
        G----D-----------C----H
    """
    house = {"building": "kiosk"}
    graph, at = graph_from_ascii(drawing, tags={"ABCDA": SQUARE, "IJKLI": house})
    assert distance(graph, at["A"], at["C"]) > straight(graph, at["A"], at["C"]) * 1.01
    roof, _ = graph_from_ascii(drawing, tags={"ABCDA": SQUARE, "IJKLI": {"building": "roof"}})
    assert distance(roof, at["A"], at["C"]) == pytest.approx(straight(roof, at["A"], at["C"]), rel=1e-3)
    wall, at = graph_from_ascii(
        drawing, tags={"ABCDA": SQUARE, "IJKLI": {"x": "y"}, "EC": {"barrier": "wall"}}
    )
    assert not ((wall.tail == at["A"]) & (wall.head == at["D"]) & (wall.length_m > 45)).any()
    shut, at = graph_from_ascii(PLAZA, tags={"ABCDA": SQUARE, "A": {"barrier": "fence"}})
    assert not ((shut.node_osm[shut.tail] == 2) & (shut.node_osm[shut.head] == 7)).any()


def test_a_wall_across_parts_a_square() -> None:
    drawing = """
        E----A-----W-----B----F
             |           |
             |           |
        G----D-----X-----C----H
    """
    tags = {"AWBCXDA": SQUARE, "WX": {"barrier": "wall"}}
    graph, at = graph_from_ascii(drawing, tags=tags)
    assert not ((graph.tail == at["A"]) & (graph.head == at["C"])).any()
    assert distance(graph, at["A"], at["C"]) == pytest.approx(
        straight(graph, at["A"], at["W"]) + straight(graph, at["W"], at["C"]), rel=1e-3
    )


@pytest.mark.parametrize(
    ("tags", "reached"),
    [
        ({"highway": "footway"}, True),
        ({"highway": "footway", "layer": "-1"}, False),
        ({"highway": "footway", "bridge": "yes"}, False),
        ({"highway": "steps", "layer": "-1"}, True),
    ],
)
def test_a_way_that_ends_inside_is_reached_if_it_is_on_the_same_level(
    tags: dict[str, str], reached: bool
) -> None:
    drawing = """
        E----A-----------B----F
             |           |
             |     X     |
             |           |
        G----D-----------C----H
                   |
                   Y
    """.replace("D-----------C", "D-----M-----C")
    graph, at = graph_from_ascii(drawing, tags={"ABCMDA": SQUARE, "XY": tags})
    joined = distance(graph, at["A"], at["X"]) < straight(graph, at["A"], at["X"]) * 1.06
    assert joined is reached


def test_a_square_mapped_as_multipolygon_with_a_hole(tmp_path: Path) -> None:
    corners = [(0, 0), (0, 4), (4, 4), (4, 0), (1, 1), (1, 3), (3, 3), (3, 1)]
    nodes = {i: (55.0 + lat * 1e-4, 12.0 + lon * 1e-4) for i, (lat, lon) in enumerate(corners, 1)}
    nodes |= {9: (54.999, 11.999), 10: (55.001, 12.001), 11: (55.001, 11.9999)}
    ways = {
        20: ([1, 2, 3], {}),
        21: ([3, 4, 1], {}),
        22: ([5, 6, 7, 8, 5], {"landuse": "grass"}),
        30: ([9, 1], {"highway": "footway"}),
        31: ([3, 10], {"highway": "footway"}),
        32: ([4, 11], {"highway": "footway"}),
    }
    members = [(20, "outer"), (21, "outer"), (22, "inner")]
    relations = {5: (members, {"type": "multipolygon", "highway": "pedestrian", "name": "Torv"})}
    (tmp_path / "a.osm").write_text(xml(nodes, ways, relations))
    graph = import_osm([tmp_path / "a.osm"])
    check_graph(graph)
    ids = {edge_id(graph, e) for e in range(graph.edge_count)}
    # from 1 to 3 round the hole, on either side of it, by way 20, the lower of the two outer ones
    assert {"20/1/8", "20/8/3"} <= ids or {"20/1/6", "20/6/3"} <= ids
    assert graph.length_m[edge_of_id(graph, "20/1/3")] > 60  # the outline
    assert {graph.names[n] for n, way in zip(graph.name, graph.way, strict=True) if way == 20} == {"Torv"}
    assert graph.meta["areas"] == {
        "crossed": 1,
        "lines": len([i for i in ids if i.startswith("20/")]) // 2 - 1,
    }


def test_an_area_in_two_extracts_is_crossed_once(tmp_path: Path) -> None:
    nodes = {1: (55.0, 12.0), 2: (55.0, 12.001), 3: (55.001, 12.001), 4: (55.001, 12.0), 5: (55.002, 12.002),
             6: (54.999, 11.999)}  # fmt: skip
    ways = {
        10: ([1, 2, 3, 4, 1], SQUARE),
        11: ([3, 5], {"highway": "path"}),
        12: ([6, 1], {"highway": "path"}),
    }
    for name in ("a.osm", "b.osm"):
        (tmp_path / name).write_text(xml(nodes, ways))
    graph = import_osm([tmp_path / "a.osm", tmp_path / "b.osm"])
    assert graph.meta["areas"] == {"crossed": 1, "lines": 1}


@pytest.mark.parametrize(
    ("tags", "area", "obstacle"),
    [
        ({"highway": "pedestrian", "area": "yes"}, True, False),
        ({"highway": "motorway", "area": "yes"}, False, False),
        ({"place": "square"}, False, False),
        ({"leisure": "park"}, False, False),
        ({"building": "yes"}, False, True),
        ({"building": "no"}, False, False),
        ({"building": "yes", "layer": "1"}, False, False),
        ({"building": "yes", "location": "underground"}, False, False),
        ({"natural": "water"}, False, True),
        ({"amenity": "fountain"}, False, True),
        ({"landuse": "grass"}, False, False),
    ],
)
def test_what_is_an_area_and_what_is_in_the_way(tags: dict[str, str], area: bool, obstacle: bool) -> None:
    assert is_area(tags) is area
    assert is_obstacle(tags) is obstacle
