"""What the importer keeps of one OSM file: walkable ways, node positions, barriers, surroundings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely

from geo.foot_access import node_stops, way_access
from geo.stretches import WalkableWay
from geo.surroundings import Surroundings, area_layers, line_layers, point_layers

Tags = Mapping[str, str]
Position = tuple[float, float]


@dataclass(slots=True)
class Extract:
    """The useful part of one OSM file; `source` describes the file (name, bytes, sha256)."""

    index: int = 0
    source: dict[str, object] = field(default_factory=dict)
    ways: list[WalkableWay] = field(default_factory=list)
    position: dict[int, Position] = field(default_factory=dict)  # of the nodes of walkable ways
    stops: set[int] = field(default_factory=set)  # nodes that stop people on foot
    surroundings: Surroundings = field(default_factory=Surroundings)

    def add_node(self, node: int, lat: float, lon: float, tags: Tags) -> None:
        if node_stops(tags):
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
        access = way_access(tags)
        if access.forward or access.backward:
            self.position.update((ref, place) for ref, place in zip(refs, positions, strict=True) if place)
            kept = [[ref for ref, _ in run] for run in runs]
            self.ways.append(
                WalkableWay(way, self.index, kept, access.forward, access.backward, access.road_class, tags)
            )
        for layer in line_layers(tags):
            for run in runs:
                self.surroundings.add(layer, shapely.LineString([(lon, lat) for _, (lat, lon) in run]))

    def add_area(self, geometry: Any, tags: Tags) -> None:
        """Keep an area; `geometry` is a shapely (multi)polygon, x = longitude, y = latitude."""
        for layer in area_layers(tags):
            self.surroundings.add(layer, geometry)


def wants_way(tags: Tags) -> bool:
    """Whether `Extract.add_way` would keep a way with these tags: most ways are houses."""
    access = way_access(tags)
    return access.forward or access.backward or bool(line_layers(tags))


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
