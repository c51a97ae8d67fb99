"""`flaneur replay`: recorded traces, published as if people walked them now."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from geo.errors import BadInput, Unavailable
from streams.demo.fleet import Fleet, begin_ts, parse_ask
from streams.demo.replay import PlaySummary, parse_speed, play
from streams.settings import Settings
from streams.traces import Trace, read_traces

LONGEST_S = 7 * 86_400.0


@click.command("replay")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--speed", default="1", help="Event time against wall clock: a number, or max. [1]")
@click.option("--devices", default=1, help="So many devices walk each trace, one after the other. [1]")
@click.option("--every", "every_s", type=float, help="Seconds between them. [spread over the trace]")
@click.option(
    "--at",
    "at",
    type=click.Choice(["now", "recorded"]),
    default="now",
    help="now: all traces begin now; recorded: event times as they are. [now]",
)
@click.option("--loop", is_flag=True, help="Begin again and again, until Ctrl-C.")
@click.option("--request", "request_", help="Each device asks first: loop:METRES or to:LAT,LON.")
@click.option("--bootstrap", help="Kafka brokers. [$BOOTSTRAP or 127.0.0.1:9092]")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
def command(
    files: tuple[Path, ...],
    speed: str,
    devices: int,
    every_s: float | None,
    at: str,
    loop: bool,
    request_: str | None,
    bootstrap: str | None,
    as_json: bool,
) -> None:
    """Publish the fixes of traces to gps-fixes, at the pace at which they were recorded.

    Reads GPX, GeoJSON, CSV and TSV, JSON lines of fixes and {start_time, times, latlon}, gzipped or not;
    columns are found by their usual names. Ctrl-C stops after what was sent is acknowledged.

    With --at now event time begins now at speed 1 or slower. Faster, it begins so far in the past that
    the last fix is sent just when its event time is now, so that it never lies in the future.

    \b
    Examples:
      flaneur replay data/traces/altona/altona_walk.json --request loop:2000
      flaneur replay walk.gpx --speed 10 --devices 50 --every 5
      flaneur replay tracks.csv.gz --speed max --at recorded --json
    """
    rate = parse_speed(speed)
    ask = None if request_ is None else parse_ask(request_)
    if loop and at == "now" and rate > 1:
        raise BadInput("--loop at more than --speed 1 would carry event time beyond now: add --at recorded")
    traces = [trace for file in files for trace in read_traces(file)]
    report_problems(traces)
    fleet = Fleet(traces, devices, every_s, ask)
    span_s = fleet.span_s(together=at == "now")
    if span_s / rate > LONGEST_S:
        days = span_s / rate / 86_400
        raise BadInput(f"the traces span {days:.0f} days at this speed: use --at now or a greater --speed")
    begin = begin_ts(time.time(), span_s, rate) if at == "now" else None
    stop = threading.Event()
    total = None if loop else len(fleet)
    with stop_on_interrupt(stop), progress_bar("fixes", total) as progress:
        records = fleet.records(begin, rounds=None if loop else 1)
        summary = play(records, Settings.from_env().at(bootstrap), rate, stop, progress)
    say_summary(summary, as_json)


def report_problems(traces: list[Trace]) -> None:
    """Say on stderr what in the files could not be used."""
    for trace in traces:
        for problem in trace.problems:
            click.echo(f"{trace.name}: {problem}", err=True)


def say_summary(summary: PlaySummary, as_json: bool) -> None:
    """Print what became of the records; raises Unavailable when some were not delivered."""
    if as_json:
        line = orjson.dumps(
            {
                "sent": summary.sent,
                "delivered": summary.delivered,
                "failed": summary.failed,
                "seconds": round(summary.seconds, 3),
                "per_second": round(summary.per_second, 1),
                "stopped": summary.stopped,
                "topics": summary.by_topic,
            }
        )
        sys.stdout.write(line.decode() + "\n")
    else:
        topics = ", ".join(f"{count:,} {topic}" for topic, count in sorted(summary.by_topic.items()))
        stopped = " (stopped)" if summary.stopped else ""
        click.echo(
            f"delivered {summary.delivered:,} of {summary.sent:,} in {summary.seconds:.1f} s,"
            f" {summary.per_second:,.0f}/s{stopped}: {topics or 'nothing'}"
        )
    if summary.failed:
        raise Unavailable(f"{summary.failed} records were not delivered: {summary.first_failure}")


@contextmanager
def stop_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C (and SIGTERM) sets `stop` inside; a second one interrupts as usual."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before: dict[int, Any] = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Bar:
    """Moves a bar to how many were sent; the speed is that of the whole run."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task, self._began = progress, task, time.monotonic()

    def __call__(self, sent: int) -> None:
        rate = sent / max(time.monotonic() - self._began, 1e-3)
        self._progress.update(self._task, completed=sent, rate=f"{rate:,.0f}/s")


@contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[_Bar | None]:
    """A progress bar on stderr, None where that is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.completed:,.0f}"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress, progress.add_task(what, total=total, rate=""))
