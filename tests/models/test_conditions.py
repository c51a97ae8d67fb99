"""The conditions of a drawn town: reports in by their own times, changes out, state saved and put back."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cities import one_city
from geo.errors import BadRecord
from models.records import EdgeCondition, TrafficReport, WeatherReport, decode, encode
from models.world.condition_windows import FOREVER
from models.world.conditions import GRACE_S, VERSIONS_PER_OFFSET, Conditions
from tests.geo.asciimap import graph_from_ascii

GRAPH, AT = graph_from_ascii(
    """
    A----------B----------C
    |          |          |
    |          |          |
    D----------E----------F
    """
)
T0 = 1_700_000_100.0  # the start of a five-minute pane
HOUR = 3600.0


def place(name):
    return [float(GRAPH.node_lon[AT[name]]), float(GRAPH.node_lat[AT[name]])]


def street(*names):
    return {"type": "LineString", "coordinates": [place(name) for name in names]}


def key_of(a, b):
    for edge in range(GRAPH.edge_count):
        if {GRAPH.tail[edge], GRAPH.head[edge]} == {AT[a], AT[b]}:
            ends = GRAPH.node_osm[GRAPH.tail[edge]], GRAPH.node_osm[GRAPH.head[edge]]
            return f"{GRAPH.way[edge]}/{ends[0]}/{ends[1]}"
    raise AssertionError


def closure(ts=T0, source="feed#1", geometry=None, kind="closure", **fields):
    return TrafficReport(source=source, ts=ts, kind=kind, geometry=geometry or street("A", "B"), **fields)


def flow(ts, speed, source="taxi", free=10.0, **fields):
    return TrafficReport(
        source=source,
        ts=ts,
        kind="flow",
        geometry=street("A", "B"),
        speed_mps=speed,
        free_flow_mps=free,
        **fields,
    )


def weather(start, rain, ts=T0, hours=1.0, source="met", at="A", **fields):
    lon, lat = place(at)
    return WeatherReport(
        source=source,
        ts=ts,
        lat=lat,
        lon=lon,
        valid_from=start,
        valid_to=start + hours * HOUR,
        precip_mmph=rain,
        **fields,
    )


def fold(*reports, conditions=None, offset=0):
    conditions = conditions or Conditions(one_city(GRAPH))
    for i, report in enumerate(reports, start=offset):
        if isinstance(report, TrafficReport):
            conditions.fold_traffic(report, i)
        else:
            conditions.fold_weather(report, i)
    return conditions


def changed_keys(conditions, now):
    return [condition.key for condition in conditions.changed(now)]


# closures


def test_closure_closes_its_street_only():
    (condition,) = fold(closure(severity=8.0)).changed(T0)
    assert condition.key == key_of("A", "B")
    assert (condition.closed, condition.severity) == (True, 8.0)
    assert (condition.valid_from, condition.valid_to, condition.expires) == (T0, None, FOREVER)
    assert condition.version == VERSIONS_PER_OFFSET


def test_closure_begins_and_ends_by_itself():
    conditions = fold(closure(valid_from=T0 + 100.0, valid_to=T0 + 200.0))
    assert conditions.changed(T0) == []
    (begun,) = conditions.changed(T0 + 100.0)
    assert (begun.closed, begun.expires, begun.valid_to) == (True, T0 + 200.0, T0 + 200.0)
    assert conditions.changed(T0 + 199.9) == []
    (ended,) = conditions.changed(T0 + 200.0)
    assert (ended.closed, ended.expires) == (None, T0 + 200.0)
    assert ended.version == begun.version + 1
    assert conditions.changed(T0 + 1e4) == []


def test_what_is_unchanged_is_not_told_again():
    conditions = fold(closure())
    assert len(conditions.changed(T0)) == 1
    fold(closure(), conditions=conditions, offset=5)
    assert conditions.changed(T0 + 1.0) == []


def test_street_stays_closed_until_the_last_closure_ends():
    conditions = fold(closure(valid_to=T0 + 100.0), closure(source="feed#2", valid_to=T0 + 200.0))
    assert [c.closed for c in conditions.changed(T0)] == [True]
    assert all(c.closed for c in conditions.changed(T0 + 100.0))
    assert [c.closed for c in conditions.changed(T0 + 200.0)] == [None]


def test_newer_version_replaces_and_older_comes_too_late():
    conditions = fold(closure(ts=T0 + 50.0, valid_from=T0, valid_to=T0 + 60.0), closure(ts=T0))
    assert [c.valid_to for c in conditions.changed(T0 + 55.0)] == [T0 + 60.0]


def test_event_that_moved_leaves_its_old_street_and_does_not_come_back():
    conditions = fold(closure())
    assert changed_keys(conditions, T0) == [key_of("A", "B")]
    fold(closure(ts=T0 + 10.0, geometry=street("E", "F")), conditions=conditions, offset=1)
    told = {c.key: c.closed for c in conditions.changed(T0 + 10.0)}
    assert told == {key_of("A", "B"): None, key_of("E", "F"): True}
    fold(closure(ts=T0 + 5.0), conditions=conditions, offset=2)
    assert conditions.changed(T0 + 11.0) == []


def test_events_without_an_id_are_told_apart_by_their_geometry():
    conditions = fold(closure(source="city"), closure(source="city", geometry=street("E", "F")))
    assert len(conditions.changed(T0)) == 2
    fold(closure(source="city", ts=T0 + 1.0, valid_to=T0 + 2.0), conditions=conditions, offset=2)
    assert changed_keys(conditions, T0 + 2.0) == [key_of("A", "B")]


def test_roadwork_does_not_close():
    (condition,) = fold(closure(kind="roadwork", severity=5.0)).changed(T0)
    assert (condition.closed, condition.severity) == (False, 5.0)


def test_old_ended_event_is_forgotten_after_a_day():
    conditions = fold(closure(valid_to=T0 + 10.0))
    conditions.changed(T0)
    conditions.changed(T0 + 10.0)
    assert conditions.keys() == [key_of("A", "B")]
    conditions.clear_dirty()
    conditions.changed(T0 + 10.0 + 86_401.0)
    assert conditions.keys() == []
    assert conditions.dirty_keys() == [key_of("A", "B")]
    assert conditions.pack(key_of("A", "B")) == b""


def test_report_off_the_map_touches_nothing():
    far = {"type": "Point", "coordinates": [0.0, 0.0]}
    conditions = fold(closure(geometry=far), flow(T0, 5.0))
    assert changed_keys(conditions, T0) == [key_of("A", "B")]
    assert conditions.keys() == [key_of("A", "B"), "forecast|" + key_of("A", "B")]


# traffic


def test_speed_ratio_and_trend():
    conditions = fold(flow(T0 - 600.0, 10.0), flow(T0 - 500.0, 8.0, source="bus"), flow(T0, 4.0))
    (condition,) = conditions.changed(T0 + 10.0)
    assert (condition.speed_mps, condition.free_flow_mps, condition.speed_ratio) == (4.0, 10.0, 0.4)
    assert condition.speed_trend == pytest.approx(0.4 - 0.9)


def test_newest_report_of_a_source_counts_once():
    conditions = fold(flow(T0, 4.0), flow(T0 + 100.0, 6.0), flow(T0 + 50.0, 1.0), flow(T0 + 60.0, 8.0, "bus"))
    (condition,) = conditions.changed(T0 + 120.0)
    assert condition.speed_mps == 7.0


def test_speed_fades_out_when_nobody_reports():
    conditions = fold(flow(T0, 4.0))
    (condition,) = conditions.changed(T0)
    assert condition.expires == T0 + 600.0 + GRACE_S
    (gone,) = conditions.changed(T0 + 600.0)
    assert gone.speed_mps is None


def test_speed_holds_as_long_as_its_report_says():
    conditions = fold(flow(T0, 4.0, valid_to=T0 + 1800.0))
    conditions.changed(T0)
    assert conditions.changed(T0 + 1799.0) == []
    assert [c.speed_mps for c in conditions.changed(T0 + 1800.0)] == [None]


def test_speed_without_free_flow_has_no_ratio():
    (condition,) = fold(flow(T0, 4.0, free=None)).changed(T0)
    assert (condition.speed_mps, condition.speed_ratio) == (4.0, None)


# air


def test_air_takes_the_nearest_source_and_expires():
    def air(source, at, aqi):
        return TrafficReport(
            source=source, ts=T0, kind="air", aqi=aqi, geometry={"type": "Point", "coordinates": place(at)}
        )

    conditions = fold(air("far", "F", 90.0), air("near", "A", 30.0))
    told = conditions.changed(T0)
    assert {c.key for c in told} == {f"{int(h3):015x}" for h3 in GRAPH.cell_h3}
    assert all(c.aqi in (30.0, 90.0) for c in told)
    assert all(c.expires == T0 + 2 * HOUR + GRACE_S for c in told)
    gone = conditions.changed(T0 + 2 * HOUR)
    assert {c.key for c in gone} == {c.key for c in told}
    assert all(c.aqi is None for c in gone)
    assert conditions.keys() == []


# weather


def test_rain_now_and_ahead():
    conditions = fold(weather(T0, 0.0), weather(T0 + HOUR, 2.0), weather(T0 + 2 * HOUR, 6.0))
    told = conditions.changed(T0)
    assert len(told) == len(GRAPH.cell_h3)
    assert {(c.rain_now_mmph, c.rain_1h_mmph, c.rain_3h_mmph) for c in told} == {(0.0, 0.0, 6.0)}
    later = conditions.changed(T0 + 1800.0)
    assert {(c.rain_now_mmph, c.rain_1h_mmph, c.rain_3h_mmph) for c in later} == {(0.0, 2.0, 6.0)}
    assert conditions.changed(T0 + 1830.0) == []
    rain = conditions.changed(T0 + HOUR)
    assert {(c.rain_now_mmph, c.rain_1h_mmph) for c in rain} == {(2.0, 2.0)}
    assert all(c.expires == T0 + 2 * HOUR + GRACE_S for c in rain)


def test_newer_forecast_replaces_and_a_nowcast_refines():
    conditions = fold(
        weather(T0, 1.0, temp_c=20.0),
        weather(T0, 3.0, ts=T0 - 100.0),
        weather(T0, 5.0, hours=0.25),
    )
    told = conditions.changed(T0)
    assert {(c.rain_now_mmph, c.temp_c) for c in told} == {(5.0, 20.0)}
    assert {(c.rain_now_mmph, c.temp_c) for c in conditions.changed(T0 + 900.0)} == {(1.0, 20.0)}


def test_unchanged_weather_is_told_again_before_it_would_expire():
    conditions = fold(weather(T0, 0.0), weather(T0 + HOUR, 0.0), weather(T0 + 2 * HOUR, 0.0))
    expires = {c.expires for c in conditions.changed(T0)}
    assert expires == {T0 + HOUR + GRACE_S}
    assert conditions.changed(T0 + HOUR - 60.0) == []
    assert {c.expires for c in conditions.changed(T0 + HOUR)} == {T0 + 2 * HOUR + GRACE_S}


def test_nearest_place_wins_and_the_next_one_fills_in():
    conditions = fold(
        weather(T0, 1.0, source="a", at="A"),
        WeatherReport(source="b", ts=T0, lat=60.05, lon=24.0, valid_from=T0, precip_mmph=9.0, temp_c=3.0),
        WeatherReport(source="c", ts=T0, lat=61.0, lon=24.0, valid_from=T0, wind_mps=9.0),
    )
    told = conditions.changed(T0)
    assert {(c.rain_now_mmph, c.temp_c, c.wind_mps) for c in told} == {(1.0, 3.0, None)}


def test_weather_that_ended_is_withdrawn():
    conditions = fold(weather(T0, 1.0))
    assert conditions.changed(T0)
    gone = conditions.changed(T0 + HOUR)
    assert {(c.rain_now_mmph, c.expires) for c in gone} == {(None, T0 + HOUR)}
    conditions.changed(T0 + 3 * HOUR)
    assert conditions.keys() == []


# state


def everything():
    return [
        closure(valid_to=T0 + 5 * HOUR, severity=10.0),
        flow(T0 - 300.0, 9.0),
        flow(T0, 4.0),
        closure(source="x", kind="incident", geometry=street("C", "F"), severity=3.0),
        TrafficReport(source="air", ts=T0, kind="air", aqi=55.0, geometry=street("A", "F")),
        weather(T0, 1.0),
        weather(T0 + HOUR, 2.0),
        weather(T0, 0.5, source="other", at="F", wind_mps=3.0),
    ]


def saved(conditions):
    keys = conditions.keys()
    return {key: conditions.pack(key) for key in keys}


def restored(state):
    conditions = Conditions(one_city(GRAPH))
    for key, value in state.items():
        conditions.load(key, value)
    return conditions


def test_same_reports_same_bytes():
    assert saved(fold(*everything())) == saved(fold(*everything()))


def test_restored_state_goes_on_as_if_nothing_had_happened():
    whole, first = fold(*everything()[:5]), fold(*everything()[:5])
    assert whole.changed(T0) == first.changed(T0)
    again = restored(saved(first))
    assert saved(again) == saved(whole)
    assert again.changed(T0) == []
    for now, one in pairwise([T0 + 1.0, T0 + HOUR, T0 + 2 * HOUR, T0 + 6 * HOUR]):
        for conditions in (whole, again):
            fold(*everything()[5:], conditions=conditions, offset=5)
        assert whole.changed(now) == again.changed(now), one
    assert saved(again) == saved(whole)


def test_replay_repeats_its_versions():
    """A crash after sending, before saving: the inputs come again, and so do the same messages."""
    before = fold(*everything()[:4])
    before.changed(T0)
    state = saved(before)
    first = fold(*everything()[4:], conditions=restored(state), offset=4).changed(T0 + 60.0)
    second = fold(*everything()[4:], conditions=restored(state), offset=4).changed(T0 + 60.0)
    assert first == second
    assert first


def test_only_what_changed_is_dirty():
    conditions = fold(closure())
    conditions.changed(T0)
    assert conditions.dirty_keys() == [key_of("A", "B")]
    conditions.clear_dirty()
    assert conditions.changed(T0 + 1.0) == []
    assert conditions.dirty_keys() == []
    fold(closure(source="x", geometry=street("C", "F")), conditions=conditions, offset=3)
    assert conditions.dirty_keys() == [key_of("C", "F")]


@pytest.mark.parametrize("state", [b"x", b"{}", b"[1]", b"[[],[1,2,3,4,5,6]]", b"[[1],null]"])
@pytest.mark.parametrize("key", ["1/2/3", "891126d3b6fffff", "weather|met|60.0,24.0", "forecast|1/2/3"])
def test_damaged_state_is_refused(key, state):
    with pytest.raises(BadRecord, match="saved"):
        Conditions(one_city(GRAPH)).load(key, state)


REPORTS = st.one_of(
    st.builds(
        closure,
        ts=st.integers(0, 3000).map(lambda s: T0 + s),
        source=st.sampled_from(["f#1", "f#2", "f"]),
        geometry=st.sampled_from([street("A", "B"), street("A", "B", "E"), street("D", "E", "F")]),
        kind=st.sampled_from(["closure", "roadwork"]),
        valid_to=st.none() | st.integers(3000, 9000).map(lambda s: T0 + s),
        severity=st.none() | st.floats(0, 10),
    ),
    st.builds(
        flow,
        st.integers(0, 3000).map(lambda s: T0 + s),
        st.floats(0, 20),
        source=st.sampled_from(["taxi", "bus"]),
        free=st.none() | st.floats(1, 20),
    ),
    st.builds(
        weather,
        st.integers(0, 4).map(lambda h: T0 + h * HOUR),
        st.floats(0, 20),
        ts=st.integers(0, 3000).map(lambda s: T0 + s),
        at=st.sampled_from(["A", "F"]),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(REPORTS, max_size=12, unique_by=lambda r: (type(r), r.source, r.ts)), st.randoms())
def test_order_and_repetition_do_not_matter(reports, random):
    """Reports of different times in any order, some twice, come to the same features."""
    shuffled = reports + random.sample(reports, len(reports) // 2)
    random.shuffle(shuffled)
    now = T0 + 3500.0

    def features(conditions):
        return [
            {k: v for k, v in decode_again(c).items() if k not in ("version", "ts")}
            for c in conditions.changed(now)
        ]

    assert features(fold(*reports)) == features(fold(*shuffled))


def decode_again(condition):
    """The fields of a condition that went over the wire: it must be one that readers accept."""
    again = decode(EdgeCondition, encode(condition))
    assert again == condition
    return {name: getattr(again, name) for name in again.__slots__}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(REPORTS, st.integers(0, 1200)), max_size=15))
def test_versions_rise_and_nothing_is_told_twice(steps):
    conditions = Conditions(one_city(GRAPH))
    last = {}
    now = T0
    for offset, (report, wait) in enumerate(steps):
        now += wait
        fold(report, conditions=conditions, offset=offset)
        for condition in conditions.changed(now):
            known = last.get(condition.key)
            if known is not None:
                assert condition.version > known.version
                assert decode_again(condition) | {"ts": 0, "version": 0} != decode_again(known) | {
                    "ts": 0,
                    "version": 0,
                }
            last[condition.key] = condition
        assert conditions.changed(now) == []


def test_versions_rise_from_a_forecast_that_ended_to_the_next_one():
    reports = [weather(T0, 1.0), weather(T0 + 3 * HOUR, 2.0, at="B")]
    conditions = fold(*reports, offset=7)
    versions = {}
    for now in (T0 + 60.0, T0 + 2 * HOUR, T0 + 3.5 * HOUR, T0 + 6 * HOUR):
        for condition in conditions.changed(now):
            versions.setdefault(condition.key, []).append(condition.version)
    assert max(map(len, versions.values())) >= 3
    for of_one_key in versions.values():
        assert all(before < after for before, after in pairwise(of_one_key)), versions


# forecasts


def day_of_traffic(restart_after=()):
    """Flow reports every five minutes for two days; what was told of the street, by moment."""
    conditions, told = Conditions(one_city(GRAPH)), []
    for k in range(2 * 288):
        ts = T0 + 300.0 * k
        speed = 10.0 if k % 288 < 144 else 4.0  # a jam in the second half of each day
        fold(flow(ts + 1.0, speed), conditions=conditions, offset=k)
        told += conditions.changed(ts + 2.0)
        if k in restart_after:
            before, conditions = conditions, Conditions(one_city(GRAPH))
            for key in list(before.keys()):
                conditions.load(key, before.pack(key))
    return told


def test_speed_forecasts_come_with_their_error_and_know_the_jam_of_yesterday():
    told = day_of_traffic()
    assert told[0].speed_ratio_1h is None
    before_jam = [c for c in told if T0 + (288 + 135) * 300.0 < c.ts < T0 + (288 + 143) * 300.0]
    assert before_jam
    for condition in before_jam:
        assert condition.speed_ratio == 1.0
        assert condition.speed_ratio_1h < 0.8
        assert condition.speed_ratio_1h_error > 0.0
        assert condition.speed_ratio_1h_within >= 0.0
    assert before_jam[-1].speed_ratio_3h < 0.8


def test_speed_forecasts_are_the_same_after_restarts():
    assert day_of_traffic(restart_after=(7, 100, 290, 431)) == day_of_traffic()
