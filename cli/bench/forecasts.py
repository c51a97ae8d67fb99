"""Benchmarks of what is foreseen."""

from __future__ import annotations

from pathlib import Path

import click

from cli.bench.session import measure_with


@click.command("forecast")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--time", metavar="COLUMN", help="Of the CSV file: when, ISO 8601.")
@click.option(
    "--value", "values", multiple=True, metavar="COLUMN", help="What is forecast; again for more of them."
)
@click.option("--by", metavar="COLUMN", help="A series of its own for each of its values.")
@click.option(
    "--graph", "graph_dir", metavar="DIR", help="The file holds taxi trajectories in this graph's city."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure.")
def forecast(
    file: Path,
    time: str | None,
    values: tuple[str, ...],
    by: str | None,
    graph_dir: str | None,
    as_json: bool,
) -> None:
    """How far off forecasts of one and three hours are, beside what is now and what is usual.

    \b
    Examples:
      flaneur bench forecast weather.csv --time time_hour --value temp --value wind_speed --by origin
      flaneur bench forecast data/traces/porto/porto_taxi.csv.gz --graph porto --json
    """
    from bench.forecast import ForecastJob, run_forecast

    if graph_dir is None and not (time and values):
        raise click.UsageError("say --time and --value, or --graph for taxi trajectories")
    job = ForecastJob(file, time or "", values, by, graph_dir)
    measure_with("forecast", as_json, lambda session: run_forecast(job, session))


COMMANDS = (forecast,)
