"""`flaneur bench`: measures the stream against a broker of its own, with the peers in the same run."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bench.report import Figure
    from bench.session import Session


@click.group("bench")
def command() -> None:
    """Measure how fast fixes become windows, matches and updates, and how a killed worker recovers.

    Each benchmark starts a scratch broker and a scratch Redis and removes them at the end; nothing that runs
    on this machine is touched, but whatever else runs here makes the figures worse.

    \b
    Examples:
      flaneur bench stream --peers confluent,kafka-streams-tuned
      flaneur bench pipeline --devices 5000 --fixes 1000000
      flaneur bench latency --json
      flaneur bench recovery --devices 100000
    """


def _common(function: Callable[..., None]) -> Callable[..., None]:
    """The options that every benchmark has."""
    for option in (
        click.option("--seed", type=int, default=1, show_default=True, help="Of the walks."),
        click.option("--graph", "graph_dir", metavar="DIR", help="Graph directory (default: GRAPH_DIR)."),
        click.option("--partitions", type=int, default=4, show_default=True, help="Of every topic."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure."),
    ):
        function = option(function)
    return function


@command.command("stream")
@_common
@click.option("--fixes", type=int, default=1_000_000, show_default=True, help="To be measured.")
@click.option("--warm", type=int, help="Fixes taken before that (default: as many).")
@click.option("--devices", type=int, default=5_000, show_default=True)
@click.option("--peers", metavar="A,B|none", help="Peers in the same run (default: all that can run here).")
def stream(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    fixes: int,
    warm: int | None,
    devices: int,
    peers: str | None,
) -> None:
    """Fixes in, windows kept: per second of CPU time and on the clock, and the peers' figures."""
    from bench.peers.run import choose_peers
    from bench.stream import StreamJob, run_stream

    chosen = () if peers == "none" else choose_peers(None if peers is None else peers.split(","))
    job = StreamJob(fixes, fixes if warm is None else warm, devices, partitions, seed)
    _measure("stream", as_json, graph_dir, lambda session: run_stream(job, chosen, session))


@command.command("pipeline")
@_common
@click.option("--fixes", type=int, default=1_000_000, show_default=True, help="To be measured.")
@click.option("--warm", type=int, default=100_000, show_default=True, help="Fixes taken before that.")
@click.option("--devices", type=int, default=5_000, show_default=True, help="Each on a route of its own.")
def pipeline(
    as_json: bool, partitions: int, graph_dir: str | None, seed: int, fixes: int, warm: int, devices: int
) -> None:
    """The whole way of a fix: match, features, trip, decision; walkers follow the routes they were given."""
    from bench.pipeline import run_pipeline
    from bench.stream import StreamJob

    job = StreamJob(fixes, warm, devices, partitions, seed)
    _measure("pipeline", as_json, graph_dir, lambda session: run_pipeline(job, session))


@command.command("latency")
@_common
@click.option("--rate", type=float, default=1_000.0, show_default=True, help="Fixes a second.")
@click.option("--seconds", type=float, default=30.0, show_default=True, help="To be measured.")
def latency(
    as_json: bool, partitions: int, graph_dir: str | None, seed: int, rate: float, seconds: float
) -> None:
    """From producing a fix to having the route update that it caused, at a steady rate."""
    from bench.latency import LatencyJob, run_latency

    job = LatencyJob(rate, seconds, partitions=partitions, seed=seed)
    _measure("latency", as_json, graph_dir, lambda session: run_latency(job, session))


@command.command("recovery")
@_common
@click.option("--devices", type=int, default=100_000, show_default=True, help="Walkers with state.")
@click.option("--fixes", type=int, default=200_000, show_default=True, help="That make their state.")
def recovery(
    as_json: bool, partitions: int, graph_dir: str | None, seed: int, devices: int, fixes: int
) -> None:
    """Kill a worker under load with kill -9 and start it again: how long, what was lost, what came twice."""
    from bench.recovery import RecoveryJob, run_recovery

    job = RecoveryJob(devices, fixes, partitions=partitions, seed=seed)
    _measure("recovery", as_json, graph_dir, lambda session: run_recovery(job, session))


def _measure(name: str, as_json: bool, graph_dir: str | None, run: Callable[[Session], None]) -> None:
    """Hand a benchmark its services and its graph, and print what it reports."""
    from bench.report import describe_machine
    from bench.scratch import scratch_services
    from bench.session import Session
    from geo.graph import open_graph
    from streams.settings import Settings

    directory = graph_dir or Settings.from_env().graph_dir
    graph = open_graph(directory)
    machine = describe_machine()
    figures: list[Figure] = []

    def emit(figure: Figure) -> None:
        if as_json:
            click.echo(figure.to_json())
        else:
            figures.append(figure)

    # asked to end, it stops what it started, as after Ctrl-C
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with scratch_services() as scratch:
        run(Session(name, scratch, directory, graph, machine, emit, _say, _warn))
    if not as_json:
        _draw(figures)


def _say(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(text, err=True)


def _warn(text: str) -> None:
    click.echo(f"flaneur: {text}", err=True)


def _draw(figures: list[Figure]) -> None:
    """All figures in one table, and below it what describes the run."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"flaneur bench {figures[0].bench}")
    for column in ("metric", "ours", "unit", "peer", "peer's", "ratio"):
        numeric = column in ("ours", "peer's", "ratio")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for figure in figures:
        table.add_row(
            figure.metric,
            _number(figure.value),
            figure.unit,
            figure.peer or "",
            _number(figure.peer_value),
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
        )
    console = Console()
    console.print(table)
    for name, value in figures[0].about.items():
        console.print(f"{name}: {value}", style="dim")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.2f}"
