"""The spatial index: squares of GRID_DEG degrees, and the edges nearest to a point.

A square's key is `row << 32 | column`. An edge is listed in every square that one of its segments
passes through; of the two directions of a stretch only the one with the lower index is listed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from geo.errors import BadInput
from geo.geodesy import METRES_PER_DEG
from geo.graph import F64, I32, I64, Graph

GRID_DEG = 0.0005  # 56 m to the north; to the east 56 m at the equator, 28 m at 60 degrees
MAX_RADIUS_M = 5_000.0
_TOUCH_DEG = 1e-9  # 0.1 mm: a segment along the border of two squares is listed in both


@dataclass(frozen=True, slots=True)
class Snap:
    """The point of an edge that is nearest to a given point."""

    edge: int
    fraction: float  # 0..1 of the edge's length, along its direction
    distance_m: float
    lat: float
    lon: float


def grid_key(lat: float, lon: float) -> int:
    """The key of the square that holds a point in degrees."""
    return (math.floor((lat + 90) / GRID_DEG) << 32) | math.floor((lon + 180) / GRID_DEG)


def build_grid(reverse: I32, shape_first: I64, shape_lat: F64, shape_lon: F64) -> tuple[I64, I64, I32]:
    """The arrays `grid_key (G,), grid_first (G+1,), grid_edge (E,)` over M edges with P shape points."""
    edges = np.arange(len(reverse), dtype=np.int32)
    listed = edges[(reverse < 0) | (edges < reverse)]
    count = _list_squares(listed, shape_first, shape_lat, shape_lon, np.zeros((0, 2), np.int64))
    pairs = np.empty((count, 2), np.int64)
    _list_squares(listed, shape_first, shape_lat, shape_lon, pairs)
    pairs = np.unique(pairs, axis=0)  # sorted by key, then edge; segments of one edge share squares
    keys, first = np.unique(pairs[:, 0], return_index=True)
    return keys, np.append(first, len(pairs)).astype(np.int64), pairs[:, 1].astype(np.int32)


@njit(cache=True)
def _list_squares(edges, shape_first, shape_lat, shape_lon, out):  # type: ignore[no-untyped-def]
    """Write (key, edge) for every square of every segment into `out` while it has room; return how many.

    Row by row: within one row of squares a segment covers one interval of longitudes.
    """
    n = 0
    for edge in edges:
        for p in range(shape_first[edge], shape_first[edge + 1] - 1):
            lat1, lon1, lat2, lon2 = shape_lat[p], shape_lon[p], shape_lat[p + 1], shape_lon[p + 1]
            if lat1 > lat2:
                lat1, lon1, lat2, lon2 = lat2, lon2, lat1, lon1
            low_row = math.floor((lat1 - _TOUCH_DEG + 90) / GRID_DEG)
            high_row = math.floor((lat2 + _TOUCH_DEG + 90) / GRID_DEG)
            for row in range(low_row, high_row + 1):
                if lat2 > lat1:
                    south = max(lat1, row * GRID_DEG - 90 - _TOUCH_DEG)
                    north = min(lat2, (row + 1) * GRID_DEG - 90 + _TOUCH_DEG)
                    lon_a = lon1 + (lon2 - lon1) * max(0.0, min(1.0, (south - lat1) / (lat2 - lat1)))
                    lon_b = lon1 + (lon2 - lon1) * max(0.0, min(1.0, (north - lat1) / (lat2 - lat1)))
                else:
                    lon_a, lon_b = lon1, lon2
                west = math.floor((min(lon_a, lon_b) - _TOUCH_DEG + 180) / GRID_DEG)
                east = math.floor((max(lon_a, lon_b) + _TOUCH_DEG + 180) / GRID_DEG)
                for column in range(west, east + 1):
                    if n < len(out):
                        out[n, 0] = (row << 32) | column
                        out[n, 1] = edge
                    n += 1
    return n


@njit(cache=True)
def _project(edges, shape_first, shape_lat, shape_lon, lat, lon, metres_per_deg, out):  # type: ignore[no-untyped-def]
    """Project the point on each edge; `out` (len(edges), 4): fraction, distance in m, lat, lon.

    Works in the equirectangular plane around the point.
    """
    scale = metres_per_deg * math.cos(math.radians(lat))
    for i in range(len(edges)):
        edge = edges[i]
        best, along, done = math.inf, 0.0, 0.0
        first, last = shape_first[edge], shape_first[edge + 1] - 1
        for p in range(first, last):
            ax, ay = (shape_lon[p] - lon) * scale, (shape_lat[p] - lat) * metres_per_deg
            dx = (shape_lon[p + 1] - shape_lon[p]) * scale
            dy = (shape_lat[p + 1] - shape_lat[p]) * metres_per_deg
            length2 = dx * dx + dy * dy
            t = 0.0
            if length2 > 0:
                t = max(0.0, min(1.0, -(ax * dx + ay * dy) / length2))
            distance2 = (ax + t * dx) ** 2 + (ay + t * dy) ** 2
            if distance2 < best:
                best = distance2
                along = done + t * math.sqrt(length2)
                out[i, 2] = shape_lat[p] + t * (shape_lat[p + 1] - shape_lat[p])
                out[i, 3] = shape_lon[p] + t * (shape_lon[p + 1] - shape_lon[p])
            done += math.sqrt(length2)
        out[i, 0] = along / done if done > 0 else 0.0
        out[i, 1] = math.sqrt(best)


def nearest_edges(graph: Graph, lat: float, lon: float, radius_m: float = 50.0, limit: int = 8) -> list[Snap]:
    """The edges within `radius_m` of a point in degrees, nearest first, at most `limit`.

    Of a two-way stretch the direction that the grid lists is given. Raises BadInput for a point off
    the Earth or a radius that is not in 0..5,000 m; an empty list means that nothing is within reach.
    """
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise BadInput(f"lat {lat}, lon {lon} is no place on the Earth; give degrees, latitude first")
    if not 0 <= radius_m <= MAX_RADIUS_M:
        raise BadInput(f"radius_m is {radius_m}; it must be in 0..{MAX_RADIUS_M:.0f}")
    edges = _edges_around(graph, lat, lon, radius_m)
    out = np.empty((len(edges), 4))
    _project(edges, graph.shape_first, graph.shape_lat, graph.shape_lon, lat, lon, METRES_PER_DEG, out)
    near = np.flatnonzero(out[:, 1] <= radius_m)
    near = near[np.argsort(out[near, 1], kind="stable")][:limit]
    return [
        Snap(int(edges[i]), min(1.0, float(out[i, 0])), float(out[i, 1]), float(out[i, 2]), float(out[i, 3]))
        for i in near
    ]


def _edges_around(graph: Graph, lat: float, lon: float, radius_m: float) -> I32:
    """Edges, each once, that the squares within `radius_m` list."""
    dlat = radius_m / METRES_PER_DEG
    dlon = min(360.0, dlat / max(1e-9, math.cos(math.radians(lat))))
    south, north = (math.floor((lat + d + 90) / GRID_DEG) for d in (-dlat, dlat))
    west, east = (math.floor((lon + d + 180) / GRID_DEG) for d in (-dlon, dlon))
    rows = np.arange(south, north + 1, dtype=np.int64) << 32
    # within a row the keys of neighbouring squares follow one another
    starts = graph.grid_first[np.searchsorted(graph.grid_key, rows | max(0, west), "left")]
    ends = graph.grid_first[np.searchsorted(graph.grid_key, rows | max(0, east), "right")]
    found = [graph.grid_edge[a:b] for a, b in zip(starts, ends, strict=True) if a < b]
    if not found:
        return np.zeros(0, np.int32)
    return np.unique(np.concatenate(found))
