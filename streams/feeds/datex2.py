"""DATEX II situation publications (version 2, and 3 where it says the same), as XML.

https://docs.datex2.eu. One situation record, one traffic report, its source `feed#record-id`, so that a
newer version of the record replaces the older one. Of several versions of a situation in one document only
the newest is used. Records that do not concern walkers (speed limits, rerouting, transit) are ignored.

Where a record is: its own coordinates (`pointByCoordinates`, GML `posList`, OpenLR), else those of the
record before it in the same situation (Fintraffic writes the location once), else `context.places` by
record id, situation id or Alert-C code. Fintraffic gives Alert-C codes only: their coordinates come from
the simple JSON of the same situation (see `places_of` in streams.feeds.fintraffic).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from functools import partial

from models.records import TrafficReport
from streams.feeds.common import (
    MAX_POSITIONS,
    NO_CONTEXT,
    SEVERITY,
    Collector,
    Context,
    Geometry,
    Parsed,
    Report,
    Unusable,
    end_time,
    event_source,
    number,
    ordered,
    time_of,
)
from streams.feeds.xml_items import numbers_in, read_items, text_at, typename

CLOSED = {"roadClosed", "carriagewayClosures", "bridgeClosed", "iceRoadClosed", "tunnelClosed"}
WORKS = {"MaintenanceWorks", "ConstructionWorks", "Roadworks"}
IGNORED = {
    "SpeedManagement", "ReroutingManagement", "TransitInformation", "GeneralNetworkManagement",
    "RoadsideServiceDisruption", "ServiceDisruption", "CarParks", "WinterDrivingManagement",
    "GeneralInstructionOrMessageToRoadUsers", "AuthorityOperation", "SignSetting",
    "EquipmentOrSystemFault", "InformationStatus", "OperatorAction",
}  # fmt: skip
_LOCATION = ("groupOfLocations", "locationReference")
_MANAGEMENT = "RoadOrCarriagewayOrLaneManagement"
_ENDED = {"suspended", "expired"}


def parse(document: bytes, source: str, now: float, context: Context = NO_CONTEXT) -> Parsed:
    """Traffic reports of a SituationPublication; `ts` is each record's version time.

    A record without an end is open; one that is suspended ends at its version time at the latest.
    """
    situations, header, defect = read_items(document, "situation", ("publicationTime",))
    collector = Collector()
    newest = _newest_versions([item.element for item in situations])
    for i, item in enumerate(situations):
        if newest.get(item.element.get("id", ""), i) != i:
            collector.ignored += 1
            continue
        _situation(item.element, item.line, source, now, header, context, collector)
    if defect is not None:
        collector.problem(f"line {defect.line}", defect.reason, document, defect.detail)
    elif not situations:
        collector.problem("document", "missing_field", document, "there is no situation in the document")
    return collector.parsed()


def _newest_versions(situations: list[ET.Element]) -> dict[str, int]:
    """Index of the newest version of each situation id (the first of equals: publications go backwards)."""
    best: dict[str, tuple[int, int]] = {}
    for i, situation in enumerate(situations):
        version = situation.get("version", "")
        # Version 3 has no version of a situation, only of its records.
        records = [record.get("version", "") for record in situation.findall("situationRecord")]
        rank = max((int(v) for v in [version, *records] if v.isdecimal() and len(v) < 10), default=0)
        key = situation.get("id", "")
        if key not in best or rank > best[key][0]:
            best[key] = (rank, i)
    return {key: i for key, (_, i) in best.items()}


def _situation(
    situation: ET.Element,
    line: int,
    source: str,
    now: float,
    header: Mapping[str, str],
    context: Context,
    collector: Collector,
) -> None:
    situation_id = situation.get("id", "")
    records = situation.findall("situationRecord")
    works = any(typename(record) in WORKS for record in records)
    overall = text_at(situation, "overallSeverity")
    located: ET.Element | None = None
    for i, record in enumerate(records):
        own = next((found for name in _LOCATION if (found := record.find(name)) is not None), None)
        if own is not None and len(own):
            located = own

        def make(record: ET.Element = record, where: ET.Element | None = located) -> Iterator[Report]:
            kind = _kind(record, works)
            if kind is not None:
                yield _report(record, kind, where, situation_id, overall, source, now, header, context)

        position = f"situation {situation_id or '?'} (line {line}) record {record.get('id') or i}"
        collector.item(position, partial(_bytes, record), make)


def _kind(record: ET.Element, works: bool) -> str | None:
    """closure, roadwork or incident; None for what does not concern walkers."""
    name = typename(record)
    if not name:
        raise Unusable("missing_field", "the record has no xsi:type")
    if name in IGNORED:
        return None
    if name == _MANAGEMENT:
        types = {(e.text or "").strip() for e in record.iter("roadOrCarriagewayOrLaneManagementType")}
        if types & CLOSED:
            return "closure"
        return "roadwork" if works else "incident"
    return "roadwork" if name in WORKS else "incident"


def _report(
    record: ET.Element,
    kind: str,
    located: ET.Element | None,
    situation_id: str,
    overall: str | None,
    source: str,
    now: float,
    header: Mapping[str, str],
    context: Context,
) -> TrafficReport:
    record_id = record.get("id", "")
    if not record_id:
        raise Unusable("missing_field", "the record has no id")
    version_time = (
        text_at(record, "situationRecordVersionTime") or (header.get("publicationTime") or "").strip()
    )
    ts = time_of(version_time, "situationRecordVersionTime") if version_time else now
    spec = "validity/validityTimeSpecification/"
    valid_from = time_of(text_at(record, spec + "overallStartTime"), "overallStartTime")
    valid_to = end_time(text_at(record, spec + "overallEndTime"), "overallEndTime")
    if text_at(record, "validity/validityStatus") in _ENDED:
        valid_to = max(valid_from, min(ts, valid_to if valid_to is not None else ts))
    ordered(valid_from, valid_to)
    return TrafficReport(
        source=event_source(source, record_id),
        ts=ts,
        kind=kind,
        geometry=_geometry(located, record_id, situation_id, context),
        valid_from=valid_from,
        valid_to=valid_to,
        severity=SEVERITY.get(text_at(record, "severity") or overall or "unknown"),
    )


def _geometry(located: ET.Element | None, record_id: str, situation_id: str, context: Context) -> Geometry:
    found = _coordinates(located) if located is not None else None
    if found is not None:
        return found
    codes = _alert_c(located) if located is not None else []
    for key in (record_id, situation_id, *codes):
        if key in context.places:
            return context.places[key]
    named = f"only Alert-C codes {', '.join(codes)}" if codes else "no location"
    raise Unusable("no_geometry", f"{named}, and no place is given for them")


def _coordinates(location: ET.Element) -> Geometry | None:
    """A LineString for GML lines; points otherwise: a straight line between two ends is not the street."""
    lines = []
    for shape in location.iter("posList"):
        values = list(numbers_in(shape.text or "", "posList"))[: 2 * MAX_POSITIONS]
        if len(values) < 4 or len(values) % 2:
            raise Unusable("bad_geometry", f"posList of {len(values)} numbers")
        lines.append([_position(lat, lon) for lat, lon in zip(values[::2], values[1::2], strict=True)])
    if lines:
        if len(lines) == 1:
            return {"type": "LineString", "coordinates": lines[0]}
        return {"type": "MultiLineString", "coordinates": lines}
    points: list[list[float]] = []
    parents = [
        e for e in location.iter() if e.find("latitude") is not None or e.find("longitude") is not None
    ]
    # A display point is for drawing a symbol; it counts only if there is nothing else.
    exact = [e for e in parents if e.tag not in ("locationForDisplay", "coordinatesForDisplay")]
    for e in (exact or parents)[:MAX_POSITIONS]:
        pair: list[float] = []
        for name in ("latitude", "longitude"):
            value = text_at(e, name)
            if value is None:
                raise Unusable("missing_field", f"{name} is empty")
            pair.extend(numbers_in(value, name))
        if len(pair) != 2:
            raise Unusable("bad_type", "latitude or longitude is not one number")
        position = _position(pair[0], pair[1])
        if position not in points:
            points.append(position)
    if not points:
        return None
    if len(points) == 1:
        return {"type": "Point", "coordinates": points[0]}
    return {"type": "MultiPoint", "coordinates": points}


def _position(lat: float, lon: float) -> list[float]:
    return [number(lon, "longitude", -180.0, 180.0), number(lat, "latitude", -90.0, 90.0)]


def _bytes(record: ET.Element) -> bytes:
    return ET.tostring(record, encoding="unicode").encode("utf-8", "replace")


def _alert_c(location: ET.Element) -> list[str]:
    """`alertc:<country>:<table>:<code>` of the location, primary point first."""
    country = next((e.text or "" for e in location.iter("alertCLocationCountryCode")), "").strip()
    table = next((e.text or "" for e in location.iter("alertCLocationTableNumber")), "").strip()
    return [f"alertc:{country}:{table}:{(e.text or '').strip()}" for e in location.iter("specificLocation")]
