"""Moving a document's reports in time and place, to show a feed of elsewhere in another city.

Whoever moves says so: the source of a report that was moved to another place ends in `~moved`. Times are only
shifted, all by the same amount, so that the first validity starts at the wanted moment.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from geo.errors import BadInput
from geo.geodesy import METRES_PER_DEG
from geo.graph import Graph
from geo.grid import nearest_edges
from models.records import TrafficReport, WeatherReport
from models.world.condition_places import edges_along, middle
from streams.feeds.common import Report

MARK = "~moved"
_SNAP_M = 60.0
_DENSE_M = 20.0


def shift_to(reports: Sequence[Report], start_ts: float) -> list[Report]:
    """The reports with all times shifted so that the earliest validity starts at `start_ts`."""
    if not reports:
        return []
    delta = start_ts - min(first_ts(report) for report in reports)

    def later(ts: float | None) -> float | None:
        return None if ts is None else ts + delta

    moved = []
    for report in reports:
        ts = report.ts + delta
        if ts <= 0.0:
            raise BadInput(
                f"cannot shift to {start_ts:.0f}: the report of {report.source} would be before 1970"
            )
        moved.append(
            replace(report, ts=ts, valid_from=later(report.valid_from), valid_to=later(report.valid_to))
        )
    return moved


def first_ts(report: Report) -> float:
    """When a report starts to hold."""
    return report.ts if report.valid_from is None else report.valid_from


def move_to(reports: Sequence[Report], lat: float, lon: float, graph: Graph | None = None) -> list[Report]:
    """The reports moved so that the middle of all lies at `lat`, `lon`, each keeping its shape.

    With a graph, traffic geometries are then laid on its streets, see `laid_on_streets`.
    """
    middles = [_middle(report) for report in reports]
    if not middles:
        return []
    lat0 = math.fsum(m[0] for m in middles) / len(middles)
    lon0 = math.fsum(m[1] for m in middles) / len(middles)
    return [
        _moved(report, lat0, lon0, lat, lon, graph) if graph is None else _moved(report, *m, lat, lon, graph)
        for report, m in zip(reports, middles, strict=True)
    ]


def move_to_graph(reports: Sequence[Report], graph: Graph) -> list[Report]:
    """The reports spread over the graph's streets: each event to a node of its own, chosen by its source.

    The choice is a checksum: the same event lands on the same street every time. Weather goes to the middle.
    """
    if not graph.edge_count:
        raise BadInput("the graph has no streets to move reports to")
    lat0, lon0 = float(np.median(graph.node_lat)), float(np.median(graph.node_lon))
    moved: list[Report] = []
    for report in reports:
        if isinstance(report, WeatherReport):
            moved.append(_moved(report, report.lat, report.lon, lat0, lon0, None))
            continue
        node = zlib.crc32(report.source.encode()) % graph.node_count
        lat, lon = float(graph.node_lat[node]), float(graph.node_lon[node])
        moved.append(_moved(report, *middle(report.geometry), lat, lon, graph))
    return moved


def laid_on_streets(geometry: dict[str, Any], graph: Graph) -> dict[str, Any]:
    """Points go to the nearest street within reach; lines become the streets that run along them.

    Where none does, the street nearest to the middle. Polygons stay as they are. Raises BadInput where there
    is no street within 1 km.
    """
    kind, coordinates = geometry["type"], geometry["coordinates"]
    if kind == "Point":
        return {"type": kind, "coordinates": _nearest(coordinates, graph)}
    if kind == "MultiPoint":
        return {"type": kind, "coordinates": [_nearest(position, graph) for position in coordinates]}
    if kind in ("Polygon", "MultiPolygon"):
        return geometry
    edges: set[int] = set()
    for line in [coordinates] if kind == "LineString" else coordinates:
        dense = _dense(np.array([[lat, lon] for lon, lat, *_ in line], np.float64))
        snapped = [
            (snap[0].lat, snap[0].lon)
            for lat, lon in dense
            if (snap := nearest_edges(graph, float(lat), float(lon), _SNAP_M, 1))
        ]
        if len(snapped) > 1:
            edges |= edges_along(graph, np.array(snapped))
    if not edges:
        lat, lon = middle(geometry)
        near = nearest_edges(graph, lat, lon, 1_000.0, 1)
        if not near:
            raise BadInput(f"there is no street within 1 km of {lat:.5f}, {lon:.5f}; move the feed elsewhere")
        edges = {near[0].edge}
    lines = []
    for edge in sorted(edges):
        a, b = int(graph.shape_first[edge]), int(graph.shape_first[edge + 1])
        lines.append(_positions(graph.shape_lon[a:b], graph.shape_lat[a:b]))
    return {"type": "MultiLineString", "coordinates": lines}


def _moved(report: Report, lat0: float, lon0: float, lat: float, lon: float, graph: Graph | None) -> Report:
    """The report moved so that (lat0, lon0) comes to lie at (lat, lon), its shape in metres kept."""
    stretch = math.cos(math.radians(lat0)) / max(0.01, math.cos(math.radians(lat)))
    source = report.source if report.source.endswith(MARK) else report.source + MARK
    if isinstance(report, WeatherReport):
        return replace(
            report, source=source, lat=lat + report.lat - lat0, lon=_lon(lon + (report.lon - lon0) * stretch)
        )

    def place(coordinates: Any) -> Any:
        if isinstance(coordinates[0], (int, float)):
            y = min(90.0, max(-90.0, lat + coordinates[1] - lat0))
            return [round(_lon(lon + (coordinates[0] - lon0) * stretch), 7), round(y, 7)]
        return [place(part) for part in coordinates]

    geometry = {"type": report.geometry["type"], "coordinates": place(report.geometry["coordinates"])}
    return replace(
        report, source=source, geometry=geometry if graph is None else laid_on_streets(geometry, graph)
    )


def _middle(report: Report) -> tuple[float, float]:
    return middle(report.geometry) if isinstance(report, TrafficReport) else (report.lat, report.lon)


def _nearest(position: Any, graph: Graph) -> list[float]:
    near = nearest_edges(graph, position[1], position[0], 1_000.0, 1)
    if not near:
        raise BadInput(
            f"there is no street within 1 km of {position[1]:.5f}, {position[0]:.5f}; move the feed elsewhere"
        )
    return [round(near[0].lon, 7), round(near[0].lat, 7)]


def _dense(line: np.ndarray) -> np.ndarray:
    """The line with a point at least every 20 m."""
    parts = [line[:1]]
    for a, b in pairwise(line):
        metres = math.hypot(b[0] - a[0], (b[1] - a[1]) * math.cos(math.radians(a[0]))) * METRES_PER_DEG
        n = min(1_000, max(1, math.ceil(metres / _DENSE_M)))
        parts.append(a + (b - a) * (np.arange(1, n + 1) / n)[:, None])
    return np.concatenate(parts)


def _positions(lon: np.ndarray, lat: np.ndarray) -> list[list[float]]:
    return [[round(x, 7), round(y, 7)] for x, y in zip(lon.tolist(), lat.tolist(), strict=True)]


def _lon(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0
