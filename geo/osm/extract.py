"""What the importer keeps of one OSM file: walkable ways and areas, barriers, houses, surroundings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely

from geo.osm.foot_access import is_wall, node_stops, way_access
from geo.osm.stretches import WalkableWay
from geo.osm.surroundings import LINE_KEYS, POINT_KEYS, Surroundings, area_layers, line_layers, point_layers
from geo.osm.timed_access import Timetables, gate_hours, park_hours, way_hours
from geo.osm.walkable_areas import Obstacle, Position, WalkableArea

Tags = Mapping[str, str]
# no node and no way without any of these keys is of use
NODE_KEYS = ("barrier", *POINT_KEYS)
WAY_KEYS = ("highway", "railway", "public_transport", "man_made", "route", "barrier", *LINE_KEYS)
Rings = Sequence[tuple[Sequence[int], Sequence[Position]]]


@dataclass(slots=True)
class Extract:
    """The useful part of one OSM file; `source` describes the file (name, bytes, sha256)."""

    index: int = 0
    source: dict[str, object] = field(default_factory=dict)
    ways: list[WalkableWay] = field(default_factory=list)
    position: dict[int, Position] = field(default_factory=dict)  # of the nodes of walkable ways
    stops: set[int] = field(default_factory=set)  # nodes that stop people on foot
    areas: list[WalkableArea] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    timetables: Timetables = field(default_factory=Timetables)
    surroundings: Surroundings = field(default_factory=Surroundings)

    def add_node(self, node: int, lat: float, lon: float, tags: Tags) -> None:
        hours = gate_hours(tags)
        if hours.rules:
            self.timetables.gates[node] = hours.rules
        if node_stops(tags) and not hours.grants:
            self.stops.add(node)
        for layer in point_layers(tags):
            self.surroundings.add(layer, shapely.Point(lon, lat))

    def add_way(
        self, way: int, refs: Sequence[int], positions: Sequence[Position | None], tags: Tags
    ) -> None:
        """Keep a way; `positions` are latitudes and longitudes of `refs`, None where the file has none."""
        runs = _known_runs(refs, positions)
        if not runs:
            return
        hours = way_hours(tags)
        access = way_access(tags, granted=hours.grants)
        if access.forward or access.backward:
            self.position.update((ref, place) for ref, place in zip(refs, positions, strict=True) if place)
            kept = [[ref for ref, _ in run] for run in runs]
            self.ways.append(
                WalkableWay(
                    way,
                    self.index,
                    kept,
                    access.forward,
                    access.backward,
                    access.road_class,
                    tags,
                    hours.rules,
                )
            )
        if is_wall(tags):
            self.obstacles += [
                Obstacle([list(refs)], [list(places)], solid=False)
                for refs, places in (zip(*run, strict=True) for run in runs)
            ]
        for layer in line_layers(tags):
            for run in runs:
                self.surroundings.add(layer, shapely.LineString([(lon, lat) for _, (lat, lon) in run]))

    def add_area(self, geometry: Any, tags: Tags) -> None:
        """Keep an area; `geometry` is a shapely (multi)polygon, x = longitude, y = latitude."""
        if rules := park_hours(tags):
            self.timetables.parks.append((geometry, rules))
        for layer in area_layers(tags):
            self.surroundings.add(layer, geometry)

    def add_walkable_area(self, outer_ways: Mapping[int, bool], rings: Rings, tags: Tags) -> None:
        """Keep an area that people may cross.

        `outer_ways`: its outline's OSM ways, and whether each is nothing but an outline; `rings`: OSM nodes
        and their places, closed, the outline before the holes.
        """
        hours = way_hours(tags)
        access = way_access(tags, granted=hours.grants)
        outline = frozenset(way for way, only in outer_ways.items() if only)
        if outer_ways and access.forward and access.backward:
            way = min(outline or outer_ways)
            nodes = [list(refs) for refs, _ in rings]
            self.areas.append(
                WalkableArea(way, outline, self.index, nodes, access.road_class, tags, hours.rules)
            )
            for refs, places in rings:
                self.position.update(zip(refs, places, strict=True))

    def add_obstacle(self, rings: Rings, tags: Tags) -> None:
        """Keep what people have to walk round; `rings` as for `add_walkable_area`."""
        nodes, places = [list(refs) for refs, _ in rings], [list(places) for _, places in rings]
        self.obstacles.append(Obstacle(nodes, places, solid=True, house="building" in tags))


def _known_runs(
    refs: Sequence[int], positions: Sequence[Position | None]
) -> list[list[tuple[int, Position]]]:
    """Pieces of at least two different nodes in a row whose positions are known.

    A way is also cut where it crosses the 180th meridian: planar geometry ends there.
    """
    runs: list[list[tuple[int, Position]]] = [[]]
    for ref, place in zip(refs, positions, strict=True):
        run = runs[-1]
        if place is None:
            runs.append([])
        elif not run:
            run.append((ref, place))
        elif abs(place[1] - run[-1][1][1]) > 180:
            runs.append([(ref, place)])
        elif ref != run[-1][0]:
            run.append((ref, place))
    return [run for run in runs if len(run) >= 2]
