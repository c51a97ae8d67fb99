"""Windows of walkers: what is late, repeated or in order, and what their features say of a walk."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from geo.errors import BadInput
from geo.window_layout import values_of, window_layout
from geo.windows import (
    DUPLICATE,
    IN_ORDER,
    LATE,
    OUT_OF_ORDER,
    classify_events,
    fold_events,
    read_features,
)
from models.features import WALKER_WINDOWS

START = 1_705_602_000.0  # a multiple of 20 s
DEG_PER_M = 180.0 / (math.pi * 6_371_008.8)


class Event(NamedTuple):
    ts: float
    lat: float
    lon: float
    accuracy_m: float
    off_network: int
    speed_mps: float = math.nan


def run(blocks, walkers=1, layout=WALKER_WINDOWS):
    """blocks: lists of (slot, Event). Returns (state, kinds)."""
    state = layout.empty_state(walkers)
    kinds = []
    for block in blocks:
        slot = np.array([s for s, _ in block], np.int32)
        ts = np.array([e.ts for _, e in block], np.float64)
        kind = np.empty(len(block), np.uint8)
        classify_events(layout, state, slot, ts, kind)
        values = values_of(
            layout,
            lat=np.array([e.lat for _, e in block]),
            lon=np.array([e.lon for _, e in block]),
            accuracy_m=np.array([e.accuracy_m for _, e in block]),
            speed_mps=np.array([e.speed_mps for _, e in block]),
            off_network=np.array([e.off_network for _, e in block]),
        )
        fold_events(layout, state, slot, kind, ts, values)
        kinds += kind.tolist()
    return state, kinds


@cache
def graced(grace_s):
    features = [dataclasses.replace(feature, grace_s=grace_s) for feature in WALKER_WINDOWS.features]
    return window_layout(features, WALKER_WINDOWS.sources, events_per_s=12.75, remembered=64)


def read(state, now_ts, slots=(0,)):
    out = np.empty((len(slots), len(WALKER_WINDOWS.names)), np.float32)
    read_features(WALKER_WINDOWS, state, np.array(slots, np.int32), np.full(len(slots), now_ts), out)
    return out


def walk(seconds, pace_mps=1.4, every_s=1.0, start=START, accuracy_m=5.0, off=0):
    times = np.arange(0.0, seconds, every_s)
    return [
        Event(start + t, 53.55 + t * pace_mps * DEG_PER_M, 9.93, accuracy_m, off, pace_mps) for t in times
    ]


def one(events):
    return [(0, e) for e in events]


def times(*offsets_s):
    return one([Event(START + t, 53.55, 9.93, math.nan, 0) for t in offsets_s])


def named(row):
    return dict(zip(WALKER_WINDOWS.names, row.tolist(), strict=True))


def test_state_takes_no_more_than_the_docs_say():
    assert WALKER_WINDOWS.dtype.itemsize == 960  # docs/features.md


@pytest.mark.parametrize(
    ("offsets_s", "expected"),
    [
        ((0, 1, 2), (IN_ORDER, IN_ORDER, IN_ORDER)),
        ((0, 0), (IN_ORDER, DUPLICATE)),
        ((0, 0.0004), (IN_ORDER, DUPLICATE)),  # told apart to the millisecond only
        ((0, 0.001), (IN_ORDER, IN_ORDER)),
        ((100, 40), (IN_ORDER, OUT_OF_ORDER)),  # exactly at the watermark
        ((100, 39.999), (IN_ORDER, LATE)),
        ((100, 50, 60, 50, 60, 100), (0, 1, 1, 2, 2, 2)),
        ((100, 50, 160, 100, 99), (0, 1, 0, 2, 3)),
        ((0, 1000, 999, 999, 0), (0, 0, 1, 2, 3)),
        ((0, 30, 66, 120, 65.536), (0, 0, 0, 0, 1)),  # times are remembered modulo 65.536 s
    ],
)
def test_kinds(offsets_s, expected):
    assert tuple(run([times(*offsets_s)])[1]) == expected


def test_grace_is_a_parameter():
    assert run([times(100, 89.9, 90)], layout=graced(10))[1] == [IN_ORDER, LATE, OUT_OF_ORDER]


def test_what_is_no_longer_remembered_is_late_not_counted_twice():
    fast = [t / 10 for t in range(100)]  # 10 Hz: 64 remembered times are 6.4 s
    kinds = run([times(*fast, 3.5, 3.65, 3.65, 9.85)])[1][100:]
    assert kinds == [LATE, OUT_OF_ORDER, DUPLICATE, OUT_OF_ORDER]


def test_a_burst_older_than_all_remembered_is_taken_once():
    state, kinds = run([times(*[10 + t / 10 for t in range(64)], 5.0, 5.0, 4.0)])
    assert kinds[64:] == [OUT_OF_ORDER, LATE, LATE]
    assert state["accepted"][0] == 65


def test_totals():
    state, _ = run([times(0, 10, 5, 5, 10, 100, 1)])
    assert [int(state[f][0]) for f in ("accepted", "out_of_order", "duplicates", "late")] == [4, 1, 2, 1]


def test_a_steady_walk():
    row = named(read(run([one(walk(1200))])[0], START + 1199)[0])
    for window_s in (60, 300, 900):
        assert row[f"pace_mps_{window_s}s"] == pytest.approx(1.4, rel=1e-3)
        assert row[f"distance_m_{window_s}s"] == pytest.approx(1.4 * window_s, rel=1e-3)
    assert row["stops_900s"] == 0
    assert row["stopped_share_900s"] == 0.0
    assert row["accuracy_m_300s"] == 5.0
    assert row["fixes_per_min_300s"] == pytest.approx(60.0, rel=1e-2)
    assert row["off_network_share_300s"] == 0.0


def test_a_halt_is_one_stop_however_long():
    going = walk(200)
    standing = [e._replace(ts=START + 200 + k, lat=going[-1].lat) for k, e in enumerate(walk(200))]
    on = [e._replace(ts=e.ts + 400, lat=e.lat + 199 * 1.4 * DEG_PER_M) for e in walk(200)]
    row = named(read(run([one(going + standing + on)])[0], START + 599)[0])
    assert row["stops_900s"] == 1
    assert row["stopped_share_900s"] == pytest.approx(200 / 580, abs=0.04)
    assert row["pace_mps_60s"] == pytest.approx(1.4, rel=1e-3)


def test_never_seen_walker_has_nothing_to_tell():
    row = named(read(WALKER_WINDOWS.empty_state(1), START)[0])
    assert row["distance_m_900s"] == 0.0
    assert row["fixes_per_min_300s"] == 0.0
    assert math.isnan(row["pace_mps_60s"])
    assert math.isnan(row["accuracy_m_300s"])


@pytest.mark.parametrize("gap_s", [959, 961, 980, 5_000, 2**32 / 1000 + 1, 10**8])
def test_a_long_gap_leaves_nothing_behind(gap_s):
    before = walk(500, accuracy_m=50.0, off=1)
    after = walk(100, start=START + 500 + gap_s)
    got = named(read(run([one(before), one(after)])[0], after[-1].ts)[0])
    alone = named(read(run([one(after)])[0], after[-1].ts)[0])
    assert got == alone


def test_windows_run_empty_when_time_goes_on():
    state, _ = run([one(walk(600))])
    assert named(read(state, START + 599 + 320)[0])["fixes_per_min_300s"] == 0.0
    assert named(read(state, START + 599 + 2_000)[0])["distance_m_900s"] == 0.0


def test_walkers_do_not_see_each_other():
    a, b = walk(300), walk(300, pace_mps=0.9, accuracy_m=12.0)
    mixed = [pair for ab in zip(a, b, strict=True) for pair in ((2, ab[0]), (0, ab[1]))]
    state, _ = run([mixed], walkers=3)
    got = read(state, START + 299, slots=(2, 0))
    assert np.array_equal(got[0], read(run([one(a)])[0], START + 299)[0])
    assert np.array_equal(got[1], read(run([one(b)])[0], START + 299)[0])


@pytest.mark.parametrize("bad", ["dtype", "length", "state", "out"])
def test_bad_input_is_named(bad):
    state, slot, ts = WALKER_WINDOWS.empty_state(1), np.zeros(2, np.int32), np.zeros(2)
    kind = np.zeros(2, np.uint8)
    if bad == "out":
        with pytest.raises(BadInput, match="out is"):
            read_features(WALKER_WINDOWS, state, slot, ts, np.zeros((2, 3), np.float32))
        return
    if bad == "dtype":
        slot = slot.astype(np.int64)  # type: ignore[assignment]
    if bad == "length":
        kind = np.zeros(3, np.uint8)
    if bad == "state":
        state = np.zeros(1, np.int64)
    with pytest.raises(BadInput):
        classify_events(WALKER_WINDOWS, state, slot, ts, kind)
