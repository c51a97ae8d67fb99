"""`flaneur bench world-change`: from just before produce() of a report to the last route update it leads to.

Everybody walks along the route that was proposed to them, at a steady rate of fixes, while streets are closed
and rain fronts come, one after the other. Who must hear of a closure is known from the routes themselves: all
whose way ahead holds the closed stretch.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from confluent_kafka import Producer

from bench.rig.fixes import WALKING_MPS, Walk
from bench.rig.pacing import Pacer
from bench.rig.scratch import fixes_producer, flush
from bench.rig.session import Session
from bench.rig.walkers import Heard, Listener, ask_for_routes, draw_pairs, follow_routes, routes_of
from bench.rig.worker import Worker, worker_settings
from geo.errors import BadInput, Unavailable
from geo.geodesy import METRES_PER_DEG
from geo.graph import F64, Graph
from geo.polyline import decode6
from models.records import TrafficReport, WeatherReport, encode
from streams.kafka.topics import TRAFFIC_REPORTS, WEATHER_REPORTS, ensure_topics

QUIET_S = 3.0  # nothing more comes of a report after such a silence
ANSWER_WITHIN_S = 600.0
HOUR_S = 3_600.0

Point = tuple[int, int]  # 1e-6 degrees, as a route update has them


@dataclass(frozen=True)
class WorldChangeJob:
    """Who walks, how often they report, and what happens to the world."""

    walkers: int = 10_000
    rate_per_s: float = 1_000.0  # fixes of all walkers
    closures: int = 5
    fronts: int = 5
    apart_m: float = 2_000.0  # of a walker's start and destination
    partitions: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if self.walkers < 1 or self.rate_per_s <= 0:
            raise BadInput(f"{self.walkers} walkers cannot send {self.rate_per_s} fixes/s")
        if self.closures < 1 or self.fronts < 1:
            raise BadInput("there must be a closure and a rain front at least")


def points_of(geometry: str) -> list[Point]:
    """The points of a polyline6, as whole millionths of a degree."""
    lat, lon = decode6(geometry)
    return list(zip(np.rint(lat * 1e6).astype(int).tolist(), np.rint(lon * 1e6).astype(int).tolist(),
                    strict=True))  # fmt: skip


def steps_of(points: Sequence[Point]) -> Iterator[tuple[Point, Point]]:
    """Successive pairs, either way round the same."""
    for a, b in pairwise(points):
        yield (a, b) if a <= b else (b, a)


def stretches(graph: Graph) -> dict[tuple[Point, Point], int]:
    """An edge for the first step of its shape."""
    first, second = graph.shape_first[:-1], graph.shape_first[:-1] + 1
    columns = [np.rint(graph.shape_lat[at] * 1e6).astype(int).tolist() for at in (first, second)]
    columns += [np.rint(graph.shape_lon[at] * 1e6).astype(int).tolist() for at in (first, second)]
    found = {}
    for edge, (lat1, lat2, lon1, lon2) in enumerate(zip(*columns, strict=True)):
        a, b = (lat1, lon1), (lat2, lon2)
        found[(a, b) if a <= b else (b, a)] = edge
    return found


class Routes:
    """What every walker was told to walk, from the updates heard so far."""

    def __init__(self) -> None:
        self.steps: dict[str, set[tuple[Point, Point]]] = {}
        self._heard = 0

    def read(self, heard: Sequence[Heard]) -> None:
        """Take in what was heard since the last call: a new tail replaces what is ahead."""
        for update in heard[self._heard :]:
            self.steps[update.device] = (
                set(steps_of(points_of(update.geometry))) if update.geometry else set()
            )
        self._heard = len(heard)

    def holding(self, step: tuple[Point, Point]) -> set[str]:
        return {device for device, steps in self.steps.items() if step in steps}

    def usage(self) -> dict[tuple[Point, Point], int]:
        count: dict[tuple[Point, Point], int] = defaultdict(int)
        for steps in self.steps.values():
            for step in steps:
                count[step] += 1
        return count


def run_world_change(job: WorldChangeJob, session: Session) -> None:
    """Everybody walks, things happen, and it is reported how soon those concerned have been told."""
    scratch, graph, say = session.scratch, session.graph, session.say
    settings = worker_settings(scratch, session.graph_dir, job.partitions)
    ensure_topics(settings)
    devices = [f"d{walker:06d}" for walker in range(job.walkers)]
    wishes = draw_pairs(graph, job.walkers, job.apart_m, job.seed)
    draw = np.random.default_rng(job.seed)
    known = stretches(graph)
    routes = Routes()
    producer = fixes_producer(scratch.bootstrap, linger_ms=0.0)
    with (
        Listener(scratch.bootstrap, job.partitions) as listener,
        Worker(settings, scratch.folder / "worker.log"),
    ):
        say(f"asking for {job.walkers:,} routes")
        ask_for_routes(scratch.bootstrap, devices, wishes, time.time() - 1.0)
        first = routes_of(listener, devices, ANSWER_WITHIN_S)
        step_s = len(first) / job.rate_per_s
        tracks = follow_routes(graph, list(first.values()), 0.0, job.apart_m, job.seed)
        walk = Walk(tracks, float(int(time.time())), job.seed, step_s=step_s, names=tuple(first))
        pacer = Pacer(scratch.bootstrap, walk, ticks=1_000_000, wanted_per_s=job.rate_per_s)
        load = threading.Thread(target=pacer.run, daemon=True)
        load.start()
        try:
            time.sleep(min(2.0 * step_s, 20.0))  # each has been seen walking
            closures = []
            for number in range(job.closures):
                say(f"closure {number + 1} of {job.closures}")
                closures.append(_close(graph, known, routes, listener, producer, draw))
            fronts = []
            for number in range(job.fronts):
                say(f"rain front {number + 1} of {job.fronts}")
                fronts.append(_rain(job, graph, listener, producer, draw, number))
        finally:
            pacer.stop.set()
            load.join()
    about: dict[str, object] = {
        "walkers": len(first),
        "rate_per_s": round(pacer.rate_per_s, 1),
        "walked_m": round(WALKING_MPS * pacer.took_s),
        "partitions": job.partitions,
        "seed": job.seed,
    }
    for change, found in (("closure", closures), ("rain_front", fronts)):
        pushed = [one.pushed_s for one in found if one.updates]
        if not pushed:
            raise Unavailable(f"no {change.replace('_', ' ')} led to an update: use more walkers")
        session.report(
            [
                ("affected_pushed_s", float(np.median(pushed)), "s"),
                ("affected_pushed_max_s", max(pushed), "s"),
                ("affected_pushed_median_walker_s", float(np.median([one.median_s for one in found])), "s"),
                ("not_told", sum(one.not_told for one in found), "walkers"),
            ],
            {**about, "change": change, "updates": [one.updates for one in found]},
        )


@dataclass(frozen=True)
class Told:
    """What came of one report."""

    updates: int
    median_s: float
    pushed_s: float  # until the last update
    not_told: int  # walkers who should have heard of it, and did not


def _close(
    graph: Graph,
    known: dict[tuple[Point, Point], int],
    routes: Routes,
    listener: Listener,
    producer: Producer,
    draw: np.random.Generator,
) -> Told:
    """Close a stretch that many walk, drawn by how many they are."""
    routes.read(listener.heard)
    used = [(step, count) for step, count in routes.usage().items() if step in known]
    share = np.array([count for _, count in used], np.float64)
    step = used[int(draw.choice(len(used), p=share / share.sum()))][0]
    edge = known[step]
    shape = slice(int(graph.shape_first[edge]), int(graph.shape_first[edge + 1]))
    now = time.time()
    line = [[float(lon), float(lat)]
            for lat, lon in zip(graph.shape_lat[shape], graph.shape_lon[shape], strict=True)]  # fmt: skip
    report = TrafficReport(
        source=f"bench-closure-{edge}", ts=now, kind="closure", valid_from=now - 1.0, valid_to=now + HOUR_S,
        geometry={"type": "LineString", "coordinates": line},
    )  # fmt: skip
    told, by_device = _produce_and_hear(
        listener, producer, TRAFFIC_REPORTS, [(report.source, encode(report))]
    )
    routes.read(listener.heard)
    still = routes.holding(step) - by_device  # whom it lies behind are among them: they were not to be told
    return Told(*told, not_told=sum(_ahead_of(listener, device, step) for device in still))


def _ahead_of(listener: Listener, device: str, step: tuple[Point, Point]) -> bool:
    """Whether a step lies in the second half of a walker's way, which nobody has reached yet."""
    last = next((one.geometry for one in reversed(listener.heard) if one.device == device), None)
    if not last:
        return False
    points = points_of(last)
    return step in set(steps_of(points[len(points) // 2 :]))


def rain_gauges(graph: Graph, apart_m: float) -> F64:
    """(n, 2) latitude and longitude of the middle of every square of that size in which there are cells."""
    step = apart_m / METRES_PER_DEG
    lat = (np.floor(graph.cell_lat / step) + 0.5) * step
    step_lon = step / np.cos(np.radians(lat))
    lon = (np.floor(graph.cell_lon / step_lon) + 0.5) * step_lon
    return np.unique(np.column_stack([lat, lon]).astype(np.float64), axis=0)


def _rain(
    job: WorldChangeJob,
    graph: Graph,
    listener: Listener,
    producer: Producer,
    draw: np.random.Generator,
    number: int,
) -> Told:
    """Heavy rain for the next hour in stripes as wide as the walkers' ways are long, dry between them."""
    angle, begin_m = draw.uniform(0.0, 2.0 * np.pi), draw.uniform(0.0, 2.0 * job.apart_m)
    now = time.time()
    reports = []
    for gauge, (lat, lon) in enumerate(rain_gauges(graph, job.apart_m / 2.0).tolist()):
        north_m, east_m = lat * METRES_PER_DEG, lon * METRES_PER_DEG * np.cos(np.radians(lat))
        across_m = begin_m + east_m * np.cos(angle) + north_m * np.sin(angle)
        reports.append(
            WeatherReport(
                source=f"bench-gauge-{gauge}", ts=now + number * 0.001, lat=lat, lon=lon,
                valid_from=now - 1.0, valid_to=now + HOUR_S,
                precip_mmph=8.0 if across_m % (2.0 * job.apart_m) < job.apart_m else 0.0,
            )
        )  # fmt: skip
    told, _ = _produce_and_hear(
        listener, producer, WEATHER_REPORTS, [(report.source, encode(report)) for report in reports]
    )
    return Told(*told, not_told=0)


def _produce_and_hear(
    listener: Listener, producer: Producer, topic: str, reports: Sequence[tuple[str, bytes]]
) -> tuple[tuple[int, float, float], set[str]]:
    """Send reports; updates they led to, when the median and the last was heard, and who got one."""
    before = len(listener.heard)
    begun_s = time.perf_counter()
    for key, value in reports:
        producer.produce(topic, value, key)
    flush(producer)

    def news() -> list[Heard]:
        return [one for one in listener.heard[before:] if one.reason == "world_changed"]

    quiet_since = begun_s
    while time.perf_counter() - quiet_since < QUIET_S:
        time.sleep(0.1)
        quiet_since = max([quiet_since, *(one.at_s for one in news()[-1:])])
    found = news()
    after_s = [one.at_s - begun_s for one in found] or [0.0]
    return (len(found), float(np.median(after_s)), max(after_s)), {one.device for one in found}
