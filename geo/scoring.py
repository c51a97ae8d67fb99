"""Scores of many routes in one call: what each exposes a walker to, and what it costs each taste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from geo.costs import COLUMN, FACTOR_NAMES, MIN_MULTIPLIER, Costs, weights
from geo.errors import BadInput
from geo.graph import F32, F64, I32, I64, Graph
from geo.search import Path


class Routes(NamedTuple):
    """R routes in one block: the edges of route r are edges[first[r] : first[r + 1]], at least one."""

    first: I64  # (R+1,)
    edges: I32
    start_fraction: F64  # (R,) where the first edge is entered
    end_fraction: F64  # (R,) where the last edge is left


@dataclass(frozen=True, eq=False)
class RouteScores:
    """R routes, K factors in the order of geo.costs.FACTORS, T tastes in the order given."""

    length_m: F64  # (R,)
    duration_s: F64  # (R,)
    exposure: F64  # (R, K) mean of the factor over the walking time, 0..1
    impedance: F64  # (R, T) +inf where a closed stretch is ahead
    added_s: F64  # (R, T, K) seconds felt that a factor adds, negative where it pleases

    def exposures(self, route: int) -> dict[str, float]:
        """factor → mean exposure 0..1 of one route."""
        return {name: float(self.exposure[route, column]) for name, column in COLUMN.items()}


def pack(paths: Sequence[Path]) -> Routes:
    """The paths as one block."""
    first = np.zeros(len(paths) + 1, np.int64)
    np.cumsum([len(path.edges) for path in paths], out=first[1:])
    edges = [np.asarray(path.edges, np.int32) for path in paths]
    return Routes(
        first,
        np.concatenate(edges) if edges else np.empty(0, np.int32),
        np.array([path.start_fraction for path in paths], np.float64),
        np.array([path.end_fraction for path in paths], np.float64),
    )


def score_routes(
    graph: Graph, costs: Costs, paths: Sequence[Path], tastes: Sequence[Mapping[str, float]]
) -> RouteScores:
    """Scores of all paths for all tastes; raises BadInput for a taste that `costs.weights` refuses.

    `impedance` = `duration_s` + Σ `added_s`, but where a stretch is so pleasant that it meets the least
    multiplier. As in a search, a closed first stretch that is left from its midst costs its duration.
    """
    weight = np.stack([weights(taste) for taste in tastes]) if tastes else np.empty((0, len(FACTOR_NAMES)))
    weight = weight.astype(np.float32)
    count = len(paths)
    length_m, duration_s = np.empty(count), np.empty(count)
    exposure = np.empty((count, len(FACTOR_NAMES)))
    impedance = np.empty((count, len(tastes)))
    _score(
        _Stretches(graph.length_m, graph.duration_s, costs.factors, costs.closed),
        pack(paths),
        weight,
        MIN_MULTIPLIER,
        length_m,
        duration_s,
        exposure,
        impedance,
    )
    added_s = weight[None, :, :].astype(np.float64) * exposure[:, None, :] * duration_s[:, None, None]
    return RouteScores(length_m, duration_s, exposure, impedance, added_s)


def remaining_impedance(
    graph: Graph, impedances: F32, routes: Routes, from_index: I32, from_fraction: F64, taste: I32
) -> F64:
    """(R,) what is left of every route, +inf where a closed stretch lies ahead.

    impedances: (T, M) one row a taste; taste: (R,) the row of each route.
    from_index, from_fraction: (R,) the walker is on the from_index-th edge of the route, at that fraction
    of it; an index behind the last edge leaves nothing. A closed edge that the walker is amid costs its
    duration, as in a search. Raises BadInput for arrays that do not fit together.
    """
    count = len(routes.first) - 1
    if not len(from_index) == len(from_fraction) == len(taste) == count:
        raise BadInput(
            f"there are {count} routes, so from_index, from_fraction and taste need {count} values"
        )
    if impedances.ndim != 2 or impedances.shape[1] != graph.edge_count:
        raise BadInput(f"impedances has the shape {impedances.shape}, but needs (T, {graph.edge_count})")
    if count and (from_index.min() < 0 or taste.min() < 0 or taste.max() >= len(impedances)):
        raise BadInput(f"from_index must not be negative and taste must lie in 0..{len(impedances) - 1}")
    out = np.empty(count)
    _remaining(impedances, graph.duration_s, routes, from_index, from_fraction, taste, out)
    return out


class _Stretches(NamedTuple):
    length_m: F32
    duration_s: F32
    factors: F32
    closed: np.ndarray[tuple[int], np.dtype[np.bool_]]


@njit(cache=True)
def _score(stretches, routes, weight, min_multiplier, length_m, duration_s, exposure, impedance):  # type: ignore[no-untyped-def]
    tastes, factors = weight.shape
    for r in range(len(length_m)):
        length_m[r] = 0.0
        duration_s[r] = 0.0
        exposure[r, :] = 0.0
        impedance[r, :] = 0.0
        begin, end = routes.first[r], routes.first[r + 1]
        for i in range(begin, end):
            e = routes.edges[i]
            share = 1.0
            if i == end - 1:
                share = routes.end_fraction[r]
            if i == begin:
                share -= routes.start_fraction[r]
            if not share > 0.0:
                continue
            spent = share * stretches.duration_s[e]
            length_m[r] += share * stretches.length_m[e]
            duration_s[r] += spent
            for k in range(factors):
                exposure[r, k] += spent * stretches.factors[e, k]
            if stretches.closed[e]:
                # Only who stands amid a closed stretch can leave it, and that costs its duration.
                impedance[r, :] += spent if i == begin and routes.start_fraction[r] > 0.0 else np.inf
                continue
            for t in range(tastes):
                multiplier = 1.0
                for k in range(factors):
                    multiplier += weight[t, k] * stretches.factors[e, k]
                impedance[r, t] += spent * max(min_multiplier, multiplier)
        if duration_s[r] > 0.0:
            for k in range(factors):
                exposure[r, k] /= duration_s[r]


@njit(cache=True)
def _remaining(impedances, duration_s, routes, from_index, from_fraction, taste, out):  # type: ignore[no-untyped-def]
    for r in range(len(out)):
        begin, end = routes.first[r] + from_index[r], routes.first[r + 1]
        t = taste[r]
        total = 0.0
        for i in range(begin, end):
            e = routes.edges[i]
            share = 1.0
            if i == end - 1:
                share = routes.end_fraction[r]
            if i == begin:
                share -= from_fraction[r]
            if not share > 0.0:
                continue
            value = np.float64(impedances[t, e])
            if i == begin and value == np.inf and from_fraction[r] > 0.0:
                value = np.float64(duration_s[e])
            total += share * value
        out[r] = total
