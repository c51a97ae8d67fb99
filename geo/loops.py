"""Loops of a wanted length or duration, and ways home that still have some to walk.

Via nodes stand on a polygon whose far corner lies at some bearing; the legs between them are searched one
after the other, each on a metric where the ground walked so far is dearer; the polygon grows or shrinks
until the length is right. Of the candidates of all bearings the pleasant, short-of-repetition and different
ones are kept. (Gemsa, Pajor, Wagner, Zündorf, "Efficient computation of jogging routes", SEA 2013, use the
same polygons, and show how good legs through via nodes can be.)
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from geo.errors import BadInput, NoRoute
from geo.geodesy import to_local
from geo.graph import F64, I32, Graph
from geo.metric import Metric
from geo.pace import REFERENCE_MPS
from geo.paths import both_ways, joined, node_place, shared_m, shares, walked_twice_m
from geo.search import Path, Place, SearchSpace, path_coordinates, shortest_path

DETOUR = 1.3  # metres walked per metre of the polygon, at first; corrected by what comes out

BULGE = 0.4  # height of the polygon's side corners over the line to the far corner, per length of it
BEARINGS = 12
TRIES_PER_BEARING = 5
WALKED_PENALTY = 4.0  # ground walked before is dearer by this
REPEAT_COST = 2.0  # each share of a loop on known ground makes it dearer by this many times the share
MAX_OVERLAP = 0.6  # of two loops that are offered together, on the metres of the later one
GOLDEN_DEG = 137.507764


@dataclass(frozen=True, slots=True)
class _Target:
    """The wanted amount: metres, or seconds if `is_duration`."""

    amount: float
    is_duration: bool

    def of(self, path: Path) -> float:
        return path.duration_s if self.is_duration else path.length_m

    def error(self, path: Path) -> float:
        """Relative, never negative."""
        return abs(self.of(path) / self.amount - 1.0)


def loops(
    graph: Graph,
    metric: Metric,
    start: Place,
    space: SearchSpace,
    *,
    length_m: float | None = None,
    duration_s: float | None = None,
    count: int = 3,
    tolerance: float = 0.05,
    seed: int = 0,
    avoid_edges: I32 | None = None,
) -> list[Path]:
    """Up to `count` loops from `start` back to it, the best first, none much like another.

    Exactly one of length_m and duration_s is wanted; loops outside of `tolerance` (relative) come only
    where there are none within. `seed` turns the bearings; the same arguments give the same loops.
    `avoid_edges` are made dearer both ways, as if walked before.
    Raises NoRoute where no loop leads anywhere, BadInput for a bad place or amount.
    """
    return loop_remainder(
        graph,
        metric,
        start,
        start,
        space,
        length_m=length_m,
        duration_s=duration_s,
        count=count,
        tolerance=tolerance,
        seed=seed,
        avoid_edges=avoid_edges,
    )


def loop_remainder(
    graph: Graph,
    metric: Metric,
    place: Place,
    home: Place,
    space: SearchSpace,
    *,
    length_m: float | None = None,
    duration_s: float | None = None,
    count: int = 3,
    tolerance: float = 0.05,
    seed: int = 0,
    avoid_edges: I32 | None = None,
    turn_penalty: float = 0.0,
) -> list[Path]:
    """Up to `count` ways from `place` to `home` of the wanted length or duration; otherwise as `loops`.

    Where the best way home is as long as wanted, or longer, it is the only one. `turn_penalty` is held
    against setting out over the reverse of the place's edge, as in `shortest_path`.
    """
    target = _target(length_m, duration_s)
    direct = shortest_path(graph, metric, place, home, space, turn_penalty=turn_penalty)
    if target.of(direct) >= target.amount * (1.0 - tolerance):
        return [direct]
    avoided = np.empty(0, np.int32) if avoid_edges is None else both_ways(graph, np.asarray(avoid_edges))
    planner = _Planner(graph, metric, place, home, space, target, avoided, turn_penalty)
    found = [direct] if direct.length_m > 0.0 else []
    for turn in range(2 * BEARINGS):
        if turn == BEARINGS and any(target.error(path) <= tolerance for path in found):
            break  # the bearings in between are only for places where it is difficult
        candidate = planner.fitted(
            360.0 * (turn % BEARINGS + 0.5 * (turn // BEARINGS)) / BEARINGS + GOLDEN_DEG * seed, tolerance
        )
        if candidate is not None:
            found.append(candidate)
    if not found:
        raise NoRoute(
            f"no loop of {target.amount:.0f} {'s' if target.is_duration else 'm'} leads from edge "
            f"{place.edge} anywhere on foot; ask for another length or start elsewhere"
        )
    back = int(graph.reverse[place.edge]) if turn_penalty else -1
    return _best(graph, found, target, count, tolerance, avoided, back, turn_penalty)


def _target(length_m: float | None, duration_s: float | None) -> _Target:
    if (length_m is None) == (duration_s is None):
        raise BadInput("a loop needs either length_m or duration_s, and not both")
    amount = length_m if length_m is not None else duration_s
    if amount is None or not 0.0 < amount < math.inf:
        raise BadInput(f"a loop of {amount} cannot be walked; the length or duration must be positive")
    return _Target(amount, length_m is None)


class _Planner:
    """Builds loops for one question; holds what all of its bearings share."""

    def __init__(
        self,
        graph: Graph,
        metric: Metric,
        place: Place,
        home: Place,
        space: SearchSpace,
        target: _Target,
        avoided: I32,
        turn_penalty: float,
    ) -> None:
        self.graph, self.metric, self.place, self.home, self.space = graph, metric, place, home, space
        self.target = target
        self.metres = target.amount * (REFERENCE_MPS if target.is_duration else 1.0)
        lat, lon = _position(graph, place)
        x, y = to_local(graph.node_lat, graph.node_lon, lat, lon)
        reach = self.metres
        near = np.flatnonzero(space.core & (np.abs(x) < reach) & (np.abs(y) < reach))
        component = graph.component[np.minimum(graph.first_out[near], graph.edge_count - 1)]
        self.nodes = near[component == graph.component[place.edge]].astype(np.int32)
        self.x, self.y = x[self.nodes], y[self.nodes]
        home_lat, home_lon = _position(graph, home)
        home_x, home_y = to_local(home_lat, home_lon, lat, lon)
        self.home_x, self.home_y = float(home_x), float(home_y)
        np.copyto(space.scratch, metric.impedance)
        space.scratch[avoided] *= np.float32(WALKED_PENALTY)
        self.base = space.scratch.copy() if len(avoided) else metric.impedance
        self.dearer = Metric(space.scratch)
        self.turn_penalty = turn_penalty

    def fitted(self, bearing_deg: float, tolerance: float) -> Path | None:
        """The loop towards this bearing whose amount comes nearest to what is wanted."""
        scale, low, high = 1.0, 0.0, math.inf
        best: Path | None = None
        for _ in range(TRIES_PER_BEARING):
            path = self.through(_polygon(self.metres * scale / DETOUR, bearing_deg, self.home_x, self.home_y))
            if path is None:
                high = min(high, scale)
                scale = (low + high) / 2 if low else scale * 0.8
                continue
            if best is None or self.target.error(path) < self.target.error(best):
                best = path
            if self.target.error(path) <= tolerance / 2:
                break
            amount = self.target.of(path)
            if amount < self.target.amount:
                low = max(low, scale)
            else:
                high = min(high, scale)
            scale *= min(2.0, max(0.5, self.target.amount / max(amount, 1.0)))
            if not low < scale < high:
                scale = (low + high) / 2 if high < math.inf else low * 1.2
        return best

    def through(self, corners: F64) -> Path | None:
        """The path by way of the nodes nearest to the corners, None where it cannot be walked."""
        if not len(self.nodes):
            return None
        picked = np.empty(len(corners), np.int32)
        _nearest(self.x, self.y, corners, picked)
        vias = [node_place(self.graph, int(node)) for node in self.nodes[picked]]
        stops = [self.place, *vias, self.home]
        touched: list[I32] = []
        legs: list[Path] = []
        try:
            for a, b in itertools.pairwise(stops):
                if a == b:
                    continue
                penalty = 0.0 if legs else self.turn_penalty
                leg = shortest_path(self.graph, self.dearer, a, b, self.space, turn_penalty=penalty)
                legs.append(leg)
                ground = both_ways(self.graph, leg.edges)
                self.space.scratch[ground] *= np.float32(WALKED_PENALTY)
                touched.append(ground)
        except NoRoute:
            return None
        finally:
            for ground in touched:
                self.space.scratch[ground] = self.base[ground]
        if not legs:
            return None
        path = joined(self.graph, self.metric, legs)
        return path if path.length_m > 0.0 and path.impedance < math.inf else None


def _position(graph: Graph, place: Place) -> tuple[float, float]:
    edge = np.array([place.edge], np.int32)
    lat, lon = path_coordinates(graph, Path(edge, place.fraction, place.fraction, 0.0, 0.0, 0.0))
    return float(lat[0]), float(lon[0])


def _polygon(perimeter_m: float, bearing_deg: float, home_x: float, home_y: float) -> F64:
    """(3, 2) corners in metres east and north of the place, between it and home.

    The far corner lies on an ellipse around place and home (a circle, where they are one), at the bearing;
    the others bulge to both sides of the lines to it, so that place, corners and home make `perimeter_m`.
    """
    apart = math.hypot(home_x, home_y)
    by_corner = max(perimeter_m / math.sqrt(1.0 + 4.0 * BULGE * BULGE), 1.02 * apart)
    bulge = 0.5 * math.sqrt(max(0.0, (perimeter_m / by_corner) ** 2 - 1.0))
    turn = math.radians(bearing_deg)
    east, north = math.sin(turn), math.cos(turn)
    # the ellipse in polar form, seen from its focus at the place
    radius = (by_corner**2 - apart**2) / (2.0 * (by_corner - (east * home_x + north * home_y)))
    far_x, far_y = radius * east, radius * north
    return np.array(
        [
            [far_x / 2 - bulge * far_y, far_y / 2 + bulge * far_x],
            [far_x, far_y],
            [
                (far_x + home_x) / 2 - bulge * (home_y - far_y),
                (far_y + home_y) / 2 + bulge * (home_x - far_x),
            ],
        ]
    )


def _best(
    graph: Graph,
    found: list[Path],
    target: _Target,
    count: int,
    tolerance: float,
    avoided: I32,
    back: int,
    turn_penalty: float,
) -> list[Path]:
    """The best candidates that differ; those within tolerance, or else the one nearest to it.

    `turn_penalty` is held against those that set out over the edge `back`.
    """
    good = [path for path in found if target.error(path) <= tolerance]
    if not good:
        return [min(found, key=target.error)]

    def cost(path: Path) -> float:
        known = shares(path) * graph.length_m[path.edges] * np.isin(path.edges, avoided)
        repeated = (walked_twice_m(graph, path) + float(known.sum())) / path.length_m
        felt = path.impedance + (turn_penalty if path.edges[0] == back else 0.0)
        return felt / path.duration_s * (1.0 + REPEAT_COST * repeated)

    kept: list[Path] = []
    for path in sorted(good, key=cost):
        if all(shared_m(graph, path, other) <= MAX_OVERLAP * path.length_m for other in kept):
            kept.append(path)
        if len(kept) == count:
            break
    return kept


@njit(cache=True)
def _nearest(x, y, corners, out):  # type: ignore[no-untyped-def]
    """For each corner the index of the point nearest to it."""
    for c in range(len(corners)):
        least = np.inf
        for i in range(len(x)):
            dx, dy = x[i] - corners[c, 0], y[i] - corners[c, 1]
            if dx * dx + dy * dy < least:
                least = dx * dx + dy * dy
                out[c] = i
