"""From a path to the steps that a walker is told of: where to turn, onto which street, how far.

A junction is told of where the way on is not the obvious one, where the street gets another name, and
where stairs, ferries and the like begin. Several of them within a road's width are one maneuver. Types
and modifiers are those of OSRM's step maneuvers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geo.foot_access import CLASS_CODE, ROAD_CLASSES
from geo.geodesy import to_local
from geo.graph import I32, Graph
from geo.path_line import Branches, PathLine, branches, path_line
from geo.search import Path
from geo.street_names import names_along

MERGE_M = 15.0  # a road and its crossing: maneuvers nearer to each other than this are one
MERGE_MOST_M = 40.0
JOG_M = 25.0  # to the other side of a street and on along it
STRAIGHT_DEG, SLIGHT_DEG, SHARP_DEG = 25.0, 50.0, 120.0
AHEAD_DEG = 60.0  # a branch further aside is none that one would take for the way on
RIVAL_DEG = 15.0  # a branch that is less straight than the way on by more does not compete with it
SPUR_M = 20.0  # a dead end of this length is no way on
NEW_NAME_M = 30.0  # shorter pieces are not worth a new name when walking straight on
NAMELESS_M = 80.0  # from here on it is worth telling that a named street is left straight on
STAIRS_M = 4.0
LANDING_M = 20.0  # between two flights that are one
SIDE_M = 3.0
# told of when they begin, in whatever direction
_SPECIAL = frozenset({"steps", "escalator", "elevator", "ferry"})
_MAIN = ("living_street", "residential", "unclassified", "road", "tertiary", "secondary", "primary", "trunk")
_ASIDE = ("sidewalk", "crossing", "corridor", "platform", "steps", "escalator", "elevator")
# how much a way looks like the one to go on along
_RANK = [3 if c in _MAIN else 1 if c in _ASIDE else 2 for c in ROAD_CLASSES]
_PEDESTRIAN = CLASS_CODE["pedestrian"]
_IS_SPECIAL = [c in _SPECIAL for c in ROAD_CLASSES]


@dataclass(frozen=True)
class Step:
    """A maneuver, and what is walked after it until the next one."""

    maneuver: str  # OSRM's type: depart, turn, continue, new name, fork, end of road, notification, arrive
    modifier: str  # OSRM's, "" where there is none
    first_edge: int  # edges[first_edge:last_edge] of the path
    last_edge: int
    name: int  # index into graph.names of the street that is most of the step, -1 unnamed
    road_class: int  # what is most of the step, or the stairs, ferry ... that it begins with
    length_m: float
    duration_s: float
    bearing_before: int  # 0..359, 0 where there is none
    bearing_after: int


@dataclass(frozen=True, eq=False)
class Leg:
    """A path's steps, with its line and the branches at its junctions."""

    line: PathLine
    branches: Branches
    reverse: I32  # (k,) of the path's edges
    steps: tuple[Step, ...]


_Other = tuple[float, int, int, int]  # its angle against the way here, rank, name and OSM way


@dataclass(frozen=True)
class _Turn:
    """A maneuver over the junctions i..j before its text: junction i lies before edge i."""

    i: int
    j: int
    kind: str = ""  # depart, fork or end of road, where that is known
    modifier: str = ""


def turn_deg(before_deg: float, after_deg: float) -> float:
    """From one bearing to another, -180..180, positive to the right."""
    return (after_deg - before_deg + 180.0) % 360.0 - 180.0


def modifier_of(angle_deg: float) -> str:
    """OSRM's modifier of a turn from one way into another (`uturn` is back on the same way)."""
    size = abs(angle_deg)
    if size < STRAIGHT_DEG:
        return "straight"
    side = "right" if angle_deg > 0 else "left"
    return f"slight {side}" if size < SLIGHT_DEG else side if size < SHARP_DEG else f"sharp {side}"


def leg_of(graph: Graph, path: Path, destination: tuple[float, float] | None = None) -> Leg:
    """The steps of a path, `depart` first, `arrive` last.

    `destination`: latitude and longitude of what is walked to, to tell on which side it lies.
    """
    line, around = path_line(graph, path), branches(graph, path)
    walk = _Walk(graph, path, line, around)
    steps: list[Step] = []
    for turn, end in walk.turns():
        steps.append(walk.step(turn, end, steps[-1].name if steps else -1))
    reverse = np.asarray(graph.reverse)[path.edges]
    return Leg(line, around, reverse, (*steps, _arrival(walk, steps[-1], destination)))


class _Walk:
    """What the rules need to know of a path, as plain lists: they go from junction to junction."""

    def __init__(self, graph: Graph, path: Path, line: PathLine, around: Branches) -> None:
        self.count = len(path.edges)
        self.edges: list[int] = path.edges.tolist()
        self.reverse: list[int] = np.asarray(graph.reverse)[path.edges].tolist()
        self.classes: list[int] = np.asarray(graph.road_class)[path.edges].tolist()
        self.length: list[float] = line.length_m.tolist()
        self.done: list[float] = [0.0, *np.cumsum(line.length_m).tolist()]
        self.done_s: list[float] = [0.0, *np.cumsum(line.duration_s).tolist()]
        self.before: list[float] = line.before_deg.tolist()
        self.after: list[float] = line.after_deg.tolist()
        self.names: list[int] = names_along(graph, path.edges, line.length_m).tolist()
        self.special = _special_edges(self.classes, self.length)
        self.line = line
        self._around = around.first.tolist(), around.edge.tolist(), around.bearing_deg.tolist()
        self._branch_class = np.asarray(graph.road_class)[around.edge].tolist()
        self._branch_name = np.asarray(graph.name)[around.edge].tolist()
        self._branch_way = np.asarray(graph.way)[around.edge].tolist()
        self.ways: list[int] = np.asarray(graph.way)[path.edges].tolist()
        ends = np.asarray(graph.head)[around.edge]
        first_out = np.asarray(graph.first_out)
        dead_end = first_out[ends + 1] - first_out[ends] == 1
        self._stub = (dead_end & (np.asarray(graph.length_m)[around.edge] < SPUR_M)).tolist()

    def turns(self) -> list[tuple[_Turn, int]]:
        """The maneuvers worth telling, each with the edge at which the next one begins."""
        kept = [_Turn(0, 0, "depart")]
        found = self._clusters()
        for k, turn in enumerate(found):
            end = found[k + 1].i if k + 1 < len(found) else self.count
            if self.done[turn.j] <= MERGE_M and not self._special_between(0, turn.j + 1):
                kept[0] = _Turn(0, turn.j, "depart")
            elif self.done[-1] - self.done[turn.i] > MERGE_M / 2 and not self._is_pointless(
                kept[-1], turn, end
            ):
                kept.append(turn)
        ends = [turn.i for turn in kept[1:]] + [self.count]
        return list(zip(kept, ends, strict=True))

    def step(self, turn: _Turn, end: int, so_far: int) -> Step:
        """The step that `turn` begins and that lasts up to edge `end`, after one on the street `so_far`."""
        name, road_class = self._main(turn.j if turn.j < end else turn.i, end)
        before, after = self.before[turn.i], self.after[turn.j]
        modifier = turn.modifier or self._modifier(turn)
        kind = turn.kind or self._kind(turn, name == so_far, name, modifier, road_class)
        return Step(
            kind, "" if kind == "depart" else modifier, turn.i, end, name, road_class,
            self.done[end] - self.done[turn.i], self.done_s[end] - self.done_s[turn.i],
            0 if kind == "depart" else round(before) % 360, round(after) % 360,
        )  # fmt: skip

    def _modifier(self, turn: _Turn) -> str:
        between = range(max(1, turn.i), turn.j + 1)
        if any(self.edges[k] == self.reverse[k - 1] for k in between):
            return "uturn"
        angle = turn_deg(self.before[turn.i], self.after[turn.j])
        if abs(angle) >= SHARP_DEG:  # two turns to the right may add up to one of 190 degrees
            total = sum(turn_deg(self.before[k], self.after[k]) for k in between)
            angle = math.copysign(angle, total)
        return modifier_of(angle)

    def _clusters(self) -> list[_Turn]:
        """Junctions where something is to be told, those close to each other together."""
        found: list[_Turn] = []
        name = self.names[0]
        for i in range(1, self.count):
            turn = self._told(i, name)
            if self.names[i] >= 0:
                name = self.names[i]
            if turn is None:
                continue
            last = found[-1] if found else None
            if last is not None and self._is_one(last, i):
                found[-1] = _Turn(last.i, i)
            else:
                found.append(turn)
        return found

    def _is_one(self, last: _Turn, i: int) -> bool:
        """Whether a walker takes `last` and what is to be told at junction i for one maneuver."""
        gap = self.done[i] - self.done[last.j]
        if self.done[i] - self.done[last.i] > MERGE_MOST_M or self._special_between(last.j, i):
            return False
        if gap <= MERGE_M:
            return True
        name = self.names[i]
        jog = abs(turn_deg(self.before[last.i], self.after[i])) < STRAIGHT_DEG
        return gap <= JOG_M and jog and name >= 0 and name == self.names[last.i - 1]

    def _told(self, i: int, name: int) -> _Turn | None:
        """The maneuver at junction i, if it is one; `name` is the street walked so far."""
        if (self.special[i] and not self.special[i - 1]) or self.edges[i] == self.reverse[i - 1]:
            return _Turn(i, i)
        if ROAD_CLASSES[self.classes[i - 1]] == "ferry" and self.classes[i] != self.classes[i - 1]:
            return _Turn(i, i)
        angle = turn_deg(self.before[i], self.after[i])
        rank, own = _RANK[self.classes[i]], self.names[i]
        same = own >= 0 and own == self.names[i - 1]
        others = self._others(i)
        if abs(angle) < STRAIGHT_DEG:
            for other, other_rank, other_name, other_way in others:
                if (same and other_name != own) or other_way == self.ways[i]:
                    continue  # all lines across a square are one OSM way
                if other_rank >= rank and abs(other) <= min(AHEAD_DEG, abs(angle) + RIVAL_DEG):
                    side = "left" if turn_deg(other, angle) < 0 else "right"
                    return _Turn(i, i, "fork", f"slight {side}")
            return _Turn(i, i) if own >= 0 and own != name else None
        if not others:
            return _Turn(i, i) if own >= 0 and own != name else None
        straightest = min(abs(other[0]) for other in others)
        if same or own < 0 or own == name:
            if abs(angle) < SLIGHT_DEG and straightest > abs(angle) + STRAIGHT_DEG:
                return None
            if same and straightest > AHEAD_DEG and all(other[1] < rank for other in others):
                return None
        if self._ends_here(angle, others):
            return _Turn(i, i, "end of road")
        return _Turn(i, i)

    def _on_square(self, i: int) -> bool:
        """Whether junction i lies on a square, or in a street like one: there one sees where to go on."""
        if not self.classes[i - 1] == self.classes[i] == _PEDESTRIAN:
            return False
        return self.ways[i - 1] == self.ways[i] or self.names[i - 1] == self.names[i] >= 0

    def _others(self, i: int) -> list[_Other]:
        """What else leads away from junction i."""
        first, edge, bearing = self._around
        return [
            (
                turn_deg(self.before[i], bearing[b]),
                _RANK[self._branch_class[b]],
                self._branch_name[b],
                self._branch_way[b],
            )
            for b in range(first[i - 1], first[i])
            if edge[b] != self.edges[i] and edge[b] != self.reverse[i - 1] and not self._stub[b]
        ]

    def _ends_here(self, angle: float, others: Sequence[_Other]) -> bool:
        """Whether the way here runs into another one that leads to the left and to the right."""
        if len(others) != 1 or not SLIGHT_DEG <= abs(angle) < SHARP_DEG:
            return False
        other = others[0][0]
        return other * angle < 0 and SLIGHT_DEG <= abs(other) < SHARP_DEG

    def _is_pointless(self, last: _Turn, turn: _Turn, end: int) -> bool:
        """Whether a walker who was told of `last` finds the way on at `turn` unaided."""
        angle = abs(turn_deg(self.before[turn.i], self.after[turn.j]))
        if angle < SLIGHT_DEG and all(self._on_square(i) for i in range(turn.i, turn.j + 1)):
            return True
        if turn.kind or self.special[turn.j] or angle >= STRAIGHT_DEG:
            return False
        if ROAD_CLASSES[self.classes[turn.i - 1]] == "ferry":
            return False
        so_far, _ = self._main(last.j if last.j < turn.i else last.i, turn.i)
        name, _ = self._main(turn.j, end)
        length = self.done[end] - self.done[turn.j]
        if name == so_far:
            return True
        return length < (NEW_NAME_M if name >= 0 else NAMELESS_M)

    def _kind(self, turn: _Turn, same: bool, name: int, modifier: str, road_class: int) -> str:
        if "ferry" in (ROAD_CLASSES[road_class], ROAD_CLASSES[self.classes[turn.i - 1]]):
            return "notification"
        if name < 0:
            return "continue" if modifier == "straight" else "turn"
        return "continue" if same else "new name" if modifier == "straight" else "turn"

    def _main(self, first: int, end: int) -> tuple[int, int]:
        """Name and class of what is most of edges first..end, or of stairs and the like at their start."""
        if self.special[first]:
            return self.names[first], self.classes[first]
        names: dict[int, float] = {}
        classes: dict[int, float] = {}
        for e in range(first, end):
            names[self.names[e]] = names.get(self.names[e], 0.0) + self.length[e]
            classes[self.classes[e]] = classes.get(self.classes[e], 0.0) + self.length[e]
        return max(names, key=names.__getitem__), max(classes, key=classes.__getitem__)

    def _special_between(self, first: int, end: int) -> bool:
        return any(self.special[first:end])


def _special_edges(classes: Sequence[int], length: Sequence[float]) -> list[bool]:
    """Which edges are of stairs, ferries and the like: not a few steps, but also landings."""
    special = [_IS_SPECIAL[code] for code in classes]
    for first, end in _runs(special):
        if special[first] and sum(length[first:end]) < STAIRS_M:
            special[first:end] = [False] * (end - first)
    for first, end in _runs(special):
        is_landing = not special[first] and first > 0 and end < len(special)
        if is_landing and sum(length[first:end]) < LANDING_M:
            special[first:end] = [True] * (end - first)
    return special


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Where stretches of equal flags begin and end."""
    cuts = [i for i in range(1, len(flags)) if flags[i] != flags[i - 1]]
    return list(zip([0, *cuts], [*cuts, len(flags)], strict=True))


def _arrival(walk: _Walk, last: Step, destination: tuple[float, float] | None) -> Step:
    """The last step, of 0 m."""
    before = walk.before[-1]
    modifier = ""
    if destination is not None:
        lat, lon = float(walk.line.lat[-1]), float(walk.line.lon[-1])
        x, y = (float(value) for value in to_local(*destination, lat, lon))
        angle = turn_deg(before, math.degrees(math.atan2(x, y)))
        if math.hypot(x, y) >= SIDE_M:
            modifier = "straight" if abs(angle) < 45.0 else "right" if angle > 0 else "left"
    return Step(
        "arrive", modifier, walk.count, walk.count, walk.names[-1], walk.classes[-1],
        0.0, 0.0, round(before) % 360, 0,
    )  # fmt: skip
