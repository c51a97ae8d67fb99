"""Tells for many walkers at once who could find a better way at all, by the cost of the best there is.

Of thousands whom a rain front reaches, a few hundred can go round it. To find that out by a plan of their own
takes each of them a sixth of a millisecond; what the best way costs takes a sixth of that.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.graph import F32, F64, I64
from geo.network import Network
from geo.routing.path_kernels import Places
from geo.routing.search import SearchSpace, shortest_paths
from models.routes.taste_metrics import searchable_metric_of
from models.trips import trip as trips
from models.trips.live_route import taste_of
from models.trips.trip import Policy
from models.trips.walker_state import WalkerState

SLACK_S = 0.01  # the sums of a search and of a route are rounded in different order,
SLACK_SHARE = 1e-4  # and so are the weights of the hierarchy


def have_prospects(
    state: WalkerState, slots: I64, margin: F64, network: Network, policy: Policy, space: SearchSpace
) -> NDArray[np.bool_]:
    """(n,) whether a look for a better way may find one, for walkers with a trip in the network's city.

    margin: (n,) by which share it must be better at least. True where this cannot tell: on loops, where an
    amount is wanted, and where a closed stretch lies ahead. Nobody is told anything else than what
    `Rerouting.reconsider` alone would tell them.
    """
    trip = state.trips[slots]
    possible = np.ones(len(slots), np.bool_)
    simple = (trip["kind"] == trips.KIND_TO) & (trip["wanted_m"] == 0.0) & (trip["wanted_s"] == 0.0)
    rows = np.flatnonzero(simple)
    for same in _by_taste(trip["taste"][rows]):
        some = rows[same]
        cost, best = _costs(state, slots[some], network, policy, space)
        known = np.isfinite(cost) & np.isfinite(best)
        some, cost, best = some[known], cost[known], best[known]
        wanted_s = np.maximum(policy.gain_s, margin[some] * cost) - SLACK_S - SLACK_SHARE * cost
        possible[some] = cost - best >= wanted_s
    return possible


def _costs(
    state: WalkerState, slots: I64, network: Network, policy: Policy, space: SearchSpace
) -> tuple[F64, F64]:
    """(n,) what is left of each route costs, and the best way from there; +inf: closed. All of one taste."""
    trip, graph = state.trips[slots], network.graph
    metric = searchable_metric_of(network, taste_of(trip["taste"][0]))
    walks = trip["resting"] == trips.WALKS
    speed_mps = np.where(walks, np.maximum(trip["speed_mps"], 0.0), 0.0).astype(np.float64)
    at_m = np.minimum(trip["progress_m"] + speed_mps * policy.reaction_s, trip["route_m"])
    stand = Places(np.empty(len(slots), np.int32), np.empty(len(slots)))
    cost = np.empty(len(slots))
    end_fraction = trip["end_fraction"].astype(np.float64)
    _stand(state.routes(), slots, at_m, end_fraction, graph.length_m, metric.impedance, stand, cost)
    ends = Places(np.ascontiguousarray(trip["dest_edge"]), trip["dest_fraction"].astype(np.float64))
    return cost, shortest_paths(graph, metric, stand, ends, space)[1]


def _by_taste(tastes: F32) -> list[I64]:
    """The numbers of the rows of each taste."""
    if len(tastes) == 0:
        return []
    row_bytes = np.dtype((np.void, tastes.shape[1] * tastes.itemsize))
    keys = np.ascontiguousarray(tastes).view(row_bytes)[:, 0]
    if bool((keys == keys[0]).all()):
        return [np.arange(len(keys))]
    _, number = np.unique(keys, return_inverse=True)
    order = np.argsort(number, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1)


@njit(cache=True)
def _stand(routes, slots, at_m, end_fraction, length_m, impedance, out, out_cost):  # type: ignore[no-untyped-def]
    """Write where on their routes walkers are at `at_m`, and what is left costs from there.

    As `live_route.place_along` and `planning.remaining`, for many; +inf where a closed edge lies ahead.
    """
    for r in range(len(slots)):
        first = routes.first[slots[r]]
        end = first + routes.size[slots[r]]
        j = first + np.searchsorted(routes.start_m[first:end], at_m[r], side="right") - 1
        j = min(max(j, first), end - 1)
        length = max(np.float64(length_m[routes.edges[j]]), 1e-6)
        fraction = min(1.0, max(0.0, (at_m[r] - routes.start_m[j]) / length))
        out.edge[r], out.fraction[r] = routes.edges[j], fraction
        cost = 0.0
        for k in range(j, end):
            value = np.float64(impedance[routes.edges[k]])
            if value == np.inf:
                cost = np.inf
                break
            share = end_fraction[r] if k == end - 1 else 1.0
            cost += max(0.0, share - (fraction if k == j else 0.0)) * value
        out_cost[r] = cost
