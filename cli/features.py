"""`flaneur features`: what is known of walkers, cells and stretches, as `models.features` declares it."""

from __future__ import annotations

import math

import click

from geo.window_layout import Feature
from models.features import FEATURES

HEADINGS = ("feature", "of", "source", "aggregate", "window", "default", "meaning")


@click.command("features")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with all of them.")
@click.option("--markdown", is_flag=True, help="The table of docs/features.md.")
def command(as_json: bool, markdown: bool) -> None:
    """List the windowed features: name, of what, source, aggregate, window, default, what it means.

    \b
    Examples:
      flaneur features
      flaneur features --json
    """
    if as_json:
        import orjson

        click.echo(orjson.dumps({"features": FEATURES}))
    elif markdown:
        click.echo(markdown_table())
    else:
        _draw()


def markdown_table() -> str:
    """The features as a Markdown table, one row each."""
    rows = [f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS)]
    rows += [f"| `{cells[0]}` | {' | '.join(cells[1:])} |" for cells in map(_cells, FEATURES)]
    return "\n".join(rows)


def _cells(feature: Feature) -> tuple[str, ...]:
    aggregate = feature.aggregate
    if not math.isnan(feature.parameter):
        aggregate += f" ({feature.parameter:g})"
    window = f"{feature.window_s} s, every {feature.hop_s} s" if feature.window_s else "now"
    source = f"{feature.topic} {feature.source}".strip()
    default = f"{feature.default:g} {feature.unit}"
    return feature.name, feature.entity, source, aggregate, window, default, feature.meaning


def _draw() -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="What is known of walkers, cells and stretches")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    for feature in FEATURES:
        table.add_row(*_cells(feature))
    Console().print(table)
