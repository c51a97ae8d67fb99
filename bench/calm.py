"""`flaneur bench calm`: are walkers left in peace, and are those who leave their route noticed soon?

A closed loop with the very engine of the workers (`models.trips.walking`), without a broker: walkers ask for
routes, follow them and the updates that they get, stop, rest, lose their GPS for minutes, and some leave on
purpose or turn round. Their phones err as real ones do, scaled to `sigma_m`; the world changes as on the
recorded day. Where everybody truly is is known. `bench.calm_watch` judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.calm_traces import report_trace
from bench.calm_watch import Verdict, Watch
from bench.matching.fixes import Setting, scale_error
from bench.rig.draws import edges_of_largest_component
from bench.rig.session import Reporter
from geo.errors import BadInput, NoRoute
from geo.geodesy import haversine_m
from geo.graph import F64, Graph, open_graph
from geo.network import OnlyNetwork
from geo.polyline import decode6
from geo.routing.costs import static_costs
from geo.routing.metric import Metric, customized, make_metric
from geo.routing.search import Path as Route
from geo.routing.search import Place, SearchSpace, path_coordinates, shortest_path
from models.bytes_column import BytesColumn
from models.records import RouteUpdate
from models.simulation.gps_error import GpsError
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from streams.demo import world as demo_world
from streams.demo.body import Body, Line
from streams.demo.fleet import Timed
from streams.demo.learned import DATA, load_learned
from streams.demo.networks import Networks
from streams.demo.walkers import TRIES, Wisher, point_of
from streams.kafka.topics import DEVICE_TOPICS

START_TS = 1_760_000_040.0
STEP_S = 5.0
REACTION_S = 5.0  # from an update until its walker goes the new way
NEWS_S = 60.0  # the world is looked at every minute
LEAVING_SHARE, TURNING_SHARE, RESTING_SHARE, SILENT_SHARE = 0.35, 0.15, 0.15, 0.3
DETOUR_M = 200.0, 450.0
BACK_M = 150.0, 300.0
REST_S = 600.0, 3600.0
SILENT_S = 120.0, 300.0
LEAST_ROUTE_M = 400.0
ASKS = 200
LONGEST_S = 3 * 3600.0


@dataclass(frozen=True)
class CalmJob:
    """What is measured, on each graph; raises BadInput for numbers that cannot be."""

    graph_dirs: Sequence[str]
    walkers: int = 60
    sigma_m: float = 10.0
    seed: int = 1
    traces: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.walkers <= 10_000:
            raise BadInput(f"walkers is {self.walkers}, it must be 1 to 10,000")


@dataclass
class _Walker:
    wisher: Wisher
    body: Body
    watch: Watch
    silent: tuple[float, float]  # from, to: no fix reaches anybody
    headstrong: bool = False
    slot: int = -1
    news: list[RouteUpdate] = field(default_factory=list)


def run_calm(job: CalmJob, reporter: Reporter) -> None:
    """Measure on one graph after the other."""
    for graph_dir in job.graph_dirs:
        city = Path(graph_dir).resolve().name
        verdict = watch_city(open_graph(graph_dir), job, lambda done, city=city: reporter.progress(
            f"walking in {city}", done, job.walkers))  # fmt: skip
        about: dict[str, object] = {
            "city": city,
            "walkers": job.walkers,
            "sigma_m": job.sigma_m,
            "noise": "real",
            "seed": job.seed,
        }
        reporter.report(verdict.figures(), about | verdict.about())
        for path in job.traces:
            report_trace(open_graph(graph_dir), path, reporter)


class Crowd:
    """The walkers of one city on their way."""

    def __init__(self, graph: Graph, job: CalmJob) -> None:
        error, self.pace = load_learned()
        self.error: GpsError = scale_error(error, Setting(job.sigma_m, 1.0, "real"))
        self.graph = graph
        world = demo_world.weather(graph, START_TS, DATA) + demo_world.road_works(graph, START_TS, DATA)
        world += demo_world.taxis(graph, START_TS, DATA)
        self.networks = Networks(graph, sorted(world, key=lambda record: record.ts))
        self.closures = demo_world.Closures(START_TS, DATA)
        self.network = self.networks.at(START_TS)
        self.engine = Walking(0, OnlyNetwork(self.network), WalkerState(1, (0,), DEVICE_TOPICS))
        self.metric: Metric = customized(graph, make_metric(graph, static_costs(graph), {}))
        self.space = SearchSpace(graph)
        self.walkers: dict[str, _Walker] = {}
        self.asked = self.fixes = 0

    def set_out(self, wisher: Wisher) -> None:
        """Ask until there is a route, then go; some will not follow it to its end."""
        line = self._ask(wisher)
        slot = self.engine.state.slot(wisher.device.encode())
        rng = wisher.rng
        draw = rng.random()
        way: Line | None = None
        if draw < LEAVING_SHARE:
            way = self._detour(slot, rng)
        elif draw < LEAVING_SHARE + TURNING_SHARE:
            way = _turned(line, rng)
        rest = None
        if rng.random() < RESTING_SHARE:
            rest = float(rng.uniform(0.2, 0.8)) * line.length_m, float(rng.uniform(*REST_S))
        begins = wisher.start_ts + float(rng.uniform(0.1, 0.7)) * line.length_m / 1.3
        silent = (begins, begins + float(rng.uniform(*SILENT_S)))
        if rng.random() >= SILENT_SHARE:
            silent = (0.0, 0.0)
        closure = None if way else self.closures.ahead_of(line, wisher.start_ts)
        if closure is not None:
            self.networks.add(closure)
        body = Body(
            wisher.device, wisher.start_ts, way or line, self.error, self.pace, wisher.seeds, rest
        )  # fmt: skip
        watch = Watch(self.engine.state, slot, self.graph)
        walker = _Walker(wisher, body, watch, silent, headstrong=way is not None, slot=slot)
        self.walkers[wisher.device] = walker
        watch.told(self.first)

    def step(self, now: float) -> None:
        """Five seconds: everybody walks, and hears what follows."""
        block: list[Timed] = []
        for walker in self.walkers.values():
            if walker.body.done:
                continue
            since = len(walker.body.true_ts)
            fixes = walker.body.fixes(now + STEP_S)
            walker.watch.walked(walker.body, since, walker.silent)
            block += [fix for fix in fixes if not walker.silent[0] <= fix.ts < walker.silent[1]]
        if block:
            block.sort(key=lambda fix: fix.ts)
            offsets = np.arange(self.fixes, self.fixes + len(block))
            self.fixes += len(block)
            messages = BytesColumn.of([fix.value for fix in block])
            self.tell(self.engine.take_fixes(messages, offsets).updates, now)

    def look_at_world(self, now: float) -> None:
        """A new network, if anything has changed, and what follows from it."""
        network = self.networks.at(now)
        if network is not self.network:
            self.network = network
            self.tell(self.engine.change_world(0, network).updates, now)

    def tell(self, updates: list[RouteUpdate], now: float) -> None:
        """Let the walkers hear of their updates."""
        for update in updates:
            walker = self.walkers[update.device]
            walker.watch.told(update)
            if update.reason == "off_route":
                walker.headstrong = False
            if update.reason in ("arrived", "expired"):
                walker.body.told_arrived()
            if update.geometry and not walker.headstrong:
                lat, lon = decode6(update.geometry)
                if len(lat) > 1:
                    walker.body.told(Line.of(lat, lon), max(now, update.ts) + REACTION_S)

    def _ask(self, wisher: Wisher) -> Line:
        for _ in range(ASKS):
            try:
                request = wisher.wish()
            except NoRoute:
                continue
            self.asked += 1
            step = self.engine.take_request(wisher.device.encode(), request, self.asked, 0)
            if step.problems:
                continue
            self.first = step.updates[0]
            line = Line.of(*decode6(self.first.geometry))
            if line.length_m >= LEAST_ROUTE_M:
                return line
        raise BadInput(f"no route of {LEAST_ROUTE_M:.0f} m was found in {ASKS} tries: use a larger graph")

    def _detour(self, slot: int, rng: np.random.Generator) -> Line | None:
        """The way of somebody who leaves the route for some place near it, and goes to its end from there."""
        graph, trip = self.graph, self.engine.state.trips[slot]
        edges = self.engine.state.route_edges(slot)
        length = graph.length_m[edges].astype(np.float64)
        cut = int(np.searchsorted(np.cumsum(length), float(rng.uniform(0.25, 0.6)) * length.sum()))
        cut = min(max(cut, 1), len(edges) - 2)
        if cut < 1:
            return None
        corner, end = Place(int(edges[cut]), 0.0), Place(int(edges[-1]), float(trip["end_fraction"]))
        here = point_of(graph, corner)
        away_m = haversine_m(*here, graph.node_lat[graph.tail], graph.node_lon[graph.tail])
        near = np.flatnonzero((away_m >= DETOUR_M[0]) & (away_m < DETOUR_M[1]))
        rng.shuffle(near)
        on_route = set(edges.tolist()) | set(graph.reverse[edges].tolist())
        for edge in near[:TRIES].tolist():
            if edge in on_route:
                continue
            try:
                out = shortest_path(graph, self.metric, corner, Place(edge, 0.0), self.space)
                back = shortest_path(graph, self.metric, Place(edge, 0.0), end, self.space)
            except NoRoute:
                continue
            first = Route(edges[:cut], float(trip["start_fraction"]), 1.0, 0.0, 0.0, 0.0)
            points = [path_coordinates(graph, part) for part in (first, out, back)]
            lat, lon = (np.concatenate(axis) for axis in zip(*points, strict=True))
            return Line.of(lat, lon)
        return None


def watch_city(graph: Graph, job: CalmJob, progress: object = None) -> Verdict:
    """Let everybody of one city walk; the same arguments give the same verdict."""
    crowd = Crowd(graph, job)
    edges = edges_of_largest_component(graph)
    waiting = [
        Wisher(graph, f"walker-{number + 1:04d}", edges, START_TS, np.random.default_rng(child))
        for number, child in enumerate(np.random.SeedSequence(job.seed).spawn(job.walkers))
    ]
    waiting.sort(key=lambda one: one.start_ts)
    now = START_TS
    while waiting or not all(walker.body.done for walker in crowd.walkers.values()):
        if now > START_TS + LONGEST_S:
            break
        if (now - START_TS) % NEWS_S == 0.0:
            crowd.look_at_world(now)
        while waiting and waiting[0].start_ts < now + STEP_S:
            crowd.set_out(waiting.pop(0))
        crowd.step(now)
        now += STEP_S
    if callable(progress):
        progress(job.walkers)
    return Verdict.of([walker.watch for walker in crowd.walkers.values()])


def _turned(line: Line, rng: np.random.Generator) -> Line | None:
    """The way of somebody who turns round amid the route, goes back, and then to its end after all."""
    at_m = float(rng.uniform(0.4, 0.8)) * line.length_m
    back_m = min(at_m, float(rng.uniform(*BACK_M)))
    turn_m = at_m - back_m
    legs = np.arange(0.0, at_m, 5.0), np.arange(at_m, turn_m, -5.0), np.arange(turn_m, line.length_m, 5.0)
    along: F64 = np.concatenate(legs)
    return Line.of(*line.points(along))
