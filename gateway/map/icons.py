"""Draws all icons into one picture of distances, from which MapLibre colours and scales them.

A signed distance field: 191 on a shape's edge, more inside, less outside, 32 a pixel; the way that
Green (SIGGRAPH 2007) found to keep edges sharp at every size.
"""

from __future__ import annotations

import json
import struct
import zlib
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from gateway.map.icon_shapes import ICONS
from gateway.map.shapes import FIELD

_MARGIN = 3  # around each icon's field, for its halo
_COLUMNS = 8
_EDGE, _STEP_PER_PX = 191.25, 255 / 8


class Sprite(NamedTuple):
    """A picture of all icons, and where in it each one is."""

    png: bytes
    positions: bytes  # JSON, as the style specification has it


@cache
def sprite(pixel_ratio: int) -> Sprite:
    """The icons for screens with this many pixels to a pixel of style, 1 or 2."""
    side = round((FIELD + 2 * _MARGIN) * pixel_ratio)
    rows = -(-len(ICONS) // _COLUMNS)
    picture = np.zeros((rows * side, _COLUMNS * side), np.uint8)
    index: dict[str, dict[str, Any]] = {}
    for number, (name, shape) in enumerate(sorted(ICONS.items())):
        y, x = (part * side for part in divmod(number, _COLUMNS))
        picture[y : y + side, x : x + side] = _distances(shape(), side, pixel_ratio)
        index[name] = {
            "x": x, "y": y, "width": side, "height": side, "pixelRatio": pixel_ratio, "sdf": True,
        }  # fmt: skip
    return Sprite(_png(picture), json.dumps(index).encode())


def _distances(shape: Any, side: int, pixel_ratio: int) -> NDArray[np.uint8]:
    middle = (np.arange(side) + 0.5) / pixel_ratio - _MARGIN
    points = shapely.points(*np.meshgrid(middle, middle))
    shapely.prepare(shape)
    away_px = shapely.distance(points, shapely.boundary(shape)) * pixel_ratio
    inside = np.where(shapely.contains(shape, points), away_px, -away_px)
    levels: NDArray[np.uint8] = np.clip(np.rint(_EDGE + inside * _STEP_PER_PX), 0, 255).astype(np.uint8)
    return levels


def _png(alpha: NDArray[np.uint8]) -> bytes:
    """A picture that is white and only more or less opaque (PNG: W3C recommendation, colour type 6)."""
    height, width = alpha.shape
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[:, :, 3] = alpha
    lines = np.hstack(
        (np.zeros((height, 1), np.uint8), pixels.reshape(height, -1))
    )  # each begins: unfiltered
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
