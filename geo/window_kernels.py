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
from geo.prefetch import prefetch

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

AT_ONCE = 128  # events that are folded together
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
    features: I64  # (F, 9): how, ring, panes of the window, 1 if complete, 3 by how, source or -1, column
    numbers: F64  # (F, 2): the feature's parameter, how much of a weight is left a pane later


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
    """Some events at a time, and of these one accumulator after the other: each is a short loop of its own.

    The states of different entities lie far apart, and a loop this short waits for many of them at once.
    """
    steps = np.empty((len(plan.sources), AT_ONCE), np.int64)
    rings = len(plan.rings)
    pane, time = np.empty((rings, AT_ONCE), np.int64), np.empty((rings, AT_ONCE), np.int64)
    at = np.empty((rings, AT_ONCE), np.int64)
    index = np.empty(AT_ONCE, np.int64)
    for begin in range(0, len(slot), AT_ONCE):
        count = 0
        for i in range(begin, min(begin + AT_ONCE, len(slot))):
            if kind[i] <= 1:
                index[count] = i
                count += 1
        for r in range(rings):
            _find_panes(
                views[0], plan.rings[r], plan.row_bytes, slot, ts, index[:count], pane[r], time[r], at[r]
            )
        for s in range(len(plan.sources)):
            _to_steps(plan.sources[s], values[s], index[:count], steps[s])
        for r in range(rings):
            ring = plan.rings[r]
            _open_panes(views, ring, r, plan.row_bytes, slot, index[:count], pane[r], at[r])
            for a in range(ring[4], ring[5]):
                _accumulate(
                    views, plan.accumulators[a], plan.bounds, steps, time[r], at[r, :count], index, keys
                )


@njit(cache=True, error_model="numpy")
def _to_steps(source, values, index, out):  # type: ignore[no-untyped-def]
    """Values as whole numbers of steps above their source's low end; -1 where they are unknown."""
    low, high, per_unit = source[0], source[1], source[2]
    unknown = -1 if source[3] > 0.0 else 0
    for j in range(len(index)):
        value = values[index[j]]
        if math.isnan(value):
            out[j] = unknown
        else:
            out[j] = np.int64(math.floor((min(max(value, low), high) - low) * per_unit + 0.5))


@njit(cache=True, error_model="numpy")
def _find_panes(v8, ring, row_bytes, slot, ts, index, pane, time, at):  # type: ignore[no-untyped-def]
    """The number of each event's pane, the time since its start plus 1, and where it lies."""
    pane_ms, panes = ring[0], ring[1]
    for j in range(len(index)):
        ms = _to_ms(ts[index[j]])
        pane[j] = ms // pane_ms
        time[j] = ms - pane[j] * pane_ms + 1
        row = np.int64(slot[index[j]]) * row_bytes
        at[j] = row + ring[2] + pane[j] % panes * ring[3]
        prefetch(v8, row)
        prefetch(v8, at[j])


@njit(cache=True, error_model="numpy")
def _open_panes(views, ring, r, row_bytes, slot, index, pane, at):  # type: ignore[no-untyped-def]
    """Empty the panes between the newest one and the events'; at[j] = -1 where the pane is behind the ring.

    An event whose pane another one of this chunk pushes out of the ring would be forgotten with it.
    """
    v8, _, _, v64 = views
    panes, size = ring[1], ring[3]
    for j in range(len(index)):
        row = np.int64(slot[index[j]]) * row_bytes
        newest = v64[(row >> 3) + NEWEST + r]
        if pane[j] > newest:
            for k in range(min(panes, pane[j] - newest)):
                first = row + ring[2] + (pane[j] - k) % panes * size
                for byte in range(first, first + size):
                    v8[byte] = 0
            v64[(row >> 3) + NEWEST + r] = pane[j]
    for j in range(len(index)):
        row = np.int64(slot[index[j]]) * row_bytes
        if pane[j] <= v64[(row >> 3) + NEWEST + r] - panes:
            at[j] = -1


@njit(cache=True, error_model="numpy")
def _accumulate(views, accumulator, bounds, steps, time, at, index, keys):  # type: ignore[no-untyped-def]
    """Add events to one accumulator of their panes."""
    v8, v16, v32, v64 = views
    op, source, offset, width = accumulator[0], accumulator[1], accumulator[2], accumulator[3]
    values = steps[max(source, 0)] if len(steps) > 0 else time  # of no source: of events that all count
    if op == PLACE:
        _keep_latest_places(v16, v32, accumulator, values, steps[accumulator[4]], time, at)
    elif op == LATEST:
        for j in range(len(at)):
            if at[j] >= 0 and values[j] >= 0:
                _keep_latest(views, at[j] + offset, width, accumulator[5], time[j], values[j])
    elif op == DISTINCT:
        for j in range(len(at)):
            if at[j] >= 0:
                _keep_smallest(v32, (at[j] + offset) >> 2, _hash32(keys[index[j]]))
    elif width == 0:
        _gather(v8, 0xFF, accumulator, bounds, values, at)
    elif width == 1:
        _gather(v16, 0xFFFF, accumulator, bounds, values, at)
    elif width == 2:
        _gather(v32, 0xFFFFFFFF, accumulator, bounds, values, at)
    else:
        _gather(v64, 0x7FFFFFFFFFFFFFFF, accumulator, bounds, values, at)


@njit(cache=True, error_model="numpy")
def _gather(view, most, accumulator, bounds, values, at):  # type: ignore[no-untyped-def]
    """Sums and maxima in one width. What is added is not negative, and a full sum stays full in any order."""
    op, source, offset, width = accumulator[0], accumulator[1], accumulator[2], accumulator[3]
    if op == SUM:
        for j in range(len(at)):
            if at[j] >= 0 and values[j] >= 0:
                place = np.uint64((at[j] + offset) >> width)
                view[place] = min(most - values[j], np.int64(view[place])) + values[j]
        return
    for j in range(len(at)):
        value = values[j] if source >= 0 else 1
        if at[j] < 0 or value < 0:
            continue
        place = np.uint64((at[j] + offset) >> width)
        if op == COUNT:
            view[place] = min(most - 1, np.int64(view[place])) + 1
        elif op == SQUARES:
            view[place] = min(most - value * value, np.int64(view[place])) + value * value
        elif op == SKETCH:
            place += np.uint64(_bucket(bounds[source], value))
            view[place] = min(most - 1, np.int64(view[place])) + 1
        else:
            value = value + 1 if op == HIGHEST else accumulator[4] - value + 1
            view[place] = max(np.int64(view[place]), value)


@njit(cache=True, error_model="numpy")
def _keep_latest_places(v16, v32, accumulator, lat, lon, time, at):  # type: ignore[no-untyped-def]
    """A place of a pane is its latitude, its longitude, and its time."""
    offset, short = accumulator[2], accumulator[5] == 1
    for j in range(len(at)):
        if at[j] < 0 or lat[j] < 0 or lon[j] < 0:
            continue
        place = (at[j] + offset) >> 2
        known = np.int64(v16[2 * place + 4]) if short else np.int64(v32[place + 2])
        if time[j] < known:
            continue
        if time[j] == known:  # which of two at one moment is kept must not depend on which comes first
            my_lat = np.int64(v32[place])
            if lat[j] < my_lat or (lat[j] == my_lat and lon[j] <= np.int64(v32[place + 1])):
                continue
        v32[place], v32[place + 1] = lat[j], lon[j]
        if short:
            v16[2 * place + 4] = time[j]
        else:
            v32[place + 2] = time[j]


@njit(cache=True, error_model="numpy")
def _keep_latest(views, at, width, time_width, time, value):  # type: ignore[no-untyped-def]
    """A value, then its time; of two at one moment the higher value."""
    v8, v16, v32, v64 = views
    time_at = at + (1 << width)
    known = _get(v8, v16, v32, v64, time_width, time_at)
    if time > known or (time == known and value > _get(v8, v16, v32, v64, width, at)):
        _put(v8, v16, v32, v64, width, at, value)
        _put(v8, v16, v32, v64, time_width, time_at, time)


@njit(cache=True, error_model="numpy")
def _get(v8, v16, v32, v64, width, at):  # type: ignore[no-untyped-def]
    if width == 0:
        return np.int64(v8[at])
    if width == 1:
        return np.int64(v16[at >> 1])
    if width == 2:
        return np.int64(v32[at >> 2])
    return v64[at >> 3]


@njit(cache=True, error_model="numpy")
def _put(v8, v16, v32, v64, width, at, value):  # type: ignore[no-untyped-def]
    if width == 0:
        v8[at] = value
    elif width == 1:
        v16[at >> 1] = value
    elif width == 2:
        v32[at >> 2] = value
    else:
        v64[at >> 3] = value


@njit(cache=True, error_model="numpy")
def _bucket(bounds, value):  # type: ignore[no-untyped-def]
    """The first bucket whose upper bound is not below the value."""
    low, high = 0, len(bounds) - 1
    while low < high:
        middle = (low + high) >> 1
        if bounds[middle] < value:
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
    v64 = views[3]
    rings, fields, features = plan.rings, plan.fields, plan.features
    sources, bounds, numbers = plan.sources, plan.bounds, plan.numbers
    longest = 1
    for r in range(len(rings)):
        longest = max(longest, rings[r, 1])
    series = np.zeros((len(fields), longest), np.int64)
    chords = np.zeros((longest, 3), np.int64)
    chord_m = np.zeros(longest)
    way = np.zeros(5)
    hashes = np.zeros(HASHES, np.uint32)
    for i in range(len(slots)):
        row = np.int64(slots[i]) * plan.row_bytes
        now_ms = max(_to_ms(now_ts[i]), v64[(row >> 3) + LAST_MS])
        _unpack(views, row, rings, fields, series)
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
            column = features[f, 8]
            if how >= READ_PATH:
                if chords_of != a:
                    chords_of = a
                    chord_count = _chords(series, a, rings[r, 1], pane_ms, chords, chord_m)
                if f == 0 or not _same_way(features, numbers, f - 1, f):
                    _add_up(begin - oldest, end - oldest, numbers[f], chords[:chord_count], chord_m, way)
                out[i, column] = _read_way(how, way)
            elif how <= READ_RATE:
                value = _read_sums(how, series, features, f, first, last, low, per_unit)
                if how == READ_RATE:
                    value *= numbers[f, 0] * 1000.0 / (min(now_ms + 1, (end + 1) * pane_ms) - begin * pane_ms)
                out[i, column] = value
            elif how == READ_QUANTILE:
                buckets = features[f, 5]
                out[i, column] = (
                    _read_quantile(numbers[f, 0], series, a, buckets, bounds[s], first, last) / per_unit
                )
            elif how == READ_DISTINCT:
                out[i, column] = _read_distinct(series, a, first, last, hashes)
            else:
                steps = _read_panes(how, series, a, features[f, 5], sources, s, numbers[f, 1], first, last)
                out[i, column] = low + steps / per_unit


@njit(cache=True, error_model="numpy")
def _unpack(views, row, rings, fields, series):  # type: ignore[no-untyped-def]
    """The fields of one entity's panes, oldest pane first: series (N, longest)."""
    v8, v16, v32, v64 = views
    for r in range(len(rings)):
        panes, size = rings[r, 1], rings[r, 3]
        oldest = (v64[(row >> 3) + NEWEST + r] + 1) % panes
        for n in range(rings[r, 6], rings[r, 7]):
            at, width = row + rings[r, 2] + fields[n, 0], fields[n, 1]
            if width == 0:
                _unroll(v8[at:], size, panes, oldest, series[n])
            elif width == 1:
                _unroll(v16[at >> 1 :], size >> 1, panes, oldest, series[n])
            elif width == 2:
                _unroll(v32[at >> 2 :], size >> 2, panes, oldest, series[n])
            else:
                _unroll(v64[at >> 3 :], size >> 3, panes, oldest, series[n])


@njit(cache=True, error_model="numpy")
def _unroll(view, size, panes, oldest, out):  # type: ignore[no-untyped-def]
    for k in range(panes - oldest):
        out[k] = view[(oldest + k) * size]
    for k in range(oldest):
        out[panes - oldest + k] = view[k * size]


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
def _same_way(features, numbers, e, f):  # type: ignore[no-untyped-def]
    """Whether two features of places are read from the same chords in the same way."""
    for k in range(1, 5):
        if features[e, k] != features[f, k]:
            return False
    return features[e, 0] >= READ_PATH and numbers[e, 0] == numbers[f, 0] and numbers[e, 1] == numbers[f, 1]


@njit(cache=True, error_model="numpy")
def _add_up(begin, end, numbers, chords, chord_m, out):  # type: ignore[no-untyped-def]
    """Add up the chords that end in the window and begin at most a pane before it.

    out: metres, milliseconds, those of chords shorter than still_m, halts, mean of the chords' paces with
    weights that fade from the last one backwards.
    """
    still_m, fading = numbers[0], numbers[1]
    way_m = pace = weight = 0.0
    way_ms = still_ms = halts = 0
    was_still = False
    share, after = 1.0, -1
    for k in range(len(chords) - 1, -1, -1):
        if chords[k, 0] < begin - 1:
            break
        if chords[k, 1] > end:
            continue
        way_m += chord_m[k]
        way_ms += chords[k, 2]
        still = chord_m[k] < still_m
        if still:
            still_ms += chords[k, 2]
            halts += not was_still
        was_still = still
        if fading > 0.0:
            for _ in range(chords[k, 1], after):
                share *= fading
            after = chords[k, 1]
            pace += share * chord_m[k] / chords[k, 2]
            weight += share
    out[0], out[1], out[2], out[3] = way_m, way_ms, still_ms, halts
    out[4] = pace / weight if weight > 0.0 else math.nan


@njit(cache=True, error_model="numpy")
def _read_way(how, way):  # type: ignore[no-untyped-def]
    if how == READ_PATH:
        return way[0]
    if how == READ_STOPS:
        return way[3]
    if way[1] == 0.0:
        return math.nan
    if how == READ_PACE:
        return way[0] / (way[1] * 1e-3)
    if how == READ_STOPPED_SHARE:
        return way[2] / way[1]
    return way[4] * 1000.0
