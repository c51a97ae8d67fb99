"""What phones' apps send, as fixes: OwnTracks (HTTP mode), Overland, OsmAnd and Traccar Client.

Each reader gives the fixes of a message, none for messages of other kinds, and raises Refused for garbage.
Who a message says that it is from counts for nothing. Values that mean "unknown" in an app (negative ones)
are left out. Formats: https://owntracks.org/booklet/tech/json/,
https://github.com/aaronpk/Overland-iOS#api, https://www.traccar.org/osmand/.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.errors import Refused
from gateway.fixes import Checked, of_values

KMH = 1 / 3.6  # m/s
KNOT = 0.514444  # m/s
MILLISECONDS_FROM = 1e11  # a number of seconds is never that large
MOST_LOCATIONS = 10_000


def owntracks_fixes(body: bytes, now: float) -> Checked:
    """A `location`; any other `_type` (waypoint, transition, lwt, encrypted...) is no fix."""
    if not body.strip():
        return Checked()
    message = _object(_parsed(body), "an OwnTracks message")
    if message.get("_type") != "location":
        return Checked()
    speed = _not_negative(message.get("vel"))
    values = {
        "ts": _must(message.get("tst"), "tst"),
        "lat": _must(message.get("lat"), "lat"),
        "lon": _must(message.get("lon"), "lon"),
        "accuracy_m": _positive(message.get("acc")),
        "speed_mps": None if speed is None else speed * KMH,
        "bearing_deg": _bearing(message.get("cog")),
        "altitude_m": _number(message.get("alt")),
        "battery": _percent(message.get("batt")),
    }
    return of_values([values], now)


def overland_fixes(body: bytes, now: float) -> Checked:
    """The points of a batch; features without a point are no fixes."""
    batch = _object(_parsed(body), "an Overland batch")
    locations = batch.get("locations")
    if not isinstance(locations, list) or len(locations) > MOST_LOCATIONS:
        raise Refused(f"an Overland batch has an array of at most {MOST_LOCATIONS} locations")
    return of_values([_overland(location) for location in locations], now)


def osmand_fixes(query: Mapping[str, str], body: bytes, now: float) -> Checked:
    """The position in a query (or in a form sent as the body), or in Traccar Client's JSON."""
    if body.lstrip()[:1] == b"{":
        return _traccar(_object(_parsed(body), "a Traccar message"), now)
    return of_values([_osmand(query, now)], now) if _has_place(query) else Checked()


def _overland(location: Any) -> dict[str, Any] | None:
    geometry = location.get("geometry") if isinstance(location, dict) else None
    properties = location.get("properties") if isinstance(location, dict) else None
    if not isinstance(geometry, dict) or not isinstance(properties, dict) or geometry.get("type") != "Point":
        return None
    point = geometry.get("coordinates")
    if not isinstance(point, list) or len(point) < 2:
        return None
    battery = _not_negative(properties.get("battery_level"))
    return {
        "ts": _time(properties.get("timestamp")),
        "lat": point[1],
        "lon": point[0],
        "accuracy_m": _positive(properties.get("horizontal_accuracy")),
        "speed_mps": _not_negative(properties.get("speed")),
        "bearing_deg": _bearing(properties.get("course")),
        "altitude_m": _number(properties.get("altitude")),
        "battery": None if battery is None else _percent(100 * battery),
    }


def _has_place(query: Mapping[str, str]) -> bool:
    return "location" in query or "lat" in query or "lon" in query


def _osmand(query: Mapping[str, str], now: float) -> dict[str, Any]:
    lat, lon = query.get("lat"), query.get("lon")
    if "location" in query:
        lat, _, lon = query["location"].partition(",")
    speed = _not_negative(query.get("speed"))
    return {
        "ts": _time(query["timestamp"]) if "timestamp" in query else now,
        "lat": _must(lat, "lat"),
        "lon": _must(lon, "lon"),
        "accuracy_m": _positive(query.get("accuracy", query.get("hacc"))),
        "speed_mps": None if speed is None else speed * KNOT,
        "bearing_deg": _bearing(query.get("bearing", query.get("heading"))),
        "altitude_m": _number(query.get("altitude")),
        "battery": _percent(query.get("batt")),
    }


def _traccar(message: dict[str, Any], now: float) -> Checked:
    location = message.get("location")
    coords = location.get("coords") if isinstance(location, dict) else None
    if not isinstance(location, dict) or not isinstance(coords, dict):
        return Checked()
    battery = location.get("battery")
    level = _not_negative(battery.get("level")) if isinstance(battery, dict) else None
    values = {
        "ts": _time(location.get("timestamp")),
        "lat": _must(coords.get("latitude"), "latitude"),
        "lon": _must(coords.get("longitude"), "longitude"),
        "accuracy_m": _positive(coords.get("accuracy")),
        "speed_mps": _not_negative(coords.get("speed")),
        "bearing_deg": _bearing(coords.get("heading")),
        "altitude_m": _number(coords.get("altitude")),
        "battery": None if level is None else _percent(100 * level),
    }
    return of_values([values], now)


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(f"the body is no JSON: {error}") from error


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{what} is a JSON object")
    return value


def _number(value: Any) -> float | None:
    """A finite number, also one in a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _must(value: Any, name: str) -> float:
    number = _number(value)
    if number is None:
        raise Refused(f"{name} is missing or no finite number")
    return number


def _not_negative(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number >= 0.0 else None


def _positive(value: Any) -> float | None:
    """An accuracy: 0 is not an exact position but an unknown error."""
    number = _number(value)
    return number if number is not None and number > 0.0 else None


def _bearing(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and 0.0 <= number <= 360.0 else None


def _percent(value: Any) -> float | None:
    number = _number(value)
    return round(number, 1) if number is not None and 0.0 <= number <= 100.0 else None


def _time(value: Any) -> float | None:
    """Seconds or milliseconds since the epoch, or ISO 8601; without an offset it is UTC."""
    number = _number(value)
    if number is not None:
        return number / 1000.0 if number >= MILLISECONDS_FROM else number
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
