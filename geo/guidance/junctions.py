"""Which junctions of a path a walker must be told of: those where the way on is not the obvious one.

Thresholds are ours, set by reading the steps of real walks in Copenhagen, Helsinki and Porto on the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geo.graph import Graph
from geo.guidance.path_line import Branches, PathLine
from geo.guidance.street_names import names_along
from geo.osm.foot_access import CLASS_CODE, ROAD_CLASSES
from geo.routing.search import Path

STRAIGHT_DEG, SLIGHT_DEG, SHARP_DEG = 25.0, 50.0, 120.0
AHEAD_DEG = 60.0  # a branch further aside is none that one would take for the way on
RIVAL_DEG = 15.0  # a branch that is less straight than the way on by more does not compete with it
SPUR_M = 20.0  # a dead end of this length is no way on
STAIRS_M = 4.0  # fewer steps nobody notices
LANDING_M = 20.0  # between two flights that are one

FERRY, _PEDESTRIAN = CLASS_CODE["ferry"], CLASS_CODE["pedestrian"]
_MAIN = ("living_street", "residential", "unclassified", "road", "tertiary", "secondary", "primary", "trunk")
_ASIDE = ("sidewalk", "crossing", "corridor", "platform", "steps", "escalator", "elevator")
# how much a way looks like the one to go on along
_RANK = [3 if c in _MAIN else 1 if c in _ASIDE else 2 for c in ROAD_CLASSES]
# told of when they begin, in whatever direction
_SPECIAL = [c in ("steps", "escalator", "elevator", "ferry") for c in ROAD_CLASSES]


@dataclass(frozen=True)
class Turn:
    """A maneuver over the junctions i..j; junction i lies before edge i of the path."""

    i: int
    j: int
    kind: str = ""  # OSRM's type where it is known: depart, fork, end of road
    modifier: str = ""


@dataclass(frozen=True, slots=True)
class _Other:
    """A way that a walker could take instead."""

    angle: float  # against the way here, in degrees to the right
    rank: int
    name: int
    way: int


def turn_deg(before_deg: float, after_deg: float) -> float:
    """From one bearing to another, -180..180, positive to the right."""
    return (after_deg - before_deg + 180.0) % 360.0 - 180.0


class Junctions:
    """A path's edges and what leads away between them, as plain lists: the rules go through them one by one.

    All lists have one entry for each of k edges; `done` and `done_s` (metres and seconds before each
    edge), `before` and `after` (bearings) have one more.
    """

    def __init__(self, graph: Graph, path: Path, line: PathLine, around: Branches) -> None:
        road_class, way, reverse = (np.asarray(a) for a in (graph.road_class, graph.way, graph.reverse))
        self.count = len(path.edges)
        self.edges: list[int] = path.edges.tolist()
        self.reverse: list[int] = reverse[path.edges].tolist()
        self.classes: list[int] = road_class[path.edges].tolist()
        self.ways: list[int] = way[path.edges].tolist()
        self.length: list[float] = line.length_m.tolist()
        self.done: list[float] = [0.0, *np.cumsum(line.length_m).tolist()]
        self.done_s: list[float] = [0.0, *np.cumsum(line.duration_s).tolist()]
        self.before: list[float] = line.before_deg.tolist()
        self.after: list[float] = line.after_deg.tolist()
        self.names: list[int] = names_along(graph, path.edges, line.length_m).tolist()
        self.special = special_classes(self.classes, self.length)
        self._around = around.first.tolist(), around.edge.tolist(), around.bearing_deg.tolist()
        self._branch_class: list[int] = road_class[around.edge].tolist()
        self._branch_name: list[int] = np.asarray(graph.name)[around.edge].tolist()
        self._branch_way: list[int] = way[around.edge].tolist()
        first_out, ends = np.asarray(graph.first_out), np.asarray(graph.head)[around.edge]
        dead_end = first_out[ends + 1] - first_out[ends] == 1
        self._spur: list[bool] = (dead_end & (np.asarray(graph.length_m)[around.edge] < SPUR_M)).tolist()

    def told(self, i: int, street: int) -> Turn | None:
        """The maneuver at junction i, if it is one; `street` is the name walked along so far."""
        if self.special[i] != self.special[i - 1] and (self.special[i] >= 0 or self.special[i - 1] == FERRY):
            return Turn(i, i)
        if self.edges[i] == self.reverse[i - 1]:
            return Turn(i, i)
        angle = turn_deg(self.before[i], self.after[i])
        others = self._others(i)
        has_new_name = self.names[i] >= 0 and self.names[i] != street
        if abs(angle) < STRAIGHT_DEG:
            fork = self._fork(i, angle, others)
            return fork or (Turn(i, i) if has_new_name else None)
        if not has_new_name and self._is_obvious(i, angle, others):
            return None
        return Turn(i, i, "end of road" if _ends_here(angle, others) else "")

    def on_square(self, i: int) -> bool:
        """Whether junction i lies on a square, or in a street like one: there one sees where to go on."""
        if not self.classes[i - 1] == self.classes[i] == _PEDESTRIAN:
            return False
        return self.ways[i - 1] == self.ways[i] or self.names[i - 1] == self.names[i] >= 0

    def special_between(self, first: int, end: int) -> bool:
        """Whether some of edges first..end are stairs, a ferry or the like."""
        return any(code >= 0 for code in self.special[first:end])

    def _others(self, i: int) -> list[_Other]:
        first, edge, bearing = self._around
        return [
            _Other(
                turn_deg(self.before[i], bearing[b]),
                _RANK[self._branch_class[b]],
                self._branch_name[b],
                self._branch_way[b],
            )
            for b in range(first[i - 1], first[i])
            if edge[b] != self.edges[i] and edge[b] != self.reverse[i - 1] and not self._spur[b]
        ]

    def _fork(self, i: int, angle: float, others: Sequence[_Other]) -> Turn | None:
        """The fork at junction i, where something else leads on as straight and looks as important."""
        name, stays = self.names[i], self.names[i] == self.names[i - 1] >= 0
        rivals = [
            other.angle
            for other in others
            if other.rank >= _RANK[self.classes[i]]
            and abs(other.angle) <= min(AHEAD_DEG, abs(angle) + RIVAL_DEG)
            and (other.name == name or not stays)
            and other.way != self.ways[i]  # all lines across a square are one OSM way
        ]
        if not rivals:
            return None
        left, right = min(rivals) < angle, max(rivals) > angle
        modifier = "straight" if left and right else "slight right" if left else "slight left"
        return Turn(i, i, "fork", modifier)

    def _is_obvious(self, i: int, angle: float, others: Sequence[_Other]) -> bool:
        """Whether the way turns here and everybody would turn with it."""
        if not others:
            return True
        straightest = min(abs(other.angle) for other in others)
        if abs(angle) < SLIGHT_DEG and straightest > abs(angle) + STRAIGHT_DEG:
            return True
        rank = _RANK[self.classes[i]]
        stays = self.names[i] == self.names[i - 1] >= 0 and rank == _RANK[self.classes[i - 1]]
        return stays and straightest > AHEAD_DEG and all(other.rank < rank for other in others)


def _ends_here(angle: float, others: Sequence[_Other]) -> bool:
    """Whether the way here runs into another one that leads to the left and to the right."""
    if len(others) != 1 or not SLIGHT_DEG <= abs(angle) < SHARP_DEG:
        return False
    other = others[0].angle
    return other * angle < 0 and SLIGHT_DEG <= abs(other) < SHARP_DEG


def special_classes(classes: Sequence[int], length_m: Sequence[float]) -> list[int]:
    """The class of each edge that is of stairs, a ferry or the like, else -1.

    A few steps do not count; a landing between two flights does.
    """
    special = [code if _SPECIAL[code] else -1 for code in classes]
    for first, end in _runs(special):
        if special[first] >= 0 and sum(length_m[first:end]) < STAIRS_M:
            special[first:end] = [-1] * (end - first)
    for first, end in _runs(special):
        between = special[first - 1] if first > 0 and end < len(special) else -1
        if between >= 0 and special[end] == between and sum(length_m[first:end]) < LANDING_M:
            special[first:end] = [between] * (end - first)
    return special


def _runs(codes: Sequence[int]) -> list[tuple[int, int]]:
    """Where stretches of equal codes begin and end."""
    cuts = [i for i in range(1, len(codes)) if codes[i] != codes[i - 1]]
    return list(zip([0, *cuts], [*cuts, len(codes)], strict=True))
