"""Open-Meteo's forecast JSON: `current`, `minutely_15` and `hourly` become weather reports.

https://open-meteo.com/en/docs. Amounts of precipitation belong to the time *before* their stamp, all else
to the stamp itself: the report of a row holds until the next row and takes the amount of the next row.
Where the document has no precipitation at all, the rate is estimated from the row's WMO weather code (see
`CODE_MMPH`). Units are read from the document (`hourly_units` …); without them Open-Meteo's defaults hold
(°C, km/h, mm). Older names (`windspeed_10m`, `cloudcover`) are accepted. `daily` is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from models.records import WeatherReport
from streams.feeds.common import (
    NO_CONTEXT,
    Collector,
    Context,
    Parsed,
    Report,
    Unusable,
    dump,
    items,
    load_json,
    mapping,
    number,
    refused,
    time_of,
)

# Middle of the classes of the WMO code table 4677: slight < 2.5, moderate 2.5..10, heavy > 10 mm/h; drizzle
# and snow (as water) are finer. 0..48 is dry: clear, clouds, fog.
CODE_MMPH = {
    51: 0.2, 53: 0.5, 55: 1.0, 56: 0.2, 57: 1.0,
    61: 1.2, 63: 5.0, 65: 15.0, 66: 1.2, 67: 5.0,
    71: 0.5, 73: 1.5, 75: 4.0, 77: 0.2,
    80: 1.2, 81: 5.0, 82: 25.0, 85: 0.5, 86: 4.0,
    95: 5.0, 96: 10.0, 99: 25.0,
}  # fmt: skip

_SPEED_MPS = {"km/h": 1 / 3.6, "m/s": 1.0, "ms": 1.0, "mph": 0.44704, "mp/h": 0.44704, "kn": 0.514444}
_AMOUNT_MM = {"mm": 1.0, "inch": 25.4}
_NAMES = {
    "precipitation": ("precipitation", "rain"),
    "temperature": ("temperature_2m",),
    "wind_speed": ("wind_speed_10m", "windspeed_10m"),
    "wind_direction": ("wind_direction_10m", "winddirection_10m"),
    "cloud": ("cloud_cover", "cloudcover"),
    "uv": ("uv_index",),
    "code": ("weather_code", "weathercode"),
}
_STEP_S = {"minutely_15": 900.0, "hourly": 3600.0}
_MAX_ROWS = 20_000


def parse(document: bytes, source: str, now: float, context: Context = NO_CONTEXT) -> Parsed:
    """Weather reports of a forecast answer, or of a list of them (several places in one request).

    `ts` is the time of `current`, else `now`: Open-Meteo does not say when its model ran. A document
    without a position needs `context.places[""]` (a Point).
    """
    try:
        top = load_json(document)
        answers = top if isinstance(top, list) else [top]
    except Unusable as e:
        return refused(document, e.reason, e.detail)
    collector = Collector()
    for i, answer in enumerate(answers):
        prefix = f"[{i}]." if isinstance(top, list) else ""
        try:
            _answer(mapping(answer, "the document"), prefix, source, now, context, collector)
        except Unusable as e:
            collector.problem(prefix.rstrip(".") or "document", e.reason, dump(answer), e.detail)
    return collector.parsed()


def _answer(
    answer: dict[str, object], prefix: str, source: str, now: float, context: Context, collector: Collector
) -> None:
    lat, lon = _position(answer, context)
    offset_s = number(answer.get("utc_offset_seconds", 0), "utc_offset_seconds", -86_400.0, 86_400.0)
    ts = now
    current = answer.get("current")
    if isinstance(current, dict):
        try:
            ts = time_of(current.get("time"), "current.time", offset_s)
        except Unusable:
            pass  # told below, when the block itself is read
        units = _units(answer, "current")

        def now_row() -> Iterator[Report]:
            yield _current(current, units, offset_s, source, ts, lat, lon)

        collector.item(f"{prefix}current", partial(dump, current), now_row)
    for block in ("minutely_15", "hourly"):
        if block in answer:
            _rows(answer, block, f"{prefix}{block}", (source, ts, lat, lon), offset_s, collector)
    if not any(block in answer for block in ("current", "minutely_15", "hourly")):
        raise Unusable("missing_field", "none of current, minutely_15, hourly")


def _position(answer: dict[str, object], context: Context) -> tuple[float, float]:
    if answer.get("latitude") is None and answer.get("longitude") is None:
        place = context.places.get("")
        coordinates = place.get("coordinates") if place else None
        if not isinstance(coordinates, list) or len(coordinates) < 2:
            raise Unusable("no_geometry", "the document has no latitude and longitude")
        return float(coordinates[1]), float(coordinates[0])
    return (
        number(answer.get("latitude"), "latitude", -90.0, 90.0),
        number(answer.get("longitude"), "longitude", -180.0, 180.0),
    )


def _units(answer: dict[str, object], block: str) -> dict[str, object]:
    units = answer.get(f"{block}_units")
    return units if isinstance(units, dict) else {}


def _rows(
    answer: dict[str, object],
    block: str,
    position: str,
    about: tuple[str, float, float, float],
    offset_s: float,
    collector: Collector,
) -> None:
    source, ts, lat, lon = about
    columns = answer[block]
    try:
        table = mapping(columns, block)
        times = items(table.get("time"), f"{block}.time")
        if len(times) > _MAX_ROWS:
            raise Unusable("too_large", f"{len(times)} rows, at most {_MAX_ROWS}")
        units = _units(answer, block)
        picked = {
            what: (name, items(table[name], name))
            for what, names in _NAMES.items()
            for name in names[:1] + tuple(n for n in names[1:] if names[0] not in table)
            if name in table
        }
    except Unusable as e:
        collector.problem(position, e.reason, dump(columns), e.detail)
        return
    if not picked:
        collector.problem(position, "missing_field", dump(list(table)), "no column that a report has")
        return
    if "precipitation" in picked:
        # The amount stamped with the next row's time fell during this row; it is unknown for the last one.
        name, amounts = picked["precipitation"]
        picked["precipitation"] = (name, [*amounts[1:], None])
    step_s = _STEP_S[block]
    for i in range(len(times)):
        row = {
            what: (name, column[i] if i < len(column) else None) for what, (name, column) in picked.items()
        }

        def make(i: int = i, row: dict[str, tuple[str, object]] = row) -> Iterator[Report]:
            start = time_of(times[i], "time", offset_s)
            yield _report(row, units, step_s, (source, ts, lat, lon), start)

        collector.item(f"{position}.time[{i}]", partial(dump, [times[i], row]), make)


def _current(
    block: dict[str, object],
    units: dict[str, object],
    offset_s: float,
    source: str,
    ts: float,
    lat: float,
    lon: float,
) -> WeatherReport:
    start = time_of(block.get("time"), "current.time", offset_s)
    step_s = number(block.get("interval", 900), "current.interval", 1.0, 86_400.0)
    row = {
        what: (name, block[name])
        for what, names in _NAMES.items()
        for name in reversed(names)
        if name in block
    }
    return _report(row, units, step_s, (source, ts, lat, lon), start)


def _report(
    row: dict[str, tuple[str, object]],
    units: dict[str, object],
    step_s: float,
    about: tuple[str, float, float, float],
    start: float,
) -> WeatherReport:
    source, ts, lat, lon = about

    def value(what: str, low: float, high: float, convert: Callable[[float, object], float]) -> float | None:
        name, raw = row.get(what, ("", None))
        return None if raw is None else convert(number(raw, name, low, high), units.get(name))

    amount_mm = value("precipitation", 0.0, 2000.0, lambda v, u: v * _unit(_AMOUNT_MM, u, "mm"))
    precip_mmph = None if amount_mm is None else amount_mm * 3600.0 / step_s
    if "precipitation" not in row:
        code = value("code", 0.0, 99.0, lambda v, _: v)
        precip_mmph = None if code is None else CODE_MMPH.get(int(code), 0.0)
    return WeatherReport(
        source=source,
        ts=ts,
        lat=lat,
        lon=lon,
        valid_from=start,
        valid_to=start + step_s,
        precip_mmph=precip_mmph,
        temp_c=value("temperature", -150.0, 150.0, lambda v, u: (v - 32.0) / 1.8 if u == "°F" else v),
        wind_mps=value("wind_speed", 0.0, 500.0, lambda v, u: v * _unit(_SPEED_MPS, u, "km/h")),
        wind_deg=value("wind_direction", 0.0, 360.0, lambda v, _: v),
        cloud=value("cloud", 0.0, 100.0, lambda v, _: v),
        uv=value("uv", 0.0, 30.0, lambda v, _: v),
    )


def _unit(table: dict[str, float], unit: object, default: str) -> float:
    if unit is None:
        return table[default]
    if not isinstance(unit, str) or unit not in table:
        raise Unusable("bad_type", f"unit {str(unit)[:20]!r} is none of {', '.join(table)}")
    return table[unit]
