"""Who was where for how long: each walker's passages along edges, cut at every full minute.

A passage is what one walker did on one edge within one minute of event time: metres walked, seconds spent. It
is over when the walker's settled position is on another edge or in another minute. Between two settled steps
the walker was on both edges when one leads to the other, for as long as the metres on each take; where
edges were skipped in between, nobody knows, and the interval counts nowhere.

A walker's state is one element of an array of `PASSAGE_STATE`; an element of zeros is a walker who was never
seen. Results depend on the walker's own fixes in order only, not on blocks or on other walkers.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.errors import BadInput
from geo.graph import F32, F64, I32, Graph

PASSAGE_STATE = np.dtype(
    [
        ("last_ts", np.float64),  # of the newest settled step; 0: none yet
        ("edge", np.int32),  # -1 off the network
        ("fraction", np.float32),
        ("walked_m", np.float32),  # so far, turning back counts negative
        ("seconds", np.float32),
    ],
    align=True,
)

PASSAGE = np.dtype(
    [
        ("ts", np.float64),  # event time of its end
        ("slot", np.int32),
        ("edge", np.int32),  # -1 off the network
        ("lat", np.float32),  # a fix of that time
        ("lon", np.float32),
        ("walked_m", np.float32),
        ("seconds", np.float32),
    ],
    align=True,
)


class SettledFixes(NamedTuple):
    """n fixes in order of arrival, with what `geo.matching` settled after each."""

    slot: I32
    lat: F64
    lon: F64
    edge: I32
    fraction: F32
    ts: F64  # event time of what was settled, nan: nothing


class EdgeEnds(NamedTuple):
    """The arrays of a graph that passages need."""

    tail: I32
    head: I32
    length_m: F32


def edge_ends(graph: Graph) -> EdgeEnds:
    """The arrays of `graph` that `fold_passages` reads."""
    return EdgeEnds(graph.tail, graph.head, graph.length_m)


def fold_passages(ends: EdgeEnds, state: NDArray[Any], fixes: SettledFixes, out: NDArray[Any]) -> int:
    """Fold a block of matched fixes in; returns how many passages were finished and written to `out`.

    state: (capacity,) of PASSAGE_STATE, updated. out: (n,) of PASSAGE for n fixes, in the order of the fixes
    that finished them. Raises BadInput for another dtype or too little room.
    """
    n = len(fixes.slot)
    if state.dtype != PASSAGE_STATE or out.dtype != PASSAGE or len(out) < n:
        raise BadInput(f"passages of {n} fixes need states of PASSAGE_STATE and room for {n} of PASSAGE")
    return int(_fold(ends, state, fixes, out))


@njit(cache=True)
def _fold(ends, state, fixes, out):  # type: ignore[no-untyped-def]
    count = 0
    for i in range(len(fixes.slot)):
        ts = fixes.ts[i]
        if math.isnan(ts):
            continue
        s = state[fixes.slot[i]]
        elapsed_s = ts - s.last_ts
        if elapsed_s <= 0.0:
            continue  # the same step is still the newest one settled
        edge = fixes.edge[i]
        fraction = fixes.fraction[i]
        if elapsed_s > 60.0:  # nobody knows where the walker was meanwhile
            count += _finish(s, i, fixes, out, count)
        elif edge == s.edge:
            if math.floor(ts / 60.0) > math.floor(s.last_ts / 60.0):
                count += _finish(s, i, fixes, out, count)
            if edge >= 0:
                s.walked_m += (fraction - s.fraction) * ends.length_m[edge]
            s.seconds += elapsed_s
        else:
            walked_m = seconds = 0.0
            if edge < 0 or s.edge < 0:
                s.seconds += elapsed_s
            elif ends.head[s.edge] == ends.tail[edge]:
                rest_m = (1.0 - s.fraction) * ends.length_m[s.edge]
                walked_m = fraction * ends.length_m[edge]
                share = rest_m / (rest_m + walked_m) if rest_m + walked_m > 0.0 else 1.0
                s.walked_m += rest_m
                s.seconds += elapsed_s * share
                seconds = elapsed_s * (1.0 - share)
            count += _finish(s, i, fixes, out, count)
            s.walked_m = walked_m
            s.seconds = seconds
        s.last_ts = ts
        s.edge = edge
        s.fraction = fraction
    return count


@njit(cache=True)
def _finish(s, i, fixes, out, count):  # type: ignore[no-untyped-def]
    """Write the passage that is under way, if there is one; returns how many were written."""
    wrote = 0
    if s.seconds > 0.0:
        passage = out[count]
        passage.ts = s.last_ts
        passage.slot = fixes.slot[i]
        passage.edge = s.edge
        passage.lat = fixes.lat[i]
        passage.lon = fixes.lon[i]
        passage.walked_m = max(0.0, s.walked_m)
        passage.seconds = s.seconds
        wrote = 1
    s.walked_m = 0.0
    s.seconds = 0.0
    return wrote
