"""From a line back to the path that it was drawn from, on the same graph: no matching, points must agree."""

from __future__ import annotations

import math

import numpy as np

from geo.graph import F64, Graph
from geo.grid import nearest_edges
from geo.routing.search import Path, measured_path

AGREE_DEG = 2e-6  # a polyline with six decimals is off by half of one
START_WITHIN_M = 3.0
STARTS = 16
MOST_STEPS = 200_000


def retrace(graph: Graph, lat: F64, lon: F64) -> Path | None:
    """The path whose `path_coordinates` are these (n,) degrees, rounded to 1e-6; None if there is none.

    Its impedance is unknown (nan).
    """
    if len(lat) < 2:
        return None
    points = list(zip(lat.tolist(), lon.tolist(), strict=True))
    stack: list[_Trail] = []
    for near in reversed(nearest_edges(graph, float(lat[0]), float(lon[0]), START_WITHIN_M, STARTS)):
        stack.append(_Trail(near.edge, near.fraction, 0, None))
        if (back := int(graph.reverse[near.edge])) >= 0:
            stack.append(_Trail(back, 1.0 - near.fraction, 0, None))
    tried: set[tuple[int, float, int]] = set()  # an edge shorter than the rounding would be walked to and fro
    for _ in range(MOST_STEPS):
        if not stack:
            return None
        trail = stack.pop()
        if (state := (trail.edge, trail.start, trail.at)) in tried:
            continue
        tried.add(state)
        at, end_fraction = _along(graph, trail, points)
        if end_fraction is not None:
            return _path(graph, trail, end_fraction)
        if at is None:
            continue
        node = graph.head[trail.edge]
        for edge in range(int(graph.first_out[node]), int(graph.first_out[node + 1])):
            stack.append(_Trail(edge, 0.0, at, trail))
    return None


class _Trail:
    """An edge walked from `start` on, the point reached before it, and what was walked before."""

    __slots__ = ("at", "before", "edge", "start")

    def __init__(self, edge: int, start: float, at: int, before: _Trail | None) -> None:
        self.edge = edge
        self.start = start
        self.at = at
        self.before = before


def _along(graph: Graph, trail: _Trail, points: list[tuple[float, float]]) -> tuple[int | None, float | None]:
    """(the point reached at the edge's end, None), (None, where on the edge the line ends), or both None."""
    begin, end = int(graph.shape_first[trail.edge]), int(graph.shape_first[trail.edge + 1])
    lat, lon = graph.shape_lat[begin:end].tolist(), graph.shape_lon[begin:end].tolist()
    share = _shares(lat, lon)
    at, last = trail.at, len(points) - 1
    for k in range(1, len(lat)):
        if share[k] <= trail.start:
            continue
        here = lat[k], lon[k]
        if at < last and _same(here, points[at + 1]):
            at += 1
            if at == last:
                return None, share[k]
            continue
        if _same(here, points[at]):
            continue  # a point twice in a row is drawn once
        if at + 1 == last:
            between = _between((lat[k - 1], lon[k - 1]), here, points[last])
            ends = None if between is None else share[k - 1] + between * (share[k] - share[k - 1])
            if ends is not None and ends >= trail.start:
                return None, ends
        return None, None
    return at, None


def _path(graph: Graph, trail: _Trail, end_fraction: float) -> Path:
    edges = []
    one: _Trail | None = trail
    start = trail.start
    while one is not None:
        edges.append(one.edge)
        start = one.start
        one = one.before
    return measured_path(graph, np.array(edges[::-1], np.int32), start, end_fraction, math.nan)


def _shares(lat: list[float], lon: list[float]) -> list[float]:
    scale = math.cos(math.radians(lat[0]))
    along = [0.0]
    for k in range(1, len(lat)):
        along.append(along[-1] + math.hypot(lat[k] - lat[k - 1], scale * (lon[k] - lon[k - 1])))
    whole = along[-1]
    return [one / whole for one in along] if whole > 0.0 else np.linspace(0.0, 1.0, len(lat)).tolist()


def _same(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return abs(a[0] - b[0]) <= AGREE_DEG and abs(a[1] - b[1]) <= AGREE_DEG


def _between(a: tuple[float, float], b: tuple[float, float], point: tuple[float, float]) -> float | None:
    """How far from a to b the point lies, 0..1; None where it does not lie between them."""
    scale = math.cos(math.radians(a[0]))
    north, east = b[0] - a[0], scale * (b[1] - a[1])
    square = north * north + east * east
    if square == 0.0:
        return None
    share = ((point[0] - a[0]) * north + scale * (point[1] - a[1]) * east) / square
    share = min(1.0, max(0.0, share))
    near = a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
    return share if _same(near, point) else None
