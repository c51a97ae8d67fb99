"""Queries on a customized hierarchy: the elimination-tree query, its path, potentials, and one to all.

Dibbelt, Strasser, Wagner (2016), section 6: both searches climb from parent to parent, so that no heap is
needed, and meet at a common ancestor. Potentials: Strasser, Zeitz, "A fast and tight heuristic for A* in road
networks" (SEA 2021). One to all: Delling, Goldberg, Nowatzyk, Werneck, "PHAST" (IPDPS 2011) on the arcs.
Nodes are named by their rank in the hierarchy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from geo.graph import F64, I32, I64


class ClimbWork(NamedTuple):
    """Memory of one query at a time; N nodes, M edges. `ahead` and `behind` are +inf between queries."""

    ahead: F64  # (N,) impedance from the start
    behind: F64  # (N,) impedance to the end
    ahead_arc: I32  # (N,) the arc that a node was climbed to by, -1 - i at start i
    behind_arc: I32  # (N,) the arc that leads down from a node, -1 - i at end i
    ahead_node: I32  # (N,) the lower end of ahead_arc
    behind_node: I32  # (N,)
    stack: I32  # (2N,)
    edges: I32  # (M+2,) the path that was found
    bound: F64  # (N,) potentials
    bound_stamp: I64  # (N,) the query they are of


def climb_work(nodes: int, edges: int) -> ClimbWork:
    """Memory for a graph of so many nodes and edges."""
    return ClimbWork(
        np.full(nodes, np.inf),
        np.full(nodes, np.inf),
        np.empty(nodes, np.int32),
        np.empty(nodes, np.int32),
        np.empty(nodes, np.int32),
        np.empty(nodes, np.int32),
        np.empty(2 * nodes + 2, np.int32),
        np.empty(edges + 2, np.int32),
        np.empty(nodes),
        np.zeros(nodes, np.int64),
    )


@njit(cache=True)
def place_ends(ranks, ends, distance, arc):  # type: ignore[no-untyped-def]
    """Set out from two (node, impedance): the lower rank of them, -1 if neither can be used.

    They are the two ends of one edge, or one of them: joined by an arc, so that the lower one's climb passes
    the other.
    """
    lowest = -1
    for i in range(2):
        node, cost = ends[i]
        rank = ranks[node]
        if cost < distance[rank]:
            distance[rank] = cost
            arc[rank] = -1 - i
            if lowest < 0 or rank < lowest:
                lowest = rank
    return lowest


@njit(cache=True)
def clear_up(first_up, head, rank, distance):  # type: ignore[no-untyped-def]
    while rank >= 0:
        distance[rank] = np.inf
        rank = head[first_up[rank]] if first_up[rank] < first_up[rank + 1] else -1


@njit(cache=True)
def climb(first_up, head, weight, direction, rank, distance, arc_to, node_to):  # type: ignore[no-untyped-def]
    """Relax the arcs that climb from `rank` (direction 0), or that descend to it (1); its parent or -1."""
    begin, end = first_up[rank], first_up[rank + 1]
    if begin == end:
        return -1
    own = distance[rank]
    for arc in range(begin, end):
        reached = own + weight[2 * arc + direction]
        to = head[arc]
        if reached < distance[to]:
            distance[to] = reached
            arc_to[to] = arc
            node_to[to] = rank
    return head[begin]


@njit(cache=True)
def query(hierarchy, weight, via, work, starts, ends, best):  # type: ignore[no-untyped-def]
    """(number of edges, which start, which end, nodes climbed to) of the best way below `best`; 0, -1, -1
    without one.

    starts, ends: two (node, impedance) each, as in `place_ends`. The edges are work.edges[1:].
    """
    first_up, head = hierarchy.first_up, hierarchy.head
    lowest_start = place_ends(hierarchy.rank, starts, work.ahead, work.ahead_arc)
    lowest_end = place_ends(hierarchy.rank, ends, work.behind, work.behind_arc)
    count, start, end, climbed = 0, -1, -1, 0
    if lowest_start >= 0 and lowest_end >= 0:
        top, climbed = meet(first_up, head, weight, work, lowest_start, lowest_end, best)
        if top >= 0:
            count, start, end = path_over(hierarchy, via, work, top)
    clear_up(first_up, head, lowest_start, work.ahead)
    clear_up(first_up, head, lowest_end, work.behind)
    return count, start, end, climbed


@njit(cache=True)
def meet(first_up, head, weight, work, a, b, best):  # type: ignore[no-untyped-def]
    """(rank where the halves of the best way from start `a` to end `b` meet or -1, nodes climbed to)."""
    top, climbed = -1, 0
    while a != b:
        climbed += 1
        if b < 0 or (0 <= a < b):
            a = climb(first_up, head, weight, 0, a, work.ahead, work.ahead_arc, work.ahead_node)
        else:
            b = climb(first_up, head, weight, 1, b, work.behind, work.behind_arc, work.behind_node)
    while a >= 0:
        climbed += 2
        through = work.ahead[a] + work.behind[a]
        if through < best:
            best, top = through, a
        parent = head[first_up[a]] if first_up[a] < first_up[a + 1] else -1
        if work.ahead[a] < best:
            climb(first_up, head, weight, 0, a, work.ahead, work.ahead_arc, work.ahead_node)
        if work.behind[a] < best:
            climb(first_up, head, weight, 1, a, work.behind, work.behind_arc, work.behind_node)
        a = parent
    return top, climbed


@njit(cache=True)
def path_over(hierarchy, via, work, top):  # type: ignore[no-untyped-def]
    """(number of edges, which start, which end) of the way through `top`; its edges are work.edges[1:]."""
    size = 0
    rank = top
    while work.ahead_arc[rank] >= 0:  # from the top down to the start: the start's arc comes off first
        work.stack[size] = 2 * work.ahead_arc[rank]
        size += 1
        rank = work.ahead_node[rank]
    start = -1 - work.ahead_arc[rank]
    count = unpack(hierarchy, via, work.stack, size, work.edges, 1)
    rank = top
    while work.behind_arc[rank] >= 0:
        work.stack[0] = 2 * work.behind_arc[rank] + 1
        count = unpack(hierarchy, via, work.stack, 1, work.edges, count)
        rank = work.behind_node[rank]
    return count - 1, start, -1 - work.behind_arc[rank]


@njit(cache=True)
def unpack(hierarchy, via, stack, size, edges, count):  # type: ignore[no-untyped-def]
    """Write the edges of the slots on the stack behind the first `count`, the topmost slot first."""
    while size > 0:
        slot = stack[size - 1]
        through = via[slot]
        if through < 0:
            size -= 1
            edges[count] = ~through
            count += 1
            continue
        low, high = 2 * hierarchy.low_arc[through], 2 * hierarchy.high_arc[through]
        if slot & 1:  # z -> x -> y
            stack[size - 1] = low
            stack[size] = high + 1
        else:  # y -> x -> z
            stack[size - 1] = high
            stack[size] = low + 1
        size += 1
    return count


@njit(cache=True)
def bound_to_end(first_up, head, weight, work, rank, stamp):  # type: ignore[no-untyped-def]
    """The exact impedance to the ends whose climb is in `behind`, kept for the rest of the query."""
    size = 0
    at = rank
    while at >= 0 and work.bound_stamp[at] != stamp:
        work.stack[size] = at
        size += 1
        at = head[first_up[at]] if first_up[at] < first_up[at + 1] else -1
    while size > 0:
        size -= 1
        at = work.stack[size]
        least = work.behind[at]
        for arc in range(first_up[at], first_up[at + 1]):
            through = weight[2 * arc] + work.bound[head[arc]]
            if through < least:
                least = through
        work.bound[at] = least
        work.bound_stamp[at] = stamp
    return work.bound[rank]


@njit(cache=True)
def climb_to_ends(hierarchy, weight, work, ends):  # type: ignore[no-untyped-def]
    """Fill `behind` for `bound_to_end`; the lowest end, from which the caller clears it, -1 for none."""
    lowest = place_ends(hierarchy.rank, ends, work.behind, work.behind_arc)
    at = lowest
    while at >= 0:
        at = climb(
            hierarchy.first_up, hierarchy.head, weight, 1, at, work.behind, work.behind_arc, work.behind_node
        )
    return lowest


@njit(cache=True)
def one_to_all(hierarchy, weight, ends, backward, work, distance):  # type: ignore[no-untyped-def]
    """Fill `distance` (N,), by node: impedance from the ends, or to the ends if `backward`."""
    first_up, head = hierarchy.first_up, hierarchy.head
    by_rank = work.bound
    work.bound_stamp[:] = 0
    by_rank[:] = np.inf
    direction = 1 if backward else 0
    at = place_ends(hierarchy.rank, ends, by_rank, work.ahead_arc)
    while at >= 0:
        at = climb(first_up, head, weight, direction, at, by_rank, work.ahead_arc, work.ahead_node)
    for rank in range(len(by_rank) - 1, -1, -1):
        least = by_rank[rank]
        for arc in range(first_up[rank], first_up[rank + 1]):
            through = weight[2 * arc + 1 - direction] + by_rank[head[arc]]
            if through < least:
                least = through
        by_rank[rank] = least
    for node in range(len(distance)):
        distance[node] = by_rank[hierarchy.rank[node]]
