"""Event-time windows of every walker: panes of 20 s in a ring, whatever order the fixes arrive in.

A sliding window is cut into panes, each fix is added to exactly one pane, and a window is read by
running over its panes (Li et al. 2005, "No pane, no gain: efficient evaluation of sliding-window
aggregates over data streams"). What a pane holds is integers whose sum, or whose latest by event
time, does not depend on the order of arrival, so the same fixes give bit-identical features in any
order within the grace and however the stream is cut into blocks.

A walker's state is one element of an array of `WINDOW_STATE`; an element of zeros is a walker who
was never seen. Three steps a block: `classify_fixes` (what is new, a repetition, too late),
`fold_fixes` (into panes), `read_features` (out of panes).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.errors import BadInput
from geo.graph import F32, F64, I32, U8

IN_ORDER, OUT_OF_ORDER, DUPLICATE, LATE = 0, 1, 2, 3

PANE_MS = 20_000
PANES = 48
REMEMBERED = 64
MAX_GRACE_S = 60.0

WINDOW_STATE = np.dtype(
    [
        ("last_ms", np.int64),  # latest event time accepted, milliseconds since the epoch
        ("forgotten_ms", np.int64),  # latest event time that was pushed out of `times_ms`
        ("newest_pane", np.int64),  # last_ms // PANE_MS as of the last fix folded
        ("fixes", np.uint32),  # accepted, in order or not
        ("late", np.uint32),
        ("duplicates", np.uint32),
        ("out_of_order", np.uint32),
        ("times_ms", np.uint32, (REMEMBERED,)),  # ring, ascending, the latest accepted, modulo 2**32
        ("lat_e7", np.int32, (PANES,)),  # the pane's last fix by event time, 1e-7 degrees
        ("lon_e7", np.int32, (PANES,)),
        ("last_in_pane_ms", np.uint16, (PANES,)),  # its time since the pane's start
        ("accuracy_sum_hm", np.uint16, (PANES,)),  # half metres, a fix counts 127.5 m at most
        ("count", np.uint8, (PANES,)),  # this and the next two stop at 255
        ("accuracy_count", np.uint8, (PANES,)),
        ("off_network_count", np.uint8, (PANES,)),
        ("times_first", np.uint8),  # where the ring starts
        ("times_count", np.uint8),
    ],
    align=True,
)

WindowStates = NDArray[Any]  # (capacity,) of WINDOW_STATE, indexed by a walker's slot

FEATURE_COLUMNS: tuple[str, ...] = (
    "pace_mps_60s",
    "pace_mps_300s",
    "pace_mps_900s",
    "distance_m_60s",
    "distance_m_300s",
    "distance_m_900s",
    "stops_900s",
    "stopped_share_300s",
    "stopped_share_900s",
    "accuracy_m_300s",
    "fixes_per_min_300s",
    "off_network_share_300s",
)


def classify_fixes(
    state: WindowStates, slot: I32, ts: F64, out_kind: U8, grace_s: float = MAX_GRACE_S
) -> None:
    """Write IN_ORDER, OUT_OF_ORDER, DUPLICATE or LATE for each fix of a block, in order of arrival.

    state: (capacity,) of WINDOW_STATE, updated. slot: (n,) int32. ts: (n,) event time, seconds since
    the epoch, told apart to the millisecond. out_kind: (n,) uint8.
    A fix is LATE if it is older than its own walker's watermark (latest event time - grace_s) or
    than what the 64 remembered times can tell from a repetition; DUPLICATE if its event time was
    accepted before. Raises BadInput for a wrong dtype, unequal lengths or a grace outside 0..60 s.
    """
    _check(state, len(slot), slot=(slot, np.int32), ts=(ts, np.float64), out_kind=(out_kind, np.uint8))
    if not 0.0 <= grace_s <= MAX_GRACE_S:
        raise BadInput(f"grace_s is {grace_s}, it must be 0 to {MAX_GRACE_S:g} seconds")
    _classify(state, slot, ts, out_kind, round(grace_s * 1000.0))


def fold_fixes(
    state: WindowStates, slot: I32, kind: U8, ts: F64, lat: F64, lon: F64, accuracy_m: F32, off_network: U8
) -> None:
    """Add the fixes of a block that are IN_ORDER or OUT_OF_ORDER to their panes.

    Arrays (n,), in order of arrival; kind as `classify_fixes` wrote it; lat, lon degrees; accuracy_m
    nan where unknown; off_network 1 where the matcher found no street. Raises BadInput as above.
    """
    _check(
        state,
        len(slot),
        slot=(slot, np.int32),
        kind=(kind, np.uint8),
        ts=(ts, np.float64),
        lat=(lat, np.float64),
        lon=(lon, np.float64),
        accuracy_m=(accuracy_m, np.float32),
        off_network=(off_network, np.uint8),
    )
    _fold(state, slot, kind, ts, lat, lon, accuracy_m, off_network)


def read_features(state: WindowStates, slots: I32, now_ts: F64, out: F32) -> None:
    """Write the features of walkers `slots` as of `now_ts` into `out`, columns FEATURE_COLUMNS.

    slots: (n,) int32. now_ts: (n,) event time in seconds (never before the walker's latest fix: an
    earlier one is read as that). out: (n, F) float32; nan where there is nothing to tell, e.g. the
    pace of one who has not moved from pane to pane yet. A window of W seconds is its W/20 latest
    panes, the current one included; distance is the sum of the chords between the last fixes of
    successive panes that end in the window; a chord shorter than 4 m is a stop. Raises BadInput.
    """
    _check(state, len(slots), slots=(slots, np.int32), now_ts=(now_ts, np.float64))
    if out.dtype != np.float32 or out.shape != (len(slots), len(FEATURE_COLUMNS)):
        raise BadInput(
            f"out is {out.dtype} {out.shape}, needed float32 ({len(slots)}, {len(FEATURE_COLUMNS)})"
        )
    _read(state, slots, now_ts, out)


def _check(state: WindowStates, n: int, **columns: tuple[NDArray[Any], type]) -> None:
    if state.dtype != WINDOW_STATE:
        raise BadInput("state is not an array of WINDOW_STATE")
    for name, (array, dtype) in columns.items():
        if array.dtype != dtype or array.shape != (n,):
            raise BadInput(f"{name} is {array.dtype} {array.shape}, needed {np.dtype(dtype)} ({n},)")


@njit(cache=True)
def _to_ms(ts):  # type: ignore[no-untyped-def]
    return np.int64(math.floor(ts * 1000.0 + 0.5))


@njit(cache=True)
def _classify(state, slot, ts, out_kind, grace_ms):  # type: ignore[no-untyped-def]
    for i in range(len(slot)):
        s = state[slot[i]]
        ms = _to_ms(ts[i])
        if s.fixes == 0 or ms > s.last_ms:
            if ms - s.last_ms > grace_ms:
                # All remembered times are behind the watermark now. Forgetting them here also keeps
                # the ring's span far below 2**32 ms, so that times modulo 2**32 stay unique in it.
                s.times_count = 0
            s.last_ms = ms
            # So too in small steps: what is remembered then depends on the times alone, not on their order.
            while s.times_count > 0 and _oldest_age_ms(s) > grace_ms:
                s.times_first = (s.times_first + 1) % 64
                s.times_count -= 1
            s.fixes += 1
            _remember_last(s, ms)
            out_kind[i] = 0
        elif ms < s.last_ms - grace_ms or ms <= s.forgotten_ms:
            s.late += 1
            out_kind[i] = 3
        elif _remember_earlier(s, ms):
            s.fixes += 1
            s.out_of_order += 1
            out_kind[i] = 1
        else:
            s.duplicates += 1
            out_kind[i] = 2


@njit(cache=True)
def _remember_last(s, ms):  # type: ignore[no-untyped-def]
    """Append the latest time; a full ring forgets its oldest."""
    if s.times_count == 64:
        _forget_oldest(s)
    s.times_ms[(s.times_first + s.times_count) % 64] = np.uint32(ms & 0xFFFFFFFF)
    s.times_count += 1


@njit(cache=True)
def _oldest_age_ms(s):  # type: ignore[no-untyped-def]
    return (s.last_ms - np.int64(s.times_ms[s.times_first])) & 0xFFFFFFFF


@njit(cache=True)
def _forget_oldest(s):  # type: ignore[no-untyped-def]
    s.forgotten_ms = s.last_ms - _oldest_age_ms(s)
    s.times_first = (s.times_first + 1) % 64
    s.times_count -= 1


@njit(cache=True)
def _remember_earlier(s, ms):  # type: ignore[no-untyped-def]
    """Insert a time before the latest one; False if it is there already."""
    age_ms = s.last_ms - ms
    at = np.int64(s.times_count)
    while at > 0:
        other_ms = np.int64(s.times_ms[(s.times_first + at - 1) % 64])
        other_age_ms = (s.last_ms - other_ms) & 0xFFFFFFFF
        if other_age_ms == age_ms:
            return False
        if other_age_ms > age_ms:
            break
        at -= 1
    if s.times_count == 64:
        if at == 0:
            # Older than all 64: accepted once, and from now on it is the limit of what can be told.
            s.forgotten_ms = ms
            return True
        _forget_oldest(s)
        at -= 1
    for k in range(np.int64(s.times_count), at, -1):
        s.times_ms[(s.times_first + k) % 64] = s.times_ms[(s.times_first + k - 1) % 64]
    s.times_ms[(s.times_first + at) % 64] = np.uint32(ms & 0xFFFFFFFF)
    s.times_count += 1
    return True


@njit(cache=True)
def _fold(state, slot, kind, ts, lat, lon, accuracy_m, off_network):  # type: ignore[no-untyped-def]
    for i in range(len(slot)):
        if kind[i] > 1:
            continue
        s = state[slot[i]]
        ms = _to_ms(ts[i])
        pane = ms // 20_000
        if pane > s.newest_pane:
            _open_panes(s, pane)
        elif pane <= s.newest_pane - 48:
            continue
        p = pane % 48
        in_pane_ms = ms - pane * 20_000
        if s.count[p] == 0 or in_pane_ms > s.last_in_pane_ms[p]:
            s.last_in_pane_ms[p] = in_pane_ms
            s.lat_e7[p] = np.int32(math.floor(lat[i] * 1e7 + 0.5))
            s.lon_e7[p] = np.int32(math.floor(lon[i] * 1e7 + 0.5))
        s.count[p] = min(255, s.count[p] + 1)
        if not math.isnan(accuracy_m[i]):
            half_m = np.int64(math.floor(min(max(accuracy_m[i], 0.0), 127.5) * 2.0 + 0.5))
            # 255 fixes of 255 half metres each just fit.
            s.accuracy_sum_hm[p] = min(65_535, np.int64(s.accuracy_sum_hm[p]) + half_m)
            s.accuracy_count[p] = min(255, s.accuracy_count[p] + 1)
        if off_network[i]:
            s.off_network_count[p] = min(255, s.off_network_count[p] + 1)


@njit(cache=True)
def _open_panes(s, pane):  # type: ignore[no-untyped-def]
    """Empty the panes between the newest one and `pane`, all of them after a long gap."""
    for k in range(min(48, pane - s.newest_pane)):
        p = (pane - k) % 48
        s.lat_e7[p] = 0
        s.lon_e7[p] = 0
        s.last_in_pane_ms[p] = 0
        s.accuracy_sum_hm[p] = 0
        s.count[p] = 0
        s.accuracy_count[p] = 0
        s.off_network_count[p] = 0
    s.newest_pane = pane


@njit(cache=True)
def _read(state, slots, now_ts, out):  # type: ignore[no-untyped-def]
    metres_per_e7 = 6_371_008.8 * math.pi / 180.0 * 1e-7
    panes_of = (3, 15, 45)
    for i in range(len(slots)):
        s = state[slots[i]]
        now_ms = max(_to_ms(now_ts[i]), s.last_ms)
        now_pane = now_ms // 20_000
        chord_m = np.zeros(3)
        chord_ms = np.zeros(3, np.int64)
        still_ms = np.zeros(3, np.int64)
        halts = 0
        was_still = False
        before = -1
        fixes = accuracy_hm = accuracy_fixes = off = 0
        cos_lat = math.cos(math.radians(s.lat_e7[s.newest_pane % 48] * 1e-7))
        for pane in range(max(now_pane - 45, s.newest_pane - 47), min(now_pane, s.newest_pane) + 1):
            p = pane % 48
            if s.count[p] == 0:
                continue
            if pane > now_pane - 15:
                fixes += s.count[p]
                accuracy_hm += s.accuracy_sum_hm[p]
                accuracy_fixes += s.accuracy_count[p]
                off += s.off_network_count[p]
            if before >= 0:
                b = before % 48
                north = (np.int64(s.lat_e7[p]) - s.lat_e7[b]) * metres_per_e7
                east = (np.int64(s.lon_e7[p]) - s.lon_e7[b]) * metres_per_e7 * cos_lat
                step_m = math.sqrt(north * north + east * east)
                step_ms = (pane - before) * 20_000 + s.last_in_pane_ms[p] - np.int64(s.last_in_pane_ms[b])
                still = step_m < 4.0
                if still and not was_still:
                    halts += 1
                was_still = still
                for w in range(3):
                    if before >= now_pane - panes_of[w]:
                        chord_m[w] += step_m
                        chord_ms[w] += step_ms
                        if still:
                            still_ms[w] += step_ms
            before = pane
        for w in range(3):
            out[i, w] = chord_m[w] / (chord_ms[w] * 1e-3) if chord_ms[w] > 0 else math.nan
            out[i, 3 + w] = chord_m[w]
        out[i, 6] = halts
        out[i, 7] = still_ms[1] / chord_ms[1] if chord_ms[1] > 0 else math.nan
        out[i, 8] = still_ms[2] / chord_ms[2] if chord_ms[2] > 0 else math.nan
        out[i, 9] = accuracy_hm * 0.5 / accuracy_fixes if accuracy_fixes > 0 else math.nan
        out[i, 10] = fixes * 60_000.0 / (now_ms - (now_pane - 14) * 20_000 + 1)
        out[i, 11] = off / fixes if fixes > 0 else math.nan
