"""Weights for the arcs of a hierarchy: all of them for a new metric, or those that a change reaches.

Dibbelt, Strasser, Wagner (2016), sections 7 and 8. An arc costs no more than going round by the lowest corner
of any triangle under it, which is looked at bottom up. A `Customized` is never changed: updates make another.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from numba import njit

from geo.graph import F32, I32
from geo.routing.hierarchy import Hierarchy, arc_between

MANY = 128  # if more than one edge in so many has changed, all weights are made anew
NOTHING = -(2**31)  # via of a slot that cannot be passed


class Customized(NamedTuple):
    """One metric on the arcs; A arcs, two slots each."""

    weight: F32  # (2A,) impedance, +inf where there is no way
    via: I32  # (2A,) the triangle that the way goes round by, or ~edge, or NOTHING


def customize(hierarchy: Hierarchy, impedance: F32) -> Customized:
    """The weights for an impedance of every edge (M,), +inf where closed."""
    slots = 2 * len(hierarchy.head)
    customized = Customized(np.empty(slots, np.float32), np.empty(slots, np.int32))
    _customize(hierarchy, impedance, customized)
    return customized


def recustomize(hierarchy: Hierarchy, customized: Customized, impedance: F32, edges: I32) -> Customized:
    """The weights once `edges` have changed: what `customize` would give, in time for the arcs that change.

    impedance: (M,) the new one of all edges.
    """
    if MANY * len(edges) > len(impedance):
        return customize(hierarchy, impedance)
    updated = Customized(customized.weight.copy(), customized.via.copy())
    _recustomize(hierarchy, impedance, np.asarray(edges, np.int32), updated)
    return updated


@njit(cache=True)
def _customize(hierarchy, impedance, customized):  # type: ignore[no-untyped-def]
    weight, via = customized
    weight[:] = np.inf
    via[:] = NOTHING
    for e in range(len(impedance)):
        slot = hierarchy.slot_of_edge[e]
        if slot >= 0 and impedance[e] < weight[slot]:
            weight[slot] = impedance[e]
            via[slot] = ~e
    low_arc, high_arc = hierarchy.low_arc, hierarchy.high_arc
    for arc in range(len(hierarchy.head)):
        climb, descend = weight[2 * arc], weight[2 * arc + 1]
        climb_via, descend_via = via[2 * arc], via[2 * arc + 1]
        for t in range(hierarchy.first_triangle[arc], hierarchy.first_triangle[arc + 1]):
            low, high = 2 * low_arc[t], 2 * high_arc[t]
            up = weight[low + 1] + weight[high]
            down = weight[high + 1] + weight[low]
            if up < climb:
                climb = up
                climb_via = t
            if down < descend:
                descend = down
                descend_via = t
        weight[2 * arc], weight[2 * arc + 1] = climb, descend
        via[2 * arc], via[2 * arc + 1] = climb_via, descend_via


@njit(cache=True)
def _pull(hierarchy, impedance, weight, via, arc):  # type: ignore[no-untyped-def]
    """Give one arc its weights from its edges and the triangles under it."""
    for slot in range(2 * arc, 2 * arc + 2):
        best = np.float32(np.inf)
        best_via = NOTHING
        for k in range(hierarchy.first_edge[slot], hierarchy.first_edge[slot + 1]):
            e = hierarchy.edge[k]
            if impedance[e] < best:
                best = impedance[e]
                best_via = ~e
        descends = slot & 1
        for t in range(hierarchy.first_triangle[arc], hierarchy.first_triangle[arc + 1]):
            low, high = 2 * hierarchy.low_arc[t], 2 * hierarchy.high_arc[t]
            round_ = weight[low + 1 - descends] + weight[high + descends]
            if round_ < best:
                best = round_
                best_via = t
        weight[slot] = best
        via[slot] = best_via


@njit(cache=True)
def _recustomize(hierarchy, impedance, edges, customized):  # type: ignore[no-untyped-def]
    weight, via = customized
    first_up, head = hierarchy.first_up, hierarchy.head
    waits = np.zeros(len(head), np.bool_)
    queue = [np.int64(0)]
    queue.clear()
    for e in edges:
        arc = hierarchy.slot_of_edge[e] >> 1
        if arc >= 0 and not waits[arc]:
            waits[arc] = True
            heapq.heappush(queue, arc)
    while len(queue) > 0:
        arc = heapq.heappop(queue)
        waits[arc] = False
        climb, descend = weight[2 * arc], weight[2 * arc + 1]
        _pull(hierarchy, impedance, weight, via, arc)
        if weight[2 * arc] == climb and weight[2 * arc + 1] == descend:
            continue
        x = np.searchsorted(first_up, arc, side="right") - 1
        y = head[arc]
        for other in range(first_up[x], first_up[x + 1]):
            if other == arc:
                continue
            z = head[other]
            if y < z:
                above = arc_between(first_up, head, y, z)
                # y -> x -> z, z -> x -> y
                old_up, new_up = descend + weight[2 * other], weight[2 * arc + 1] + weight[2 * other]
                old_down, new_down = weight[2 * other + 1] + climb, weight[2 * other + 1] + weight[2 * arc]
            else:
                above = arc_between(first_up, head, z, y)
                old_up, new_up = weight[2 * other + 1] + climb, weight[2 * other + 1] + weight[2 * arc]
                old_down, new_down = descend + weight[2 * other], weight[2 * arc + 1] + weight[2 * other]
            if waits[above]:
                continue
            up, down = weight[2 * above], weight[2 * above + 1]
            if (
                new_up <= up < np.inf  # also where they are equal: which way is taken must not depend on
                or new_down <= down < np.inf  # what has happened before
                or (old_up != new_up and old_up == up)
                or (old_down != new_down and old_down == down)
            ):
                waits[above] = True
                heapq.heappush(queue, above)
