"""Reroutes that nobody needed, as far as the service itself can tell: the walker went on along the old way.

The truth is known in simulation only (`flaneur bench calm`). Here a reroute counts as false when, within a
minute of it, the walker is matched for BACK_S to stretches of the old way that the new one leaves out.
Nothing of this is stored: a crash forgets whom it was still waiting for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.graph import F64, I32
from models.trips.walker_state import WalkerState

WITHIN_S = 60.0
REACTION_S = 3.0  # before that nobody can have followed
BACK_S = 5.0  # a single match there may be an error
SILENT_S = 900.0  # of whom nothing comes for so long is given up
MOST_WATCHED = 4_096  # a deployment whose walkers all stray at once is not slowed down by counting them


@dataclass(slots=True)
class _Reroute:
    device: bytes
    ts: float
    left_out: I32  # edges of the old way
    back_ts: float = 0.0  # since when the walker is on them


class FalseReroutes:
    """The walkers of one city who were told that they left their way, for a minute."""

    def __init__(self, state: WalkerState) -> None:
        self._state = state
        self._watched: list[_Reroute] = []

    def __len__(self) -> int:
        return len(self._watched)

    def told(self, s: int, ts: float, old: I32, new: I32) -> None:
        """A walker was rerouted at `ts`, from what lay ahead of them to another way; edges of both."""
        left_out = old[~np.isin(old, new)]
        if len(left_out) and len(self._watched) < MOST_WATCHED:
            self._watched.append(_Reroute(self._state.devices[s], ts, left_out))

    def follow(self, slot: I32, in_order: NDArray[np.bool_], ts: F64, edge: I32) -> int:
        """Look at a block of matched fixes, all (n,); returns how many reroutes turned out to be false."""
        if not self._watched or not len(slot):
            return 0
        found = [(one, self._state.find(one.device)) for one in self._watched]
        walkers = np.array([s for _, s in found if s is not None], np.int32)
        rows = np.flatnonzero(in_order & np.isin(slot, walkers))
        false, kept, newest = 0, [], float(ts.max())
        for one, s in found:
            mine = rows[slot[rows] == s] if s is not None else rows[:0]
            over = s is None or newest > one.ts + SILENT_S or bool((ts[mine] > one.ts + WITHIN_S).any())
            if _is_back(one, ts[mine], edge[mine]):
                false += 1
            elif not over:
                kept.append(one)
        self._watched = kept
        return false


def _is_back(one: _Reroute, ts: F64, edge: I32) -> bool:
    """Whether the walker has been on the old way for BACK_S by one of these fixes; remembers since when."""
    times = (ts >= one.ts + REACTION_S) & (ts <= one.ts + WITHIN_S)
    for t, there in zip(ts[times].tolist(), np.isin(edge[times], one.left_out).tolist(), strict=True):
        if not there:
            one.back_ts = 0.0
        elif not one.back_ts:
            one.back_ts = t
        elif t - one.back_ts >= BACK_S:
            return True
    return False
