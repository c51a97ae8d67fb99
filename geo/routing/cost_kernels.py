"""The kernels of `costs` and `scoring`: what edges cost a taste, and sums over many routes.

A taste is linear in the factors, and everywhere in a zone the dynamic ones are the same but for their gates.
So a taste and a zone make one row of S + 1 numbers, and an edge costs S multiplications: `felt_row`, `felt`.
Sums run in one fixed order: what comes out for some edges equals what does for all, bit by bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.graph import F32, F64, I32, I64


class CostArrays(NamedTuple):
    """What the kernels read: M edges, S static and D dynamic factors, Z zones."""

    length_m: F32  # (M,)
    duration_s: F32  # (M,)
    static_factors: F32  # (M, S)
    zone: I32  # (M,)
    zone_values: F32  # (Z, D) 0..1
    closed: NDArray[np.bool_]  # (M,)
    gates: I32  # (D,) static factor that a dynamic one is multiplied by, -1 for none
    min_multiplier: np.float32


class Routes(NamedTuple):
    """R routes in one block: the edges of route r are edges[first[r] : first[r + 1]], at least one."""

    first: I64  # (R+1,)
    edges: I32
    start_fraction: F64  # (R,) where the first edge is entered
    end_fraction: F64  # (R,) where the last edge is left


class Ways(NamedTuple):
    """What is left of R walkers' routes: way r is edges[first[r] : last[r]] of an array that all share."""

    first: I64  # (R,)
    last: I64  # (R,)
    edges: I32
    start_fraction: F64  # (R,) where the walker is on the first edge
    end_fraction: F64  # (R,) where the last edge is left


@njit(cache=True)
def felt_row(arrays, weight, zone, row):  # type: ignore[no-untyped-def]
    """row[:S]: what each static factor weighs in this zone; row[S]: how a second without any feels."""
    count = arrays.static_factors.shape[1]
    row[:count] = weight[:count]
    row[count] = np.float32(1.0)
    for d in range(len(arrays.gates)):
        gate = arrays.gates[d]
        row[gate if gate >= 0 else count] += weight[count + d] * arrays.zone_values[zone, d]


@njit(cache=True)
def felt(arrays, row, edge):  # type: ignore[no-untyped-def]
    """By how much a second on this edge feels longer, under the row of its zone."""
    count = arrays.static_factors.shape[1]
    multiplier = row[count]
    for k in range(count):
        multiplier += row[k] * arrays.static_factors[edge, k]
    return max(arrays.min_multiplier, multiplier)


@njit(cache=True)
def impedance_all(arrays, weight, out):  # type: ignore[no-untyped-def]
    rows = np.empty((len(arrays.zone_values), arrays.static_factors.shape[1] + 1), np.float32)
    for z in range(len(rows)):
        felt_row(arrays, weight, z, rows[z])
    for e in range(len(out)):
        value = arrays.duration_s[e] * felt(arrays, rows[arrays.zone[e]], e)
        out[e] = np.float32(np.inf) if arrays.closed[e] else value


@njit(cache=True)
def impedance_of(arrays, weight, edges, out):  # type: ignore[no-untyped-def]
    row = np.empty(arrays.static_factors.shape[1] + 1, np.float32)
    known = -1
    for i in range(len(edges)):
        e = edges[i]
        if arrays.closed[e]:
            out[i] = np.inf
            continue
        if arrays.zone[e] != known:
            known = arrays.zone[e]
            felt_row(arrays, weight, known, row)
        out[i] = arrays.duration_s[e] * felt(arrays, row, e)


@njit(cache=True)
def score(arrays, routes, weight, length_m, duration_s, exposure, impedance):  # type: ignore[no-untyped-def]
    """Per route: length, duration, mean exposure (R, K) and impedance (R, T) of all tastes (T, K).

    A route is worked through in runs of edges of one zone: the dynamic factors are added once a run.
    """
    count, tastes = arrays.static_factors.shape[1], len(weight)
    run_static = np.empty(count)
    rows = np.empty((tastes, count + 1), np.float32)
    for r in range(len(length_m)):
        length_m[r], duration_s[r] = 0.0, 0.0
        exposure[r, :], impedance[r, :] = 0.0, 0.0
        run_static[:] = 0.0
        run_s, known = 0.0, -1
        begin, end = routes.first[r], routes.first[r + 1]
        for i in range(begin, end):
            e = routes.edges[i]
            share = routes.end_fraction[r] if i == end - 1 else 1.0
            if i == begin:
                share -= routes.start_fraction[r]
            if not share > 0.0:
                continue
            if arrays.zone[e] != known:
                add_run(arrays, known, run_s, run_static, exposure[r])
                run_s, known = 0.0, arrays.zone[e]
                for t in range(tastes):
                    felt_row(arrays, weight[t], known, rows[t])
            spent = share * arrays.duration_s[e]
            length_m[r] += share * arrays.length_m[e]
            duration_s[r] += spent
            run_s += spent
            for k in range(count):
                run_static[k] += spent * arrays.static_factors[e, k]
            if arrays.closed[e]:
                # Only who stands amid a closed stretch can leave it, and that costs its duration.
                impedance[r, :] += spent if i == begin and routes.start_fraction[r] > 0.0 else np.inf
                continue
            for t in range(tastes):
                impedance[r, t] += share * (arrays.duration_s[e] * felt(arrays, rows[t], e))
        add_run(arrays, known, run_s, run_static, exposure[r])
        if duration_s[r] > 0.0:
            exposure[r, :] /= duration_s[r]


@njit(cache=True)
def add_run(arrays, zone, run_s, run_static, exposure):  # type: ignore[no-untyped-def]
    """Add what a run through one zone exposed to (seconds × factor), and empty the run."""
    count = len(run_static)
    if run_s > 0.0:
        for d in range(len(arrays.gates)):
            gate = arrays.gates[d]
            spent = run_static[gate] if gate >= 0 else run_s
            exposure[count + d] += spent * arrays.zone_values[zone, d]
        for k in range(count):
            exposure[k] += run_static[k]
            run_static[k] = 0.0


@njit(cache=True)
def remaining(impedances, duration_s, routes, from_index, from_fraction, taste, out):  # type: ignore[no-untyped-def]
    for r in range(len(out)):
        begin, end = routes.first[r] + from_index[r], routes.first[r + 1]
        t = taste[r]
        total = 0.0
        if begin < end:
            e = routes.edges[begin]
            share = (routes.end_fraction[r] if begin == end - 1 else 1.0) - from_fraction[r]
            if share > 0.0:
                value = impedances[t, e]
                if value == np.inf and from_fraction[r] > 0.0:
                    value = duration_s[e]
                total = share * value
            for i in range(begin + 1, end - 1):
                total += impedances[t, routes.edges[i]]
            if begin + 1 < end and routes.end_fraction[r] > 0.0:
                total += routes.end_fraction[r] * impedances[t, routes.edges[end - 1]]
        out[r] = total


@njit(cache=True)
def rescore(old, new, changed, ways, weight, worse_share, was, now, worse_m):  # type: ignore[no-untyped-def]
    """See `scoring.rescore`. Who passes no changed edge is not summed up: both costs stay nan."""
    count = new.static_factors.shape[1]
    old_row, new_row = np.empty(count + 1, np.float32), np.empty(count + 1, np.float32)
    for r in range(len(was)):
        was[r], now[r], worse_m[r] = np.nan, np.nan, np.inf
        begin, end = ways.first[r], ways.last[r]
        touched = False
        for i in range(begin, end):
            if changed[ways.edges[i]]:
                touched = True
                break
        if not touched:
            continue
        before, after, metres = 0.0, 0.0, 0.0
        old_zone, new_zone = -1, -1
        for i in range(begin, end):
            e = ways.edges[i]
            share = ways.end_fraction[r] if i == end - 1 else 1.0
            amid = i == begin and ways.start_fraction[r] > 0.0
            if i == begin:
                share -= ways.start_fraction[r]
            if not share > 0.0:
                continue
            spent = share * new.duration_s[e]
            if new.zone[e] != new_zone:
                new_zone = new.zone[e]
                felt_row(new, weight[r], new_zone, new_row)
            value = spent * felt(new, new_row, e)
            if new.closed[e]:
                value = spent if amid else np.inf
            known = value
            if changed[e]:
                if old.zone[e] != old_zone:
                    old_zone = old.zone[e]
                    felt_row(old, weight[r], old_zone, old_row)
                known = spent * felt(old, old_row, e)
                if old.closed[e]:
                    known = spent if amid else np.inf
                if worse_m[r] == np.inf and value > known * (1.0 + worse_share):
                    worse_m[r] = metres
            before += known
            after += value
            metres += share * new.length_m[e]
        was[r], now[r] = before, after


@njit(cache=True)
def eased(old, new, changed, cell, lowest, highest, opened):  # type: ignore[no-untyped-def]
    """What changed, by cell: how the dynamic factors of its edges moved, and whether one was opened.

    lowest, highest: (C, D) the least and the greatest difference of a factor, 0 where none changed.
    """
    for k in range(len(changed)):
        e = changed[k]
        c = cell[e]
        if old.closed[e] and not new.closed[e]:
            opened[c] = True
        for d in range(lowest.shape[1]):
            moved = new.zone_values[new.zone[e], d] - old.zone_values[old.zone[e], d]
            lowest[c, d] = min(lowest[c, d], moved)
            highest[c, d] = max(highest[c, d], moved)


@njit(cache=True)
def spared_at_most(moved, weight, cells, lat, lon, here, end, reach_m, out):  # type: ignore[no-untyped-def]
    """out (R,): by how much a second feels shorter at most, in any of the `cells` that a walker can pass.

    moved: lowest, highest, opened, see `eased`. A cell, at lat, lon, can be passed if the way from `here` by
    it to `end`, both (R, 2) in degrees, is at most reach_m.
    """
    lowest, highest, opened = moved
    first = weight.shape[1] - lowest.shape[1]
    deg_m = 6_371_008.8 * np.pi / 180.0
    for r in range(len(out)):
        out[r] = 0.0
        scale = deg_m * np.cos(np.radians(here[r, 0]))
        for k in range(len(cells)):
            c = cells[k]
            to = np.hypot(deg_m * (lat[c] - here[r, 0]), scale * (lon[c] - here[r, 1]))
            if to > reach_m[r]:
                continue
            if to + np.hypot(deg_m * (lat[c] - end[r, 0]), scale * (lon[c] - end[r, 1])) > reach_m[r]:
                continue
            spared = np.inf if opened[c] else 0.0
            for d in range(lowest.shape[1]):
                w = weight[r, first + d]
                spared += max(0.0, -w * lowest[c, d], -w * highest[c, d])
            out[r] = max(out[r], spared)
