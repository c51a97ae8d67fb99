"""Reads vector tiles back, by the specification and not by the code that wrote them."""

import gzip
import math
from itertools import pairwise
from typing import NamedTuple

import shapely
from vt2pbf import parse_from_string

EXTENT = 4096


class Drawn(NamedTuple):
    """A feature of a tile; its geometry in the tile's whole numbers, y southwards."""

    kind: int  # 1 points, 2 lines, 3 polygons
    attributes: dict
    parts: list  # of points


def layers_of(data: bytes) -> dict[str, list[Drawn]]:
    """The features of a gzipped tile by layer."""
    tile = parse_from_string(gzip.decompress(data)).tile_pbf
    assert len({layer.name for layer in tile.layers}) == len(tile.layers)
    found = {}
    for layer in tile.layers:
        assert (layer.version, layer.extent) == (2, EXTENT)
        values = [_value(value) for value in layer.values]
        found[layer.name] = [
            Drawn(
                feature.type,
                {
                    layer.keys[key]: values[value]
                    for key, value in zip(feature.tags[::2], feature.tags[1::2], strict=True)
                },
                _parts(feature.geometry, feature.type),
            )
            for feature in layer.features
        ]
    return found


def geometry_of(drawn: Drawn):
    """As shapely has it; rings of positive area (in the tile's own axes) are outlines, others holes."""
    if drawn.kind == 1:
        return shapely.multipoints([part[0] for part in drawn.parts])
    if drawn.kind == 2:
        return shapely.multilinestrings([shapely.linestrings(part) for part in drawn.parts])
    outlines: list[tuple[list, list]] = []
    for ring in drawn.parts:
        if _area(ring) > 0:
            outlines.append((ring, []))
        else:
            outlines[-1][1].append(ring)  # a hole follows its outline
    return shapely.multipolygons([shapely.Polygon(outer, holes) for outer, holes in outlines])


def tile_at(lat: float, lon: float, zoom: int) -> tuple[int, int]:
    """The tile that holds a place."""
    x, y = _world(lat, lon)
    return int(x * 2**zoom), int(y * 2**zoom)


def point_in(lat: float, lon: float, zoom: int, x: int, y: int):
    """A place in a tile's coordinates."""
    world_x, world_y = _world(lat, lon)
    return shapely.Point((world_x * 2**zoom - x) * EXTENT, (world_y * 2**zoom - y) * EXTENT)


def _world(lat: float, lon: float) -> tuple[float, float]:
    return lon / 360 + 0.5, 0.5 - math.asinh(math.tan(math.radians(lat))) / (2 * math.pi)


def _value(value):
    ((_, found),) = value.ListFields()
    return found


def _parts(commands, kind: int) -> list:
    """Geometry commands, section 4.3 of the specification."""
    parts, x, y, at = [], 0, 0, 0
    while at < len(commands):
        what, times = commands[at] & 7, commands[at] >> 3
        at += 1
        if what == 7:
            assert (kind, times) == (3, 1)
            parts[-1].append(parts[-1][0])
            continue
        for _ in range(times):
            x += (commands[at] >> 1) ^ -(commands[at] & 1)
            y += (commands[at + 1] >> 1) ^ -(commands[at + 1] & 1)
            at += 2
            if what == 1:
                parts.append([(x, y)])
            else:
                parts[-1].append((x, y))
    return parts


def _area(ring: list) -> float:
    """The surveyor's formula."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring)) / 2
