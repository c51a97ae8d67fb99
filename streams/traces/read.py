"""One way in for every format: looks at what is in a file, not at how it is called."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from geo.errors import BadInput
from streams.traces.geojson import GEOJSON_TYPES, read_geojson
from streams.traces.gpx import read_gpx
from streams.traces.table import Row, read_table, rows_to_traces
from streams.traces.trace import Columns, Trace, TraceBuilder, to_epoch

MAX_BYTES = 512 * 1024 * 1024


def read_traces(
    path: str | Path,
    *,
    ts: str | None = None,
    lat: str | None = None,
    lon: str | None = None,
    accuracy: str | None = None,
    speed: str | None = None,
    bearing: str | None = None,
    track: str | None = None,
) -> list[Trace]:
    """All traces of a file: GPX, GeoJSON, CSV or TSV, JSON lines of fixes, `{start_time, times, latlon}`.

    Any of them may be gzipped. The names say which column (or property) to take, None means detect it.
    Tracks without one usable fix are left out. Raises BadInput in one sentence when nothing is left.
    """
    path = Path(path)
    wanted = Columns(ts, lat, lon, accuracy, speed, bearing, track)
    data = _load(path)
    file, name = str(path), path.name.split(".")[0] or path.name
    start = data.lstrip()[:1]
    if start == b"<":
        traces = read_gpx(data.lstrip(), file, name)
    elif start in (b"{", b"["):
        traces = _read_json(data, file, name, wanted)
    elif not start:
        raise BadInput(f"{file} is empty")
    else:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise BadInput(f"{file} is neither text nor a known format: {error}") from error
        traces = read_table(text, file, name, wanted)
    usable = [trace for trace in traces if len(trace)]
    if not usable:
        problems = "; ".join(str(problem) for trace in traces for problem in trace.problems)[:300]
        raise BadInput(f"{file} has no usable fix" + (f" ({problems})" if problems else ""))
    return usable


def read_trace(
    path: str | Path,
    *,
    ts: str | None = None,
    lat: str | None = None,
    lon: str | None = None,
    accuracy: str | None = None,
    speed: str | None = None,
    bearing: str | None = None,
    track: str | None = None,
    name: str | None = None,
) -> Trace:
    """The trace of a file that has one, or the one called `name`; see `read_traces`.

    Raises BadInput when the file has several and no name is given, or none of that name.
    """
    traces = read_traces(
        path, ts=ts, lat=lat, lon=lon, accuracy=accuracy, speed=speed, bearing=bearing, track=track
    )
    if name is None and len(traces) == 1:
        return traces[0]
    named = [trace for trace in traces if trace.name == name]
    if named:
        return named[0]
    names = ", ".join(trace.name for trace in traces[:5]) + (", ..." if len(traces) > 5 else "")
    wanted = "say which one with name=" if name is None else f"none is called {name!r}"
    raise BadInput(f"{path} has {len(traces)} traces ({names}): {wanted}")


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as raw:
            if raw.read(2) == b"\x1f\x8b":
                raw.seek(0)
                with gzip.open(raw) as unpacked:
                    data = unpacked.read(MAX_BYTES + 1)
            else:
                raw.seek(0)
                data = raw.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{path} cannot be read: {reason}") from error
    if len(data) > MAX_BYTES:
        raise BadInput(f"{path} holds more than {MAX_BYTES // 2**20} MiB: split it")
    return data.removeprefix(b"\xef\xbb\xbf")


def _read_json(data: bytes, file: str, name: str, wanted: Columns) -> list[Trace]:
    try:
        document: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if b"\n" not in data.strip():
            raise BadInput(f"{file} is not readable as JSON: {error}") from error
        return _read_lines(data, file, name, wanted)
    if isinstance(document, dict):
        if document.get("type") in GEOJSON_TYPES:
            return read_geojson(document, file, name, wanted)
        if "latlon" in document:
            return [_read_latlon(document, name)]
        document = [document]
    rows: list[Row] = [(f"item {n + 1}", row) for n, row in enumerate(document) if isinstance(row, dict)]
    return _read_objects(rows, file, name, wanted, None)


def _read_lines(data: bytes, file: str, name: str, wanted: Columns) -> list[Trace]:
    rows: list[Row] = []
    bad = TraceBuilder(name)
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            bad.complain("line is not JSON", f"line {number}")
            continue
        # a line may carry several fixes of one device, as messages of gps-fixes do
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                rows.append((f"line {number}", one))
            else:
                bad.complain("line is not an object", f"line {number}")
    return _read_objects(rows, file, name, wanted, bad.build())


def _read_objects(rows: list[Row], file: str, name: str, wanted: Columns, bad: Trace | None) -> list[Trace]:
    header: dict[str, None] = {}
    for _, row in rows:
        header |= dict.fromkeys(row)
    if not rows:
        return [bad] if bad is not None else []
    traces = rows_to_traces(rows, list(header), file, name, wanted)
    if bad is not None and bad.problems:
        # a line that cannot be read belongs to no track: the first one carries the complaint
        traces[0] = replace(traces[0], problems=traces[0].problems + bad.problems)
    return traces


def _read_latlon(document: dict[str, Any], name: str) -> Trace:
    """`{start_time, times, latlon}`: seconds after the start, and a position for each."""
    builder = TraceBuilder(name)
    latlon, times = document.get("latlon"), document.get("times")
    positions = latlon if isinstance(latlon, list) else []
    seconds = times if isinstance(times, list) else []
    try:
        start = to_epoch(document.get("start_time"))
    except ValueError:
        builder.complain("start_time cannot be read", "document")
        return builder.build()
    for index, position in enumerate(positions):
        where = f"position {index + 1}"
        pair = position if isinstance(position, list) and len(position) >= 2 else (None, None)
        after = seconds[index] if index < len(seconds) else None
        when = start + after if isinstance(after, (int, float)) else None
        builder.add(where, {"ts": when, "lat": pair[0], "lon": pair[1]})
    return builder.build()
