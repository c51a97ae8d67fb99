"""Google's encoded polyline with six decimals, the form in which routes go to navigation clients."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from geo.errors import BadInput
from geo.graph import F64, I64

_SCALE = 1e6


def encode6(lat: ArrayLike, lon: ArrayLike) -> str:
    """Encode n points in degrees as polyline6, latitude first in each pair.

    Raises BadInput where the two differ in length or hold something that is not a coordinate.
    Format: Google, "Encoded Polyline Algorithm Format", with 1e6 in place of 1e5.
    """
    lats, lons = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    if lats.ndim != 1 or lats.shape != lons.shape:
        raise BadInput(f"a polyline needs as many latitudes as longitudes, not {lats.shape}, {lons.shape}")
    if not (np.all(np.abs(lats) <= 90) and np.all(np.abs(lons) <= 180)):
        raise BadInput("a polyline needs latitudes in -90..90 and longitudes in -180..180 degrees")
    points: I64 = np.rint(np.stack([lats, lons], axis=1) * _SCALE).astype(np.int64)
    steps = np.diff(points, axis=0, prepend=np.zeros((1, 2), np.int64)).ravel()
    out = bytearray()
    for value in (np.left_shift(steps, 1) ^ np.right_shift(steps, 63)).tolist():  # zigzag: sign last
        while value >= 0x20:
            out.append((0x20 | (value & 0x1F)) + 63)
            value >>= 5
        out.append(value + 63)
    return out.decode("ascii")


def decode6(text: str) -> tuple[F64, F64]:
    """Latitudes and longitudes in degrees of a polyline6; raises BadInput where it is not one."""
    steps: list[int] = []
    value = shift = 0
    for place, char in enumerate(text):
        chunk = ord(char) - 63
        if not 0 <= chunk < 64 or shift > 30:
            raise BadInput(f"not a polyline: unexpected {char!r} at character {place}")
        value |= (chunk & 0x1F) << shift
        shift += 5
        if chunk < 0x20:
            steps.append((value >> 1) ^ -(value & 1))
            value = shift = 0
    if shift or len(steps) % 2:
        raise BadInput("not a polyline: it ends in the middle of a point")
    points = np.cumsum(np.array(steps, np.int64).reshape(-1, 2), axis=0) / _SCALE
    return points[:, 0], points[:, 1]
