"""The customizable contraction hierarchy of a graph: what does not depend on any metric.

Dibbelt, Strasser, Wagner, "Customizable contraction hierarchies" (ACM JEA 21, 2016). Contracting the nodes
in the order of `node_order` joins the neighbours of each contracted node by arcs, which lead from lower to
higher ranks and stand for both directions. Whatever the impedances, there is a shortest path that first only
climbs and then only descends over arcs, once `customization` has given the arcs their weights.
Nodes are named by their rank here. A *slot* is one direction of an arc: 2 · arc climbs, 2 · arc + 1 descends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from geo.graph import I32, I64, Graph
from geo.routing.node_order import order_nodes, undirected


class Hierarchy(NamedTuple):
    """N nodes, A arcs sorted by (tail, head), T lower triangles, M edges of the graph."""

    rank: I32  # (N,) of every node of the graph
    first_up: (
        I32  # (N+1,) arcs that climb from rank r: first_up[r] .. first_up[r+1]; the first leads to the parent
    )
    head: I32  # (A,) rank
    first_triangle: I64  # (A+1,) triangles under arc a = (y, z): first_triangle[a] .. first_triangle[a+1]
    low_arc: I32  # (T,) the arc (x, y) of the triangle whose lowest corner is x
    high_arc: I32  # (T,) the arc (x, z)
    slot_of_edge: I32  # (M,) the slot that the edge belongs to, -1 where it leads back to its own node
    first_edge: I32  # (2A+1,) edges of slot s: edge[first_edge[s] : first_edge[s+1]]
    edge: I32  # (M,)


def build_hierarchy(graph: Graph, rank: I32 | None = None) -> Hierarchy:
    """The hierarchy for contracting in the order of `rank` (N,), by default that of `order_nodes`."""
    rank = order_nodes(graph) if rank is None else rank
    first, neighbour = undirected(graph)
    node = np.empty(graph.node_count, np.int32)
    node[rank] = np.arange(graph.node_count, dtype=np.int32)
    first_up, head = _fill_in(first, neighbour, rank, node)
    first_triangle = _count_triangles(first_up, head)
    low_arc = np.empty(first_triangle[-1], np.int32)
    high_arc = np.empty(first_triangle[-1], np.int32)
    _list_triangles(first_up, head, first_triangle[:-1].copy(), low_arc, high_arc)
    slot_of_edge = np.empty(graph.edge_count, np.int32)
    _place_edges(rank[graph.tail], rank[graph.head], first_up, head, slot_of_edge)
    first_edge = np.zeros(2 * len(head) + 1, np.int32)
    placed = np.flatnonzero(slot_of_edge >= 0)
    np.cumsum(np.bincount(slot_of_edge[placed], minlength=2 * len(head)), out=first_edge[1:])
    edge = placed[np.argsort(slot_of_edge[placed], kind="stable")].astype(np.int32)
    arrays = (rank, first_up, head, first_triangle, low_arc, high_arc, slot_of_edge, first_edge, edge)
    for array in arrays:
        array.setflags(write=False)  # as those of an opened graph: else every kernel is compiled for both
    return Hierarchy(*arrays)


@njit(cache=True)
def _fill_in(first, neighbour, rank, node):  # type: ignore[no-untyped-def]
    """(first_up, head): a node's higher neighbours, and those of its children in the elimination tree."""
    count = len(rank)
    first_up = np.zeros(count + 1, np.int32)
    head = np.empty(4 * len(neighbour) + 64, np.int32)
    first_child = np.full(count, -1, np.int32)
    next_child = np.full(count, -1, np.int32)
    taken_by = np.full(count, -1, np.int32)
    total = 0
    for r in range(count):
        begin = total
        if total + count - r > len(head):
            longer = np.empty(2 * len(head) + count, np.int32)
            longer[:total] = head[:total]
            head = longer
        n = node[r]
        for k in range(first[n], first[n + 1]):
            m = rank[neighbour[k]]
            if m > r and taken_by[m] != r:
                taken_by[m] = r
                head[total] = m
                total += 1
        child = first_child[r]
        while child >= 0:
            for a in range(first_up[child] + 1, first_up[child + 1]):
                m = head[a]
                if taken_by[m] != r:
                    taken_by[m] = r
                    head[total] = m
                    total += 1
            child = next_child[child]
        head[begin:total].sort()
        first_up[r + 1] = total
        if total > begin:
            parent = head[begin]
            next_child[r] = first_child[parent]
            first_child[parent] = r
    return first_up, head[:total].copy()


@njit(cache=True)
def _count_triangles(first_up, head):  # type: ignore[no-untyped-def]
    first_triangle = np.zeros(len(head) + 1, np.int64)
    for x in range(len(first_up) - 1):
        for low in range(first_up[x], first_up[x + 1]):
            arc = first_up[head[low]]
            for high in range(low + 1, first_up[x + 1]):
                while head[arc] != head[high]:
                    arc += 1
                first_triangle[arc + 1] += 1
    for arc in range(len(head)):
        first_triangle[arc + 1] += first_triangle[arc]
    return first_triangle


@njit(cache=True)
def _list_triangles(first_up, head, free, low_arc, high_arc):  # type: ignore[no-untyped-def]
    """`free` (A,) says where the next triangle of each arc goes; it is counted up."""
    for x in range(len(first_up) - 1):
        for low in range(first_up[x], first_up[x + 1]):
            arc = first_up[head[low]]
            for high in range(low + 1, first_up[x + 1]):
                while head[arc] != head[high]:
                    arc += 1
                low_arc[free[arc]] = low
                high_arc[free[arc]] = high
                free[arc] += 1


@njit(cache=True)
def arc_between(first_up, head, low, high):  # type: ignore[no-untyped-def]
    """The arc from rank `low` to rank `high`, which must be there."""
    begin, end = first_up[low], first_up[low + 1]
    while end - begin > 1:
        middle = (begin + end) >> 1
        if head[middle] <= high:
            begin = middle
        else:
            end = middle
    return begin


@njit(cache=True)
def _place_edges(tail_rank, head_rank, first_up, head, slot_of_edge):  # type: ignore[no-untyped-def]
    for e in range(len(slot_of_edge)):
        a, b = tail_rank[e], head_rank[e]
        if a < b:
            slot_of_edge[e] = 2 * arc_between(first_up, head, a, b)
        elif b < a:
            slot_of_edge[e] = 2 * arc_between(first_up, head, b, a) + 1
        else:
            slot_of_edge[e] = -1
