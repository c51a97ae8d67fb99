"""Loops through two vias, by the thousand: told by their amount before any of them is unpacked.

Where a leg leads back over the last edges of the one before, the spur is cut off. Its length decides what the
loop amounts to, so these edges alone are unpacked for every pair. The kernels only loop.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from geo.loops.vias import meet_between

LEEWAY = 1.05  # by which cutting its spurs may better a loop
SAME = 1e-6  # loops whose ratings differ by less, relatively, are one: only rounding tells them apart
MIN_AMOUNT = 1e-3  # of a loop that is more than a spur, but for rounding


@njit(cache=True)
def unpack_ways(climbed, vias, count, tree, towards, stack, first):  # type: ignore[no-untyped-def]
    """The edges between each via and the tree's ends, the nearest to the via first: `first` (K+1,) tells them
    apart. Ways from a place are so turned round."""
    edges = np.empty(256 * count + 256, np.int32)
    total = 0
    first[0] = 0
    for k in range(count):
        rank = vias.rank[k]
        while tree.slot[rank] >= 0:
            size = 1
            stack[0] = tree.slot[rank]
            while size > 0:
                size, edge = next_edge(climbed.hierarchy, climbed.via, stack, size, not towards)
                if total == len(edges):
                    longer = np.empty(2 * total, np.int32)
                    longer[:total] = edges
                    edges = longer
                edges[total] = edge
                total += 1
            rank = tree.parent[rank]
        first[k + 1] = total
    return edges[:total].copy()


@njit(cache=True)
def next_edge(hierarchy, via, stack, size, from_behind):  # type: ignore[no-untyped-def]
    """(what is left on the stack, edge): take the topmost slot's first edge, or its last `from_behind`."""
    while True:
        slot = stack[size - 1]
        through = via[slot]
        if through < 0:
            return size - 1, ~through
        low, high = 2 * hierarchy.low_arc[through], 2 * hierarchy.high_arc[through]
        first, second = (high + 1, low) if slot & 1 else (low + 1, high)  # z -> x -> y, y -> x -> z
        if from_behind:
            first, second = second, first
        stack[size - 1], stack[size] = second, first
        size += 1


@njit(cache=True)
def spur(climbed, reverse, slot, after, far_slot, far_after, top, way, stack, from_behind):  # type: ignore[no-untyped-def]
    """How many edges of the leg between two vias, from one of them on, lead back over `way`.

    way: the edges beyond that via, nearest first. slot, after: the via's own half of the leg, from `top` down
    to it; far_slot, far_after: the other half. from_behind: it is the via that the leg leads to.
    """
    size, d = 0, top
    while slot[d] >= 0:
        stack[size] = slot[d]
        size += 1
        d = after[d]
    count, d = 0, top
    while count < len(way):
        if size == 0:
            if far_slot[d] < 0:
                break
            stack[0] = far_slot[d]
            size = 1
            d = far_after[d]
        size, edge = next_edge(climbed.hierarchy, climbed.via, stack, size, from_behind)
        if edge != reverse[way[count]]:
            break
        count += 1
    return count


@njit(cache=True)
def stem(out_way, home_way, reverse):  # type: ignore[no-untyped-def]
    """How many edges the ways to one via and from another have in common at the place."""
    count = min(len(out_way), len(home_way))
    for i in range(count):
        if reverse[out_way[len(out_way) - 1 - i]] != home_way[len(home_way) - 1 - i]:
            return i
    return count


@njit(cache=True)
def best_pairs(climbed, streets, vias, count, depth, out, home, window, both_orders, stack, pair, rating):  # type: ignore[no-untyped-def]
    """How many pairs (a, b) there are whose loop place -> a -> b -> home has an amount within `window`.

    window: (low, high, high before spurs are cut). pair (S, T, 2), rating (S, T): the best T of each sector
    by impedance per amount, best first. Without `both_orders` a loop is looked at in one direction only.
    """
    low, high, high_uncut = window
    sectors, most = rating.shape
    rating[:] = np.inf
    found = 0
    out_first, home_first = np.empty(count + 1, np.int64), np.empty(count + 1, np.int64)
    out_edges = unpack_ways(climbed, vias, count, out, 0, stack, out_first)
    home_edges = unpack_ways(climbed, vias, count, home, 1, stack, home_first)
    for a in range(count):
        r = vias.rank[a]
        out_way = out_edges[out_first[a] : out_first[a + 1]]
        for b in range(count):
            if not both_orders and (a < b) == ((a + b) & 1):
                continue
            s = vias.rank[b]
            amount = out.amount[r] + home.amount[s]
            if amount > high_uncut:
                continue
            between, d = meet_between(vias, depth, a, b)
            if d < 0:
                continue
            amount_between = vias.up_amount[a, d] + vias.down_amount[b, d]
            amount += amount_between
            if not low <= amount <= high_uncut:
                continue
            cost = out.impedance[r] + between + home.impedance[s]
            sector = sector_between(vias.bearing[a], vias.bearing[b], sectors)
            if cost / amount >= LEEWAY * rating[sector, most - 1]:
                continue
            home_way = home_edges[home_first[b] : home_first[b + 1]]
            up, up_from = vias.up_slot[a], vias.up_from[a]
            down, down_to = vias.down_slot[b], vias.down_to[b]
            start_size = spur(climbed, streets.reverse, up, up_from, down, down_to, d, out_way, stack, False)
            end_size = spur(climbed, streets.reverse, down, down_to, up, up_from, d, home_way, stack, True)
            if 0 < start_size == len(out_way) or 0 < end_size == len(home_way):
                continue  # back over the place itself: one via alone would do, and gives a way there and back
            spur_cost, spur_amount = there_and_back(streets, out_way[:start_size])
            end_cost, end_amount = there_and_back(streets, home_way[:end_size])
            if spur_amount + end_amount >= 2.0 * amount_between - MIN_AMOUNT:
                continue  # nothing is left between the vias: what is left of the loop may be a spur, too
            cost -= spur_cost + end_cost
            amount -= spur_amount + end_amount
            if not (low <= amount <= high and amount > MIN_AMOUNT):
                continue
            found += 1
            size = stem(out_way, home_way, streets.reverse)
            _, again = there_and_back(streets, home_way[len(home_way) - size :])
            insert(rating[sector], pair[sector], cost / amount * (1.0 + again / amount), a, b)
    return found


@njit(cache=True)
def sector_between(bearing_a, bearing_b, sectors):  # type: ignore[no-untyped-def]
    east = math.sin(bearing_a) + math.sin(bearing_b)
    north = math.cos(bearing_a) + math.cos(bearing_b)
    return int((math.atan2(east, north) / (2.0 * math.pi) + 1.0) * sectors) % sectors


@njit(cache=True)
def there_and_back(streets, edges):  # type: ignore[no-untyped-def]
    """(impedance, amount) of edges that are walked both ways."""
    cost, amount = 0.0, 0.0
    for e in edges:
        cost += streets.impedance[e] + streets.impedance[streets.reverse[e]]
        amount += streets.amount[e] + streets.amount[streets.reverse[e]]
    return cost, amount


@njit(cache=True)
def insert(rating, pair, rate, a, b):  # type: ignore[no-untyped-def]
    """Put a pair where it belongs among the best ones, if it does, and its loop is not there already."""
    at = len(rating)
    while at > 0 and rating[at - 1] > rate:
        at -= 1
    if at == len(rating):
        return
    if rating[at] - rate < SAME * rate or (at > 0 and rate - rating[at - 1] < SAME * rate):
        return
    for i in range(len(rating) - 1, at, -1):
        rating[i] = rating[i - 1]
        pair[i, 0], pair[i, 1] = pair[i - 1, 0], pair[i - 1, 1]
    rating[at], pair[at, 0], pair[at, 1] = rate, a, b


@njit(cache=True)
def turning_points(out, home, low, high, ranks):  # type: ignore[no-untyped-def]
    """How many ranks there are that one can walk to and home again for low .. high, at most as many as fit:
    the best ones by impedance per amount go to `ranks`."""
    count = 0
    rating = np.full(len(ranks), np.inf)
    for r in range(len(out.impedance)):
        amount = out.amount[r] + home.amount[r]
        rate = out.impedance[r] + home.impedance[r]
        if not (rate < np.inf and low <= amount <= high):
            continue
        rate /= amount
        i = len(ranks) - 1
        if rate >= rating[i]:
            continue
        count = min(count + 1, len(ranks))
        while i > 0 and rating[i - 1] > rate:
            rating[i], ranks[i] = rating[i - 1], ranks[i - 1]
            i -= 1
        rating[i], ranks[i] = rate, r
    return count
