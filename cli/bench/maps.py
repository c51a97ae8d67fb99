"""Benchmark of the base map."""

from __future__ import annotations

from pathlib import Path

import click

from cli.bench.session import measure_with


@click.command("map")
@click.argument(
    "extracts", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--searches", type=int, default=2_000, show_default=True, help="Of places, drawn at random.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of what is drawn.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure.")
def basemap(extracts: tuple[Path, ...], searches: int, seed: int, as_json: bool) -> None:
    """What making the base map of OSM extracts takes, finding a tile in it, and searching its places.

    \b
    Example:
      flaneur bench map data/osm/copenhagen/kbh.osm.pbf --json
    """
    from bench.basemap import BasemapJob, run_basemap

    measure_with("map", as_json, lambda session: run_basemap(BasemapJob(extracts, searches, seed), session))


COMMANDS = (basemap,)
