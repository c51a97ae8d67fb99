"""Straight lines across an open space: which of them people need to get from door to door, and no more.

Shortest paths around obstacles bend at their corners only (Lozano-Pérez and Wesley, "An algorithm for
planning collision-free paths among polyhedral obstacles", CACM 22, 1979), and of the lines between
corners only those count that touch both without cutting into either. For pedestrians in squares that
graph gives the most natural ways of all that were compared by Hahmann, Miksch, Resch, Lauer and Zipf,
"Routing through open spaces", Geo-spatial Information Science 21 (2018). What is kept of it is a greedy
spanner (Althöfer, Das, Dobkin, Joseph and Soares, "On sparse spanners of weighted graphs", Discrete and
Computational Geometry 9, 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from geo.graph import F64, I64

MAX_DETOUR = 1.05  # across a space nobody has to walk further than this times the shortest way ...
MIN_DETOUR_M = 2.0  # ... or this much further
TOUCH_M = 0.05  # lines may graze walls: coordinates are rounded to a centimetre


@dataclass(frozen=True, slots=True)
class OpenSpace:
    """An area in local metres. `blocked` is whatever may not be crossed in it, holes aside."""

    polygon: Any  # shapely polygon, holes included
    blocked: Any  # shapely geometry, or None
    xy: F64  # (V, 2) doors and corners
    door: Any  # (V,) bool: people enter and leave here
    before: F64  # (V, 2) the neighbours on the ring that has the free space on its left; NaN where a
    after: F64  # (V, 2) point is on no ring or on several


def crossing_lines(space: OpenSpace, known: Sequence[tuple[int, int, float]]) -> list[tuple[int, int]]:
    """Pairs (a, b) of points of `space` to join by straight lines.

    `known`: pairs of points that are joined already, with their distance in metres. With the lines
    added no door is further from another than MAX_DETOUR times the shortest way inside the space.
    """
    doors = np.flatnonzero(space.door)
    if len(doors) < 2:
        return []
    step = _visible(space)
    shortest, via = _shortest_paths(step)
    walked = np.full(step.shape, np.inf)
    np.fill_diagonal(walked, 0.0)
    for a, b, metres in known:
        _join(walked, a, b, metres)
    first, second = np.triu_indices(len(doors), 1)
    first, second = doors[first], doors[second]
    direct = shortest[first, second]
    lines: list[tuple[int, int]] = []
    for pair in np.argsort(direct, kind="stable").tolist():
        a, b, metres = int(first[pair]), int(second[pair]), float(direct[pair])
        if not np.isfinite(metres):
            break
        if walked[a, b] <= max(MAX_DETOUR * metres, metres + MIN_DETOUR_M):
            continue
        while a != b:
            corner = int(via[a, b])
            if walked[a, corner] > step[a, corner] + 1e-6:
                _join(walked, a, corner, float(step[a, corner]))
                lines.append((a, corner))
            a = corner
    return lines


def _visible(space: OpenSpace) -> F64:
    """(V, V) metres between points that see each other, inf elsewhere."""
    count = len(space.xy)
    step = np.full((count, count), np.inf)
    a, b = np.triu_indices(count, 1)
    useful = _supports(space, a, b) & _supports(space, b, a)
    a, b = a[useful], b[useful]
    lines = shapely.linestrings(np.stack([space.xy[a], space.xy[b]], axis=1))
    inside = space.polygon.buffer(TOUCH_M, join_style="mitre")
    shapely.prepare(inside)
    clear = shapely.covers(inside, lines)
    if space.blocked is not None:
        shapely.prepare(space.blocked)
        clear &= ~shapely.intersects(space.blocked, lines)
    a, b = a[clear], b[clear]
    step[a, b] = step[b, a] = np.hypot(*(space.xy[a] - space.xy[b]).T)
    return step


def _supports(space: OpenSpace, at: I64, other: I64) -> Any:
    """(K,) whether the line from `other` may end or turn at `at`: a door, or a corner that it touches
    with both walls on the same side."""
    line = space.xy[at] - space.xy[other]
    sides = []
    for neighbour in (space.before[at], space.after[at]):
        to = neighbour - space.xy[at]
        sides.append(line[:, 0] * to[:, 1] - line[:, 1] * to[:, 0])
    slack = 1e-6 * np.hypot(*line.T)
    one_side = np.minimum(*sides) >= -slack
    other_side = np.maximum(*sides) <= slack
    return space.door[at] | np.isnan(sides[0]) | one_side | other_side


def _shortest_paths(step: F64) -> tuple[F64, I64]:
    """All shortest paths (Floyd 1962): their lengths (V, V) and the next point on each (V, V)."""
    length = step.copy()
    np.fill_diagonal(length, 0.0)
    following = np.broadcast_to(np.arange(len(step)), step.shape).copy()
    through, better = np.empty_like(length), np.empty(length.shape, np.bool_)
    for k in range(len(step)):
        np.add(length[:, k, None], length[k], out=through)
        np.less(through, length - 1e-9, out=better)
        if better.any():
            np.copyto(length, through, where=better)
            np.copyto(following, following[:, k, None], where=better)
    return length, following


def _join(walked: F64, a: int, b: int, metres: float) -> None:
    """Update all distances (V, V), in place, for a new line between a and b."""
    if metres < walked[a, b]:
        there = walked[:, a, None] + (metres + walked[b])
        np.minimum(walked, there, out=walked)
        np.minimum(walked, there.T, out=walked)
