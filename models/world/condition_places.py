"""Where a report takes effect: the streets its geometry runs along and the H3 cells around a point.

An edge stands for its stretch: of a two-way pair only the lower index is returned, as in the spatial
index; `geo.routing.costs.apply_conditions` gives a value to both directions. An edge is *along* a line when
it runs beside it (within 15 m and 35°) for half of its own length or 15 m: a side street that ends there is
not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.cities import Cities
from geo.errors import BadInput
from geo.geodesy import METRES_PER_DEG, haversine_m, to_local
from geo.graph import F64, I32, I64, Graph, edge_id, edge_of_id
from geo.grid import GRID_DEG, nearest_edges

LINE_REACH_M = 15.0
POINT_REACH_M = 40.0
AIR_REACH_M = 1_000.0
WEATHER_REACH_M = 10_000.0
_ALONG_COS = math.cos(math.radians(35.0))
_LEAST_ALONG_M = 15.0
_SAMPLE_M = 5.0
_OVERHANG_M = 2.0  # so that a bend leaves no gap on its outer side
_TILE_DEG = 0.01  # lines are worked through tile by tile: a road across a country meets a city in one of them

Line = NDArray[np.float64]
"""(n, 2) latitudes and longitudes."""


def cell_key(cell: int) -> str:
    """15 hexadecimal digits, the key of an H3 cell in the topic edge-conditions."""
    return f"{cell:015x}"


def cells_by_key(graph: Graph) -> dict[str, int]:
    """The index of every cell of the graph by its key."""
    return {cell_key(int(h3)): i for i, h3 in enumerate(graph.cell_h3)}


def edge_of_key(graph: Graph, key: str) -> int | None:
    """The edge with a key, None for a key that is no edge of this graph."""
    try:
        return edge_of_id(graph, key)
    except BadInput:
        return None


def edges_of(graph: Graph, geometry: Mapping[str, Any]) -> I32:
    """Edges that a GeoJSON geometry touches, ascending.

    Lines: edges along them; points: the nearest edge within 40 m; polygons: edges that run inside.
    """
    found: set[int] = set()
    coordinates = geometry["coordinates"]
    kind = geometry["type"]
    if kind in ("Point", "MultiPoint"):
        for lon, lat, *_ in [coordinates] if kind == "Point" else coordinates:
            found.update(snap.edge for snap in nearest_edges(graph, lat, lon, POINT_REACH_M, 1))
    elif kind in ("LineString", "MultiLineString"):
        for line in [coordinates] if kind == "LineString" else coordinates:
            found.update(edges_along(graph, _line(line)))
    else:
        for polygon in [coordinates] if kind == "Polygon" else coordinates:
            found.update(_edges_inside(graph, [_line(ring) for ring in polygon]))
    return np.array(sorted(found), np.int32)


def edges_along(graph: Graph, line: Line) -> set[int]:
    """Edges that run beside a line of (n, 2) latitudes and longitudes for long enough."""
    if len(line) < 2:
        return set()
    beside: dict[int, float] = {}
    for segments in _tiles(line, graph):
        south, west = segments[:, :, 0].min(), segments[:, :, 1].min()
        north, east = segments[:, :, 0].max(), segments[:, :, 1].max()
        edges = _edges_in_box(graph, south, west, north, east, LINE_REACH_M)
        if not len(edges):
            continue
        samples = _samples(graph, edges)
        near = _beside(samples, segments)
        for edge, step in zip(samples[near, 0].astype(int), samples[near, 5], strict=True):
            beside[edge] = beside.get(edge, 0.0) + step
    return {e for e, m in beside.items() if m >= min(_LEAST_ALONG_M, 0.5 * float(graph.length_m[e]))}


def stretches_of(cities: Cities, geometry: Mapping[str, Any]) -> list[str]:
    """The keys of the edges that a GeoJSON geometry touches, in all cities."""
    lon, lat = np.array(list(positions(geometry["coordinates"])), np.float64).T
    met = cities.meeting(lat.min(), lon.min(), lat.max(), lon.max())
    found = [edge_id(city.graph, int(edge)) for city in met for edge in edges_of(city.graph, geometry)]
    return list(dict.fromkeys(found))  # extracts may overlap


def cells_near(cities: Cities, lat: float, lon: float, radius_m: float) -> dict[str, float]:
    """The keys of the cells whose centre lies within `radius_m` of a point, and how far away that is in m."""
    found: dict[str, float] = {}
    for city in cities.near(lat, lon, radius_m):
        cells, distances_m = cells_within(city.graph, lat, lon, radius_m)
        names = [cell_key(int(h3)) for h3 in city.graph.cell_h3[cells]]
        found.update(zip(names, distances_m.tolist(), strict=True))
    return found


def cells_within(graph: Graph, lat: float, lon: float, radius_m: float) -> tuple[I32, F64]:
    """Indices of the cells whose centre lies within `radius_m` of a point, and their distances in m."""
    distance = haversine_m(graph.cell_lat, graph.cell_lon, lat, lon)
    near = np.flatnonzero(distance <= radius_m).astype(np.int32)
    return near, distance[near]


def middle(geometry: Mapping[str, Any]) -> tuple[float, float]:
    """Latitude and longitude of the mean of a geometry's positions."""
    flat = np.array(list(positions(geometry["coordinates"])), np.float64)
    return float(flat[:, 1].mean()), float(flat[:, 0].mean())


def positions(coordinates: Any) -> Iterable[tuple[float, float]]:
    """All positions (lon, lat) of GeoJSON coordinates, however deeply nested."""
    if coordinates and isinstance(coordinates[0], (int, float)):
        yield float(coordinates[0]), float(coordinates[1])
        return
    for part in coordinates:
        yield from positions(part)


def _line(coordinates: Any) -> Line:
    return np.array([[position[1], position[0]] for position in coordinates], np.float64)


def _tiles(line: Line, graph: Graph) -> Iterable[NDArray[np.float64]]:
    """The line's segments (n, 2, 2) that come near the graph, grouped so that each group is compact."""
    if not graph.node_count:
        return
    margin = 0.001
    segments = np.stack([line[:-1], line[1:]], axis=1)
    low, high = segments.min(axis=1), segments.max(axis=1)
    lat, lon = graph.node_lat, graph.node_lon
    here = (
        (high[:, 0] >= lat.min() - margin)
        & (low[:, 0] <= lat.max() + margin)
        & (high[:, 1] >= lon.min() - margin)
        & (low[:, 1] <= lon.max() + margin)
    )
    segments = segments[here]
    if not len(segments):
        return
    pieces = []
    for a, b in segments:
        # Long segments are cut, or the box around a diagonal one would hold half the city.
        n = max(1, math.ceil(max(abs(b - a)) / _TILE_DEG))
        if n > 10_000:
            continue  # wider than a hundred degrees: no street
        stops = a + (b - a) * np.linspace(0.0, 1.0, n + 1)[:, None]
        pieces.append(np.stack([stops[:-1], stops[1:]], axis=1))
    if not pieces:
        return
    cut = np.concatenate(pieces)
    tile = np.floor(cut.mean(axis=1) / _TILE_DEG).astype(np.int64)
    _, group = np.unique(tile, axis=0, return_inverse=True)
    group = group.reshape(-1)
    for i in range(int(group.max()) + 1):
        yield cut[group == i]


def _edges_in_box(graph: Graph, south: float, west: float, north: float, east: float, reach_m: float) -> I32:
    """Edges that the squares of the spatial index list in a box widened by `reach_m`, each once."""
    dlat = reach_m / METRES_PER_DEG
    dlon = dlat / max(0.01, math.cos(math.radians((south + north) / 2)))
    rows = np.arange(_square(south - dlat, 90), _square(north + dlat, 90) + 1, dtype=np.int64) << 32
    columns = _square(west - dlon, 180), _square(east + dlon, 180)
    starts = graph.grid_first[np.searchsorted(graph.grid_key, rows | max(0, columns[0]), "left")]
    ends = graph.grid_first[np.searchsorted(graph.grid_key, rows | max(0, columns[1]), "right")]
    found = [graph.grid_edge[a:b] for a, b in zip(starts, ends, strict=True) if a < b]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int32)


def _square(degrees: float, shift: float) -> int:
    return math.floor((degrees + shift) / GRID_DEG)


def _samples(graph: Graph, edges: I32) -> NDArray[np.float64]:
    """Points along edges: (n, 6) edge, lat, lon, unit direction east and north, metres it stands for."""
    first = graph.shape_first[edges]
    start, edge = _ranges(first, graph.shape_first[edges + 1] - 1 - first, edges)
    lat, lon = np.asarray(graph.shape_lat[start]), np.asarray(graph.shape_lon[start])
    dlat, dlon = graph.shape_lat[start + 1] - lat, graph.shape_lon[start + 1] - lon
    dx, dy = dlon * METRES_PER_DEG * np.cos(np.radians(lat)), dlat * METRES_PER_DEG
    length = np.hypot(dx, dy)
    # A segment without length gets no sample.
    count = np.where(length > 0.0, np.maximum(1, np.rint(length / _SAMPLE_M)), 0).astype(np.int64)
    number, of = _ranges(np.zeros(len(count), np.int64), count, np.arange(len(count)))
    t = (number + 0.5) / count[of]
    along = length[of]
    columns = (edge[of], lat[of] + t * dlat[of], lon[of] + t * dlon[of], dx[of] / along, dy[of] / along)
    return np.column_stack([*columns, along / count[of]])


def _ranges(first: NDArray[Any], count: NDArray[Any], label: NDArray[Any]) -> tuple[I64, NDArray[Any]]:
    """count[i] numbers from first[i] on for every i, one after the other, and label[i] beside each."""
    begins = np.cumsum(count) - count
    return np.arange(count.sum()) - np.repeat(begins - first, count), np.repeat(label, count)


def _beside(samples: NDArray[np.float64], segments: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which samples lie within reach of a segment that runs their way (or against it)."""
    lat0, lon0 = float(segments[0, 0, 0]), float(segments[0, 0, 1])
    px, py = to_local(samples[:, 1], samples[:, 2], lat0, lon0)
    sx, sy = to_local(segments[:, :, 0], segments[:, :, 1], lat0, lon0)
    near = np.zeros(len(samples), np.bool_)
    for ax, bx, ay, by in zip(sx[:, 0], sx[:, 1], sy[:, 0], sy[:, 1], strict=True):
        dx, dy = bx - ax, by - ay
        length = math.hypot(dx, dy)
        if length == 0.0:
            continue
        box = (
            (px >= min(ax, bx) - LINE_REACH_M)
            & (px <= max(ax, bx) + LINE_REACH_M)
            & (py >= min(ay, by) - LINE_REACH_M)
            & (py <= max(ay, by) + LINE_REACH_M)
            & ~near
        )
        some = np.flatnonzero(box)
        along = ((px[some] - ax) * dx + (py[some] - ay) * dy) / length
        distance = np.abs((px[some] - ax) * dy - (py[some] - ay) * dx) / length
        # Beside the segment, not ahead of it: the street that goes on after a closure is open.
        level = (along >= -_OVERHANG_M) & (along <= length + _OVERHANG_M)
        turn = np.abs(samples[some, 3] * dx + samples[some, 4] * dy) / length
        near[some[level & (distance <= LINE_REACH_M) & (turn >= _ALONG_COS)]] = True
    return near


def _edges_inside(graph: Graph, rings: list[Line]) -> set[int]:
    """Edges of which half, or 15 m, lies inside a polygon (outer ring first, then holes)."""
    outer = rings[0]
    if len(outer) < 3 or not graph.node_count:
        return set()
    south, north = max(outer[:, 0].min(), graph.node_lat.min()), min(outer[:, 0].max(), graph.node_lat.max())
    west, east = max(outer[:, 1].min(), graph.node_lon.min()), min(outer[:, 1].max(), graph.node_lon.max())
    if south > north or west > east:
        return set()
    edges = _edges_in_box(graph, float(south), float(west), float(north), float(east), 0.0)
    if not len(edges):
        return set()
    samples = _samples(graph, edges)
    inside = np.zeros(len(samples), np.bool_)
    for ring in rings:
        inside ^= _in_ring(samples[:, 1], samples[:, 2], ring)
    metres = np.bincount(samples[inside, 0].astype(int), samples[inside, 5]) if inside.any() else np.zeros(0)
    wanted = np.minimum(_LEAST_ALONG_M, 0.5 * graph.length_m[: len(metres)])
    return set(np.flatnonzero((metres > 0.0) & (metres >= wanted)).tolist())


def _in_ring(lat: F64, lon: F64, ring: Line) -> NDArray[np.bool_]:
    """Even-odd rule: a ray to the east crosses the ring an odd number of times."""
    inside = np.zeros(len(lat), np.bool_)
    for (lat1, lon1), (lat2, lon2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if lat1 == lat2:
            continue
        spans = (lat1 > lat) != (lat2 > lat)
        inside ^= spans & (lon < lon1 + (lat - lat1) * (lon2 - lon1) / (lat2 - lat1))
    return inside
