import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import shapely

from geo.errors import BadInput
from geo.geodesy import METRES_PER_DEG, from_local, haversine_m, to_local
from geo.graph import Graph
from geo.grid import GRID_DEG, Snap, grid_key, nearest_edges
from geo.osm.importer import import_osm
from tests.geo.asciimap import ORIGIN_LAT, ORIGIN_LON, graph_from_ascii

ALTONA = Path(__file__).parents[2] / "data" / "osm" / "altona" / "altona.osm.pbf"


@cache
def altona() -> Graph:
    return import_osm([ALTONA])


def shape(graph: Graph, edge: int) -> list[tuple[float, float]]:
    first, last = graph.shape_first[edge], graph.shape_first[edge + 1]
    return [(float(graph.shape_lat[p]), float(graph.shape_lon[p])) for p in range(first, last)]


def listed_edges(graph: Graph) -> list[int]:
    return [e for e in range(graph.edge_count) if graph.reverse[e] == -1 or e < graph.reverse[e]]


def naive_nearest(graph: Graph, lat: float, lon: float, radius_m: float, limit: int) -> list[Snap]:
    """All edges, one by one, by shapely in the plane around the point."""
    here, snaps = shapely.Point(0, 0), []
    for edge in listed_edges(graph):
        points = shape(graph, edge)
        line = shapely.LineString([tuple(map(float, to_local(a, b, lat, lon))) for a, b in points])
        distance = line.distance(here)
        if distance <= radius_m:
            at = line.interpolate(line.project(here))
            place = from_local(at.x, at.y, lat, lon)
            fraction = line.project(here) / line.length
            snaps.append(Snap(edge, fraction, distance, float(place[0]), float(place[1])))
    return sorted(snaps, key=lambda snap: snap.distance_m)[:limit]


def test_a_square_is_its_row_and_column() -> None:
    assert grid_key(-90, -180) == 0
    assert grid_key(-90 + 1.5 * GRID_DEG, -180 + 2.5 * GRID_DEG) == (1 << 32) | 2
    assert grid_key(0.0001, 0.0001) == (180_000 << 32) | 360_000


def test_every_edge_is_in_exactly_the_squares_it_passes_through() -> None:
    graph = altona()
    squares: dict[int, set[int]] = {}
    for i, key in enumerate(graph.grid_key.tolist()):
        for edge in graph.grid_edge[graph.grid_first[i] : graph.grid_first[i + 1]].tolist():
            squares.setdefault(edge, set()).add(key)
    assert sorted(squares) == listed_edges(graph)
    for edge, keys in squares.items():
        line = shapely.LineString([(lon + 180, lat + 90) for lat, lon in shape(graph, edge)])
        west, south, east, north = (math.floor(v / GRID_DEG) for v in line.bounds)
        for row in range(south - 1, north + 2):
            for column in range(west - 1, east + 2):
                sides = column * GRID_DEG, row * GRID_DEG, (column + 1) * GRID_DEG, (row + 1) * GRID_DEG
                square = shapely.box(*sides)
                listed = (row << 32 | column) in keys
                # on the border of two squares either answer is right
                if line.intersects(square.buffer(-1e-8)):
                    assert listed, (edge, row, column)
                elif not line.intersects(square.buffer(1e-8)):
                    assert not listed, (edge, row, column)


@pytest.mark.parametrize("seed", range(3))
def test_nearest_edges_are_the_naive_ones(seed: int) -> None:
    graph = altona()
    rng = np.random.default_rng(seed)
    print("seed", seed)
    for _ in range(8):
        node = rng.integers(graph.node_count)
        lat = float(graph.node_lat[node] + rng.normal(0, 0.0005))
        lon = float(graph.node_lon[node] + rng.normal(0, 0.0005))
        radius_m = float(rng.uniform(0, 120))
        limit = int(rng.integers(1, 12))
        found = nearest_edges(graph, lat, lon, radius_m, limit)
        expected = naive_nearest(graph, lat, lon, radius_m, limit)
        assert [s.distance_m for s in found] == pytest.approx([s.distance_m for s in expected], abs=1e-4)
        by_edge = {snap.edge: snap for snap in naive_nearest(graph, lat, lon, radius_m, 10_000)}
        for snap in found:
            twin = by_edge[snap.edge]
            assert haversine_m(snap.lat, snap.lon, twin.lat, twin.lon) < 0.01
            assert snap.fraction == pytest.approx(twin.fraction, abs=1e-6)


def test_a_snap_says_where_on_the_edge() -> None:
    graph, at = graph_from_ascii("""
        A---------B
    """)
    lat, lon = from_local(30, 7, ORIGIN_LAT, ORIGIN_LON)
    (snap,) = nearest_edges(graph, float(lat), float(lon), 10)
    assert graph.tail[snap.edge] == min(at["A"], at["B"])
    along = snap.fraction if graph.tail[snap.edge] == at["A"] else 1 - snap.fraction
    assert along == pytest.approx(0.3, abs=1e-5)
    assert snap.distance_m == pytest.approx(7, abs=1e-5)
    assert (snap.lat, snap.lon) == pytest.approx((ORIGIN_LAT, float(lon)))
    assert nearest_edges(graph, float(lat), float(lon), 6.9) == []


def test_a_one_way_edge_is_listed_though_it_has_no_reverse() -> None:
    graph, at = graph_from_ascii(
        """
        A---------B
        """,
        tags={"BA": {"highway": "footway", "oneway:foot": "yes"}},
    )
    (snap,) = nearest_edges(graph, ORIGIN_LAT, ORIGIN_LON, 10)
    assert (graph.tail[snap.edge], graph.head[snap.edge]) == (at["B"], at["A"])
    assert snap.fraction == pytest.approx(1)


def test_a_long_edge_is_found_from_its_middle() -> None:
    graph, _ = graph_from_ascii("A------------------B", metres_per_char=100)
    _, lon = from_local(950, 0, ORIGIN_LAT, ORIGIN_LON)
    assert [snap.edge for snap in nearest_edges(graph, ORIGIN_LAT, float(lon), 5)] == [0]


@pytest.mark.parametrize(
    ("lat", "lon", "radius_m"),
    [(91, 0, 10), (0, 181, 10), (float("nan"), 0, 10), (0, 0, -1), (0, 0, 1e7), (0, 0, float("nan"))],
)
def test_what_is_no_place_or_radius_is_refused(lat: float, lon: float, radius_m: float) -> None:
    with pytest.raises(BadInput):
        nearest_edges(altona(), lat, lon, radius_m)


@pytest.mark.parametrize(("lat", "lon"), [(90, 0), (-90, 180), (0, -180), (0, 180)])
def test_the_ends_of_the_earth_have_no_edges(lat: float, lon: float) -> None:
    assert nearest_edges(altona(), lat, lon, 5000) == []


def test_radius_is_in_metres_to_the_east_as_to_the_north() -> None:
    graph, _ = graph_from_ascii("""
        A
        |
        B
    """)
    east = 40 / (METRES_PER_DEG * math.cos(math.radians(ORIGIN_LAT)))
    assert nearest_edges(graph, ORIGIN_LAT, ORIGIN_LON + east, 41)
    assert not nearest_edges(graph, ORIGIN_LAT, ORIGIN_LON + east, 39)
