"""What `flaneur plan` shows a person: a table of the proposals, and the titles of the map page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.routes.exports import ATTRIBUTION, TWICE_FROM_M, Described, amounts
from models.routes.planning import Wish
from models.routes.reasons import most_felt, noun

_EXPOSURES = 4


def title_of(wish: Wish, found: int) -> str:
    """What was asked for and how many were found."""
    if wish.kind == "to":
        return f"{found} ways on foot" if found > 1 else "One way on foot"
    if wish.duration_s is not None:
        wanted = f"{wish.duration_s / 60:g} min"
    else:
        wanted = f"{(wish.length_m or 0.0) / 1000:g} km"
    return f"{found} loops of {wanted}" if found > 1 else f"One loop of {wanted}"


def subtitle_of(when: datetime, taste: Mapping[str, float], dark: bool, closed: int) -> str:
    """When, under which circumstances, and for which taste."""
    parts = [f"{when:%-d %B %Y, %H:%M}{' (dark)' if dark else ''}"]
    if closed:
        parts.append(f"closed: {closed:,} stretches of way")
    parts.append("taste: " + (", ".join(f"{k} {v:g}" for k, v in taste.items()) or "the default one"))
    return "; ".join(parts)


def show(
    console: Console, described: Sequence[Described], title: str, subtitle: str, page: Path | None
) -> None:
    """Print the proposals as a table, and where their map is."""
    console.print(Text(title, style="bold"))
    console.print(Text(subtitle, style="dim"))
    table = Table(box=None, padding=(0, 2, 1, 0), pad_edge=False, header_style="dim")
    for name in ("", "length", "time", "feels like"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why, by way of, and what you meet")
    for one in described:
        length, time = amounts(one.planned.length_m, one.planned.duration_s).split(", ")
        felt = f"{one.planned.impedance / 60:.0f} min"
        table.add_row(Text(str(one.number), style="bold"), length, time, felt, _about(one))
    console.print(table)
    yard = described[0].yard.path
    usual = "the streets around"
    if yard is not None:
        usual = f"the quickest way, {amounts(yard.length_m, yard.duration_s)}"
    console.print(Text(f"In brackets: {usual}. {ATTRIBUTION}", style="dim"))
    if page is not None:
        console.print(Text(f"Map: {page}"), soft_wrap=True)


def _about(one: Described) -> Text:
    lines = [one.why]
    if one.via:
        lines.append(f"Via {', '.join(one.via)}.")
    if one.walked_twice_m >= TWICE_FROM_M:
        lines.append(f"{one.walked_twice_m:.0f} m are walked twice.")
    met = [
        f"{noun(row.factor)} {row.exposure:.0%} ({row.usual:.0%})"
        for row in most_felt(one.planned, one.yard)[:_EXPOSURES]
    ]
    return Text("\n".join(lines) + "\n").append(", ".join(met), style="dim")
