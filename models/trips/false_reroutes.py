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
    ts: float
    left_out: frozenset[int]  # edges of the old way
    back_ts: float = 0.0  # since when the walker is on them


class FalseReroutes:
    """The walkers of one city who were told that they left their way, for a minute.

    A block costs what its own watched walkers cost, however many others are watched.
    """

    def __init__(self, state: WalkerState) -> None:
        self._state = state
        self._watched: dict[bytes, list[_Reroute]] = {}  # by device: slots may change
        self._count = 0
        self._is_watched: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._devices = state.devices  # the list whose slots these are
        self._look_ts = 0.0  # when to look next for those who are silent

    def __len__(self) -> int:
        return self._count

    def told(self, s: int, ts: float, old: I32, new: I32) -> None:
        """A walker was rerouted at `ts`, from what lay ahead of them to another way; edges of both."""
        left_out = frozenset(old.tolist()).difference(new.tolist())
        if left_out and self._count < MOST_WATCHED:
            self._watched.setdefault(self._state.devices[s], []).append(_Reroute(ts, left_out))
            self._count += 1
            self._slots[s] = True

    def follow(self, slot: I32, in_order: NDArray[np.bool_], ts: F64, edge: I32) -> int:
        """Look at a block of matched fixes, all (n,); returns how many reroutes turned out to be false."""
        if not self._watched or not len(slot):
            return 0
        rows = np.flatnonzero(in_order & self._slots[slot])
        seen: dict[int, list[tuple[float, int]]] = {}
        for s, at, on in zip(slot[rows].tolist(), ts[rows].tolist(), edge[rows].tolist(), strict=True):
            seen.setdefault(s, []).append((at, on))
        false = 0
        for s, mine in seen.items():
            device, kept, newest = self._state.devices[s], [], max(at for at, _ in mine)
            for one in self._watched[device]:
                if _is_back(one, mine):
                    false += 1
                elif newest <= one.ts + WITHIN_S:
                    kept.append(one)
            self._keep(device, kept)
        self._give_up(float(ts.max()))
        return false

    def _keep(self, device: bytes, kept: list[_Reroute]) -> None:
        self._count += len(kept) - len(self._watched[device])
        self._watched[device] = kept
        if not kept:
            del self._watched[device]
            if (s := self._state.find(device)) is not None:
                self._slots[s] = False

    def _give_up(self, now_ts: float) -> None:
        """Drop the silent ones, now and then."""
        if now_ts < self._look_ts:
            return
        self._look_ts = now_ts + WITHIN_S
        for device, reroutes in list(self._watched.items()):
            if self._state.find(device) is None:
                self._keep(device, [])
            else:
                self._keep(device, [one for one in reroutes if now_ts <= one.ts + SILENT_S])

    @property
    def _slots(self) -> NDArray[np.bool_]:
        """(capacity,) who is watched, by slot; made anew when slots have changed."""
        state = self._state
        if self._devices is not state.devices or len(self._is_watched) < len(state.bucket):
            self._devices = state.devices
            self._is_watched = np.zeros(len(state.bucket), np.bool_)
            slots = [state.find(device) for device in self._watched]
            self._is_watched[[s for s in slots if s is not None]] = True
        return self._is_watched


def _is_back(one: _Reroute, seen: list[tuple[float, int]]) -> bool:
    """Whether the walker has been on the old way for BACK_S by one of these fixes; remembers since when.

    seen: when and on which edge. A block has a fix or two of each: sets beat arrays.
    """
    for ts, edge in seen:
        if not one.ts + REACTION_S <= ts <= one.ts + WITHIN_S:
            continue
        if edge not in one.left_out:
            one.back_ts = 0.0
        elif not one.back_ts:
            one.back_ts = ts
        elif ts - one.back_ts >= BACK_S:
            return True
    return False
