"""Peer: Bytewax with its event-time tumbling window, in one worker, fixes added as they come.

Install it where it may bring its own confluent-kafka: see docs/benchmarks.md.
"""

# mypy: disable-error-code="import-not-found"
# it lives in a virtual environment of its own, where the type checker does not look

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing
from bytewax.testing import TestingSink, run_main
from confluent_kafka import OFFSET_BEGINNING

from bench.peers.meter import WINDOW_S, Job, Meter

JOB = Job.read()
METER = Meter(JOB.warm, JOB.fixes)
OPEN: dict[tuple[float, str], list[float]] = {}

Fix = dict[str, Any]


def keyed(message: Any) -> tuple[str, Fix]:
    fix: Fix = orjson.loads(message.value)
    return fix["device"], fix


def event_time(fix: Fix) -> datetime:
    return datetime.fromtimestamp(fix["ts"], UTC)


def empty() -> list[Any]:
    return [0, 0.0]


def fold(total: list[Any], fix: Fix) -> list[Any]:
    total[0] += 1
    total[1] += fix["speed_mps"]
    if total[0] == 1:  # remembered for the digest: what is still open at the end is never emitted
        OPEN[(fix["ts"] // WINDOW_S, fix["device"])] = total
    if METER.add(1):
        METER.report(
            ((int(count), speed / count) for count, speed in OPEN.values()),
            version=f"bytewax {version('bytewax')}",
        )
        os._exit(0)  # the measurement is over: the dataflow itself would go on reading
    return total


def merge(left: list[Any], right: list[Any]) -> list[Any]:
    return [left[0] + right[0], left[1] + right[1]]


def main() -> None:
    flow = Dataflow("peer")
    source = KafkaSource([JOB.bootstrap], [JOB.topic], starting_offset=OFFSET_BEGINNING, batch_size=10_000)
    fixes = op.map("parse", op.input("fixes", flow, source), keyed)
    windows = windowing.fold_window(
        "windows",
        fixes,
        windowing.EventClock(event_time, wait_for_system_duration=timedelta(seconds=10)),
        windowing.TumblingWindower(
            length=timedelta(seconds=WINDOW_S), align_to=datetime.fromtimestamp(0, UTC)
        ),
        empty,
        fold,
        merge,
        ordered=False,  # added as they come: in order they would be held until the watermark passes
    )
    op.output("nowhere", windows.down, TestingSink([]))
    run_main(flow)


main()
