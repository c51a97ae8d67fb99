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
from geo.routing.hierarchy import arc_between

# An impedance on the climb carries in its lowest bits by which step of the climb it was reached: taking the
# lesser of two then keeps both at once, without a branch. 36 bits of the mantissa are left, 2e-11.
# No climb is as long as 2**16 steps; those of a city have two hundred.
STEP_BITS = 16
STEP_MASK = (1 << STEP_BITS) - 1
FIRST_STEP = 2  # 0 and 1 stand for the two starts (or ends) themselves


class ClimbWork(NamedTuple):
    """Memory of one query at a time; N nodes, M edges. `ahead` and `behind` are +inf between queries."""

    ahead: F64  # (N,) impedance from the start, with its step
    behind: F64  # (N,) impedance to the end, with its step
    stack: I32  # (2N,)
    edges: I32  # (M+2,) the path that was found
    bound: F64  # (N,) potentials
    bound_stamp: I64  # (N,) the query they are of


def climb_work(nodes: int, edges: int) -> ClimbWork:
    """Memory for a graph of so many nodes and edges."""
    return ClimbWork(
        np.full(nodes, np.inf),
        np.full(nodes, np.inf),
        np.empty(2 * nodes + 2, np.int32),
        np.empty(edges + 2, np.int32),
        np.empty(nodes),
        np.zeros(nodes, np.int64),
    )


@njit(cache=True)
def with_step(impedance, step):  # type: ignore[no-untyped-def]
    """The impedance with a step in its lowest bits; +inf becomes NaN, which is less than nothing."""
    bits = np.float64(impedance).view(np.int64)
    return np.int64((bits & ~np.int64(STEP_MASK)) | step).view(np.float64)


@njit(cache=True)
def step_of(impedance):  # type: ignore[no-untyped-def]
    return np.float64(impedance).view(np.int64) & STEP_MASK


@njit(cache=True)
def parent(first_up, head, rank):  # type: ignore[no-untyped-def]
    """The next rank of the climb, -1 at its top."""
    return head[first_up[rank]] if first_up[rank] < first_up[rank + 1] else -1


@njit(cache=True)
def place_ends(ranks, ends, distance):  # type: ignore[no-untyped-def]
    """Set out from two (node, impedance): the lower rank of them, -1 if neither can be used.

    They are the two ends of one edge, or one of them: joined by an arc, so that the lower one's climb passes
    the other.
    """
    lowest = -1
    for i in range(2):
        node, cost = ends[i]
        rank = ranks[node]
        if cost < distance[rank]:
            distance[rank] = with_step(cost, i)
            if lowest < 0 or rank < lowest:
                lowest = rank
    return lowest


@njit(cache=True)
def clear_up(first_up, head, rank, distance):  # type: ignore[no-untyped-def]
    while rank >= 0:
        distance[rank] = np.inf
        rank = parent(first_up, head, rank)


@njit(cache=True)
def climb(first_up, head, weight, direction, rank, step, distance):  # type: ignore[no-untyped-def]
    """Relax the arcs that climb from `rank` (direction 0), or that descend to it (1), as this step."""
    own = distance[rank]
    for arc in range(first_up[rank], first_up[rank + 1]):
        to = head[arc]
        known = distance[to]
        reached = with_step(own + weight[2 * arc + direction], step)
        distance[to] = reached if reached < known else known


@njit(cache=True)
def climb_on(first_up, head, weight, direction, rank, distance):  # type: ignore[no-untyped-def]
    """Climb from `rank` to the top."""
    step = FIRST_STEP
    while rank >= 0:
        climb(first_up, head, weight, direction, rank, step, distance)
        rank = parent(first_up, head, rank)
        step += 1


@njit(cache=True)
def query(hierarchy, weight, via, work, starts, ends, best):  # type: ignore[no-untyped-def]
    """(number of edges, which start, which end, nodes climbed to) of the best way below `best`; 0, -1, -1
    without one.

    starts, ends: two (node, impedance) each, as in `place_ends`. The edges are work.edges[1:].
    """
    first_up, head = hierarchy.first_up, hierarchy.head
    low_start = place_ends(hierarchy.rank, starts, work.ahead)
    low_end = place_ends(hierarchy.rank, ends, work.behind)
    count, start, end, climbed = 0, -1, -1, 0
    if low_start >= 0 and low_end >= 0:
        top, climbed = meet(first_up, head, weight, work, low_start, low_end, best)
        if top >= 0:
            count, start, end = path_over(hierarchy, via, work, low_start, low_end, top)
    clear_up(first_up, head, low_start, work.ahead)
    clear_up(first_up, head, low_end, work.behind)
    return count, start, end, climbed


@njit(cache=True)
def meet(first_up, head, weight, work, a, b, best):  # type: ignore[no-untyped-def]
    """(rank where the halves of the best way from start `a` to end `b` meet or -1, nodes climbed to)."""
    top, step_a, step_b = -1, FIRST_STEP, FIRST_STEP
    while a != b:
        if b < 0 or (0 <= a < b):
            climb(first_up, head, weight, 0, a, step_a, work.ahead)
            a = parent(first_up, head, a)
            step_a += 1
        else:
            climb(first_up, head, weight, 1, b, step_b, work.behind)
            b = parent(first_up, head, b)
            step_b += 1
    while a >= 0:
        through = work.ahead[a] + work.behind[a]
        if through < best:
            best, top = through, a
        if work.ahead[a] < best:
            climb(first_up, head, weight, 0, a, step_a, work.ahead)
        if work.behind[a] < best:
            climb(first_up, head, weight, 1, a, step_b, work.behind)
        a = parent(first_up, head, a)
        step_a += 1
        step_b += 1
    return top, step_a + step_b - 2 * FIRST_STEP


@njit(cache=True)
def path_over(hierarchy, via, work, low_start, low_end, top):  # type: ignore[no-untyped-def]
    """(number of edges, which start, which end) of the way through `top`; its edges are work.edges[1:]."""
    size, start = slots_down(hierarchy.first_up, hierarchy.head, 0, low_start, top, work.ahead, work.stack)
    count = unpack(hierarchy, via, work.stack, size, work.edges, 1)
    size, end = slots_down(hierarchy.first_up, hierarchy.head, 1, low_end, top, work.behind, work.stack)
    work.stack[:size] = work.stack[:size][::-1].copy()  # this half is walked from the top down
    count = unpack(hierarchy, via, work.stack, size, work.edges, count)
    return count - 1, start, end


@njit(cache=True)
def slots_down(first_up, head, direction, lowest, rank, distance, stack):  # type: ignore[no-untyped-def]
    """(number of slots, start or end) from `rank` down to where its climb set out; slots go to `stack`."""
    size = 0
    step = step_of(distance[rank])
    while step >= FIRST_STEP:
        below = lowest
        for _ in range(step - FIRST_STEP):
            below = parent(first_up, head, below)
        stack[size] = 2 * arc_between(first_up, head, below, rank) + direction
        size += 1
        rank = below
        step = step_of(distance[rank])
    return size, step


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
        at = parent(first_up, head, at)
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
    lowest = place_ends(hierarchy.rank, ends, work.behind)
    climb_on(hierarchy.first_up, hierarchy.head, weight, 1, lowest, work.behind)
    return lowest


@njit(cache=True)
def one_to_all(hierarchy, weight, ends, backward, work, distance):  # type: ignore[no-untyped-def]
    """Fill `distance` (N,), by node: impedance from the ends, or to the ends if `backward`."""
    first_up, head = hierarchy.first_up, hierarchy.head
    by_rank = work.bound
    work.bound_stamp[:] = 0
    by_rank[:] = np.inf
    direction = 1 if backward else 0
    lowest = place_ends(hierarchy.rank, ends, by_rank)
    climb_on(first_up, head, weight, direction, lowest, by_rank)
    for rank in range(len(by_rank) - 1, -1, -1):
        least = by_rank[rank]
        for arc in range(first_up[rank], first_up[rank + 1]):
            through = weight[2 * arc + 1 - direction] + by_rank[head[arc]]
            if through < least:
                least = through
        by_rank[rank] = least
    for node in range(len(distance)):
        distance[node] = by_rank[hierarchy.rank[node]]
