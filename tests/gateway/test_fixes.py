"""Which fixes are taken: ranges, times, and what is said of the others."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.fixes import fixes_in

NOW = 1_800_000_000.0
GOOD = {"ts": NOW, "lat": 55.68, "lon": 12.57}


def rejected(fix: object) -> str:
    checked = fixes_in(orjson.dumps([fix, GOOD]), NOW)
    assert len(checked.good) == 1
    assert [one.index for one in checked.rejected] == [0]
    return checked.rejected[0].error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("lat", 90.1), ("lat", -90.1), ("lon", 180.1), ("lat", "55"), ("lat", None), ("lon", True)),
        *(("ts", NOW - 86_401), ("ts", NOW + 61), ("ts", 0), ("ts", -1), ("ts", "now")),
        *(("accuracy_m", -1), ("speed_mps", -0.1), ("bearing_deg", 361), ("battery", 101)),
    ],
)
def test_a_bad_value_is_told_by_index_and_the_others_kept(name: str, value: object) -> None:
    assert name in rejected({**GOOD, name: value})


def test_the_edges_of_time_and_place_are_taken() -> None:
    edges = [{**GOOD, "ts": NOW - 86_400}, {**GOOD, "ts": NOW + 60}, {**GOOD, "lat": 90, "lon": -180}]
    assert len(fixes_in(orjson.dumps(edges), NOW).good) == 3


def test_numbers_beyond_a_double_are_refused() -> None:
    body = b'[{"ts":1800000000,"lat":1e999,"lon":1},{"ts":1800000000,"lat":1,"lon":1}]'
    checked = fixes_in(body, NOW)
    assert ([one.index for one in checked.rejected], len(checked.good)) == ([0], 1)
    with pytest.raises(Refused):
        fixes_in(b'[{"ts":1800000000,"lat":NaN,"lon":1}]', NOW)


def test_one_an_array_and_one_a_line() -> None:
    one = orjson.dumps(GOOD)
    pretty = orjson.dumps(GOOD, option=orjson.OPT_INDENT_2)
    for body, count in [(one, 1), (pretty, 1), (b"[%b,%b]" % (one, one), 2), (one + b"\r\n\n" + one, 2)]:
        assert len(fixes_in(body, NOW).good) == count
    broken = fixes_in(one + b"\n{broken\n" + one, NOW)
    assert ([bad.index for bad in broken.rejected], len(broken.good)) == ([1], 2)


@pytest.mark.parametrize("body", [b"", b"  ", b"hello", b"\xff\xfe", b"[", b"{", b"[1,"])
def test_garbage_is_refused_in_one_sentence(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        fixes_in(body, NOW)
    assert "\n" not in str(refused.value)


@given(st.binary(max_size=200))
def test_nothing_that_is_sent_makes_it_fail(body: bytes) -> None:
    try:
        fixes_in(body, NOW)
    except Refused:
        pass


NAMES = st.sampled_from(["ts", "lat", "lon", "battery", "device", "x"])
SCALARS = st.none() | st.booleans() | st.floats() | st.text()
VALUES = st.recursive(SCALARS, lambda more: st.lists(more) | st.dictionaries(NAMES, more), max_leaves=20)


@given(VALUES)
def test_no_json_makes_it_fail(value: object) -> None:
    checked = fixes_in(orjson.dumps([value]), NOW)
    assert len(checked.good) + len(checked.rejected) == 1
