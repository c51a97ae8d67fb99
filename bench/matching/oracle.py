"""The oracle: where a walker was, for somebody who has the whole trace and knows how it came about.

A bound for the online matcher, of which it shares the graph and no line of code. It is the forward-backward
algorithm (Rabiner 1989) over the states of `bench.matching.lattice` with what is true of these walks: their
rates of stopping, turning, leaving and joining the network (counted in the truth), the walker's own mean
pace, and the error of the fixes with its true size and true memory. For an error with a memory every state
carries a Kalman estimate of the error's parts (fast, its slope, slow); where ways merge, estimates are
averaged by probability, which loses little, since their sum is known there: it is the fix less the place.
Forward and backward estimates are joined as in two-filter smoothers (Fraser and Potter 1969). For each fix
the street with the greatest posterior probability of all its cells, in both directions, is chosen, or off
the network: no answer is right more often, if the model is right.

What it does not know is the destination: ways to places are more direct than a preference for going
straight on at junctions makes them. And its cells and squares are coarse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.matching.fixes import KnownFixes, Setting, scale_error
from bench.matching.lattice import (
    CELL_M,
    SQUARE_M,
    STEP_S,
    Bearings,
    Habits,
    Lattice,
    build_lattice,
    edge_bearings,
    ways_on,
)
from bench.matching.online import Answers
from bench.matching.oracle_kernels import smooth
from bench.matching.walks import KnownWalk
from geo.geodesy import to_local
from geo.graph import F64, Graph
from geo.grid import nearest_edges
from models.simulation.gps_error import GpsError

REACH_M = 90.0  # from the true way to the farthest state
BACK_S = 240.0  # how far the one without full look-ahead looks back
LEAST = 1e-7  # states less likely than the best by this are given up


def count_habits(graph: Graph, bearing: Bearings, walks: Sequence[KnownWalk]) -> Habits:
    """The true rates of these walks; those of which there is too little to count are a few in an hour."""
    moving_s = standing_s = on_s = passing_s = 0.0
    stops = turns = crossings = 0
    moved_m = 0.0
    for walk in walks:
        truth = walk.at(walk.ts)
        still = np.diff(walk.along_m) < 1e-9
        stops += int((still & ~np.append(False, still[:-1])).sum())
        standing_s += float(still.sum())
        moving_s += float((~still).sum())
        moved_m += float(walk.along_m[-1])
        on_s += float((~truth.off_network).sum())
        for i in np.flatnonzero(truth.off_network):
            near = nearest_edges(graph, float(truth.lat[i]), float(truth.lon[i]), SQUARE_M / 2, 1)
            passing_s += bool(near)
        for one, other in zip(walk.pieces, walk.pieces[1:], strict=False):
            turns += one.edge >= 0 and graph.reverse[one.edge] == other.edge
        crossings += sum(piece.edge < 0 for piece in walk.pieces)
    return Habits(
        pace_mps=moved_m / moving_s,
        stop=max(stops, 1) / moving_s,
        start=max(stops, 1) / max(standing_s, 10.0),
        turn=max(turns, 1) / on_s,
        leave=max(crossings, 1) / on_s,
        join=min(0.5, max(crossings, 1) / max(passing_s, 2.0)),
        straight=_fit_straight(graph, bearing, walks),
    )


def _fit_straight(graph: Graph, bearing: Bearings, walks: Sequence[KnownWalk]) -> float:
    """The most likely `Habits.straight` of the choices that were made at junctions."""
    pairs = [pair for walk in walks for pair in zip(walk.pieces, walk.pieces[1:], strict=False)]
    passed = [
        (one.edge, other.edge)
        for one, other in pairs
        if min(one.edge, other.edge) >= 0 and one.end == 1.0 and other.start == 0.0
        and graph.reverse[one.edge] != other.edge
    ][:3_000]  # fmt: skip
    best = (-np.inf, 0.0)
    for straight in (0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.09):
        chances = [(ways_on(graph, bearing, edge, straight), after) for edge, after in passed]
        total = sum(float(np.log(chance[ways.index(after)] + 1e-9)) for (ways, chance), after in chances)
        best = max(best, (total, straight))
    return best[1]


def own_habits(walk: KnownWalk, habits: Habits) -> Habits:
    """The habits of all with this walker's own mean pace."""
    step_m = np.diff(walk.along_m)
    return replace(habits, pace_mps=float(step_m[step_m > 1e-9].mean()))


@dataclass(frozen=True)
class _ErrorModel:
    """The error's filter at n fixes, the same for all states of a kind: 0 a street's, 1 a square's.

    Errors are in units of sigma_m; their parts are fast, its slope, slow, each of variance 1.
    """

    sigma_m: F64  # (n,)
    turn: F64  # (n, 3, 3) from the fix before to this one
    gain: F64  # (n, 2, 3)
    variance: F64  # (n, 2) of what the fix is off the expected, m^2
    predicted: F64  # (n, 2, 3, 3) covariance before the fix
    filtered: F64  # (n, 2, 3, 3) and after it
    sum: F64  # (3,) how the parts add up
    outlier: float  # share of fixes in a jump
    jump_m2: float


class Oracle:
    """The oracle for some walks on one graph; lattices are made once for all settings."""

    def __init__(self, graph: Graph, walks: Sequence[KnownWalk], error: GpsError) -> None:
        self.graph = graph
        self.error = error
        bearing = edge_bearings(graph)
        habits = count_habits(graph, bearing, walks)
        off = np.concatenate([walk.at(walk.ts).off_network for walk in walks])
        self.off_share = float(np.clip(off.mean(), 0.001, 0.9))
        self.lattices = [
            build_lattice(graph, bearing, walk, own_habits(walk, habits), REACH_M) for walk in walks
        ]

    def answers(self, walks: Sequence[KnownFixes], setting: Setting) -> list[Answers]:
        """What it says of the fixes of every walk."""
        return [
            posterior(self.graph, lattice, fixes, setting, self.error, self.off_share)
            for lattice, fixes in zip(self.lattices, walks, strict=True)
        ]

    def with_lag(
        self, walks: Sequence[KnownFixes], setting: Setting, lag_s: float, every: int
    ) -> list[tuple[Any, Answers]]:
        """For every so-manieth fix of each walk, what it says without looking further ahead than lag_s.

        Returns the fixes' indices and the answers. It looks BACK_S back.
        """
        found = []
        for lattice, fixes in zip(self.lattices, walks, strict=True):
            chosen = np.arange(every // 2, len(fixes), every)
            edge, fraction = np.full(len(chosen), -1, np.int32), np.zeros(len(chosen))
            probability = np.zeros(len(chosen))
            for k, i in enumerate(chosen.tolist()):
                first, last = np.searchsorted(fixes.ts, (fixes.ts[i] - BACK_S, fixes.ts[i] + lag_s + 1e-6))
                part = fixes.part(int(first), int(last))
                said = posterior(self.graph, lattice, part, setting, self.error, self.off_share)
                at = i - int(first)
                edge[k], fraction[k], probability[k] = said.edge[at], said.fraction[at], said.probability[at]
            found.append((chosen, Answers(edge, fraction, edge < 0, probability)))
        return found


def posterior(
    graph: Graph, lattice: Lattice, fixes: KnownFixes, setting: Setting, error: GpsError, off_share: float
) -> Answers:
    """The most likely street of each fix, given all of them."""
    x, y = to_local(fixes.lat, fixes.lon, lattice.lat0, lattice.lon0)
    ahead = _error_model(fixes.ts, fixes, setting, error)
    behind = _error_model(-fixes.ts[::-1], fixes, setting, error, reverse=True)
    steps = np.maximum(1, np.rint(np.diff(fixes.ts, prepend=fixes.ts[0]) / STEP_S)).astype(np.int64)
    start, mass = _beginning(lattice, float(x[0]), float(y[0]), off_share, setting)
    street = _streets(graph, lattice)
    fuse = _fusion(ahead, behind)
    n = len(fixes)
    edge, fraction, probability = np.empty(n, np.int32), np.empty(n), np.empty(n)
    smooth(
        (lattice.x, lattice.y, lattice.edge, lattice.fraction, street),
        (lattice.move.first, lattice.move.to, lattice.move.share),
        (lattice.rare.first, lattice.rare.to, lattice.rare.share),
        (x, y, steps, np.diff(fixes.ts, prepend=fixes.ts[0])),
        (ahead.sigma_m, ahead.turn, ahead.gain, ahead.variance, ahead.sum),
        (behind.sigma_m, behind.turn, behind.gain, behind.variance, behind.sum),
        fuse,
        (ahead.outlier, ahead.jump_m2, LEAST, setting.noise != "white"),
        (start, mass),
        (edge, fraction, probability),
    )  # fmt: skip
    return Answers(edge, fraction, edge < 0, probability)


def _beginning(lattice: Lattice, x: float, y: float, off_share: float, setting: Setting) -> tuple[Any, F64]:
    """States near the first fix and how likely they are before it: all as if the walk had long begun."""
    far_m = np.hypot(lattice.x - x, lattice.y - y)
    near = np.flatnonzero(far_m < max(40.0, 4.0 * setting.sigma_m))
    weight = lattice.weight[near].copy()
    off = lattice.edge[near] < 0
    on_mass = max(float(weight.sum()), 1e-9)
    weight[off] = off_share / (1.0 - off_share) * on_mass / max(1, int(off.sum()))
    states = np.concatenate((near, near + len(lattice.x)))
    return states.astype(np.int32), np.concatenate((0.85 * weight, 0.15 * weight)) / weight.sum()


def _streets(graph: Graph, lattice: Lattice) -> Any:
    """(S,) the lower of an edge's number and its reverse's, -1 off the network."""
    back = np.asarray(graph.reverse)[lattice.edge]
    return np.where((lattice.edge < 0) | (back < 0), lattice.edge, np.minimum(lattice.edge, back))


def _error_model(
    ts: F64, fixes: KnownFixes, setting: Setting, error: GpsError, reverse: bool = False
) -> _ErrorModel:
    n = len(ts)
    grain_m2 = np.array([CELL_M**2 / 6.0, SQUARE_M**2 / 6.0])
    zeros = np.zeros((n, 2, 3, 3))
    if setting.noise == "white":
        variance = np.tile(setting.sigma_m**2 + grain_m2 / 2.0, (n, 1))
        return _ErrorModel(
            np.full(n, setting.sigma_m), zeros[:, 0], np.zeros((n, 2, 3)), variance, zeros, zeros,
            np.zeros(3), 0.0, 1.0,
        )  # fmt: skip
    scaled = scale_error(error, setting)
    sigma = scaled.sigma_m(fixes.accuracy_m.astype(np.float64))
    sigma = sigma[::-1] if reverse else sigma
    parts = np.array([np.sqrt(1 - scaled.slow_share), 0.0, np.sqrt(scaled.slow_share)])
    turn = np.array([_turn(scaled, dt) for dt in np.diff(ts, prepend=ts[0])])
    gain, variance = np.empty((n, 2, 3)), np.empty((n, 2))
    predicted, filtered = zeros, zeros.copy()
    for kind in range(2):
        after = np.eye(3)
        for i in range(n):
            before = turn[i] @ (after - np.eye(3)) @ turn[i].T + np.eye(3)
            total = float(parts @ before @ parts) + grain_m2[kind] / sigma[i] ** 2
            gain[i, kind] = before @ parts / total
            after = before - np.outer(gain[i, kind], parts @ before) + 1e-9 * np.eye(3)
            variance[i, kind] = sigma[i] ** 2 * total
            predicted[i, kind], filtered[i, kind] = before, after
    jump_s = float(np.mean(scaled.jump_s)) * scaled.jumps_per_hour / 3600.0
    jump_m2 = float(np.mean(np.square(scaled.jump_m))) / 2.0
    return _ErrorModel(sigma, turn, gain, variance, predicted, filtered, parts, min(0.2, jump_s), jump_m2)


def _turn(error: GpsError, dt: float) -> F64:
    """How the parts of the error go on over dt seconds."""
    r, slow = dt / error.tau_s, np.exp(-dt / error.slow_tau_s)
    fast = np.exp(-r) * np.array([[1 + r, r], [-r, 1 - r]])
    return np.block([[fast, np.zeros((2, 1))], [np.zeros((1, 2)), np.array([[slow]])]])


def _fusion(ahead: _ErrorModel, behind: _ErrorModel) -> Any:
    """How well a forward and a backward estimate f and b fit: matrices A, B, C and a constant of which the
    logarithm of that is f'Af + b'Bb + 2 f'Cb, plus the constant; (n, 2, ...) each.

    The backward estimate's slope is that of time running backward.
    """
    n = len(ahead.sigma_m)
    a, b, c = np.zeros((3, n, 2, 3, 3))
    constant = np.zeros((n, 2))
    if ahead.outlier == 0.0:
        return a, b, c, constant
    flip = np.diag([1.0, -1.0, 1.0])
    for kind in range(2):
        for i in range(n):
            forward = np.linalg.inv(ahead.filtered[i, kind])
            backward = np.linalg.inv(flip @ behind.predicted[n - 1 - i, kind] @ flip)
            joint = np.linalg.inv(forward + backward - np.eye(3) * (1 - 1e-6))
            a[i, kind] = 0.5 * (forward @ joint @ forward - forward)
            b[i, kind] = 0.5 * flip @ (backward @ joint @ backward - backward) @ flip
            c[i, kind] = 0.5 * forward @ joint @ backward @ flip
            constant[i, kind] = np.linalg.slogdet(forward)[1] + np.linalg.slogdet(backward)[1]
            constant[i, kind] += np.linalg.slogdet(joint)[1]
    return a, b, c, constant
