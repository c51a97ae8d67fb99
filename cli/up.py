"""`flaneur up`: start everything on this machine, replay the recorded day, show what happens, stop it all."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
import orjson
from rich.console import Console

from cli.services import Stack, Wanted
from cli.up_view import View, report
from cli.up_watch import Snapshot, Watch, snapshot
from geo.errors import Unavailable
from geo.graph import open_graph
from streams.demo.day import DemoDay, demo_day
from streams.demo.fleet import begin_ts
from streams.demo.replay import PlaySummary, parse_speed, play
from streams.demo.world import DAY_S
from streams.kafka.topics import GPS_FIXES
from streams.local.services import run_folder
from streams.settings import Settings
from streams.telemetry.scrape import scrape_all

LOOK_EVERY_S = 0.5
# everything is answered when nothing waits and nothing has changed for so long
QUIET_S = 2.0
# when nothing at all moves for so long although something waits, it never will
STALLED_S = 120.0


@click.command("up")
@click.option("--once", is_flag=True, help="Play the day, wait until all is answered, sum up, stop.")
@click.option("--json", "as_json", is_flag=True, help="The summary at the end as one JSON object.")
@click.option("--walkers", type=click.IntRange(0), default=30, show_default=True, help="Simulated walkers.")
@click.option("--speed", help="Event time against wall clock: a number, or max. [10, with --once 60]")
@click.option("--seed", type=int, default=1, show_default=True, help="Who sets out when, and where to.")
@click.option("--keep", is_flag=True, help="Keep the data of the run before instead of beginning afresh.")
@click.option("--no-live", is_flag=True, help="A line now and then instead of the moving view.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="How many workers.")
@click.option("--kafka-port", type=click.IntRange(1, 65535), help="Demand a port. [9092 or the next free]")
@click.option("--redis-port", type=click.IntRange(1, 65535), help="Demand a port. [6379 or the next free]")
@click.option("--gateway-port", type=click.IntRange(1, 65535), help="Demand a port. [8080 or the next free]")
@click.option(
    "--prometheus-port", type=click.IntRange(1, 65535), help="Demand a port. [9090 or the next free]"
)
def command(
    once: bool,
    as_json: bool,
    walkers: int,
    speed: str | None,
    seed: int,
    keep: bool,
    no_live: bool,
    workers: int,
    kafka_port: int | None,
    redis_port: int | None,
    gateway_port: int | None,
    prometheus_port: int | None,
) -> int:
    """Start broker, Redis, worker, gateway, Prometheus; replay recorded walks, weather and traffic; watch.

    Everything listens on this machine only, keeps its files in .run, and ends with this command (Ctrl-C).
    BOOTSTRAP and REDIS_URL name a broker and a Redis that you have; then none is started.

    \b
    Examples:
      flaneur up
      flaneur up --walkers 200 --speed 1
      flaneur up --once --json | jq .p99_ms
      BOOTSTRAP=kafka-1:9092 flaneur up --no-live
    """
    rate = parse_speed(speed or ("60" if once else "10"))
    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    folder = run_folder()
    with folder.locked() as mine:
        if not mine:
            raise Unavailable(
                f"Flaneur already runs in {folder.path}: `flaneur status` shows it, `flaneur down` ends it"
            )
        wanted = Wanted(kafka_port, redis_port, workers, keep, gateway_port, prometheus_port)
        stack = Stack(folder, wanted, say)
        run: _Run | None = None
        interrupted = False
        try:
            with _interruptible():
                settings = stack.start()
                say(f"day: {walkers} walkers set out on the bundled streets")
                day = _day(settings, walkers, seed, rate)
                for note in day.notes:
                    say(f"day: {note}")
                run = _Run(stack, settings, day, rate)
                run.watch_until_done(console, live=not no_live, once=once)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            with _deaf():
                if run is not None:
                    run.close()
                stack.stop()
    if run is not None and run.last is not None:
        if as_json:
            sys.stdout.write(orjson.dumps(run.last.summary()).decode() + "\n")
        else:
            click.echo(report(run.last))
    return 130 if interrupted and once else 0


def _day(settings: Settings, walkers: int, seed: int, rate: float) -> DemoDay:
    """The day, timed so that at this speed its last record is sent just when its event time is now."""
    begin = begin_ts(time.time(), DAY_S, rate)
    return demo_day(open_graph(settings.graph_path), walkers, seed, begin)


class _Run:
    """The day being played into a stack that is up."""

    def __init__(self, stack: Stack, settings: Settings, day: DemoDay, rate: float) -> None:
        self.last: Snapshot | None = None
        self._stack = stack
        self._watch = Watch(settings)
        self._stop = threading.Event()
        self._played: PlaySummary | None = None
        self._failure: BaseException | None = None
        self._began = time.monotonic()
        self._thread = threading.Thread(
            target=self._play, args=(settings, day, rate), name="play", daemon=True
        )
        self._thread.start()

    def watch_until_done(self, console: Console, *, live: bool, once: bool) -> None:
        """Show what happens until everything is answered (`once`) or the person has seen enough."""
        gateway = self._stack.gateway()
        pages = (("web app", ""), ("a walk", "?demo=1"), ("operators", "watch"))
        where = [(name, f"http://127.0.0.1:{gateway.port}/{page}") for name, page in pages] if gateway else []
        where += [
            (worker.name, f"http://127.0.0.1:{worker.port}/metrics") for worker in self._stack.workers()
        ]
        if prometheus := self._stack.prometheus():
            where += [("Prometheus", f"http://127.0.0.1:{prometheus.port}/")]
        redis = self._stack.settings.redis_url.rpartition("@")[2]  # without its password
        where += [("broker", self._stack.settings.bootstrap), ("Redis", redis)]
        where += [("logs", str(self._stack.folder.logs))]
        moved_at, seen = time.monotonic(), self._progress()
        with View(console, live, where) as view:
            while True:
                self._check(restart=not once)
                now = self.look()
                view.show(now, self._state())
                if seen != (seen := self._progress()):
                    moved_at = time.monotonic()
                still_s = time.monotonic() - moved_at
                if once and self._played is not None:
                    if still_s >= QUIET_S and self._is_answered(now):
                        # the wait for quiet is not the pipeline's time
                        self.last = self.look(moved_at)
                        return
                    if still_s >= STALLED_S:
                        raise Unavailable(
                            f"{now.lag:,} messages wait and none was taken for {STALLED_S:.0f} s:"
                            f" see {self._stack.folder.logs}"
                        )
                time.sleep(LOOK_EVERY_S)

    def look(self, at: float | None = None) -> Snapshot:
        """The run at this moment (or counted until the monotonic time `at`)."""
        samples = scrape_all(worker.port or 0 for worker in self._stack.workers())
        seconds = (time.monotonic() if at is None else at) - self._began
        # a worker that is too busy to answer for a moment has not lost its counts
        if samples.series or self.last is None:
            self.last = snapshot(samples, self._watch, seconds)
        return self.last

    def close(self) -> None:
        """Stop sending and following."""
        self._stop.set()
        self._thread.join()
        self._watch.close()

    def _play(self, settings: Settings, day: DemoDay, rate: float) -> None:
        try:
            self._played = play(self._watch.noting(day), settings, rate, self._stop)
        except BaseException as failure:  # told to the main thread, which stops the run
            self._failure = failure

    def _check(self, restart: bool) -> None:
        if self._failure is not None:
            raise self._failure
        if self._played is not None and self._played.failed:
            raise Unavailable(
                f"{self._played.failed} records were not delivered: {self._played.first_failure}"
            )
        self._watch.check()
        # a worker begins counting anew, so a run that is summed up does not go on with another one
        self._stack.check(restart)

    def _progress(self) -> tuple[int, int, int, int]:
        last = self.last
        counted = (0, 0) if last is None else (last.fixes, last.lag)
        return self._watch.sent.total(), self._watch.updates.total(), *counted

    def _is_answered(self, now: Snapshot) -> bool:
        fixes = self._watch.sent[GPS_FIXES]
        return now.lag == 0 and now.fixes >= fixes and self._watch.has_read_all()

    def _state(self) -> str:
        if self._played is None:
            return "the day is on"
        return "the day is over, everything stays up"


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and a closed terminal end a run in the same order as Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _deaf() -> Iterator[None]:
    """Stopping is not interrupted: it ends by itself, and half of it would leave processes behind."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
