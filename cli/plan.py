"""`flaneur plan`: proposals for one walk, in words, as a map, or for other programs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
import numpy as np
import orjson
from rich.console import Console

from cli.plan_options import DURATIONS_MIN, LENGTHS_M, amount, moment, point, taste
from cli.plan_view import show, subtitle_of, title_of
from cli.whole_file import write_whole
from geo.cities import graph_at
from geo.errors import BadInput, NoRoute
from geo.graph import Graph
from geo.network import Network
from geo.opening_hours import closed_edges
from geo.routing.paths import stretches
from geo.routing.search import SearchSpace
from models.pictures.map_page import map_page
from models.routes.exports import Described, describe, flaneur_object, geojson, gpx
from models.routes.guidance import texts_in
from models.routes.osrm import Waypoint, route_response
from models.routes.planning import Wish, snap
from models.routes.proposals import network_at, propose, yardstick
from models.world.closures import Closures, read_closures
from models.world.condition_table import darkness
from streams.settings import Settings


@click.command("plan")
@click.option("--from", "start", required=True, metavar="LAT,LON", help="Where the walk begins, in degrees.")
@click.option("--to", "end", metavar="LAT,LON", help="Where it ends.")
@click.option("--loop-m", type=float, metavar="M", help="A loop of so many metres, back to its start.")
@click.option("--loop-min", type=float, metavar="MIN", help="A loop of so many minutes.")
@click.option(
    "--taste",
    "tastes",
    multiple=True,
    metavar="NAME=W,...",
    help="Weights of factors, -10..10; below 0 is liked. What is not named keeps its default.",
)
@click.option(
    "--alternatives",
    "count",
    default=3,
    show_default=True,
    metavar="N",
    type=click.IntRange(1, 10),
    help="At most this many proposals.",
)
@click.option(
    "--avoid",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="GeoJSON of what is closed: areas close what runs inside, lines the streets along them, points the "
    "nearest one. May be repeated.",
)
@click.option(
    "--at",
    metavar="TIME",
    help="ISO time (without an offset: that of the place) or seconds since 1970; it tells how dark it is and "
    "what is shut, such as parks at night. [now]",
)
@click.option(
    "--graph",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The walk graph. [$GRAPH_DIR or .run/graph]",
)
@click.option(
    "--language", default="en", show_default=True, metavar="en|ru|de", help="Of the instructions in --json."
)
@click.option("--json", "as_json", is_flag=True, help="OSRM route JSON, with a `flaneur` object a route.")
@click.option("--geojson", "as_geojson", is_flag=True, help="A GeoJSON FeatureCollection, a line a route.")
@click.option("--gpx", "as_gpx", is_flag=True, help="GPX 1.1, a track a route.")
@click.option(
    "--map", "page", metavar="FILE", type=click.Path(path_type=Path), help="Also write a map: one HTML file."
)
def command(
    start: str,
    end: str | None,
    loop_m: float | None,
    loop_min: float | None,
    tastes: tuple[str, ...],
    count: int,
    avoid: tuple[Path, ...],
    at: str | None,
    directory: Path | None,
    language: str,
    as_json: bool,
    as_geojson: bool,
    as_gpx: bool,
    page: Path | None,
) -> None:
    """Propose walks: different ways to a place, or different loops of a wanted length or duration.

    A walk's time is honest; what it feels like is that time made longer by what you dislike and shorter by
    what you like (--taste). Without --json, --geojson or --gpx a table says what is good about each. Exit
    code 2 where there is no such walk.

    \b
    Examples:
      flaneur plan --from 55.6761,12.5683 --to 55.6867,12.5700
      flaneur plan --from 55.6761,12.5683 --loop-m 3000 --map walks.html
      flaneur plan --from 55.6761,12.5683 --loop-min 45 --taste green=-1,noise=1 --alternatives 1
      flaneur plan --from 55.6761,12.5683 --to 55.6867,12.5700 --at 2026-12-01T22:00
      flaneur plan --from 55.6761,12.5683 --loop-m 3000 --avoid closure.geojson --gpx > walk.gpx
      flaneur plan --from 55.6761,12.5683 --to 55.6867,12.5700 --json | jq '.routes[].flaneur.score'
    """  # fmt: skip
    if sum(given is not None for given in (end, loop_m, loop_min)) != 1:
        raise BadInput("give one of --to LAT,LON, --loop-m M and --loop-min MIN, and only one")
    if as_json + as_geojson + as_gpx > 1:
        raise BadInput("give only one of --json, --geojson and --gpx")
    ends = point("--from", start), point("--from", start) if end is None else point("--to", end)
    length_m = amount("--loop-m", loop_m, LENGTHS_M, "metres")
    minutes = amount("--loop-min", loop_min, DURATIONS_MIN, "minutes")
    when = moment(at, datetime.now().astimezone(), ends[0])
    weights = taste(tastes)
    texts_in(language)  # wrong even where no instructions are asked for
    graph = graph_at(directory or Settings.from_env().graph_path, *ends[0])
    places = snap(graph, *ends[0]), snap(graph, *ends[1])
    if end is None:
        duration_s = None if minutes is None else 60.0 * minutes
        wish = Wish("loop", places[0], None, length_m, duration_s, weights)
    else:
        wish = Wish("to", places[0], places[1], None, None, weights)
    closures = _closures(graph, avoid)
    shut = np.union1d(closures.edges, closed_edges(graph, when.timestamp()))
    network = network_at(graph, when.timestamp(), shut)
    described = _described(network, wish, count, f"from {start} to {end}")
    title = title_of(wish, len(described))
    dark = bool(darkness(*ends[0], when.timestamp()) >= 0.5)
    closed = np.flatnonzero(network.costs.closed).astype(np.int32)
    subtitle = subtitle_of(when, wish.taste, dark, len(np.unique(stretches(graph, closed))))
    out: bytes | str | None = None
    if as_json:
        waypoints = [Waypoint(*ends[i], places[i]) for i in (0, 1)]
        extra = [{**flaneur_object(one), "at": when.timestamp()} for one in described]
        paths = [one.planned.path for one in described]
        out = orjson.dumps(route_response(graph, paths, waypoints=waypoints, language=language, extra=extra))
    elif as_geojson:
        out = orjson.dumps(geojson(described))
    elif as_gpx:
        out = gpx(described, title).rstrip()
    if page is not None:
        html = map_page(
            graph, described, title=title, subtitle=subtitle, closures=closures.geometries, closed=closed
        )
        write_whole(page, html)
    if out is not None:
        click.echo(out)
    else:
        show(Console(), described, title, subtitle, page)


def _described(network: Network, wish: Wish, count: int, which: str) -> list[Described]:
    space = SearchSpace(network.graph)
    try:
        proposals = propose(network, wish, wish.home, count=count, space=space)
    except NoRoute as error:
        if wish.kind == "loop":
            raise
        raise NoRoute(
            f"there is no way on foot {which}: they are not connected, or every way between them is closed; "
            "choose another place"
        ) from error
    yard = yardstick(network, wish, wish.home, proposals, space=space)
    return describe(network.graph, proposals, yard)


def _closures(graph: Graph, files: tuple[Path, ...]) -> Closures:
    """All files' closures as one."""
    found = []
    for file in files:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise BadInput(f"{file} cannot be read: {error.strerror}") from error
        found.append(read_closures(graph, data, str(file)))
        if not len(found[-1].edges):
            click.echo(f"flaneur: {file} closes no street of this map", err=True)
    edges = np.concatenate([np.zeros(0, np.int32), *(one.edges for one in found)]).astype(np.int32)
    return Closures(tuple(one for each in found for one in each.geometries), np.unique(edges))
