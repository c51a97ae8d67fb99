"""The kernel of `geo.windows` that tells which events are new, which come too late, which are repeated.

An entity's latest times are remembered in a ring, ascending, modulo 2**16 ms: none is older than the grace.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from geo.prefetch import prefetch

# where things stand in the header of an entity's state, in units of their width
LAST_MS, FORGOTTEN_MS = 0, 1  # int64
ACCEPTED, LATE_COUNT, DUPLICATES, OUT_OF_ORDERS = 4, 5, 6, 7  # uint32
TIMES_FIRST, TIMES_COUNT = 32, 33  # uint8

AT_ONCE = 64


@njit(cache=True, error_model="numpy")
def classify(views, plan, slot, ts, out_kind):  # type: ignore[no-untyped-def]
    # Arrays are taken out of their tuple once: a tuple of arrays is dear to hand on in an inner loop.
    v8, v16, v32, v64 = views
    row_bytes, grace_ms, size, times_at = plan.row_bytes, plan.grace_ms, plan.remembered, plan.times_at
    for i in range(min(AT_ONCE, len(slot))):
        prefetch(v8, np.int64(slot[i]) * row_bytes + TIMES_FIRST)
    for i in range(len(slot)):
        if i % AT_ONCE == 0:
            for j in range(i, min(i + AT_ONCE, len(slot))):
                if j + AT_ONCE < len(slot):
                    prefetch(v8, np.int64(slot[j + AT_ONCE]) * row_bytes + TIMES_FIRST)
                row = np.int64(slot[j]) * row_bytes
                next_time = np.int64(v8[row + TIMES_FIRST]) + np.int64(v8[row + TIMES_COUNT])
                prefetch(v8, row + 2 * (times_at + _wrapped(next_time, size)))
        row = np.int64(slot[i]) * row_bytes
        at64, at32, times = row >> 3, row >> 2, (row >> 1) + times_at
        ms = np.int64(math.floor(ts[i] * 1000.0 + 0.5))
        last_ms = v64[at64 + LAST_MS]
        if v32[at32 + ACCEPTED] == 0 or ms > last_ms or (size == 0 and ms == last_ms):
            if size > 0:
                _remember_last(v8, v16, v64, row, times, size, ms, last_ms, grace_ms)
            v64[at64 + LAST_MS] = ms
            v32[at32 + ACCEPTED] += np.uint32(1)
            out_kind[i] = 0
        elif ms < last_ms - grace_ms or ms <= v64[at64 + FORGOTTEN_MS]:
            v32[at32 + LATE_COUNT] += np.uint32(1)
            out_kind[i] = 3
        elif size == 0 or _remember_earlier(v8, v16, v64, row, times, size, ms, last_ms):
            v32[at32 + ACCEPTED] += np.uint32(1)
            v32[at32 + OUT_OF_ORDERS] += np.uint32(1)
            out_kind[i] = 1
        else:
            v32[at32 + DUPLICATES] += np.uint32(1)
            out_kind[i] = 2


@njit(cache=True, error_model="numpy", forceinline=True)
def _age_ms(v16, at, last_ms):  # type: ignore[no-untyped-def]
    """How long before last_ms a remembered time was; never more than the grace, so 16 bits tell it."""
    return (last_ms - np.int64(v16[at])) & 0xFFFF


@njit(cache=True, error_model="numpy", forceinline=True)
def _wrapped(k, size):  # type: ignore[no-untyped-def]
    return k - size if k >= size else k


@njit(cache=True, error_model="numpy", forceinline=True)
def _remember_last(v8, v16, v64, row, times, size, ms, last_ms, grace_ms):  # type: ignore[no-untyped-def]
    """Append the latest time; a full ring forgets its oldest."""
    first, count = np.int64(v8[row + TIMES_FIRST]), np.int64(v8[row + TIMES_COUNT])
    step_ms = ms - last_ms
    if step_ms > grace_ms:
        count = np.int64(0)
    # What lies behind the watermark is let go, so that what is remembered depends on the times alone.
    while count > 0 and _age_ms(v16, times + first, last_ms) + step_ms > grace_ms:
        first = _wrapped(first + 1, size)
        count -= 1
    if count == size:
        v64[(row >> 3) + FORGOTTEN_MS] = last_ms - _age_ms(v16, times + first, last_ms)
        first = _wrapped(first + 1, size)
        count -= 1
    v16[times + _wrapped(first + count, size)] = np.uint16(ms & 0xFFFF)
    v8[row + TIMES_FIRST] = first
    v8[row + TIMES_COUNT] = count + 1


@njit(cache=True, error_model="numpy")
def _remember_earlier(v8, v16, v64, row, times, size, ms, last_ms):  # type: ignore[no-untyped-def]
    """Insert a time before the latest one; False if it is there already."""
    first, count = np.int64(v8[row + TIMES_FIRST]), np.int64(v8[row + TIMES_COUNT])
    age_ms = last_ms - ms
    at = count
    while at > 0:
        other_age_ms = _age_ms(v16, times + _wrapped(first + at - 1, size), last_ms)
        if other_age_ms == age_ms:
            return False
        if other_age_ms > age_ms:
            break
        at -= 1
    if count == size:
        if at == 0:
            # Older than all of them: accepted once, and from now on it is the limit of what can be told.
            v64[(row >> 3) + FORGOTTEN_MS] = ms
            return True
        v64[(row >> 3) + FORGOTTEN_MS] = last_ms - _age_ms(v16, times + first, last_ms)
        first = _wrapped(first + 1, size)
        count -= 1
        at -= 1
    for k in range(count, at, -1):
        v16[times + _wrapped(first + k, size)] = v16[times + _wrapped(first + k - 1, size)]
    v16[times + _wrapped(first + at, size)] = np.uint16(ms & 0xFFFF)
    v8[row + TIMES_FIRST] = first
    v8[row + TIMES_COUNT] = count + 1
    return True
