"""The walkers of a partition whom a change of the world concerns wait here until they are looked at."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from geo.network import Network
from models.trips import trip as trips
from models.trips.city_walk import CityWalk
from models.trips.prospects import have_prospects
from models.trips.step import Step
from models.trips.trip import Policy
from models.trips.walker_state import WalkerState
from models.trips.world_change import Concerned, concerned

LOOKED_AT_ONCE = 128  # by `have_prospects`: a few milliseconds


class WaitingWalkers:
    """A queue of devices, for slots may change, with why each is to be looked at."""

    def __init__(
        self,
        state: WalkerState,
        policy: Policy,
        walk_in: Callable[[int], CityWalk],
        dirty: NDArray[np.bool_],
    ) -> None:
        """dirty: by bucket, set where a walker's state changes."""
        self._state = state
        self._policy = policy
        self._walk_in = walk_in
        self._dirty = dirty
        self._queue: deque[tuple[bytes, int]] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def join(self, city: int, before: Network, after: Network) -> None:
        """Whom the change from one network of a city to another concerns waits from now on.

        Who still waits from a change before keeps their turn, and a look for better ways comes last.
        """
        new = concerned(self._state, self._state.active_slots(city), before, after, self._policy)
        told = [(self._state.devices[s], decision) for s, decision in new]
        old = [one for one in self._queue if one[1] == trips.WORLD_CHANGED]
        known = {device for device, _ in old}
        worse = [one for one in told if one[1] == trips.WORLD_CHANGED and one[0] not in known]
        better = [one for one in told if one[1] == trips.BETTER and one[0] not in known]
        self._queue = deque([*old, *worse, *better])

    def serve(self, step: Step, most: int | None = None) -> None:
        """Look for better ways for the next ones, until `most` had a look of their own (None: for all).

        Who rests is left alone until they walk on, unless what they are in is closed.
        """
        started = time.perf_counter()
        left = len(self._queue) if most is None else most
        while self._queue and left > 0:
            some = [self._queue.popleft() for _ in range(min(LOOKED_AT_ONCE, len(self._queue)))]
            some = self._with_prospects(step, some)
            for device, decision in some[:left]:
                self._look(step, device, decision)
            self._queue.extendleft(reversed(some[left:]))
            left -= len(some)
        step.lap("search", started)

    def _with_prospects(self, step: Step, waiting: list[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
        """Those of them who may get a better way, and who rests; the others are done with."""
        state, policy = self._state, self._policy
        found = [state.find(device) for device, _ in waiting]
        known = [Concerned(s, why) for s, (_, why) in zip(found, waiting, strict=True) if s is not None]
        slots, decision = np.array(known, np.int64).reshape(len(known), 2).T
        walks = (state.trips["status"][slots] == trips.ACTIVE) & (
            state.trips["resting"][slots] == trips.WALKS
        )
        hopeless: set[int] = set()
        for city in np.unique(state.city[slots[walks]]).tolist():
            rows = np.flatnonzero(walks & (state.city[slots] == city))
            margin = np.where(decision[rows] == trips.BETTER, policy.better_margin, policy.gain_margin)
            rerouting = self._walk_in(city).rerouting
            possible = have_prospects(state, slots[rows], margin, rerouting.network, policy, rerouting.space)
            hopeless.update(rows[~possible].tolist())
        for k in sorted(hopeless):
            s, why = known[k]
            step.decided(trips.REASONS[why])
            if why == trips.BETTER:
                self._walk_in(int(state.city[s])).rerouting.looked(s)
                self._dirty[state.bucket[s]] = True
        devices = {state.devices[known[k].slot] for k in hopeless}
        return [one for one in waiting if one[0] not in devices]

    def _look(self, step: Step, device: bytes, decision: int) -> None:
        state = self._state
        s = state.find(device)
        if s is None or state.trips["status"][s] != trips.ACTIVE:
            return
        rerouting = self._walk_in(int(state.city[s])).rerouting
        if state.trips["resting"][s] != trips.WALKS and not rerouting.shuts_in(s):
            if decision == trips.WORLD_CHANGED:
                state.trips["resting"][s] = trips.RESTS_UNTOLD
                self._dirty[state.bucket[s]] = True
            return
        step.decided(trips.REASONS[decision])
        with step.searching(trips.REASONS[decision]):
            found = rerouting.reconsider(step, s, decision)
        if found or decision == trips.BETTER:
            self._dirty[state.bucket[s]] = True
