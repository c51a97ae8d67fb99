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
