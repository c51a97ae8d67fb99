"""Reads OSM files into what is on the base map: geometries with attributes, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import osmium
import shapely

from geo.errors import BadGraph
from geo.osm.basemap.schema import (
    AREA_KEYS,
    LINE_KEYS,
    POINT_KEYS,
    Kind,
    Tags,
    area_kinds,
    label_kind,
    line_kind,
    names,
    point_kinds,
)
from geo.osm.reader import located_items, tags_of

Attributes = dict[str, str | int]
_BEYOND_DEG = 0.1  # of sea or wood without any street; some files say that they cover the world
_STUB_DEG = 2.5e-4  # 28 m northwards


class Feature(NamedTuple):
    """Something on the map; x = longitude, y = latitude, degrees."""

    geometry: Any  # of shapely
    attributes: Attributes
    min_zoom: int


class Named(NamedTuple):
    """Something that can be searched by its name, or by what it is."""

    kind: str
    geometry: Any  # of shapely, in degrees
    tags: Tags


class Box(NamedTuple):
    """What a file covers, degrees."""

    name: str
    west: float
    south: float
    east: float
    north: float


@dataclass(slots=True)
class Features:
    """Everything on the map, by layer; coastlines are still to become sea."""

    layers: dict[str, list[Feature]] = field(default_factory=dict)
    named: list[Named] = field(default_factory=list)
    coast: list[tuple[Box, list[Any]]] = field(default_factory=list)  # of each file
    boxes: list[Box] = field(default_factory=list)

    def add(self, kind: Kind, geometry: Any, attributes: Attributes) -> None:
        feature = Feature(geometry, {"class": kind.name, **attributes}, kind.min_zoom)
        self.layers.setdefault(kind.layer, []).append(feature)


def read_features(files: Sequence[Path]) -> Features:
    """What is on the map of these files, each thing once; raises BadGraph for a file that cannot be read."""
    features = Features()
    seen: set[tuple[str, int]] = set()
    for file in files:
        _Reader(features, seen).read(file)
    return features


def joined(lines: Sequence[Feature]) -> list[Feature]:
    """Lines that meet and are alike as one line, so that a street's name has room."""
    alike: dict[tuple[Any, ...], list[Feature]] = {}
    for line in lines:
        alike.setdefault((line.min_zoom, *sorted(line.attributes.items())), []).append(line)
    found = []
    for members in alike.values():
        merged = shapely.line_merge(shapely.multilinestrings([line.geometry for line in members]))
        first = members[0]
        found += [Feature(part, dict(first.attributes), first.min_zoom) for part in shapely.get_parts(merged)]
    return found


def mark_stubs(roads: Sequence[Feature]) -> None:
    """Give the attribute `stub` to the last steps to a door: short footways with a loose end."""
    times = Counter(point for road in roads for point in dict.fromkeys(road.geometry.coords))
    for road in roads:
        if road.attributes["class"] in ("footway", "steps", "path"):
            line = road.geometry
            loose = any(times[line.coords[end]] == 1 for end in (0, -1))
            if loose and line.length < _STUB_DEG:
                road.attributes["stub"] = 1


class _Reader:
    """Takes one file in."""

    def __init__(self, features: Features, seen: set[tuple[str, int]]) -> None:
        self._features = features
        self._seen = seen
        self._coast: list[Any] = []
        self._streets: list[Any] = []
        self._to_wkb = osmium.geom.WKBFactory()

    def read(self, path: Path) -> None:
        try:
            with osmium.io.Reader(str(path), osmium.osm.NOTHING) as reader:
                box = reader.header().box()
            for item in located_items(path, POINT_KEYS, AREA_KEYS):
                if isinstance(item, osmium.osm.Node):
                    self._add_node(item)
                elif isinstance(item, osmium.osm.Way):
                    self._add_way(item)
                elif isinstance(item, osmium.osm.Area):
                    self._add_area(item)
        except (RuntimeError, ValueError) as error:
            raise BadGraph(f"{path} cannot be read as OSM data: {error}") from error
        covered = Box(path.name.split(".")[0], *self._covered(box))
        self._features.boxes.append(covered)
        self._features.coast.append((covered, self._coast))

    def _covered(self, said: Any) -> tuple[float, float, float, float]:
        """What the file says that it covers, but not far beyond its streets; or else where those are."""
        bounds = shapely.total_bounds(self._streets) if self._streets else (0.0, 0.0, 0.0, 0.0)
        west, south, east, north = map(float, bounds)
        if not said.valid():
            return west, south, east, north
        low, high = said.bottom_left, said.top_right
        if not self._streets:
            return low.lon, low.lat, high.lon, high.lat
        inner = (
            max(west - _BEYOND_DEG, low.lon), max(south - _BEYOND_DEG, low.lat),
            min(east + _BEYOND_DEG, high.lon), min(north + _BEYOND_DEG, high.lat),
        )  # fmt: skip
        return inner if inner[0] < inner[2] and inner[1] < inner[3] else (west, south, east, north)

    def _is_new(self, kind: str, number: int) -> bool:
        if (kind, number) in self._seen:
            return False
        self._seen.add((kind, number))
        return True

    def _add_node(self, node: Any) -> None:
        tags = tags_of(node)
        kinds = point_kinds(tags)
        if kinds and node.location.valid() and self._is_new("node", node.id):
            point = shapely.Point(node.lon, node.lat)
            for kind in kinds:
                self._add_named(kind, point, tags)

    def _add_way(self, way: Any) -> None:
        if not any(key in way.tags for key in (*LINE_KEYS, "natural")):
            return
        tags = tags_of(way)
        if tags.get("natural") == "coastline":
            self._coast += self._lines(way)
        kind = line_kind(tags)
        if kind is None or (tags.get("area") == "yes" and way.is_closed()):
            return
        lines = self._lines(way)
        if kind.layer == "roads" and kind.name != "ferry":
            self._streets += lines
        if not self._is_new("way", way.id):
            return
        for line in lines:
            self._features.add(kind, line, _line_attributes(tags))
            if kind.layer == "roads" and "name" in tags:
                self._features.named.append(Named(kind.name, line, tags))

    def _lines(self, way: Any) -> list[Any]:
        """The pieces of a way whose nodes the file has, cut at the 180th meridian."""
        runs: list[list[tuple[float, float]]] = [[]]
        for node in way.nodes:
            location = node.location
            if not location.valid():
                runs.append([])
            elif runs[-1] and abs(runs[-1][-1][0] - location.lon) > 180:
                runs.append([(location.lon, location.lat)])
            elif not runs[-1] or runs[-1][-1] != (location.lon, location.lat):
                runs[-1].append((location.lon, location.lat))
        return [shapely.LineString(run) for run in runs if len(run) >= 2]

    def _add_area(self, area: Any) -> None:
        tags = tags_of(area)
        if "highway" in tags and area.from_way() and tags.get("area") != "yes":
            return
        kinds, label = area_kinds(tags), label_kind(tags)
        if not (kinds or label) or not self._is_new("area", area.id):
            return
        try:
            geometry = shapely.from_wkb(bytes.fromhex(self._to_wkb.create_multipolygon(area)))
        except (RuntimeError, shapely.errors.ShapelyError):
            return  # an outline that crosses itself
        for kind in kinds:
            self._features.add(kind, geometry, {})
        if label:
            self._add_named(label, geometry.point_on_surface(), tags)

    def _add_named(self, kind: Kind, point: Any, tags: Tags) -> None:
        self._features.add(kind, point, dict(names(tags)))
        if kind.layer != "trees" and kind.name != "bench":
            self._features.named.append(Named(kind.name, point, tags))


def _line_attributes(tags: Tags) -> Attributes:
    found: Attributes = dict(names(tags))
    if tags.get("bridge", "no") != "no":
        found["bridge"] = 1
    if tags.get("tunnel", "no") not in ("no", "building_passage"):
        found["tunnel"] = 1
    if tags.get("footway") in ("sidewalk", "crossing"):
        found["beside"] = 1  # of a street: a pavement or a crossing
    if tags.get("service") in ("parking_aisle", "driveway", "siding", "yard", "spur"):
        found["minor"] = 1
    if tags.get("access") in ("no", "private") or tags.get("foot") in ("no", "private"):
        found["private"] = 1
    return found
