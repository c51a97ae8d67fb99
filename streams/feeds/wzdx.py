"""Work Zone Data Exchange (WZDx) GeoJSON feeds, versions 3 and 4.

https://github.com/usdot-jpo-ode/wzdx. A work zone with `vehicle_impact` all-lanes-closed is a closure, any
other, and a restriction, a roadwork whose severity grows with what is closed. Detours only tell where
vehicles go instead and are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from models.records import TrafficReport
from streams.feeds.common import (
    NO_CONTEXT,
    Collector,
    Context,
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

_WALKERS_LANES = {"sidewalk", "shared-use-path"}
_IGNORED_STATUS = {"completed", "cancelled"}


def parse(document: bytes, source: str, now: float, context: Context = NO_CONTEXT) -> Parsed:
    """Traffic reports of a WZDx feed; `ts` is the event's update date, else the feed's, else `now`."""
    try:
        top = mapping(load_json(document), "the document")
        features = items(top.get("features"), "features")
    except Unusable as e:
        return refused(document, e.reason, e.detail)
    collector = Collector()
    info = top.get("feed_info") or top.get("road_event_feed_info")
    feed_ts: object = info.get("update_date") if isinstance(info, dict) else None
    for i, feature in enumerate(features):

        def make(feature: object = feature) -> Iterator[Report]:
            return _reports(feature, source, feed_ts or now)

        collector.item(f"features[{i}]", partial(dump, feature), make)
    return collector.parsed()


def _reports(feature: object, source: str, feed_ts: object) -> Iterator[TrafficReport]:
    fields = mapping(feature, "feature")
    properties = mapping(fields.get("properties"), "properties")
    # Version 3 writes the core details flat among the other properties.
    core = mapping(properties.get("core_details", properties), "core_details")
    event_type = text(core.get("event_type"), "event_type")
    if event_type not in ("work-zone", "restriction") or properties.get("event_status") in _IGNORED_STATUS:
        return
    event_id = fields.get("id") or properties.get("road_event_id")
    start = time_of(properties.get("start_date"), "start_date")
    end = end_time(properties.get("end_date"), "end_date")
    ordered(start, end)
    impact = text(properties.get("vehicle_impact", "unknown"), "vehicle_impact")
    yield TrafficReport(
        source=event_source(source, text(event_id, "id")),
        ts=time_of(core.get("update_date") or core.get("creation_date") or feed_ts, "update_date"),
        kind="closure" if impact == "all-lanes-closed" else "roadwork",
        geometry=geometry_of(fields.get("geometry")),
        valid_from=start,
        valid_to=end,
        severity=_severity(impact, properties.get("lanes")),
    )


def _severity(impact: str, lanes: object) -> float | None:
    """0..10: 10 closed, 8 a sidewalk closed, 6 some lanes closed, 3 narrowed or shifted, 1 all lanes open."""
    closed = {
        lane.get("type")
        for lane in (lanes if isinstance(lanes, list) else [])
        if isinstance(lane, dict) and lane.get("status") == "closed" and isinstance(lane.get("type"), str)
    }
    if impact == "all-lanes-closed":
        return 10.0
    if closed & _WALKERS_LANES:
        return 8.0
    if impact.startswith("some-lanes-closed") or impact in ("alternating-one-way", "flagging"):
        return 6.0
    if impact == "all-lanes-open":
        return 1.0
    return None if impact == "unknown" else 3.0
