"""Vehicle trajectories (Porto taxi CSV) become speeds per street: flow reports on the graph's edges.

https://archive.ics.uci.edu/dataset/339: TRIP_ID, TIMESTAMP (start, epoch s), POLYLINE ([[lon, lat], …], one
fix every 15 s). Matching is kept simple: between two fixes a vehicle drives at distance / 15 s; that speed
counts for the drivable edge nearest to the start, the middle and the end of the hop, if it is within 25 m and
runs the vehicle's way. Standing at the start and end of a trip is boarding, not traffic. Per edge and five
minutes the harmonic mean of speeds (distance over time) is reported.

Free flow is the 85th percentile of all speeds seen on the edge where there are enough, as usual for probe
data without speed limits; else a plain assumption for its road class, see `CLASS_FREE_FLOW_MPS`.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from geo.geodesy import bearing_deg, haversine_m
from geo.graph import Graph, edge_id
from geo.grid import nearest_edges
from geo.osm.foot_access import ROAD_CLASSES
from models.records import TrafficReport
from streams.feeds.common import (
    LATEST_TS,
    MAX_DOCUMENT_BYTES,
    NO_CONTEXT,
    Collector,
    Context,
    Parsed,
    Report,
    Unusable,
    event_source,
    items,
    load_json,
    number,
    refused,
)

FIX_STEP_S = 15.0
WINDOW_S = 300.0
MAX_SPEED_MPS = 45.0
STANDING_M = 10.0
REACH_M = 25.0
MAX_TURN_DEG = 35.0
LEAST_FOR_PERCENTILE = 20
MAX_FIXES = 10_000
CLASS_FREE_FLOW_MPS = {
    "living_street": 4.0, "service": 5.5, "residential": 8.3, "unclassified": 9.7, "road": 9.7,
    "tertiary": 11.1, "secondary": 12.5, "primary": 13.9, "trunk": 19.4,
}  # fmt: skip
_COLUMNS = ("TIMESTAMP", "POLYLINE")


class _Seen(NamedTuple):
    """One vehicle's passage over an edge."""

    edge: int
    ts: float
    speed_mps: float


def parse(document: bytes, source: str, now: float, context: Context = NO_CONTEXT) -> Parsed:
    """Flow reports by time; `context.graph` must be the streets they drove on.

    A report's `ts` is the last passage in its five minutes. Trips outside the graph are ignored.
    """
    graph = context.graph
    if graph is None:
        return refused(document, "no_graph", "probe trajectories need the graph of the city they drove in")
    if len(document) > MAX_DOCUMENT_BYTES:
        return refused(document, "too_large", f"{len(document)} bytes, at most {MAX_DOCUMENT_BYTES}")
    collector = Collector()
    text = document.decode("utf-8-sig", "replace")
    lines = text.splitlines(keepends=True)
    header = next(csv.reader(io.StringIO(lines[0] if lines else "")), [])
    if any(column not in header for column in _COLUMNS):
        return refused(document, "missing_field", f"the first line does not name {' and '.join(_COLUMNS)}")
    drivable = np.isin(graph.road_class, [ROAD_CLASSES.index(name) for name in CLASS_FREE_FLOW_MPS])
    seen: list[_Seen] = []
    for number_, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            passages = list(_trip(line, header, graph, drivable))
        except Unusable as e:
            collector.problem(f"line {number_}", e.reason, line.encode(), e.detail)
            continue
        if not passages:
            collector.ignored += 1
        seen += passages
    for report in _reports(seen, graph, source):
        collector.item(report.source, bytes, partial(_alone, report))
    return collector.parsed()


def _trip(line: str, header: list[str], graph: Graph, drivable: np.ndarray) -> Iterator[_Seen]:
    try:
        row = next(csv.reader(io.StringIO(line)))
    except (csv.Error, StopIteration) as e:
        raise Unusable("not_csv", str(e)) from None
    if len(row) != len(header):
        raise Unusable("missing_field", f"{len(row)} columns, the first line names {len(header)}")
    fields = dict(zip(header, row, strict=True))
    start = fields["TIMESTAMP"]
    if not start.isascii() or not start.isdecimal() or not 0 < int(start[:12]) < LATEST_TS:
        raise Unusable("bad_time", f"TIMESTAMP is {start[:30]!r}")
    fixes = items(load_json(fields["POLYLINE"].encode()), "POLYLINE")
    if len(fixes) > MAX_FIXES:
        raise Unusable("too_large", f"{len(fixes)} fixes, at most {MAX_FIXES}")
    lat, lon = np.empty(len(fixes)), np.empty(len(fixes))
    for i, fix in enumerate(fixes):
        pair = items(fix, f"POLYLINE[{i}]")
        if len(pair) != 2:
            raise Unusable("bad_geometry", f"POLYLINE[{i}] has {len(pair)} numbers")
        lon[i] = number(pair[0], "longitude", -180.0, 180.0)
        lat[i] = number(pair[1], "latitude", -90.0, 90.0)
    yield from _passages(float(start), lat, lon, graph, drivable)


def _passages(
    start: float, lat: np.ndarray, lon: np.ndarray, graph: Graph, drivable: np.ndarray
) -> Iterator[_Seen]:
    if len(lat) < 2:
        return
    hop_m = haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    moving = np.flatnonzero(hop_m > STANDING_M)
    if not len(moving):
        return
    way_deg = bearing_deg(lat[:-1], lon[:-1], lat[1:], lon[1:])
    heading = float(way_deg[moving[0]])
    south, north = float(graph.node_lat.min()), float(graph.node_lat.max())
    west, east = float(graph.node_lon.min()), float(graph.node_lon.max())
    for i in range(moving[0], moving[-1] + 1):
        if hop_m[i] > STANDING_M:
            heading = float(way_deg[i])
        speed = float(hop_m[i]) / FIX_STEP_S
        if speed > MAX_SPEED_MPS:
            continue
        edges: set[int] = set()
        for t in (0.0, 0.5, 1.0):
            y, x = lat[i] + t * (lat[i + 1] - lat[i]), lon[i] + t * (lon[i + 1] - lon[i])
            if south <= y <= north and west <= x <= east:
                edge = _edge(graph, drivable, float(y), float(x), heading)
                if edge is not None:
                    edges.add(edge)
        for edge in sorted(edges):
            yield _Seen(edge, start + (i + 1) * FIX_STEP_S, speed)


def _edge(graph: Graph, drivable: np.ndarray, lat: float, lon: float, heading: float) -> int | None:
    """The nearest drivable edge that runs with the heading, in either direction of its stretch."""
    for snap in nearest_edges(graph, lat, lon, REACH_M, 16):
        if not drivable[snap.edge]:
            continue
        turn = (heading - _bearing_at(graph, snap.edge, snap.fraction)) % 180.0
        if min(turn, 180.0 - turn) <= MAX_TURN_DEG:
            return snap.edge
    return None


def _bearing_at(graph: Graph, edge: int, fraction: float) -> float:
    a, b = int(graph.shape_first[edge]), int(graph.shape_first[edge + 1])
    lat, lon = graph.shape_lat[a:b], graph.shape_lon[a:b]
    done = np.append(0.0, np.cumsum(haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])))
    p = min(max(int(np.searchsorted(done, fraction * done[-1])) - 1, 0), len(lat) - 2)
    return float(bearing_deg(lat[p], lon[p], lat[p + 1], lon[p + 1]))


def _reports(seen: list[_Seen], graph: Graph, source: str) -> Iterator[TrafficReport]:
    by_edge: dict[int, list[_Seen]] = defaultdict(list)
    for passage in seen:
        by_edge[passage.edge].append(passage)
    found = []
    for edge, passages in by_edge.items():
        free = _free_flow_mps(graph, edge, [p.speed_mps for p in passages])
        a, b = int(graph.shape_first[edge]), int(graph.shape_first[edge + 1])
        line = [
            [round(x, 7), round(y, 7)]
            for x, y in zip(graph.shape_lon[a:b].tolist(), graph.shape_lat[a:b].tolist(), strict=True)
        ]
        windows: dict[int, list[_Seen]] = defaultdict(list)
        for passage in passages:
            windows[math.floor(passage.ts / WINDOW_S)].append(passage)
        for window, inside in windows.items():
            # Harmonic: five taxis' speeds mean distance over time; a standing one is given 0.5 m/s.
            speed = len(inside) / sum(1.0 / max(0.5, p.speed_mps) for p in inside)
            found.append(
                TrafficReport(
                    source=event_source(source, edge_id(graph, edge)),
                    ts=max(p.ts for p in inside),
                    kind="flow",
                    geometry={"type": "LineString", "coordinates": line},
                    valid_from=window * WINDOW_S,
                    valid_to=(window + 1) * WINDOW_S,
                    speed_mps=round(min(speed, free), 2),
                    free_flow_mps=round(free, 2),
                )
            )
    yield from sorted(found, key=lambda report: (report.ts, report.source))


def _free_flow_mps(graph: Graph, edge: int, speeds: list[float]) -> float:
    if len(speeds) >= LEAST_FOR_PERCENTILE:
        return max(1.0, float(np.percentile(speeds, 85)))
    return CLASS_FREE_FLOW_MPS[ROAD_CLASSES[int(graph.road_class[edge])]]


def _alone(report: TrafficReport) -> list[Report]:
    return [report]
