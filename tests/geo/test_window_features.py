"""Every aggregate against its naive twin, and features that neither order, cuts, storing nor slots change."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from geo.window_layout import EVENT, Feature, Source, values_of, window_layout
from geo.windows import (
    DUPLICATE,
    LATE,
    classify_events,
    features_at,
    fold_events,
    read_features,
)
from models.features import WALKER_WINDOWS
from tests.geo.naive_windows import Event, NaiveEntity, rounded

START = 1_705_602_000.0  # a multiple of 1200 s
ORDER_TELLS = {"times_first", "times_ms", "late", "duplicates", "out_of_order"}

CELL_SOURCES = (
    Source("speed_mps", 0.0, 60.0, per_unit=100, optional=True),
    Source("temp_c", -40.0, 60.0, per_unit=10),
    Source("lat", -90.0, 90.0, per_unit=1e7, optional=True),
    Source("lon", -180.0, 180.0, per_unit=1e7, optional=True),
)


def cell_feature(aggregate, source, window_s, hop_s, parameter=math.nan, complete=False):
    name = f"{aggregate}_{source}_{window_s}_{hop_s}_{parameter}_{complete}"
    return Feature(
        name, "cell", "t", source, aggregate, window_s, hop_s, 120, "1", 0.0, "", parameter, complete
    )


CELLS = window_layout(
    [
        cell_feature(aggregate, source, window_s, hop_s, parameter, complete)
        for window_s, hop_s in ((60, 60), (300, 60), (900, 300))
        for complete in (False, True)
        for aggregate, source, parameter in (
            ("count", EVENT, math.nan), ("count", "speed_mps", math.nan), ("rate", EVENT, 60.0),
            ("rate", "speed_mps", 1.0), ("sum", "temp_c", math.nan), ("mean", "temp_c", math.nan),
            ("mean", "speed_mps", math.nan), ("variance", "speed_mps", math.nan), ("min", "temp_c", math.nan),
            ("max", "speed_mps", math.nan), ("last", "temp_c", math.nan), ("last", "speed_mps", math.nan),
            ("ewma", "speed_mps", 90.0), ("distinct", EVENT, math.nan), ("quantile", "speed_mps", 0.0),
            ("quantile", "speed_mps", 0.5), ("quantile", "speed_mps", 0.9), ("path", "lat, lon", math.nan),
            ("stops", "lat, lon", 50.0), ("pace", "lat, lon", math.nan), ("pace_ewma", "lat, lon", 100.0),
            ("stopped_share", "lat, lon", 80.0),
        )
    ],
    CELL_SOURCES,
    events_per_s=10.0,
)  # fmt: skip


def fold(layout, state, slots, events):
    """Classify and fold a block; the kinds."""
    slot, kind = np.array(slots, np.int32), np.empty(len(events), np.uint8)
    ts = np.array([e.ts for e in events], np.float64)
    columns = {name: np.array([e.values[name] for e in events], np.float64) for name in layout.source_names}
    classify_events(layout, state, slot, ts, kind)
    keys = np.array([e.key for e in events], np.int64)
    fold_events(layout, state, slot, kind, ts, values_of(layout, **columns), keys)
    return kind.tolist()


def read(layout, state, now_ts, slots=(0,)):
    out = np.empty((len(slots), len(layout.features)), np.float32)
    read_features(layout, state, np.array(slots, np.int32), np.full(len(slots), now_ts), out)
    return out


def run(layout, blocks, stored=False):
    """One entity's blocks in turn, the state stored and loaded between them or not."""
    state, kinds = layout.empty_state(1), []
    for block in blocks:
        kinds += fold(layout, state, [0] * len(block), block)
        if stored:
            state = np.frombuffer(state.tobytes(), layout.dtype).copy()
    return state, kinds


def cell_values(draw):
    known = st.floats(0, 70, width=32)
    return {
        "speed_mps": draw(st.one_of(st.just(math.nan), st.just(3.25), known)),
        "temp_c": draw(st.integers(-50, 70)) + draw(st.sampled_from([0.0, 0.1, 0.25])),
        "lat": draw(st.sampled_from([math.nan, 60.0, 60.0005, 60.001])),
        "lon": draw(st.sampled_from([179.9995, -179.9995, -179.999])),
    }


def walker_values(draw):
    return {
        "lat": round(53.55 + draw(st.integers(-40, 60)) * 1e-5, 7),
        "lon": 9.93,
        "accuracy_m": draw(st.one_of(st.just(math.nan), st.floats(0, 200, width=32))),
        "speed_mps": draw(st.one_of(st.just(math.nan), st.floats(0, 20, width=32))),
        "off_network": float(draw(st.integers(0, 1))),
    }


@st.composite
def streams(draw, layout, gaps_ms, values):
    """Events of one entity, an order of arrival within the grace (with repetitions), and where to cut it."""
    gaps = draw(st.lists(st.sampled_from(gaps_ms), min_size=1, max_size=40))
    stamps = START + np.cumsum(gaps) / 1000.0
    events = [Event(float(ts), values(draw), draw(st.integers(-6, 6)) * 2**40) for ts in stamps]
    within_s = layout.plan.grace_ms / 1000.0 - 0.5
    delays_s = draw(st.lists(st.floats(0, within_s), min_size=len(gaps), max_size=len(gaps)))
    arrivals = [events[k] for k in sorted(range(len(gaps)), key=lambda k: events[k].ts + delays_s[k])]
    cuts = sorted(draw(st.lists(st.integers(0, len(arrivals)), max_size=4)))
    return events, arrivals, [0, *cuts, len(arrivals)]


CELL_STREAMS = streams(CELLS, [0, 0, 1, 999, 7_000, 59_999, 60_000, 301_000, 1_300_000], cell_values)
WALKER_STREAMS = streams(WALKER_WINDOWS, [1, 700, 1000, 5000, 19_999, 20_000, 61_000, 970_000], walker_values)
BOTH = st.one_of(st.tuples(st.just(CELLS), CELL_STREAMS), st.tuples(st.just(WALKER_WINDOWS), WALKER_STREAMS))


@settings(deadline=None, max_examples=150)
@given(BOTH)
def test_order_within_the_grace_cuts_and_storing_change_no_bit(case):
    layout, (events, arrivals, cuts) = case
    straight, kinds = run(layout, [events])
    mixed, mixed_kinds = run(layout, [arrivals[a:b] for a, b in pairwise(cuts)], stored=True)
    for name in set(layout.dtype.names or ()) - ORDER_TELLS:
        assert np.array_equal(straight[name], mixed[name]), name
    now_ts = events[-1].ts + 3.0
    assert read(layout, straight, now_ts).tobytes() == read(layout, mixed, now_ts).tobytes()
    assert {DUPLICATE, LATE}.isdisjoint(kinds + mixed_kinds)


@settings(deadline=None, max_examples=150)
@given(BOTH, st.sampled_from([0.0, 3.0, 130.0, 2_000.0]))
def test_the_same_as_the_naive_twin(case, later_s):
    layout, (events, arrivals, cuts) = case
    state, kinds = run(layout, [arrivals[a:b] for a, b in pairwise(cuts)])
    twin = NaiveEntity(layout)
    assert kinds == [twin.add(e) for e in arrivals]
    assert state["out_of_order"][0] == twin.out_of_order
    now_ts = events[-1].ts + later_s
    got, told = read(layout, state, now_ts)[0].tolist(), twin.features(now_ts)
    for feature, value, expected in zip(layout.features, got, told.values(), strict=True):
        tolerance = 0.101 if feature.aggregate == "quantile" else 1e-4
        assert value == pytest.approx(expected, rel=tolerance, abs=2e-2, nan_ok=True), feature


@cache
def graced(grace_s):
    features = [dataclasses.replace(feature, grace_s=grace_s) for feature in WALKER_WINDOWS.features]
    return window_layout(features, WALKER_WINDOWS.sources, events_per_s=12.75, remembered=8)


@settings(deadline=None, max_examples=100)
@given(WALKER_STREAMS, st.sampled_from([60, 15, 0]))
def test_late_and_forgotten_ones_as_the_naive_twin(stream, grace_s):
    events, arrivals, cuts = stream
    repeated = [*arrivals, *events[-12::2]]
    state, kinds = run(graced(grace_s), [repeated[a:b] for a, b in pairwise([*cuts, len(repeated)])])
    twin = NaiveEntity(graced(grace_s))
    assert kinds == [twin.add(e) for e in repeated]
    assert (state["late"][0], state["duplicates"][0]) == (twin.late, twin.duplicates)
    told = twin.features(events[-1].ts)
    got = read(graced(grace_s), state, events[-1].ts)[0].tolist()
    assert got == pytest.approx(list(told.values()), rel=1e-4, abs=2e-2, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(st.lists(CELL_STREAMS, min_size=3, max_size=3), st.randoms(use_true_random=False))
def test_two_partitions_hold_what_one_would(per_entity, random):
    """Three entities in one state, or one of them in another, whose bytes are then put beside the rest."""
    pairs = [(slot, event) for slot, (_, arrivals, _) in enumerate(per_entity) for event in arrivals]
    random.shuffle(pairs)
    pairs.sort(key=lambda pair: pair[1].ts)
    one = CELLS.empty_state(3)
    fold(CELLS, one, [slot for slot, _ in pairs], [event for _, event in pairs])
    parts = CELLS.empty_state(2), CELLS.empty_state(1)
    for state, mine in zip(parts, ({0: 0, 2: 1}, {1: 0}), strict=True):
        some = [(mine[slot], event) for slot, event in pairs if slot in mine]
        fold(CELLS, state, [slot for slot, _ in some], [event for _, event in some])
    together = CELLS.empty_state(3)
    together[[0, 2]] = np.frombuffer(parts[0].tobytes(), CELLS.dtype)
    together[[1]] = np.frombuffer(parts[1].tobytes(), CELLS.dtype)
    assert together.tobytes() == one.tobytes()
    assert (
        read(CELLS, together, START + 400, (0, 1, 2)).tobytes()
        == read(CELLS, one, START + 400, (0, 1, 2)).tobytes()
    )


@settings(deadline=None, max_examples=60)
@given(WALKER_STREAMS, st.randoms(use_true_random=False), st.integers(0, 40))
def test_offline_is_what_was_online_at_that_moment(stream, random, at):
    events = stream[0]
    at_ts = events[min(at, len(events) - 1)].ts
    state, _ = run(WALKER_WINDOWS, [[e for e in events if e.ts <= at_ts]])
    random.shuffle(events)
    columns = {n: np.array([e.values[n] for e in events]) for n in WALKER_WINDOWS.source_names}
    ts = np.array([e.ts for e in events])
    offline = features_at(
        WALKER_WINDOWS,
        np.zeros(len(ts), np.int32),
        ts,
        values_of(WALKER_WINDOWS, **columns),
        np.array([at_ts]),
    )
    assert offline.tobytes() == read(WALKER_WINDOWS, state, at_ts).tobytes()


def speeds(values, step_s=0.01, keys=None):
    keys = range(len(values)) if keys is None else keys
    return [
        Event(START + 1 + k * step_s, {"speed_mps": v, "temp_c": 0.0, "lat": math.nan, "lon": 0.0}, key)
        for k, (v, key) in enumerate(zip(values, keys, strict=True))
    ]


def value_of(layout, state, feature, now_ts=START + 59):
    return float(read(layout, state, now_ts)[0, layout.names.index(feature.name)])


@pytest.mark.parametrize("count", [0, 1, 4, 5, 7])
def test_few_distinct_keys_are_counted_exactly(count):
    events = speeds([1.0] * 300, keys=[(k % max(count, 1)) * 2**33 + 5 for k in range(300)])
    state, _ = run(CELLS, [events if count else []])
    assert value_of(CELLS, state, cell_feature("distinct", EVENT, 60, 60)) == count


def test_many_distinct_keys_are_estimated():
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(40):
        keys = rng.integers(-(2**63), 2**63 - 1, 500).tolist()
        state, _ = run(CELLS, [speeds([1.0] * 500, keys=keys)])
        ratios.append(value_of(CELLS, state, cell_feature("distinct", EVENT, 60, 60)) / 500)
    assert 0.7 < float(np.median(ratios)) < 1.4


def test_quantiles_are_within_their_error():
    rng = np.random.default_rng(2)
    speed = rng.gamma(2.0, 4.0, 600)
    state, _ = run(CELLS, [speeds(speed.tolist())])
    steps = sorted(rounded(CELL_SOURCES[0], v) for v in speed)
    for share in (0.0, 0.5, 0.9):
        true = steps[math.floor(share * 599)]
        assert value_of(CELLS, state, cell_feature("quantile", "speed_mps", 60, 60, share)) == pytest.approx(
            true, rel=0.1
        )


def test_what_overflows_is_full_in_any_order():
    """Ten times as many events as were declared: sums stop growing, the same for every order."""
    few = window_layout(
        [cell_feature("count", EVENT, 60, 60), cell_feature("sum", "speed_mps", 60, 60)],
        CELL_SOURCES[:2], events_per_s=0.05,
    )  # fmt: skip
    events = speeds([50.0] * 200 + [1.0] * 200)
    states = [run(few, [order])[0] for order in (events, events[::-1], events[1::2] + events[::2])]
    assert {state["panes"].tobytes() for state in states} == {states[0]["panes"].tobytes()}
    assert read(few, states[0], START + 59)[0].tolist() == pytest.approx([255, 655.35])


def test_events_of_one_moment_keep_the_higher_value_last():
    for order in ([1.0, 9.0, 4.0], [9.0, 4.0, 1.0]):
        state, kinds = run(CELLS, [speeds(order, step_s=0.0)])
        assert value_of(CELLS, state, cell_feature("last", "speed_mps", 60, 60)) == 9.0
        assert kinds == [0, 0, 0]


def test_an_event_in_the_block_that_pushes_its_pane_out_counts_nowhere():
    apart = [speeds([5.0])[0], speeds([7.0])[0]._replace(ts=START + 6_001)]
    state, _ = run(CELLS, [apart])
    alone, _ = run(CELLS, [apart[1:]])
    assert state["panes"].tobytes() == alone["panes"].tobytes()


BAD = [
    ({"aggregate": "mode"}, "aggregate 'mode' is none of"),
    ({"window_s": 90}, "not a multiple of its hop"),
    ({"hop_s": 0}, "not a multiple of its hop"),
    ({"source": "speed"}, "columns are speed_mps"),
    ({"source": EVENT}, "needs a source column"),
    ({"aggregate": "quantile"}, "needs a parameter"),
    ({"aggregate": "quantile", "parameter": 1.5}, "not within 0..1"),
    ({"aggregate": "ewma", "parameter": 0.0}, "half-life"),
    ({"aggregate": "distinct"}, "no source column"),
    ({"aggregate": "path", "source": "lon, lat"}, "a place is 'lat, lon'"),
    ({"aggregate": "mean", "source": "lat, lon"}, "mean of 'lat, lon'"),
    ({"grace_s": -1}, "graces"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_a_declaration_that_does_not_hold_is_named(change, message):
    good = cell_feature("mean", "speed_mps", 60, 60)
    with pytest.raises(BadInput, match=message):
        window_layout([good, dataclasses.replace(good, **change)], CELL_SOURCES, events_per_s=1.0)


def test_limits_of_layouts_are_named():
    feature = cell_feature("mean", "speed_mps", 60, 60)
    with pytest.raises(BadInput, match="with a grace of 120 s"):
        window_layout([feature], CELL_SOURCES, events_per_s=1.0, remembered=64)
    variance, fine = (
        cell_feature("variance", "speed_mps", 60, 60),
        Source("speed_mps", 0.0, 4.0, per_unit=1e9),
    )
    with pytest.raises(BadInput, match="fewer steps per unit"):
        window_layout([variance], (fine,), events_per_s=1.0)
    with pytest.raises(BadInput, match="no range"):
        window_layout([feature], (Source("speed_mps", 1.0, 1.0, per_unit=1),), events_per_s=1.0)
    quantile = cell_feature("quantile", "speed_mps", 60, 60, 0.5)
    with pytest.raises(BadInput, match="need low = 0"):
        window_layout([quantile], (Source("speed_mps", -1.0, 1.0, per_unit=1),), events_per_s=1.0)


def test_keys_must_come_where_they_are_counted():
    with pytest.raises(BadInput, match="keys are needed"):
        fold_events(
            CELLS,
            CELLS.empty_state(1),
            np.zeros(1, np.int32),
            np.zeros(1, np.uint8),
            np.zeros(1),
            np.zeros((4, 1)),
        )
    with pytest.raises(BadInput, match="columns are speed_mps"):
        values_of(CELLS, speed_mps=np.zeros(1))
