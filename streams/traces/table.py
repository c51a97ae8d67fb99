"""Rows that have named columns: CSV and TSV files, JSON objects, and Porto's one-row-a-trip form."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import orjson

from geo.errors import BadInput
from streams.traces.names import find_columns, plain
from streams.traces.trace import Columns, Trace, TraceBuilder, to_epoch

#: Porto's taxis (ECML/PKDD 2015) have a fix every 15 s from TIMESTAMP on.
POLYLINE_STEP_S = 15.0
# a whole trip is one field there; csv's own limit of 128 kB ends at about 6,000 positions
csv.field_size_limit(16 * 1024 * 1024)
Row = tuple[str, Mapping[str, object]]  # where it is, and its values by column


def read_table(text: str, file: str, name: str, wanted: Columns) -> list[Trace]:
    """The traces of a CSV or TSV text with a header line, which may begin with '#'."""
    text = text.lstrip("\ufeff \r\n")
    head = text.split("\n", 1)[0]
    delimiter = max("\t;,|", key=head.count)
    lines = csv.reader(io.StringIO(text.removeprefix("#").lstrip(" ")), delimiter=delimiter, strict=False)
    try:
        header = [column.strip() for column in next(lines, [])]
        rows = [(f"line {lines.line_num}", dict(zip(header, row, strict=False))) for row in lines if row]
    except csv.Error as error:
        raise BadInput(f"{file} cannot be read as a table: {error} in line {lines.line_num}") from error
    polyline = next((column for column in header if plain(column) == "polyline"), None)
    if polyline is not None:
        return _read_polylines(rows, header, polyline, file)
    return rows_to_traces(rows, header, file, name, wanted)


def rows_to_traces(
    rows: Iterable[Row], header: Sequence[str], file: str, name: str, wanted: Columns
) -> list[Trace]:
    """The traces in rows of named values, split by the track column when there is one."""
    rows = list(rows)
    columns = find_columns(header, wanted, file)
    track = columns.pop("track", None)
    if track is not None and wanted.track is None:
        counts = Counter(str(row.get(track)) for _, row in rows)
        if len(counts) * 2 > len(rows):
            track = None  # an id of the row, not of the track
    builders: dict[str, TraceBuilder] = {}
    for where, row in rows:
        of = name if track is None else str(row.get(track, "")).strip() or name
        builder = builders.get(of) or builders.setdefault(of, TraceBuilder(of))
        builder.add(where, {quantity: row.get(column) for quantity, column in columns.items()})
    return [builder.build() for builder in builders.values()]


def _read_polylines(rows: Sequence[Row], header: Sequence[str], polyline: str, file: str) -> list[Trace]:
    by_plain = {plain(column): column for column in header}
    start = by_plain.get("timestamp")
    if start is None:
        raise BadInput(f"{file} has a POLYLINE column but no TIMESTAMP, among {', '.join(header)}")
    trip = by_plain.get("tripid")
    traces = []
    for where, row in rows:
        builder = TraceBuilder(str(row.get(trip, "")).strip() if trip else where)
        try:
            began = to_epoch(row.get(start))
            positions = orjson.loads(str(row.get(polyline, "")))
            pairs = [(float(lon), float(lat)) for lon, lat in positions]
        except (ValueError, TypeError):
            builder.complain("TIMESTAMP or POLYLINE cannot be read", where)
            pairs = []
        for index, (lon, lat) in enumerate(pairs):
            builder.add(
                f"{where}, position {index}", {"ts": began + POLYLINE_STEP_S * index, "lat": lat, "lon": lon}
            )
        traces.append(builder.build())
    return traces
