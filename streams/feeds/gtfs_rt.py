"""GTFS-realtime service alerts, protobuf or its text form: incidents around the stops they inform.

https://gtfs.org/documentation/realtime/reference/#message-alert. Alerts name stops, not coordinates: the
places come from `context.places` (GTFS `stops.txt`, by stop id). A stop without a place and an alert for a
whole route or agency become problems. All are incidents: even a stop without service leaves the street open
to walkers. Trip updates and vehicle positions are ignored, so are alerts of no effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from google.transit import gtfs_realtime_pb2

from models.records import TrafficReport
from streams.feeds.common import (
    MAX_DOCUMENT_BYTES,
    NO_CONTEXT,
    Collector,
    Context,
    Parsed,
    Report,
    Unusable,
    event_source,
    geometry_of,
    ordered,
    refused,
    time_of,
)

# What stands at a stop because of the alert, 0..10: crowds where nothing runs, detours and moved stops less.
SEVERITY_OF_EFFECT = {
    "NO_SERVICE": 6.0,
    "REDUCED_SERVICE": 3.0,
    "SIGNIFICANT_DELAYS": 4.0,
    "DETOUR": 3.0,
    "MODIFIED_SERVICE": 2.0,
    "STOP_MOVED": 3.0,
    "ACCESSIBILITY_ISSUE": 5.0,
}
IGNORED_EFFECTS = {"NO_EFFECT", "ADDITIONAL_SERVICE"}
_TEXT = re.compile(rb"\s*(#|header\s*[:{]|entity\s*[:{])")


def parse(document: bytes, source: str, now: float, context: Context = NO_CONTEXT) -> Parsed:
    """Traffic reports of a FeedMessage, one a stop and active period; `ts` is the header's timestamp."""
    if len(document) > MAX_DOCUMENT_BYTES:
        return refused(document, "too_large", f"{len(document)} bytes, at most {MAX_DOCUMENT_BYTES}")
    message = gtfs_realtime_pb2.FeedMessage()
    try:
        if _TEXT.match(document):
            text_format.Parse(document, message, allow_unknown_field=True)
        else:
            message.ParseFromString(document)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, ValueError, RecursionError) as e:
        return refused(document, "not_gtfs_rt", str(e)[:200])
    collector = Collector()
    ts = float(message.header.timestamp) or now
    for i, entity in enumerate(message.entity):
        if not entity.HasField("alert"):
            collector.ignored += 1
            continue
        _alert(entity, f"entity[{i}]", source, ts, context, collector)
    if not message.entity:
        collector.problem("document", "missing_field", document, "the feed has no entity")
    return collector.parsed()


def _alert(
    entity: Any, position: str, source: str, ts: float, context: Context, collector: Collector
) -> None:
    alert = entity.alert
    effect = _name(gtfs_realtime_pb2.Alert.Effect, alert.effect)
    if effect in IGNORED_EFFECTS or entity.is_deleted:
        collector.ignored += 1
        return
    informed = list(alert.informed_entity)
    if not informed:
        collector.problem(position, "no_geometry", entity.SerializePartialToString(), "nobody is informed")
    for k, selector in enumerate(informed):

        def make(selector: Any = selector) -> Iterator[Report]:
            return _reports(entity, selector, source, ts, SEVERITY_OF_EFFECT.get(effect), context)

        where = f"{position}.alert.informed_entity[{k}]"
        collector.item(where, selector.SerializePartialToString, make)


def _reports(
    entity: Any, selector: Any, source: str, ts: float, severity: float | None, context: Context
) -> Iterator[TrafficReport]:
    if not selector.stop_id:
        raise Unusable("no_geometry", "the alert is for a route, trip or agency, not for a stop")
    if selector.stop_id not in context.places:
        raise Unusable("no_geometry", f"the place of stop {selector.stop_id[:60]!r} is not given")
    geometry = geometry_of(context.places[selector.stop_id])
    for p, (start, end) in enumerate(_periods(entity.alert, ts)):
        part = f"/{p}" if p else ""
        yield TrafficReport(
            source=event_source(source, f"{entity.id}/{selector.stop_id}{part}"),
            ts=time_of(ts, "header.timestamp"),
            kind="incident",
            geometry=geometry,
            valid_from=start,
            valid_to=end,
            severity=severity,
        )


def _periods(alert: Any, ts: float) -> Iterator[tuple[float, float | None]]:
    """Active periods; none means active from now until the alert is gone."""
    for period in alert.active_period:
        start = time_of(float(period.start), "active_period.start") if period.start else ts
        end = time_of(float(period.end), "active_period.end") if period.end else None
        ordered(start, end)
        yield start, end
    if not alert.active_period:
        yield time_of(ts, "header.timestamp"), None


def _name(enum: Any, value: int) -> str:
    try:
        return str(enum.Name(value))
    except ValueError:
        return "UNKNOWN_EFFECT"
