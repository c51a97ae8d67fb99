"""Simple shapes that icons are put together from, on a field of 15 × 15 (x to the right, y down)."""

from __future__ import annotations

import math
from typing import Any

import shapely

FIELD = 15.0


def box(left: float, top: float, right: float, bottom: float, round_by: float = 0.0) -> Any:
    inner = shapely.box(left + round_by, top + round_by, right - round_by, bottom - round_by)
    return inner.buffer(round_by) if round_by else inner


def disc(x: float, y: float, radius: float) -> Any:
    return shapely.Point(x, y).buffer(radius)


def line(*points: tuple[float, float], width: float = 1.4) -> Any:
    return shapely.LineString(points).buffer(width / 2)


def area(*points: tuple[float, float], round_by: float = 0.3) -> Any:
    return shapely.Polygon(points).buffer(-round_by).buffer(2 * round_by).buffer(-round_by)


def arc(x: float, y: float, radius: float, start_deg: float, end_deg: float, width: float = 1.3) -> Any:
    """Degrees clockwise from the right."""
    angles = [math.radians(start_deg + (end_deg - start_deg) * part / 16) for part in range(17)]
    return line(*((x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles), width=width)


def union(*shapes: Any) -> Any:
    return shapely.union_all(shapes)
