"""Fixes as clients send them: checked by schema, one by one where a batch is not all good.

A payload's own `device` counts for nothing: the device is whoever is signed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from gateway.errors import Refused

OLDEST_S = 24 * 3600.0
NEWEST_S = 60.0

Lat = Annotated[float, Meta(ge=-90, le=90, description="degrees, WGS 84")]
Lon = Annotated[float, Meta(ge=-180, le=180, description="degrees, WGS 84")]
Epoch = Annotated[float, Meta(gt=0, lt=1e11, description="seconds since the epoch, UTC")]
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Bearing = Annotated[float, Meta(ge=0, le=360, description="degrees, clockwise from north")]
Altitude = Annotated[float, Meta(ge=-12_000, le=100_000)]
Percent = Annotated[float, Meta(ge=0, le=100)]


class Fix(msgspec.Struct, omit_defaults=True):
    """One GPS sample; fields as in docs/records.md."""

    device: Any = None  # ignored: the device is whoever is signed in
    ts: Epoch = 0.0  # required: checked with the time window
    lat: Lat | None = None
    lon: Lon | None = None
    accuracy_m: NotNegative | None = None
    speed_mps: NotNegative | None = None
    bearing_deg: Bearing | None = None
    altitude_m: Altitude | None = None
    battery: Percent | None = None


class Rejected(msgspec.Struct):
    """A fix that cannot be used, by its index in what was sent."""

    index: int
    error: str


@dataclass(slots=True)
class Checked:
    """The good fixes of a batch, and why the others are refused, by index."""

    good: list[Fix] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def reject(self, index: int, error: str) -> None:
        self.rejected.append(Rejected(index, error))


T = TypeVar("T")
_one = msgspec.json.Decoder(Fix)
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_many = msgspec.json.Decoder(list[Fix])
_raw = msgspec.json.Decoder(msgspec.Raw)


def fixes_in(body: bytes, now: float) -> Checked:
    """The fixes of a body: one object, an array, or NDJSON. Raises Refused for what is none of these."""
    text = body.strip()
    if not text:
        raise Refused("the body is empty: send a fix, an array of fixes, or one a line")
    if text[:1] == b"[":
        return batch_in(text, now)
    return _checked_each(_lines(text), _one.decode, now)


def batch_in(array: bytes | msgspec.Raw, now: float) -> Checked:
    """The fixes of a JSON array; raises Refused if it is no array."""
    try:
        return within_time(_many.decode(array), now)
    except msgspec.DecodeError:
        pass  # one of them is bad, or all is garbage: look at each
    try:
        raws = _raws.decode(array)
    except msgspec.DecodeError as error:
        raise Refused(f"the fixes are no JSON array: {error}") from error
    return _checked_each(raws, _one.decode, now)


def of_values(each: Sequence[dict[str, Any] | None], now: float) -> Checked:
    """Fixes from values that an app's message had, by field; None stands for what is no fix at all."""
    return _checked_each(each, _of_values, now)


def within_time(fixes: Sequence[Fix], now: float) -> Checked:
    """Those that were measured within the last 24 h (60 s of a fast clock are forgiven)."""
    return _checked_each(fixes, lambda fix: fix, now)


def _of_values(values: dict[str, Any] | None) -> Fix:
    if values is None:
        raise msgspec.ValidationError("there is no position in it")
    return msgspec.convert(values, Fix)


def _checked_each(each: Iterable[T], read: Callable[[T], Fix], now: float) -> Checked:
    """What `read` makes of each; it raises DecodeError for what is no fix."""
    checked = Checked()
    for index, one in enumerate(each):
        try:
            fix = read(one)
            error = _problem(fix, now)
        except msgspec.DecodeError as problem:
            error = str(problem)
        if error is None:
            checked.good.append(fix)
        else:
            checked.reject(index, error)
    return checked


def _problem(fix: Fix, now: float) -> str | None:
    if fix.lat is None or fix.lon is None or not fix.ts:
        return "ts, lat and lon must be there"
    if fix.ts < now - OLDEST_S:
        return f"ts {fix.ts:.0f} is more than 24 h ago"
    if fix.ts > now + NEWEST_S:
        return f"ts {fix.ts:.0f} is more than 60 s ahead"
    return None


def _lines(text: bytes) -> list[bytes]:
    try:
        _raw.decode(text)
        return [text]
    except msgspec.DecodeError as error:
        lines = [line for line in text.split(b"\n") if line.strip()]
        if len(lines) == 1 or not all(line.lstrip()[:1] == b"{" for line in lines):
            raise Refused(f"the body is no fix, no array of fixes and no NDJSON: {error}") from error
        return lines
