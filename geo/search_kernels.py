"""The kernels of `geo.search`: a binary heap, the A* over it, and sums along paths. They only loop."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from geo.graph import F32, F64, I32
from geo.hierarchy import Hierarchy
from geo.hierarchy_kernels import ClimbWork, bound_to_end, clear_up, climb_to_ends

ROUNDED_DOWN = 1.0 - 2e-6  # weights of a hierarchy are sums of float32, which a bound must stay below


class Topology(NamedTuple):
    first_out: I32  # (N+1,)
    head: I32  # (M,)
    xyz: F64  # (N, 3) metres from the earth's centre


class Work(NamedTuple):
    """What a search writes; an entry of a node counts only where `stamp` is the search's own."""

    stamp: I32  # (N,)
    dist: F64  # (N,)
    bound: F64  # (N,) lower bound of what is left to the end
    entry: I32  # (N,) edge the node was reached by, -1 - i where start i leads to it
    slot: I32  # (N,) position in the heap, -1 once settled
    heap_key: F64  # (N,)
    heap_node: I32  # (N,)
    order: I32  # (N,) nodes as they were settled; later the edges of the path


class Guide(NamedTuple):
    """What a search takes its lower bounds from: a customized hierarchy, or the straight line if not `on`."""

    on: bool
    hierarchy: Hierarchy
    weight: F32  # (2A,) of a metric that is nowhere above the one searched on
    climb: ClimbWork
    ends: tuple[tuple[int, float], tuple[int, float]]  # (node, impedance) under that metric


@njit(cache=True)
def least_per_m(values, length_m):  # type: ignore[no-untyped-def]
    least = np.inf
    for e in range(len(values)):
        if length_m[e] > 0.0 and values[e] < least * length_m[e]:
            least = np.float64(values[e]) / length_m[e]
    return least if least < np.inf else 0.0


@njit(cache=True)
def least_straightness(tail, head, length_m, xyz):  # type: ignore[no-untyped-def]
    least = 1.0
    for e in range(len(head)):
        straight = chord(xyz, tail[e], head[e])
        if length_m[e] < least * straight:
            least = length_m[e] / straight
    return least * (1.0 - 1e-9)  # room for rounding


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
def chord(xyz, a, b):  # type: ignore[no-untyped-def]
    x, y, z = xyz[a, 0] - xyz[b, 0], xyz[a, 1] - xyz[b, 1], xyz[a, 2] - xyz[b, 2]
    return math.sqrt(x * x + y * y + z * z)


@njit(cache=True)
def bound_of(guide, xyz, node, per_m, ends, stamp):  # type: ignore[no-untyped-def]
    """A lower bound of the impedance from `node` to the nearer end."""
    if guide.on:
        h = guide.hierarchy
        return ROUNDED_DOWN * bound_to_end(h.first_up, h.head, guide.weight, guide.climb, h.rank[node], stamp)
    (node_a, cost_a), (node_b, cost_b) = ends
    bound = np.inf
    if cost_a < np.inf:
        bound = cost_a + per_m * chord(xyz, node, node_a)
    if cost_b < np.inf:
        bound = min(bound, cost_b + per_m * chord(xyz, node, node_b))
    return bound


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
def grow(topology, work, impedance, per_m, guide, starts, ends, best, stamp):  # type: ignore[no-untyped-def]
    """(impedance, which end or -1, settled nodes): the best way below `best` from any start to any end."""
    lowest_end = -1
    if guide.on:
        lowest_end = climb_to_ends(guide.hierarchy, guide.weight, guide.climb, guide.ends)
    size = 0
    for i in range(2):
        node, cost = starts[i]
        if cost < best and (work.stamp[node] != stamp or cost < work.dist[node]):
            if work.stamp[node] != stamp:
                work.stamp[node] = stamp
                work.bound[node] = bound_of(guide, topology.xyz, node, per_m, ends, stamp)
                work.slot[node] = size
                size += 1
            work.dist[node] = cost
            work.entry[node] = -1 - i
            lift(work, work.slot[node], node, cost + work.bound[node])
    arrival = -1
    settled = 0
    while size > 0 and work.heap_key[0] < best:
        node = work.heap_node[0]
        drop_root(work, size)
        size -= 1
        work.slot[node] = -1
        if settled < len(work.order):
            work.order[settled] = node
        settled += 1
        dist = work.dist[node]
        for i in range(2):
            end_node, end_cost = ends[i]
            if node == end_node and dist + end_cost < best:
                best = dist + end_cost
                arrival = i
        for e in range(topology.first_out[node], topology.first_out[node + 1]):
            reached = dist + impedance[e]
            if not reached < best:
                continue
            to = topology.head[e]
            if work.stamp[to] != stamp:
                work.stamp[to] = stamp
                work.bound[to] = bound_of(guide, topology.xyz, to, per_m, ends, stamp)
                work.slot[to] = -1
            elif reached >= work.dist[to]:
                continue
            work.dist[to] = reached
            if not reached + work.bound[to] < best:
                continue
            work.entry[to] = e
            if work.slot[to] < 0:
                # Rounding may reopen a settled node, so the answer is exact all the same.
                work.slot[to] = size
                size += 1
            lift(work, work.slot[to], to, reached + work.bound[to])
    if guide.on:
        clear_up(guide.hierarchy.first_up, guide.hierarchy.head, lowest_end, guide.climb.behind)
    return best, arrival, settled


@njit(cache=True)
def unwind(work, tail, node):  # type: ignore[no-untyped-def]
    """Write the edges to `node` to work.order; (their number, which start they began with)."""
    count = 0
    at = node
    while work.entry[at] >= 0:
        at = tail[work.entry[at]]
        count += 1
    departure = -1 - work.entry[at]
    at = node
    for i in range(count - 1, -1, -1):
        work.order[i] = work.entry[at]
        at = tail[work.entry[at]]
    return count, departure
