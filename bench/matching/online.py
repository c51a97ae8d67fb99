"""Known walks through the online matcher, all walkers in the blocks of one stream, and how fast that goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.matching.fixes import KnownFixes
from bench.rig.timing import Samples
from geo.graph import F32, F64, I32, I64, U8, Graph
from geo.matching import MATCH_STATE, MatchFixes, empty_matches, match_arrays, match_fixes

BLOCK = 4_096
LAG_S = 10.0
EPOCH_S = 1_700_000_000.0  # when all walks begin


@dataclass(frozen=True)
class Answers:
    """Where a matcher says that one walker was, one element a fix."""

    edge: I32  # directed, -1 off the network
    fraction: F64
    off_network: NDArray[np.bool_]
    probability: F64  # nan where none is given

    def at(self, index: NDArray[Any]) -> Answers:
        """Some of them."""
        return Answers(
            self.edge[index], self.fraction[index], self.off_network[index], self.probability[index]
        )


@dataclass(frozen=True)
class Matched:
    """One walk as the online matcher saw it."""

    at_once: Answers  # said of a fix when it came
    settled: Answers  # said within the lag; of a fix that never settled, what was said at once


def lag_of(interval_s: float) -> float:
    """The longest lag of whole intervals that is no longer than LAG_S."""
    return max(interval_s, interval_s * math.floor(LAG_S / interval_s + 1e-9))


def match_walks(graph: Graph, walks: Sequence[KnownFixes], lag_s: float) -> list[Matched]:
    """Match all walks in one stream, their fixes in order of time."""
    stream = _interleave(walks, 1)
    out = _run(graph, stream, len(walks), lag_s)[0]
    return [_matched(fixes, out, np.flatnonzero(stream.slot == number)) for number, fixes in enumerate(walks)]


def fixes_per_core_s(
    graph: Graph, walks: Sequence[KnownFixes], lag_s: float, walkers: int, fixes: int, repeats: int = 3
) -> float:
    """Fixes that the kernel matches in a second of CPU time, the median of `repeats` runs.

    `walkers` people do the given walks, each begun at another place of it; a block has fixes of many.
    """
    stream = _interleave(walks, max(1, walkers // len(walks)), fixes)
    runs = Samples()
    for _ in range(repeats):
        runs.cpu_s.append(_run(graph, stream, int(stream.slot.max()) + 1, lag_s)[1])
    return len(stream.slot) / runs.median_s


def _interleave(walks: Sequence[KnownFixes], copies: int, most: int | None = None) -> MatchFixes:
    """The fixes of all walks in order of time; copy k of a walk begins k-th of its length later."""
    slot, ts, lat, lon, accuracy = [], [], [], [], []
    for number, fixes in enumerate(walks):
        for copy in range(copies):
            begin = len(fixes) * copy // copies
            moved = fixes.ts[begin:] - fixes.ts[begin]
            slot.append(np.full(len(moved), number * copies + copy, np.int32))
            ts.append(moved + EPOCH_S)
            lat.append(fixes.lat[begin:])
            lon.append(fixes.lon[begin:])
            accuracy.append(fixes.accuracy_m[begin:])
    when = np.concatenate(ts)
    order = np.argsort(when, kind="stable")[:most]
    return MatchFixes(
        np.concatenate(slot)[order],
        np.zeros(len(order), np.uint8),
        when[order],
        np.concatenate(lat)[order],
        np.concatenate(lon)[order],
        np.concatenate(accuracy)[order],
    )


@dataclass(frozen=True)
class _Said:
    """The matcher's answers to every fix of a stream."""

    edge: I32
    fraction: F32
    probability: F32
    off_network: U8
    settled_edge: I32
    settled_fraction: F32
    settled_probability: F32
    settled_ts: F64


def _run(graph: Graph, stream: MatchFixes, walkers: int, lag_s: float) -> tuple[_Said, float]:
    """All that was said, and the CPU time in seconds."""
    arrays, state = match_arrays(graph), np.zeros(walkers, MATCH_STATE)
    n = len(stream.slot)
    said: list[Any] = []
    taken = Samples()
    match_fixes(arrays, np.zeros(1, MATCH_STATE), _part(stream, 0, 1), empty_matches(1))  # compiled
    for begin in range(0, n, BLOCK):
        block = _part(stream, begin, begin + BLOCK)
        out = empty_matches(len(block.slot))
        taken.measure(partial(match_fixes, arrays, state, block, out, lag_s=lag_s))
        said.append(out)
    columns = {name: np.concatenate([getattr(out, name) for out in said]) for name in said[0]._fields}
    columns.setdefault("settled_probability", np.full(n, np.nan, np.float32))
    return _Said(**{name: columns[name] for name in _Said.__dataclass_fields__}), sum(taken.cpu_s)


def _part(stream: MatchFixes, begin: int, end: int) -> MatchFixes:
    return MatchFixes._make(column[begin:end] for column in stream)


def _matched(fixes: KnownFixes, said: _Said, rows: I64) -> Matched:
    at_once = Answers(
        said.edge[rows],
        said.fraction[rows].astype(np.float64),
        said.off_network[rows] != 0,
        said.probability[rows].astype(np.float64),
    )
    edge, fraction = at_once.edge.copy(), at_once.fraction.copy()
    off, probability = at_once.off_network.copy(), at_once.probability.copy()
    known = rows[~np.isnan(said.settled_ts[rows])]
    when = said.settled_ts[known] - EPOCH_S + fixes.ts[0]
    of = np.clip(np.searchsorted(fixes.ts, when - 1e-3), 0, len(fixes) - 1)
    edge[of] = said.settled_edge[known]
    fraction[of] = said.settled_fraction[known]
    off[of] = edge[of] < 0
    probability[of] = said.settled_probability[known]
    if np.isnan(said.settled_probability).all():
        probability[:] = np.nan
    return Matched(at_once, Answers(edge, fraction, off, probability))
