"""What a path over edges walks on: stretches walked back at once, ground walked twice. They only loop.

A stretch is named by the lower of its two edges. Only the two ends of a path can walk a part of one.
"""

from __future__ import annotations

from numba import njit


@njit(cache=True)
def cut_spurs(edges, count, start, end, reverse):  # type: ignore[no-untyped-def]
    """(first, last + 1, start fraction, end fraction) of the path without stretches that are walked and at
    once walked back. What is left is moved together within `edges`; its ends lie where they lay.
    """
    if count < 2:
        return 0, count, start, end
    size = 1
    for i in range(1, count - 1):
        e = edges[i]
        if size > 1 and reverse[e] >= 0 and edges[size - 1] == reverse[e]:
            size -= 1
        else:
            edges[size] = e
            size += 1
    edges[size] = edges[count - 1]
    begin, stop = 0, size + 1
    while stop - begin > 1:
        if edges[begin + 1] == reverse[edges[begin]]:  # set out the other way at once
            if stop - begin == 2 and end < 1.0 - start:
                return begin, begin + 1, start, 1.0 - end
            start = 1.0 - start
            begin += 1
        elif edges[stop - 1] == reverse[edges[stop - 2]]:  # stop on the way out
            end = 1.0 - end
            stop -= 1
        else:
            break
    return begin, stop, start, end


@njit(cache=True)
def stretch_of(edge, reverse):  # type: ignore[no-untyped-def]
    return reverse[edge] if 0 <= reverse[edge] < edge else edge


@njit(cache=True)
def span_on_stretch(edge, begin, end, reverse):  # type: ignore[no-untyped-def]
    """The piece of an edge as fractions of its stretch, which has the direction of its lower edge."""
    if stretch_of(edge, reverse) == edge:
        return begin, end
    return 1.0 - end, 1.0 - begin


@njit(cache=True)
def twice(edges, start, end, reverse, values, stamp, number):  # type: ignore[no-untyped-def]
    """The sum of `values` over what the path walks on ground that it has walked before, in any direction.

    stamp (M,) is marked with `number` at the stretches between the path's ends.
    """
    count = len(edges)
    if count == 1:
        return 0.0
    total = 0.0
    for i in range(1, count - 1):
        s = stretch_of(edges[i], reverse)
        if stamp[s] == number:
            total += values[s]
        stamp[s] = number
    first, last = stretch_of(edges[0], reverse), stretch_of(edges[count - 1], reverse)
    if stamp[first] == number:
        total += (1.0 - start) * values[first]
    if stamp[last] == number:
        total += end * values[last]
    elif first == last:
        a, b = span_on_stretch(edges[0], start, 1.0, reverse)
        c, d = span_on_stretch(edges[count - 1], 0.0, end, reverse)
        total += max(0.0, min(b, d) - max(a, c)) * values[first]
    return total


@njit(cache=True)
def on_marked(edges, start, end, reverse, values, stamp, number):  # type: ignore[no-untyped-def]
    """The sum of `values` over what the path walks on stretches marked with `number`."""
    total = 0.0
    count = len(edges)
    for i in range(count):
        s = stretch_of(edges[i], reverse)
        if stamp[s] == number:
            share = (end if i == count - 1 else 1.0) - (start if i == 0 else 0.0)
            total += share * values[s]
    return total


@njit(cache=True)
def mark(edges, reverse, stamp, number):  # type: ignore[no-untyped-def]
    for e in edges:
        stamp[stretch_of(e, reverse)] = number
