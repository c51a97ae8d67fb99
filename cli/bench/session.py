"""What every `flaneur bench` command runs in: its graph, its services, and how its figures are printed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bench.rig.report import Figure
    from bench.rig.session import GraphSession, Reporter, Session


def measure(name: str, as_json: bool, graph_dir: str | None, run: Callable[[Session], None]) -> None:
    """Hand a benchmark its services and its graph, and print what it reports."""
    from bench.rig.scratch import scratch_services
    from bench.rig.session import Session

    # asked to end, it stops what it started, as after Ctrl-C
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with graph_session(name, as_json, graph_dir) as base, scratch_services() as scratch:
        run(Session(**vars(base), scratch=scratch))


def measure_on_graph(
    name: str, as_json: bool, graph_dir: str | None, run: Callable[[GraphSession], None]
) -> None:
    """Hand a benchmark its graph, and print what it reports."""
    with graph_session(name, as_json, graph_dir) as session:
        run(session)


def measure_with(name: str, as_json: bool, run: Callable[[Reporter], None]) -> None:
    """Let a benchmark open what it needs itself, and print what it reports."""
    with reporter(name, as_json) as session:
        run(session)


@contextmanager
def graph_session(name: str, as_json: bool, graph_dir: str | None) -> Iterator[GraphSession]:
    """A graph and somewhere to report to."""
    from bench.rig.session import GraphSession
    from geo.graph import open_graph
    from streams.settings import Settings

    directory = graph_dir or Settings.from_env().graph_dir
    graph = open_graph(directory)
    with reporter(name, as_json) as base:
        yield GraphSession(**vars(base), graph_dir=directory, graph=graph)


@contextmanager
def reporter(name: str, as_json: bool) -> Iterator[Reporter]:
    """Somewhere to report to; what was reported is printed at the end, or at once as JSON."""
    from bench.rig.report import describe_machine
    from bench.rig.session import Reporter

    machine = describe_machine()
    figures: list[Figure] = []

    def emit(figure: Figure) -> None:
        if as_json:
            click.echo(figure.to_json())
        else:
            figures.append(figure)

    with progress_bar() as progress:
        yield Reporter(name, machine, emit, _say, _warn, progress)
    if not as_json:
        _draw(figures)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr, only where that is a terminal; it shows what was told last."""
    from rich.console import Console
    from rich.progress import Progress

    bars = Progress(console=Console(file=sys.stderr), disable=not sys.stderr.isatty(), transient=True)
    task = bars.add_task("", total=None, visible=False)

    def show(what: str, done: int, total: int) -> None:
        bars.update(task, description=what, completed=done, total=total, visible=True)

    with bars:
        yield show


def _say(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(text, err=True)


def _warn(text: str) -> None:
    click.echo(f"flaneur: {text}", err=True)


#: What a figure is of, where a run has many: columns of their own.
PLACES = (
    "city",
    "trace",
    "noise",
    "sigma_m",
    "interval_s",
    "workers",
    "trip",
    "rebalance",
    "walkers",
    "clusters",
)


def _draw(figures: list[Figure]) -> None:
    """All figures in one table, and below it what describes the run."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"flaneur bench {figures[0].bench}")
    places = [key for key in PLACES if any(key in figure.about for figure in figures)]
    for column in (*places, "metric", "ours", "unit", "peer", "peer's", "ratio"):
        numeric = column in ("ours", "peer's", "ratio")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for figure in figures:
        table.add_row(
            *(str(figure.about.get(key, "")) for key in places),
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
        if name in places:
            continue
        console.print(f"{name}: {value}", style="dim")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.2f}"
