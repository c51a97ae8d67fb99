"""The searches of `search` that do not climb: A* and Dijkstra from both ends, on a binary heap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from geo.graph import F32, F64, I32
from geo.routing.hierarchy import Hierarchy
from geo.routing.hierarchy_kernels import ClimbWork, bound_to_end, clear_up, climb_to_ends

ROUNDED_DOWN = 1.0 - 2e-6  # weights of a hierarchy are sums of float32, which a bound must stay below


class Topology(NamedTuple):
    """Which edges leave a node, and which reach it."""

    first_out: I32  # (N+1,)
    tail: I32  # (M,)
    head: I32  # (M,)
    first_in: I32  # (N+1,) edges that reach node n: edge_in[first_in[n] : first_in[n+1]]
    edge_in: I32  # (M,)


class Work(NamedTuple):
    """What a search writes; an entry of a node counts only where `stamp` is the search's own."""

    stamp: I32  # (N,)
    dist: F64  # (N,)
    bound: F64  # (N,) lower bound of what is left to the end
    entry: I32  # (N,) edge the node was reached by, -1 - i where start i (or end i) leads to it
    slot: I32  # (N,) position in the heap, -1 once settled
    heap_key: F64  # (N,)
    heap_node: I32  # (N,)


class Guide(NamedTuple):
    """What an A* takes its lower bounds from: the exact impedances of a metric that is nowhere dearer."""

    hierarchy: Hierarchy
    weight: F32  # (2A,) of that metric
    climb: ClimbWork
    ends: tuple[tuple[int, float], tuple[int, float]]  # (node, impedance) under that metric


def search_work(nodes: int) -> Work:
    """Memory for a graph of so many nodes."""
    return Work(
        np.zeros(nodes, np.int32),
        np.empty(nodes),
        np.empty(nodes),
        np.empty(nodes, np.int32),
        np.empty(nodes, np.int32),
        np.empty(nodes),
        np.empty(nodes, np.int32),
    )


@njit(cache=True)
def mark_core(first_out, head, reverse, core):  # type: ignore[no-untyped-def]
    """Peel off nodes with at most one neighbour until none is left."""
    count = len(core)
    degree = np.zeros(count, np.int32)
    for n in range(count):
        core[n] = True
        for e in range(first_out[n], first_out[n + 1]):
            if head[e] != n:
                degree[n] += 1
                if reverse[e] < 0:
                    degree[head[e]] += 1
    stack = np.empty(count, np.int32)
    top = 0
    for n in range(count):
        if degree[n] <= 1:
            core[n] = False
            stack[top] = n
            top += 1
    while top > 0:
        top -= 1
        n = stack[top]
        for e in range(first_out[n], first_out[n + 1]):
            m = head[e]
            if core[m] and reverse[e] >= 0:
                degree[m] -= 1
                if degree[m] <= 1:
                    core[m] = False
                    stack[top] = m
                    top += 1


@njit(cache=True)
def lift(work, position, node, key):  # type: ignore[no-untyped-def]
    """Put (node, key) at `position` of the heap or above it."""
    while position > 0:
        parent = (position - 1) >> 1
        if work.heap_key[parent] <= key:
            break
        work.heap_key[position] = work.heap_key[parent]
        work.heap_node[position] = work.heap_node[parent]
        work.slot[work.heap_node[position]] = position
        position = parent
    work.heap_key[position] = key
    work.heap_node[position] = node
    work.slot[node] = position


@njit(cache=True)
def drop_root(work, size):  # type: ignore[no-untyped-def]
    """Take the least entry off a heap of `size`; the caller counts down."""
    size -= 1
    key, node = work.heap_key[size], work.heap_node[size]
    position = 0
    while True:
        child = 2 * position + 1
        if child >= size:
            break
        if child + 1 < size and work.heap_key[child + 1] < work.heap_key[child]:
            child += 1
        if work.heap_key[child] >= key:
            break
        work.heap_key[position] = work.heap_key[child]
        work.heap_node[position] = work.heap_node[child]
        work.slot[work.heap_node[position]] = position
        position = child
    if size > 0:
        work.heap_key[position] = key
        work.heap_node[position] = node
        work.slot[node] = position


@njit(cache=True)
def reach(work, size, node, dist, entry, bound, stamp):  # type: ignore[no-untyped-def]
    """Note that a node can be reached for `dist`, which is less than what was known; the heap's size."""
    if work.stamp[node] != stamp or work.slot[node] < 0:  # new, or settled and reopened by rounding
        work.slot[node] = size
        size += 1
    work.stamp[node] = stamp
    work.dist[node] = dist
    work.entry[node] = entry
    lift(work, work.slot[node], node, dist + bound)
    return size


@njit(cache=True)
def bound_of(guide, node, stamp):  # type: ignore[no-untyped-def]
    """A lower bound of the impedance from `node` to the nearer end."""
    h = guide.hierarchy
    return ROUNDED_DOWN * bound_to_end(h.first_up, h.head, guide.weight, guide.climb, h.rank[node], stamp)


@njit(cache=True)
def expand(topology, work, impedance, guide, starts, ends, best, stamp):  # type: ignore[no-untyped-def]
    """A*: (which end, settled nodes) of the best way below `best` from any start to any end; -1 for none."""
    lowest_end = climb_to_ends(guide.hierarchy, guide.weight, guide.climb, guide.ends)
    size, settled, arrival = 0, 0, -1
    for i in range(2):
        node, cost = starts[i]
        if cost < best and (work.stamp[node] != stamp or cost < work.dist[node]):
            work.bound[node] = bound_of(guide, node, stamp)
            size = reach(work, size, node, cost, -1 - i, work.bound[node], stamp)
    while size > 0 and work.heap_key[0] < best:
        node = work.heap_node[0]
        drop_root(work, size)
        size -= 1
        work.slot[node] = -1
        settled += 1
        dist = work.dist[node]
        for i in range(2):
            end_node, end_cost = ends[i]
            if node == end_node and dist + end_cost < best:
                best = dist + end_cost
                arrival = i
        for e in range(topology.first_out[node], topology.first_out[node + 1]):
            to, reached = topology.head[e], dist + impedance[e]
            known = work.stamp[to] == stamp
            if not reached < best or (known and reached >= work.dist[to]):
                continue
            if not known:
                work.bound[to] = bound_of(guide, to, stamp)
            if reached + work.bound[to] < best:
                size = reach(work, size, to, reached, e, work.bound[to], stamp)
    clear_up(guide.hierarchy.first_up, guide.hierarchy.head, lowest_end, guide.climb.behind)
    return arrival, settled


@njit(cache=True)
def expand_both(topology, ahead, behind, impedance, starts, ends, best, stamp):  # type: ignore[no-untyped-def]
    """Dijkstra from both ends in turn: (node where the best way below `best` meets or -1, settled nodes)."""
    sizes = [0, 0]
    middle, settled = -1, 0
    for i in range(2):
        for side in range(2):
            work, other = (ahead, behind) if side == 0 else (behind, ahead)
            node, cost = starts[i] if side == 0 else ends[i]
            if cost < np.inf and (work.stamp[node] != stamp or cost < work.dist[node]):
                sizes[side] = reach(work, sizes[side], node, cost, -1 - i, 0.0, stamp)
                if other.stamp[node] == stamp and cost + other.dist[node] < best:
                    best, middle = cost + other.dist[node], node
    while sizes[0] > 0 and sizes[1] > 0 and ahead.heap_key[0] + behind.heap_key[0] < best:
        side = 0 if ahead.heap_key[0] <= behind.heap_key[0] else 1
        work, other = (ahead, behind) if side == 0 else (behind, ahead)
        first = topology.first_out if side == 0 else topology.first_in
        node = work.heap_node[0]
        drop_root(work, sizes[side])
        sizes[side] -= 1
        work.slot[node] = -1
        settled += 1
        for k in range(first[node], first[node + 1]):
            e = k if side == 0 else topology.edge_in[k]
            to = topology.head[e] if side == 0 else topology.tail[e]
            reached = work.dist[node] + impedance[e]
            if not reached < best or (work.stamp[to] == stamp and reached >= work.dist[to]):
                continue
            sizes[side] = reach(work, sizes[side], to, reached, e, 0.0, stamp)
            if other.stamp[to] == stamp and reached + other.dist[to] < best:
                best, middle = reached + other.dist[to], to
    return middle, settled


@njit(cache=True)
def way_to(work, next_node, node):  # type: ignore[no-untyped-def]
    """(edges from `node` back to where the search set out, in that order; which start or end that was).

    `next_node` (M,): the other side of the edge that a node was reached by.
    """
    count = 0
    at = node
    while work.entry[at] >= 0:
        at = next_node[work.entry[at]]
        count += 1
    which = -1 - work.entry[at]
    edges = np.empty(count, np.int32)
    at = node
    for i in range(count):
        edges[i] = work.entry[at]
        at = next_node[edges[i]]
    return edges, which
