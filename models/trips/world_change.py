"""Whom a change of the world concerns, in the order in which they are to be told.

All live routes of a partition are scored on the network before and after in one call. Who passes nothing that
changed is done with at once. Who gets worse off is looked at in the order in which they reach the first
stretch that became dearer. Where something was eased, an upper bound of what that can spare tells who might
find a clearly better way; of these only the few who could gain most are looked at, the rest another time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from geo.graph import F32, F64, I32, I64, Graph
from geo.network import Network
from geo.routing.cost_kernels import Ways
from geo.routing.costs import FACTORS, changed_edges
from geo.routing.scoring import Rescored, rescore, spared_at_most
from models.trips import trip as trips
from models.trips.trip import Policy
from models.trips.walker_state import WalkerState

DETOUR = 1.25  # no way worth a look is longer than what is left of the route by more than this
CELL_M = 400.0  # and twice the radius of a cell, for it is known where its centre is
_DEFAULTS = np.array([factor.default_weight for factor in FACTORS], np.float32)


class Concerned(NamedTuple):
    """A walker who is to be looked at, and why."""

    slot: int
    decision: int  # WORLD_CHANGED or BETTER


def concerned(
    state: WalkerState, slots: I64, before: Network, after: Network, policy: Policy
) -> list[Concerned]:
    """Those whose way ahead became worse, first who reaches that first; then those who might do better.

    slots: of all who have a trip on this network.
    """
    graph = after.graph
    changed = changed_edges(before.costs, after.costs)
    if len(slots) == 0 or len(changed) == 0:
        return []
    ways = ways_ahead(state, graph, slots)
    weight = weight_rows_of(state.trips["taste"][slots])
    costs = rescore(graph, before.costs, after.costs, changed, ways, weight, policy.worse_share)
    pace = np.maximum(state.trips["speed_mps"][slots], policy.slowest_mps)
    worse = costs.now > costs.was * (1.0 + policy.worse_share)
    reached_s = np.where(worse, costs.worse_m / pace, np.inf)
    first = np.argsort(reached_s, kind="stable")[: np.count_nonzero(worse)]
    found = [Concerned(int(slots[k]), trips.WORLD_CHANGED) for k in first.tolist()]
    left_m = state.trips["route_m"][slots] - state.trips["progress_m"][slots]
    left_s = state.trips["route_s"][slots] * left_m / np.maximum(state.trips["route_m"][slots], 1.0)
    ends = (
        _points(graph, graph.tail[ways.edges[ways.first]]),
        _points(graph, graph.head[ways.edges[ways.last - 1]]),
    )
    reach_m = DETOUR * left_m + CELL_M
    spared = spared_at_most(graph, before.costs, after.costs, changed, ends, reach_m, weight)
    hope = _hope(costs, spared, left_s)
    hope[worse | (state.trips["looked_ts"][slots] + policy.look_again_s > _now(state, slots))] = 0.0
    hope[state.trips["resting"][slots] != trips.WALKS] = 0.0
    best = np.argsort(-hope, kind="stable")[: policy.look_most]
    return found + [
        Concerned(int(slots[k]), trips.BETTER) for k in best.tolist() if hope[k] >= policy.better_margin
    ]


def ways_ahead(state: WalkerState, graph: Graph, slots: I64) -> Ways:
    """What is left of the routes of some walkers."""
    routes, trip = state.routes(), state.trips[slots]
    first = routes.first[slots] + trip["route_idx"]
    length = np.maximum(graph.length_m[routes.edges[first]].astype(np.float64), 1e-6)
    fraction = np.clip((trip["progress_m"] - routes.start_m[first]) / length, 0.0, 1.0)
    last = routes.first[slots] + routes.size[slots]
    return Ways(first, last, routes.edges, fraction, trip["end_fraction"].astype(np.float64))


def weight_rows_of(tastes: F32) -> F32:
    """(n, K) the weights that count, from tastes as trips hold them: nan is a factor's default."""
    rows: F32 = np.where(np.isnan(tastes), _DEFAULTS, tastes)
    return rows


def _hope(costs: Rescored, spared: F64, left_s: F64) -> F64:
    """(n,) which share of what is left another way could spare at most.

    The route was about the best before; another is now better by what it was eased more than the route.
    """
    known = np.isfinite(costs.was) & np.isfinite(costs.now)
    own = np.subtract(costs.was, costs.now, out=np.zeros(len(left_s)), where=known)
    now = np.where(np.isfinite(costs.now), costs.now, left_s)
    share: F64 = (spared * left_s - own) / np.maximum(now, 1.0)
    return np.clip(share, 0.0, 1.0)


def _now(state: WalkerState, slots: I64) -> F64:
    now: F64 = np.maximum(state.trips["last_ts"][slots], state.trips["started_ts"][slots])
    return now


def _points(graph: Graph, nodes: I32) -> F64:
    return np.stack([graph.node_lat[nodes], graph.node_lon[nodes]], axis=1)
