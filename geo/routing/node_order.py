"""The order in which a hierarchy contracts the nodes: nested dissection by small balanced separators.

Nodes of degree one and two are contracted first, in rounds of nodes that do not touch, so that a long chain
makes a shallow tree. What is left is cut in two by inertial flow (Schild and Sommer, "On balanced separators
in road networks", SEA 2015): along each of eight directions the first nodes are held against the last, and a
smallest set of nodes between them is found by augmenting node-disjoint paths (Menger 1927). The smallest of
the eight sets gets the highest ranks, and both of its sides are cut again.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from geo.geodesy import to_local
from geo.graph import I32, Graph

BALANCE = 0.3  # of the nodes, at either end, that are held against each other
DIRECTIONS = np.stack([np.cos(np.pi * np.arange(8) / 8), np.sin(np.pi * np.arange(8) / 8)], 1)
SMALLEST_CELL = 3  # nodes that are not cut any more


def order_nodes(graph: Graph) -> I32:
    """(N,) the rank of every node: 0 is contracted first."""
    first, neighbour = undirected(graph)
    centre_lat, centre_lon = float(graph.node_lat.mean()), float(graph.node_lon.mean())
    x, y = to_local(graph.node_lat, graph.node_lon, centre_lat, centre_lon)
    order = np.empty(graph.node_count, np.int32)
    degree = np.diff(first).astype(np.int32)
    contracted = _contract_low_degrees(first, neighbour, degree, order)
    core = np.flatnonzero(degree >= 0).astype(np.int32)
    core_first, core_neighbour = _core(first, neighbour, degree, core)
    _dissect(core_first, core_neighbour, np.stack([x[core], y[core]], 1), DIRECTIONS, order[contracted:])
    order[contracted:] = core[order[contracted:]]
    rank = np.empty(graph.node_count, np.int32)
    rank[order] = np.arange(graph.node_count, dtype=np.int32)
    return rank


def undirected(graph: Graph) -> tuple[I32, I32]:
    """(N+1,) and the neighbours of every node, each once and ascending, whichever way the edges lead."""
    low = np.minimum(graph.tail, graph.head).astype(np.int64)
    high = np.maximum(graph.tail, graph.head).astype(np.int64)
    pairs = np.unique(low * graph.node_count + high)
    low, high = pairs // graph.node_count, pairs % graph.node_count
    apart = low != high
    tail = np.concatenate([low[apart], high[apart]])
    head = np.concatenate([high[apart], low[apart]])
    by_tail = np.lexsort((head, tail))
    first = np.zeros(graph.node_count + 1, np.int32)
    np.cumsum(np.bincount(tail, minlength=graph.node_count), out=first[1:])
    return first, head[by_tail].astype(np.int32)


@njit(cache=True)
def _contract_low_degrees(first, neighbour, degree, order):  # type: ignore[no-untyped-def]
    """Contract nodes of degree up to two until none is left; how many. `degree` becomes -1 for them.

    The neighbours of a node are the first `degree` entries of its part; their number never grows.
    """
    touched_in = np.full(len(degree), -1, np.int32)
    done = 0
    done_before = -1
    turn = 0
    while done > done_before:
        done_before = done
        for n in range(len(degree)):
            own = degree[n]
            if own < 0 or own > 2 or touched_in[n] == turn:
                continue
            order[done] = n
            done += 1
            degree[n] = -1
            for k in range(own):
                m = neighbour[first[n] + k]
                other = neighbour[first[n] + 1 - k] if own == 2 else -1
                _replace(first, neighbour, degree, m, n, other)
                touched_in[m] = turn
        turn += 1
    return done


@njit(cache=True)
def _replace(first, neighbour, degree, m, gone, other):  # type: ignore[no-untyped-def]
    """In the list of `m`, put `other` for `gone`, or just drop it if `other` is there already or is -1."""
    begin = first[m]
    known = other < 0
    at = -1
    for k in range(degree[m]):
        if neighbour[begin + k] == gone:
            at = k
        elif neighbour[begin + k] == other:
            known = True
    if known:
        degree[m] -= 1
        neighbour[begin + at] = neighbour[begin + degree[m]]
    else:
        neighbour[begin + at] = other


@njit(cache=True)
def _core(first, neighbour, degree, core):  # type: ignore[no-untyped-def]
    """The graph of the nodes that are left, renumbered."""
    number = np.full(len(degree), -1, np.int32)
    total = 0
    for i in range(len(core)):
        number[core[i]] = i
        total += degree[core[i]]
    core_first = np.zeros(len(core) + 1, np.int32)
    core_neighbour = np.empty(total, np.int32)
    at = 0
    for i in range(len(core)):
        begin = first[core[i]]
        for k in range(degree[core[i]]):
            core_neighbour[at] = number[neighbour[begin + k]]
            at += 1
        core_first[i + 1] = at
    return core_first, core_neighbour


@njit(cache=True)
def _dissect(first, neighbour, xy, directions, order):  # type: ignore[no-untyped-def]
    """Write the nodes to `order`, separators behind what they separate."""
    count = len(xy)
    for n in range(count):
        order[n] = n
    cell = np.zeros(count, np.int32)  # which cell a node is in; separators are in none (-1)
    cells = 1
    stack = [(0, count)]
    side = np.empty(count, np.int8)
    best_side = np.empty(count, np.int8)
    after = np.empty(count, np.int32)
    before = np.empty(count, np.int32)
    seen = np.zeros(2 * count, np.int32)
    came = np.empty(2 * count, np.int32)
    queue = np.empty(2 * count, np.int32)
    stamp = 0
    while len(stack) > 0:
        begin, end = stack.pop()
        size = end - begin
        if size <= SMALLEST_CELL:
            continue
        nodes = order[begin:end].copy()
        own = cell[nodes[0]]
        held = max(1, int(size * BALANCE))
        best = size + 1
        best_rest = size
        for d in range(len(directions)):
            along = xy[nodes, 0] * directions[d, 0] + xy[nodes, 1] * directions[d, 1]
            ranked = nodes[np.argsort(along)]
            flow, stamp, rest = _separate(
                first, neighbour, cell, own, nodes, ranked[:held], ranked[size - held :], best,
                after, before, seen, came, queue, side, stamp,
            )  # fmt: skip
            if flow < best or (flow == best and rest < best_rest):
                best, best_rest = flow, rest
                for n in nodes:
                    best_side[n] = side[n]
        ends = np.zeros(3, np.int64)
        for n in nodes:
            ends[best_side[n]] += 1
        left, right = ends[0], ends[1]
        at = np.array([begin, begin + left, begin + left + right])
        for n in nodes:
            s = best_side[n]
            order[at[s]] = n
            at[s] += 1
            cell[n] = -1 if s == 2 else cells + s
        cells += 2
        if left < size and right < size:
            stack.append((begin, begin + left))
            stack.append((begin + left, begin + left + right))
    return cells


@njit(cache=True)
def _separate(  # type: ignore[no-untyped-def]
    first, neighbour, cell, own, nodes, sources, sinks, limit, after, before, seen, came, queue, side, stamp
):
    """(size of the separator or `limit` + 1, stamp, size of the larger side).

    `side` becomes 0 on the left, 1 on the right, 2 in the separator.
    State 2n is "arriving at n", 2n + 1 "leaving n"; a node lies on one path at most.
    """
    for n in nodes:
        after[n] = -1
        before[n] = -1
        side[n] = 0
    for n in sinks:
        side[n] = 1
    flow = 0
    while True:
        stamp += 1
        size = 0
        for n in sources:
            seen[2 * n] = stamp
            came[2 * n] = -1
            queue[size] = 2 * n
            size += 1
        at = 0
        arrived = -1
        while at < size and arrived < 0:
            state = queue[at]
            at += 1
            n = state >> 1
            used = before[n] != -1  # -2 where its path begins
            if state & 1 == 0:
                if used:
                    to = 2 * before[n] + 1 if before[n] >= 0 else -1
                else:
                    to = state + 1
                if to >= 0 and seen[to] != stamp:
                    seen[to] = stamp
                    came[to] = state
                    queue[size] = to
                    size += 1
                continue
            if side[n] == 1:
                arrived = state
                break
            if used and seen[state - 1] != stamp:
                seen[state - 1] = stamp
                came[state - 1] = state
                queue[size] = state - 1
                size += 1
            for k in range(first[n], first[n + 1]):
                m = neighbour[k]
                if cell[m] == own and after[n] != m and seen[2 * m] != stamp:
                    seen[2 * m] = stamp
                    came[2 * m] = state
                    queue[size] = 2 * m
                    size += 1
        if arrived < 0:
            break
        flow += 1
        if flow > limit:
            return limit + 1, stamp, len(nodes)
        _augment(after, before, came, arrived)
    counts = np.zeros(3, np.int64)
    for n in nodes:
        if seen[2 * n + 1] == stamp:
            side[n] = 0
        elif seen[2 * n] == stamp:
            side[n] = 2
        else:
            side[n] = 1
        counts[side[n]] += 1
    return flow, stamp, max(counts[0], counts[1])


@njit(cache=True)
def _augment(after, before, came, arrived):  # type: ignore[no-untyped-def]
    """Lay the path that the search has found over the ones that are there."""
    state = arrived
    after[state >> 1] = -2
    while True:
        n = state >> 1
        previous = came[state]
        if state & 1 == 0:
            if previous < 0:
                before[n] = -2
                return
            if previous == state + 1:  # taken off the path that it was on
                before[n] = -1
                after[n] = -1
            else:
                before[n] = previous >> 1
                after[previous >> 1] = n
        state = previous
