"""Ways of least impedance from one place to all nodes, or from all nodes to it, and what they amount to.

Beside the impedance of each way its *amount* is kept, in metres or seconds: first for the slots of a
customized hierarchy, then along the ways. Nodes are named by their rank there. The kernels only loop.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from geo.graph import F32, F64, I32
from geo.routing.hierarchy import Hierarchy


class Climbed(NamedTuple):
    """A hierarchy with the weights of one metric, and what its slots amount to; A arcs."""

    hierarchy: Hierarchy
    weight: F32  # (2A,) impedance
    via: I32  # (2A,)
    amount: F32  # (2A,)


class Streets(NamedTuple):
    """What is read of the graph's N nodes and M edges, and of the metric."""

    tail: I32
    head: I32
    reverse: I32
    length_m: F32
    duration_s: F32
    impedance: F32
    amount: F32  # (M,) that of which so much is wanted: length_m or duration_s
    x: F64  # (N,) metres east of the middle between place and home
    y: F64  # (N,) north


class Ends(NamedTuple):
    """The two ways to leave a place, or to reach it: over its edge and over the reverse."""

    edge: I32  # (2,)
    fraction: F64  # (2,) of the edge


class Tree(NamedTuple):
    """The ways from a place to every node, or from every node to a place; N nodes by rank."""

    impedance: F64  # (N,) +inf where there is no way
    amount: F64  # (N,) likewise
    slot: I32  # (N,) walked last (first, to a place), -1 - i at end i
    parent: I32  # (N,) the other end of that slot


@njit(cache=True)
def slot_amounts(hierarchy, via, amount, out):  # type: ignore[no-untyped-def]
    """What the way over each slot amounts to, 0 where there is none; amount: (M,) of the edges."""
    low_arc, high_arc = hierarchy.low_arc, hierarchy.high_arc
    for slot in range(len(via)):
        through = via[slot]
        if through >= 0:
            low, high = 2 * low_arc[through], 2 * high_arc[through]
            if slot & 1:
                out[slot] = out[high + 1] + out[low]
            else:
                out[slot] = out[low + 1] + out[high]
        elif through > -(2**31):
            out[slot] = amount[~through]
        else:
            out[slot] = 0.0


@njit(cache=True)
def depths(hierarchy, out):  # type: ignore[no-untyped-def]
    """Fill `out` (N,): how many ancestors each rank has in the elimination tree; the largest."""
    first_up, head = hierarchy.first_up, hierarchy.head
    deepest = 0
    for rank in range(len(out) - 1, -1, -1):
        begin = first_up[rank]
        out[rank] = out[head[begin]] + 1 if begin < first_up[rank + 1] else 0
        deepest = max(deepest, out[rank])
    return deepest


@njit(cache=True)
def grow_tree(climbed, ends, towards, tree):  # type: ignore[no-untyped-def]
    """Fill `tree` from two ends (node, impedance, amount), or towards them if `towards` is 1, else 0.

    The ends are those of one edge, so that the climb from the lower one passes the other (as in
    `hierarchy_kernels.place_ends`); one to all as there.
    """
    hierarchy, weight = climbed.hierarchy, climbed.weight
    first_up, head = hierarchy.first_up, hierarchy.head
    tree.impedance[:], tree.amount[:] = np.inf, np.inf
    at = -1
    for i in range(2):
        node, impedance, amount = ends[i]
        rank = hierarchy.rank[node]
        if impedance < tree.impedance[rank]:
            tree.impedance[rank], tree.amount[rank], tree.slot[rank] = impedance, amount, -1 - i
            tree.parent[rank] = rank
            if at < 0 or rank < at:
                at = rank
    while at >= 0:
        begin, end = first_up[at], first_up[at + 1]
        for arc in range(begin, end):
            slot, to = 2 * arc + towards, head[arc]
            reached = tree.impedance[at] + weight[slot]
            if reached < tree.impedance[to]:
                tree.impedance[to], tree.slot[to], tree.parent[to] = reached, slot, at
                tree.amount[to] = tree.amount[at] + climbed.amount[slot]
        at = head[begin] if begin < end else -1
    for rank in range(len(tree.impedance) - 1, -1, -1):
        best, by = tree.impedance[rank], -1
        for arc in range(first_up[rank], first_up[rank + 1]):
            through = tree.impedance[head[arc]] + weight[2 * arc + 1 - towards]
            if through < best:
                best, by = through, arc
        if by >= 0:
            slot, parent = 2 * by + 1 - towards, head[by]
            tree.impedance[rank], tree.slot[rank], tree.parent[rank] = best, slot, parent
            tree.amount[rank] = tree.amount[parent] + climbed.amount[slot]
