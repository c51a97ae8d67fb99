"""The kernels of `geo.windows` that fold events into panes and read features out of them.

They know no feature by name: a `Plan` (made by `geo.window_layout`) says in small tables of integers where
in the bytes of an entity's state each accumulator lies and how features follow from accumulators, so one
compilation serves every layout. Everything that is kept is an integer whose value does not depend on the
order of events: saturating sums of what is never negative, maxima, the latest by (time, value), the smallest
hashes. An accumulator of zeros has seen nothing.

State is read and written through four views of the same bytes (8, 16, 32 bits unsigned, 64 bits signed); a
place is a byte offset, divided by the width.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.graph import F64, I64

# kinds of accumulators, column OP of `Plan.accumulators`
COUNT, SUM, SQUARES, HIGHEST, LOWEST, LATEST, PLACE, SKETCH, DISTINCT = range(9)

# how a feature is read, column HOW of `Plan.features`
(
    READ_COUNT,
    READ_SUM,
    READ_MEAN,
    READ_VARIANCE,
    READ_RATE,
    READ_MIN,
    READ_MAX,
    READ_LAST,
    READ_EWMA,
    READ_QUANTILE,
    READ_DISTINCT,
    READ_PATH,
    READ_PACE,
    READ_STOPS,
    READ_STOPPED_SHARE,
    READ_PACE_EWMA,
) = range(16)

AT_ONCE = 64  # events whose panes are looked up before the first of them is folded
HASHES = 8  # the smallest hashes that a pane keeps: fewer than these are counted exactly

# where an entity's state has its latest event time and the newest pane of each ring, in 64-bit words
LAST_MS, NEWEST = 0, 5


class Plan(NamedTuple):
    """A layout as the kernels read it: S sources, R rings, A accumulators, F features."""

    row_bytes: int
    grace_ms: int
    remembered: int  # times that a repetition is recognised by, 0: no event is a repetition
    times_at: int  # uint16 offset of the remembered times
    sources: F64  # (S, 4): low, high, steps per unit, 1 if it may be nan (else nan counts as low)
    rings: I64  # (R, 8): pane_ms, panes, byte offset, bytes a pane, accumulators from, to, fields from, to
    accumulators: I64  # (A, 6): op, source or -1, byte offset in the pane, log2 of its width, two by op
    fields: I64  # (N, 2): byte offset in the pane, log2 of its width
    bounds: I64  # (S, B): upper bounds of a source's sketch buckets in steps
    features: I64  # (F, 8): how, ring, panes of the window, 1 if complete, then by how, source or -1
    numbers: F64  # (F, 2): the feature's parameter, and what is derived from it


Views = tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint32], NDArray[np.int64]]


def views_of(state: NDArray[Any]) -> Views:
    """The bytes of an array of states (C-contiguous, itemsize a multiple of 8) as the kernels take them."""
    return state.view(np.uint8), state.view(np.uint16), state.view(np.uint32), state.view(np.int64)


@njit(cache=True, error_model="numpy", forceinline=True)
def _to_ms(ts):  # type: ignore[no-untyped-def]
    return np.int64(math.floor(ts * 1000.0 + 0.5))


# ---- fold


@njit(cache=True, error_model="numpy")
def fold(views, plan, slot, kind, ts, values, keys):  # type: ignore[no-untyped-def]
    # Arrays are taken out of their tuples once: a tuple of arrays is dear to hand on in an inner loop.
    v8, v16, v32, v64 = views
    sources, rings, accumulators, bounds = plan.sources, plan.rings, plan.accumulators, plan.bounds
    row_bytes = plan.row_bytes
    steps = np.zeros(len(sources) + 1, np.int64)  # the last one stands for "no source": 0
    pane_at, in_pane_ms = np.empty((AT_ONCE, len(rings)), np.int64), np.empty((AT_ONCE, len(rings)), np.int64)
    touched = 0
    for chunk in range(0, len(slot), AT_ONCE):
        size = min(AT_ONCE, len(slot) - chunk)
        touched += _find_panes(v8, rings, row_bytes, slot, ts, chunk, size, pane_at, in_pane_ms)
        for j in range(size):
            i = chunk + j
            if kind[i] > 1:
                continue
            row = np.int64(slot[i]) * row_bytes
            ms = _to_ms(ts[i])
            for s in range(len(sources)):
                steps[s] = _to_steps(sources, s, values[s, i])
            for r in range(len(rings)):
                newest_at = (row >> 3) + NEWEST + r
                since_ms = ms - in_pane_ms[j, r] - v64[newest_at] * rings[r, 0]
                if since_ms > 0:
                    v64[newest_at] += since_ms // rings[r, 0]
                    _open_panes(
                        v8,
                        row + rings[r, 2],
                        rings[r, 1],
                        rings[r, 3],
                        v64[newest_at],
                        since_ms // rings[r, 0],
                    )
                elif since_ms <= -rings[r, 1] * rings[r, 0]:
                    continue
                for a in range(rings[r, 4], rings[r, 5]):
                    op, value = accumulators[a, 0], steps[accumulators[a, 1]]
                    at, width = pane_at[j, r] + accumulators[a, 2], accumulators[a, 3]
                    if value < 0:
                        continue
                    if op <= SQUARES:
                        if op == COUNT:
                            value = 1
                        elif op == SQUARES:
                            value *= value
                        _add(v8, v16, v32, v64, width, at, value)
                    elif op == PLACE:
                        other = steps[accumulators[a, 4]]
                        if other >= 0:
                            time = in_pane_ms[j, r] + 1
                            _keep_latest_place(v16, v32, at, accumulators[a, 5], time, value, other)
                    elif op == LATEST:
                        time = in_pane_ms[j, r] + 1
                        _keep_latest(v8, v16, v32, v64, at, width, accumulators[a, 5], time, value)
                    elif op == SKETCH:
                        bucket = _bucket(bounds, accumulators[a, 1], value)
                        _add(v8, v16, v32, v64, width, at + (bucket << width), 1)
                    elif op == DISTINCT:
                        _keep_smallest(v32, at >> 2, _hash32(keys[i]))
                    else:
                        if op == LOWEST:
                            value = accumulators[a, 4] - value
                        if value + 1 > _get(v8, v16, v32, v64, width, at):
                            _put(v8, v16, v32, v64, width, at, value + 1)
    return touched


@njit(cache=True, error_model="numpy", forceinline=True)
def _find_panes(v8, rings, row_bytes, slot, ts, chunk, size, pane_at, in_pane_ms):  # type: ignore[no-untyped-def]
    """Where the panes of some events are, which are read here at once: the cache misses overlap."""
    touched = 0
    for j in range(size):
        row = np.int64(slot[chunk + j]) * row_bytes
        ms = _to_ms(ts[chunk + j])
        touched += v8[row]
        for r in range(len(rings)):
            pane = ms // rings[r, 0]
            in_pane_ms[j, r] = ms - pane * rings[r, 0]
            pane_at[j, r] = row + rings[r, 2] + pane % rings[r, 1] * rings[r, 3]
            touched += v8[pane_at[j, r]]
    return touched


@njit(cache=True, error_model="numpy", forceinline=True)
def _to_steps(sources, s, value):  # type: ignore[no-untyped-def]
    """A value as a whole number of steps above its source's low end; -1 where it is unknown."""
    low = sources[s, 0]
    if math.isnan(value):
        return -1 if sources[s, 3] > 0.0 else 0
    return np.int64(math.floor((min(max(value, low), sources[s, 1]) - low) * sources[s, 2] + 0.5))


@njit(cache=True, error_model="numpy")
def _open_panes(v8, ring_at, panes, size, newest, count):  # type: ignore[no-untyped-def]
    """Empty the newest panes, `count` of them; all of them after a long gap."""
    for k in range(min(panes, count)):
        at = ring_at + (newest - k) % panes * size
        for byte in range(at, at + size):
            v8[byte] = 0


@njit(cache=True, error_model="numpy", forceinline=True)
def _keep_latest_place(v16, v32, at, time_width, time, lat, lon):  # type: ignore[no-untyped-def]
    """A place, then its time since the pane's start plus 1."""
    time_at = at + 8
    known = np.int64(v16[time_at >> 1]) if time_width == 1 else np.int64(v32[time_at >> 2])
    if time < known:
        return
    if time == known:  # which of two at one moment is kept must not depend on which comes first
        my_lat = np.int64(v32[at >> 2])
        if lat < my_lat or (lat == my_lat and lon <= np.int64(v32[(at >> 2) + 1])):
            return
    v32[at >> 2] = lat
    v32[(at >> 2) + 1] = lon
    if time_width == 1:
        v16[time_at >> 1] = time
    else:
        v32[time_at >> 2] = time


@njit(cache=True, error_model="numpy", forceinline=True)
def _keep_latest(v8, v16, v32, v64, at, width, time_width, time, value):  # type: ignore[no-untyped-def]
    """A value, then its time since the pane's start plus 1."""
    time_at = at + (1 << width)
    known = _get(v8, v16, v32, v64, time_width, time_at)
    if time > known or (time == known and value > _get(v8, v16, v32, v64, width, at)):
        _put(v8, v16, v32, v64, width, at, value)
        _put(v8, v16, v32, v64, time_width, time_at, time)


@njit(cache=True, error_model="numpy", forceinline=True)
def _get(v8, v16, v32, v64, width, at):  # type: ignore[no-untyped-def]
    if width == 0:
        return np.int64(v8[at])
    if width == 1:
        return np.int64(v16[at >> 1])
    if width == 2:
        return np.int64(v32[at >> 2])
    return v64[at >> 3]


@njit(cache=True, error_model="numpy", forceinline=True)
def _put(v8, v16, v32, v64, width, at, value):  # type: ignore[no-untyped-def]
    if width == 0:
        v8[at] = value
    elif width == 1:
        v16[at >> 1] = value
    elif width == 2:
        v32[at >> 2] = value
    else:
        v64[at >> 3] = value


@njit(cache=True, error_model="numpy", forceinline=True)
def _add(v8, v16, v32, v64, width, at, value):  # type: ignore[no-untyped-def]
    """Add what is not negative; a full accumulator stays full, in whatever order."""
    if width == 0:
        v8[at] = min(0xFF, np.int64(v8[at]) + value)
    elif width == 1:
        v16[at >> 1] = min(0xFFFF, np.int64(v16[at >> 1]) + value)
    elif width == 2:
        v32[at >> 2] = min(0xFFFFFFFF, np.int64(v32[at >> 2]) + value)
    else:
        v64[at >> 3] += value


@njit(cache=True, error_model="numpy", forceinline=True)
def _bucket(bounds, source, value):  # type: ignore[no-untyped-def]
    """The first bucket whose upper bound is not below the value."""
    low, high = 0, bounds.shape[1] - 1
    while low < high:
        middle = (low + high) >> 1
        if bounds[source, middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, error_model="numpy")
def _hash32(key):  # type: ignore[no-untyped-def]
    """The upper half of splitmix64's finalizer (Steele, Lea, Flood 2014); never 0."""
    h = np.uint64(key) + np.uint64(0x9E3779B97F4A7C15)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    h = (h ^ (h >> np.uint64(31))) >> np.uint64(32)
    return max(np.int64(h), np.int64(1))


@njit(cache=True, error_model="numpy")
def _keep_smallest(v32, at, h):  # type: ignore[no-untyped-def]
    """Insert a hash among the smallest ones, ascending, zeros behind them; one that is there is there."""
    k = 0
    while k < HASHES and v32[at + k] != 0 and v32[at + k] < h:
        k += 1
    if k == HASHES or v32[at + k] == h:
        return
    for j in range(HASHES - 1, k, -1):
        v32[at + j] = v32[at + j - 1]
    v32[at + k] = h


# ---- read


@njit(cache=True, error_model="numpy")
def read(views, plan, slots, now_ts, out):  # type: ignore[no-untyped-def]
    v8, v16, v32, v64 = views
    rings, fields, features = plan.rings, plan.fields, plan.features
    sources, bounds, numbers = plan.sources, plan.bounds, plan.numbers
    longest = 1
    for r in range(len(rings)):
        longest = max(longest, rings[r, 1])
    series = np.zeros((len(fields), longest), np.int64)
    chords = np.zeros((longest, 3), np.int64)
    chord_m = np.zeros(longest)
    hashes = np.zeros(HASHES, np.uint32)
    for i in range(len(slots)):
        row = np.int64(slots[i]) * plan.row_bytes
        now_ms = max(_to_ms(now_ts[i]), v64[(row >> 3) + LAST_MS])
        _unpack(v8, v16, v32, v64, row, rings, fields, series)
        chords_of, chord_count = -1, 0
        for f in range(len(features)):
            how, r, a = features[f, 0], features[f, 1], features[f, 4]
            pane_ms = rings[r, 0]
            end = (now_ms - plan.grace_ms) // pane_ms - 1 if features[f, 3] else now_ms // pane_ms
            begin = end - features[f, 2] + 1
            oldest = v64[(row >> 3) + NEWEST + r] - rings[r, 1] + 1
            first, last = max(begin - oldest, 0), min(end - oldest, rings[r, 1] - 1)
            s = features[f, 7]
            low, per_unit = (sources[s, 0], sources[s, 2]) if s >= 0 else (0.0, 1.0)
            if how >= READ_PATH:
                if chords_of != a:
                    chords_of = a
                    chord_count = _chords(series, a, rings[r, 1], pane_ms, chords, chord_m)
                from_, to = begin - oldest, end - oldest
                out[i, f] = _read_path(how, numbers[f], from_, to, chord_count, chords, chord_m)
            elif how <= READ_RATE:
                value = _read_sums(how, series, features, f, first, last, low, per_unit)
                if how == READ_RATE:
                    value *= numbers[f, 0] * 1000.0 / (min(now_ms + 1, (end + 1) * pane_ms) - begin * pane_ms)
                out[i, f] = value
            elif how == READ_QUANTILE:
                buckets = features[f, 5]
                out[i, f] = (
                    _read_quantile(numbers[f, 0], series, a, buckets, bounds[s], first, last) / per_unit
                )
            elif how == READ_DISTINCT:
                out[i, f] = _read_distinct(series, a, first, last, hashes)
            else:
                steps = _read_panes(how, series, a, features[f, 5], sources, s, numbers[f, 1], first, last)
                out[i, f] = low + steps / per_unit


@njit(cache=True, error_model="numpy")
def _unpack(v8, v16, v32, v64, row, rings, fields, series):  # type: ignore[no-untyped-def]
    """The fields of one entity's panes, oldest pane first: series (N, longest)."""
    for r in range(len(rings)):
        panes, size = rings[r, 1], rings[r, 3]
        oldest_at = (v64[(row >> 3) + NEWEST + r] + 1) % panes
        for k in range(panes):
            p = oldest_at + k
            if p >= panes:
                p -= panes
            pane_at = row + rings[r, 2] + p * size
            for n in range(rings[r, 6], rings[r, 7]):
                series[n, k] = _get(v8, v16, v32, v64, fields[n, 1], pane_at + fields[n, 0])


@njit(cache=True, error_model="numpy", forceinline=True)
def _total(series, n, first, last):  # type: ignore[no-untyped-def]
    total = 0
    for k in range(first, last + 1):
        total += series[n, k]
    return total


@njit(cache=True, error_model="numpy")
def _read_sums(how, series, features, f, first, last, low, per_unit):  # type: ignore[no-untyped-def]
    """Count, sum, mean, variance; of a rate what is divided by time."""
    count = _total(series, features[f, 4], first, last)
    if how == READ_COUNT or features[f, 5] < 0:
        return float(count)
    total = _total(series, features[f, 5], first, last)
    if how == READ_SUM or how == READ_RATE:  # noqa: SIM109 - of tuples numba makes tuples
        return low * count + total / per_unit
    if count == 0:
        return math.nan
    mean = total / count
    if how == READ_MEAN:
        return low + mean / per_unit
    squares = _total(series, features[f, 6], first, last)
    return max(0.0, squares / count - mean * mean) / (per_unit * per_unit)


@njit(cache=True, error_model="numpy")
def _read_panes(how, series, a, b, sources, s, fading, first, last):  # type: ignore[no-untyped-def]
    """Min, max, last, or the mean of the panes' means with weights that fade; in steps above the low end."""
    most = 0
    total = weight = 0.0
    for k in range(last, first - 1, -1):
        if how == READ_LAST:
            if series[b, k] > 0:
                return float(series[a, k])
        elif how != READ_EWMA:
            most = max(most, series[a, k])
    if how == READ_EWMA:
        for k in range(first, last + 1):
            total *= fading
            weight *= fading
            if series[a, k] > 0:
                total += series[b, k] / series[a, k]
                weight += 1.0
        return total / weight if weight > 0.0 else math.nan
    if most == 0:
        return math.nan
    if how == READ_MAX:
        return float(most - 1)
    return math.floor((sources[s, 1] - sources[s, 0]) * sources[s, 2] + 0.5) - (most - 1)


@njit(cache=True, error_model="numpy")
def _read_quantile(share, series, a, buckets, bounds, first, last):  # type: ignore[no-untyped-def]
    """In steps: the bucket of rank floor(q (n - 1)), told with the same relative error at both its ends."""
    count = 0
    for b in range(buckets):
        count += _total(series, a + b, first, last)
    if count == 0:
        return math.nan
    rank = np.int64(math.floor(share * (count - 1)))
    seen, b = 0, -1
    while seen <= rank:
        b += 1
        seen += _total(series, a + b, first, last)
    over = bounds[b]
    if over == 0:
        return 0.0
    under = bounds[b - 1] + 1
    return 2.0 * under * over / (under + over)


@njit(cache=True, error_model="numpy")
def _read_distinct(series, a, first, last, hashes):  # type: ignore[no-untyped-def]
    hashes[:] = 0
    for k in range(first, last + 1):
        for j in range(HASHES):
            if series[a + j, k] == 0:
                break
            _keep_smallest(hashes, 0, series[a + j, k])
    for count in range(HASHES):
        if hashes[count] == 0:
            return float(count)
    # k minimum values: with n keys the k-th of the hashes, as shares of all, is about k / n
    return max(float(HASHES), math.floor((HASHES - 1) * 4294967296.0 / hashes[HASHES - 1] + 0.5))


@njit(cache=True, error_model="numpy")
def _chords(series, a, panes, pane_ms, chords, chord_m):  # type: ignore[no-untyped-def]
    """The straight ways between the last places of successive panes that have one; how many there are.

    Of each, chords has the pane where it begins, the one where it ends, and its milliseconds.
    """
    metres_per_step = 6_371_008.8 * math.pi / 180.0 * 1e-7
    lat, lon, time = series[a], series[a + 1], series[a + 2]
    newest = panes - 1
    while newest >= 0 and time[newest] == 0:
        newest -= 1
    cos_lat = math.cos(math.radians(lat[newest] * 1e-7 - 90.0)) if newest >= 0 else 1.0
    before, n = -1, 0
    for k in range(newest + 1):
        if time[k] == 0:
            continue
        if before >= 0:
            east = lon[k] - lon[before]
            if abs(east) > 1_800_000_000:  # over the 180th meridian
                east -= 3_600_000_000 if east > 0 else -3_600_000_000
            north_m, east_m = (lat[k] - lat[before]) * metres_per_step, east * metres_per_step * cos_lat
            chords[n, 0], chords[n, 1] = before, k
            chords[n, 2] = (k - before) * pane_ms + time[k] - time[before]
            chord_m[n] = math.sqrt(north_m * north_m + east_m * east_m)
            n += 1
        before = k
    return n


@njit(cache=True, error_model="numpy")
def _read_path(how, numbers, begin, end, n, chords, chord_m):  # type: ignore[no-untyped-def]
    """What the chords that end in the window and begin at most a pane before it tell."""
    still_m, fading = numbers[0], numbers[1]
    way_m = pace = weight = 0.0
    way_ms = still_ms = halts = 0
    was_still = False
    before = 0
    for k in range(n):
        if chords[k, 0] < begin - 1 or chords[k, 1] > end:
            continue
        still = chord_m[k] < still_m
        if still:
            still_ms += chords[k, 2]
            if not was_still:
                halts += 1
        was_still = still
        way_m += chord_m[k]
        way_ms += chords[k, 2]
        if how == READ_PACE_EWMA:
            for _ in range(chords[k, 1] - before):
                pace *= fading
                weight *= fading
            before = chords[k, 1]
            pace += chord_m[k] / chords[k, 2]
            weight += 1.0
    if how == READ_PATH:
        return way_m
    if how == READ_STOPS:
        return float(halts)
    if way_ms == 0:
        return math.nan
    if how == READ_PACE:
        return way_m / (way_ms * 1e-3)
    if how == READ_STOPPED_SHARE:
        return still_ms / way_ms
    return pace / weight * 1000.0
