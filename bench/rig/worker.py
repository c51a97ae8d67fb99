"""Our side of a benchmark: one `flaneur worker` as a process of its own, watched from outside.

CPU time is what the operating system accounts to that process (user + system, all threads), progress is
what its Prometheus counters say.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.rig.memory import own_bytes
from bench.rig.scratch import Scratch
from geo.errors import Unavailable
from streams.kafka.topics import WALKERS_TABLE
from streams.local.processes import any_port, last_lines
from streams.settings import Settings

START_WITHIN_S = 180.0  # the first start on a machine compiles every kernel
STOP_WITHIN_S = 60.0
SOONEST_S, LATEST_S = 0.02, 0.5  # between two looks at the counters
#: what `flaneur worker` runs, by the interpreter that runs this: no search on the PATH
COMMAND = (sys.executable, "-m", "cli.main", "worker")

_SAMPLE = re.compile(r"^(?P<name>flaneur_\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """The worker at one moment."""

    wall_s: float  # of this process's performance counter
    cpu_s: float
    fixes: int
    waiting: int  # messages not yet processed, all topics
    checkpoint_s: float  # when the partition checkpointed longest ago was; 0 if one never was


class Worker:
    """One worker process; `with` starts it, waits until it owns its partitions, and stops it at the end."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings = settings
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None
        self._process: psutil.Process | None = None

    def __enter__(self) -> Worker:
        self.start()
        try:
            self.wait_until_ready()
        except Unavailable:
            self.kill()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and return at once."""
        environment = {**os.environ, **self.settings.environment()}
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                COMMAND, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )
        self._process = psutil.Process(self._child.pid)

    @property
    def pid(self) -> int:
        """The process that runs now; raises Unavailable when none does."""
        if self._child is None:
            raise Unavailable("the worker does not run")
        return self._child.pid

    def stop(self) -> int | None:
        """Ask the worker to end (it hands over first), and end it if it does not; its exit code."""
        if self._child is None:
            return None
        self._child.send_signal(signal.SIGTERM)
        try:
            code = self._child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL
        self._child = None
        return code

    def kill(self) -> None:
        """kill -9: nothing is checkpointed, nothing is said to the broker."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def metrics(self) -> dict[str, float] | None:
        """What the worker exposes now, by `name` or `name{labels}`; None while it does not answer.

        Raises Unavailable when the process has ended.
        """
        if self._child is None or self._child.poll() is not None:
            raise Unavailable(f"the worker ended; the end of {self.log}:\n{last_lines(self.log, 12)}")
        url = f"http://{self.settings.metrics_host}:{self.settings.metrics_port}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, OSError):
            return None  # it is still starting, or too busy for five seconds: asked again
        return read_metrics(text)

    def sample(self) -> Sample | None:
        """Progress and CPU time now; None while the worker does not answer."""
        metrics = self.metrics()
        if metrics is None or self._process is None:
            return None
        lags = [value for name, value in metrics.items() if name.startswith("flaneur_consumer_lag_messages")]
        checkpoints = [
            value
            for name, value in metrics.items()
            if name.startswith("flaneur_checkpoint_timestamp_seconds") and WALKERS_TABLE in name
        ]
        oldest = min(checkpoints) if len(checkpoints) == self.settings.partitions else 0.0
        return Sample(
            time.perf_counter(),
            self.cpu_s,
            int(metrics.get("flaneur_fixes_total", 0.0)),
            int(sum(lags)),
            oldest,
        )

    @property
    def cpu_s(self) -> float:
        """CPU time so far, all threads."""
        assert self._process is not None
        cpu = self._process.cpu_times()
        return float(cpu.user + cpu.system)

    @property
    def own_bytes(self) -> int:
        """Resident memory without mapped files."""
        assert self._process is not None
        return own_bytes(self._process.pid)

    def wait(self, done: Callable[[dict[str, float]], bool], what: str, within_s: float) -> None:
        """Wait until the metrics satisfy `done`; raises Unavailable after `within_s`."""
        give_up = time.monotonic() + within_s
        while time.monotonic() < give_up:
            metrics = self.metrics()
            if metrics is not None and done(metrics):
                return
            time.sleep(0.1)
        raise Unavailable(f"the worker did not {what} within {within_s:.0f} s; the end of {self.log}:\n"
                          f"{last_lines(self.log, 12)}")  # fmt: skip

    def wait_until_ready(self) -> None:
        """Wait until the worker owns every partition; raises Unavailable after START_WITHIN_S."""
        owned = f'flaneur_assigned_partitions{{table="{WALKERS_TABLE}"}}'
        self.wait(
            lambda metrics: metrics.get(owned) == self.settings.partitions,
            "own its partitions",
            START_WITHIN_S,
        )

    def wait_for_fixes(self, count: int, within_s: float) -> Sample:
        """The first sample that has `count` fixes or more; raises Unavailable after `within_s`.

        To answer costs the worker CPU time: it is asked rarely far from `count` and often near it.
        """
        started_s = time.perf_counter()
        before: Sample | None = None
        while time.perf_counter() - started_s < within_s:
            sample = self.sample()
            pause_s = SOONEST_S
            if sample is not None:
                if sample.fixes >= count:
                    return sample
                if before is not None and sample.fixes > before.fixes:
                    rate = (sample.fixes - before.fixes) / (sample.wall_s - before.wall_s)
                    pause_s = 0.5 * (count - sample.fixes) / rate
                before = sample
            time.sleep(min(max(pause_s, SOONEST_S), LATEST_S))
        raise Unavailable(f"the worker did not take {count:,} fixes within {within_s:.0f} s, see {self.log}")

    def wait_for_checkpoint(self, within_s: float = 30.0) -> Sample:
        """The first sample after every partition was checkpointed from now on, or needed no checkpoint."""
        asked_s = time.time()
        give_up = time.monotonic() + within_s
        last = None
        while time.monotonic() < give_up:
            last = self.sample() or last
            if last is not None and (last.checkpoint_s >= asked_s or time.time() - asked_s > self._quiet_s):
                return last
            time.sleep(0.1)
        raise Unavailable(f"the worker wrote no checkpoint within {within_s:.0f} s, see {self.log}")

    @property
    def _quiet_s(self) -> float:
        # a partition that nothing changed in is not checkpointed again
        return 2.0 * self.settings.checkpoint_s


def read_metrics(text: str) -> dict[str, float]:
    """The samples of Flaneur's own metrics in Prometheus's text format, by `name` or `name{labels}`."""
    values = {}
    for match in _SAMPLE.finditer(text):
        labels = match["labels"]
        values[f"{match['name']}{{{labels}}}" if labels else match["name"]] = float(match["value"])
    return values


def worker_settings(
    scratch: Scratch, graph_dir: str, partitions: int, *, ingest_only: bool = False
) -> Settings:
    """The settings of a worker under measurement: the defaults, with a group and ports of its own."""
    return Settings(
        bootstrap=scratch.bootstrap,
        redis_url=scratch.redis_url,
        graph_dir=graph_dir,
        group=f"bench-{os.getpid()}",
        worker_id="bench-0",
        partitions=partitions,
        metrics_port=any_port(),
        ingest_only=ingest_only,
        log_level="WARNING",
    )
