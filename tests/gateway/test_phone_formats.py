"""The payloads that real apps sent (tests/gateway/payloads), and what is made of them."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import orjson
import pytest

from gateway.errors import Refused
from gateway.fixes import Checked, Fix
from gateway.phone_formats import osmand_fixes, overland_fixes, owntracks_fixes

HERE = Path(__file__).parent / "payloads"
PAYLOADS = [orjson.loads(line) for line in (HERE / "payloads.jsonl").read_bytes().splitlines()]


def read(payload: dict[str, str], now: float) -> Checked:
    text = payload["payload"]
    if payload["app"] == "owntracks":
        return owntracks_fixes(text.encode(), now)
    if payload["kind"] == "query":
        return osmand_fixes(dict(parse_qsl(urlsplit(text).query)), b"", now)
    return osmand_fixes({}, text.encode(), now)


def in_its_time(payload: dict[str, str]) -> Checked:
    """As it was read on the day it was sent: the fix itself says when that was."""
    now = time.time()
    checked = read(payload, now)
    if not checked.rejected:
        return checked
    sent = float(checked.rejected[0].error.split()[1])
    return read(payload, sent + 1.0)


def test_every_recorded_position_is_a_fix_and_nothing_else_is() -> None:
    found = [in_its_time(payload) for payload in PAYLOADS]
    assert all(not checked.rejected for checked in found)
    pairs = zip(PAYLOADS, found, strict=True)
    without = [payload["payload"] for payload, checked in pairs if not checked.good]
    assert len(without) == 1
    assert "cell=" in without[0]  # radio cells only
    assert all(len(checked.good) <= 1 for checked in found)


def fix_of(part: str) -> Fix:
    payload = next(one for one in PAYLOADS if part in one["payload"])
    return in_its_time(payload).good[0]


def test_units_are_ours() -> None:
    own = fix_of('"vel":61')
    assert (own.ts, own.lat, own.lon) == (1497349316, 48.85833, 2.29513)
    assert own.speed_mps == pytest.approx(61 / 3.6)
    assert (own.accuracy_m, own.bearing_deg, own.altitude_m, own.battery) == (5, 271, 167, 67)
    knots = fix_of("speed=40&ignition")
    assert knots.speed_mps == pytest.approx(20.58, abs=0.01)
    assert knots.bearing_deg == pytest.approx(7.19889788244)
    traccar = fix_of("0e9a2473")
    assert (traccar.speed_mps, traccar.bearing_deg, traccar.battery) == (18.67, 63, 79)
    assert traccar.ts == pytest.approx(1626854794.444)


@pytest.mark.parametrize(
    ("part", "ts"),
    [
        ("timestamp=1442068686579", 1442068686.579),
        ("2016-01-27T18%3A55%3A47Z", 1453920947.0),
        ("2014-06-04+09%3A10%3A11", 1401873011.0),
        ("location=60.0,30.0", 1377177267.0),
    ],
)
def test_times_in_all_their_forms(part: str, ts: float) -> None:
    assert fix_of(part).ts == pytest.approx(ts)


def test_what_an_app_does_not_know_is_left_out() -> None:
    traccar = fix_of("2FB04C65")
    assert (traccar.speed_mps, traccar.bearing_deg, traccar.battery) == (None, None, None)
    assert fix_of("hacc=0").accuracy_m is None


def test_an_overland_batch() -> None:
    body = (HERE / "overland_batch.json").read_bytes()
    moment = 1443711600.0  # 2015-10-01T08:00:00-0700
    fix = overland_fixes(body, moment).good[0]
    assert msgspec.to_builtins(fix) == {
        "ts": moment, "lat": 37.3318, "lon": -122.030581, "accuracy_m": 30, "speed_mps": 4,
        "altitude_m": 0, "battery": 80,
    }  # fmt: skip
    late = overland_fixes(body, moment + 90_000)
    assert [one.index for one in late.rejected] == [0]
    batch = orjson.loads(body)
    batch["locations"][:0] = [7, {"type": "Feature", "geometry": {"type": "LineString"}, "properties": {}}]
    mixed = overland_fixes(orjson.dumps(batch), moment)
    assert ([one.index for one in mixed.rejected], len(mixed.good)) == ([0, 1], 1)


@pytest.mark.parametrize(
    "kind",
    ["waypoint", "waypoints", "transition", "beacon", "lwt", "status", "card", "cmd", "encrypted", None],
)
def test_other_messages_of_owntracks_are_no_fixes(kind: str | None) -> None:
    message = {"_type": kind, "lat": 1, "lon": 2, "tst": 1_700_000_000}
    assert not owntracks_fixes(orjson.dumps(message), 1_700_000_000.0).good
    assert not owntracks_fixes(b"", 0.0).good


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"7", b'{"_type":"location","lat":"x","lon":1,"tst":1}', b"\xff"]
)
def test_garbage_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        owntracks_fixes(body, 0.0)
    with pytest.raises(Refused):
        overland_fixes(body, 0.0)


def test_a_position_that_is_none_is_refused() -> None:
    for lat in ("nan", "inf", "north", ""):
        with pytest.raises(Refused, match="lat"):
            osmand_fixes({"lat": lat, "lon": "1"}, b"", 1.0)
