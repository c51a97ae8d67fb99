"""A path as one line of points, and what branches off at its junctions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from geo.geodesy import METRES_PER_DEG, to_local
from geo.graph import F64, I32, I64, Graph
from geo.routing.search import Path, path_coordinates

LOOK_M = 10.0  # how far a walker looks to tell a direction: shorter bends are how somebody drew the map


@dataclass(frozen=True, eq=False)
class PathLine:
    """The n points of a path of k edges; a path of 0 m is one point."""

    lat: F64  # (n,) degrees, no point twice in a row when written with six decimals
    lon: F64  # (n,)
    at: I64  # (k+1,) point at which each edge begins, and the last point
    along_m: F64  # (n,) from the start
    length_m: F64  # (k,) of each edge as far as it is walked
    duration_s: F64  # (k,)
    before_deg: F64  # (k+1,) direction in which the junction is reached, and in which it is left,
    after_deg: F64  # (k+1,) 0..360 clockwise from north, over LOOK_M; ends look the other way


@dataclass(frozen=True, eq=False)
class Branches:
    """Edges that lead out of the k - 1 junctions between a path's edges, the path's own among them."""

    first: I64  # (k,) those of junction i, behind edge i: first[i] .. first[i+1]
    edge: I32  # (b,)
    bearing_deg: F64  # (b,) 0..360, over LOOK_M of the edge


def path_line(graph: Graph, path: Path) -> PathLine:
    """The path's line, with its ends trimmed."""
    lat, lon, begins = _points(graph, path)
    fresh = np.ones(len(lat), np.bool_)
    micro_lat, micro_lon = np.rint(lat * 1e6), np.rint(lon * 1e6)
    fresh[1:] = (np.diff(micro_lat) != 0.0) | (np.diff(micro_lon) != 0.0)
    at = (np.cumsum(fresh) - 1)[begins]
    lat, lon = lat[fresh], lon[fresh]
    x, y = to_local(lat, lon, float(lat[0]), float(lon[0]))
    along = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))))
    back, ahead = _towards(x, y, along, at, -LOOK_M), _towards(x, y, along, at, LOOK_M)
    back[0], ahead[-1] = ahead[0], back[-1]
    share = np.ones(len(path.edges))
    share[-1] = path.end_fraction
    share[0] -= path.start_fraction
    length = np.asarray(graph.length_m)[path.edges].astype(np.float64) * share
    duration = np.asarray(graph.duration_s)[path.edges].astype(np.float64) * share
    return PathLine(lat, lon, at, along, length, duration, back, ahead)


def _points(graph: Graph, path: Path) -> tuple[F64, F64, I64]:
    """Latitudes, longitudes (some twice in a row) and where each edge begins, and the last point (k+1,)."""
    if len(path.edges) == 1:
        lat, lon = path_coordinates(graph, path)
        return lat, lon, np.array([0, len(lat) - 1], np.int64)
    head = path_coordinates(graph, Path(path.edges[:1], path.start_fraction, 1.0, 0.0, 0.0, 0.0))
    tail = path_coordinates(graph, Path(path.edges[-1:], 0.0, path.end_fraction, 0.0, 0.0, 0.0))
    shape_first = np.asarray(graph.shape_first)
    first = shape_first[path.edges[1:-1]]
    counts = shape_first[path.edges[1:-1] + 1] - first
    ends = np.cumsum(counts)
    points = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - (ends - counts), counts)
    lat = np.concatenate([head[0], np.asarray(graph.shape_lat)[points], tail[0]])
    lon = np.concatenate([head[1], np.asarray(graph.shape_lon)[points], tail[1]])
    n_head, n_inner = len(head[0]), len(points)
    begins = np.concatenate([[0], n_head + ends - counts, [n_head + n_inner, len(lat) - 1]])
    return lat, lon, begins.astype(np.int64)


def _towards(x: F64, y: F64, along: F64, at: I64, look_m: float) -> F64:
    """(m,) directions of walking between the points `at` and the ones `look_m` further along the line."""
    there = np.clip(along[at] + look_m, 0.0, along[-1])
    sign = math.copysign(1.0, look_m)
    dx, dy = np.interp(there, along, x) - x[at], np.interp(there, along, y) - y[at]
    degrees: F64 = np.degrees(np.arctan2(sign * dx, sign * dy)) % 360.0 % 360.0
    return degrees


def branches(graph: Graph, path: Path) -> Branches:
    """What leads out of the path's junctions, in the order of the graph's edges."""
    nodes = np.asarray(graph.head)[path.edges[:-1]]
    first_out = np.asarray(graph.first_out)
    counts = (first_out[nodes + 1] - first_out[nodes]).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    edges = np.arange(first[-1]) + np.repeat(first_out[nodes] - first[:-1], counts)
    out = np.empty(len(edges))
    edges = edges.astype(np.int32)
    _leaving(edges, graph.shape_first, graph.shape_lat, graph.shape_lon, LOOK_M, METRES_PER_DEG, out)
    return Branches(first, edges, out)


@njit(cache=True)
def _leaving(edges, shape_first, shape_lat, shape_lon, look_m, metres_per_deg, out):  # type: ignore[no-untyped-def]
    """Write the bearing from each edge's first point to the one `look_m` along it, or to its end."""
    for i in range(len(edges)):
        first, last = shape_first[edges[i]], shape_first[edges[i] + 1] - 1
        per_lon = metres_per_deg * math.cos(math.radians(shape_lat[first]))
        x, y, left = 0.0, 0.0, look_m
        for p in range(first, last):
            dx = (shape_lon[p + 1] - shape_lon[p]) * per_lon
            dy = (shape_lat[p + 1] - shape_lat[p]) * metres_per_deg
            piece = math.hypot(dx, dy)
            t = 1.0 if piece <= left else left / piece
            x, y = x + t * dx, y + t * dy
            left -= piece
            if left <= 0.0:
                break
        out[i] = math.degrees(math.atan2(x, y)) % 360.0 % 360.0


def simplified(lat: F64, lon: F64, tolerance_m: float = 5.0) -> tuple[F64, F64]:
    """Points of a line (n,) of which no left out one lies further than `tolerance_m` from the new line.

    Douglas and Peucker, "Algorithms for the reduction of the number of points" (1973).
    """
    x, y = to_local(lat, lon, float(lat[0]), float(lon[0]))
    keep = np.zeros(len(lat), np.bool_)
    keep[[0, -1]] = True
    pieces = [(0, len(lat) - 1)]
    while pieces:
        first, last = pieces.pop()
        if last - first < 2:
            continue
        dx, dy = x[first + 1 : last] - x[first], y[first + 1 : last] - y[first]
        ex, ey = float(x[last] - x[first]), float(y[last] - y[first])
        length2 = ex * ex + ey * ey
        t = np.clip((dx * ex + dy * ey) / length2, 0.0, 1.0) if length2 > 0.0 else np.zeros(len(dx))
        away = np.hypot(dx - t * ex, dy - t * ey)
        worst = int(np.argmax(away))
        if away[worst] > tolerance_m:
            middle = first + 1 + worst
            keep[middle] = True
            pieces += [(first, middle), (middle, last)]
    return lat[keep], lon[keep]
