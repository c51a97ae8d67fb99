"""What all feed adapters share: their result, their problems, and the checks every value passes.

An adapter is one pure function `parse(document, source, now, context) -> Parsed`. It never raises:
whatever cannot be used becomes a `Problem` that says where in the document and why, and goes to the
dead letters with its bytes.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from geo.errors import BadRecord
from geo.graph import Graph
from models.records import TrafficReport, WeatherReport, encode

Report = TrafficReport | WeatherReport
Geometry = dict[str, object]
"""A GeoJSON geometry (RFC 7946: longitude before latitude)."""

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
MAX_POSITIONS = 10_000
MAX_RAW_BYTES = 16 * 1024
MAX_SOURCE_BYTES = 128 - len("~moved")  # what a record's source may have, less the mark of a moved report
EARLIEST_TS, LATEST_TS = 1.0, 4_102_444_800.0  # 1970 .. 2100
SEVERITY = {"none": 0.0, "lowest": 1.0, "low": 3.0, "medium": 5.0, "high": 8.0, "highest": 10.0}
"""DATEX II SeverityEnum on the 0..10 of a report; `unknown` is left out: the report then carries none."""


class Unusable(Exception):
    """One item of a document cannot be used; caught by `Collector.item`, never seen outside a feed."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Problem:
    """An item that could not be used: where in the document, why (a short code), and its bytes."""

    position: str
    reason: str
    raw: bytes
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Reports in document order, problems, and how many items were understood but do not concern walkers."""

    reports: list[Report]
    problems: list[Problem]
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What a document alone does not say.

    `places`: GeoJSON geometry by stop id, situation id or `alertc:<country>:<table>:<code>`; the key ""
    is the place of a document that names none. `graph`: the streets that probe trajectories run on.
    """

    places: Mapping[str, Geometry] = field(default_factory=dict)
    graph: Graph | None = None


NO_CONTEXT = Context()


@dataclass(slots=True)
class Collector:
    """Gathers reports and problems while an adapter walks through a document."""

    reports: list[Report] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    ignored: int = 0

    def item(self, position: str, raw: Callable[[], bytes], make: Callable[[], Iterable[Report]]) -> None:
        """Adds the reports of one item, or the one problem that keeps it from being used."""
        try:
            found = list(make())
            for report in found:
                encode(report)  # refuses what a reader of the topic would refuse
        except (Unusable, BadRecord) as e:
            self.problem(position, e.reason, raw(), e.detail)
            return
        if not found:
            self.ignored += 1
        self.reports.extend(found)

    def problem(self, position: str, reason: str, raw: bytes, detail: str = "") -> None:
        self.problems.append(Problem(position, reason, raw[:MAX_RAW_BYTES], detail))

    def parsed(self) -> Parsed:
        return Parsed(self.reports, self.problems, self.ignored)


def refused(document: bytes, reason: str, detail: str) -> Parsed:
    """The result for a document of which nothing can be used."""
    return Parsed([], [Problem("document", reason, document[:MAX_RAW_BYTES], detail)])


def load_json(document: bytes) -> object:
    """The document's JSON; raises Unusable (too_large, not_json)."""
    if len(document) > MAX_DOCUMENT_BYTES:
        raise Unusable("too_large", f"{len(document)} bytes, at most {MAX_DOCUMENT_BYTES}")
    try:
        return orjson.loads(document.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as e:
        raise Unusable("not_json", str(e)) from None
    except RecursionError:
        raise Unusable("not_json", "nested too deeply") from None


def dump(value: object) -> bytes:
    """The JSON bytes of a part of a document, for its problem."""
    return orjson.dumps(value, default=str)


def mapping(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Unusable("bad_type" if value is not None else "missing_field", f"{name} is not an object")
    return value


def items(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise Unusable("bad_type" if value is not None else "missing_field", f"{name} is not a list")
    return value


def text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise Unusable("missing_field" if value in (None, "") else "bad_type", f"{name} is not a text")
    return value


def number(value: object, name: str, low: float, high: float) -> float:
    """A finite number within [low, high]; raises Unusable."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable("bad_type" if value is not None else "missing_field", f"{name} is not a number")
    try:
        result = float(value)
    except OverflowError:
        raise Unusable("out_of_range", f"{name} is not between {low:g} and {high:g}") from None
    if not math.isfinite(result):
        raise Unusable("not_finite", f"{name} is {value}")
    if not low <= result <= high:
        raise Unusable("out_of_range", f"{name} is {result:g}, not between {low:g} and {high:g}")
    return result


def optional(value: object, name: str, low: float, high: float) -> float | None:
    return None if value is None else number(value, name, low, high)


_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")


def time_of(value: object, name: str, offset_s: float = 0.0) -> float:
    """Seconds since the epoch of an ISO 8601 text or a number of seconds; raises Unusable (bad_time).

    A text without a zone is local time `offset_s` east of UTC.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value, name, EARLIEST_TS, LATEST_TS)
    if not isinstance(value, str):
        raise Unusable("bad_time" if value is not None else "missing_field", f"{name} is not a time")
    stripped = value.strip()
    if not _ISO.fullmatch(stripped):
        raise Unusable("bad_time", f"{name} is {stripped[:40]!r}")
    try:
        moment = datetime.fromisoformat(stripped)
        zoned = moment.tzinfo is not None
        ts = (moment if zoned else moment.replace(tzinfo=UTC)).timestamp() - (0.0 if zoned else offset_s)
    except (ValueError, OverflowError):
        raise Unusable("bad_time", f"{name} is {stripped[:40]!r}") from None
    return number(ts, name, EARLIEST_TS, LATEST_TS)


def end_time(value: object, name: str) -> float | None:
    """As `time_of`, but None stays None (open end) and an end after 2100 counts as open.

    Fintraffic writes 2124-10-31 for works whose end is not known.
    """
    if value is None or value == "":
        return None
    try:
        return time_of(value, name)
    except Unusable as e:
        if e.reason == "out_of_range" and isinstance(value, str) and value.strip()[:1] in "23":
            return None
        raise


def ordered(valid_from: float, valid_to: float | None) -> None:
    """Raises Unusable (bad_time) for a validity that ends before it starts."""
    if valid_to is not None and valid_to < valid_from:
        raise Unusable("bad_time", f"valid until {valid_to:.0f}, which is before {valid_from:.0f}")


def point(lat: float, lon: float) -> Geometry:
    return {"type": "Point", "coordinates": [lon, lat]}


_DEPTH = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
_LEAST = {"LineString": 2, "MultiLineString": 2, "Polygon": 4, "MultiPolygon": 4}


def geometry_of(value: object) -> Geometry:
    """A checked copy of a GeoJSON geometry without altitudes; raises Unusable (no_geometry, bad_geometry)."""
    if value is None:
        raise Unusable("no_geometry", "the item has no geometry")
    if not isinstance(value, dict):
        raise Unusable("bad_geometry", "the geometry is not an object")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _DEPTH:
        raise Unusable("bad_geometry", f"geometry type {str(kind)[:40]!r}")
    budget = [MAX_POSITIONS]
    return {
        "type": kind,
        "coordinates": _positions(value.get("coordinates"), _DEPTH[kind], _LEAST.get(kind, 1), budget),
    }


def _positions(value: object, depth: int, least: int, budget: list[int]) -> list[object]:
    if not isinstance(value, list):
        raise Unusable("bad_geometry", "coordinates are not a list")
    if depth == 0:
        budget[0] -= 1
        if budget[0] < 0:
            raise Unusable("too_large", f"more than {MAX_POSITIONS} positions")
        if len(value) < 2:
            raise Unusable("bad_geometry", "a position of less than two numbers")
        return [number(value[0], "longitude", -180.0, 180.0), number(value[1], "latitude", -90.0, 90.0)]
    needed = least if depth == 1 else 1
    if len(value) < needed:
        raise Unusable("bad_geometry", f"{len(value)} positions, at least {needed} needed")
    return [_positions(part, depth - 1, least, budget) for part in value]


def event_source(source: str, event_id: str) -> str:
    """`feed#event`: a later report of the same event replaces an earlier one, wherever it was.

    Control characters are dropped; an id too long for a record's source is replaced by its hash.
    """
    kept = "".join(c for c in event_id if c.isprintable())
    full = f"{source}#{kept}"
    if len(full.encode("utf-8", "replace")) > MAX_SOURCE_BYTES:
        digest = hashlib.blake2b(kept.encode("utf-8", "replace"), digest_size=12).hexdigest()
        full = f"{source}#{digest}"
    return full
