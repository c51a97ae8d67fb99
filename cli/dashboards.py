"""`flaneur dashboards`: writes Grafana's dashboards as files, and draws them from what a Prometheus knows."""

from __future__ import annotations

from pathlib import Path

import click

from streams.telemetry.dashboards.catalogue import DASHBOARDS, write_all
from streams.telemetry.dashboards.picture import draw_dashboard
from streams.telemetry.dashboards.queries import read_dashboard
from streams.telemetry.prometheus import Prometheus

FOLDER = Path("compose/grafana/dashboards")


@click.command("dashboards")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=FOLDER,
    show_default=True,
    help="Where their files are.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="Draw them as SVG into this folder, and write nothing else.",
)
@click.option(
    "--prometheus", default="http://127.0.0.1:9090", show_default=True, help="Whom pictures are drawn from."
)
@click.option("--minutes", type=click.FloatRange(0.1), default=30.0, show_default=True, help="So much of it.")
@click.option("--only", type=click.Choice(list(DASHBOARDS)), multiple=True, help="Draw these. [all]")
def command(
    folder: Path, picture: Path | None, prometheus: str, minutes: float, only: tuple[str, ...]
) -> None:
    """Write Grafana's dashboards into compose/grafana/dashboards, or draw them with the queries of those.

    \b
    Examples:
      flaneur dashboards
      flaneur up --once & flaneur dashboards --picture docs --minutes 2 --only service
    """
    if picture is None:
        for file in write_all(folder):
            click.echo(str(file))
        return
    picture.mkdir(parents=True, exist_ok=True)
    for name in only or DASHBOARDS:
        drawn = picture / f"dashboard-{name}.svg"
        board = read_dashboard(folder / f"{name}.json")
        drawn.write_text(draw_dashboard(board, Prometheus(prometheus.rstrip("/")), 60.0 * minutes))
        click.echo(str(drawn))
