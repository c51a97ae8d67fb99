"""Squares, platforms and piers that people cross: lines across them, added to their outline's OSM way.

An area is crossed between its doors: the nodes that it shares with other walkable ways, and junctions
and ends of ways inside it. Lines go straight, or bend at corners of the outline, of holes, and of
houses, water and walls inside. Every point is an OSM node, so a line is named like any other edge: by
the way that it belongs to (of a multipolygon: an outer way) and its end nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from geo.geodesy import to_local
from geo.graph import F64
from geo.osm.foot_access import level_of
from geo.osm.ring_corners import neighbours_of, turns_of
from geo.osm.stretches import WalkableWay
from geo.osm.visibility import TOUCH_M, OpenSpace, crossing_lines

Position = tuple[float, float]

SHARED_EDGE_M = 25.0  # where an area borders on a way, there is a door at both ends and each 25 m
MAX_DOORS = 80  # of an area: where there are more, those that are closest to others are left out
MAX_CORNERS = 400  # of an area: where there are more, the slightest are left out
ROOFED = ("indoor", "covered", "tunnel")


@dataclass(frozen=True, slots=True)
class WalkableArea:
    """An area that people may cross; `rings` are OSM nodes, first = last, the outline before the holes."""

    way: int  # the OSM way that lines across belong to
    outline: frozenset[int]  # the OSM ways that are its outline and nothing else
    source: int  # which of the imported files
    rings: list[list[int]]
    road_class: str
    tags: Mapping[str, str]
    rules: tuple[str, ...] = ()  # when it is open


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A house, water or wall that people walk round; `rings` are OSM nodes, one line if not `solid`."""

    rings: list[list[int]]
    places: list[list[Position]]  # latitude and longitude of each node
    solid: bool
    house: bool = False


@dataclass(slots=True)
class Crossed:
    """Ways with the lines across areas, and where those lines' nodes are."""

    ways: list[WalkableWay]
    position: dict[int, Position] = field(default_factory=dict)
    areas: int = 0
    lines: int = 0


def cross_areas(
    ways: Sequence[WalkableWay],
    areas: Sequence[WalkableArea],
    obstacles: Sequence[Obstacle],
    position: Mapping[int, Position],
    stops: Container[int],
    advance: Callable[[int, int], None] | None = None,
) -> Crossed:
    """`ways` with lines across `areas`. `position`: degrees of the nodes of ways and areas.

    `advance` is told how many areas are done, and of how many.
    """
    # overlapping extracts both have an area
    areas = list({(area.way, min(area.rings[0])): area for area in areas}.values())
    crossed = Crossed(list(ways))
    if not areas:
        return crossed
    network = _Network(ways, areas, position, stops)
    shapes = [_polygon([[position[ref] for ref in ring] for ring in area.rings]) for area in areas]
    inside = network.junctions_inside(areas, shapes)
    around = _obstacles_in(shapes, obstacles)
    index = {way.way: i for i, way in enumerate(ways)}
    for done, (area, shape, junctions, hindrances) in enumerate(
        zip(areas, shapes, inside, around, strict=True), 1
    ):
        if advance is not None:
            advance(done, len(areas))
        if not shape.is_valid or (area.way in index and not network.two_way(index[area.way])):
            continue
        place_of = {ref: position[ref] for ring in area.rings for ref in ring}
        place_of.update((ref, position[ref]) for ref in junctions)
        for obstacle in hindrances:
            for ring, places in zip(obstacle.rings, obstacle.places, strict=True):
                place_of.update(zip(ring, places, strict=True))
        lines = _lines_across(area, junctions, hindrances, place_of, network)
        if not lines:
            continue
        crossed.areas += 1
        crossed.lines += len(lines)
        crossed.position.update((ref, place_of[ref]) for line in lines for ref in line)
        if area.way in index:
            way = crossed.ways[index[area.way]]
            crossed.ways[index[area.way]] = replace(way, runs=way.runs + lines)
        else:
            index[area.way] = len(crossed.ways)
            crossed.ways.append(
                WalkableWay(area.way, area.source, lines, True, True, area.road_class, area.tags, area.rules)
            )
    return crossed


class _Network:
    """The walkable ways, by the nodes where areas may touch them."""

    def __init__(
        self,
        ways: Sequence[WalkableWay],
        areas: Sequence[WalkableArea],
        position: Mapping[int, Position],
        stops: Container[int],
    ) -> None:
        self.ways, self.position, self.stops = ways, position, stops
        on_ring = {ref for area in areas for ring in area.rings for ref in ring}
        uses: dict[int, int] = {}
        for way in ways:
            for run in way.runs:
                for ref in run:
                    uses[ref] = uses.get(ref, 0) + 1
                uses[run[0]] += 1
                uses[run[-1]] += 1
        self.uses = uses
        self.at: dict[int, list[int]] = {}  # ways at the nodes of areas, and at junctions and ends of ways
        for index, way in enumerate(ways):
            for run in way.runs:
                for ref in run:
                    if uses[ref] > 1 or ref in on_ring:
                        self.at.setdefault(ref, []).append(index)
        self._junctions = [ref for ref in self.at if ref not in on_ring and ref not in stops]

    def two_way(self, way: int) -> bool:
        return self.ways[way].forward and self.ways[way].backward

    def junctions_inside(self, areas: Sequence[WalkableArea], shapes: Sequence[Any]) -> list[list[int]]:
        """Of each area the junctions and ends of ways inside it, on the same level."""
        lat_lon = np.array([self.position[ref] for ref in self._junctions]).reshape(-1, 2)
        tree = shapely.STRtree(shapely.points(lat_lon[:, 1], lat_lon[:, 0]))
        found: list[list[int]] = [[] for _ in areas]
        pairs = tree.query(np.array(shapes, dtype=object), predicate="contains_properly")
        for which, junction in pairs.T.tolist():
            ref = self._junctions[junction]
            level = level_of(areas[which].tags)
            for way in self.at[ref]:
                tags = self.ways[way].tags
                # stairs come from another level: the end of theirs that leads on nowhere is up here
                if level_of(tags) == level or (tags.get("highway") == "steps" and self.uses[ref] == 2):
                    found[which].append(ref)
                    break
        return found

    def pieces(self, among: Mapping[int, int]) -> Iterator[tuple[int, int, float]]:
        """What joins two of the nodes `among` already: (point, point, metres) along ways, both ways open."""
        near = {way for ref in among for way in self.at.get(ref, ()) if self.two_way(way)}
        for way in sorted(near):
            for run in self.ways[way].runs:
                start, metres = -1, 0.0
                for before, ref in pairwise([run[0], *run]):
                    metres += _metres(self.position[before], self.position[ref])
                    if ref in self.stops:
                        start = -1
                    elif ref in among:
                        if start >= 0:
                            yield start, among[ref], metres
                        start, metres = among[ref], 0.0


def _metres(a: Position, b: Position) -> float:
    x, y = to_local(b[0], b[1], *a)
    return math.hypot(float(x), float(y))


def _polygon(rings: Sequence[Sequence[Position]]) -> Any:
    """A shapely polygon, x = longitude, y = latitude, of rings of latitudes and longitudes."""
    shell, *holes = [[(lon, lat) for lat, lon in ring] for ring in rings]
    return shapely.Polygon(shell, holes)


def _obstacles_in(shapes: Sequence[Any], obstacles: Sequence[Obstacle]) -> list[list[Obstacle]]:
    found: list[list[Obstacle]] = [[] for _ in shapes]
    outlines = [
        _polygon(o.places) if o.solid else shapely.LineString([(lon, lat) for lat, lon in o.places[0]])
        for o in obstacles
    ]
    tree = shapely.STRtree(outlines)
    for which, obstacle in sorted(tree.query(shapes, predicate="intersects").T.tolist()):
        found[which].append(obstacles[obstacle])
    return found


def _lines_across(
    area: WalkableArea,
    junctions: Sequence[int],
    hindrances: Sequence[Obstacle],
    place_of: Mapping[int, Position],
    network: _Network,
) -> list[list[int]]:
    origin = place_of[area.rings[0][0]]
    refs = list(place_of)
    places = np.array([place_of[ref] for ref in refs])
    xy = dict(zip(refs, np.stack(to_local(places[:, 0], places[:, 1], *origin), axis=1), strict=True))
    polygon = shapely.Polygon(*_drawn(area.rings, xy))
    doors = _fewer(_doors(area, xy, network) + list(junctions), xy)
    if len(doors) < 2:
        return []
    walls, blocked = _walls(area, polygon, hindrances, xy)
    if blocked is not None:
        doors = [ref for ref in doors if not shapely.intersects(blocked, shapely.Point(xy[ref]))]
    turns = turns_of([*area.rings], xy, hole=False) + turns_of(walls, xy, hole=True)
    corners = sorted((turn for turn in turns if turn.bend_m > 0), key=lambda turn: -turn.bend_m)
    chosen = list(dict.fromkeys([*doors, *(turn.ref for turn in corners[:MAX_CORNERS])]))
    if len(doors) < 2:
        return []
    space = OpenSpace(
        polygon, blocked, np.array([xy[ref] for ref in chosen]),
        np.isin(np.array(chosen), np.array(doors)), *neighbours_of(chosen, turns),
    )  # fmt: skip
    point = {ref: i for i, ref in enumerate(chosen)}
    return [[chosen[a], chosen[b]] for a, b in crossing_lines(space, list(network.pieces(point)))]


def _drawn(rings: Sequence[Sequence[int]], xy: Mapping[int, F64]) -> tuple[Any, list[Any]]:
    shell, *holes = [np.array([xy[ref] for ref in ring]) for ring in rings]
    return shell, holes


def _doors(area: WalkableArea, xy: Mapping[int, F64], network: _Network) -> list[int]:
    """Nodes of the rings where other ways lead on; of a stretch that runs along one only some."""
    doors: list[int] = []
    for ring in area.rings:
        nodes = ring[:-1]
        others = [
            frozenset(network.ways[way].way for way in network.at.get(ref, ())) - area.outline
            for ref in nodes
        ]
        since = math.inf
        for i, ref in enumerate(nodes):
            since += float(np.hypot(*(xy[ref] - xy[nodes[i - 1]])))
            alike = others[i] == others[i - 1] == others[(i + 1) % len(nodes)]
            if others[i] and ref not in network.stops and (not alike or since >= SHARED_EDGE_M):
                doors.append(ref)
                since = 0.0
    return list(dict.fromkeys(doors))


def _fewer(doors: list[int], xy: Mapping[int, F64]) -> list[int]:
    """At most MAX_DOORS of them, each as far as possible from those before (Gonzalez 1985)."""
    doors = list(dict.fromkeys(doors))
    if len(doors) <= MAX_DOORS:
        return doors
    points = np.array([xy[ref] for ref in doors])
    chosen = [0]
    away = np.hypot(*(points - points[0]).T)
    while len(chosen) < MAX_DOORS:
        chosen.append(int(away.argmax()))
        away = np.minimum(away, np.hypot(*(points - points[chosen[-1]]).T))
    return [doors[i] for i in sorted(chosen)]


def _walls(
    area: WalkableArea, polygon: Any, hindrances: Sequence[Obstacle], xy: Mapping[int, F64]
) -> tuple[list[list[int]], Any]:
    """Rings and lines of the obstacles that stand in the area, and what of them may not be touched."""
    roofed = any(area.tags.get(key, "no") != "no" for key in ROOFED)
    rings: list[list[int]] = []
    shapes: list[Any] = []
    for obstacle in hindrances:
        if obstacle.solid:
            shape = shapely.Polygon(*_drawn(obstacle.rings, xy))
            if not shape.is_valid or (obstacle.house and roofed):
                continue
            shape = shape.buffer(-TOUCH_M, join_style="mitre")
            # a house over most of an area is not in its way: the area is inside, or under it
            if shape.intersection(polygon).area > 0.5 * polygon.area:
                continue
        else:
            # a wall that ends at a corner of another can be walked round there, not through
            line = shapely.LineString([xy[ref] for ref in obstacle.rings[0]])
            shape = line.intersection(polygon.buffer(-TOUCH_M))
        if shapely.intersects(shape, polygon):
            rings += obstacle.rings
            shapes.append(shape)
    return rings, shapely.union_all(shapes) if shapes else None
