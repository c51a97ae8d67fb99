"""`flaneur factors`: what a taste can weigh, as it is declared in `geo.routing.costs`."""

from __future__ import annotations

import click

from geo.routing.costs import FACTORS, Factor


@click.command("factors")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with all of them.")
@click.option("--markdown", is_flag=True, help="The table of docs/routing.md.")
def command(as_json: bool, markdown: bool) -> None:
    """List the factors: name, range, what it means, where it comes from, default weight.

    \b
    Examples:
      flaneur factors
      flaneur factors --json
      flaneur plan --from 60.17,24.94 --loop-m 3000 --taste green=-1,steps=2
    """
    if as_json:
        import orjson

        click.echo(orjson.dumps({"factors": FACTORS}))
    elif markdown:
        click.echo(markdown_table())
    else:
        _draw()


def markdown_table() -> str:
    """The factors as a Markdown table, one row each."""
    rows = ["| factor | kind | 0 … 1 | meaning | source | weight |", "|---|---|---|---|---|---|"]
    for factor in FACTORS:
        cells = (f"`{factor.name}`", _kind(factor), _span(factor), factor.meaning, factor.source)
        rows.append(f"| {' | '.join(cells)} | {factor.default_weight:g} |")
    return "\n".join(rows)


def _kind(factor: Factor) -> str:
    return f"{factor.kind} × `{factor.gate}`" if factor.gate else factor.kind


def _span(factor: Factor) -> str:
    if factor.unit == "share":
        return "share"
    return f"{factor.low:g} … {factor.high:g} {factor.unit}"


def _draw() -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="What a taste can weigh")
    for column in ("factor", "0 … 1", "meaning", "source"):
        table.add_column(column, overflow="fold")
    table.add_column("weight", justify="right")
    for factor in FACTORS:
        gated = f" (× {factor.gate})" if factor.gate else ""
        table.add_row(
            factor.name, _span(factor), factor.meaning + gated, factor.source, f"{factor.default_weight:g}"
        )
    Console().print(table)
