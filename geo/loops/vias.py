"""Via nodes of loops, and the ways of least impedance between any two of them.

Each via climbs the elimination tree once in either direction; a pair then looks for the best of its common
ancestors. Nodes are named by their rank in the hierarchy. The kernels only loop.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from geo.graph import F32, I32

SECTORS = 16  # that vias are spread over
RINGS = 4


class Vias(NamedTuple):
    """K via nodes, and their climbs: entry d of a row is for the node's ancestor at depth d, below D."""

    rank: I32  # (K,)
    bearing: F32  # (K,) radians, clockwise from north
    ancestor: I32  # (K, D)
    up: F32  # (K, D) impedance to the ancestor, climbing only
    up_amount: F32  # (K, D)
    up_slot: I32  # (K, D) the slot by which the ancestor was reached, -1 where it was not
    up_from: I32  # (K, D) the depth from which
    down: F32  # (K, D) impedance from the ancestor, descending only
    down_amount: F32  # (K, D)
    down_slot: I32  # (K, D)
    down_to: I32  # (K, D)


@njit(cache=True)
def choose_vias(node_at, streets, out, home, low, high, per_bin, seed, vias):  # type: ignore[no-untyped-def]
    """How many ranks became vias: at random, but spread over bearings and distances.

    node_at (N,): the node of each rank, -1 where it must not be a via; low, high: of what it amounts to to go
    there and home; per_bin: how many in each of SECTORS x RINGS.
    """
    near = np.empty(len(node_at), np.int32)
    size = 0
    for r in range(len(node_at)):
        if low <= out.amount[r] + home.amount[r] <= high and node_at[r] >= 0:
            near[size] = r
            size += 1
    np.random.seed(seed)
    turn = np.random.random() * 2.0 * math.pi
    bins = np.zeros((SECTORS, RINGS), np.int32)
    count = 0
    while size > 0 and count < len(vias.rank):
        i = np.random.randint(size)
        r = near[i]
        size -= 1
        near[i] = near[size]
        amount, n = out.amount[r] + home.amount[r], node_at[r]
        bearing = math.atan2(streets.x[n], streets.y[n])
        sector = int(((bearing + turn) / (2.0 * math.pi) + 4.0) * SECTORS) % SECTORS
        ring = min(RINGS - 1, int((amount - low) / (high - low) * RINGS))
        if bins[sector, ring] < per_bin:
            bins[sector, ring] += 1
            vias.rank[count], vias.bearing[count] = r, bearing
            count += 1
    return count


@njit(cache=True)
def climb_row(climbed, depth, bottom, towards, ancestor, cost, amount, slot_to, depth_of):  # type: ignore[no-untyped-def]
    """Climb from one rank (to it, if `towards`): fill a row of `Vias`."""
    first_up, head = climbed.hierarchy.first_up, climbed.hierarchy.head
    rank = bottom
    for d in range(depth[bottom], -1, -1):
        ancestor[d], cost[d], slot_to[d] = rank, np.inf, -1
        if d:
            rank = head[first_up[rank]]
    cost[depth[bottom]] = 0.0
    amount[depth[bottom]] = 0.0
    for d in range(depth[bottom], 0, -1):
        rank = ancestor[d]
        for arc in range(first_up[rank], first_up[rank + 1]):
            slot, to = 2 * arc + towards, depth[head[arc]]
            reached = cost[d] + climbed.weight[slot]
            if reached < cost[to]:
                cost[to], slot_to[to], depth_of[to] = reached, slot, d
                amount[to] = amount[d] + climbed.amount[slot]


@njit(cache=True)
def climb_vias(climbed, depth, vias, count):  # type: ignore[no-untyped-def]
    for k in range(count):
        climb_row(
            climbed, depth, vias.rank[k], 0,
            vias.ancestor[k], vias.up[k], vias.up_amount[k], vias.up_slot[k], vias.up_from[k],
        )  # fmt: skip
        climb_row(
            climbed, depth, vias.rank[k], 1,
            vias.ancestor[k], vias.down[k], vias.down_amount[k], vias.down_slot[k], vias.down_to[k],
        )  # fmt: skip


@njit(cache=True)
def common_depth(vias, depth, a, b):  # type: ignore[no-untyped-def]
    """How many ancestors, from the root on, two vias have in common."""
    low, high = 0, min(depth[vias.rank[a]], depth[vias.rank[b]]) + 1
    while low < high:
        middle = (low + high) >> 1
        if vias.ancestor[a, middle] == vias.ancestor[b, middle]:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def meet_between(vias, depth, a, b):  # type: ignore[no-untyped-def]
    """(impedance, depth where the halves meet) of the best way from via a to via b; +inf, -1 without one."""
    best, at = np.float32(np.inf), -1
    up, down = vias.up[a], vias.down[b]
    for d in range(common_depth(vias, depth, a, b)):
        through = up[d] + down[d]
        if through < best:
            best, at = through, d
    return best, at
