"""Cuts the features of the base map into vector tiles (Mapbox Vector Tile specification 2.1).

Web Mercator (EPSG:3857) has the whole world in one square at zoom 0, and cuts each tile into four from zoom
to zoom; within a tile coordinates are integers from 0 to EXTENT, y southwards.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from vt2pbf import Tile

from geo.osm.basemap.features import Attributes, Box, Feature
from geo.osm.basemap.schema import MAX_ZOOM, MIN_ZOOM

EXTENT = 4096
_BUFFER = 96  # beyond the tile's edge, so that lines and names do not end there; 12 of 512 pixels
_TOLERANCE = 4.0  # half a pixel
_MARGIN_DEG = 0.01  # about 1 km round a file's box: ways lead out of it
_SMALLEST_AREA = 64.0  # a square pixel
_POINT, _LINE, _POLYGON = 1, 2, 3
_TYPES = {"Point": _POINT, "LineString": _LINE, "Polygon": _POLYGON}

Frames = NDArray[np.int64]  # (n, 4) first x, first y, last x, last y
Address = tuple[int, int, int]  # zoom, x, y
Told = Callable[[int, int], None]  # how much is done, how much there is


def cut_tiles(
    layers: dict[str, list[Feature]], boxes: Sequence[Box], told: Told
) -> Iterator[tuple[Address, bytes]]:
    """All tiles of the boxes that hold something, gzipped; zoom after zoom, from west to east."""
    worlds = {name: _Layer(features) for name, features in sorted(layers.items()) if features}
    zooms = range(MIN_ZOOM, MAX_ZOOM + 1)
    for step, zoom in enumerate(zooms):
        frames = _frames(boxes, zoom)
        scaled = {name: world.at(zoom, frames) for name, world in worlds.items()}
        places = sorted({place for layer in scaled.values() for place in layer.members})
        for number, (x, y) in enumerate(places):
            told(step * len(places) + number, len(zooms) * len(places))
            tile = Tile(extend=EXTENT)
            for name, layer in scaled.items():
                features = list(layer.cut((x, y)))
                if features:
                    tile.add_layer(name, features)
            if tile.tile_pbf.layers:
                yield (zoom, x, y), gzip.compress(tile.serialize_to_bytestring(), 9, mtime=0)
    told(1, 1)


class _Layer:
    """The features of one layer in the world square."""

    def __init__(self, features: Sequence[Feature]) -> None:
        geometries = np.array([feature.geometry for feature in features], object)
        self._geometries = shapely.transform(geometries, _to_world)
        self._attributes = [feature.attributes for feature in features]
        self._min_zoom = np.array([feature.min_zoom for feature in features])
        # what is large is drawn first, below what is small
        self._order = np.argsort(-shapely.area(self._geometries), kind="stable")

    def at(self, zoom: int, frames: Frames) -> _Scaled:
        """What of it is to be seen at a zoom in the frames, as simple as the zoom allows."""
        rows = self._order[self._min_zoom[self._order] <= zoom]
        scale = 2.0**zoom * EXTENT
        scaled = shapely.transform(self._geometries[rows], lambda points: points * scale)
        if zoom < MAX_ZOOM:
            scaled = shapely.simplify(scaled, _TOLERANCE)
            is_area = shapely.get_dimensions(scaled) == 2
            keep = ~shapely.is_empty(scaled) & (~is_area | (shapely.area(scaled) >= _SMALLEST_AREA))
            rows, scaled = rows[keep], scaled[keep]
        return _Scaled(scaled, frames, [self._attributes[row] for row in rows.tolist()])


class _Scaled:
    """The features of one layer at one zoom: EXTENT units a tile."""

    def __init__(self, geometries: NDArray[Any], frames: Frames, attributes: Sequence[Attributes]) -> None:
        self._geometries = geometries
        self._attributes = attributes
        self.members = dict(_tiles_of(geometries, frames))

    def cut(self, place: tuple[int, int]) -> Iterator[dict[str, Any]]:
        """The features in a tile, as vt2pbf takes them."""
        members = self.members.get(place)
        if members is None:
            return
        corner = np.array(place) * EXTENT
        low, high = corner - _BUFFER, corner + EXTENT + _BUFFER
        clipped = shapely.clip_by_rect(self._geometries[members], low[0], low[1], high[0], high[1])
        moved = shapely.transform(clipped, lambda points: points - corner)
        whole = shapely.set_precision(shapely.make_valid(moved), 1.0)
        for member, geometry in zip(members.tolist(), shapely.orient_polygons(whole), strict=True):
            for kind, rings in _rings(geometry).items():
                yield {"type": kind, "tags": self._attributes[member], "geometry": rings}


def _to_world(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Degrees to the square from (0, 0) in the north-west to (1, 1), spherical Mercator."""
    sine = np.sin(np.radians(np.clip(points[:, 1], -85.05, 85.05)))
    y = 0.5 - np.log((1 + sine) / (1 - sine)) / (4 * np.pi)
    return np.column_stack((points[:, 0] / 360 + 0.5, y))


def _frames(boxes: Sequence[Box], zoom: int) -> Frames:
    """First and last tile (x, y) of each box with a margin, so that a large lake does not draw a country."""
    corners = np.array([(box.west, box.north, box.east, box.south) for box in boxes]).reshape(-1, 2, 2)
    corners += np.array([[-_MARGIN_DEG, _MARGIN_DEG], [_MARGIN_DEG, -_MARGIN_DEG]])
    tiles = np.floor(_to_world(corners.reshape(-1, 2)) * 2.0**zoom).astype(np.int64)
    return np.unique(tiles.reshape(-1, 4), axis=0)


def _tiles_of(geometries: NDArray[Any], frames: Frames) -> Iterator[tuple[tuple[int, int], NDArray[np.intp]]]:
    """Each tile of the frames that some of the geometries may reach into, and which of them."""
    if not len(geometries):
        return
    bounds = shapely.bounds(geometries)
    reach_low = np.floor((bounds[:, :2] - _BUFFER) / EXTENT).astype(np.int64)
    reach_high = np.floor((bounds[:, 2:] + _BUFFER) / EXTENT).astype(np.int64)
    found: dict[tuple[int, int], list[NDArray[np.intp]]] = {}
    for frame in frames:
        low, high = np.maximum(reach_low, frame[:2]), np.minimum(reach_high, frame[2:])
        wide, tall = np.maximum(high - low + 1, 0).T
        if not (wide * tall).any():
            continue
        member = np.repeat(np.arange(len(geometries)), wide * tall)
        nth = np.arange(len(member)) - np.repeat(np.cumsum(wide * tall) - wide * tall, wide * tall)
        x = low[member, 0] + nth % wide[member]
        y = low[member, 1] + nth // wide[member]
        order = np.lexsort((member, y, x))
        x, y, member = x[order], y[order], member[order]
        starts = np.flatnonzero(np.diff(x, prepend=-1) | np.diff(y, prepend=-1))
        for start, end in zip(starts, np.append(starts[1:], len(x)), strict=True):
            found.setdefault((int(x[start]), int(y[start])), []).append(member[start:end])
    for place, members in found.items():
        yield place, members[0] if len(members) == 1 else np.unique(np.concatenate(members))


def _rings(geometry: Any) -> dict[int, list[Any]]:
    """A geometry's points, lines and rings of integers, by MVT geometry type."""
    found: dict[int, list[Any]] = {}
    for part in shapely.get_parts(geometry):
        if part.is_empty:
            continue
        if part.geom_type == "GeometryCollection":
            for kind, rings in _rings(part).items():
                found.setdefault(kind, []).extend(rings)
            continue
        kind = _TYPES[part.geom_type]
        if kind == _POINT:
            found.setdefault(kind, []).append(_integers(part)[0])
        else:
            lines = [part] if kind == _LINE else [part.exterior, *part.interiors]
            found.setdefault(kind, []).extend(_integers(line) for line in lines)
    return found


def _integers(line: Any) -> list[list[int]]:
    whole: list[list[int]] = np.rint(shapely.get_coordinates(line)).astype(np.int64).tolist()
    return whole
