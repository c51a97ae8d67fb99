"""Scores of many routes in one call: what each exposes a walker to, and what it costs each taste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from geo.errors import BadInput
from geo.graph import F32, F64, I32, Graph
from geo.routing import cost_kernels as kernels
from geo.routing.cost_kernels import Routes, Ways
from geo.routing.costs import COLUMN, DYNAMIC_FACTORS, FACTOR_NAMES, Costs, kernel_inputs, weight_rows
from geo.routing.search import Path


@dataclass(frozen=True, eq=False)
class RouteScores:
    """R routes, K factors in the order of geo.routing.costs.FACTORS, T tastes in the order given."""

    length_m: F64  # (R,)
    duration_s: F64  # (R,)
    exposure: F64  # (R, K) mean of the factor over the walking time, 0..1
    impedance: F64  # (R, T) +inf where a closed stretch is ahead
    weight: F32  # (T, K) the tastes

    @cached_property
    def added_s(self) -> F64:
        """(R, T, K) seconds felt that a factor adds, negative where it pleases."""
        spent = self.exposure * self.duration_s[:, None]
        return self.weight[None, :, :].astype(np.float64) * spent[:, None, :]

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
    graph: Graph,
    costs: Costs,
    routes: Routes | Sequence[Path],
    tastes: F32 | Sequence[Mapping[str, float]],
) -> RouteScores:
    """Scores of all routes for all tastes, given as weights by factor or as rows (T, K) of `costs.weights`.

    `impedance` = `duration_s` + Σ `added_s`, but where a stretch is so pleasant that it meets the least
    multiplier. As in a search, a closed first stretch that is left from its midst costs its duration.
    Raises BadInput for a taste that `costs.weights` refuses, and for rows of another shape.
    """
    packed = routes if isinstance(routes, Routes) else pack(routes)
    weight = tastes if isinstance(tastes, np.ndarray) else weight_rows(tastes)
    if weight.ndim != 2 or weight.shape[1] != len(FACTOR_NAMES):
        raise BadInput(f"tastes has the shape {weight.shape}, but needs (T, {len(FACTOR_NAMES)})")
    weight = np.ascontiguousarray(weight, np.float32)
    count = len(packed.first) - 1
    length_m, duration_s = np.empty(count), np.empty(count)
    exposure = np.empty((count, len(FACTOR_NAMES)))
    impedance = np.empty((count, len(weight)))
    inputs = kernel_inputs(graph, costs)
    kernels.score(inputs, packed, weight, length_m, duration_s, exposure, impedance)
    return RouteScores(length_m, duration_s, exposure, impedance, weight)


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
    kernels.remaining(impedances, graph.duration_s, routes, from_index, from_fraction, taste, out)
    return out


@dataclass(frozen=True, eq=False)
class Rescored:
    """What R ways cost before and after a change; nan, nan and +inf where none of their edges changed."""

    was: F64  # (R,) seconds felt, +inf where a closed stretch was ahead
    now: F64  # (R,)
    worse_m: F64  # (R,) metres to the first edge that became dearer, +inf if none did


def rescore(
    graph: Graph, old: Costs, new: Costs, changed: I32, ways: Ways, weight: F32, worse_share: float
) -> Rescored:
    """What a change of the costs makes of ways ahead, each for a taste of its own, in one call.

    changed: the edges that differ (`costs.changed_edges`). weight: (R, K) rows of `costs.weights`.
    worse_share: an edge counts as dearer from so much on. As in a search, a closed first edge that the walker
    is amid costs its duration.
    """
    count = len(ways.first)
    out = Rescored(np.empty(count), np.empty(count), np.empty(count))
    marked = np.zeros(graph.edge_count, np.bool_)
    marked[changed] = True
    inputs = kernel_inputs(graph, old), kernel_inputs(graph, new)
    kernels.rescore(*inputs, marked, ways, weight, worse_share, out.was, out.now, out.worse_m)
    return out


def spared_at_most(
    graph: Graph, old: Costs, new: Costs, changed: I32, ends: tuple[F64, F64], reach_m: F64, weight: F32
) -> F64:
    """(R,) an upper bound of what a change of the costs spares a walker on any way they could take.

    In seconds felt per second of walking; +inf where a stretch was opened that they can reach. ends: where
    they are and where they want to, (R, 2) degrees each; reach_m: (R,) no way of theirs is longer.
    """
    cells = len(graph.cell_h3)
    lowest = np.zeros((cells, len(DYNAMIC_FACTORS)), np.float32)
    highest = np.zeros_like(lowest)
    opened = np.zeros(cells, np.bool_)
    inputs = kernel_inputs(graph, old), kernel_inputs(graph, new)
    kernels.eased(*inputs, changed, graph.cell, lowest, highest, opened)
    eased = np.flatnonzero(opened | lowest.any(axis=1) | highest.any(axis=1))
    out = np.empty(len(reach_m))
    place = graph.cell_lat, graph.cell_lon
    kernels.spared_at_most((lowest, highest, opened), weight, eased, *place, *ends, reach_m, out)
    return out
