"""The sea, from coastlines: in OSM a coastline has land on its left and water on its right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from geo.osm.basemap.features import Box

_ASIDE_DEG = 2e-6  # 20 cm, from a coastline to the water or land beside it
_FAR_DEG = 0.02  # an end farther inside than this is a hole in the data


def sea(box: Box, coastlines: Sequence[Any]) -> list[Any]:
    """Polygons of the sea within a file's box, from the lines (x = longitude, y = latitude) of its coast.

    The coast cuts the box into faces; one is sea where more of the coast along it has it on its right.
    Where a file ends before its box does, the coast is led on straight to the nearest edge.
    """
    area = shapely.box(box.west, box.south, box.east, box.north)
    inside = shapely.intersection(list(coastlines), area)
    lines = [part for line in inside for part in _parts(line) if part.length > 0]
    if not lines:
        return []
    noded = shapely.union_all([area.exterior, *lines, *_led_on(lines, area.exterior)])
    faces = list(shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))))
    right, left, length = _sides(lines)
    tree = shapely.STRtree(faces)
    balance = np.zeros(len(faces))
    for points, sign in ((right, 1.0), (left, -1.0)):
        which, face = tree.query(points, predicate="within")
        np.add.at(balance, face, sign * length[which])
    return [face for face, wet in zip(faces, balance > 0, strict=True) if wet]


def _led_on(lines: Sequence[Any], edge: Any) -> list[Any]:
    """Lines from the loose ends of a coast to the edge of the box."""
    merged = shapely.line_merge(shapely.union_all(lines))
    ends = [
        shapely.Point(line.coords[which])
        for line in _parts(merged)
        for which in (0, -1)
        if not line.is_closed
    ]
    ways = [shapely.shortest_line(end, edge) for end in ends]
    return [way for way in ways if 0 < way.length < _FAR_DEG]


def _sides(lines: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Points just right and left of the middle of each segment, and the segments' lengths."""
    starts, ends = [], []
    for line in lines:
        points = shapely.get_coordinates(line)
        starts.append(points[:-1])
        ends.append(points[1:])
    start, end = np.concatenate(starts), np.concatenate(ends)
    along = end - start
    length = np.hypot(along[:, 0], along[:, 1])
    aside = np.column_stack((along[:, 1], -along[:, 0])) / np.maximum(length, 1e-12)[:, None] * _ASIDE_DEG
    middle = 0.5 * (start + end)
    return shapely.points(middle + aside), shapely.points(middle - aside), length


def _parts(geometry: Any) -> list[Any]:
    return [part for part in shapely.get_parts(geometry) if part.geom_type == "LineString"]
