"""`flaneur match`: run the worker's online matcher over a recorded trace, fix by fix."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import orjson

from geo.cities import graph_at
from geo.errors import BadInput
from geo.geodesy import haversine_m
from geo.graph import Graph
from geo.matching import (
    MATCH_STATE,
    MAX_LAG_S,
    MatchFixes,
    Step,
    edge_distance_m,
    empty_matches,
    match_arrays,
    match_fixes,
    read_lattice,
)
from geo.windows import classify_events
from models.features import WALKER_WINDOWS
from streams.traces import Trace, read_trace


@dataclass(frozen=True)
class Settled:
    """What is known of fix `index` once it is settled; no step: the matcher had no place for it."""

    index: int
    step: Step | None
    lag_s: float


@click.command("match")
@click.argument("trace", metavar="TRACE", type=click.Path(path_type=Path))
@click.option(
    "--graph",
    "directory",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The walk graph, made by `flaneur import-osm`.",
)
@click.option("--track", metavar="NAME", help="Which track, where the file has several.")
@click.option(
    "--lag",
    "lag_s",
    default=10.0,
    show_default=True,
    metavar="S",
    type=click.FloatRange(0, MAX_LAG_S),
    help="Settle a fix when the walker is this many seconds on (or 10 fixes).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a fix instead of a summary.")
def command(trace: Path, directory: Path, track: str | None, lag_s: float, as_json: bool) -> None:
    """Match a recorded TRACE to the graph, exactly as a worker matches a phone's fixes while they arrive.

    TRACE is GPX, GeoJSON, CSV or JSON lines. With --json, each line has `ts, lat, lon`, the directed edge the
    walker went along as OSM ids `way, from_node, to_node` (null off the network), `off_network`, and `lag_s`,
    how much later that was settled.

    \b
    Examples:
      flaneur match --graph graph walk.gpx
      flaneur match --graph graph walk.gpx --lag 5 --json | jq .way
    """  # fmt: skip
    fixes = read_trace(trace, name=track)
    if not fixes.timed:
        raise BadInput(f"{trace} has no times, and matching needs them; give a recorded track")
    graph = graph_at(directory, float(fixes.lat[0]), float(fixes.lon[0]))
    settled = settle_trace(graph, fixes, lag_s)
    if as_json:
        for one in settled:
            click.echo(orjson.dumps(_row(graph, fixes, one)))
    else:
        click.echo(_summary(graph, fixes, list(settled)))


def settle_trace(graph: Graph, trace: Trace, lag_s: float) -> Iterator[Settled]:
    """Every fix of a trace once, in order, as the online matcher settles it."""
    arrays = match_arrays(graph)
    matches, windows = np.zeros(1, MATCH_STATE), WALKER_WINDOWS.empty_state(1)
    accuracy_m = trace.accuracy_m.astype(np.float32)
    slot, kind, out = np.zeros(1, np.int32), np.zeros(1, np.uint8), empty_matches(1)
    waiting: deque[int] = deque()
    step_of: dict[float, Step] = {}  # by event time, as the lattice saw it last
    place: Step | None = None
    for i in range(len(trace)):
        block = slice(i, i + 1)
        classify_events(WALKER_WINDOWS, windows, slot, trace.ts[block], kind)
        match_fixes(
            arrays,
            matches,
            MatchFixes(slot, kind, trace.ts[block], trace.lat[block], trace.lon[block], accuracy_m[block]),
            out,
            lag_s=lag_s,
        )
        waiting.append(i)
        lattice = read_lattice(matches, 0)
        step_of.update((step.ts, step) for step in lattice)
        while waiting and (
            trace.ts[i] - trace.ts[waiting[0]] >= lag_s or trace.ts[waiting[0]] < lattice[0].ts
        ):
            first = waiting.popleft()
            # A fix that the matcher passed over (a jump, or too soon) is where the one before it was.
            place = step_of.pop(float(trace.ts[first]), place)
            yield Settled(first, place, float(trace.ts[i] - trace.ts[first]))
    for first in waiting:
        place = step_of.pop(float(trace.ts[first]), place)
        yield Settled(first, place, float(trace.ts[-1] - trace.ts[first]))


def _row(graph: Graph, trace: Trace, one: Settled) -> dict[str, object]:
    edge = one.step.edge if one.step else -1
    on = edge >= 0
    return {
        "ts": float(trace.ts[one.index]),
        "lat": float(trace.lat[one.index]),
        "lon": float(trace.lon[one.index]),
        "way": int(graph.way[edge]) if on else None,
        "from_node": int(graph.node_osm[graph.tail[edge]]) if on else None,
        "to_node": int(graph.node_osm[graph.head[edge]]) if on else None,
        "off_network": not on,
        "lag_s": round(one.lag_s, 3),
    }


def _summary(graph: Graph, trace: Trace, settled: list[Settled]) -> str:
    arrays = match_arrays(graph)
    away_m = []
    places = []
    for one in settled:
        lat, lon = float(trace.lat[one.index]), float(trace.lon[one.index])
        if one.step and one.step.edge >= 0:
            away_m.append(edge_distance_m(arrays, one.step.edge, lat, lon))
            lat, lon = _point(graph, one.step)
        places.append((lat, lon))
    n = len(settled)
    lat_lon = np.array(places)
    way_m = haversine_m(lat_lon[:-1, 0], lat_lon[:-1, 1], lat_lon[1:, 0], lat_lon[1:, 1]).sum()
    near = sum(1 for m in away_m if m <= 15.0)
    lines = [
        f"{trace.name}: {n:,} fixes in {trace.duration_s / 60:.1f} min, {way_m / 1000:.2f} km",
        f"on the network   {len(away_m) / n:7.1%}   {near / n:.1%} within 15 m",
        f"off the network  {1 - len(away_m) / n:7.1%}",
    ]
    if away_m:
        lines.append(
            f"median distance  {np.median(away_m):5.1f} m   90 % within {np.quantile(away_m, 0.9):.1f} m"
        )
    return "\n".join(lines)


def _point(graph: Graph, step: Step) -> tuple[float, float]:
    """Latitude and longitude of a place on an edge."""
    first, last = graph.shape_first[step.edge], graph.shape_first[step.edge + 1]
    lat, lon = np.asarray(graph.shape_lat[first:last]), np.asarray(graph.shape_lon[first:last])
    run_m = np.append(0.0, np.cumsum(haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])))
    at_m = step.fraction * run_m[-1]
    return float(np.interp(at_m, run_m, lat)), float(np.interp(at_m, run_m, lon))
