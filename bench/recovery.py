"""`flaneur bench recovery`: a worker with many walkers' state is killed under load, and starts again.

The load goes on while it is away. Afterwards the walkers' own totals in the checkpoints, read from the
changelog, say whether every fix was counted exactly once; the updates say whether any came twice.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.latency import BACK_M, STEP_S, WALKED_M, ways_back
from bench.rig.checkpointed import fixes_by_device, wait_until_contained
from bench.rig.fixes import Walk
from bench.rig.pacing import Pacer
from bench.rig.recorded import walks
from bench.rig.scratch import preload
from bench.rig.session import Session
from bench.rig.tracks import wander
from bench.rig.walkers import Heard, Listener, ask_for_routes, routes_of
from bench.rig.worker import Worker, worker_settings
from geo.errors import BadInput
from streams.kafka.topics import GPS_FIXES, ensure_topics

BEFORE_S = 8.0  # of load before the kill: several checkpoints, and trips in full swing
AFTER_S = 8.0
RECOVER_WITHIN_S = 180.0
MOST_LOAD_S = 400.0


@dataclass(frozen=True)
class RecoveryJob:
    """`devices` walkers have state; `walkers` of them walk on, with trips, while the worker is killed."""

    devices: int = 100_000
    fixes: int = 200_000  # that make the state
    walkers: int = 1_000
    partitions: int = 4
    seed: int = 1
    traces: tuple[str, ...] = ()  # files with recorded walks

    def __post_init__(self) -> None:
        if self.devices < 2:
            raise BadInput(f"devices is {self.devices}, it must be 2 or more")

    @property
    def walking(self) -> int:
        return min(self.walkers, self.devices // 2)


@dataclass(frozen=True)
class Doubles:
    """Updates that came more than once."""

    repeated_ids: int  # same (trip, version): what consumers drop
    visible: int  # left after that: same trip, same cause, another version
    conflicting: int  # same id, other content


def count_doubles(heard: Sequence[Heard]) -> Doubles:
    """What a consumer sees twice, before and after dropping repeated (trip, version)."""
    first: dict[tuple[str, int], Heard] = {}
    conflicting = 0
    for update in heard:
        known = first.setdefault((update.trip, update.version), update)
        conflicting += known.value != update.value
    causes = Counter((update.trip, update.reason, update.fix_ts) for update in first.values())
    return Doubles(len(heard) - len(first), len(first) - len(causes), conflicting)


def run_recovery(job: RecoveryJob, session: Session) -> None:
    """Fill the state, kill the worker under load, start it again, and report what it cost."""
    scratch, say = session.scratch, session.say
    settings = worker_settings(scratch, session.graph_dir, job.partitions)
    ensure_topics(settings)
    start_s = float(int(time.time()) - 60)
    names = tuple(f"s{number:06d}" for number in range(job.devices - job.walking))
    still = Walk(wander(len(names), 50.0, job.seed), start_s - 600.0, job.seed, names=names)
    tracks = walks(session.graph, job.traces, job.walking, BACK_M + WALKED_M, job.seed)
    walk = Walk(tracks, start_s, job.seed, step_s=STEP_S, begin_m=BACK_M)
    filled = preload(scratch.bootstrap, GPS_FIXES, still, job.fixes, say)
    pacer = Pacer(scratch.bootstrap, walk, ticks=int(MOST_LOAD_S))
    worker = Worker(settings, scratch.folder / "worker.log")
    with Listener(scratch.bootstrap, job.partitions) as listener, worker:
        say(f"filling the state of {job.devices:,} walkers")
        worker.wait_for_fixes(filled, RECOVER_WITHIN_S)
        ask_for_routes(scratch.bootstrap, walk.devices(), ways_back(tracks), start_s - 1.0)
        routes_of(listener, walk.devices(), 300.0)
        load = threading.Thread(target=pacer.run, daemon=True)
        load.start()
        time.sleep(BEFORE_S)
        say("kill -9")
        worker.kill()
        killed_s = time.perf_counter()
        worker.start()
        recovered_s = _wait_until_caught_up(worker, pacer, killed_s)
        say(f"recovered after {recovered_s:.1f} s")
        time.sleep(AFTER_S)
        pacer.stop.set()
        load.join()
        wait_until_contained(settings, RECOVER_WITHIN_S)
        time.sleep(1.0)  # the last updates are on their way
    sent = Counter({device: filled // len(names) for device in names})
    sent.update(pacer.sent_by)
    counted = fixes_by_device(settings)
    doubles = count_doubles(listener.heard)
    about: dict[str, object] = {
        "devices": job.devices,
        "walkers": job.walking,
        "fixes": sum(sent.values()),
        "updates": len(listener.heard),
        "rate_per_s": job.walking,
        "partitions": job.partitions,
        "seed": job.seed,
    }
    lost, twice = compare_counts(sent, counted)
    session.report(
        [
            ("recovery_s", recovered_s, "s"),
            ("fixes_lost", lost, "fixes"),
            ("fixes_counted_twice", twice, "fixes"),
            ("duplicate_updates", doubles.visible, "updates"),
            ("repeated_updates", doubles.repeated_ids, "updates"),
            ("conflicting_updates", doubles.conflicting, "updates"),
        ],
        about,
    )


def compare_counts(sent: Mapping[str, int], counted: Mapping[str, int]) -> tuple[int, int]:
    """Fixes that no walker's total has, and fixes that one has more than were sent."""
    lost = sum(max(0, count - counted.get(device, 0)) for device, count in sent.items())
    twice = sum(max(0, count - sent.get(device, 0)) for device, count in counted.items())
    return lost, twice


def _waiting(metrics: Mapping[str, float]) -> float:
    return sum(value for name, value in metrics.items() if name.startswith("flaneur_consumer_lag_messages"))


def _wait_until_caught_up(worker: Worker, pacer: Pacer, killed_s: float) -> float:
    """Seconds from the kill until the worker is less than half a second of the load behind."""
    worker.wait_until_ready()
    few = 0.5 * len(pacer.walk.devices())
    worker.wait(lambda metrics: metrics["flaneur_fixes_total"] > 0 and _waiting(metrics) <= few,
                "catch up", RECOVER_WITHIN_S)  # fmt: skip
    return time.perf_counter() - killed_s
