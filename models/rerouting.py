"""Routes for the walkers of one partition: the first, another one on the way, and the end of a trip.

Each call plans with the network of now, puts the walker on the new route and adds the update to the step.
"""

from __future__ import annotations

import math

import numpy as np

from geo.errors import BadInput, BadRecord, NoCandidate, NoRoute
from geo.graph import I32
from geo.network import Network
from geo.polyline import encode6
from geo.routing.costs import FACTOR_NAMES
from geo.routing.search import Path, Place, SearchSpace, path_coordinates
from models import trip as trips
from models.live_route import SNAP_M, ahead_of, predicted, remaining_s, take_route, taste_of, wish_of
from models.planning import Planned, plan, rejoin, snap
from models.records import RouteRequest, RouteUpdate
from models.step import Step
from models.trip import Policy
from models.walker_state import WalkerState
from models.wording import message_for
from models.world_change import gain_of, why

STRAYED = 3  # so many reroutes in a row that were not followed make a new loop


class Rerouting:
    """Plans for walkers by their slot, on one network at a time."""

    def __init__(self, partition: int, network: Network, state: WalkerState, policy: Policy) -> None:
        self.partition = partition
        self.network = network
        self.state = state
        self.policy = policy
        self.space = SearchSpace(network.graph)

    def trip_id(self, s: int) -> str:
        """The id of a walker's trip: where its request stands."""
        return f"{self.partition}-{int(self.state.trips['request_offset'][s])}"

    def start(self, step: Step, s: int, request: RouteRequest, offset: int) -> None:
        """Begin the trip asked for; what `plan` and `snap` raise is raised, and then nothing changes."""
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
        planned = plan(self.network, wish_of(trip), start, walked_s=0.0, space=self.space)
        step.decided("requested")
        self.state.trips[s] = trip
        take_route(self.state, graph, s, planned, 0.0)
        step.updates.append(self._update(s, planned, trips.REQUESTED, request.ts, 1, None, None))

    def replan(self, step: Step, s: int, decision: int, ts: float, version: int) -> None:
        """Search from where the walker will be when the update arrives, and take the new route."""
        trip = self.state.trips[s]
        graph = self.network.graph
        old = self.state.route_edges(s)
        try:
            start, keep_m = predicted(
                self.state, graph, self.policy, s, off_route=decision == trips.OFF_ROUTE
            )
            avoid = old if decision == trips.DISLIKED else None
            # who leaves again and again does not want to be led back
            strayed = decision == trips.OFF_ROUTE and trip["reroutes"] < STRAYED
            keep = ahead_of(self.state, graph, s) if strayed else None
            planned = self._plan_on(s, start, ts, avoid=avoid, keep=keep)
        except (BadInput, NoCandidate, NoRoute) as error:
            step.failed_with(error)
            return
        if decision == trips.LATE and planned.duration_s >= remaining_s(trip):
            return  # nothing shorter: the walker keeps what they have
        version = max(version, int(trip["version"]) + 1)
        take_route(self.state, graph, s, planned, keep_m)
        step.updates.append(self._update(s, planned, decision, ts, version, None, None))

    def reroute(self, step: Step, s: int, ahead: Path, cost: float) -> bool:
        """Look for a way better than what is `ahead`, which costs `cost` now; whether one was taken."""
        trip = self.state.trips[s]
        step.decided("world_changed")
        ts = max(float(trip["last_ts"]), float(trip["started_ts"]))
        try:
            start, keep_m = predicted(self.state, self.network.graph, self.policy, s, off_route=False)
            planned = self._plan_on(s, start, ts, keep=ahead if math.isinf(cost) else None)
        except (BadInput, NoCandidate, NoRoute) as error:
            step.failed_with(error)
            return False
        gain = gain_of(int(trip["kind"]), ahead, cost, planned)
        recent = trip["switched_ts"] > 0.0 and ts - trip["switched_ts"] < self.policy.again_s
        if gain < (self.policy.again_margin if recent else self.policy.gain_margin):
            return False
        trip["switched_ts"] = ts
        words = why(self.network, ahead, planned, taste_of(trip["taste"]))
        take_route(self.state, self.network.graph, s, planned, keep_m)
        version = int(trip["version"]) + 1
        step.updates.append(self._update(s, planned, trips.WORLD_CHANGED, ts, version, gain, words))
        return True

    def finish(self, step: Step, s: int, status: int, decision: int, ts: float, version: int) -> None:
        """End a trip, and say so."""
        trip = self.state.trips[s]
        trip["status"] = status
        trip["version"] = max(version, int(trip["version"]) + 1)
        self.state.set_route(s, np.zeros(0, np.int32), np.zeros(0))
        reason = trips.REASONS[decision]
        step.updates.append(
            RouteUpdate(
                device=self.state.devices[s].decode(),
                trip=self.trip_id(s),
                version=int(trip["version"]),
                ts=ts,
                reason=reason,
                fix_ts=float(trip["last_ts"]) or None,
                keep_m=float(trip["base_m"] + trip["progress_m"]),
                eta=ts,
                message=message_for(reason),
            )
        )

    def _plan_on(
        self, s: int, start: Place, ts: float, *, avoid: I32 | None = None, keep: Path | None = None
    ) -> Planned:
        """Plan for a walker under way: what is left of the wish, and turning round must be worth it.

        keep: what is left of a loop that the walker should come back to if they can.
        """
        trip = self.state.trips[s]
        matched = int(trip["matched_edge"])
        wish = wish_of(trip)
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
                space=self.space,
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
            space=self.space,
        )

    def _update(
        self,
        s: int,
        planned: Planned,
        decision: int,
        ts: float,
        version: int,
        gain: float | None,
        words: str | None,
    ) -> RouteUpdate:
        trip = self.state.trips[s]
        trip["version"] = version
        lat, lon = path_coordinates(self.network.graph, planned.path)
        reason = trips.REASONS[decision]
        return RouteUpdate(
            device=self.state.devices[s].decode(),
            trip=self.trip_id(s),
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
            message=words or message_for(reason),
        )
