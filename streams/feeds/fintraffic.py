"""Fintraffic's simple JSON of traffic messages (Digitraffic): phases of road works, and announcements.

https://www.digitraffic.fi/en/road-traffic/. A document is one GeoJSON Feature or a FeatureCollection. Each
road work phase becomes one report, or, where it has working hours, one report a working day of the week
that follows its start (or `now`, if that is later): outside the hours nothing is in the way. An announcement
without phases becomes one report. Two generations of the format differ in the spelling of their words
(`ROAD_CLOSED`, `road closed`) and are read alike.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from models.records import TrafficReport
from streams.feeds.common import (
    NO_CONTEXT,
    SEVERITY,
    Collector,
    Context,
    Geometry,
    Parsed,
    Report,
    Unusable,
    dump,
    end_time,
    event_source,
    geometry_of,
    items,
    load_json,
    mapping,
    ordered,
    refused,
    text,
    time_of,
)

FOOTWAY_SEVERITY = 8.0
WORK_DAYS_AHEAD = 7
_CLOSED = {"ROAD_CLOSED", "CLOSED", "BRIDGE_CLOSED", "TUNNEL_CLOSED"}
_FOOTWAY = {"NARROW_OR_CLOSED_PEDESTRIAN_AND_BICYLE_PATH", "NARROW_OR_CLOSED_PEDESTRIAN_AND_BICYCLE_PATH"}
_CLOSED_NAME = "Tie on suljettu liikenteeltä"  # the only sign of a closure in an announcement's features
_IGNORED_TYPES = {"EXEMPTED_TRANSPORT", "WEIGHT_RESTRICTION"}
_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_DAY_S = 86_400.0
Interval = tuple[float, float | None]


def parse(document: bytes, source: str, now: float, context: Context = NO_CONTEXT) -> Parsed:
    """Traffic reports of a document; `ts` is the situation's version time."""
    try:
        features = _features(load_json(document))
    except Unusable as e:
        return refused(document, e.reason, e.detail)
    collector = Collector()
    for i, feature in enumerate(features):
        try:
            _feature(feature, f"features[{i}]", source, now, collector)
        except Unusable as e:
            collector.problem(f"features[{i}]", e.reason, dump(feature), e.detail)
    return collector.parsed()


def places_of(document: bytes) -> dict[str, Geometry]:
    """Geometry by situation id and by phase id: what Fintraffic's DATEX II of the same situations lacks.

    Empty for a document that cannot be read.
    """
    places: dict[str, Geometry] = {}
    try:
        features = _features(load_json(document))
    except Unusable:
        return places
    for feature in features:
        try:
            fields = mapping(feature, "feature")
            properties = mapping(fields.get("properties"), "properties")
            places[text(properties.get("situationId"), "situationId")] = geometry_of(fields.get("geometry"))
        except Unusable:
            continue
    return places


def _features(top: object) -> list[object]:
    fields = mapping(top, "the document")
    if fields.get("type") == "FeatureCollection":
        return items(fields.get("features"), "features")
    return [fields]


def _feature(feature: object, position: str, source: str, now: float, collector: Collector) -> None:
    fields = mapping(feature, "feature")
    properties = mapping(fields.get("properties"), "properties")
    if _word(properties.get("situationType")) in _IGNORED_TYPES:
        collector.ignored += 1
        return
    situation_id = text(properties.get("situationId"), "situationId")
    geometry = geometry_of(fields.get("geometry"))
    ts = time_of(properties.get("versionTime") or properties.get("releaseTime") or now, "versionTime")
    announcements = items(properties.get("announcements"), "announcements")
    works = _word(properties.get("situationType")) == "ROAD_WORK"
    for i, raw in enumerate(announcements):
        where = f"{position}.properties.announcements[{i}]"
        try:
            announcement = mapping(raw, "announcement")
            phases = items(announcement.get("roadWorkPhases") or [], "roadWorkPhases")
        except Unusable as e:
            collector.problem(where, e.reason, dump(raw), e.detail)
            continue
        if i > 0 and _word(announcement.get("language")) != "FI" and phases:
            collector.ignored += 1  # the same phases in another language
            continue
        for k, phase in enumerate(phases):

            def make_phase(phase: object = phase, k: int = k) -> Iterator[Report]:
                return _phase(phase, f"{situation_id}/{k}", geometry, ts, source, now)

            collector.item(f"{where}.roadWorkPhases[{k}]", partial(dump, phase), make_phase)
        if not phases:

            def make(announcement: dict[str, object] = announcement) -> Iterator[Report]:
                yield _announcement(announcement, situation_id, geometry, ts, source, works)

            collector.item(where, partial(dump, raw), make)


def _phase(
    raw: object, fallback_id: str, geometry: Geometry, ts: float, source: str, now: float
) -> Iterator[TrafficReport]:
    phase = mapping(raw, "phase")
    phase_id = phase.get("id") or fallback_id
    restrictions = {
        _word(mapping(one, "restriction").get("type"))
        for one in items(phase.get("restrictions") or [], "restrictions")
    }
    kind = "closure" if restrictions & _CLOSED else "roadwork"
    severity = _severity(phase.get("severity"))
    if restrictions & _FOOTWAY:
        severity = max(severity or 0.0, FOOTWAY_SEVERITY)
    start, end = _validity(phase)
    hours = items(phase.get("workingHours") or [], "workingHours")
    whole = event_source(source, text(phase_id, "phase id"))
    for valid_from, valid_to in _working_intervals(hours, start, end, now) if hours else [(start, end)]:
        # Each working day is an event of its own, or the next day would replace this one.
        day = f"/{datetime.fromtimestamp(valid_from, UTC):%Y-%m-%d}" if hours else ""
        yield TrafficReport(
            source=whole + day,
            ts=ts,
            kind=kind,
            geometry=geometry,
            valid_from=valid_from,
            valid_to=valid_to,
            severity=severity,
        )


def _announcement(
    announcement: dict[str, object],
    situation_id: str,
    geometry: Geometry,
    ts: float,
    source: str,
    works: bool,
) -> TrafficReport:
    names = {
        mapping(one, "feature").get("name") for one in items(announcement.get("features") or [], "features")
    }
    start, end = _validity(announcement)
    return TrafficReport(
        source=event_source(source, situation_id),
        ts=ts,
        kind="closure" if _CLOSED_NAME in names else "roadwork" if works else "incident",
        geometry=geometry,
        valid_from=start,
        valid_to=end,
        severity=_severity(announcement.get("severity")),
    )


def _validity(block: dict[str, object]) -> Interval:
    times = mapping(block.get("timeAndDuration"), "timeAndDuration")
    start = time_of(times.get("startTime"), "startTime")
    end = end_time(times.get("endTime"), "endTime")
    ordered(start, end)
    return start, end


def _severity(raw: object) -> float | None:
    return SEVERITY.get(_word(raw).lower())


def _word(raw: object) -> str:
    """The newer format's spelling of a word: `road work` → `ROAD_WORK`; "" for anything but text."""
    return raw.upper().replace(" ", "_") if isinstance(raw, str) else ""


def _working_intervals(hours: list[object], start: float, end: float | None, now: float) -> list[Interval]:
    """The intervals at work within a week from the start or `now`, those that touch joined.

    Hours are Finnish local time; an end before its start is on the next day, 23:59 means midnight.
    """
    by_day: dict[int, list[tuple[float, float]]] = {}
    for raw in hours:
        entry = mapping(raw, "workingHours")
        weekday = _word(entry.get("weekday"))
        if weekday not in _WEEKDAYS:
            raise Unusable("bad_time", f"weekday {weekday[:20]!r}")
        opens, closes = _clock_s(entry.get("startTime")), _clock_s(entry.get("endTime"))
        if closes >= _DAY_S - 60.0:
            closes = _DAY_S
        if closes <= opens:
            closes += _DAY_S
        by_day.setdefault(_WEEKDAYS.index(weekday), []).append((opens, closes))
    first = max(start, now)
    last = first + WORK_DAYS_AHEAD * _DAY_S
    if end is not None:
        last = min(last, end)
    found: list[tuple[float, float]] = []
    midnight = datetime.fromtimestamp(first - _DAY_S, UTC) + timedelta(seconds=helsinki_offset_s(first))
    day = midnight.replace(hour=0, minute=0, second=0, microsecond=0)
    for _ in range(WORK_DAYS_AHEAD + 2):
        local_midnight = day.timestamp()
        for opens, closes in sorted(by_day.get(day.weekday(), [])):
            begin, stop = (_from_local(local_midnight + s) for s in (opens, closes))
            begin, stop = max(begin, start), min(stop, last)
            if stop <= max(begin, first):
                continue
            if found and begin <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], stop))
            else:
                found.append((begin, stop))
        day += timedelta(days=1)
    return list(found)


def _clock_s(raw: object) -> float:
    parts = raw.split(":") if isinstance(raw, str) else []
    if len(parts) not in (2, 3) or not all(p.isdecimal() and len(p) == 2 for p in parts):
        raise Unusable("bad_time", f"time of day {str(raw)[:20]!r}")
    hour, minute, second = (int(p) for p in [*parts, "00"][:3])
    if hour > 24 or minute > 59 or second > 59:
        raise Unusable("bad_time", f"time of day {str(raw)[:20]!r}")
    return min(_DAY_S, hour * 3600.0 + minute * 60.0 + second)


def helsinki_offset_s(ts: float) -> float:
    """Seconds that Finnish local time is ahead of UTC.

    Summer time lasts from the last Sunday of March to that of October, 01:00 UTC (Directive 2000/84/EC).
    Reckoned here so that it does not depend on a time zone database being installed.
    """
    year = datetime.fromtimestamp(ts, UTC).year
    begins, ends = (_last_sunday(year, month) for month in (3, 10))
    return 10_800.0 if begins <= ts < ends else 7_200.0


def _last_sunday(year: int, month: int) -> float:
    last = calendar.monthrange(year, month)[1]
    date = datetime(year, month, last, 1, tzinfo=UTC)
    return (date - timedelta(days=(date.weekday() + 1) % 7)).timestamp()


def _from_local(local_s: float) -> float:
    return local_s - helsinki_offset_s(local_s - helsinki_offset_s(local_s))
