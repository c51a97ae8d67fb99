"""Devices that walk traces: who sends what, and when."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from models.records import Fix, RouteRequest, decode
from streams.demo.fleet import Ask, Fleet, Timed, begin_ts, parse_ask
from streams.traces import Trace

T0 = 1_700_000_000.0


def trace(name: str = "walk", times: tuple[float, ...] = (0.0, 1.0, 5.0), accuracy: float = 4.0) -> Trace:
    ts = T0 + np.array(times)
    n = len(ts)
    lat, unknown = 55.0 + np.arange(n) * 1e-5, np.full(n, np.nan)
    return Trace(name, ts, lat, np.full(n, 12.0), np.full(n, accuracy), unknown, unknown)


def fixes(records: list[Timed]) -> list[Fix]:
    return [decode(Fix, record.value) for record in records if record.topic == "gps-fixes"]


def test_one_device_walks_a_trace_as_recorded() -> None:
    records = list(Fleet([trace()]).records())
    assert [record.ts for record in records] == [T0, T0 + 1, T0 + 5]
    assert all((record.topic, record.key) == ("gps-fixes", b"walk-001") for record in records)
    first = fixes(records)[0]
    assert first == Fix(device="walk-001", ts=T0, lat=55.0, lon=12.0, accuracy_m=4.0)


def test_unknown_accuracy_is_left_out() -> None:
    assert b"accuracy" not in next(Fleet([trace(accuracy=math.nan)]).records()).value


def test_devices_set_out_one_after_the_other() -> None:
    fleet = Fleet([trace()], devices=3, every_s=2.0)
    records = list(fleet.records(at_ts=2e9))
    assert len(records) == len(fleet) == 9
    assert fleet.span_s(together=True) == 9.0
    starts = {}
    for fix in fixes(records):
        starts.setdefault(fix.device, fix.ts)
    assert starts == {"walk-001": 2e9, "walk-002": 2e9 + 2, "walk-003": 2e9 + 4}


def test_they_are_spread_over_the_longest_trace_unless_told() -> None:
    assert Fleet([trace(), trace("b", (0.0, 50.0))], devices=10).every_s == 5.0


def test_traces_begin_together_or_as_recorded() -> None:
    early, late = trace("a"), trace("b", (3600.0, 3601.0))
    together = fixes(list(Fleet([early, late]).records(at_ts=T0)))
    assert [(fix.device, fix.ts - T0) for fix in together] == [
        ("a-001", 0),
        ("b-001", 0),
        ("a-001", 1),
        ("b-001", 1),
        ("a-001", 5),
    ]
    apart = fixes(list(Fleet([early, late]).records()))
    assert [fix.ts - T0 for fix in apart] == [0, 1, 5, 3600, 3601]
    assert Fleet([early, late]).span_s(together=False) == 3601


def test_a_device_asks_before_it_walks() -> None:
    fleet = Fleet([trace()], devices=2, every_s=1.0, ask=Ask(length_m=3000))
    records = list(fleet.records())
    assert len(records) == len(fleet) == 8
    for device in (b"walk-001", b"walk-002"):
        mine = [record for record in records if record.key == device]
        assert [record.topic for record in mine] == ["route-requests"] + ["gps-fixes"] * 3
        request = decode(RouteRequest, mine[0].value)
        assert (request.kind, request.length_m, request.lat) == ("loop", 3000, 55.0)
        assert request.ts == mine[1].ts
        assert request.request == f"{device.decode()}-1"
    to = next(Fleet([trace()], ask=Ask(dest_lat=55.1, dest_lon=12.1)).records())
    assert decode(RouteRequest, to.value).kind == "to"


def test_rounds_go_on_in_event_time() -> None:
    records = list(itertools.islice(Fleet([trace()], ask=Ask(length_m=500)).records(rounds=None), 12))
    assert [record.ts - T0 for record in records] == [0, 0, 1, 5, 6, 6, 7, 11, 12, 12, 13, 17]
    requests = [decode(RouteRequest, one.value) for one in records if one.topic == "route-requests"]
    assert [request.request for request in requests] == ["walk-001-1", "walk-001-2", "walk-001-3"]


def test_devices_have_names_of_their_own() -> None:
    names = ["Randonnée du 20/07", "Randonnée du 20/07", "///", "a-2", "a", "a"]
    fleet = Fleet([trace(name) for name in names])
    assert [name for name, _ in fleet.traces] == [
        "Randonn-e-du-20-07",
        "Randonn-e-du-20-07-2",
        "trace",
        "a-2",
        "a",
        "a-3",
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.floats(0, 500), min_size=1, max_size=8).map(sorted), min_size=1, max_size=4),
    st.integers(1, 4),
    st.none() | st.floats(0, 100),
    st.booleans(),
)
def test_records_are_in_event_time_order_and_all_there(
    times: list[list[float]], devices: int, every_s: float | None, asks: bool
) -> None:
    ask = Ask(length_m=900) if asks else None
    fleet = Fleet([trace("t", tuple(one)) for one in times], devices, every_s, ask)
    for at_ts in (None, 1.8e9):
        records = list(fleet.records(at_ts))
        assert len(records) == len(fleet)
        assert all(one.ts <= two.ts for one, two in itertools.pairwise(records))
        assert records[-1].ts - records[0].ts == pytest.approx(fleet.span_s(at_ts is not None), abs=0.01)
        assert len({record.key for record in records}) == devices * len(times)


@settings(deadline=None)
@given(st.floats(0.01, 1e4), st.floats(0, 1e6))
def test_event_time_never_lies_in_the_future(speed: float, span_s: float) -> None:
    now = 1.8e9
    begin = begin_ts(now, span_s, speed)
    for share in (0.0, 0.3, 1.0):
        clock = now + share * span_s / speed
        assert begin + share * span_s <= clock + 1e-3
    assert speed > 1 or begin == now


def test_at_greatest_speed_the_last_fix_is_now() -> None:
    assert begin_ts(1000.0, 60.0, math.inf) == 940.0


@pytest.mark.parametrize(
    ("text", "ask"),
    [("loop:3000", Ask(length_m=3000)), ("to:55.5,-12.25", Ask(dest_lat=55.5, dest_lon=-12.25))],
)
def test_what_to_ask_for_is_read(text: str, ask: Ask) -> None:
    assert parse_ask(text) == ask


@pytest.mark.parametrize("text", ["", "loop", "loop:far", "to:55", "to:55,12,3", "stop:1"])
def test_what_cannot_be_asked_for_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="request"):
        parse_ask(text)


def test_what_cannot_be_replayed_is_refused() -> None:
    drawn = trace("line", (math.nan, math.nan))
    for traces, devices, every_s, says in [
        ([], 1, None, "no trace"),
        ([trace()], 0, None, "0 devices"),
        ([trace()], 2, -1.0, "every -1"),
        ([trace()], 2, math.nan, "every nan"),
        ([drawn], 1, None, "line has no times"),
    ]:
        with pytest.raises(BadInput, match=says):
            Fleet(traces, devices, every_s)
