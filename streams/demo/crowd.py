"""The simulated walkers on their way: they ask the engine of the workers, walk as it says, and are told more.

A closed loop: fixes go to `models.trips.walking`, its updates lead the walkers, and where they then walk
makes the next fixes. Some leave their way on purpose and follow it again once they are told how. Time goes
in steps, so that the same arguments give the same day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geo.errors import BadInput, NoRoute
from geo.geodesy import haversine_m
from geo.graph import Graph
from geo.network import OnlyNetwork
from geo.polyline import decode6
from geo.routing.costs import static_costs
from geo.routing.metric import make_metric
from geo.routing.search import Path as Route
from geo.routing.search import Place, SearchSpace, path_coordinates, shortest_path
from models.bytes_column import BytesColumn
from models.records import RouteRequest, RouteUpdate
from models.simulation.gps_error import GpsError
from models.simulation.walkers import Pace
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from streams.demo.body import Body, Line
from streams.demo.fleet import Timed
from streams.demo.networks import Networks
from streams.demo.walkers import TRIES, DemoWalker, Wisher, point_of, request_record
from streams.demo.world import MINUTE_S, Closures
from streams.kafka.topics import DEVICE_TOPICS

STEP_S = 5.0
NEWS_S = 5.0  # a report takes so long until the walkers' routes are looked at again
REACTION_S = 5.0  # and a walker so long to look at the phone
FOLLOWED_MOST = 10  # updates, then a walker has had enough
LEAST_ROUTE_M = 300.0
DETOUR_M = (200.0, 450.0)


@dataclass
class _Walker:
    """One walker under way and what is to be told of them."""

    wisher: Wisher
    request: RouteRequest
    line: Line  # the first one
    body: Body
    leaves_at_m: float | None
    headstrong: bool  # follows nothing before having left the way
    followed: int
    records: list[Timed]

    def summary(self) -> DemoWalker:
        return DemoWalker(
            self.wisher.device,
            self.request.kind,
            self.wisher.taste,
            self.wisher.start_ts,
            round(self.line.length_m, 1),
            self.leaves_at_m,
            self.followed,
            self.line.lat,
            self.line.lon,
        )


class Crowd:
    """All simulated walkers of one day."""

    def __init__(
        self,
        graph: Graph,
        networks: Networks,
        closures: Closures,
        error: GpsError,
        pace: Pace,
        start_ts: float,
    ) -> None:
        self._graph, self._networks, self._closures = graph, networks, closures
        self._error, self._pace, self._start_ts = error, pace, start_ts
        self._network = networks.at(start_ts)
        state = WalkerState(1, (0,), DEVICE_TOPICS)
        self._engine = Walking(0, OnlyNetwork(self._network), state)
        self._metric = make_metric(graph, static_costs(graph), {})
        self._space = SearchSpace(graph)
        self._walkers: dict[str, _Walker] = {}
        self._asked, self._fixes = 0, 0
        self.closed: list[Timed] = []  # closures that were laid on somebody's way

    def walk(self, wishers: list[Wisher]) -> list[tuple[DemoWalker, list[Timed]]]:
        """Let all of them walk until the last is there; each with their records, in the given order."""
        waiting = sorted(wishers, key=lambda wisher: wisher.start_ts)
        number = 0
        while waiting or not all(walker.body.done for walker in self._walkers.values()):
            now = self._start_ts + number * STEP_S
            ready = [wisher for wisher in waiting if wisher.start_ts < now + STEP_S]
            waiting = waiting[len(ready) :]
            # who sets out gets a route of that very moment
            if ready or (number * STEP_S - NEWS_S) % MINUTE_S == 0.0:
                self._look_at_world(now)
            for wisher in ready:
                self._set_out(wisher)
            self._step(now)
            number += 1
        return [
            (self._walkers[wisher.device].summary(), self._walkers[wisher.device].records)
            for wisher in wishers
        ]

    def _look_at_world(self, now: float) -> None:
        network = self._networks.at(max(self._start_ts, now - NEWS_S))
        if network is not self._network:
            self._network = network
            self._tell(self._engine.change_world(0, network).updates, now)

    def _step(self, now: float) -> None:
        block: list[Timed] = []
        for walker in self._walkers.values():
            if not walker.body.done:
                fixes = walker.body.fixes(now + STEP_S)
                walker.records += fixes
                block += fixes
        if block:
            offsets = np.arange(self._fixes, self._fixes + len(block))
            self._fixes += len(block)
            values = BytesColumn.of([record.value for record in block])
            self._tell(self._engine.take_fixes(values, offsets).updates, now)

    def _tell(self, updates: list[RouteUpdate], now: float) -> None:
        for update in updates:
            walker = self._walkers[update.device]
            if update.reason == "off_route":
                walker.headstrong = False
            if update.reason == "arrived":
                walker.body.told_arrived()
            if not update.geometry or walker.headstrong or walker.followed == FOLLOWED_MOST:
                continue
            lat, lon = decode6(update.geometry)
            if len(lat) > 1:
                walker.followed += 1
                walker.body.told(Line.of(lat, lon), max(now, update.ts) + REACTION_S)

    def _set_out(self, wisher: Wisher) -> None:
        """Ask until there is a route that can be walked, then go."""
        request, line = self._route(wisher)
        way, leaves_at_m = line, None
        if wisher.deviates:
            way, leaves_at_m = self._detour(wisher, line)
        if leaves_at_m is None:
            closure = self._closures.ahead_of(line, wisher.start_ts)
            if closure is not None:
                self.closed.append(closure)
                self._networks.add(closure)
        body = Body(wisher.device, wisher.start_ts, way, self._error, self._pace, wisher.seeds)
        self._walkers[wisher.device] = _Walker(
            wisher,
            request,
            line,
            body,
            leaves_at_m,
            headstrong=leaves_at_m is not None,
            followed=0,
            records=[request_record(request)],
        )

    def _route(self, wisher: Wisher) -> tuple[RouteRequest, Line]:
        reason = ""
        for _ in range(TRIES):
            try:
                request = wisher.wish()
            except NoRoute as error:
                reason = str(error)
                continue
            self._asked += 1
            step = self._engine.take_request(wisher.device.encode(), request, self._asked, 0)
            if step.problems:
                reason = step.problems[0].detail  # a dead end or an island: somewhere else, then
                continue
            line = Line.of(*decode6(step.updates[0].geometry))
            if line.length_m >= LEAST_ROUTE_M:
                return request, line
            reason = f"the route is only {line.length_m:.0f} m long"
        raise BadInput(
            f"no route was found for {wisher.device} in {TRIES} tries, the last time because: {reason}"
        )

    def _detour(self, wisher: Wisher, line: Line) -> tuple[Line, float | None]:
        """The way of somebody who leaves the route for some place near, and where along it they do.

        From there they would walk to its end: if nobody told them a better way.
        """
        graph, rng = self._graph, wisher.rng
        slot = self._engine.state.slot(wisher.device.encode())
        edges = self._engine.state.route_edges(slot)
        trip = self._engine.state.trips[slot]
        length = graph.length_m[edges].astype(np.float64)
        share = float(rng.uniform(0.25, 0.6))
        cut = int(np.searchsorted(np.cumsum(length), share * length.sum()))
        cut = min(max(cut, 1), len(edges) - 2)
        if cut < 1:
            return line, None
        corner = Place(int(edges[cut]), 0.0)
        end = Place(int(edges[-1]), float(trip["end_fraction"]))
        on_route = set(edges.tolist()) | set(graph.reverse[edges].tolist())
        here = point_of(graph, corner)
        away_m = haversine_m(*here, graph.node_lat[graph.tail], graph.node_lon[graph.tail])
        near = np.flatnonzero((away_m >= DETOUR_M[0]) & (away_m < DETOUR_M[1]))
        rng.shuffle(near)
        for edge in near[:TRIES].tolist():
            if edge in on_route:
                continue
            try:
                out = shortest_path(graph, self._metric, corner, Place(edge, 0.0), self._space)
                back = shortest_path(graph, self._metric, Place(edge, 0.0), end, self._space)
            except NoRoute:
                continue
            first = Route(edges[:cut], float(trip["start_fraction"]), 1.0, 0.0, 0.0, 0.0)
            leaves_at_m = float(length[:cut].sum() - first.start_fraction * length[0])
            return self._through(first, out, back), round(leaves_at_m, 1)
        return line, None

    def _through(self, *parts: Route) -> Line:
        points = [path_coordinates(self._graph, part) for part in parts]
        lat, lon = (np.concatenate(axis) for axis in zip(*points, strict=True))
        return Line.of(lat, lon)
