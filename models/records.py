"""The records on the wire, one class a topic, with their reading and writing as JSON.

Fields are written in the order declared here, unknown ones (None) left out. What is written is checked by
the same rules as what is read, so nothing is ever sent that a reader would refuse. Units and meanings:
docs/records.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import numpy as np
import orjson

from geo.errors import BadRecord
from geo.routing.costs import DYNAMIC_FACTORS
from models.record_fields import (
    EDGE_PATTERN,
    REASONS,
    Cell,
    Flag,
    Geometry,
    Key,
    Number,
    NumberList,
    Numbers,
    OneOf,
    Parts,
    Reader,
    Text,
    TextList,
    Verdict,
    Whole,
    shown,
)

__all__ = [
    "CHANGE_CAUSES",
    "CONDITION_FEATURES",
    "CROWD_PREFIX",
    "MAX_LETTER_BYTES",
    "MAX_PROPOSAL_BYTES",
    "MAX_VALUE_BYTES",
    "MIN_WALKERS",
    "REASONS",
    "REQUEST_KINDS",
    "TRAFFIC_KINDS",
    "UPDATE_REASONS",
    "BadFix",
    "CellObservation",
    "DeadLetter",
    "EdgeCondition",
    "Fix",
    "Rating",
    "RouteRequest",
    "RouteUpdate",
    "TrafficReport",
    "WeatherReport",
    "decode",
    "decode_fixes",
    "encode",
    "number_bounds",
]

MAX_VALUE_BYTES = 1 << 20
MAX_LETTER_BYTES = 12 << 20  # a dead letter holds a value that may have been too large, in base64
MAX_PROPOSAL_BYTES = 8_192  # its id holds the way itself: a day's walk has fewer
REQUEST_KINDS = ("loop", "to", "stop", "erase")
CROWD_PREFIX = "crowd:"  # of the keys of edge-conditions under which stands what walkers tell
MIN_WALKERS = 5  # nothing is told of a place where fewer of them were: k-anonymity
TRAFFIC_KINDS = ("flow", "closure", "roadwork", "incident", "air")
UPDATE_REASONS = (
    "requested",
    "off_route",
    "world_changed",
    "late",
    "better",
    "disliked",
    "arrived",
    "ended",
    "expired",
)
#: What a change of a route is because of, where it is no deed of the walker's.
CHANGE_CAUSES = ("closed", "opened", *DYNAMIC_FACTORS)

_EPOCH = Number(0, 1e11, open=True)
_LAT, _LON = Number(-90, 90), Number(-180, 180)
_AMOUNT = Number(0)
_BEARING = Number(0, 360)
_TEMP = Number(-100, 100)
_PERCENT = Number(0, 100)
_SEVERITY = Number(0, 10)
_ID = Text(128)
_PROPOSAL = Text(MAX_PROPOSAL_BYTES)
_METRES_OR_SECONDS = Number(digits=0)
_CHANGE = Parts(
    {
        "cause": OneOf(CHANGE_CAUSES),
        "ahead_m": Number(0, digits=0),
        "length_m": _METRES_OR_SECONDS,
        "duration_s": _METRES_OR_SECONDS,
    }
)

Id = Annotated[str, _ID]
Epoch = Annotated[float, _EPOCH]
Lat = Annotated[float, _LAT]
Lon = Annotated[float, _LON]
SomeEpoch = Annotated[float | None, _EPOCH]
SomeLat = Annotated[float | None, _LAT]
SomeLon = Annotated[float | None, _LON]
SomeAmount = Annotated[float | None, _AMOUNT]
SomeBearing = Annotated[float | None, _BEARING]
SomeTemp = Annotated[float | None, _TEMP]
SomePercent = Annotated[float | None, _PERCENT]
SomeSeverity = Annotated[float | None, _SEVERITY]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One GPS sample of one device (topic gps-fixes)."""

    device: Id
    ts: Epoch
    lat: Lat
    lon: Lon
    accuracy_m: SomeAmount = None
    speed_mps: SomeAmount = None
    bearing_deg: SomeBearing = None
    altitude_m: Annotated[float | None, Number()] = None
    battery: SomePercent = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRequest:
    """A walker asks for a route, ends the trip, or wants to be forgotten (topic route-requests)."""

    device: Id
    request: Id
    ts: Epoch
    kind: Annotated[str, OneOf(REQUEST_KINDS)]
    lat: SomeLat = None
    lon: SomeLon = None
    dest_lat: SomeLat = None
    dest_lon: SomeLon = None
    duration_s: Annotated[float | None, Number(60, 86_400)] = None
    length_m: Annotated[float | None, Number(100, 100_000)] = None
    taste: Annotated[dict[str, float] | None, Numbers(Number(-100, 100))] = None
    proposal: Annotated[str | None, _PROPOSAL] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What a walker thinks of a proposal (topic ratings)."""

    device: Id
    proposal: Annotated[str, _PROPOSAL]
    ts: Epoch
    verdict: Annotated[str | int, Verdict()]
    reason: Annotated[str | None, Text(1024, free=True, empty=True)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficReport:
    """Traffic, a closure or the air somewhere, as a feed reports it (topic traffic-reports)."""

    source: Id
    ts: Epoch
    kind: Annotated[str, OneOf(TRAFFIC_KINDS)]
    geometry: Annotated[dict[str, Any], Geometry()]
    valid_from: SomeEpoch = None
    valid_to: SomeEpoch = None
    speed_mps: SomeAmount = None
    free_flow_mps: SomeAmount = None
    severity: SomeSeverity = None
    aqi: SomeAmount = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherReport:
    """The weather at a place, observed, nowcast or forecast (topic weather-reports)."""

    source: Id
    ts: Epoch
    lat: Lat
    lon: Lon
    valid_from: SomeEpoch = None
    valid_to: SomeEpoch = None
    precip_mmph: SomeAmount = None
    temp_c: SomeTemp = None
    wind_mps: SomeAmount = None
    wind_deg: SomeBearing = None
    cloud: SomePercent = None
    uv: SomeAmount = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCondition:
    """The condition features of one H3 cell or edge as of now (topic edge-conditions, compacted)."""

    key: Annotated[str, Key()]
    ts: Epoch
    version: Annotated[int, Whole()]
    expires: Epoch
    speed_mps: SomeAmount = None
    free_flow_mps: SomeAmount = None
    speed_ratio: SomeAmount = None
    speed_trend: Annotated[float | None, Number()] = None
    closed: Annotated[bool | None, Flag()] = None
    valid_from: SomeEpoch = None
    valid_to: SomeEpoch = None
    rain_now_mmph: SomeAmount = None
    rain_1h_mmph: SomeAmount = None
    rain_3h_mmph: SomeAmount = None
    wind_mps: SomeAmount = None
    wind_deg: SomeBearing = None
    temp_c: SomeTemp = None
    cloud: SomePercent = None
    uv: SomeAmount = None
    aqi: SomeAmount = None
    severity: SomeSeverity = None
    walkers_300s: Annotated[int | None, Whole(MIN_WALKERS)] = None
    walkers_900s: Annotated[int | None, Whole(MIN_WALKERS)] = None
    walkers_at_once: SomeAmount = None
    pace_ratio: SomeAmount = None
    walkers_at_once_1h: SomeAmount = None
    walkers_at_once_1h_error: SomeAmount = None
    walkers_at_once_1h_within: SomeAmount = None
    walkers_at_once_3h: SomeAmount = None
    walkers_at_once_3h_error: SomeAmount = None
    walkers_at_once_3h_within: SomeAmount = None
    speed_ratio_1h: SomeAmount = None
    speed_ratio_1h_error: SomeAmount = None
    speed_ratio_1h_within: SomeAmount = None
    speed_ratio_3h: SomeAmount = None
    speed_ratio_3h_error: SomeAmount = None
    speed_ratio_3h_within: SomeAmount = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellObservation:
    """What some walkers did in one H3 cell (topic cell-observations), a passage a walker, edge and minute.

    From `walkers` on there is an entry a passage. Nothing says who a walker is, see
    models.world.observations.
    """

    cell: Annotated[str, Cell()]
    ts: Epoch
    edges: Annotated[list[str], TextList(EDGE_PATTERN)]
    walkers: Annotated[list[int], NumberList(0, 2**48 - 1, whole=True)]
    edge: Annotated[list[int], NumberList(-1, 4095, whole=True)]  # into `edges`, -1 off the network
    end_ts: Annotated[list[float], NumberList(1e-3, 1e11)]
    walked_m: Annotated[list[float], NumberList(0, 1e6)]
    seconds: Annotated[list[float], NumberList(0, 1e6)]
    expected_s: Annotated[list[float], NumberList(0, 1e6)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteUpdate:
    """The changed tail of a walker's route (topic route-updates); everything before `keep_m` stays."""

    device: Id
    trip: Id
    version: Annotated[int, Whole()]
    ts: Epoch
    reason: Annotated[str, OneOf(UPDATE_REASONS)]
    fix_ts: SomeEpoch = None
    keep_m: Annotated[float, Number(0, digits=1)] = 0.0
    geometry: Annotated[str, Text(MAX_VALUE_BYTES, empty=True)] = ""
    length_m: Annotated[float, Number(0, digits=1)] = 0.0
    duration_s: Annotated[float, Number(0, digits=1)] = 0.0
    eta: Annotated[float | None, Number(0, 1e11, open=True, digits=1)] = None
    score: Annotated[dict[str, float], Numbers(Number(digits=3))] = field(default_factory=dict)
    gain: Annotated[float | None, Number(digits=3)] = None
    message: Annotated[str | None, Text(1024, free=True, empty=True)] = None
    change: Annotated[dict[str, Any] | None, _CHANGE] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that could not be read, and why (topic dead-letters)."""

    topic: Id
    partition: Annotated[int, Whole()]
    offset: Annotated[int, Whole()]
    reason: Annotated[str, Text(1024, free=True)]
    value_b64: Annotated[str, Text(MAX_LETTER_BYTES, empty=True)]


def _readers(kind: type[Any]) -> tuple[tuple[str, Reader, bool], ...]:
    """Name, reader and whether it must be there, of each field of a record."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        (one.name, get_args(hints[one.name])[1], one.default is MISSING and one.default_factory is MISSING)
        for one in fields(kind)
    )


_READERS: dict[type[Any], tuple[tuple[str, Reader, bool], ...]] = {
    kind: _readers(kind)
    for kind in (
        Fix,
        RouteRequest,
        Rating,
        TrafficReport,
        WeatherReport,
        EdgeCondition,
        CellObservation,
        RouteUpdate,
        DeadLetter,
    )
}
_FIRST_FEATURE = 4  # after key, ts, version and expires
CONDITION_FEATURES = tuple(one.name for one in fields(EdgeCondition))[_FIRST_FEATURE:]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class BadFix:
    """A fix that was refused: its index in the array, or -1 for a message that is not an array of fixes."""

    index: int
    reason: str
    detail: str


def encode(record: Any) -> bytes:
    """The record as JSON in UTF-8, fields in declared order, None left out.

    Raises BadRecord where `decode` would refuse the result. RouteUpdate's lengths, durations and scores are
    rounded.
    """
    raw = {name: getattr(record, name) for name, _, _ in _READERS[type(record)]}
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in raw.items()}
    kept = _kept(type(record), plain)
    _check(type(record)(**kept))
    try:
        value = orjson.dumps(kept)
    except orjson.JSONEncodeError as error:
        raise BadRecord("bad_type", f"{type(record).__name__} cannot be written as JSON: {error}") from error
    _check_size(value, type(record))
    return value


def decode(kind: type[R], value: bytes) -> R:
    """The record of class `kind` in a message's value; BadRecord with one of REASONS if it cannot be used."""
    return _read(kind, _parse(value, kind))


def decode_fixes(value: bytes) -> tuple[list[Fix], list[BadFix]]:
    """The fixes of one gps-fixes message (one object, or an array of them), and those that were refused.

    Never raises: a message that cannot be read at all is one BadFix with index -1.
    """
    try:
        parsed = _parse(value, Fix)
        if not isinstance(parsed, list):
            return [_read(Fix, parsed)], []
    except BadRecord as error:
        return [], [BadFix(-1, error.reason, error.detail)]
    good: list[Fix] = []
    bad: list[BadFix] = []
    for index, raw in enumerate(parsed):
        try:
            good.append(_read(Fix, raw))
        except BadRecord as error:
            bad.append(BadFix(index, error.reason, error.detail))
    return good, bad


def number_bounds(kind: type[Any]) -> dict[str, tuple[float, float]]:
    """Lowest and highest double that each number field of a record may be, by field name, both included."""
    bounds = {}
    for name, reader, _ in _READERS[kind]:
        if isinstance(reader, Number):
            low, high = reader.low, reader.high
            if reader.open:
                low, high = float(np.nextafter(low, np.inf)), float(np.nextafter(high, -np.inf))
            bounds[name] = (low, high)
    return bounds


def _check_size(value: bytes, kind: type[Any]) -> None:
    most = MAX_LETTER_BYTES if kind is DeadLetter else MAX_VALUE_BYTES
    if len(value) > most:
        raise BadRecord("too_large", f"{len(value)} bytes, should be {most} at most")


def _parse(value: bytes, kind: type[Any]) -> Any:
    _check_size(value, kind)
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise BadRecord("not_json", str(error)) from error


def _read(kind: type[R], raw: Any) -> R:
    if not isinstance(raw, dict):
        raise BadRecord("not_object", f"{shown(raw)} is not a {kind.__name__} object")
    record = kind(**_kept(kind, raw))
    _check(record)
    return record


def _kept(kind: type[Any], raw: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, reader, required in _READERS[kind]:
        value = raw.get(name)
        if value is not None:
            kept[name] = reader.read(name, value)
        elif required:
            raise BadRecord("missing_field", name)
    return kept


def _check(record: Any) -> None:
    """What no field can tell alone."""
    check = _CHECKS.get(type(record))
    if check is not None:
        check(record)


def _check_request(request: RouteRequest) -> None:
    needed: tuple[str, ...] = ()
    if request.kind in ("loop", "to"):
        needed = ("lat", "lon")
    if request.kind == "to":
        needed += ("dest_lat", "dest_lon")
    for name in needed:
        if getattr(request, name) is None:
            raise BadRecord("missing_field", f"{name}, which kind {request.kind} needs")
    if request.kind == "loop" and request.length_m is None and request.duration_s is None:
        raise BadRecord("missing_field", "length_m or duration_s, which kind loop needs")


def _check_validity(record: TrafficReport | WeatherReport | EdgeCondition) -> None:
    start, end = record.valid_from, record.valid_to
    if start is not None and end is not None and end < start:
        raise BadRecord("out_of_range", f"valid_to: {end} is before valid_from {start}")


def _check_observation(record: CellObservation) -> None:
    columns = (record.edge, record.end_ts, record.walked_m, record.seconds, record.expected_s)
    if any(len(column) != len(record.walkers) for column in columns):
        raise BadRecord("out_of_range", "walkers, edge, end_ts, walked_m, seconds or expected_s is shorter")
    if max(record.edge, default=-1) >= len(record.edges):
        raise BadRecord("out_of_range", f"edge: {max(record.edge)} is none of {len(record.edges)} edges")


_CHECKS: dict[type[Any], Callable[[Any], None]] = {
    RouteRequest: _check_request,
    TrafficReport: _check_validity,
    WeatherReport: _check_validity,
    EdgeCondition: _check_validity,
    CellObservation: _check_observation,
}
