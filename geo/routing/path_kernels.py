"""From place to place over a customized hierarchy: one path, or a whole block of them. They only loop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from geo.graph import F32, F64, I32
from geo.routing.hierarchy import Hierarchy
from geo.routing.hierarchy_kernels import ClimbWork, query


class Streets(NamedTuple):
    """What is read of the graph's M edges and of the metric."""

    tail: I32
    head: I32
    reverse: I32
    length_m: F32
    duration_s: F32
    impedance: F32


class Climbed(NamedTuple):
    """The hierarchy with the weights of that metric, and memory."""

    hierarchy: Hierarchy
    weight: F32
    via: I32
    work: ClimbWork


class Places(NamedTuple):
    """R places on edges."""

    edge: I32  # (R,)
    fraction: F64  # (R,) 0..1 of the edge's length from its tail


@njit(cache=True)
def sum_along(values, edges, start, end):  # type: ignore[no-untyped-def]
    """The sum of `values` along a path, its first edge from `start` and its last up to `end`."""
    count = len(edges)
    if count == 1:
        return (end - start) * values[edges[0]]
    total = 0.0
    if start < 1.0:
        total += (1.0 - start) * values[edges[0]]
    for i in range(1, count - 1):
        total += values[edges[i]]
    if end > 0.0:
        total += end * values[edges[count - 1]]
    return total


@njit(cache=True)
def first_piece(impedance, duration_s, edge, at, until):  # type: ignore[no-untyped-def]
    """The impedance of the first piece of a path. Who stands amid a closed edge can leave it (for what it
    takes in time), who stands before it cannot enter it."""
    if until <= at:
        return 0.0
    value = np.float64(impedance[edge])
    if value == np.inf and at > 0.0:
        value = np.float64(duration_s[edge])
    return (until - at) * value


@njit(cache=True)
def last_piece(impedance, edge, until):  # type: ignore[no-untyped-def]
    return until * np.float64(impedance[edge]) if until > 0.0 else 0.0  # not 0 × inf


@njit(cache=True)
def departures(streets, edge, at):  # type: ignore[no-untyped-def]
    """(edge, fraction on it, impedance up to its head) in either direction, +inf where there is only one."""
    back = streets.reverse[edge]
    ahead = first_piece(streets.impedance, streets.duration_s, edge, at, 1.0)
    if back < 0:
        return (np.int64(edge), at, ahead), (np.int64(edge), at, np.inf)
    behind = first_piece(streets.impedance, streets.duration_s, back, 1.0 - at, 1.0)
    return (np.int64(edge), at, ahead), (np.int64(back), 1.0 - at, behind)


@njit(cache=True)
def arrivals(streets, edge, until):  # type: ignore[no-untyped-def]
    """(edge, fraction on it, impedance from its tail) in either direction, +inf where there is only one."""
    back = streets.reverse[edge]
    ahead = last_piece(streets.impedance, edge, until)
    if back < 0:
        return (np.int64(edge), until, ahead), (np.int64(edge), until, np.inf)
    behind = last_piece(streets.impedance, back, 1.0 - until)
    return (np.int64(edge), until, ahead), (np.int64(back), 1.0 - until, behind)


@njit(cache=True)
def along_one_edge(streets, leave, reach, turn_penalty):  # type: ignore[no-untyped-def]
    """(impedance with penalty, which departure, up to where) of the path on the start's own edge, +inf: none.

    A departure that cannot be used repeats the other one, so it is never better.
    """
    best, which, upto = np.inf, 0, 0.0
    for i in range(2):
        edge, at, _ = leave[i]
        for j in range(2):
            end_edge, until, _ = reach[j]
            if edge == end_edge and until >= at:
                cost = first_piece(streets.impedance, streets.duration_s, edge, at, until)
                cost += i * turn_penalty
                if cost < best:
                    best, which, upto = cost, i, until
    return best, which, upto


@njit(cache=True)
def heads(streets, leave, turn_penalty):  # type: ignore[no-untyped-def]
    """(node, impedance) where each departure leads; `turn_penalty` is held against the second."""
    (a, _, cost_a), (b, _, cost_b) = leave
    return (np.int64(streets.head[a]), cost_a), (np.int64(streets.head[b]), cost_b + turn_penalty)


@njit(cache=True)
def tails(streets, reach):  # type: ignore[no-untyped-def]
    """(node, impedance) where each arrival begins."""
    (a, _, cost_a), (b, _, cost_b) = reach
    return (np.int64(streets.tail[a]), cost_a), (np.int64(streets.tail[b]), cost_b)


@njit(cache=True)
def climb_path(streets, climbed, start, at, end, until, turn_penalty):  # type: ignore[no-untyped-def]
    """(number of edges, start fraction, end fraction, impedance, nodes climbed to); 0 edges for no way.

    The edges are the first ones of work.edges.
    """
    leave, reach = departures(streets, start, at), arrivals(streets, end, until)
    best, which, upto = along_one_edge(streets, leave, reach, turn_penalty)
    between, first, last, nodes = query(
        climbed.hierarchy,
        climbed.weight,
        climbed.via,
        climbed.work,
        heads(streets, leave, turn_penalty),
        tails(streets, reach),
        best,
    )
    edges = climbed.work.edges
    if first >= 0:
        edges[0], begin, cost = leave[first]
        edges[between + 1], stop, cost_end = reach[last]
        cost += cost_end + sum_along(streets.impedance, edges[: between + 2], 1.0, 0.0)
        return between + 2, begin, stop, cost, nodes
    if best < np.inf:
        edges[0], begin, _ = leave[which]
        return 1, begin, upto, best - which * turn_penalty, nodes
    return 0, 0.0, 0.0, np.inf, nodes


@njit(cache=True)
def climb_paths(streets, climbed, starts, ends, routes, impedance):  # type: ignore[no-untyped-def]
    """Fill all of `routes` but its edges, which are returned, and `impedance` (R,)."""
    edges = np.empty(64 * len(impedance) + 64, np.int32)
    total = 0
    for r in range(len(impedance)):
        routes.first[r] = total
        count, routes.start_fraction[r], routes.end_fraction[r], impedance[r], _ = climb_path(
            streets, climbed, starts.edge[r], starts.fraction[r], ends.edge[r], ends.fraction[r], 0.0
        )
        if total + count > len(edges):
            longer = np.empty(2 * len(edges) + count, np.int32)
            longer[:total] = edges[:total]
            edges = longer
        edges[total : total + count] = climbed.work.edges[:count]
        total += count
    routes.first[len(impedance)] = total
    return edges[:total].copy()
