"""What is given to `flaneur plan`, read from text: places, tastes, amounts and times."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from geo.errors import BadInput
from geo.opening_hours import time_zone_at

LENGTHS_M = 100.0, 100_000.0  # as a route request may have them
DURATIONS_MIN = 1.0, 1_440.0
_EPOCH = re.compile(r"\d{9,11}(\.\d+)?")


def point(option: str, text: str) -> tuple[float, float]:
    """LAT,LON in degrees."""
    parts = text.split(",")
    numbers = [_number(part) for part in parts]
    if len(parts) != 2 or any(math.isnan(number) for number in numbers):
        raise BadInput(f"{option} is {text!r}; it must be LAT,LON in degrees, such as 55.6761,12.5683")
    lat, lon = numbers
    if abs(lat) > 90 or abs(lon) > 180:
        raise BadInput(
            f"{option} is {text!r}, which is off the Earth; latitude (-90..90) comes first, "
            "then longitude (-180..180)"
        )
    return lat, lon


def amount(option: str, value: float | None, limits: tuple[float, float], unit: str) -> float | None:
    """A length or a duration that people can walk."""
    if value is not None and not limits[0] <= value <= limits[1]:
        raise BadInput(f"{option} is {value:g}; it must lie between {limits[0]:,g} and {limits[1]:,g} {unit}")
    return value


def taste(texts: Iterable[str]) -> dict[str, float]:
    """Weights from `name=w,name=w`, repeated or not; `geo.routing.costs.weights` checks names and limits."""
    found: dict[str, float] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        name, equals, weight = part.partition("=")
        name, value = name.strip(), _number(weight)
        if not name or not equals or math.isnan(value):
            raise BadInput(f"--taste has {part!r}; it must be name=weight, such as green=-0.8")
        if name in found:
            raise BadInput(f"--taste gives {name} twice; give each factor one weight")
        found[name] = value
    return found


def moment(text: str | None, now: datetime, place: tuple[float, float]) -> datetime:
    """A time from ISO 8601 (without an offset: by the clocks of the place) or seconds since the epoch."""
    if text is None:
        return now
    try:
        if _EPOCH.fullmatch(text):
            when = datetime.fromtimestamp(float(text), UTC)
        else:
            when = datetime.fromisoformat(text)
            if when.tzinfo is None:
                when = when.replace(tzinfo=ZoneInfo(time_zone_at(*place)))
        if not 0.0 < when.timestamp() < 1e11:
            raise ValueError
    except (ValueError, OverflowError, OSError):
        raise BadInput(
            f"--at is {text!r}; it must be a time such as 2026-06-01T22:00, or seconds since 1970"
        ) from None
    return when


def _number(text: str) -> float:
    """NaN for what is no number."""
    try:
        return float(text)
    except ValueError:
        return math.nan
