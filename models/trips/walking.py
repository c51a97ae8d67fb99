"""Everyone who walks in one partition: blocks of fixes, requests and ratings in, route updates out.

Pure: no Kafka, no clock, no randomness. The same messages with the same network give the same updates,
wherever blocks begin and end. `streams.worker.walker_shard` puts it behind topics and checkpoints.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from geo.errors import BadInput, NoCandidate, NoRoute
from geo.graph import F32, F64, I32, I64, U8
from geo.matching import Matches, MatchFixes, empty_matches, match_fixes
from geo.network import CityNetworks, Network
from geo.passages import SettledFixes, fold_passages
from geo.window_layout import values_of
from geo.windows import IN_ORDER, classify_events, fold_events, read_features
from models.bytes_column import BytesColumn
from models.features import WALKER_WINDOWS
from models.fix_columns import FixColumns, parse_fixes
from models.records import Rating, RouteRequest
from models.routes.proposal_ids import proposed_way
from models.trips import trip as trips
from models.trips.city_walk import CityWalk, cities_in
from models.trips.route_updates import trip_id
from models.trips.step import Step, count_fixes, count_matches, problem_of, reason_of
from models.trips.trip import MatchedFixes, Policy, advance_fixes
from models.trips.waiting_walkers import WaitingWalkers
from models.trips.walker_state import FIXES, WalkerState

VERSIONS_PER_OFFSET = 64


class Walking:
    """The walkers of one partition, each on the network of their city."""

    def __init__(
        self,
        partition: int,
        networks: CityNetworks,
        state: WalkerState,
        policy: Policy | None = None,
        *,
        ingest_only: bool = False,
    ) -> None:
        self.partition = partition
        self.state = state
        self.policy = policy or Policy()
        self.ingest_only = ingest_only
        self.dirty: NDArray[np.bool_] = np.zeros(state.bucket_count, np.bool_)
        self._partition = partition
        self._networks = networks
        self._walks: dict[int, CityWalk] = {}
        self._waiting = WaitingWalkers(state, self.policy, self.walk_in, self.dirty)

    def walk_in(self, city: int) -> CityWalk:
        """Walking in a city, by its number."""
        walk = self._walks.get(city)
        if walk is None:
            network = self._networks.of(city)
            walk = self._walks[city] = CityWalk(self._partition, network, self.state, self.policy)
        return walk

    def open_cities(self) -> None:
        """Be ready where somebody has a trip, after their state was loaded."""
        n = len(self.state)
        active = self.state.trips["status"][:n] == trips.ACTIVE
        for city in np.unique(self.state.city[:n][active]).tolist():
            self.walk_in(city)

    @property
    def cities(self) -> set[int]:
        """Where somebody has had a trip."""
        return set(self._walks)

    @property
    def settled_nodes(self) -> int:
        """Nodes that all searches so far have settled."""
        return sum(walk.rerouting.space.settled_total for walk in self._walks.values())

    # ---- fixes

    def take_fixes(self, messages: BytesColumn, offsets: I64) -> Step:
        """Fold a block of `gps-fixes` messages (n,) with their offsets (n,) in.

        What a walker contains already is skipped (`WalkerState.contained`).
        """
        step = Step()
        started = time.perf_counter()
        columns, bad = parse_fixes(messages)
        step.problems = [problem_of(one) for one in bad]
        slot = self.state.slots(columns.names)
        offset = offsets[columns.message_index]
        fresh = offset >= self.state.contained[slot, FIXES]
        if not fresh.all():
            columns = columns.rows(fresh)
            slot, offset = slot[fresh], offset[fresh]
        started = step.lap("parse", started)
        if len(slot) == 0:
            return step
        kind = np.empty(len(slot), np.uint8)
        classify_events(WALKER_WINDOWS, self.state.windows, slot, columns.ts, kind)
        if self.ingest_only:
            self._fold(columns, slot, kind, np.zeros(len(slot), np.uint8))
            step.lap("windows", started)
        else:
            self._walk(step, columns, slot, offset, kind)
        self.dirty[self.state.bucket[slot]] = True
        self.state.moved[slot] = True
        count_fixes(step.counts, kind, columns.ts)
        return step

    def _walk(self, step: Step, columns: FixColumns, slot: I32, offset: I64, kind: U8) -> None:
        """Match fixes, fold them and follow trips: city by city, up to a fix that leads to another one."""
        state, cities = self.state, self._networks.cities
        city, in_order = np.empty(len(slot), np.int32), kind == IN_ORDER
        start = 0
        while start < len(slot):
            end = cities.follow(state.city, slot, columns.lat, columns.lon, in_order, start, city)
            for number in cities_in(city[start:end]):
                rows = start + np.flatnonzero(city[start:end] == number)
                if len(rows) == len(slot):
                    self._walk_in(number, step, columns, slot, offset, kind)
                elif len(rows):
                    part = columns.rows(rows)
                    self._walk_in(number, step, part, slot[rows], offset[rows], kind[rows])
            start = end
            if end < len(slot):
                self._leave(step, int(slot[end]), float(columns.ts[end]), int(offset[end]))
                there = cities.at(float(columns.lat[end]), float(columns.lon[end]))
                assert there is not None
                state.enter(int(slot[end]), there.number)

    def _leave(self, step: Step, s: int, ts: float, offset: int) -> None:
        """A trip ends where its city does."""
        if self.state.trips["status"][s] == trips.ACTIVE:
            step.decided(trips.REASONS[trips.END])
            version = (offset + 1) * VERSIONS_PER_OFFSET
            rerouting = self.walk_in(int(self.state.city[s])).rerouting
            rerouting.finish(step, s, trips.STOPPED, trips.END, ts, version)

    def _walk_in(self, city: int, step: Step, columns: FixColumns, slot: I32, offset: I64, kind: U8) -> None:
        """Fixes of walkers who are all in one city, or (-1) in none: of those only windows are kept."""
        started = time.perf_counter()
        if city < 0:
            self._fold(columns, slot, kind, np.ones(len(slot), np.uint8))
            step.lap("windows", started)
            return
        walk = self.walk_in(city)
        matched = empty_matches(len(slot))
        accuracy = columns.accuracy_m.astype(np.float32)
        fixes = MatchFixes(slot, kind, columns.ts, columns.lat, columns.lon, accuracy)
        match_fixes(walk.match_arrays, self.state.matches, fixes, matched)
        started = step.lap("match", started)
        self._fold(columns, slot, kind, matched.off_network)
        started = step.lap("windows", started)
        settled = SettledFixes(
            slot, columns.lat, columns.lon, matched.settled_edge, matched.settled_fraction,
            matched.settled_ts,
        )  # fmt: skip
        finished = self.state.finished
        room = finished.room(len(slot))
        finished.keep(fold_passages(walk.edge_ends, self.state.passages, settled, room))
        step.lap("passages", started)
        self._advance(walk, step, columns, slot, offset, kind, matched)
        count_matches(step.counts, kind, matched)
        step.false_reroutes += walk.rerouting.false_reroutes.follow(
            slot, kind == IN_ORDER, columns.ts, matched.edge
        )

    def _fold(self, columns: FixColumns, slot: I32, kind: U8, off_network: U8) -> None:
        values = values_of(
            WALKER_WINDOWS, lat=columns.lat, lon=columns.lon, accuracy_m=columns.accuracy_m,
            speed_mps=columns.speed_mps, off_network=off_network,
        )  # fmt: skip
        fold_events(WALKER_WINDOWS, self.state.windows, slot, kind, columns.ts, values)

    def changed_features(self) -> tuple[I32, F64, F32]:
        """Slots whose windows changed since the last call, their event times, and features (n, F)."""
        slots = np.flatnonzero(self.state.moved).astype(np.int32)
        self.state.moved[slots] = False
        ts = self.state.windows["last_ms"][slots] / 1000.0
        values = np.empty((len(slots), len(WALKER_WINDOWS.features)), np.float32)
        read_features(WALKER_WINDOWS, self.state.windows, slots, ts, values)
        return slots, ts, values

    def _advance(
        self,
        walk: CityWalk,
        step: Step,
        columns: FixColumns,
        slot: I32,
        offset: I64,
        kind: NDArray[np.uint8],
        matched: Matches,
    ) -> None:
        fixes = MatchedFixes(
            slot, kind == IN_ORDER, columns.ts, columns.lat, columns.lon, columns.accuracy_m,
            matched.edge, matched.fraction, matched.probability,
        )  # fmt: skip
        state = self.state
        state.next_fix[slot] = 0
        state.decision[slot] = trips.NONE
        while True:
            started = time.perf_counter()
            advance_fixes(
                state.trips, state.routes(), walk.route_geometry, fixes, self.policy, state.next_fix,
                state.decision, state.decided_at,
            )  # fmt: skip
            started = step.lap("trips", started)
            stopped = slot[state.decision[slot] != trips.NONE]
            if len(stopped) == 0:
                return
            stopped = np.unique(stopped)
            # by the fix that caused it, so that the order of updates does not depend on slots
            for s in stopped[np.argsort(state.decided_at[stopped], kind="stable")].tolist():
                i = int(state.decided_at[s])
                version = (int(offset[i]) + 1) * VERSIONS_PER_OFFSET
                self._decide(walk, step, s, int(state.decision[s]), float(columns.ts[i]), version)
            state.decision[stopped] = trips.NONE
            step.lap("search", started)

    def _decide(self, walk: CityWalk, step: Step, s: int, decision: int, ts: float, version: int) -> None:
        step.decided(trips.REASONS[decision])
        if decision == trips.ARRIVE:
            walk.rerouting.finish(step, s, trips.ARRIVED, decision, ts, version)
        elif decision == trips.EXPIRE:
            self._expire(step, s)
        else:
            with step.searching(trips.REASONS[decision]):
                if decision == trips.WORLD_CHANGED:
                    walk.rerouting.reconsider(step, s, decision, version)
                else:
                    walk.rerouting.replan(step, s, decision, ts, version)

    # ---- trips that nobody walks any more

    def expire_trips(self, slots: Iterable[int]) -> Step:
        """End the trips under way of walkers of whom nothing was heard for `Policy.expire_s`.

        A fix that comes after all ends its trip in the very same way: when this is done does not matter.
        """
        step = Step()
        for s in slots:
            if self.state.trips["status"][s] == trips.ACTIVE:
                step.decided(trips.REASONS[trips.EXPIRE])
                self._expire(step, s)
                self.dirty[self.state.bucket[s]] = True
        return step

    def _expire(self, step: Step, s: int) -> None:
        trip = self.state.trips[s]
        ts = max(float(trip["last_ts"]), float(trip["started_ts"])) + self.policy.expire_s
        self.walk_in(int(self.state.city[s])).rerouting.finish(step, s, trips.EXPIRED, trips.EXPIRE, ts)

    # ---- requests and ratings

    def take_request(self, device: bytes, request: RouteRequest, offset: int, message_index: int) -> Step:
        """Start a trip, stop the one under way, or mark a walker as one to be forgotten.

        A request no newer than the trip's own changes nothing.
        """
        step = Step()
        s = self.state.slot(device)
        self.state.seen_s[s] = 0.0  # now, when it is next looked at
        trip = self.state.trips[s]
        if trip["status"] != trips.IDLE and offset <= trip["request_offset"]:
            return step
        self.dirty[self.state.bucket[s]] = True
        if request.kind in ("stop", "erase"):
            if trip["status"] == trips.ACTIVE:
                rerouting = self.walk_in(int(self.state.city[s])).rerouting
                rerouting.finish(step, s, trips.STOPPED, trips.END, request.ts, 0)
            if request.kind == "erase":
                self.state.trips["status"][s] = trips.ERASED
            return step
        started = time.perf_counter()
        try:
            self._start(step, s, request, offset)
        except (BadInput, NoCandidate, NoRoute) as error:
            step.problem(message_index, reason_of(error), str(error))
            step.failed_with(error)
        step.lap("search", started)
        return step

    def _start(self, step: Step, s: int, request: RouteRequest, offset: int) -> None:
        """Begin a trip in the city of its start."""
        assert request.lat is not None  # what decode has checked
        assert request.lon is not None
        city = self._networks.cities.at(request.lat, request.lon)
        if city is None:
            raise NoCandidate(f"{request.lat:.5f}, {request.lon:.5f} is in no city that is known here")
        chosen = None
        if request.proposal is not None:
            with contextlib.suppress(BadInput):  # of another map: planned anew
                chosen = proposed_way(self._networks.cities, request.proposal)
        with step.searching("requested"):
            self.walk_in(city.number).rerouting.start(step, s, request, offset, chosen)
        if self.state.city[s] != city.number:
            self.state.enter(s, city.number)

    def take_rating(self, device: bytes, rating: Rating) -> Step:
        """A dislike of the route under way gets another one; a like keeps it unless another is far better."""
        step = Step()
        s = self.state.find(device)
        if s is None or self.state.trips["status"][s] != trips.ACTIVE:
            return step
        current = trip_id(self.state, self._partition, s)
        if rating.proposal != current and not rating.proposal.startswith(current + ":"):
            return step
        stars = rating.verdict if isinstance(rating.verdict, int) else 0
        if rating.verdict == "dislike" or 1 <= stars <= 2:
            step.decided("disliked")
            rerouting = self.walk_in(int(self.state.city[s])).rerouting
            started = time.perf_counter()
            with step.searching("disliked"):
                rerouting.replan(step, s, trips.DISLIKED, rating.ts, 0)
            step.lap("search", started)
        elif rating.verdict == "like" or stars >= 4:
            self.state.trips["liked"][s] = 1
        else:
            return step
        self.dirty[self.state.bucket[s]] = True
        return step

    # ---- the world

    @property
    def waiting(self) -> int:
        """How many walkers `serve` has still to look at after changes of the world."""
        return len(self._waiting)

    def begin_change(self, city: int, network: Network, before: Network | None = None) -> Step:
        """Take a new network of a city, and note whom there it concerns; `serve` looks at them.

        Their ways are compared with what they were on the network `before`, by default the one in use.
        """
        step = Step()
        if city not in self._walks:
            return step
        started = time.perf_counter()
        rerouting = self._walks[city].rerouting
        before, rerouting.network = before or rerouting.network, network
        if before is not network:
            self._waiting.join(city, before, network)
            step.lap("rescore", started)
        return step

    def serve(self, most: int | None = None) -> Step:
        """Look for better ways for the next walkers who wait, see `WaitingWalkers.serve`."""
        step = Step()
        self._waiting.serve(step, most)
        return step

    def change_world(self, city: int, network: Network, before: Network | None = None) -> Step:
        """`begin_change`, and `serve` until nobody waits."""
        step = self.begin_change(city, network, before)
        step.add(self.serve())
        return step
