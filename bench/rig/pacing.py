"""Sends fixes at a steady rate, as many phones do, and remembers when each was handed to the producer."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from bench.rig.fixes import Walk, encode_tick, walk_ticks
from bench.rig.scratch import fixes_producer, flush
from streams.kafka.topics import GPS_FIXES

Moment = tuple[str, int]  # device, event time in milliseconds


def moment(device: str, ts_s: float) -> Moment:
    """The identity of a fix."""
    return device, round(ts_s * 1000)


@dataclass
class Pacer:
    """Sends `ticks` fixes of every walker, one a second and walker or all together `wanted_per_s`.

    The walk's own step need not be that long.
    """

    bootstrap: str
    walk: Walk
    ticks: int
    wanted_per_s: float | None = None
    sent_at_s: dict[Moment, float] = field(default_factory=dict)  # performance counter, just before produce
    sent_by: dict[str, int] = field(default_factory=dict)
    took_s: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def rate_per_s(self) -> float:
        """What was reached, not what was meant."""
        return len(self.sent_at_s) / max(self.took_s, 1e-9)

    def run(self) -> None:
        """Send everything, or what was due until `stop` was set; returns when the broker has it all."""
        devices = self.walk.devices()
        producer = fixes_producer(self.bootstrap, linger_ms=0.0)
        gap_s = 1.0 / (self.wanted_per_s or len(devices))
        started_s = due_s = time.perf_counter()
        for tick in walk_ticks(self.walk, self.ticks):
            values = encode_tick(devices, tick)
            for device, value in zip(devices, values, strict=True):
                if self.stop.is_set():
                    break
                self._wait_until(due_s)
                due_s += gap_s
                self.sent_at_s[moment(device, tick.ts_s)] = time.perf_counter()
                producer.produce(GPS_FIXES, value, device)
                producer.poll(0)
                self.sent_by[device] = self.sent_by.get(device, 0) + 1
            if self.stop.is_set():
                break
        self.took_s = time.perf_counter() - started_s
        flush(producer)

    @staticmethod
    def _wait_until(due_s: float) -> None:
        left_s = due_s - time.perf_counter()
        if left_s > 0.0:
            time.sleep(left_s)
