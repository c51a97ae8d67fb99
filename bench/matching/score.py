"""How good a matcher's answers are, beside the known truth.

Which fixes count. Where the walker truly is on a street, the edge must be right. Where the walker crosses a
place without streets, the answer must be "off the network"; but near its ends, and where it passes a
street, nobody can tell: a fix on a crossing whose true position is nearer to some street than 10 m or 2
sigma, whichever is more, is not judged at all. `off_network_f1_strict` judges those too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.matching.fixes import KnownFixes
from bench.matching.online import Answers
from bench.matching.walks import point_at
from geo.geodesy import METRES_PER_DEG, haversine_m
from geo.graph import F64, I32, Graph
from geo.grid import nearest_edges

CORRIDOR_M, CORRIDOR_DEG = 8.0, 20.0
CLEAR_M, CLEAR_SIGMAS = 10.0, 2.0
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """Shares 0..1 over all fixes of all walks that count."""

    edge_accuracy: float  # the true edge, in either direction
    directed_accuracy: float
    corridor_accuracy: float  # the true edge, or one parallel to it within 8 m and 20 degrees
    median_error_m: float  # of the matched position; off the network that is the fix itself
    raw_median_error_m: float  # of the fixes
    off_network_f1: float
    off_network_f1_strict: float
    not_judged_share: float


def judged(graph: Graph, fixes: KnownFixes, sigma_m: float) -> Mask:
    """Which fixes count: on a street, or well clear of all of them."""
    clear_m = max(CLEAR_M, CLEAR_SIGMAS * sigma_m)
    truth = fixes.truth
    counts = np.ones(len(fixes), np.bool_)
    for i in np.flatnonzero(truth.off_network):
        counts[i] = not nearest_edges(graph, float(truth.lat[i]), float(truth.lon[i]), clear_m, 1)
    return counts


def score(
    graph: Graph, walks: Sequence[KnownFixes], answers: Sequence[Answers], counts: Sequence[Mask]
) -> Score:
    """Judge the answers to all walks together; `counts` is that of `judged` for each."""
    right: list[Mask] = []
    directed: list[Mask] = []
    corridor: list[Mask] = []
    error: list[F64] = []
    raw: list[F64] = []
    for fixes, said in zip(walks, answers, strict=True):
        on = ~fixes.truth.off_network
        right.append(same_street(graph, said.edge, fixes.truth.edge)[on])
        directed.append((said.edge == fixes.truth.edge)[on])
        corridor.append(in_corridor(graph, fixes, said)[on])
        error.append(position_error_m(graph, fixes, said))
        raw.append(haversine_m(fixes.lat, fixes.lon, fixes.truth.lat, fixes.truth.lon))
    truly_off = np.concatenate([fixes.truth.off_network for fixes in walks])
    said_off = np.concatenate([said.off_network for said in answers])
    count = np.concatenate(list(counts))
    return Score(
        float(np.concatenate(right).mean()),
        float(np.concatenate(directed).mean()),
        float(np.concatenate(corridor).mean()),
        float(np.median(np.concatenate(error))),
        float(np.median(np.concatenate(raw))),
        f1(truly_off[count], said_off[count]),
        f1(truly_off, said_off),
        float(1.0 - count.mean()),
    )


def f1(truly: Mask, said: Mask) -> float:
    """The harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); nan where nothing is positive."""
    hits, wrong = int((truly & said).sum()), int((truly != said).sum())
    return 2 * hits / (2 * hits + wrong) if hits + wrong else float("nan")


def same_street(graph: Graph, edge: I32, other: I32) -> Mask:
    """Whether two edges are the same one or each other's reverse; never for -1."""
    reverse = np.where(other >= 0, np.asarray(graph.reverse)[np.maximum(other, 0)], -1)
    same: Mask = (edge >= 0) & ((edge == other) | (edge == reverse))
    return same


def in_corridor(graph: Graph, fixes: KnownFixes, said: Answers) -> Mask:
    """Whether each answer is the true edge, or passes the true position within 8 m, parallel within 20°."""
    truth = fixes.truth
    found = same_street(graph, said.edge, truth.edge)
    for i in np.flatnonzero(~found & (said.edge >= 0) & ~truth.off_network):
        lat, lon = float(truth.lat[i]), float(truth.lon[i])
        far_m, bearing = passing(graph, int(said.edge[i]), lat, lon)
        if far_m <= CORRIDOR_M:
            true_bearing = passing(graph, int(truth.edge[i]), lat, lon)[1]
            apart = abs((bearing - true_bearing + 90.0) % 180.0 - 90.0)
            found[i] = apart <= CORRIDOR_DEG
    return found


def passing(graph: Graph, edge: int, lat: float, lon: float) -> tuple[float, float]:
    """How far from a point an edge passes, in metres, and its bearing there in degrees."""
    first, last = graph.shape_first[edge], graph.shape_first[edge + 1]
    y = (np.asarray(graph.shape_lat[first:last]) - lat) * METRES_PER_DEG
    x = (np.asarray(graph.shape_lon[first:last]) - lon) * METRES_PER_DEG * np.cos(np.radians(lat))
    dx, dy = np.diff(x), np.diff(y)
    length2 = np.maximum(dx * dx + dy * dy, 1e-12)
    t = np.clip(-(x[:-1] * dx + y[:-1] * dy) / length2, 0.0, 1.0)
    far = np.hypot(x[:-1] + t * dx, y[:-1] + t * dy)
    k = int(np.argmin(far))
    return float(far[k]), float(np.degrees(np.arctan2(dx[k], dy[k])))


def position_error_m(graph: Graph, fixes: KnownFixes, said: Answers) -> F64:
    """Metres from where the walker was said to be to where the walker was."""
    lat, lon = fixes.lat.copy(), fixes.lon.copy()
    for i in np.flatnonzero(said.edge >= 0):
        lat[i], lon[i] = point_at(graph, int(said.edge[i]), float(said.fraction[i]))
    return haversine_m(lat, lon, fixes.truth.lat, fixes.truth.lon)
