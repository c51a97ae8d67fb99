"""Which nodes of rings are corners to go round, and what lies before and after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from geo.graph import F64

_NOWHERE = (np.full(2, np.nan), np.full(2, np.nan))


@dataclass(frozen=True, slots=True)
class Turn:
    """A node of a ring that has free space on its left; `bend_m` > 0 where it is a corner to go round."""

    ref: int
    bend_m: float
    before: F64
    after: F64


def turns_of(rings: Sequence[Sequence[int]], xy: Mapping[int, F64], *, hole: bool) -> list[Turn]:
    """All nodes of `rings`; the first of an area is its outline, all of an obstacle are holes."""
    turns = []
    for number, ring in enumerate(rings):
        nodes = [ref for ref, following in pairwise(ring) if ref != following]
        if ring[0] != ring[-1]:
            nodes.append(ring[-1])
            turns += [Turn(ref, 1.0, *_NOWHERE) for ref in nodes]
            continue
        points = np.array([xy[ref] for ref in nodes])
        x, y = points.T
        left = float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) > 0
        if left == (hole or number > 0):
            nodes.reverse()
            points = points[::-1]
        before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
        span = after - before
        side = span[:, 0] * (points - before)[:, 1] - span[:, 1] * (points - before)[:, 0]
        bend = side / np.maximum(np.hypot(*span.T), 1e-9)
        turns += [Turn(ref, float(m), b, a) for ref, m, b, a in zip(nodes, bend, before, after, strict=True)]
    return turns


def neighbours_of(chosen: Sequence[int], turns: Sequence[Turn]) -> tuple[F64, F64]:
    """The neighbours (V, 2) of the chosen nodes on their ring; NaN for those on none or several."""
    of: dict[int, list[Turn]] = {}
    for turn in turns:
        of.setdefault(turn.ref, []).append(turn)
    pairs = [
        (of[ref][0].before, of[ref][0].after) if len(of.get(ref, ())) == 1 else _NOWHERE for ref in chosen
    ]
    return np.array([before for before, _ in pairs]), np.array([after for _, after in pairs])
