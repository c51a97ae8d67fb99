"""GeoJSON: lines with times beside them, points with times in their properties, collections of either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from streams.traces.table import Row, rows_to_traces
from streams.traces.trace import Columns, Trace, TraceBuilder

GEOJSON_TYPES = frozenset(
    {
        "FeatureCollection",
        "Feature",
        "LineString",
        "MultiLineString",
        "Point",
        "MultiPoint",
        "GeometryCollection",
    }
)
#: Where converters put the times of a line (togeojson before and since version 5, and others).
_TIME_KEYS = ("coordTimes", "times", "timestamps", "time")


def read_geojson(document: dict[str, Any], file: str, name: str, wanted: Columns) -> list[Trace]:
    """One trace a LineString or MultiLineString; points become tracks by their track property, or one."""
    lines: list[tuple[dict[str, Any], Any]] = []
    rows: list[Row] = []
    header: dict[str, None] = {}
    for index, (properties, geometry) in enumerate(_walk(document)):
        kind, coordinates = geometry.get("type"), geometry.get("coordinates")
        if kind in ("LineString", "MultiLineString") and isinstance(coordinates, list):
            lines.append((properties, geometry))
        elif kind == "Point" and isinstance(coordinates, list) and len(coordinates) >= 2:
            # named so that no property, whatever it is called, takes the place of the geometry
            rows.append(
                (f"feature {index + 1}", {**properties, "lat": coordinates[1], "lon": coordinates[0]})
            )
            header |= dict.fromkeys(properties)
    traces = [
        _read_line(properties, geometry, _line_name(properties, name, index, len(lines)))
        for index, (properties, geometry) in enumerate(lines)
    ]
    if rows:
        names = ["lat", "lon", *(key for key in header if key not in ("lat", "lon"))]
        traces.extend(rows_to_traces(rows, names, file, name, wanted))
    return traces


def _walk(node: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Properties and geometry of everything in a document, in order."""
    if not isinstance(node, dict):
        return
    if node.get("type") == "FeatureCollection":
        for feature in node.get("features") or ():
            yield from _walk(feature)
    elif node.get("type") == "Feature":
        properties = node.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        for _, geometry in _walk(node.get("geometry")):
            yield properties, geometry
    elif node.get("type") == "GeometryCollection":
        for geometry in node.get("geometries") or ():
            yield from _walk(geometry)
    else:
        yield {}, node


def _line_name(properties: dict[str, Any], name: str, index: int, count: int) -> str:
    for key in ("name", "id", "track", "device"):
        value = properties.get(key)
        if isinstance(value, (str, int)) and str(value).strip():
            return str(value).strip()
    return name if count == 1 else f"{name}-{index + 1}"


def _read_line(properties: dict[str, Any], geometry: dict[str, Any], name: str) -> Trace:
    parts = geometry["coordinates"]
    times = _times(properties)
    if geometry["type"] == "LineString":
        parts, times = [parts], [times]
    builder = TraceBuilder(name)
    for part_index, part in enumerate(parts):
        part_times = times[part_index] if part_index < len(times) else ()
        part_times = part_times if isinstance(part_times, list) else ()
        for index, position in enumerate(part if isinstance(part, list) else ()):
            lon, lat = position[:2] if isinstance(position, list) and len(position) >= 2 else (None, None)
            time = part_times[index] if index < len(part_times) else None
            where = f"line {part_index + 1}, position {index + 1}"
            builder.add(where, {"ts": time, "lat": lat, "lon": lon})
    return builder.build()


def _times(properties: dict[str, Any]) -> Sequence[Any]:
    nested = properties.get("coordinateProperties")
    for source in (properties, nested if isinstance(nested, dict) else {}):
        for key in _TIME_KEYS:
            if isinstance(source.get(key), list):
                value: Sequence[Any] = source[key]
                return value
    return ()
