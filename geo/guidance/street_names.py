"""The street that people walk along: a way's own name, or that of the street beside a pavement.

OSM gives pavements, crossings and paths along a road no name, though that is how people know them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.geodesy import METRES_PER_DEG
from geo.graph import F64, I32, I64, U8, Graph
from geo.grid import GRID_DEG
from geo.osm.foot_access import ROAD_CLASSES

Bools = NDArray[np.bool_]

BESIDE_M = 22.0  # from the middle of a street to its pavement, on a wide one
# between two stretches of one name a bit this long belongs to them: one with another name, one without
OTHER_M, GAP_M = 20.0, 40.0
PARALLEL_COS = math.cos(math.radians(20.0))
_ALONG = ("footway", "sidewalk", "path", "pedestrian", "cycleway")  # ways that may belong to a street
_STREETS = (
    "pedestrian", "living_street", "residential", "unclassified", "road",
    "tertiary", "secondary", "primary", "trunk",
)  # fmt: skip


_MAY_BELONG: Bools = np.isin(np.array(ROAD_CLASSES), _ALONG)
_IS_STREET: Bools = np.isin(np.array(ROAD_CLASSES), _STREETS)


def names_along(graph: Graph, edges: I32, length_m: F64) -> I32:
    """(k,) index into `graph.names` for each edge of a path (k,), -1 where no name fits.

    `length_m` (k,): how much of each edge is walked. An unnamed way takes the name of the street beside
    it; bits between two stretches of one name (crossings, corners of other streets) take that name.
    """
    own = np.asarray(graph.name)[edges]
    return np.array(_smoothed(_with_beside(graph, edges, own).tolist(), own.tolist(), length_m), np.int32)


def _with_beside(graph: Graph, edges: I32, own: I32) -> I32:
    """(k,) own names, and for unnamed ways that of the nearest street within BESIDE_M.

    The street must run within 20 degrees of the way's direction, at two of three samples.
    """
    names = own.copy()
    unnamed = np.flatnonzero((own < 0) & _MAY_BELONG[np.asarray(graph.road_class)[edges]])
    if len(unnamed):
        city = _Map(
            graph.shape_first, graph.shape_lat, graph.shape_lon, graph.name, graph.road_class, _IS_STREET,
            graph.grid_key, graph.grid_first, graph.grid_edge,
        )  # fmt: skip
        out = np.empty(len(unnamed), np.int32)
        _beside(edges[unnamed], city, METRES_PER_DEG, GRID_DEG, out)
        names[unnamed] = out
    return names


def _smoothed(names: list[int], own: Sequence[int], length_m: F64) -> list[int]:
    done = [0.0, *np.cumsum(length_m).tolist()]
    runs: list[list[int]] = []  # name, first, end
    for i, name in enumerate(names):
        if runs and runs[-1][0] == name:
            runs[-1][2] = i + 1
        else:
            runs.append([name, i, i + 1])
    for before, run, after in zip(runs, runs[1:], runs[2:], strict=False):
        _, first, end = run
        has_own = any(name >= 0 for name in own[first:end])
        if before[0] == after[0] >= 0 and done[end] - done[first] <= (OTHER_M if has_own else GAP_M):
            run[0] = before[0]
    return [name for name, first, end in runs for _ in range(first, end)]


class _Map(NamedTuple):
    """What the kernel needs of a graph."""

    shape_first: I64
    shape_lat: F64
    shape_lon: F64
    name: I32
    road_class: U8
    is_street: Bools  # by road class
    grid_key: I64
    grid_first: I64
    grid_edge: I32


@njit(cache=True)
def _beside(edges, city, metres_per_deg, grid_deg, out):  # type: ignore[no-untyped-def]
    """Write the name of the street beside each edge into `out` (k,)."""
    for i in range(len(edges)):
        first, last = city.shape_first[edges[i]], city.shape_first[edges[i] + 1] - 1
        per_lon = metres_per_deg * math.cos(math.radians(city.shape_lat[first]))
        total = 0.0
        for p in range(first, last):
            dx = (city.shape_lon[p + 1] - city.shape_lon[p]) * per_lon
            total += math.hypot(dx, (city.shape_lat[p + 1] - city.shape_lat[p]) * metres_per_deg)
        a = _street_at(0.25 * total, first, last, city, per_lon, metres_per_deg, grid_deg)
        b = _street_at(0.5 * total, first, last, city, per_lon, metres_per_deg, grid_deg)
        if a == b:
            out[i] = a
        else:
            c = _street_at(0.75 * total, first, last, city, per_lon, metres_per_deg, grid_deg)
            out[i] = c if c in (a, b) else -1


@njit(cache=True)
def _street_at(along, first, last, city, per_lon, metres_per_deg, grid_deg):  # type: ignore[no-untyped-def]
    """The name of the nearest parallel street `along` metres from the first of a shape's points, or -1."""
    lat, lon, east, north = city.shape_lat[first], city.shape_lon[first], 0.0, 0.0
    for p in range(first, last):
        dx = (city.shape_lon[p + 1] - city.shape_lon[p]) * per_lon
        dy = (city.shape_lat[p + 1] - city.shape_lat[p]) * metres_per_deg
        piece = math.hypot(dx, dy)
        if piece > 0.0:
            east, north = dx / piece, dy / piece
            t = min(1.0, along / piece)
            lat, lon = city.shape_lat[p] + t * dy / metres_per_deg, city.shape_lon[p] + t * dx / per_lon
            along -= piece
            if along <= 0.0:
                break
    best, answer = BESIDE_M, -1
    dlat, dlon = BESIDE_M / metres_per_deg, BESIDE_M / per_lon
    left, right = math.floor((lon - dlon + 180) / grid_deg), math.floor((lon + dlon + 180) / grid_deg)
    low, high = math.floor((lat - dlat + 90) / grid_deg), math.floor((lat + dlat + 90) / grid_deg)
    for row in range(low, high + 1):
        begin = np.searchsorted(city.grid_key, (row << 32) | left)
        end = np.searchsorted(city.grid_key, ((row << 32) | right) + 1)
        for g in range(city.grid_first[begin], city.grid_first[end]):
            edge = city.grid_edge[g]
            if city.name[edge] < 0 or not city.is_street[city.road_class[edge]]:
                continue
            for p in range(city.shape_first[edge], city.shape_first[edge + 1] - 1):
                ax = (city.shape_lon[p] - lon) * per_lon
                ay = (city.shape_lat[p] - lat) * metres_per_deg
                dx = (city.shape_lon[p + 1] - city.shape_lon[p]) * per_lon
                dy = (city.shape_lat[p + 1] - city.shape_lat[p]) * metres_per_deg
                piece = math.hypot(dx, dy)
                if piece == 0.0 or abs(dx * east + dy * north) < PARALLEL_COS * piece:
                    continue
                t = max(0.0, min(1.0, -(ax * dx + ay * dy) / (piece * piece)))
                distance = math.hypot(ax + t * dx, ay + t * dy)
                if distance < best:
                    best, answer = distance, city.name[edge]
    return answer
