"""Everyone who walks in one partition: blocks of fixes, requests and ratings in, route updates out.

Pure: no Kafka, no clock, no randomness. The same messages with the same network give the same updates,
wherever blocks begin and end. `streams.walker_shard` puts it behind topics and checkpoints.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geo.errors import BadInput, BadRecord, FlaneurError, NoCandidate, NoRoute
from geo.graph import F32, F64, I32, I64
from geo.matching import Matches, MatchFixes, empty_matches, match_arrays, match_fixes
from geo.network import Network
from geo.polyline import encode6
from geo.routing.costs import FACTOR_NAMES, impedance
from geo.routing.scoring import pack, remaining_impedance, score_routes
from geo.routing.search import Path, Place, SearchSpace, path_coordinates
from geo.windows import (
    DUPLICATE,
    FEATURE_COLUMNS,
    IN_ORDER,
    LATE,
    OUT_OF_ORDER,
    classify_fixes,
    fold_fixes,
    read_features,
)
from models import trip as trips
from models.fix_columns import BadValue, FixColumns, parse_fixes
from models.planning import Planned, Wish, plan, rejoin, snap
from models.records import Rating, RouteRequest, RouteUpdate
from models.trip import MatchedFixes, Policy, advance_fixes, route_geometry
from models.walker_state import WalkerState
from models.wording import CLOSED, message_for, message_for_factor

VERSIONS_PER_OFFSET = 64
SNAP_M = 150.0
STRAYED = 3  # so many reroutes in a row that were not followed make a new loop
TASTES_AT_ONCE = 64  # whose impedances of all edges are in memory at the same time


@dataclass(frozen=True)
class Problem:
    """A message, or one fix of it, that cannot be used."""

    message_index: int
    reason: str
    detail: str


@dataclass
class FixCounts:
    """What became of the fixes of a block."""

    fixes: int = 0
    late: int = 0
    duplicate: int = 0
    out_of_order: int = 0
    matched: int = 0
    off_network: int = 0
    distance_m: float = math.nan  # mean over the matched
    probability: float = math.nan
    newest_ts: float = 0.0


@dataclass
class Step:
    """What follows from one call: updates to send and messages to put aside."""

    updates: list[RouteUpdate] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    counts: FixCounts = field(default_factory=FixCounts)
    decisions: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # by kernel

    def count(self, counter: dict[str, int], name: str) -> None:
        counter[name] = counter.get(name, 0) + 1

    def problem(self, message_index: int, reason: str, detail: str) -> None:
        self.problems.append(Problem(message_index, reason, detail))

    def add(self, other: Step) -> None:
        """Append what followed from a later call (its fixes are not added: only records come singly)."""
        self.updates += other.updates
        self.problems += other.problems
        for mine, others in ((self.decisions, other.decisions), (self.failed, other.failed)):
            for name, n in others.items():
                mine[name] = mine.get(name, 0) + n
        for kernel, seconds in other.seconds.items():
            self.seconds[kernel] = self.seconds.get(kernel, 0.0) + seconds


class Walking:
    """The walkers of one partition, on one network at a time."""

    def __init__(
        self,
        partition: int,
        network: Network,
        state: WalkerState,
        policy: Policy | None = None,
        *,
        ingest_only: bool = False,
    ) -> None:
        self.partition = partition
        self.network = network
        self.state = state
        self.policy = policy or Policy()
        self.ingest_only = ingest_only
        self.dirty: NDArray[np.bool_] = np.zeros(state.bucket_count, np.bool_)
        self._space = SearchSpace(network.graph)
        self._arrays = match_arrays(network.graph)
        self._geometry = route_geometry(network.graph)

    @property
    def settled_nodes(self) -> int:
        """Nodes that all searches so far have settled."""
        return self._space.settled_total

    # ---- fixes

    def take_fixes(self, values: Sequence[bytes | None], offsets: Sequence[int], contained: I64) -> Step:
        """Fold a block of `gps-fixes` values with their offsets in.

        `contained` (buckets,): for each bucket the offset up to which it holds fixes already.
        """
        step = Step()
        started = time.perf_counter()
        columns, bad = parse_fixes(values)
        step.problems = [_problem(one) for one in bad]
        slot = self.state.slots(columns.devices)[columns.device_index]
        offset = np.asarray(offsets, np.int64)[columns.message_index]
        fresh = offset >= contained[self.state.bucket[slot]]
        if not fresh.all():
            columns = _rows(columns, fresh)
            slot, offset = slot[fresh], offset[fresh]
        started = _lap(step, "parse", started)
        if len(slot) == 0:
            return step
        kind = np.empty(len(slot), np.uint8)
        classify_fixes(self.state.windows, slot, columns.ts, kind)
        accuracy = columns.accuracy_m.astype(np.float32)
        if self.ingest_only:
            off_network = np.zeros(len(slot), np.uint8)
            fold_fixes(
                self.state.windows, slot, kind, columns.ts, columns.lat, columns.lon, accuracy, off_network
            )
            _lap(step, "windows", started)
        else:
            matched = empty_matches(len(slot))
            fixes = MatchFixes(slot, kind, columns.ts, columns.lat, columns.lon, accuracy)
            match_fixes(self._arrays, self.state.matches, fixes, matched)
            started = _lap(step, "match", started)
            fold_fixes(
                self.state.windows, slot, kind, columns.ts, columns.lat, columns.lon, accuracy,
                matched.off_network,
            )  # fmt: skip
            started = _lap(step, "windows", started)
            self._advance(step, columns, slot, offset, kind, matched)
            _count_matches(step.counts, kind, matched)
        self.dirty[self.state.bucket[slot]] = True
        self.state.moved[slot] = True
        _count_fixes(step.counts, kind, columns.ts)
        return step

    def changed_features(self) -> tuple[I32, F64, F32]:
        """Slots whose windows changed since the last call, their event times, and features (n, F)."""
        slots = np.flatnonzero(self.state.moved).astype(np.int32)
        self.state.moved[slots] = False
        ts = self.state.windows["last_ms"][slots] / 1000.0
        values = np.empty((len(slots), len(FEATURE_COLUMNS)), np.float32)
        read_features(self.state.windows, slots, ts, values)
        return slots, ts, values

    def _advance(
        self,
        step: Step,
        columns: FixColumns,
        slot: I32,
        offset: I64,
        kind: NDArray[np.uint8],
        matched: Matches,
    ) -> None:
        fixes = MatchedFixes(
            slot, kind == IN_ORDER, columns.ts, columns.lat, columns.lon, columns.accuracy_m,
            matched.edge, matched.fraction,
        )  # fmt: skip
        state = self.state
        state.next_fix[slot] = 0
        state.decision[slot] = trips.NONE
        while True:
            started = time.perf_counter()
            advance_fixes(
                state.trips,
                state.routes(),
                self._geometry,
                fixes,
                self.policy,
                state.next_fix,
                state.decision,
                state.decided_at,
            )
            started = _lap(step, "trips", started)
            stopped = np.unique(slot[state.decision[slot] != trips.NONE])
            if len(stopped) == 0:
                return
            # by the fix that caused it, so that the order of updates does not depend on slots
            for s in stopped[np.argsort(state.decided_at[stopped], kind="stable")].tolist():
                i = int(state.decided_at[s])
                version = (int(offset[i]) + 1) * VERSIONS_PER_OFFSET
                self._decide(step, s, int(state.decision[s]), float(columns.ts[i]), version)
            state.decision[stopped] = trips.NONE
            _lap(step, "search", started)

    def _decide(self, step: Step, s: int, decision: int, ts: float, version: int) -> None:
        step.count(step.decisions, trips.REASONS[decision])
        if decision == trips.ARRIVE:
            self._finish(step, s, trips.ARRIVED, decision, ts, version)
        else:
            self._replan(step, s, decision, ts, version)

    # ---- requests and ratings

    def take_request(self, device: bytes, request: RouteRequest, offset: int, message_index: int) -> Step:
        """Start a trip, or stop the one under way. A request no newer than the trip's own changes nothing."""
        step = Step()
        s = self.state.slot(device)
        trip = self.state.trips[s]
        if trip["status"] != trips.IDLE and offset <= trip["request_offset"]:
            return step
        self.dirty[self.state.bucket[s]] = True
        if request.kind == "stop":
            if self.state.trips["status"][s] == trips.ACTIVE:
                self._finish(step, s, trips.STOPPED, trips.END, request.ts, 0)
            return step
        try:
            self._start(step, s, request, offset)
        except (BadInput, NoCandidate, NoRoute) as error:
            step.problem(message_index, _reason(error), str(error))
            step.count(step.failed, _reason(error))
        return step

    def _start(self, step: Step, s: int, request: RouteRequest, offset: int) -> None:
        assert request.lat is not None  # what decode has checked
        assert request.lon is not None
        graph = self.network.graph
        start = snap(graph, request.lat, request.lon, SNAP_M)
        dest = None
        if request.kind == "to":
            assert request.dest_lat is not None
            assert request.dest_lon is not None
            dest = snap(graph, request.dest_lat, request.dest_lon, SNAP_M)
        trip = np.zeros((), self.state.trips.dtype)
        trip["taste"] = np.nan
        for name, weight in (request.taste or {}).items():
            if name not in FACTOR_NAMES:
                raise BadRecord("unknown_factor", f"{name!r} is none of {', '.join(FACTOR_NAMES)}")
            trip["taste"][FACTOR_NAMES.index(name)] = weight
        trip["request_offset"] = offset
        trip["started_ts"] = request.ts
        trip["kind"] = trips.KIND_TO if dest is not None else trips.KIND_LOOP
        trip["status"] = trips.ACTIVE
        trip["wanted_m"] = request.length_m or 0.0
        trip["wanted_s"] = request.duration_s or 0.0
        trip["home_edge"], trip["home_fraction"] = start.edge, start.fraction
        trip["dest_edge"], trip["dest_fraction"] = (dest.edge, dest.fraction) if dest else (-1, 0.0)
        trip["matched_edge"] = -1
        trip["speed_mps"] = self.policy.reference_mps
        planned = plan(self.network, self._wish(trip), start, walked_s=0.0, space=self._space)
        step.count(step.decisions, "requested")
        self.state.trips[s] = trip
        self._take_route(s, planned, 0.0)
        step.updates.append(self._update(s, planned, trips.REQUESTED, request.ts, 1, None, None))

    def take_rating(self, device: bytes, rating: Rating) -> Step:
        """A dislike of the route under way gets another one."""
        step = Step()
        s = self.state.slot_of.get(device)
        if s is None or self.state.trips["status"][s] != trips.ACTIVE:
            return step
        current = self._trip_id(s)
        if rating.proposal != current and not rating.proposal.startswith(current + ":"):
            return step
        if rating.verdict == "dislike" or (isinstance(rating.verdict, int) and rating.verdict <= 2):
            self.dirty[self.state.bucket[s]] = True
            step.count(step.decisions, "disliked")
            self._replan(step, s, trips.DISLIKED, rating.ts, 0)
        return step

    # ---- the world

    def change_world(self, network: Network) -> Step:
        """Take a new network of the same graph; reroute the walkers whose way ahead it makes worse.

        All live routes are scored on both networks in one call each; only those that got worse are searched
        for, and only a clearly better way is sent (`Policy.gain_margin`, `again_margin`).
        """
        step = Step()
        before, self.network = self.network, network
        slots = self.state.active_slots()
        if len(slots) == 0:
            return step
        started = time.perf_counter()
        ahead = [self._ahead(s) for s in slots.tolist()]
        costs = [self._left(world, slots, ahead) for world in (before, network)]
        started = _lap(step, "rescore", started)
        for k in np.flatnonzero(costs[1] > costs[0] * (1.0 + self.policy.worse_share)).tolist():
            self._reroute(step, int(slots[k]), ahead[k], float(costs[1][k]))
        _lap(step, "search", started)
        return step

    def _left(self, network: Network, slots: I64, ahead: Sequence[Path]) -> F64:
        """The impedance of each walker's way ahead, a few tastes at a time: each needs that of every edge."""
        tastes, row = _distinct(self.state.trips["taste"][slots])
        left = np.empty(len(slots))
        for first in range(0, len(tastes), TASTES_AT_ONCE):
            some = tastes[first : first + TASTES_AT_ONCE]
            mine = np.flatnonzero((row >= first) & (row < first + len(some)))
            values = np.stack([impedance(network.graph, network.costs, _taste(taste)) for taste in some])
            routes = pack([ahead[k] for k in mine.tolist()])
            begin = np.zeros(len(mine), np.int32)
            left[mine] = remaining_impedance(
                network.graph, values, routes, begin, routes.start_fraction, row[mine] - np.int32(first)
            )
        return left

    def _ahead(self, s: int) -> Path:
        """What is left of a walker's route."""
        trip = self.state.trips[s]
        edges = self.state.route_edges(s)
        j, fraction = self._at(s, float(trip["progress_m"]))
        left = float(trip["route_m"] - trip["progress_m"])
        return Path(edges[j:], fraction, float(trip["end_fraction"]), left, self._remaining_s(s), math.nan)

    def _at(self, s: int, progress_m: float) -> tuple[int, float]:
        """Index of the route's edge at a progress, and the fraction of that edge."""
        routes = self.state.routes()
        first, size = int(routes.first[s]), int(routes.size[s])
        starts = routes.start_m[first : first + size]
        j = int(np.clip(np.searchsorted(starts, progress_m, side="right") - 1, 0, size - 1))
        length = max(float(self.network.graph.length_m[routes.edges[first + j]]), 1e-6)
        return j, min(1.0, max(0.0, (progress_m - float(starts[j])) / length))

    def _reroute(self, step: Step, s: int, ahead: Path, cost: float) -> None:
        trip = self.state.trips[s]
        step.count(step.decisions, "world_changed")
        ts = max(float(trip["last_ts"]), float(trip["started_ts"]))
        try:
            start, keep_m = self._predicted(s, trips.WORLD_CHANGED)
            planned = self._plan_on(s, start, ts, keep=ahead if math.isinf(cost) else None)
        except (BadInput, NoCandidate, NoRoute) as error:
            step.count(step.failed, _reason(error))
            return
        gain = self._gain(int(trip["kind"]), ahead, cost, planned)
        recent = trip["switched_ts"] > 0.0 and ts - trip["switched_ts"] < self.policy.again_s
        if gain < (self.policy.again_margin if recent else self.policy.gain_margin):
            return
        trip["switched_ts"] = ts
        self.dirty[self.state.bucket[s]] = True
        why = self._why(ahead, planned, _taste(trip["taste"]))
        self._take_route(s, planned, keep_m)
        version = int(trip["version"]) + 1
        step.updates.append(self._update(s, planned, trips.WORLD_CHANGED, ts, version, gain, why))

    def _gain(self, kind: int, ahead: Path, cost: float, planned: Planned) -> float:
        """How much better the new way is, 0..1. Loops are compared by the minute: they need not be short."""
        if math.isinf(cost):
            return 1.0
        new = planned.impedance
        if kind == trips.KIND_LOOP:
            new *= ahead.duration_s / max(planned.duration_s, 1.0)
        return float(1.0 - new / max(cost, 1e-9))

    def _why(self, ahead: Path, planned: Planned, taste: Mapping[str, float]) -> str:
        """What the new way spares the walker most."""
        if self.network.costs.closed[ahead.edges].any():
            return CLOSED
        scores = score_routes(self.network.graph, self.network.costs, [ahead, planned.path], [taste])
        spared = scores.added_s[0, 0] - scores.added_s[1, 0]
        return message_for_factor(FACTOR_NAMES[int(np.argmax(spared))])

    # ---- planning

    def _wish(self, trip: NDArray[np.void] | np.void) -> Wish:
        dest = None
        if trip["kind"] == trips.KIND_TO:
            dest = Place(int(trip["dest_edge"]), float(trip["dest_fraction"]))
        return Wish(
            kind="to" if dest is not None else "loop",
            home=Place(int(trip["home_edge"]), float(trip["home_fraction"])),
            dest=dest,
            length_m=float(trip["wanted_m"]) or None,
            duration_s=float(trip["wanted_s"]) or None,
            taste=_taste(trip["taste"]),
        )

    def _plan_on(
        self,
        s: int,
        start: Place,
        ts: float,
        *,
        avoid: I32 | None = None,
        keep: Path | None = None,
    ) -> Planned:
        """Plan for a walker under way: what is left of the wish, and turning round must be worth it.

        keep: what is left of a loop that the walker should come back to if they can.
        """
        trip = self.state.trips[s]
        matched = int(trip["matched_edge"])
        wish = self._wish(trip)
        walked_m, walked_s = float(trip["walked_m"]), max(0.0, ts - float(trip["started_ts"]))
        heading = matched if matched >= 0 else None
        if keep is not None and wish.kind == "loop":
            planned = rejoin(
                self.network,
                wish,
                start,
                keep,
                walked_m=walked_m,
                walked_s=walked_s,
                heading_edge=heading,
                space=self._space,
            )
            if planned is not None:
                return planned
        return plan(
            self.network,
            wish,
            start,
            avoid_edges=avoid,
            walked_m=walked_m,
            walked_s=walked_s,
            heading_edge=heading,
            space=self._space,
        )

    def _replan(self, step: Step, s: int, decision: int, ts: float, version: int) -> None:
        """Search from where the walker will be when the update arrives, and take the new route."""
        trip = self.state.trips[s]
        old = self.state.route_edges(s)
        try:
            start, keep_m = self._predicted(s, decision)
            avoid = old if decision == trips.DISLIKED else None
            # who leaves again and again does not want to be led back
            strayed = decision == trips.OFF_ROUTE and trip["reroutes"] < STRAYED
            keep = self._ahead(s) if strayed else None
            planned = self._plan_on(s, start, ts, avoid=avoid, keep=keep)
        except (BadInput, NoCandidate, NoRoute) as error:
            step.count(step.failed, _reason(error))
            return
        if decision == trips.LATE and planned.duration_s >= self._remaining_s(s):
            return  # nothing shorter: the walker keeps what they have
        version = max(version, int(trip["version"]) + 1)
        self._take_route(s, planned, keep_m)
        step.updates.append(self._update(s, planned, decision, ts, version, None, None))

    def _remaining_s(self, s: int) -> float:
        trip = self.state.trips[s]
        left = max(0.0, float(trip["route_m"] - trip["progress_m"]))
        return float(trip["route_s"]) * left / max(float(trip["route_m"]), 1.0)

    def _predicted(self, s: int, decision: int) -> tuple[Place, float]:
        """Where a new route should begin, and how much of the client's route is kept up to there."""
        trip = self.state.trips[s]
        graph = self.network.graph
        ahead_m = float(trip["speed_mps"]) * self.policy.reaction_s
        base = float(trip["base_m"])
        if decision == trips.OFF_ROUTE:
            edge = int(trip["matched_edge"])
            if edge >= 0:
                length = float(graph.length_m[edge])
                fraction = min(1.0, float(trip["matched_fraction"]) + ahead_m / max(length, 1.0))
                return Place(edge, fraction), base + float(trip["progress_m"])
            place = snap(graph, float(trip["last_lat"]), float(trip["last_lon"]), SNAP_M)
            return place, base + float(trip["progress_m"])
        at = min(float(trip["progress_m"]) + ahead_m, float(trip["route_m"]))
        j, fraction = self._at(s, at)
        return Place(int(self.state.route_edges(s)[j]), fraction), base + at

    def _take_route(self, s: int, planned: Planned, keep_m: float) -> None:
        edges = planned.path.edges
        lengths = self.network.graph.length_m[edges].astype(np.float64)
        start_m = np.concatenate([[0.0], np.cumsum(lengths[:-1])]) - planned.path.start_fraction * lengths[0]
        self.state.set_route(s, edges, start_m)
        trip = self.state.trips[s]
        trip["progress_m"] = 0.0
        trip["route_idx"] = 0
        trip["route_m"] = planned.length_m
        trip["route_s"] = planned.duration_s
        trip["start_fraction"] = planned.path.start_fraction
        trip["end_fraction"] = planned.path.end_fraction
        trip["base_m"] = keep_m
        trip["off_since_ts"] = 0.0
        trip["off_count"] = 0

    def _finish(self, step: Step, s: int, status: int, decision: int, ts: float, version: int) -> None:
        trip = self.state.trips[s]
        trip["status"] = status
        trip["version"] = max(version, int(trip["version"]) + 1)
        self.state.set_route(s, np.zeros(0, np.int32), np.zeros(0))
        reason = trips.REASONS[decision]
        step.updates.append(
            RouteUpdate(
                device=self.state.devices[s].decode(),
                trip=self._trip_id(s),
                version=int(trip["version"]),
                ts=ts,
                reason=reason,
                fix_ts=float(trip["last_ts"]) or None,
                keep_m=float(trip["base_m"] + trip["progress_m"]),
                eta=ts,
                message=message_for(reason),
            )
        )

    def _update(
        self,
        s: int,
        planned: Planned,
        decision: int,
        ts: float,
        version: int,
        gain: float | None,
        why: str | None,
    ) -> RouteUpdate:
        trip = self.state.trips[s]
        trip["version"] = version
        lat, lon = path_coordinates(self.network.graph, planned.path)
        reason = trips.REASONS[decision]
        return RouteUpdate(
            device=self.state.devices[s].decode(),
            trip=self._trip_id(s),
            version=version,
            ts=ts,
            reason=reason,
            fix_ts=float(trip["last_ts"]) or None,
            keep_m=float(trip["base_m"]),
            geometry=encode6(lat, lon),
            length_m=planned.length_m,
            duration_s=planned.duration_s,
            eta=ts + planned.duration_s,
            score={name: value for name, value in planned.exposures.items() if value > 0.0005},
            gain=gain,
            message=why or message_for(reason),
        )

    def _trip_id(self, s: int) -> str:
        return f"{self.partition}-{int(self.state.trips['request_offset'][s])}"


def _taste(weights: F32) -> dict[str, float]:
    return {
        name: float(weight)
        for name, weight in zip(FACTOR_NAMES, weights, strict=True)
        if not math.isnan(weight)
    }


def _distinct(weights: F32) -> tuple[list[F32], I32]:
    """The different rows, and the row of each (nan equals nan here)."""
    index: dict[bytes, int] = {}
    row = np.array([index.setdefault(one.tobytes(), len(index)) for one in weights], np.int32)
    return [np.frombuffer(key, np.float32) for key in index], row


def _reason(error: FlaneurError) -> str:
    if isinstance(error, BadRecord):
        return error.reason
    if isinstance(error, NoCandidate):
        return "no_candidate"
    return "no_route" if isinstance(error, NoRoute) else "bad_request"


def _problem(bad: BadValue) -> Problem:
    where = f"fix {bad.fix_index}: " if bad.fix_index >= 0 else ""
    return Problem(bad.message_index, bad.reason, where + bad.detail)


def _rows(columns: FixColumns, keep: NDArray[np.bool_]) -> FixColumns:
    return FixColumns(
        columns.devices,
        columns.device_index[keep],
        columns.message_index[keep],
        columns.ts[keep],
        columns.lat[keep],
        columns.lon[keep],
        columns.accuracy_m[keep],
        columns.speed_mps[keep],
        columns.bearing_deg[keep],
    )


def _lap(step: Step, kernel: str, started: float) -> float:
    now = time.perf_counter()
    step.seconds[kernel] = step.seconds.get(kernel, 0.0) + now - started
    return now


def _count_fixes(counts: FixCounts, kind: NDArray[np.uint8], ts: F64) -> None:
    counts.fixes = len(kind)
    counts.late = int(np.count_nonzero(kind == LATE))
    counts.duplicate = int(np.count_nonzero(kind == DUPLICATE))
    counts.out_of_order = int(np.count_nonzero(kind == OUT_OF_ORDER))
    counts.newest_ts = float(ts.max())


def _count_matches(counts: FixCounts, kind: NDArray[np.uint8], matched: Matches) -> None:
    judged = kind == IN_ORDER
    on = judged & (matched.off_network == 0)
    counts.matched = int(np.count_nonzero(on))
    counts.off_network = int(np.count_nonzero(judged)) - counts.matched
    if counts.matched:
        counts.distance_m = float(matched.distance_m[on].mean())
        counts.probability = float(matched.probability[on].mean())
