"""The plain algorithm of Dijkstra (1959), written anew: what the costs of the searches are compared with.

It shares no line with `geo`. Sums are in double precision.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bench.rig.draws import Pairs
from geo.graph import F32, F64, Graph


def least_impedances(graph: Graph, impedance: F32, pairs: Pairs) -> F64:
    """(n,) the least impedance between the places of every pair, +inf where there is no way.

    As in `geo.routing.search`: a place may be left and reached both ways; who stands amid a closed edge can
    leave it for what that takes in time, and who is not on it cannot enter it.
    """
    out = np.empty(len(pairs))
    _all_pairs(
        graph.first_out, graph.head, graph.tail, graph.reverse, graph.duration_s, impedance,
        pairs.start_edge, pairs.start_fraction, pairs.end_edge, pairs.end_fraction, out,
    )  # fmt: skip
    return out


@njit(cache=True)
def _all_pairs(  # type: ignore[no-untyped-def]
    first_out, head, tail, reverse, duration_s, impedance, start_edge, start_at, end_edge, end_at, out
):
    distance = np.full(len(first_out) - 1, np.inf)
    keys, nodes = np.empty(len(head) + 2), np.empty(len(head) + 2, np.int32)  # a heap, an entry an edge
    for i in range(len(out)):
        starts = _both_ways(reverse, start_edge[i], start_at[i])
        ends = _both_ways(reverse, end_edge[i], end_at[i])
        size = 0
        best = np.inf
        for edge, at in starts:
            if edge < 0:
                continue
            size = _push(keys, nodes, size, _piece(impedance, duration_s, edge, at, 1.0), head[edge])
            for end, until in ends:
                if end == edge and until >= at:
                    best = min(best, _piece(impedance, duration_s, edge, at, until))
        distance[:] = np.inf
        while size > 0:
            cost, node = keys[0], nodes[0]
            size = _pop(keys, nodes, size)
            if cost >= best:
                break
            if cost >= distance[node]:
                continue
            distance[node] = cost
            for end, until in ends:
                if end >= 0 and tail[end] == node:
                    rest = until * np.float64(impedance[end]) if until > 0.0 else 0.0
                    best = min(best, cost + rest)
            for edge in range(first_out[node], first_out[node + 1]):
                reached = cost + np.float64(impedance[edge])
                if reached < distance[head[edge]]:
                    size = _push(keys, nodes, size, reached, head[edge])
        out[i] = best


@njit(cache=True)
def _both_ways(reverse, edge, at):  # type: ignore[no-untyped-def]
    return (edge, at), (reverse[edge], 1.0 - at)


@njit(cache=True)
def _piece(impedance, duration_s, edge, at, until):  # type: ignore[no-untyped-def]
    if until <= at:
        return 0.0
    value = np.float64(impedance[edge])
    if value == np.inf and at > 0.0:
        value = np.float64(duration_s[edge])
    return (until - at) * value


@njit(cache=True)
def _push(keys, nodes, size, key, node):  # type: ignore[no-untyped-def]
    at = size
    while at > 0 and keys[(at - 1) // 2] > key:
        keys[at], nodes[at] = keys[(at - 1) // 2], nodes[(at - 1) // 2]
        at = (at - 1) // 2
    keys[at], nodes[at] = key, node
    return size + 1


@njit(cache=True)
def _pop(keys, nodes, size):  # type: ignore[no-untyped-def]
    """Take the least entry out; how many are left."""
    size -= 1
    key, node = keys[size], nodes[size]
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[at], nodes[at] = keys[child], nodes[child]
        at = child
    keys[at], nodes[at] = key, node
    return size
