"""Loops of `geo.loops.pairs` as edges: unpacked, without spurs, rated; those that differ. They only loop."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from geo.graph import F32, F64, I32, I64
from geo.loops.vias import meet_between
from geo.routing.ground_kernels import cut_spurs, mark, on_marked, twice
from geo.routing.hierarchy_kernels import unpack

SQUARE_M = 30.0  # what lies within half of it is the same street
AWAY_M = 120.0  # walked in between, before it counts as coming back


class Memory(NamedTuple):
    """Of one question at a time; N nodes, M edges."""

    number: I64  # (1,) the last one that something was marked with
    avoided: I32  # (M,) stretches to be avoided, by number
    walked: I32  # (M,) stretches of a loop, by number
    visited: I32  # (S, S) squares that a loop has passed, by number: a torus larger than any loop
    visited_at: F32  # (S, S) metres along that loop
    stack: I32  # (2N,)
    edges: I32  # of one loop


class Manners(NamedTuple):
    """What makes a loop worse, beside its impedance."""

    avoided: int  # the number of stretches to be avoided
    back: int  # the edge by which one turns round at once, -1 for none
    turn_penalty: float  # impedance
    repeat_cost: float  # the share of the loop on known ground makes it dearer by so many times that share
    near_cost: float  # the same for the share that leads close by where it has been before


class Drafts(NamedTuple):
    """R loops; edges of loop i: edge[first[i] : first[i+1]]."""

    first: I64  # (R+1,)
    edge: I32
    start: F64  # (R,) fraction of the first edge
    end: F64  # (R,)


@njit(cache=True)
def unpack_loop(climbed, vias, depth, out, home, a, b, begins, ends, stack, edges):  # type: ignore[no-untyped-def]
    """(edges, start fraction, end fraction) of place -> a -> b -> home, written to `edges`."""
    hierarchy, via = climbed.hierarchy, climbed.via
    size, rank = 0, vias.rank[a]
    while out.slot[rank] >= 0:
        stack[size] = out.slot[rank]
        size += 1
        rank = out.parent[rank]
    begin = -1 - out.slot[rank]
    edges[0] = begins.edge[begin]
    count = unpack(hierarchy, via, stack, size, edges, 1)
    if a != b:
        _, top = meet_between(vias, depth, a, b)
        size, d = 0, top
        while vias.up_slot[a, d] >= 0:
            stack[size] = vias.up_slot[a, d]
            size += 1
            d = vias.up_from[a, d]
        count = unpack(hierarchy, via, stack, size, edges, count)
        d = top
        while vias.down_slot[b, d] >= 0:
            stack[0] = vias.down_slot[b, d]
            count = unpack(hierarchy, via, stack, 1, edges, count)
            d = vias.down_to[b, d]
    rank = vias.rank[b]
    while home.slot[rank] >= 0:
        stack[0] = home.slot[rank]
        count = unpack(hierarchy, via, stack, 1, edges, count)
        rank = home.parent[rank]
    end = -1 - home.slot[rank]
    edges[count] = ends.edge[end]
    return count + 1, begins.fraction[begin], ends.fraction[end]


@njit(cache=True)
def unpack_pairs(climbed, reverse, vias, depth, out, home, pairs, begins, ends, memory, cut):  # type: ignore[no-untyped-def]
    """The loops through pairs (R, 2) of vias, without spurs if `cut`."""
    count = len(pairs)
    first, start, end = np.zeros(count + 1, np.int64), np.empty(count), np.empty(count)
    edges = np.empty(256 * count + 256, np.int32)
    total = 0
    for i in range(count):
        size, start[i], end[i] = unpack_loop(
            climbed, vias, depth, out, home, pairs[i, 0], pairs[i, 1],
            begins, ends, memory.stack, memory.edges,
        )  # fmt: skip
        begin = 0
        if cut:
            begin, size, start[i], end[i] = cut_spurs(memory.edges, size, start[i], end[i], reverse)
        way = memory.edges[begin:size]
        if total + len(way) > len(edges):
            longer = np.empty(2 * len(edges) + len(way), np.int32)
            longer[:total] = edges[:total]
            edges = longer
        edges[total : total + len(way)] = way
        total += len(way)
        first[i + 1] = total
    return Drafts(first, edges[:total].copy(), start, end)


@njit(cache=True)
def first_piece(streets, edge, at, until):  # type: ignore[no-untyped-def]
    """As in a search: who stands amid a closed edge can leave it, for what it takes in time."""
    if until <= at:
        return 0.0
    value = streets.impedance[edge]
    if value == np.inf and at > 0.0:
        value = streets.duration_s[edge]
    return (until - at) * np.float64(value)


@njit(cache=True)
def add_up(streets, edges, start, end):  # type: ignore[no-untyped-def]
    """(impedance, amount, length, duration) of a path."""
    last = len(edges) - 1
    impedance = first_piece(streets, edges[0], start, end if last == 0 else 1.0)
    amount, length, duration = 0.0, 0.0, 0.0
    for i in range(last + 1):
        e = edges[i]
        share = (end if i == last else 1.0) - (start if i == 0 else 0.0)
        if share > 0.0:
            if i > 0:
                impedance += share * streets.impedance[e]
            amount += share * streets.amount[e]
            length += share * streets.length_m[e]
            duration += share * streets.duration_s[e]
    return impedance, amount, length, duration


@njit(cache=True)
def passes_again(streets, edges, visited, visited_at, number):  # type: ignore[no-untyped-def]
    """Metres of the path close by where it was more than AWAY_M before: on the same ground, or on the other
    pavement of the street."""
    size = len(visited)
    total, along = 0.0, 0.0
    for e in edges:
        a, b, length = streets.tail[e], streets.head[e], streets.length_m[e]
        steps = int(length / SQUARE_M) + 1
        for k in range(steps):
            share = (k + 0.5) / steps
            x = (streets.x[a] + share * (streets.x[b] - streets.x[a])) / SQUARE_M
            y = (streets.y[a] + share * (streets.y[b] - streets.y[a])) / SQUARE_M
            here = along + share * length
            column, row = math.floor(x - 0.5), math.floor(y - 0.5)
            near = False
            for c in range(column, column + 2):
                for r in range(row, row + 2):
                    i, j = c % size, r % size
                    near |= visited[i, j] == number and here - visited_at[i, j] > AWAY_M
            if near:
                total += length / steps
            i, j = math.floor(x) % size, math.floor(y) % size
            if visited[i, j] != number:
                visited[i, j], visited_at[i, j] = number, here
        along += length
    return total


@njit(cache=True)
def rate_drafts(streets, drafts, manners, memory, amount, rating):  # type: ignore[no-untyped-def]
    """Fill amount (R,) and rating (R,): what a second of the loop feels like, the dearer the more it repeats;
    +inf for a loop of 0 m or over a closed stretch."""
    length_m, reverse = streets.length_m, streets.reverse
    for i in range(len(rating)):
        way = drafts.edge[drafts.first[i] : drafts.first[i + 1]]
        start, end = drafts.start[i], drafts.end[i]
        impedance, amount[i], length, duration = add_up(streets, way, start, end)
        rating[i] = np.inf
        if not (length > 0.0 and duration > 0.0 and impedance < np.inf):
            continue
        memory.number[0] += 1
        number = memory.number[0]
        known = on_marked(way, start, end, reverse, length_m, memory.avoided, manners.avoided)
        known += twice(way, start, end, reverse, length_m, memory.walked, number)
        near = passes_again(streets, way, memory.visited, memory.visited_at, number)
        if way[0] == manners.back:
            impedance += manners.turn_penalty
        repeated = manners.repeat_cost * known + manners.near_cost * near
        rating[i] = impedance / duration * (1.0 + repeated / length)


@njit(cache=True)
def choose_different(streets, drafts, order, most_shared, memory, chosen):  # type: ignore[no-untyped-def]
    """How many of the drafts, looked at in `order`, have no more than a share of their metres in common with
    each one chosen before."""
    count = 0
    number = memory.number[0] + 1
    for i in order:
        way = drafts.edge[drafts.first[i] : drafts.first[i + 1]]
        _, _, length, _ = add_up(streets, way, drafts.start[i], drafts.end[i])
        differs = True
        for k in range(count):
            other = drafts.edge[drafts.first[chosen[k]] : drafts.first[chosen[k] + 1]]
            mark(other, streets.reverse, memory.walked, number)
            shared = on_marked(
                way, drafts.start[i], drafts.end[i], streets.reverse, streets.length_m, memory.walked, number
            )
            number += 1
            if shared > most_shared * length:
                differs = False
                break
        if differs:
            chosen[count] = i
            count += 1
            if count == len(chosen):
                break
    memory.number[0] = number
    return count
