"""`flaneur bench soak`: a steady rate for a long time, with walkers who come, ask for a way, walk, and go.

Everybody is there for a minute and then never again; who is gone is to be forgotten after another one.
What must not grow is the worker's memory and what it holds; what must stay as it is, is its latency.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import psutil

from bench.latency import BACK_M, STEP_S, WALKED_M, latencies_s, ways_back
from bench.rig.fixes import Tick, Walk, encode_tick, walk_ticks
from bench.rig.pacing import Moment, moment
from bench.rig.scratch import fixes_producer, flush
from bench.rig.session import Session
from bench.rig.tracks import walk_streets
from bench.rig.walkers import Listener, ask_for_routes
from bench.rig.worker import Worker, worker_settings
from geo.errors import BadInput, Unavailable
from streams.kafka.topics import GPS_FIXES, ensure_topics

STAY_S = 60  # how long a walker walks
COHORT_S = 10  # so often some come and some go
FORGET_S = 60.0
TRACK_SETS = 6  # cohorts walk these in turn


@dataclass(frozen=True)
class SoakJob:
    """A rate and for how long; what comes before `warm_s` is not measured."""

    minutes: float = 10.0
    rate_per_s: float = 1_000.0
    partitions: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if self.rate_per_s < 1 or self.minutes < 3.0:
            raise BadInput(
                f"{self.minutes:g} minutes at {self.rate_per_s:g} fixes/s show nothing: at least 3, at 1"
            )

    @property
    def duration_s(self) -> int:
        return round(60.0 * self.minutes)

    @property
    def warm_s(self) -> float:
        """Until the first were forgotten, and until what is allocated once has been."""
        return max(STAY_S + 1.5 * FORGET_S, 0.25 * self.duration_s)


@dataclass
class Comings:
    """Sends the fixes of cohorts of walkers, in a thread of its own."""

    job: SoakJob
    session: Session
    stop: threading.Event = field(default_factory=threading.Event)
    sent_at_s: dict[Moment, float] = field(default_factory=dict)  # performance counter, just before produce
    walkers: int = 0  # that have come so far

    def run(self) -> None:
        """Send until the time is up or `stop` is set."""
        bootstrap = self.session.scratch.bootstrap
        producer = fixes_producer(bootstrap, linger_ms=0.0)
        size = max(1, round(self.job.rate_per_s * COHORT_S / STAY_S))
        length_m = BACK_M + WALKED_M
        tracks = [
            walk_streets(self.session.graph, size, length_m, self.job.seed + k) for k in range(TRACK_SETS)
        ]
        cohorts: deque[tuple[list[str], Iterator[Tick]]] = deque(maxlen=STAY_S // COHORT_S)
        due_s = time.perf_counter()
        for second in range(self.job.duration_s):
            if second % COHORT_S == 0:
                number = second // COHORT_S
                mine = tracks[number % TRACK_SETS]
                names = tuple(f"c{number:05d}-{walker:05d}" for walker in range(mine.count))
                start_s = float(int(time.time()) - int(STEP_S * STAY_S))
                walk = Walk(mine, start_s, self.job.seed, step_s=STEP_S, begin_m=BACK_M, names=names)
                ask_for_routes(bootstrap, names, ways_back(mine), start_s - 1.0)
                cohorts.append((list(names), walk_ticks(walk, STAY_S)))
                self.walkers += len(names)
            due = [
                (device, value, tick.ts_s)
                for devices, ticks in cohorts
                for tick in [next(ticks)]
                for device, value in zip(devices, encode_tick(devices, tick), strict=True)
            ]
            for device, value, ts_s in due:
                due_s += 1.0 / len(due)
                left_s = due_s - time.perf_counter()
                if left_s > 0.0:
                    time.sleep(left_s)
                if self.stop.is_set():
                    return
                self.sent_at_s[moment(device, ts_s)] = time.perf_counter()
                producer.produce(GPS_FIXES, value, device)
                producer.poll(0)
        flush(producer)


def run_soak(job: SoakJob, session: Session) -> None:
    """Let them come and go, look at the worker once a second, and report."""
    scratch = session.scratch
    settings = replace(worker_settings(scratch, session.graph_dir, job.partitions), forget_s=FORGET_S)
    ensure_topics(settings)
    comings = Comings(job, session)
    seen: list[tuple[float, float, float]] = []  # seconds, MiB, walkers held
    with (
        Listener(scratch.bootstrap, job.partitions) as listener,
        Worker(settings, scratch.folder / "worker.log") as worker,
    ):
        process = psutil.Process(worker.pid)
        load = threading.Thread(target=comings.run, daemon=True)
        begun_s = time.perf_counter()
        load.start()
        try:
            while load.is_alive():
                metrics = worker.metrics() or {}
                after_s = time.perf_counter() - begun_s
                held = metrics.get("flaneur_walkers", float("nan"))
                seen.append((after_s, process.memory_info().rss / 2**20, held))
                session.progress("walkers come and go", int(after_s), job.duration_s)
                load.join(1.0)
        finally:
            comings.stop.set()
            load.join()
        time.sleep(2.0)  # the last updates are on their way
        forgotten = (worker.metrics() or {}).get("flaneur_walkers_forgotten_total", 0.0)
    _report(job, session, comings, listener, np.array(seen), begun_s, forgotten)


def _report(
    job: SoakJob,
    session: Session,
    comings: Comings,
    listener: Listener,
    seen: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    begun_s: float,
    forgotten: float,
) -> None:
    after = seen[seen[:, 0] >= job.warm_s]
    middle_s = 0.5 * (job.warm_s + job.duration_s)
    early = {key: at for key, at in comings.sent_at_s.items() if at - begun_s < middle_s}
    late = {key: at for key, at in comings.sent_at_s.items() if at - begun_s >= middle_s}
    latency = [latencies_s(part, listener.heard, begun_s + job.warm_s) for part in (early, late)]
    if min(map(len, latency)) < 50:
        raise Unavailable(f"{len(comings.sent_at_s):,} fixes caused too few updates: raise the rate")
    p99_ms = [float(np.percentile(part, 99.0)) * 1000.0 for part in latency]
    session.report(
        [
            ("rss_slope_mib_per_h", float(np.polyfit(after[:, 0] / 3600.0, after[:, 1], 1)[0]), "MiB/h"),
            ("rss_mib", float(after[-1, 1]), "MiB"),
            ("rss_growth_mib", float(np.median(after[-30:, 1]) - np.median(after[:30, 1])), "MiB"),
            ("walkers_held_max", float(np.nanmax(seen[:, 2])), "walkers"),
            ("walkers_forgotten", forgotten, "walkers"),
            ("p99_first_half_ms", p99_ms[0], "ms"),
            ("p99_second_half_ms", p99_ms[1], "ms"),
        ],
        {
            "minutes": job.minutes,
            "warm_s": job.warm_s,
            "rate_per_s": round(len(comings.sent_at_s) / max(float(seen[-1, 0]), 1.0), 1),
            "walkers_came": comings.walkers,
            "walkers_at_once": round(job.rate_per_s),
            "partitions": job.partitions,
            "seed": job.seed,
        },
    )
