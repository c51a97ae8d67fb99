"""The kernels of the oracle: sparse forward and backward steps over the states of a lattice, and the choice.

Called through `bench.matching.oracle`, which says what the tuples are. A value has seven numbers a state: the
probability, and for each axis an estimate of the error's three parts; a probability below 0 marks a state
that is not reached.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def _see(states, count, value, x, y, edge, at, fix_x, fix_y, model, rest):  # type: ignore[no-untyped-def]
    """Weigh every state by how well the fix fits it, and correct its estimate of the error."""
    sigma, gain, variance, parts = model[0][at], model[2][at], model[3][at], model[4]
    outlier, jump_m2, carry = rest[0], rest[1], rest[3]
    s = len(x)
    total = 0.0
    for k in range(count):
        state = states[k]
        where = state % s
        kind = 1 if edge[where] < 0 else 0
        off_x, off_y = fix_x - x[where], fix_y - y[where]
        row = value[state]
        if carry:
            for part in range(3):
                off_x -= sigma * parts[part] * row[1 + part]
                off_y -= sigma * parts[part] * row[4 + part]
        square = off_x * off_x + off_y * off_y
        good = (1.0 - outlier) * np.exp(-0.5 * square / variance[kind]) / variance[kind]
        bad = 0.0
        if outlier > 0.0:
            wide = variance[kind] + jump_m2
            bad = outlier * np.exp(-0.5 * square / wide) / wide
        if carry and good > 0.0:
            trust = good / (good + bad) / sigma
            for part in range(3):
                row[1 + part] += trust * gain[kind, part] * off_x
                row[4 + part] += trust * gain[kind, part] * off_y
        row[0] *= good + bad
        total += row[0]
    return total


@njit(cache=True)
def _spread(states, count, value, fresh, seen, links, carry):  # type: ignore[no-untyped-def]
    """One step of all states; `fresh` gets the values, `seen` the number of the reached ones, in order."""
    first, to, share = links
    reached = 0
    for k in range(count):
        state = states[k]
        row = value[state]
        for link in range(first[state], first[state + 1]):
            mass = row[0] * share[link]
            if mass <= 0.0:
                continue
            target = to[link]
            if fresh[target, 0] < 0.0:
                fresh[target, 0] = 0.0
                fresh[target, 1:] = 0.0
                seen[reached] = target
                reached += 1
            fresh[target, 0] += mass
            if carry:
                for part in range(1, 7):
                    fresh[target, part] += mass * row[part]
    for k in range(count):
        value[states[k], 0] = -1.0
    return reached


@njit(cache=True)
def _prune(states, count, value, least, carry):  # type: ignore[no-untyped-def]
    """Forget unlikely states, make the others' probabilities 1 in all; returns how many are left."""
    best = total = 0.0
    for k in range(count):
        best = max(best, value[states[k], 0])
    left = 0
    for k in range(count):
        state = states[k]
        if value[state, 0] < least * best:
            value[state, 0] = -1.0
            continue
        total += value[state, 0]
        states[left] = state
        left += 1
    for k in range(left):
        value[states[k], 0] /= total
    return left


@njit(cache=True)
def _mean(states, count, value):  # type: ignore[no-untyped-def]
    """Make means of the sums that were added up."""
    for k in range(count):
        row = value[states[k]]
        for part in range(1, 7):
            row[part] /= row[0]


@njit(cache=True)
def _drift(states, count, value, turn):  # type: ignore[no-untyped-def]
    """The errors' estimates go on to the next fix."""
    for k in range(count):
        row = value[states[k]]
        for axis in range(1, 7, 3):
            a, b, c = row[axis], row[axis + 1], row[axis + 2]
            for part in range(3):
                row[axis + part] = turn[part, 0] * a + turn[part, 1] * b + turn[part, 2] * c


@njit(cache=True)
def _grown(kept, needed):  # type: ignore[no-untyped-def]
    if needed <= len(kept):
        return kept
    larger = np.empty(2 * needed, kept.dtype)
    larger[: len(kept)] = kept
    return larger


@njit(cache=True)
def smooth(places, move, rare, fixes, ahead, behind, fuse, rest, start, out):  # type: ignore[no-untyped-def]
    """Forward, keeping what was reached in every step, then backward over the same states, and decide."""
    x, y, edge, _, _ = places
    fix_x, fix_y, steps, _ = fixes
    least, carry = rest[2], rest[3]
    n = len(fix_x)
    size = 2 * len(x)
    value, fresh = np.full((size, 7), -1.0), np.full((size, 7), -1.0)
    states, seen = np.empty(size, np.int32), np.empty(size, np.int32)
    count = len(start[0])
    for k in range(count):
        states[k] = start[0][k]
        value[states[k], 0] = start[1][k]
        value[states[k], 1:] = 0.0
    reached_first = np.zeros(2 + int(steps.sum()) + 2 * n, np.int64)  # of every step: its states in `reached`
    reached = np.empty(1 << 20, np.int32)
    step = 0
    filtered_first = np.zeros(n + 1, np.int64)
    filtered_state = np.empty(1 << 20, np.int32)
    filtered = np.empty((7, 1 << 20), np.float32)
    for i in range(n):
        if i > 0:
            for part in range(steps[i] + 1):
                count = _spread(states, count, value, fresh, seen, rare if part == 0 else move, carry)
                value, fresh, states, seen = fresh, value, seen, states
                if carry:
                    _mean(states, count, value)
                if part < steps[i]:
                    count = _prune(states, count, value, least * 1e-3, carry)
                reached = _grown(reached, reached_first[step] + count)
                reached[reached_first[step] : reached_first[step] + count] = states[:count]
                reached_first[step + 1] = reached_first[step] + count
                step += 1
            if carry:
                _drift(states, count, value, ahead[1][i])
        _see(states, count, value, x, y, edge, i, fix_x[i], fix_y[i], ahead, rest)
        count = _prune(states, count, value, least, carry)
        begin, end = filtered_first[i], filtered_first[i] + count
        filtered_first[i + 1] = end
        if end > len(filtered_state):
            filtered_state = _grown(filtered_state, end)
            larger = np.empty((7, len(filtered_state)), np.float32)
            larger[:, :begin] = filtered[:, :begin]
            filtered = larger
        for k in range(count):
            filtered_state[begin + k] = states[k]
            for part in range(7):
                filtered[part, begin + k] = value[states[k], part]
    for k in range(count):
        value[states[k], 0] = -1.0
    _look_back(
        places, move, rare, fixes, behind, fuse, rest, out, value, fresh,
        (reached_first, reached, step, filtered_first, filtered_state, filtered),
    )  # fmt: skip


@njit(cache=True)
def _look_back(places, move, rare, fixes, behind, fuse, rest, out, value, fresh, kept):  # type: ignore[no-untyped-def]
    """Backward from the last fix; at each, join what is known from before and from after, and decide."""
    x, y, edge, _, _ = places
    fix_x, fix_y, steps, _ = fixes
    reached_first, reached, step, filtered_first, filtered_state, filtered = kept
    carry = rest[3]
    n = len(fix_x)
    size = 2 * len(x)
    states = np.empty(size, np.int32)
    count = 0
    for i in range(n - 1, -1, -1):
        begin, end = filtered_first[i], filtered_first[i + 1]
        if i == n - 1:
            count = end - begin
            for k in range(count):
                states[k] = filtered_state[begin + k]
                value[states[k], 0] = 1.0
                value[states[k], 1:] = 0.0
        _decide(i, begin, end, places, filtered_state, filtered, value, fuse, carry, out)
        if i == 0:
            return
        _see(states, count, value, x, y, edge, n - 1 - i, fix_x[i], fix_y[i], behind, rest)
        for part in range(steps[i], -1, -1):
            step -= 1
            before = step - 1
            links = rare if part == 0 else move
            if part > 0:
                earlier = reached[reached_first[before] : reached_first[before + 1]]
            else:
                earlier = filtered_state[filtered_first[i - 1] : filtered_first[i]]
            top = 0.0
            for k in range(len(earlier)):
                state = earlier[k]
                row = fresh[state]
                row[:] = 0.0
                for link in range(links[0][state], links[0][state + 1]):
                    target = value[links[1][link]]
                    if target[0] <= 0.0:
                        continue
                    mass = links[2][link] * target[0]
                    row[0] += mass
                    if carry:
                        for p in range(1, 7):
                            row[p] += mass * target[p]
                if carry and row[0] > 0.0:
                    for p in range(1, 7):
                        row[p] /= row[0]
                top = max(top, row[0])
            for k in range(count):
                value[states[k], 0] = -1.0
            count = len(earlier)
            for k in range(count):
                states[k] = earlier[k]
                if top > 0.0:
                    fresh[states[k], 0] /= top
            value, fresh = fresh, value
        if carry:
            _drift(states, count, value, behind[1][n - i])


@njit(cache=True)
def _decide(i, begin, end, places, filtered_state, filtered, value, fuse, carry, out):  # type: ignore[no-untyped-def]
    """The street with the greatest probability, both directions together; place and direction on it."""
    _, _, edge, fraction, street = places
    s = len(edge)
    log = np.empty(end - begin)
    top = -np.inf
    f, b = np.empty(3), np.empty(3)
    for k in range(end - begin):
        state = filtered_state[begin + k]
        mass = filtered[0, begin + k] * value[state, 0]
        log[k] = np.log(mass) if mass > 0.0 else -np.inf
        if carry and mass > 0.0:
            kind = 1 if edge[state % s] < 0 else 0
            for axis in range(1, 7, 3):
                for part in range(3):
                    f[part] = filtered[axis + part, begin + k]
                    b[part] = value[state, axis + part]
                for p in range(3):
                    for q in range(3):
                        log[k] += fuse[0][i, kind, p, q] * f[p] * f[q]
                        log[k] += fuse[1][i, kind, p, q] * b[p] * b[q]
                        log[k] += 2.0 * fuse[2][i, kind, p, q] * f[p] * b[q]
            log[k] += fuse[3][i, kind]
        top = max(top, log[k])
    _pick(i, begin, end, log, top, edge, fraction, street, filtered_state, out)


@njit(cache=True)
def _pick(i, begin, end, log, top, edge, fraction, street, filtered_state, out):  # type: ignore[no-untyped-def]
    s = len(edge)
    count = end - begin
    owner = np.empty(count, np.int64)
    for k in range(count):
        owner[k] = street[filtered_state[begin + k] % s]
    order = np.argsort(owner)
    best, total, chosen, run = 0.0, 0.0, np.int64(-2), 0.0
    for j in range(count):
        mass = np.exp(log[order[j]] - top)
        run = mass if j == 0 or owner[order[j]] != owner[order[j - 1]] else run + mass
        total += mass
        if run > best:
            best, chosen = run, owner[order[j]]
    out[0][i], out[1][i], out[2][i] = -1, 0.0, best / total
    if chosen < 0:
        return
    mass_of = np.zeros(2)
    at = np.zeros(2)
    one = -1
    other = -1
    for k in range(count):
        if owner[k] != chosen:
            continue
        where = filtered_state[begin + k] % s
        if one < 0:
            one = edge[where]
        side = 0 if edge[where] == one else 1
        if side == 1:
            other = edge[where]
        mass = np.exp(log[k] - top)
        mass_of[side] += mass
        at[side] += mass * fraction[where]
    side = 0 if mass_of[0] >= mass_of[1] else 1
    out[0][i] = one if side == 0 else other
    out[1][i] = at[side] / mass_of[side]
