"""`flaneur import-osm`: make the walk graph from OpenStreetMap extracts."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from geo.graph import Graph, save_graph
from geo.osm.basemap.archive import make_basemap
from geo.osm.importer import Progress as Report
from geo.osm.importer import import_osm

_STAGES = {
    "read": "reading", "areas": "crossing squares", "split": "splitting ways",
    "factors": "looking around every way", "map": "drawing the map",
}  # fmt: skip


@click.command("import-osm")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The graph's directory; a graph that is there is replaced once the new one is whole.",
)
@click.option(
    "--dem",
    metavar="FILE_OR_DIR",
    type=click.Path(path_type=Path),
    help="Tiles of an elevation model (N60E024.hgt, also .hgt.gz, .hgt.zip); without it the city is flat.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the graph's metadata as one JSON object, with import_s and peak_rss_mib.",
)
def command(files: tuple[Path, ...], out: Path, dem: Path | None, as_json: bool) -> None:
    """Make a walk graph and its base map from OpenStreetMap extracts (.osm.pbf, .osm, .osm.gz, .osm.bz2).

    Several files become one graph, whether their streets meet or not. Exit code 2 if a file is broken or
    has nothing to walk on; DIR is then as it was.

    \b
    Examples:
      flaneur import-osm city.osm.pbf --out graph
      flaneur import-osm data/osm/*/*.osm.pbf --out graph --json
      flaneur import-osm porto.osm.pbf --dem srtm/ --out graph
    """  # fmt: skip
    started = time.perf_counter()
    with _progress() as report:
        graph = import_osm(files, report, dem=dem)
        graph = save_graph(out, graph, lambda folder: make_basemap(files, folder, report))
    spent = {"import_s": round(time.perf_counter() - started, 2), "peak_rss_mib": _peak_mib()}
    if as_json:
        click.echo(orjson.dumps({"graph": str(out), **spent, **graph.meta}))
    else:
        click.echo(_summary(graph, out))
        click.echo("took {import_s} s and {peak_rss_mib} MiB".format(**spent))


def _peak_mib() -> int:
    """The most memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))  # bytes there, KiB elsewhere


def _summary(graph: Graph, out: Path) -> str:
    counts, dropped = graph.meta["counts"], graph.meta["dropped"]
    assert isinstance(counts, dict)
    assert isinstance(dropped, dict)
    lines = [
        f"{out}: {counts['nodes']:,} nodes, {counts['edges']:,} edges, {counts['length_km']:,} km to walk, "
        f"connected components: {counts['components']}",
        f"left out: {dropped['components']:,} small components, {dropped['length_km']:,} km "
        f"({dropped['rule']})",
        f"elevation: {graph.meta['elevation']}",
        f"data: {graph.meta['attribution']}",
    ]
    return "\n".join(lines)


@contextmanager
def _progress() -> Iterator[Report]:
    """A bar for each stage, on stderr, only where that is a terminal."""
    bars = Progress(
        TextColumn("{task.description:<26}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(), console=Console(file=sys.stderr), disable=not sys.stderr.isatty(),
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(_STAGES[stage], total=total)
        bars.update(tasks[stage], completed=done, total=total)

    with bars:
        yield report
