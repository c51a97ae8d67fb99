"""What every Python peer of the routing benchmarks reads, measures and prints.

A peer is started as `python <script> JOB`, the path of the JSON object that `bench.peers.routing` writes.
It prints one JSON object on the last line of its output, and ends. Time is CPU time of the measuring thread,
after a warm-up, so that what else runs on the machine is not in the figure.

Only the standard library is used here: a peer may run in another virtual environment than Flaneur's.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

SECONDS = 5.0  # that are measured, after a fifth as many that are not


@dataclass(frozen=True)
class RoutingJob:
    """What a peer is asked to do."""

    folder: Path  # for whatever it builds
    extract: Path | None
    graph: dict[str, list[Any]]  # tail, head, lat, lon, weight_ms
    node_pairs: list[tuple[int, int]]
    place_pairs: list[tuple[float, float, float, float]]  # lat, lon, lat, lon
    seconds: float  # to be measured
    closures: list[list[int]]  # edges that are closed together
    rains: list[list[int]]  # edges that become dearer together

    @staticmethod
    def read() -> RoutingJob:
        job = json.loads(Path(sys.argv[1]).read_bytes())
        extract = job.get("extract")
        return RoutingJob(
            Path(job["folder"]),
            Path(extract) if extract else None,
            job.get("graph", {}),
            job.get("node_pairs", []),
            job.get("place_pairs", []),
            float(job.get("seconds", SECONDS)),
            job.get("closures", []),
            job.get("rains", []),
        )

    def measure(self, ask: Callable[[int], float | None], count: int) -> dict[str, object]:
        """Ask for `count` pairs by number, in turn, until the time is over; `ask` returns what a route costs.

        `costs` are those of the first pairs, None where there was no route.
        """
        costs = [ask(number) for number in range(min(100, count))]
        until = time.perf_counter() + 0.2 * self.seconds
        number = 0
        while time.perf_counter() < until:
            ask(number % count)
            number += 1
        done = 0
        began, until = time.thread_time(), time.perf_counter() + self.seconds
        while time.perf_counter() < until:
            ask(done % count)
            done += 1
        return {"queries_per_s": done / (time.thread_time() - began), "costs": costs}

    @staticmethod
    def report(**result: object) -> None:
        """Print the result."""
        print(f"\n{json.dumps(result)}", flush=True)


def median_ms(action: Callable[[], object], times: int) -> float:
    """The median CPU time of an action, in milliseconds."""
    return 1000.0 * median(seconds(action) for _ in range(times))


def percentile_ms(samples_s: list[float], percent: float) -> float:
    """The percentile of samples in seconds, in milliseconds: the lowest sample that so many do not exceed."""
    ordered = sorted(samples_s)
    return 1000.0 * ordered[max(0, math.ceil(percent / 100.0 * len(ordered)) - 1)]


def seconds(action: Callable[[], object]) -> float:
    """The CPU time that an action takes."""
    began = time.thread_time()
    action()
    return time.thread_time() - began
