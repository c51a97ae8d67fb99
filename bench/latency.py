"""`flaneur bench latency`: from just before produce() of a fix to the route update that it caused, in hand.

Everybody asks for the way back to where they came from, and sends a fix a second. Up to a thousand stand for
a while, each for another, and then walk on the other way, so that fix after fix shows a deviation, and their
own time passes six times as fast as the clock's: that is how a steady load yields enough updates. If all set
off at once, all would be rerouted at once, and again together each time that the policy's waiting time
between reroutes is over. All others walk as they are told, in the clock's time. An update names the fix that
caused it (`fix_ts`); others are not counted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bench.latency_plot import Load
from bench.rig.fixes import Walk
from bench.rig.pacing import Moment, Pacer, begin_s, moment
from bench.rig.recorded import walks
from bench.rig.session import Session
from bench.rig.tracks import Tracks, join_tracks
from bench.rig.walkers import Heard, Listener, Wish, ask_for_routes, routes_of
from bench.rig.worker import Worker, worker_settings
from geo.errors import BadInput, Unavailable
from geo.graph import F64
from geo.polyline import decode6
from streams.kafka.topics import ensure_topics

STEP_S = 6.0  # event time between two fixes of one who strays, which are sent one second apart
BACK_M = 400.0  # how far behind them the place lies that they asked the way to
WALKED_M = 600.0
MOST_STRAYING = 1_000
FEWEST_UPDATES = 1_000
CAUSED_BY_A_FIX = frozenset({"off_route", "late", "better", "arrived"})


@dataclass(frozen=True)
class LatencyJob:
    """A rate and for how long; `warm_s` of the same load come before and are not measured."""

    rate_per_s: float = 1_000.0
    duration_s: float = 30.0
    warm_s: float = 15.0
    partitions: int = 4
    seed: int = 1
    traces: tuple[str, ...] = ()  # files with recorded walks

    def __post_init__(self) -> None:
        if self.rate_per_s <= 0 or self.duration_s <= 0:
            raise BadInput(f"a rate of {self.rate_per_s} fixes/s for {self.duration_s} s cannot be sent")

    @property
    def walkers(self) -> int:
        return max(1, round(self.rate_per_s))


def parse_rates(text: str) -> list[float]:
    """Different rates from `A,B,...`; raises BadInput."""
    try:
        rates = [float(one) for one in text.split(",")]
    except ValueError as error:
        raise BadInput(f"the rates are {text!r}, they must be numbers with commas between") from error
    if len(set(rates)) < len(rates):
        raise BadInput(f"the rates are {text!r}, each may come once")
    return rates


def ways_back(tracks: Tracks) -> list[Wish]:
    """Each walker stands BACK_M along their track and asks for the way to where it began."""
    lat, lon, _ = tracks.at(np.minimum(tracks.length_m(), BACK_M))
    begin = tracks.first[:-1]
    return [
        Wish(*place)
        for place in zip(
            lat.tolist(), lon.tolist(), tracks.lat[begin].tolist(), tracks.lon[begin].tolist(), strict=True
        )
    ]


def one_after_another_s(walk: Walk, ticks: int) -> F64:
    """(D,) s of event time that each stands before they go, so that they set off at any of the ticks."""
    return np.random.default_rng(walk.seed).uniform(0.0, ticks * walk.step_s, walk.tracks.count)


def straying_and_led(walk: Walk, routes: Mapping[str, str], ticks: int) -> Walk:
    """The walk in which only the first keep to their tracks, all others to the routes they were given.

    routes: polyline6 by device; who has none keeps to their track. ticks: how many fixes each sends; who
    strays sets off at any of them.
    """
    polylines, begin_m = [], []
    for walker, device in enumerate(walk.devices()):
        straying = walker < MOST_STRAYING or device not in routes
        own = slice(walk.tracks.first[walker], walk.tracks.first[walker + 1])
        lat, lon = walk.tracks.lat[own], walk.tracks.lon[own]
        if not straying:
            lat, lon = decode6(routes[device])
        polylines.append((lat, lon) if len(lat) > 1 else (np.repeat(lat, 2), np.repeat(lon, 2)))
        begin_m.append(BACK_M if straying else 0.0)
    begins_m = np.array(begin_m)
    stand_s = np.where(begins_m > 0.0, one_after_another_s(walk, ticks), 0.0)
    return replace(walk, tracks=join_tracks(polylines), begin_m=begins_m, stand_s=stand_s)


def latencies_s(sent_at_s: Mapping[Moment, float], heard: list[Heard], since_s: float) -> F64:
    """Seconds between sending and hearing, for every update that a fix sent since `since_s` caused."""
    seen: set[tuple[str, int]] = set()
    found = []
    for update in heard:
        caused = update.reason in CAUSED_BY_A_FIX and update.fix_ts is not None
        if not caused or (update.trip, update.version) in seen:
            continue
        seen.add((update.trip, update.version))
        sent_s = sent_at_s.get(moment(update.device, update.fix_ts or 0.0))
        if sent_s is not None and sent_s >= since_s:
            found.append(update.at_s - sent_s)
    return np.array(found, np.float64)


def run_latency(job: LatencyJob, session: Session) -> Load:
    """Run the load and report percentiles; returns what a plot needs of them.

    Raises Unavailable when it caused too few updates to judge.
    """
    scratch = session.scratch
    settings = worker_settings(scratch, session.graph_dir, job.partitions)
    ensure_topics(settings)
    tracks = walks(session.graph, job.traces, job.walkers, BACK_M + WALKED_M, job.seed)
    ticks = int(job.warm_s + job.duration_s)
    start_s = float(int(time.time()) - int((STEP_S - 1.0) * ticks))  # so that they end in the present
    walk = Walk(tracks, start_s, job.seed, step_s=STEP_S, begin_m=BACK_M)
    log = scratch.folder / "worker.log"
    with Listener(scratch.bootstrap, job.partitions) as listener, Worker(settings, log):
        session.say(f"asking for {job.walkers:,} routes")
        devices, wishes = walk.devices(), ways_back(tracks)
        for some, ts_s in (
            (slice(MOST_STRAYING), start_s),
            (slice(MOST_STRAYING, None), begin_s(walk, ticks)),
        ):
            ask_for_routes(scratch.bootstrap, devices[some], wishes[some], ts_s - 1.0)
        walk = straying_and_led(walk, routes_of(listener, walk.devices(), 300.0), ticks)
        session.say(f"sending {job.rate_per_s:,.0f} fixes/s for {job.warm_s + job.duration_s:.0f} s")
        pacer = Pacer(scratch.bootstrap, walk, ticks, led_from=MOST_STRAYING)
        pacer.run()
        time.sleep(2.0)  # the last updates are on their way
    found = latencies_s(pacer.sent_at_s, listener.heard, min(pacer.sent_at_s.values()) + job.warm_s)
    enough = min(FEWEST_UPDATES, int(job.rate_per_s * job.duration_s / 30.0))
    if len(found) < enough:
        raise Unavailable(f"{len(pacer.sent_at_s):,} fixes caused {len(found)} updates, {enough} are needed")
    about: dict[str, object] = {
        "rate_per_s": round(pacer.rate_per_s, 1),
        "duration_s": job.duration_s,
        "updates": len(found),
        "walkers": job.walkers,
        "straying": min(job.walkers, MOST_STRAYING),
        "partitions": job.partitions,
        "seed": job.seed,
    }
    p50_ms, p99_ms, max_ms = (float(np.percentile(found, share)) * 1000.0 for share in (50.0, 99.0, 100.0))
    session.report(
        [
            ("fix_to_update_p50_ms", p50_ms, "ms"),
            ("fix_to_update_p99_ms", p99_ms, "ms"),
            ("fix_to_update_max_ms", max_ms, "ms"),
        ],
        about,
    )
    return Load(pacer.rate_per_s, p50_ms, p99_ms)
