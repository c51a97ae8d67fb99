"""Draws a run in the terminal: a table that moves where it can, a line now and then where it cannot."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.up_watch import Snapshot

LINE_EVERY_S = 10.0
RATE_OVER_S = 5.0

TRY = (
    ("flaneur status", "lag, checkpoints, conditions"),
    ("flaneur dead-letters", "what could not be used, and why"),
    ("flaneur replay FILE --request loop:2000", "walk a trace of your own"),
    ("flaneur down", "stop everything (or Ctrl-C here)"),
)


class View:
    """Shows snapshots; `with` begins and ends the drawing."""

    def __init__(self, console: Console, live: bool, where: list[tuple[str, str]]) -> None:
        self._console = console
        self._where = where
        self._recent: deque[tuple[float, int]] = deque()
        self._told = 0.0
        self._live = Live(console=console, auto_refresh=False) if live and console.is_terminal else None

    def __enter__(self) -> View:
        if self._live is not None:
            self._live.start()
        else:
            for name, place in self._where:
                self._console.print(f"{name}: {place}", soft_wrap=True, highlight=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, now: Snapshot, state: str) -> None:
        """Draw this moment; `state` says in a few words what is going on."""
        rate = self._rate(now)
        if self._live is not None:
            self._live.update(Group(self._table(now, rate, state), self._places()), refresh=True)
        elif time.monotonic() - self._told >= LINE_EVERY_S:
            self._told = time.monotonic()
            self._console.print(_line(now, rate, state), soft_wrap=True, highlight=False)

    def _rate(self, now: Snapshot) -> float:
        self._recent.append((now.seconds, now.fixes))
        while len(self._recent) > 2 and now.seconds - self._recent[0][0] > RATE_OVER_S:
            self._recent.popleft()
        began, fixes = self._recent[0]
        return (now.fixes - fixes) / (now.seconds - began) if now.seconds > began else 0.0

    def _table(self, now: Snapshot, rate: float, state: str) -> Table:
        table = Table(title=f"Flaneur, {state}", title_justify="left", show_header=False, min_width=60)
        table.add_column(style="dim")
        table.add_column()
        table.add_row("walkers", f"{now.walkers:,} seen, {now.trips:,} on a route")
        table.add_row("fixes", f"{now.fixes:,}, {rate:,.0f}/s, {now.lag:,} waiting")
        table.add_row(
            "put aside", f"{now.late:,} late, {now.duplicates:,} twice, {_counts(now.dead_letters)} bad"
        )
        table.add_row("updates", _counts(now.updates))
        table.add_row("fix to update", _latency(now))
        table.add_row("conditions", f"version {now.conditions_version:,}")
        return table

    def _places(self) -> Group:
        rows = Table.grid(padding=(0, 2))
        for name, place in (*self._where, *TRY):
            rows.add_row(Text(name, style="bold"), place)
        return Group(Text("where to look", style="dim"), rows)


def _line(now: Snapshot, rate: float, state: str) -> str:
    return (
        f"{now.seconds:.0f} s, {state}: {now.walkers:,} walkers, {now.fixes:,} fixes ({rate:,.0f}/s),"
        f" updates: {_counts(now.updates)}, {_latency(now)}"
    )


def _counts(counts: dict[str, int]) -> str:
    if not counts:
        return "0"
    total = sum(counts.values())
    return f"{total:,} ({', '.join(f'{name} {count:,}' for name, count in counts.items())})"


def _latency(now: Snapshot) -> str:
    if now.p50_ms is None or now.p99_ms is None:
        return "no update yet"
    return f"p50 {now.p50_ms:,.0f} ms, p99 {now.p99_ms:,.0f} ms"


def report(now: Snapshot) -> str:
    """The summary for a person, a line each."""
    rows = (
        ("fixes", f"{now.fixes:,} in {now.seconds:.1f} s"),
        ("late", f"{now.late:,}"),
        ("dead letters", _counts(now.dead_letters)),
        ("updates", _counts(now.updates)),
        ("fix to update", _latency(now)),
    )
    return "\n".join(f"{name:<14}{value}" for name, value in rows)
