"""The walkers of the recorded day: one real walk, and simulated ones in every city of the graph.

A simulated walker asks for a loop or a way, gets it from the planner as everybody does, and walks it at a
pace like that of the real walks, seen through a phone whose GPS errs like the real ones. Some leave their
way on purpose and come back later, so that there is something to replan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geo.costs import static_costs
from geo.errors import BadInput, NoCandidate, NoRoute
from geo.geodesy import haversine_m
from geo.graph import F64, I32, Graph
from geo.network import Network
from geo.search import Path as Route
from geo.search import Place, SearchSpace, make_metric, path_coordinates, shortest_path
from models.gps_error import GpsError, apply
from models.planning import Wish, plan, snap
from models.records import Fix, RouteRequest, encode
from models.walkers import Pace, walk
from streams.fleet import Timed, fix_record, known
from streams.topics import ROUTE_REQUESTS
from streams.traces import read_trace

#: What people like, as overrides of the default weights.
TASTES: Mapping[str, Mapping[str, float]] = {
    "usual": {},
    "green": {"green": -0.9, "water": -0.6, "noise": 0.8},
    "quiet": {"noise": 1.5, "air": 0.8, "traffic": 1.0},
    "sights": {"sights": -0.9, "rough_surface": 0.0},
    "easy": {"steps": 2.0, "steep": 1.5, "rough_surface": 1.0},
    "dry": {"rain": 2.0, "wind": 1.0},
}
REAL_WALK = Path("traces") / "altona" / "altona_walk.json"
LEAST_STREETS = 200  # edges of a component that people are sent to walk on
MAIN_CITY_SHARE = 0.7
DEVIATING_SHARE = 0.25
AT_ONCE_SHARE = 0.5
SET_OUT_S = 1800.0
TRIES = 30
SNAP_M = 100.0
DETOUR_M = (200.0, 450.0)


@dataclass(frozen=True)
class DemoWalker:
    """One walker of the day: what they asked for and what they did."""

    device: str
    kind: str  # loop or to
    taste: str  # a key of TASTES
    start_ts: float
    length_m: float  # of the route that was planned
    leaves_at_m: float | None  # metres along it at which they leave it on purpose
    lat: F64  # the planned line
    lon: F64


def real_walker(graph: Graph, start_ts: float, data: Path) -> tuple[DemoWalker, list[Timed]] | None:
    """The real walk in Altona from `start_ts` on, None where the graph does not cover it.

    He asks for the way to where he ended, but walks what he walked: he never saw our proposals.
    """
    trace = read_trace(data / REAL_WALK)
    try:
        snap(graph, float(trace.lat[0]), float(trace.lon[0]), SNAP_M)
    except NoCandidate:
        return None
    device, ts = "altona-walker", trace.ts - trace.ts[0] + start_ts
    request = RouteRequest(
        device=device,
        request=f"{device}-1",
        ts=start_ts,
        kind="to",
        lat=float(trace.lat[0]),
        lon=float(trace.lon[0]),
        dest_lat=float(trace.lat[-1]),
        dest_lon=float(trace.lon[-1]),
    )
    records = _records(request, ts, trace.lat, trace.lon, trace.accuracy_m)
    length_m = float(haversine_m(trace.lat[:-1], trace.lon[:-1], trace.lat[1:], trace.lon[1:]).sum())
    return DemoWalker(device, "to", "usual", start_ts, length_m, None, trace.lat, trace.lon), records


def simulated_walkers(
    graph: Graph, count: int, seed: int, start_ts: float, error: GpsError, pace: Pace
) -> list[tuple[DemoWalker, list[Timed]]]:
    """`count` walkers and the records of each, the same for the same graph and seed.

    Most walk in the largest city of the graph, at least one in every other. Raises BadInput when the graph
    has no streets that anybody could walk on.
    """
    cities = _cities(graph)
    if count > 0 and not cities:
        raise BadInput(f"the graph has no connected network of {LEAST_STREETS} edges to walk on")
    simulator = _Simulator(graph, error, pace, start_ts)
    walkers = []
    of = [city for city, many in zip(cities, _shares(cities, count), strict=True) for _ in range(many)]
    for index, (edges, child) in enumerate(zip(of, np.random.SeedSequence(seed).spawn(count), strict=True)):
        walkers.append(simulator.simulate(f"walker-{index + 1:03d}", edges, np.random.default_rng(child)))
    return walkers


def _cities(graph: Graph) -> list[I32]:
    """Edges of each component that is large enough, the largest first."""
    number, count = np.unique(graph.component, return_counts=True)
    order = np.argsort(-count, kind="stable")
    return [
        np.flatnonzero(graph.component == number[i]).astype(np.int32)
        for i in order
        if count[i] >= LEAST_STREETS
    ]


def _shares(cities: Sequence[I32], count: int) -> list[int]:
    """How many walkers each city gets: most the first, the rest evenly, but every one at least one."""
    if len(cities) < 2:
        return [count] * len(cities)
    rest = min(count, max(len(cities) - 1, round(count * (1 - MAIN_CITY_SHARE))))
    others = [rest // (len(cities) - 1) + (i < rest % (len(cities) - 1)) for i in range(len(cities) - 1)]
    return [count - rest, *others]


class _Simulator:
    """Makes walkers one after another; keeps what they share."""

    def __init__(self, graph: Graph, error: GpsError, pace: Pace, start_ts: float) -> None:
        self._graph = graph
        self._network = Network(graph, static_costs(graph))
        self._metric = make_metric(graph, self._network.costs, {})
        self._space = SearchSpace(graph)
        self._error, self._pace, self._start_ts = error, pace, start_ts

    def simulate(self, device: str, edges: I32, rng: np.random.Generator) -> tuple[DemoWalker, list[Timed]]:
        """One walker on the streets `edges`."""
        taste = str(rng.choice(list(TASTES)))
        reason: Exception | None = None
        for _ in range(TRIES):
            try:
                start = self._anywhere(edges, rng)
                wish, length_m, dest = self._wish(start, edges, taste, rng)
                route = plan(self._network, wish, start, space=self._space).path
                lat, lon = path_coordinates(self._graph, route)
                if route.length_m < 300.0:
                    continue
            except (NoRoute, NoCandidate, BadInput) as error:
                reason = error  # a dead end or an island: somewhere else, then
                continue
            return self._walk(device, route, (lat, lon), wish.kind, taste, length_m, dest, rng)
        raise BadInput(f"no route was found for {device} in {TRIES} tries, the last time because: {reason}")

    def _anywhere(self, edges: I32, rng: np.random.Generator) -> Place:
        length = self._graph.length_m[edges].astype(np.float64)
        return Place(int(rng.choice(edges, p=length / length.sum())), float(rng.random()))

    def _point(self, place: Place) -> tuple[float, float]:
        at = Route(np.array([place.edge], np.int32), place.fraction, place.fraction, 0.0, 0.0, 0.0)
        lat, lon = path_coordinates(self._graph, at)
        return float(lat[0]), float(lon[0])

    def _wish(
        self, start: Place, edges: I32, taste: str, rng: np.random.Generator
    ) -> tuple[Wish, float | None, Place | None]:
        """A loop of 1.5 to 4.5 km for two in three, else a way to a place up to 2.5 km off."""
        weights = dict(TASTES[taste])
        if rng.random() < 2 / 3:
            length_m = float(round(rng.uniform(1500, 4500), -2))
            wish = Wish(kind="loop", home=start, dest=None, length_m=length_m, duration_s=None, taste=weights)
            return wish, length_m, None
        here = self._point(start)
        for _ in range(TRIES):
            dest = self._anywhere(edges, rng)
            if 500 < float(haversine_m(*here, *self._point(dest))) < 2500:
                wish = Wish(kind="to", home=start, dest=dest, length_m=None, duration_s=None, taste=weights)
                return wish, None, dest
        raise NoRoute("no destination at a walking distance")

    def _walk(
        self,
        device: str,
        route: Route,
        line: tuple[F64, F64],
        kind: str,
        taste: str,
        length_m: float | None,
        dest: Place | None,
        rng: np.random.Generator,
    ) -> tuple[DemoWalker, list[Timed]]:
        leaves_at_m, walked = None, line
        if rng.random() < DEVIATING_SHARE:
            leaves_at_m, walked = self._detour(route, line, rng)
        later = rng.uniform(0, 60) if rng.random() < AT_ONCE_SHARE else rng.uniform(60, SET_OUT_S)
        start_ts = round(self._start_ts + float(later), 3)
        truth = walk(*walked, self._pace, int(rng.integers(2**63)), start_ts)
        ts, lat, lon, accuracy_m = apply(
            self._error, truth.ts, truth.lat, truth.lon, int(rng.integers(2**63))
        )
        to = (None, None) if dest is None else self._point(dest)
        request = RouteRequest(
            device=device,
            request=f"{device}-1",
            ts=start_ts,
            kind=kind,
            lat=round(float(lat[0]), 7),
            lon=round(float(lon[0]), 7),
            dest_lat=to[0],
            dest_lon=to[1],
            length_m=length_m,
            taste=dict(TASTES[taste]) or None,
        )
        walker = DemoWalker(device, kind, taste, start_ts, float(route.length_m), leaves_at_m, *line)
        return walker, _records(request, ts, lat, lon, accuracy_m)

    def _detour(
        self, route: Route, line: tuple[F64, F64], rng: np.random.Generator
    ) -> tuple[float | None, tuple[F64, F64]]:
        """Where the walker leaves the route, and the line walked: off to some place near, then to its end."""
        graph = self._graph
        length = graph.length_m[route.edges].astype(np.float64)
        share = float(rng.uniform(0.25, 0.6))
        cut = int(np.searchsorted(np.cumsum(length), share * length.sum()))
        cut = min(max(cut, 1), len(route.edges) - 2)
        if cut < 1:
            return None, line
        corner = Place(int(route.edges[cut]), 0.0)
        here = self._point(corner)
        end = Place(int(route.edges[-1]), route.end_fraction)
        on_route = set(route.edges.tolist()) | set(graph.reverse[route.edges].tolist())
        near = np.flatnonzero(
            haversine_m(*here, graph.node_lat[graph.tail], graph.node_lon[graph.tail]) < DETOUR_M[1]
        )
        rng.shuffle(near)
        for edge in near[:TRIES]:
            away = Place(int(edge), 0.0)
            if edge in on_route or float(haversine_m(*here, *self._point(away))) < DETOUR_M[0]:
                continue
            try:
                out = shortest_path(graph, self._metric, corner, away, self._space)
                back = shortest_path(graph, self._metric, away, end, self._space)
            except NoRoute:
                continue
            first = Route(route.edges[:cut], route.start_fraction, 1.0, 0.0, 0.0, 0.0)
            parts = [path_coordinates(graph, part) for part in (first, out, back)]
            leaves_at_m = float(length[:cut].sum() - route.start_fraction * length[0])
            lat, lon = (np.concatenate(axis) for axis in zip(*parts, strict=True))
            return round(leaves_at_m, 1), (lat, lon)
        return None, line


def _records(request: RouteRequest, ts: F64, lat: F64, lon: F64, accuracy_m: F64) -> list[Timed]:
    """The request and then the fixes, as messages."""
    key = request.device.encode()
    records = [Timed(request.ts, ROUTE_REQUESTS, key, encode(request))]
    for i in range(len(ts)):
        fix = Fix(
            device=request.device,
            ts=round(float(ts[i]), 3),
            lat=round(float(lat[i]), 7),
            lon=round(float(lon[i]), 7),
            accuracy_m=None if math.isnan(accuracy_m[i]) else known(round(float(accuracy_m[i]), 1)),
        )
        records.append(fix_record(fix))
    return records
