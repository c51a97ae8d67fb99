"""Routes for the walkers of one partition: the first, another one on the way, and the end of a trip.

Each call plans with the network of now, puts the walker on the new route and adds the update to the step.
"""

from __future__ import annotations

import math

import numpy as np

from geo.errors import BadInput, BadRecord, NoCandidate, NoRoute
from geo.geodesy import haversine_m
from geo.graph import I32, Graph
from geo.network import Network
from geo.routing.costs import FACTOR_NAMES
from geo.routing.paths import path_of, stretches
from geo.routing.search import Path, Place, SearchSpace, path_coordinates
from models.records import RouteRequest
from models.routes.planning import Planned, plan, rejoin, remaining, snap
from models.routes.planning import planned as planned_paths
from models.routes.proposal_ids import ProposedWay
from models.routes.taste_metrics import metric_of
from models.trips import trip as trips
from models.trips.false_reroutes import FalseReroutes
from models.trips.live_route import (
    SNAP_M,
    Trip,
    ahead_of,
    place_along,
    predicted_m,
    predicted_off_route,
    remaining_s,
    take_route,
    taste_of,
    wish_of,
)
from models.trips.route_updates import cause_of, change_of, end_update, route_update
from models.trips.step import Step
from models.trips.trip import Policy
from models.trips.walker_state import WalkerState
from models.trips.way_out import plan_way_out

STRAYED = 3  # so many reroutes in a row that were not followed make a new loop


class Rerouting:
    """Plans for walkers by their slot, on one network at a time."""

    def __init__(self, partition: int, network: Network, state: WalkerState, policy: Policy) -> None:
        self.partition = partition
        self.network = network
        self.state = state
        self.policy = policy
        self.space = SearchSpace(network.graph)
        self.false_reroutes = FalseReroutes(state)

    def start(
        self, step: Step, s: int, request: RouteRequest, offset: int, chosen: ProposedWay | None = None
    ) -> None:
        """Begin the trip asked for, on the chosen way if it is still open and begins where the walker is.

        What `plan` and `snap` raise is raised, and then nothing changes.
        """
        trip = self._new_trip(request, offset)
        start = Place(int(trip["home_edge"]), float(trip["home_fraction"]))
        planned = None if chosen is None else self._planned_as(chosen, trip, start)
        if planned is None:
            planned = plan(self.network, wish_of(trip), start, walked_s=0.0, space=self.space)
        step.decided("requested")
        self.state.trips[s] = trip
        take_route(self.state, self.network.graph, s, planned, 0.0)
        self._send(step, s, planned, trips.REQUESTED, request.ts)

    def replan(self, step: Step, s: int, decision: int, ts: float, version: int) -> None:
        """Answer what a walker did: search from where they will be when the update arrives."""
        trip = self.state.trips[s]
        graph = self.network.graph
        try:
            if decision == trips.OFF_ROUTE:
                start, at_m = (
                    predicted_off_route(self.state, graph, self.policy, s),
                    float(trip["progress_m"]),
                )
                before = ahead_of(self.state, graph, s)
                # who leaves again and again does not want to be led back
                keep = before if trip["reroutes"] < STRAYED else None
                planned = self._plan_on(s, start, ts, keep=keep)
            else:
                start, at_m = self._predicted(s)
                before = ahead_of(self.state, graph, s, at_m)
                avoid = self.state.route_edges(s) if decision == trips.DISLIKED else None
                planned = self._plan_on(s, start, ts, avoid=avoid)
        except (BadInput, NoCandidate, NoRoute) as error:
            step.failed_with(error)
            return
        if decision == trips.LATE and planned.duration_s >= remaining_s(trip):
            return  # nothing shorter: the walker keeps what they have
        if decision == trips.OFF_ROUTE:
            self.false_reroutes.told(s, ts, before.edges, planned.path.edges)
        take_route(self.state, graph, s, planned, float(trip["base_m"]) + at_m)
        self._send(step, s, planned, decision, ts, version, change=change_of(before, planned))

    def shuts_in(self, s: int) -> bool:
        """Whether the stretch that a walker is on is closed."""
        matched = int(self.state.trips["matched_edge"][s])
        return matched >= 0 and bool(self.network.costs.closed[matched])

    def reconsider(self, step: Step, s: int, decision: int, version: int = 0) -> bool:
        """Look for a way that is clearly better now than the walker's route; whether one was taken."""
        trip = self.state.trips[s]
        ts = max(float(trip["last_ts"]), float(trip["started_ts"]))
        if decision == trips.BETTER:
            self.looked(s)
        taste = taste_of(trip["taste"])
        try:
            start, at_m = self._predicted(s)
            ahead = ahead_of(self.state, self.network.graph, s, at_m)
            span = ahead.start_fraction, ahead.end_fraction
            cost = remaining(self.network, taste, ahead.edges, 0, *span).impedance
            planned = self._plan_on(s, start, ts, keep=ahead if math.isinf(cost) else None)
        except (BadInput, NoCandidate, NoRoute) as error:
            step.failed_with(error)
            return False
        gain = gain_of(int(trip["kind"]), ahead, cost, planned)
        if not math.isinf(cost) and gain * cost < self.policy.gain_s:
            return False
        if gain < self._margin(trip, decision, planned, ts):
            return False
        change = cause_of(self.network, ahead, planned, trip["taste"]) | change_of(ahead, planned)
        trip["switched_ts"] = ts
        trip["left_edge"] = _left_edge(ahead, planned, self.network.graph.length_m[ahead.edges])
        take_route(self.state, self.network.graph, s, planned, float(trip["base_m"]) + at_m)
        self._send(step, s, planned, decision, ts, version, gain=gain, change=change)
        return True

    def looked(self, s: int) -> None:
        """A better way was looked for: not again for a while."""
        trip = self.state.trips[s]
        trip["looked_ts"] = max(float(trip["last_ts"]), float(trip["started_ts"]))

    def finish(self, step: Step, s: int, status: int, decision: int, ts: float, version: int = 0) -> None:
        """End a trip, and say so."""
        trip = self.state.trips[s]
        trip["status"] = status
        trip["version"] = max(version, int(trip["version"]) + 1)
        self.state.set_route(s, np.zeros(0, np.int32), np.zeros(0))
        step.updates.append(end_update(self.state, self.partition, s, decision, ts))

    def _new_trip(self, request: RouteRequest, offset: int) -> Trip:
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
        trip["matched_edge"], trip["left_edge"] = -1, -1
        trip["speed_mps"] = self.policy.reference_mps
        trip["pace_mps"] = self.policy.reference_mps
        return trip

    def _planned_as(self, chosen: ProposedWay, trip: Trip, start: Place) -> Planned | None:
        """The way of a proposal as a plan, and its begin as the trip's; None where it cannot be walked."""
        graph, wish = self.network.graph, wish_of(trip)
        if chosen.city.graph is not graph:
            return None
        span = chosen.start_fraction, chosen.end_fraction
        path = path_of(graph, metric_of(self.network, wish.taste), chosen.edges, *span)
        begin, end = Place(int(path.edges[0]), span[0]), Place(int(path.edges[-1]), span[1])
        goal = begin if wish.dest is None else wish.dest
        off_m = max(apart_m(graph, begin, start), apart_m(graph, end, goal))
        if math.isinf(path.impedance) or off_m > SNAP_M:
            return None
        trip["home_edge"], trip["home_fraction"] = begin.edge, begin.fraction
        return planned_paths(self.network, wish, [path])[0]

    def _predicted(self, s: int) -> tuple[Place, float]:
        """Where on their route the walker will be when the update arrives, and how far along it.

        Nobody is expected on a closed stretch that they have not yet entered.
        """
        graph, edges = self.network.graph, self.state.route_edges(s)
        at_m = predicted_m(self.state.trips[s], self.policy)
        j, fraction = place_along(self.state, graph, s, at_m)
        if self.network.costs.closed[edges[j]]:
            at_m = float(self.state.trips["progress_m"][s])
            j, fraction = place_along(self.state, graph, s, at_m)
            if fraction == 0.0 and j > 0:
                j, fraction = j - 1, 1.0
        return Place(int(edges[j]), fraction), at_m

    def _plan_on(
        self, s: int, start: Place, ts: float, *, avoid: I32 | None = None, keep: Path | None = None
    ) -> Planned:
        """Plan for a walker under way: what is left of the wish, and turning round must be worth it.

        keep: what is left of a loop that the walker should come back to if they can.
        """
        trip = self.state.trips[s]
        matched = int(trip["matched_edge"])
        wish = wish_of(trip)
        walked_m = float(trip["walked_m"])
        walked_s = max(0.0, ts - float(trip["started_ts"]) - float(trip["paused_s"]))
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
                space=self.space,
            )
            if planned is not None:
                return planned
        try:
            return plan(
                self.network,
                wish,
                start,
                avoid_edges=avoid,
                walked_m=walked_m,
                walked_s=walked_s,
                heading_edge=heading,
                space=self.space,
            )
        except NoRoute:
            return plan_way_out(
                self.network, wish, start, walked_m=walked_m, walked_s=walked_s, space=self.space
            )

    def _margin(self, trip: Trip, decision: int, planned: Planned, ts: float) -> float:
        """By how much a way must be better to be sent."""
        policy = self.policy
        margin = policy.better_margin if decision == trips.BETTER else policy.gain_margin
        if trip["liked"]:
            margin = max(margin, policy.liked_margin)
        if trip["switched_ts"] > 0.0 and ts - trip["switched_ts"] < policy.again_s:
            left = int(trip["left_edge"])
            back = left >= 0 and bool(
                np.isin(stretches(self.network.graph, np.array([left], np.int32)),
                        stretches(self.network.graph, planned.path.edges)).any()
            )  # fmt: skip
            margin = max(margin, policy.return_margin if back else policy.again_margin)
        return margin

    def _send(
        self,
        step: Step,
        s: int,
        planned: Planned,
        decision: int,
        ts: float,
        version: int = 0,
        *,
        gain: float | None = None,
        change: dict[str, object] | None = None,
    ) -> None:
        trip = self.state.trips[s]
        trip["version"] = max(version, int(trip["version"]) + 1)
        graph = self.network.graph
        step.updates.append(
            route_update(
                self.state, self.partition, s, graph, planned, decision, ts, gain=gain, change=change
            )
        )


def apart_m(graph: Graph, one: Place, other: Place) -> float:
    """Metres between two places, as the crow flies."""
    (lat, lon), (to_lat, to_lon) = (
        path_coordinates(graph, Path(np.array([p.edge], np.int32), p.fraction, p.fraction, 0.0, 0.0, 0.0))
        for p in (one, other)
    )
    return float(haversine_m(lat[0], lon[0], to_lat[0], to_lon[0]))


def gain_of(kind: int, ahead: Path, cost: float, planned: Planned) -> float:
    """How much better the new way is, 0..1. Loops are compared by the minute: they need not be short."""
    if math.isinf(cost):
        return 1.0
    new = planned.impedance
    if kind == trips.KIND_LOOP:
        new *= ahead.duration_s / max(planned.duration_s, 1.0)
    return float(1.0 - new / max(cost, 1e-9))


def _left_edge(ahead: Path, planned: Planned, length_m: np.typing.NDArray[np.float32]) -> int:
    """The edge amid what the new way leaves out of the old one, -1 if that is nothing."""
    gone = ~np.isin(ahead.edges, planned.path.edges)
    if not gone.any():
        return -1
    along = np.cumsum(np.where(gone, length_m, 0.0))
    return int(ahead.edges[int(np.searchsorted(along, 0.5 * along[-1]))])
