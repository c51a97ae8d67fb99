"""Which streets and cells a geometry touches, read off drawn maps."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.geodesy import METRES_PER_DEG, haversine_m
from models.world.condition_places import cells_within, edge_of_key, edges_of, middle, positions
from tests.geo.asciimap import graph_from_ascii

GRAPH, AT = graph_from_ascii(
    """
    A----------B----------C
    |          |          |
    |          |          |
    |          |          |
    D----------E----------F
    """
)
METRE_LAT = 1.0 / METRES_PER_DEG
METRE_LON = METRE_LAT / np.cos(np.radians(60.0))


def at(name, east_m=0.0, south_m=0.0):
    node = AT[name]
    return [
        float(GRAPH.node_lon[node]) + east_m * METRE_LON,
        float(GRAPH.node_lat[node]) - south_m * METRE_LAT,
    ]


def streets(geometry):
    names = {node: name for name, node in AT.items()}
    return sorted(
        "".join(sorted((names[GRAPH.tail[e]], names[GRAPH.head[e]]))) for e in edges_of(GRAPH, geometry)
    )


def line(*coordinates):
    return {"type": "LineString", "coordinates": list(coordinates)}


def test_line_along_a_street_leaves_the_side_streets_open():
    assert streets(line(at("A"), at("B"), at("C"))) == ["AB", "BC"]


def test_line_ends_where_it_ends():
    assert streets(line(at("A"), at("B"))) == ["AB"]


def test_line_beside_the_street_within_reach():
    assert streets(line(at("A", south_m=14.0), at("B", south_m=14.0))) == ["AB"]
    assert streets(line(at("A", south_m=16.0), at("B", south_m=16.0))) == []


def test_line_across_a_street_does_not_touch_it():
    assert streets(line(at("A", 55.0, -40.0), at("A", 55.0, 40.0))) == []


def test_line_over_a_part_of_a_street_is_enough():
    assert streets(line(at("A", 40.0), at("A", 60.0))) == ["AB"]
    assert streets(line(at("A", 40.0), at("A", 44.0))) == []


def test_line_against_the_direction_and_bent():
    assert streets(line(at("C"), at("B"), at("E"))) == ["BC", "BE"]


def test_long_coarse_line_is_followed_into_the_city():
    assert streets(line(at("A", -20_000.0), at("C", 20_000.0))) == ["AB", "BC"]


def test_point_takes_the_nearest_street():
    assert streets({"type": "Point", "coordinates": at("A", 50.0, 5.0)}) == ["AB"]
    assert streets({"type": "Point", "coordinates": at("A", 50.0, -41.0)}) == []
    both = {"type": "MultiPoint", "coordinates": [at("A", 50.0), at("E", 50.0)]}
    assert streets(both) == ["AB", "EF"]


def test_polygon_takes_what_runs_inside():
    ring = [at("A", -5.0, -5.0), at("B", 5.0, -5.0), at("B", 5.0, 20.0), at("A", -5.0, 20.0)]
    assert streets({"type": "Polygon", "coordinates": [[*ring, ring[0]]]}) == ["AB", "AD", "BE"]
    hole = [at("A", 2.0, -3.0), at("B", -2.0, -3.0), at("B", -2.0, 3.0), at("A", 2.0, 3.0)]
    pierced = {"type": "Polygon", "coordinates": [[*ring, ring[0]], [*hole, hole[0]]]}
    assert streets(pierced) == ["AD", "BE"]
    assert streets({"type": "MultiPolygon", "coordinates": [pierced["coordinates"]]}) == ["AD", "BE"]


def test_one_direction_stands_for_a_stretch():
    edges = edges_of(GRAPH, line(at("A"), at("B")))
    assert len(edges) == 1
    assert edges[0] < GRAPH.reverse[edges[0]]


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": [0.0, 0.0]},
        {"type": "LineString", "coordinates": [[-180.0, -90.0], [180.0, 90.0]]},
        {"type": "LineString", "coordinates": [[24.0, 60.0], [24.0, 60.0]]},
        {"type": "LineString", "coordinates": [[24.0, 60.0]]},
        {"type": "Polygon", "coordinates": [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]]},
        {"type": "Polygon", "coordinates": [[[24.0, 60.0]]]},
    ],
)
def test_geometries_far_away_or_degenerate(geometry):
    assert len(edges_of(GRAPH, geometry)) == 0


COORDINATE = st.tuples(st.floats(-100, 400), st.floats(-100, 150)).map(lambda m: at("A", *m))


@settings(max_examples=80, deadline=None)
@given(st.lists(COORDINATE, min_size=2, max_size=5, unique_by=tuple))
def test_touched_streets_are_near_the_line(coordinates):
    """Against shapely: every touched edge comes within 15 m (and 2 m for bends) of the line."""
    flat = [((x - at("A")[0]) / METRE_LON, (y - at("A")[1]) / METRE_LAT) for x, y in coordinates]
    drawn = shapely.LineString(flat)
    for edge in edges_of(GRAPH, line(*coordinates)):
        a, b = GRAPH.shape_first[edge], GRAPH.shape_first[edge + 1]
        xy = [
            ((x - at("A")[0]) / METRE_LON, (y - at("A")[1]) / METRE_LAT)
            for x, y in zip(GRAPH.shape_lon[a:b], GRAPH.shape_lat[a:b], strict=True)
        ]
        assert drawn.distance(shapely.LineString(xy)) < 17.5


def test_cells_within():
    lat, lon = float(GRAPH.cell_lat[0]), float(GRAPH.cell_lon[0])
    cells, distances = cells_within(GRAPH, lat, lon, 10_000.0)
    assert sorted(cells) == list(range(len(GRAPH.cell_h3)))
    assert distances == pytest.approx(haversine_m(GRAPH.cell_lat[cells], GRAPH.cell_lon[cells], lat, lon))
    assert list(cells_within(GRAPH, lat, lon, 1.0)[0]) == [0]
    assert len(cells_within(GRAPH, 0.0, 0.0, 10_000.0)[0]) == 0


def test_middle_of_a_geometry():
    assert middle(line([1.0, 2.0], [3.0, 6.0])) == (4.0, 2.0)
    nested = [[[[1, 2], [3, 4]], [[5, 6]]]]
    assert list(positions(nested)) == [(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)]


def test_edge_of_key():
    assert edge_of_key(GRAPH, "1/2/3") is None
    assert edge_of_key(GRAPH, "891126d3b6fffff") is None
