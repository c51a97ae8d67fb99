"""`flaneur bench drain`: a worker under load is told to end, comes back, and is restarted in its place.

First as a rolling update does it: the worker leaves, the other one takes over, a new one joins. Then as a
member that keeps its place: nobody takes over, its walkers wait until it is back. Afterwards the walkers' own
totals in the checkpoints say whether every fix was counted exactly once, the updates whether any came twice.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from bench.latency import BACK_M, STEP_S, WALKED_M, ways_back
from bench.recovery import compare_counts, count_doubles
from bench.rig.checkpointed import fixes_by_device, wait_until_contained
from bench.rig.fixes import Walk
from bench.rig.pacing import Pacer
from bench.rig.recorded import walks
from bench.rig.session import Session
from bench.rig.walkers import Listener, ask_for_routes, routes_of
from bench.rig.worker import Worker, worker_settings
from geo.errors import BadInput, Unavailable
from streams.kafka.topics import WALKERS_TABLE, ensure_topics
from streams.local.processes import any_port

WATCHED_S = 5.0  # of load before, between and after
MOST_LOAD_S = 300.0
DONE_WITHIN_S = 90.0
LOOK_S = 0.02
OWNED = f'flaneur_assigned_partitions{{table="{WALKERS_TABLE}"}}'
PAUSES = "flaneur_rebalance_pause_seconds_sum"


@dataclass(frozen=True)
class DrainJob:
    """So many walkers with trips, a fix a second each."""

    walkers: int = 1_000
    partitions: int = 4
    seed: int = 1
    traces: tuple[str, ...] = ()  # files with recorded walks

    def __post_init__(self) -> None:
        if self.partitions < 2:
            raise BadInput(f"partitions is {self.partitions}, it must be 2 or more: one for each worker")


@dataclass(frozen=True)
class Pauses:
    """What was measured, in seconds."""

    drain_s: float  # from SIGTERM until the process has ended, exit code 0
    handover_pause_s: float  # from SIGTERM until the other worker has opened all partitions
    rejoin_pause_s: float  # of everybody, when the next one joins
    restart_pause_s: float  # from SIGTERM until the same member has opened its partitions again


def run_drain(job: DrainJob, session: Session) -> None:
    """Two workers under load; end one, let it join again, restart it; report what each cost."""
    scratch = session.scratch
    settings = replace(
        worker_settings(scratch, session.graph_dir, job.partitions), leave_on_stop=True, log_level="INFO"
    )
    ensure_topics(settings)
    leaving = Worker(settings, scratch.folder / "leaving.log")
    other = Worker(
        replace(settings, worker_id="bench-1", metrics_port=any_port()), scratch.folder / "other.log"
    )
    keeping = Worker(
        replace(settings, leave_on_stop=False, metrics_port=any_port()), scratch.folder / "keeping.log"
    )
    tracks = walks(session.graph, job.traces, job.walkers, BACK_M + WALKED_M, job.seed)
    walk = Walk(tracks, float(int(time.time()) - 60), job.seed, step_s=STEP_S, begin_m=BACK_M)
    pacer = Pacer(scratch.bootstrap, walk, ticks=int(MOST_LOAD_S))
    with Listener(scratch.bootstrap, job.partitions) as listener, leaving:
        other.start()
        try:
            _until_shared((leaving, other), job.partitions)
            ask_for_routes(scratch.bootstrap, walk.devices(), ways_back(tracks), walk.start_s - 1.0)
            routes_of(listener, walk.devices(), 300.0)
            load = threading.Thread(target=pacer.run, daemon=True)
            load.start()
            pauses = _measure(job, session, leaving, other, keeping)
            pacer.stop.set()
            load.join()
            wait_until_contained(settings, DONE_WITHIN_S)
            time.sleep(1.0)  # the last updates are on their way
        finally:
            keeping.stop()
            other.stop()
    lost, twice = compare_counts(Counter(pacer.sent_by), fixes_by_device(settings))
    doubles = count_doubles(listener.heard)
    session.report(
        [
            ("drain_s", pauses.drain_s, "s"),
            ("handover_pause_s", pauses.handover_pause_s, "s"),
            ("rejoin_pause_s", pauses.rejoin_pause_s, "s"),
            ("restart_pause_s", pauses.restart_pause_s, "s"),
            ("fixes_lost", lost, "fixes"),
            ("fixes_counted_twice", twice, "fixes"),
            ("repeated_updates", doubles.repeated_ids, "updates"),
            ("conflicting_updates", doubles.conflicting, "updates"),
        ],
        {
            "walkers": job.walkers,
            "fixes": sum(pacer.sent_by.values()),
            "updates": len(listener.heard),
            "rate_per_s": job.walkers,
            "partitions": job.partitions,
            "seed": job.seed,
        },
    )


def _measure(job: DrainJob, session: Session, leaving: Worker, other: Worker, keeping: Worker) -> Pauses:
    say = session.say
    time.sleep(WATCHED_S)
    say("SIGTERM")
    told_s = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(_end, leaving)
        _until(lambda: _owned(other) == job.partitions, "take all partitions over")
        handover_pause_s = time.perf_counter() - told_s
        drain_s = ended.result() - told_s
    time.sleep(WATCHED_S)
    say("another one joins")
    before = other.metrics() or {}
    keeping.start()
    _until_shared((keeping, other), job.partitions)
    time.sleep(WATCHED_S)
    after = other.metrics() or {}
    say("SIGTERM, and started again in its place")
    share, told_s = _owned(keeping), time.perf_counter()
    _end(keeping)
    keeping.start()
    _until(lambda: _owned(keeping) == share, "open its partitions again")
    restart_pause_s = time.perf_counter() - told_s
    time.sleep(WATCHED_S)
    return Pauses(drain_s, handover_pause_s, after[PAUSES] - before.get(PAUSES, 0.0), restart_pause_s)


def _end(worker: Worker) -> float:
    """SIGTERM, and when the process had ended; raises Unavailable unless its exit code is 0."""
    code = worker.stop()
    if code:
        raise Unavailable(f"the worker ended with {code}, see {worker.log}")
    return time.perf_counter()


def _owned(worker: Worker) -> int:
    return int((worker.metrics() or {}).get(OWNED, 0.0))


def _until_shared(workers: tuple[Worker, Worker], partitions: int) -> None:
    def shared() -> bool:
        shares = [_owned(worker) for worker in workers]
        return all(shares) and sum(shares) == partitions

    _until(shared, "share the partitions")


def _until(done: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + DONE_WITHIN_S
    while not done():
        if time.monotonic() > give_up:
            raise Unavailable(f"the workers did not {what} within {DONE_WITHIN_S:.0f} s")
        time.sleep(LOOK_S)
