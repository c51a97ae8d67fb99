"""The walkers of the recorded day: the one real walk, and what the simulated ones in every city wish for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geo.errors import BadInput, NoCandidate, NoRoute
from geo.geodesy import haversine_m
from geo.graph import F64, I32, Graph
from geo.routing.search import Path as Route
from geo.routing.search import Place, path_coordinates
from models.records import Fix, RouteRequest, encode
from models.routes.planning import snap
from streams.demo.fleet import Timed, fix_record, known
from streams.kafka.topics import ROUTE_REQUESTS
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


@dataclass(frozen=True)
class DemoWalker:
    """One walker of the day: what they asked for and what they did."""

    device: str
    kind: str  # loop or to
    taste: str  # a key of TASTES
    start_ts: float
    length_m: float  # of the route that was planned
    leaves_at_m: float | None  # metres along it at which they leave it on purpose
    followed: int  # updates on the way that changed their mind
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
    return DemoWalker(device, "to", "usual", start_ts, length_m, None, 0, trace.lat, trace.lon), records


class Wisher:
    """A simulated walker before they set out: when that is, what they are like, and where they might go."""

    def __init__(
        self, graph: Graph, device: str, edges: I32, start_ts: float, rng: np.random.Generator
    ) -> None:
        self._graph, self._edges = graph, edges
        self.device, self.rng = device, rng
        self.taste = str(rng.choice(list(TASTES)))
        self.deviates = bool(rng.random() < DEVIATING_SHARE)
        later = rng.uniform(0, 60) if rng.random() < AT_ONCE_SHARE else rng.uniform(60, SET_OUT_S)
        self.start_ts = round(start_ts + float(later), 3)
        self.seeds = int(rng.integers(2**63)), int(rng.integers(2**63))  # of pace and of GPS error

    def wish(self) -> RouteRequest:
        """Somewhere to walk, another at every call: a loop of 1.5 to 4.5 km for two in three, else a way."""
        lat, lon = self._anywhere()
        if self.rng.random() < 2 / 3:
            return self._request("loop", lat, lon, length_m=float(round(self.rng.uniform(1500, 4500), -2)))
        for _ in range(TRIES):
            dest = self._anywhere()
            if 500 < float(haversine_m(lat, lon, *dest)) < 2500:
                return self._request("to", lat, lon, dest)
        raise NoRoute("no destination at a walking distance")

    def _request(
        self,
        kind: str,
        lat: float,
        lon: float,
        dest: tuple[float, float] | None = None,
        length_m: float | None = None,
    ) -> RouteRequest:
        return RouteRequest(
            device=self.device,
            request=f"{self.device}-1",
            ts=self.start_ts,
            kind=kind,
            lat=lat,
            lon=lon,
            dest_lat=None if dest is None else dest[0],
            dest_lon=None if dest is None else dest[1],
            length_m=length_m,
            taste=dict(TASTES[self.taste]) or None,
        )

    def _anywhere(self) -> tuple[float, float]:
        length = self._graph.length_m[self._edges].astype(np.float64)
        edge = int(self.rng.choice(self._edges, p=length / length.sum()))
        lat, lon = point_of(self._graph, Place(edge, float(self.rng.random())))
        return round(lat, 7), round(lon, 7)


def wishers(graph: Graph, count: int, seed: int, start_ts: float) -> list[Wisher]:
    """`count` walkers, the same for the same graph and seed.

    Most walk in the largest city of the graph, at least one in every other. Raises BadInput when the graph
    has no streets that anybody could walk on.
    """
    cities = _cities(graph)
    if count > 0 and not cities:
        raise BadInput(f"the graph has no connected network of {LEAST_STREETS} edges to walk on")
    of = [city for city, many in zip(cities, _shares(cities, count), strict=True) for _ in range(many)]
    return [
        Wisher(graph, f"walker-{index + 1:03d}", edges, start_ts, np.random.default_rng(child))
        for index, (edges, child) in enumerate(
            zip(of, np.random.SeedSequence(seed).spawn(count), strict=True)
        )
    ]


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


def point_of(graph: Graph, place: Place) -> tuple[float, float]:
    """Latitude and longitude of a place on the graph."""
    at = Route(np.array([place.edge], np.int32), place.fraction, place.fraction, 0.0, 0.0, 0.0)
    lat, lon = path_coordinates(graph, at)
    return float(lat[0]), float(lon[0])


def _records(request: RouteRequest, ts: F64, lat: F64, lon: F64, accuracy_m: F64) -> list[Timed]:
    """The request and then the fixes, as messages."""
    records = [request_record(request)]
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


def request_record(request: RouteRequest) -> Timed:
    """A request as a message of route-requests."""
    return Timed(request.ts, ROUTE_REQUESTS, request.device.encode(), encode(request))
