"""A steady load for a while, and what it took of the workers, the broker and the network."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from bench.rig.fixes import Walk, encode_tick, walk_ticks
from bench.rig.scratch import Scratch, fixes_producer, flush, send_all
from bench.rig.worker import Worker
from geo.errors import Unavailable
from streams.kafka.topics import CELL_OBSERVATIONS, GPS_FIXES, ROUTE_UPDATES

PIECE_S = 0.05  # fixes are sent together that fall into so much time, as a gateway of many phones would
LOOK_S = 0.1
ANSWER_WITHIN_S = 30.0
TOPICS = (GPS_FIXES, ROUTE_UPDATES, CELL_OBSERVATIONS)


class Load:
    """One fix a second of every walker for the length of a with block, spread over the second."""

    def __init__(self, bootstrap: str, walk: Walk) -> None:
        self.sent = 0
        self.per_s = walk.tracks.count
        self._bootstrap = bootstrap
        self._walk = walk
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        devices = self._walk.devices()
        producer = fixes_producer(self._bootstrap)
        pieces = round(self._walk.step_s / PIECE_S)
        due_s = time.perf_counter()
        for tick in walk_ticks(self._walk, 1_000_000):
            pairs = list(zip(devices, encode_tick(devices, tick), strict=True))
            for piece in range(pieces):
                if self._stop.wait(max(0.0, due_s - time.perf_counter())):
                    flush(producer)
                    return
                due_s += PIECE_S
                self.sent += send_all(producer, GPS_FIXES, pairs[piece::pieces])


@dataclass(frozen=True)
class Reading:
    """Counters of everything at one moment; one value a worker where there are several."""

    at_s: float
    fixes: tuple[float, ...]
    cpu_s: tuple[float, ...]
    own_bytes: tuple[int, ...]
    changelog_bytes: float
    broker_cpu_s: float
    log_bytes: dict[str, int]  # by topic: as the broker stores it, batches' headers included


def read(workers: Sequence[Worker], scratch: Scratch) -> Reading:
    """Counters now; raises Unavailable for a worker that does not answer."""
    known = [metrics_of(worker) for worker in workers]
    broker = psutil.Process(scratch.broker_pid).cpu_times()
    return Reading(
        time.perf_counter(),
        tuple(metrics.get("flaneur_fixes_total", 0.0) for metrics in known),
        tuple(worker.cpu_s for worker in workers),
        tuple(worker.own_bytes for worker in workers),
        sum(metrics.get("flaneur_checkpoint_bytes_total", 0.0) for metrics in known),
        broker.user + broker.system,
        {topic: _log_bytes(scratch.folder, topic) for topic in TOPICS},
    )


def _log_bytes(folder: Path, topic: str) -> int:
    return sum(file.stat().st_size for file in (folder / "kafka" / "log").glob(f"{topic}-*/*.log"))


def metrics_of(worker: Worker) -> dict[str, float]:
    """A worker's metrics; raises Unavailable if it does not answer for a while."""
    give_up = time.monotonic() + ANSWER_WITHIN_S
    while time.monotonic() < give_up:
        metrics = worker.metrics()
        if metrics is not None:
            return metrics
        time.sleep(LOOK_S)
    raise Unavailable(f"the worker did not answer for {ANSWER_WITHIN_S:.0f} s, see {worker.log}")


@dataclass(frozen=True)
class Took:
    """What happened between two readings."""

    seconds: float
    fixes: tuple[float, ...]  # by worker
    cpu_s: tuple[float, ...]
    changelog_bytes: float
    broker_cpu_s: float
    log_bytes: dict[str, int]
    own_bytes: int  # of all workers at the end

    @property
    def all_fixes(self) -> float:
        return max(1.0, sum(self.fixes))


def between(first: Reading, last: Reading) -> Took:
    """The differences."""
    return Took(
        last.at_s - first.at_s,
        tuple(b - a for a, b in zip(first.fixes, last.fixes, strict=True)),
        tuple(b - a for a, b in zip(first.cpu_s, last.cpu_s, strict=True)),
        last.changelog_bytes - first.changelog_bytes,
        last.broker_cpu_s - first.broker_cpu_s,
        {topic: last.log_bytes[topic] - first.log_bytes[topic] for topic in last.log_bytes},
        sum(last.own_bytes),
    )


@dataclass(frozen=True)
class Look:
    """The load at one moment, seen from outside."""

    at_s: float
    sent: float
    taken: float


def longest_gap_s(looks: Sequence[Look]) -> float:
    """The longest time in which not one fix was taken."""
    longest, moved_s = 0.0, looks[0].at_s
    for before, look in pairwise(looks):
        if look.taken > before.taken:
            moved_s = look.at_s
        longest = max(longest, look.at_s - moved_s)
    return longest


def behind_s(looks: Sequence[Look], more_than: float) -> float:
    """How long, around the greatest backlog, more than so many fixes waited."""
    waiting = [look.sent - look.taken for look in looks]
    worst = max(range(len(looks)), key=lambda number: waiting[number])
    if waiting[worst] <= more_than:
        return 0.0
    before = [look.at_s for look, left in zip(looks[:worst], waiting, strict=False) if left <= more_than]
    after = [
        look.at_s for look, left in zip(looks[worst:], waiting[worst:], strict=True) if left <= more_than
    ]
    return (after[0] if after else looks[-1].at_s) - (before[-1] if before else looks[0].at_s)
