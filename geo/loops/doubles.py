"""Two loops from one place, one after the other, where the streets are too few for one. They only loop."""

from __future__ import annotations

import numpy as np
from numba import njit

from geo.loops.ways import Drafts
from geo.routing.ground_kernels import cut_spurs

TWICE_ROUND = 1.5  # the same loop once more is worse by this than another one


@njit(cache=True)
def double_loops(streets, drafts, amount, rating, low, high, most):  # type: ignore[no-untyped-def]
    """At most `most` joins of two drafts of low .. high together, the best ones by their ratings (R,).

    The second sets out as the first comes back; or the other way, and what both walk there is left out.
    """
    pairs = np.empty((most, 2), np.int32)
    rates = np.full(most, np.inf)
    found = 0
    for a in range(len(amount)):
        for b in range(len(amount)):
            total = amount[a] + amount[b]
            if not low <= total or not rating[a] + rating[b] < np.inf:
                continue
            rate = (rating[a] * amount[a] + rating[b] * amount[b]) / total
            if a == b:
                rate *= TWICE_ROUND
            i = most - 1
            if not rate < rates[i]:
                continue
            total -= walked_by_both(streets, drafts, a, b)
            if not low <= total <= high:
                continue
            found = min(found + 1, most)
            while i > 0 and rates[i - 1] > rate:
                rates[i], pairs[i, 0], pairs[i, 1] = rates[i - 1], pairs[i - 1, 0], pairs[i - 1, 1]
                i -= 1
            rates[i], pairs[i, 0], pairs[i, 1] = rate, a, b
    return joined_drafts(drafts, pairs[:found], streets.reverse)


@njit(cache=True)
def walked_by_both(streets, drafts, a, b):  # type: ignore[no-untyped-def]
    """What is cut off where a's end and b's beginning are the same ground; +inf if they cannot be joined."""
    end, begin = drafts.first[a + 1] - 1, drafts.first[b]
    size = min(end + 1 - drafts.first[a], drafts.first[b + 1] - begin)
    edge, amount = drafts.edge, streets.amount
    if edge[begin] == edge[end]:
        return 0.0
    if edge[begin] != streets.reverse[edge[end]]:
        return np.inf
    total = drafts.end[a] * amount[edge[end]] + (1.0 - drafts.start[b]) * amount[edge[begin]]
    for i in range(1, size - 1):
        if edge[begin + i] != streets.reverse[edge[end - i]]:
            break
        total += amount[edge[end - i]] + amount[edge[begin + i]]
    return total


@njit(cache=True)
def joined_drafts(drafts, pairs, reverse):  # type: ignore[no-untyped-def]
    count = len(pairs)
    first, start, end = np.zeros(count + 1, np.int64), np.empty(count), np.empty(count)
    total = 0
    for i in range(count):
        for k in range(2):
            total += drafts.first[pairs[i, k] + 1] - drafts.first[pairs[i, k]]
    edges = np.empty(total, np.int32)
    at = 0
    for i in range(count):
        a = drafts.edge[drafts.first[pairs[i, 0]] : drafts.first[pairs[i, 0] + 1]]
        b = drafts.edge[drafts.first[pairs[i, 1]] : drafts.first[pairs[i, 1] + 1]]
        start[i], end[i] = drafts.start[pairs[i, 0]], drafts.end[pairs[i, 1]]
        skip = 0 if b[0] == a[-1] else 1
        size = len(a) - 1 + len(b) - skip
        way = edges[at : at + size]
        way[: len(a) - 1] = a[:-1]
        way[len(a) - 1 :] = b[skip:]
        begin, stop, start[i], end[i] = cut_spurs(way, size, start[i], end[i], reverse)
        way[: stop - begin] = way[begin:stop].copy()
        at += stop - begin
        first[i + 1] = at
    return Drafts(first, edges[:at].copy(), start, end)
