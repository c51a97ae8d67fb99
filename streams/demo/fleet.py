"""Many devices that walk recorded traces: their fixes and route requests as timed records."""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from geo.errors import BadInput
from models.records import Fix, RouteRequest, encode
from streams.kafka.topics import GPS_FIXES, ROUTE_REQUESTS
from streams.traces import Trace


class Timed(NamedTuple):
    """One message and its event time in seconds since the epoch."""

    ts: float
    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Ask:
    """What each replayed device asks for before it walks: a loop of some length, or a way to a place."""

    length_m: float | None = None
    dest_lat: float | None = None
    dest_lon: float | None = None


def parse_ask(text: str) -> Ask:
    """`loop:METRES` or `to:LAT,LON`; raises BadInput for anything else."""
    kind, _, rest = text.partition(":")
    try:
        if kind == "loop":
            return Ask(length_m=float(rest))
        if kind == "to":
            lat, lon = rest.split(",")
            return Ask(dest_lat=float(lat), dest_lon=float(lon))
    except ValueError as error:
        raise BadInput(f"the request {text!r} has no numbers where they belong: {error}") from error
    raise BadInput(f"the request is {text!r}, it must be loop:METRES or to:LAT,LON")


def begin_ts(now: float, span_s: float, speed: float) -> float:
    """Event time of the first of `span_s` seconds of fixes, replayed from the moment `now` on.

    At speed 1 or slower it is now. Faster, event time still advances as recorded and would overtake the
    clock: so it begins in the past, and the last fix is sent just when its event time is now.
    """
    return now - span_s * max(0.0, 1.0 - 1.0 / speed)


class Fleet:
    """Traces, each walked by `devices` devices, one setting out `every_s` seconds after the other.

    The default of `every_s` spreads them over the longest trace. Devices are called after their trace:
    name-001, name-002, ... With `at_ts` all traces begin at that event time instead of the recorded one.
    With `ask` a device sends a route-request first. Raises BadInput for traces without times.
    """

    def __init__(
        self,
        traces: Sequence[Trace],
        devices: int = 1,
        every_s: float | None = None,
        ask: Ask | None = None,
    ) -> None:
        if not traces:
            raise BadInput("there is no trace to replay")
        if devices < 1:
            raise BadInput(f"{devices} devices cannot walk, 1 or more can")
        for trace in traces:
            if not trace.timed:
                raise BadInput(f"trace {trace.name} has no times, so it cannot be replayed")
        longest_s = max(trace.duration_s for trace in traces)
        self.every_s = longest_s / devices if every_s is None else every_s
        if not self.every_s >= 0:
            raise BadInput(f"devices set out every {self.every_s} s, it must be 0 or more")
        self.traces = _named(traces)
        self.devices = devices
        self.ask = ask

    def __len__(self) -> int:
        """Records of one round."""
        per_device = sum(len(trace) + (self.ask is not None) for _, trace in self.traces)
        return self.devices * per_device

    def span_s(self, together: bool) -> float:
        """Event time from the first to the last fix, if the traces begin together or as recorded."""
        starts = [0.0 if together else float(trace.ts[0]) for _, trace in self.traces]
        ends = [start + one[1].duration_s for start, one in zip(starts, self.traces, strict=True)]
        return max(ends) - min(starts) + self.every_s * (self.devices - 1)

    def records(self, at_ts: float | None = None, rounds: int | None = 1) -> Iterator[Timed]:
        """The records in event-time order; `rounds` None repeats them for ever, a second apart."""
        span_s = self.span_s(at_ts is not None)
        done = 0
        while rounds is None or done < rounds:
            yield from self._round(at_ts, done * (span_s + 1.0), done + 1)
            done += 1

    def _round(self, at_ts: float | None, later_s: float, number: int) -> Iterator[Timed]:
        walkers = []
        for name, trace in self.traces:
            shift_s = later_s + (0.0 if at_ts is None else at_ts - float(trace.ts[0]))
            for index in range(self.devices):
                device = f"{name}-{index + 1:03d}"
                walkers.append(_walker(device, trace, shift_s + index * self.every_s, self.ask, number))
        # by time alone: of records of one moment the first walker's comes first, whatever its bytes
        return heapq.merge(*walkers, key=lambda record: record.ts)


def _named(traces: Sequence[Trace]) -> list[tuple[str, Trace]]:
    """Each trace with a name that is fit for a device and that no other trace has."""
    named: dict[str, Trace] = {}
    for trace in traces:
        base = re.sub(r"[^A-Za-z0-9._]+", "-", trace.name).strip("-.")[:60] or "trace"
        name, number = base, 1
        while name in named:
            number += 1
            name = f"{base}-{number}"
        named[name] = trace
    return list(named.items())


def _walker(device: str, trace: Trace, shift_s: float, ask: Ask | None, number: int) -> Iterator[Timed]:
    key = device.encode()
    if ask is not None:
        request = RouteRequest(
            device=device,
            request=f"{device}-{number}",
            ts=round(float(trace.ts[0]) + shift_s, 3),
            kind="loop" if ask.dest_lat is None else "to",
            lat=float(trace.lat[0]),
            lon=float(trace.lon[0]),
            dest_lat=ask.dest_lat,
            dest_lon=ask.dest_lon,
            length_m=ask.length_m,
        )
        yield Timed(request.ts, ROUTE_REQUESTS, key, encode(request))
    for i in range(len(trace)):
        yield fix_record(
            Fix(
                device=device,
                ts=round(float(trace.ts[i]) + shift_s, 3),
                lat=float(trace.lat[i]),
                lon=float(trace.lon[i]),
                accuracy_m=known(trace.accuracy_m[i]),
                speed_mps=known(trace.speed_mps[i]),
                bearing_deg=known(trace.bearing_deg[i]),
            )
        )


def known(value: float) -> float | None:
    """The value, or None for nan."""
    return None if math.isnan(value) else float(value)


def fix_record(fix: Fix) -> Timed:
    """A fix as a message of gps-fixes."""
    return Timed(fix.ts, GPS_FIXES, fix.device.encode(), encode(fix))
