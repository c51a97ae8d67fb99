"""Records keep their bytes, and read back only what keeps their rules."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadRecord
from models import records
from models.records import (
    MAX_LETTER_BYTES,
    MAX_VALUE_BYTES,
    REASONS,
    BadFix,
    CellObservation,
    DeadLetter,
    EdgeCondition,
    Fix,
    Rating,
    RouteRequest,
    RouteUpdate,
    TrafficReport,
    WeatherReport,
    decode,
    decode_fixes,
    encode,
    number_bounds,
)

GOLDEN = Path(__file__).parent / "golden"
DOCS = Path(__file__).parents[2] / "docs" / "records.md"

STREET = {"type": "LineString", "coordinates": [[24.9414, 60.1718], [24.9458, 60.1712]]}
# Each class with all its fields, then with the fewest.
EXAMPLES: dict[str, list[Any]] = {
    "fix": [
        Fix(
            device="d-000516",
            ts=1700025506.903,
            lat=60.134364,
            lon=24.847434,
            accuracy_m=9.9,
            speed_mps=0.9,
            bearing_deg=271.5,
            altitude_m=-3.25,
            battery=81.0,
        ),
        Fix(device="Jürgen", ts=1700025506.0, lat=-90.0, lon=180.0),
    ],
    "route_request": [
        RouteRequest(
            device="d-000516",
            request="r-1",
            ts=1700025500.0,
            kind="to",
            lat=60.1718,
            lon=24.9414,
            dest_lat=60.1699,
            dest_lon=24.9525,
            duration_s=1800.0,
            length_m=2500.0,
            taste={"noise": 1.5, "green": -0.4},
            proposal="AAECAwAAAAUAAP__AAID",
        ),
        RouteRequest(device="d-000516", request="r-2", ts=1700027300.0, kind="stop"),
    ],
    "rating": [
        Rating(
            device="d-000516", proposal="2-1041", ts=1700025600.0, verdict="dislike", reason="too loud\nhere"
        ),
        Rating(device="d-000516", proposal="2-1041", ts=1700025600.0, verdict=5),
    ],
    "traffic_report": [
        TrafficReport(
            source="fintraffic:23001",
            ts=1700025480.0,
            kind="flow",
            geometry=STREET,
            valid_from=1700025480.0,
            valid_to=1700025780.0,
            speed_mps=4.2,
            free_flow_mps=11.1,
            severity=2.0,
            aqi=31.0,
        ),
        TrafficReport(source="city", ts=1700025480.0, kind="closure", geometry=STREET),
    ],
    "weather_report": [
        WeatherReport(
            source="open-meteo",
            ts=1700025300.0,
            lat=60.17,
            lon=24.94,
            valid_from=1700025300.0,
            valid_to=1700026200.0,
            precip_mmph=1.2,
            temp_c=-2.5,
            wind_mps=6.0,
            wind_deg=225.0,
            cloud=75.0,
            uv=0.3,
        ),
        WeatherReport(source="open-meteo", ts=1700025300.0, lat=60.17, lon=24.94),
    ],
    "edge_condition": [
        EdgeCondition(
            key="891126d3303ffff",
            ts=1700025500.0,
            version=7204,
            expires=1700026400.0,
            speed_mps=4.2,
            free_flow_mps=11.1,
            speed_ratio=0.378,
            speed_trend=-0.02,
            closed=False,
            valid_from=1700025480.0,
            valid_to=1700026400.0,
            rain_now_mmph=1.2,
            rain_1h_mmph=0.8,
            rain_3h_mmph=0.5,
            wind_mps=6.0,
            wind_deg=225.0,
            temp_c=-2.5,
            cloud=75.0,
            uv=0.3,
            aqi=31.0,
            severity=2.0,
            walkers_300s=10,
            walkers_900s=25,
            walkers_at_once=6.5,
            pace_ratio=0.82,
            walkers_at_once_1h=7.5,
            walkers_at_once_1h_error=1.2,
            walkers_at_once_1h_within=1.9,
            walkers_at_once_3h=4.1,
            walkers_at_once_3h_error=1.6,
            walkers_at_once_3h_within=2.4,
            speed_ratio_1h=0.61,
            speed_ratio_1h_error=0.08,
            speed_ratio_1h_within=0.12,
            speed_ratio_3h=0.9,
            speed_ratio_3h_error=0.11,
            speed_ratio_3h_within=0.17,
        ),
        EdgeCondition(key="22817316/1372477605/25291565", ts=1700025500.0, version=0, expires=1700026400.0),
    ],
    "cell_observation": [
        CellObservation(
            cell="891126d3303ffff",
            ts=1700025507.25,
            edges=["22817316/1372477605/25291565"],
            walkers=[97131904217031, 204853331],
            edge=[0, -1],
            end_ts=[1700025507.25, 1700025479.0],
            walked_m=[21.4, 0.0],
            seconds=[16.0, 59.5],
            expected_s=[15.9, 0.0],
        ),
        CellObservation(
            cell="891126d3303ffff",
            ts=1700025479.0,
            edges=[],
            walkers=[204853331],
            edge=[-1],
            end_ts=[1700025479.0],
            walked_m=[0.0],
            seconds=[59.5],
            expected_s=[0.0],
        ),
    ],
    "route_update": [
        RouteUpdate(
            device="d-000516",
            trip="2-1041",
            version=66625,
            ts=1700025507.25,
            reason="world_changed",
            fix_ts=1700025506.903,
            keep_m=412.34,
            geometry="_izlhA~rlgdF_{geC~ywl@_kwzCn`{nI",
            length_m=1893.06,
            duration_s=1402.44,
            eta=1700026909.69,
            score={"noise": 0.41249, "green": 0.2},
            gain=0.18251,
            message="Mannerheimintie is closed ahead",
            change={"cause": "closed", "ahead_m": 229.6, "length_m": -600.2, "duration_s": -480.0},
        ),
        RouteUpdate(device="d-000516", trip="2-1041", version=66690, ts=1700026911.0, reason="arrived"),
    ],
    "dead_letter": [
        DeadLetter(topic="gps-fixes", partition=2, offset=1041, reason="not_json", value_b64="e30="),
        DeadLetter(topic="ratings", partition=0, offset=0, reason="not_json", value_b64=""),
    ],
}
CLASSES: list[type[Any]] = [type(some[0]) for some in EXAMPLES.values()]
FIX = {"device": "d", "ts": 1.7e9, "lat": 60.0, "lon": 24.0}
LOOP = {
    "device": "d",
    "request": "r",
    "ts": 1.7e9,
    "kind": "loop",
    "lat": 60.0,
    "lon": 24.0,
    "length_m": 3000,
}
TO = {**LOOP, "kind": "to", "dest_lat": 60.1, "dest_lon": 24.1}
RATING = {"device": "d", "proposal": "p", "ts": 1.7e9, "verdict": 3}
TRAFFIC = {"source": "s", "ts": 1.7e9, "kind": "flow", "geometry": STREET}
CONDITION = {"key": "891126d3303ffff", "ts": 1.7e9, "version": 1, "expires": 1.8e9}
OBSERVATION = {
    "cell": "891126d3303ffff", "ts": 1.7e9, "edges": ["1/2/3"], "walkers": [1], "edge": [0],
    "end_ts": [1.7e9], "walked_m": [1.0], "seconds": [1.0], "expected_s": [1.0],
}  # fmt: skip
UPDATE = {"device": "d", "trip": "t", "version": 1, "ts": 1.7e9, "reason": "better"}


def refused(kind: type[Any], raw: object) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        decode(kind, raw if isinstance(raw, bytes) else orjson.dumps(raw))
    assert caught.value.reason in REASONS
    return caught.value


def outcome(kind: type[Any], value: bytes) -> tuple[Any, str, str]:
    """The record, or None with the reason and detail of its refusal."""
    try:
        return decode(kind, value), "", ""
    except BadRecord as error:
        return None, error.reason, error.detail


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_bytes_stay_as_they_were_agreed(name: str) -> None:
    lines = (GOLDEN / f"{name}.jsonl").read_bytes().splitlines()
    assert [encode(record) for record in EXAMPLES[name]] == lines


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_was_written_reads_back(name: str) -> None:
    for record in EXAMPLES[name]:
        again = decode(type(record), encode(record))
        assert encode(again) == encode(record)
        if name != "route_update":  # the only one whose numbers are rounded
            assert again == record


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_records_cannot_be_changed_nor_given_by_position(kind: type[Any]) -> None:
    assert kind.__dataclass_params__.frozen
    assert "__slots__" in kind.__dict__
    assert all(field.kw_only for field in dataclasses.fields(kind))


def test_the_first_example_has_every_field() -> None:
    for some in EXAMPLES.values():
        names = [field.name for field in dataclasses.fields(some[0])]
        assert list(orjson.loads(encode(some[0]))) == names


def test_a_typical_update_is_small() -> None:
    assert len(encode(EXAMPLES["route_update"][0])) <= 500


def test_unknown_fields_are_ignored_and_null_means_unknown() -> None:
    raw = {**FIX, "speed_mps": None, "later": {"a": [1]}}
    assert decode(Fix, orjson.dumps(raw)) == Fix(device="d", ts=1.7e9, lat=60.0, lon=24.0)


def test_whole_numbers_become_floats() -> None:
    fix = decode(Fix, b'{"device":"d","ts":1700000000,"lat":60,"lon":24}')
    assert isinstance(fix.lat, float)
    assert encode(fix) == b'{"device":"d","ts":1700000000.0,"lat":60.0,"lon":24.0}'


@pytest.mark.parametrize(
    ("kind", "raw", "reason", "word"),
    [
        (Fix, b"", "not_json", ""),
        (Fix, b"{", "not_json", ""),
        (Fix, b'{"device":"d","ts":NaN,"lat":0,"lon":0}', "not_json", ""),
        (Fix, b'{"device":"\xff"}', "not_json", ""),
        (Fix, [FIX], "not_object", "Fix"),
        (Fix, None, "not_object", "None"),
        (Fix, b" " * (MAX_VALUE_BYTES + 1), "too_large", "1048577"),
        *((Fix, {k: v for k, v in FIX.items() if k != name}, "missing_field", name) for name in FIX),
        *((Fix, {**FIX, name: None}, "missing_field", name) for name in FIX),
        *((Fix, {**FIX, name: True}, "bad_type", name) for name in FIX),
        (Fix, {**FIX, "lat": "60"}, "bad_type", "'60'"),
        (Fix, {**FIX, "lat": 90.0001}, "out_of_range", "90.0001"),
        (Fix, {**FIX, "lon": -180.5}, "out_of_range", "-180.5"),
        (Fix, {**FIX, "ts": 0}, "out_of_range", "excluded"),
        (Fix, {**FIX, "ts": 1e11}, "out_of_range", "ts"),
        (Fix, {**FIX, "accuracy_m": -1}, "out_of_range", "accuracy_m"),
        (Fix, {**FIX, "speed_mps": -0.1}, "out_of_range", "speed_mps"),
        (Fix, {**FIX, "bearing_deg": 360.5}, "out_of_range", "bearing_deg"),
        (Fix, {**FIX, "battery": False}, "bad_type", "battery"),
        (Fix, {**FIX, "device": ""}, "out_of_range", "0 bytes"),
        (Fix, {**FIX, "device": "ä" * 65}, "out_of_range", "130 bytes"),
        (Fix, {**FIX, "device": "a\nb"}, "out_of_range", "control"),
        (RouteRequest, {**LOOP, "kind": "fly"}, "unknown_kind", "loop, to, stop"),
        (RouteRequest, {**LOOP, "kind": 1}, "bad_type", "kind"),
        (RouteRequest, {**LOOP, "length_m": 99}, "out_of_range", "length_m"),
        (RouteRequest, {**LOOP, "length_m": 100_001}, "out_of_range", "length_m"),
        (RouteRequest, {**LOOP, "duration_s": 59}, "out_of_range", "duration_s"),
        (RouteRequest, {**LOOP, "duration_s": 86_401}, "out_of_range", "duration_s"),
        (RouteRequest, {**LOOP, "length_m": None}, "missing_field", "length_m or duration_s"),
        (RouteRequest, {**LOOP, "lat": None}, "missing_field", "lat"),
        (RouteRequest, {**TO, "dest_lon": None}, "missing_field", "dest_lon"),
        (RouteRequest, {**LOOP, "taste": [1]}, "bad_type", "taste"),
        (RouteRequest, {**LOOP, "taste": {"green": "much"}}, "bad_type", "taste.green"),
        (RouteRequest, {**LOOP, "taste": {str(i): 1 for i in range(65)}}, "out_of_range", "65"),
        (Rating, {**RATING, "verdict": "meh"}, "unknown_kind", "like, dislike"),
        (Rating, {**RATING, "verdict": 6}, "out_of_range", "verdict"),
        (Rating, {**RATING, "verdict": 2.5}, "bad_type", "verdict"),
        (Rating, {**RATING, "verdict": True}, "bad_type", "verdict"),
        (TrafficReport, {**TRAFFIC, "kind": "parade"}, "unknown_kind", "parade"),
        (TrafficReport, {**TRAFFIC, "geometry": "here"}, "bad_type", "geometry"),
        (TrafficReport, {**TRAFFIC, "geometry": {"type": "Blob"}}, "unknown_kind", "geometry.type"),
        (TrafficReport, {**TRAFFIC, "geometry": {"type": "Point"}}, "bad_type", "coordinates"),
        (TrafficReport, {**TRAFFIC, "geometry": {**STREET, "coordinates": []}}, "out_of_range", "short"),
        (
            TrafficReport,
            {**TRAFFIC, "geometry": {"type": "Point", "coordinates": [1]}},
            "out_of_range",
            "short",
        ),
        (
            TrafficReport,
            {**TRAFFIC, "geometry": {"type": "Point", "coordinates": [60, 160]}},
            "out_of_range",
            "160",
        ),
        (TrafficReport, {**TRAFFIC, "valid_from": 1.7e9, "valid_to": 1.6e9}, "out_of_range", "valid_to"),
        (EdgeCondition, {**CONDITION, "key": "here"}, "out_of_range", "way/from/to"),
        (EdgeCondition, {**CONDITION, "key": "crowd:here"}, "out_of_range", "way/from/to"),
        (EdgeCondition, {**CONDITION, "walkers_300s": 4}, "out_of_range", "walkers_300s"),
        (CellObservation, {**OBSERVATION, "cell": "1/2/3"}, "out_of_range", "cell"),
        (CellObservation, {**OBSERVATION, "edges": ["anna"]}, "out_of_range", "edges"),
        (CellObservation, {**OBSERVATION, "edges": [1]}, "bad_type", "edges"),
        (CellObservation, {**OBSERVATION, "walkers": ["anna"]}, "bad_type", "walkers"),
        (CellObservation, {**OBSERVATION, "walkers": [2**48]}, "out_of_range", "walkers"),
        (CellObservation, {**OBSERVATION, "walkers": [1, 2]}, "out_of_range", "shorter"),
        (CellObservation, {**OBSERVATION, "edge": [1]}, "out_of_range", "edge"),
        (CellObservation, {**OBSERVATION, "edge": [0.0]}, "bad_type", "edge"),
        (CellObservation, {**OBSERVATION, "seconds": [True]}, "bad_type", "seconds"),
        (CellObservation, {**OBSERVATION, "seconds": [-1.0]}, "out_of_range", "seconds"),
        (CellObservation, {**OBSERVATION, "seconds": "16"}, "bad_type", "seconds"),
        (EdgeCondition, {**CONDITION, "version": 1.0}, "bad_type", "version"),
        (EdgeCondition, {**CONDITION, "version": -1}, "out_of_range", "version"),
        (EdgeCondition, {**CONDITION, "closed": 1}, "bad_type", "closed"),
        (RouteUpdate, {**UPDATE, "reason": "boredom"}, "unknown_kind", "boredom"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_reason(
    kind: type[Any], raw: object, reason: str, word: str
) -> None:
    error = refused(kind, raw)
    assert error.reason == reason
    assert word in error.detail
    assert "\n" not in error.detail


def test_geometries_of_every_kind_are_kept_without_heights() -> None:
    here, ring = [24.9, 60.1, 12.0], [[24.9, 60.1], [25.0, 60.1], [25.0, 60.2], [24.9, 60.1]]
    shapes = {
        "Point": here,
        "MultiPoint": [here],
        "LineString": ring,
        "MultiLineString": [ring],
        "Polygon": [ring],
        "MultiPolygon": [[ring]],
    }
    for kind, coordinates in shapes.items():
        raw = {**TRAFFIC, "geometry": {"type": kind, "coordinates": coordinates}}
        report = decode(TrafficReport, orjson.dumps(raw))
        want = orjson.loads(orjson.dumps(coordinates).replace(b",12.0", b""))
        assert report.geometry == {"type": kind, "coordinates": want}


def test_nothing_is_written_that_would_not_be_read() -> None:
    for value, reason in ((math.nan, "not_finite"), (math.inf, "not_finite"), (10**400, "not_finite")):
        with pytest.raises(BadRecord) as caught:
            encode(Fix(device="d", ts=1.7e9, lat=60.0, lon=24.0, speed_mps=value))
        assert caught.value.reason == reason
    with pytest.raises(BadRecord, match="lat"):
        encode(Fix(device="d", ts=1.7e9, lat=91.0, lon=24.0))
    with pytest.raises(BadRecord, match="cannot be written as JSON"):
        encode(Fix(device="\ud800", ts=1.7e9, lat=60.0, lon=24.0))
    with pytest.raises(BadRecord, match="needs"):
        encode(
            RouteRequest(device="d", request="r", ts=1.7e9, kind="loop", lat=60.0, lon=24.0, length_m=None)
        )
    update = RouteUpdate(
        device="d", trip="t", version=1, ts=1.7e9, reason="better", geometry="A" * MAX_VALUE_BYTES
    )
    with pytest.raises(BadRecord, match="too_large"):
        encode(update)


def test_a_dead_letter_may_hold_what_was_too_large() -> None:
    for size, fits in ((2 * MAX_VALUE_BYTES, True), (MAX_LETTER_BYTES, False)):
        letter = DeadLetter(topic="t", partition=0, offset=0, reason="too_large", value_b64="A" * size)
        if fits:
            assert decode(DeadLetter, encode(letter)) == letter
        else:
            with pytest.raises(BadRecord, match="too_large"):
                encode(letter)


def test_numpy_scalars_are_written_as_numbers() -> None:
    fix: Any = Fix(device="d", ts=np.float64(1.5), lat=np.float32(0.5), lon=np.int64(3))  # type: ignore[arg-type]
    assert encode(fix) == b'{"device":"d","ts":1.5,"lat":0.5,"lon":3.0}'


def test_a_bad_fix_of_an_array_does_not_take_the_good_ones_with_it() -> None:
    good, bad = decode_fixes(orjson.dumps([FIX, {**FIX, "lat": 91}, 7, {**FIX, "device": "e"}]))
    assert [fix.device for fix in good] == ["d", "e"]
    assert [(one.index, one.reason) for one in bad] == [(1, "out_of_range"), (2, "not_object")]


def test_a_message_of_one_fix_or_of_none() -> None:
    assert decode_fixes(orjson.dumps(FIX)) == ([Fix(device="d", ts=1.7e9, lat=60.0, lon=24.0)], [])
    assert decode_fixes(b"[]") == ([], [])
    assert decode_fixes(b"7") == ([], [BadFix(-1, "not_object", "7 is not a Fix object")])
    assert decode_fixes(orjson.dumps({**FIX, "lat": 91}))[1][0].index == -1
    assert decode_fixes(b"x")[1][0].reason == "not_json"
    assert decode_fixes(b" " * (MAX_VALUE_BYTES + 1))[1][0].reason == "too_large"


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(CLASSES), st.binary(max_size=200))
def test_bytes_of_any_kind_give_a_record_or_a_reason(kind: type[Any], value: bytes) -> None:
    record, reason, _ = outcome(kind, value)
    assert isinstance(record, kind) or reason in REASONS


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_any_value_in_any_field_gives_a_record_or_a_reason(data: st.DataObject) -> None:
    example = data.draw(st.sampled_from([one for some in EXAMPLES.values() for one in some]))
    raw = orjson.loads(encode(example))
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(example)]))
    raw[name] = data.draw(json)
    record, reason, detail = outcome(type(example), orjson.dumps(raw))
    if record is None:
        assert reason in REASONS
        assert name in detail or "valid_to" in detail
    else:
        assert decode(type(example), encode(record)) == record


def test_the_bounds_are_the_last_doubles_that_are_accepted() -> None:
    bounds = number_bounds(Fix)
    assert list(bounds) == [field.name for field in dataclasses.fields(Fix)][1:]
    for name, (low, high) in bounds.items():
        for value, beyond in ((low, math.nextafter(low, -math.inf)), (high, math.nextafter(high, math.inf))):
            if math.isfinite(value):
                assert getattr(decode(Fix, orjson.dumps({**FIX, name: value})), name) == value
                assert refused(Fix, {**FIX, name: beyond}).reason == "out_of_range"


def test_every_field_kind_and_reason_is_documented() -> None:
    sections = DOCS.read_text("utf-8").split("\n## ")
    for kind in CLASSES:
        section = next(part for part in sections if part.startswith(f"{kind.__name__}\n"))
        section = section.split("\n`change` lets")[0]
        rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| `")]
        assert rows == [f"`{field.name}`" for field in dataclasses.fields(kind)]
    words = (*REASONS, *records.REQUEST_KINDS, *records.TRAFFIC_KINDS, *records.UPDATE_REASONS)
    whole = "\n".join(sections)
    assert [word for word in words if f"`{word}`" not in whole] == []
