"""MET Norway's locationforecast 2.0, compact and complete: one forecast step, one weather report.

https://api.met.no/weatherapi/locationforecast/2.0/documentation. A step holds from its time to the next
step's. Precipitation is the amount of `next_1_hours`, else that of `next_6_hours` spread evenly. The UV
index (complete only) is that of a clear sky; clouds are in `cloud`. The envelope `{"data": …}` in which
some clients store answers is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    optional,
    refused,
    time_of,
)

DEFAULT_STEP_S = 3600.0
_PERIODS = (("next_1_hours", 1.0), ("next_6_hours", 6.0), ("next_12_hours", 12.0))


def parse(document: bytes, source: str, now: float, context: Context = NO_CONTEXT) -> Parsed:
    """Weather reports of a locationforecast document; `ts` is its `updated_at`, else `now`."""
    try:
        top = mapping(load_json(document), "the document")
        if "properties" not in top and isinstance(top.get("data"), dict):
            top = mapping(top["data"], "data")
        place = mapping(top.get("geometry"), "geometry")
        coordinates = items(place.get("coordinates"), "geometry.coordinates")
        if len(coordinates) < 2:
            raise Unusable("no_geometry", "geometry.coordinates has less than two numbers")
        lon = number(coordinates[0], "longitude", -180.0, 180.0)
        lat = number(coordinates[1], "latitude", -90.0, 90.0)
        properties = mapping(top.get("properties"), "properties")
        steps = items(properties.get("timeseries"), "properties.timeseries")
    except Unusable as e:
        return refused(document, e.reason, e.detail)
    collector = Collector()
    ts = now
    try:
        meta = properties.get("meta")
        if isinstance(meta, dict) and meta.get("updated_at") is not None:
            ts = time_of(meta["updated_at"], "updated_at")
    except Unusable as e:
        collector.problem("properties.meta.updated_at", e.reason, dump(meta), e.detail)
    starts = [_start(step) for step in steps]
    for i, step in enumerate(steps):

        def make(i: int = i, step: object = step) -> Iterator[Report]:
            yield _report(step, _step_s(starts, i), source, ts, lat, lon)

        collector.item(f"properties.timeseries[{i}]", partial(dump, step), make)
    return collector.parsed()


def _start(step: object) -> float | None:
    try:
        return time_of(mapping(step, "step").get("time"), "time")
    except Unusable:
        return None


def _step_s(starts: list[float | None], i: int) -> float:
    """Time to the next step; the last one is taken to be as long as the one before it."""
    for a, b in ((i, i + 1), (i - 1, i)):
        if a >= 0 and b < len(starts):
            first, second = starts[a], starts[b]
            if first is not None and second is not None and 0.0 < second - first <= 24 * 3600.0:
                return second - first
    return DEFAULT_STEP_S


def _report(step: object, step_s: float, source: str, ts: float, lat: float, lon: float) -> WeatherReport:
    fields = mapping(step, "step")
    start = time_of(fields.get("time"), "time")
    data = mapping(fields.get("data"), "data")
    instant = mapping(mapping(data.get("instant"), "data.instant").get("details"), "data.instant.details")
    return WeatherReport(
        source=source,
        ts=ts,
        lat=lat,
        lon=lon,
        valid_from=start,
        valid_to=start + step_s,
        precip_mmph=_precip_mmph(data, instant),
        temp_c=optional(instant.get("air_temperature"), "air_temperature", -90.0, 60.0),
        wind_mps=optional(instant.get("wind_speed"), "wind_speed", 0.0, 150.0),
        wind_deg=optional(instant.get("wind_from_direction"), "wind_from_direction", 0.0, 360.0),
        cloud=optional(instant.get("cloud_area_fraction"), "cloud_area_fraction", 0.0, 100.0),
        uv=optional(instant.get("ultraviolet_index_clear_sky"), "ultraviolet_index_clear_sky", 0.0, 30.0),
    )


def _precip_mmph(data: dict[str, object], instant: dict[str, object]) -> float | None:
    rate = optional(instant.get("precipitation_rate"), "precipitation_rate", 0.0, 1000.0)
    if rate is not None:
        return rate
    for period, hours in _PERIODS:
        block = data.get(period)
        details = block.get("details") if isinstance(block, dict) else None
        if isinstance(details, dict) and details.get("precipitation_amount") is not None:
            return number(details["precipitation_amount"], "precipitation_amount", 0.0, 2000.0) / hours
    return None
