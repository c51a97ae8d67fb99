"""`flaneur draw`: a picture of what happened to one walker."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import orjson

from geo.errors import BadInput
from geo.graph import edge_id, open_graph
from geo.polyline import encode6
from models.pictures.drawing import draw_walk
from models.routes.client_route import ClientRoute, reconstruct
from models.world.condition_places import edge_of_key
from streams.kafka.walk_history import WalkHistory, read_history
from streams.settings import Settings


@click.command("draw")
@click.argument("device")
@click.option("--trip", help="Which of the device's trips, as its route updates call it. [the last]")
@click.option("--bootstrap", help="Kafka brokers. [$BOOTSTRAP or 127.0.0.1:9092]")
@click.option(
    "--graph",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The walk graph. [$GRAPH_DIR or .run/graph]",
)
@click.option("--out", metavar="FILE", default="walk.svg", type=click.Path(path_type=Path), help="[walk.svg]")
@click.option("--json", "as_json", is_flag=True, help="What was drawn as one JSON object.")
def command(
    device: str, trip: str | None, bootstrap: str | None, graph: Path | None, out: Path, as_json: bool
) -> None:
    """Draw what happened to one walker as SVG: fixes, first route, every update, closures.

    Reads what the topics gps-fixes, route-updates and edge-conditions still hold of DEVICE, and follows the
    updates as a navigation client does.

    \b
    Examples:
      flaneur draw altona-walker
      flaneur draw altona_walk-001 --bootstrap kafka:9092 --graph graph --out altona.svg
      flaneur draw altona-walker --trip 1-0 --json
    """
    settings = Settings.from_env()
    streets = open_graph(graph or settings.graph_path)
    history = read_history(settings.at(bootstrap), device)
    routes = _of_trip(reconstruct(history.updates), trip, device)
    begin, end = _span(history, routes)
    fixes = [fix for fix in history.fixes if begin <= fix.ts <= end]
    ts, lat, lon = np.array([(fix.ts, fix.lat, fix.lon) for fix in fixes], np.float64).reshape(-1, 3).T
    keys = {
        one.key
        for one in history.closures
        if (one.valid_from or one.ts) <= end and begin <= (one.valid_to or one.expires)
    }
    found = {edge for key in keys if (edge := edge_of_key(streets, key)) is not None}
    closed = np.array(sorted(found), np.int32)
    picture = draw_walk(streets, device, ts, lat, lon, routes, closed)
    try:
        out.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}") from error
    trip_id = routes[0].update.trip
    if as_json:
        about = {
            "device": device,
            "trip": trip_id,
            "fixes": len(fixes),
            "updates": [_as_object(number, route) for number, route in enumerate(routes, 1)],
            "closed": [edge_id(streets, edge) for edge in closed.tolist()],
            "out": str(out),
        }
        click.echo(orjson.dumps(about))
    else:
        click.echo(
            f"{out}: trip {trip_id} of {device}, {len(fixes):,} fixes, {len(routes)} route updates,"
            f" {len(closed)} closed edges"
        )


def _of_trip(routes: list[ClientRoute], trip: str | None, device: str) -> list[ClientRoute]:
    wanted = routes[-1].update.trip if trip is None else trip
    mine = [route for route in routes if route.update.trip == wanted]
    if not mine:
        there = ", ".join(dict.fromkeys(route.update.trip for route in routes))
        raise BadInput(f"{device} has no trip {wanted!r}, there are: {there}")
    return mine


def _span(history: WalkHistory, routes: list[ClientRoute]) -> tuple[float, float]:
    """Event time of a trip: from its request to its end, to the next trip, or to the last fix."""
    first, last = routes[0].update, routes[-1].update
    later = [one.ts for one in history.updates if one.trip != first.trip and one.ts > first.ts]
    if last.reason in ("arrived", "ended"):
        later.append(last.ts)
    later.append(max([last.ts, *(fix.ts for fix in history.fixes[-1:])]))
    return first.ts, min(later)


def _as_object(number: int, route: ClientRoute) -> dict[str, object]:
    update = route.update
    return {
        "number": number,
        "ts": update.ts,
        "version": update.version,
        "reason": update.reason,
        "message": update.message,
        "keep_m": update.keep_m,
        "length_m": update.length_m,
        "duration_s": update.duration_s,
        "route": encode6(route.lat, route.lon),
    }
