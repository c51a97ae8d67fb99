"""Peer: Quix Streams with its tumbling window, every update emitted to nobody.

Install it where it may bring its own confluent-kafka: see docs/benchmarks.md.
"""

# mypy: disable-error-code="import-not-found"
# it lives in a virtual environment of its own, where the type checker does not look

from __future__ import annotations

import os
import tempfile
from typing import Any

import quixstreams
from quixstreams.dataframe.windows import Count, Mean

from bench.peers.meter import WINDOW_S, Job, Meter

JOB = Job.read()
METER = Meter(JOB.warm, JOB.fixes)
LATEST: dict[tuple[Any, int], tuple[int, float]] = {}


def event_time_ms(value: Any, headers: Any, timestamp: float, timestamp_type: Any) -> int:
    return int(value["ts"] * 1000)


def main() -> None:
    app = quixstreams.Application(
        broker_address=JOB.bootstrap,
        consumer_group=f"peer-quix-{os.getpid()}",
        auto_offset_reset="earliest",
        state_dir=tempfile.mkdtemp(prefix="peer-quix-"),
        loglevel="ERROR",
    )
    fixes = app.topic(JOB.topic, value_deserializer="json", timestamp_extractor=event_time_ms)

    def observe(window: dict[str, Any], key: Any, timestamp: int, headers: Any) -> None:
        LATEST[(key, window["start"])] = (window["count"], window["mean"])
        if METER.add(1):
            METER.report(LATEST.values(), version=f"quixstreams {quixstreams.__version__}")
            os._exit(0)  # the measurement is over: closing the state stores is not part of it

    (
        app.dataframe(fixes)
        .tumbling_window(duration_ms=WINDOW_S * 1000, grace_ms=10_000)
        .agg(count=Count(), mean=Mean("speed_mps"))
        .current()
        .update(observe, metadata=True)
    )
    app.run()


main()
