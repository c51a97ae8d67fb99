"""From a path to the steps that a walker is told of: where to turn, onto which street, how far.

Junctions that must be told of (`geo.guidance.junctions`) and lie within a road's width of each other are one
maneuver; what remains straight on along the same street is none. Types and modifiers are those of OSRM's
step maneuvers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geo.geodesy import to_local
from geo.graph import I32, Graph
from geo.guidance.junctions import FERRY, SHARP_DEG, SLIGHT_DEG, STRAIGHT_DEG, Junctions, Turn, turn_deg
from geo.guidance.path_line import Branches, PathLine, branches, path_line
from geo.routing.search import Path

MERGE_M = 15.0  # a road and its crossing: maneuvers nearer to each other than this are one
MERGE_MOST_M = 40.0
JOG_M = 25.0  # to the other side of a street and on along it
NEW_NAME_M = 30.0  # shorter pieces are not worth a new name when walking straight on
NAMELESS_M = 80.0  # from here on it is worth telling that a named street is left straight on
SIDE_M = 3.0  # a destination nearer to the way lies on no side of it


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
    walk = Junctions(graph, path, line, around)
    steps: list[Step] = []
    for turn, end in _turns(walk):
        steps.append(_step(walk, turn, end, steps[-1].name if steps else -1))
    steps.append(_arrival(walk, line, destination))
    return Leg(line, around, np.asarray(graph.reverse)[path.edges], tuple(steps))


def _turns(walk: Junctions) -> list[tuple[Turn, int]]:
    """The maneuvers worth telling, each with the edge at which the next one begins."""
    kept = [Turn(0, 0, "depart")]
    found = _clusters(walk)
    ends = [*(turn.i for turn in found[1:]), walk.count]
    for turn, end in zip(found, ends, strict=False):
        if walk.done[turn.j] <= MERGE_M and not walk.special_between(0, turn.j + 1):
            kept = [Turn(0, turn.j, "depart")]
        elif walk.done[-1] - walk.done[turn.i] > MERGE_M / 2 and not _is_pointless(walk, kept[-1], turn, end):
            kept.append(turn)
    return list(zip(kept, [*(turn.i for turn in kept[1:]), walk.count], strict=True))


def _clusters(walk: Junctions) -> list[Turn]:
    """Junctions where something is to be told, those close to each other together."""
    found: list[Turn] = []
    street = walk.names[0]
    for i in range(1, walk.count):
        turn = walk.told(i, street)
        if walk.names[i] >= 0:
            street = walk.names[i]
        if turn is not None and found and _is_one(walk, found[-1], i):
            found[-1] = Turn(found[-1].i, i)
        elif turn is not None:
            found.append(turn)
    return found


def _is_one(walk: Junctions, last: Turn, i: int) -> bool:
    """Whether a walker takes `last` and what is to be told at junction i for one maneuver."""
    gap = walk.done[i] - walk.done[last.j]
    if walk.done[i] - walk.done[last.i] > MERGE_MOST_M or walk.special_between(last.j, i):
        return False
    if gap <= MERGE_M:
        return True
    is_jog = abs(turn_deg(walk.before[last.i], walk.after[i])) < STRAIGHT_DEG
    return gap <= JOG_M and is_jog and walk.names[i] == walk.names[last.i - 1] >= 0


def _is_pointless(walk: Junctions, last: Turn, turn: Turn, end: int) -> bool:
    """Whether a walker who was told of `last` finds the way on at `turn` unaided."""
    angle = abs(turn_deg(walk.before[turn.i], walk.after[turn.j]))
    if angle < SLIGHT_DEG and all(walk.on_square(i) for i in range(turn.i, turn.j + 1)):
        return True
    if turn.kind or angle >= STRAIGHT_DEG or walk.special[turn.j] >= 0 or walk.special[turn.i - 1] == FERRY:
        return False
    street, _ = _main(walk, last.j, turn.i)
    name, _ = _main(walk, turn.j, end)
    return name == street or walk.done[end] - walk.done[turn.j] < (NEW_NAME_M if name >= 0 else NAMELESS_M)


def _step(walk: Junctions, turn: Turn, end: int, street: int) -> Step:
    """The step that `turn` begins and that lasts up to edge `end`, after one on `street`."""
    name, road_class = _main(walk, turn.j, end)
    modifier = turn.modifier or _modifier(walk, turn)
    kind = turn.kind or _kind(walk, turn, name, name == street, modifier)
    is_start = kind == "depart"
    return Step(
        kind, "" if is_start else modifier, turn.i, end, name, road_class,
        walk.done[end] - walk.done[turn.i], walk.done_s[end] - walk.done_s[turn.i],
        0 if is_start else round(walk.before[turn.i]) % 360, round(walk.after[turn.j]) % 360,
    )  # fmt: skip


def _modifier(walk: Junctions, turn: Turn) -> str:
    between = range(max(1, turn.i), turn.j + 1)
    if any(walk.edges[k] == walk.reverse[k - 1] for k in between):
        return "uturn"
    angle = turn_deg(walk.before[turn.i], walk.after[turn.j])
    if abs(angle) >= SHARP_DEG:  # two turns to the right may add up to one of 190 degrees
        angle = math.copysign(angle, sum(turn_deg(walk.before[k], walk.after[k]) for k in between))
    return modifier_of(angle)


def _kind(walk: Junctions, turn: Turn, name: int, stays: bool, modifier: str) -> str:
    if FERRY in (walk.special[turn.j], walk.special[turn.i - 1]):
        return "notification"
    if name < 0:
        return "continue" if modifier == "straight" else "turn"
    return "continue" if stays else "new name" if modifier == "straight" else "turn"


def _main(walk: Junctions, first: int, end: int) -> tuple[int, int]:
    """Name and class of what is most of edges first..end, or of the stairs and the like at their start."""
    if walk.special[first] >= 0:
        return walk.names[first], walk.special[first]
    names: dict[int, float] = {}
    classes: dict[int, float] = {}
    for name, code, length in zip(
        walk.names[first:end], walk.classes[first:end], walk.length[first:end], strict=True
    ):
        names[name] = names.get(name, 0.0) + length
        classes[code] = classes.get(code, 0.0) + length
    return max(names, key=names.__getitem__), max(classes, key=classes.__getitem__)


def _arrival(walk: Junctions, line: PathLine, destination: tuple[float, float] | None) -> Step:
    """The last step, of 0 m."""
    modifier = ""
    if destination is not None:
        x, y = (float(v) for v in to_local(*destination, float(line.lat[-1]), float(line.lon[-1])))
        angle = turn_deg(walk.before[-1], math.degrees(math.atan2(x, y)))
        if math.hypot(x, y) >= SIDE_M:
            modifier = "straight" if abs(angle) < 45.0 else "right" if angle > 0 else "left"
    return Step(
        "arrive", modifier, walk.count, walk.count, walk.names[-1], walk.classes[-1],
        0.0, 0.0, round(walk.before[-1]) % 360, 0,
    )  # fmt: skip
