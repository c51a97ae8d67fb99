"""How the benchmarks that need no services measure: CPU time of one thread on one core.

On a machine where other work runs, the clock on the wall says how often that work was let in between; the
thread's own CPU time says what the job took. Every sample keeps both, so that a figure can say how much of
the time the core was ours.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import psutil

T = TypeVar("T")


def pin_to_one_core() -> int | None:
    """Keep this process, and those it starts, on its idlest core; None where that cannot be done."""
    if not hasattr(os, "sched_setaffinity"):
        return None  # macOS
    load = psutil.cpu_percent(interval=0.3, percpu=True)
    core = min(os.sched_getaffinity(0), key=lambda number: load[number])
    os.sched_setaffinity(0, {core})
    return core


@dataclass
class Samples:
    """What one job took, again and again, in seconds."""

    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    def measure(self, job: Callable[[], T]) -> T:
        """Do the job once and keep what it took."""
        wall, cpu = time.perf_counter(), time.thread_time()
        result = job()
        self.cpu_s.append(time.thread_time() - cpu)
        self.wall_s.append(time.perf_counter() - wall)
        return result

    @property
    def median_s(self) -> float:
        return percentile(self.cpu_s, 50.0)

    @property
    def p99_s(self) -> float:
        return percentile(self.cpu_s, 99.0)

    @property
    def core_share(self) -> float:
        """How much of the time on the clock the core was ours, 0..1."""
        return round(sum(self.cpu_s) / max(sum(self.wall_s), 1e-12), 2)


def repeated(job: Callable[[], object], times: int) -> Samples:
    """Do the job once so that everything is compiled and in memory, then `times` times measured."""
    job()
    samples = Samples()
    for _ in range(times):
        samples.measure(job)
    return samples


def percentile(values: list[float], percent: float) -> float:
    """The lowest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100.0 * len(ordered)) - 1)]
