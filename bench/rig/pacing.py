"""Sends fixes at a steady rate, as gateways do for many phones, and remembers when each was handed over.

In a process of its own: what is measured does not wait for the interpreter that sends. What falls due within
some milliseconds goes together, and the producer lingers as a gateway's does (`gateway.producer`).
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from bench.rig.fixes import Tick, Walk, encode_tick, walk_ticks
from bench.rig.scratch import fixes_producer, flush
from geo.errors import Unavailable
from geo.graph import F64
from streams.kafka.topics import GPS_FIXES

Moment = tuple[str, int]  # device, event time in milliseconds

GATEWAY_LINGER_MS = 2.0
SLICE_S = 0.002  # between two looks at what is due
AHEAD = 256  # fixes that are put into words at a time
END_WITHIN_S = 150.0


def moment(device: str, ts_s: float) -> Moment:
    """The identity of a fix."""
    return device, round(ts_s * 1000)


@dataclass
class Pacer:
    """Sends `ticks` fixes of every walker, one a second and walker or all together `wanted_per_s`.

    The walk's own step need not be that long. Walkers from number `led_from` on have steps of a second all
    the same, as phones do, and begin at `begin_s`: they end when the others do.
    """

    bootstrap: str
    walk: Walk
    ticks: int
    wanted_per_s: float | None = None
    led_from: int | None = None
    sent_at_s: dict[Moment, float] = field(default_factory=dict)  # performance counter, just before produce
    sent_by: dict[str, int] = field(default_factory=dict)
    took_s: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def rate_per_s(self) -> float:
        """What was reached, not what was meant."""
        return len(self.sent_at_s) / max(self.took_s, 1e-9)

    def run(self) -> None:
        """Send everything, or what was due until `stop` was set; returns when the broker has it all.

        Raises Unavailable when the process that sends fails.
        """
        ours, theirs = multiprocessing.Pipe()
        order = (self.bootstrap, self.walk, self.ticks, self.wanted_per_s, self.led_from)
        start = multiprocessing.get_context("spawn").Process
        sender = start(target=_send, args=(theirs, *order), daemon=True)
        sender.start()
        theirs.close()
        try:
            while not ours.poll(0.1):
                if self.stop.is_set():
                    ours.send(True)
                    if not ours.poll(END_WITHIN_S):
                        raise EOFError
                    break
            self.took_s, sent_s = ours.recv()
        except (EOFError, OSError) as error:
            raise Unavailable("the process that sends fixes has ended: see what it printed above") from error
        finally:
            sender.join(END_WITHIN_S)
            sender.kill()
        self.remember(sent_s)

    def remember(self, sent_s: F64) -> None:
        """sent_s: when each fix was sent, in the order of sending."""
        devices = self.walk.devices()
        for k, at_s in enumerate(sent_s.tolist()):
            tick, walker = divmod(k, len(devices))
            ts_s = self.walk.start_s + tick * self.walk.step_s
            if self.led_from is not None and walker >= self.led_from:
                ts_s = begin_s(self.walk, self.ticks) + tick
            self.sent_at_s[moment(devices[walker], ts_s)] = at_s
            self.sent_by[devices[walker]] = self.sent_by.get(devices[walker], 0) + 1


def begin_s(walk: Walk, ticks: int) -> float:
    """When walkers whose steps are a second long begin, to end when the others do."""
    return walk.start_s + (walk.step_s - 1.0) * (ticks - 1)


def fixes_of(walk: Walk, ticks: int, led_from: int | None) -> Iterator[tuple[str, bytes]]:
    """Every fix as (device, value), put into words only shortly before it is sent."""
    devices = walk.devices()
    if led_from is None or led_from >= len(devices):
        groups = [(walk_ticks(walk, ticks), 0, len(devices))]
    else:
        led = replace(walk, start_s=begin_s(walk, ticks), step_s=1.0)
        groups = [
            (walk_ticks(walk, ticks), 0, led_from),
            (walk_ticks(led, ticks), led_from, len(devices)),
        ]
    for _ in range(ticks):
        for moments, begin, end in groups:
            tick = next(moments)
            for first in range(begin, end, AHEAD):
                some = slice(first, min(first + AHEAD, end))
                yield from zip(devices[some], encode_tick(devices[some], _part(tick, some)), strict=True)


def _part(tick: Tick, some: slice) -> Tick:
    return Tick(tick.ts_s, tick.lat[some], tick.lon[some], tick.speed_mps[some], tick.accuracy_m[some])


def _send(
    pipe: multiprocessing.connection.Connection,
    bootstrap: str,
    walk: Walk,
    ticks: int,
    wanted_per_s: float | None,
    led_from: int | None,
) -> None:
    """The process that sends: what is due in every slice, until it is told to end."""
    producer = fixes_producer(bootstrap, linger_ms=GATEWAY_LINGER_MS)
    rate_per_s = wanted_per_s or walk.tracks.count
    total = ticks * walk.tracks.count
    fixes = fixes_of(walk, ticks, led_from)
    sent_s: list[float] = []
    started_s = time.perf_counter()
    while len(sent_s) < total and not pipe.poll():
        due = min(total, int((time.perf_counter() - started_s) * rate_per_s) + 1)
        for _ in range(due - len(sent_s)):
            device, value = next(fixes)
            sent_s.append(time.perf_counter())
            producer.produce(GPS_FIXES, value, device)
        producer.poll(0)
        time.sleep(SLICE_S)
    took_s = time.perf_counter() - started_s
    flush(producer)
    pipe.send((took_s, np.array(sent_s)))
