"""Peer: stock Faust as its documentation shows it, one event at a time into a windowed table."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

import faust

from bench.peers.meter import WINDOW_S, Job, Meter

JOB = Job.read()
METER = Meter(JOB.warm, JOB.fixes)

app = faust.App(
    f"peer-faust-{os.getpid()}",
    broker=f"kafka://{JOB.bootstrap}",
    datadir=tempfile.mkdtemp(prefix="peer-faust-"),
    topic_partitions=JOB.partitions,
    consumer_auto_offset_reset="earliest",
    topic_disable_leader=True,
    web_enabled=False,
)
fixes = app.topic(JOB.topic, key_type=str, value_serializer="json")
table = app.Table("windows", default=lambda: (0, 0.0), partitions=JOB.partitions)
windows = table.tumbling(WINDOW_S).relative_to(lambda event: event.value["ts"])  # type: ignore[attr-defined]  # it has


@app.agent(fixes)
async def summarize(stream: Any) -> None:
    async for fix in stream:
        count, mean = windows[fix["device"]].value()
        windows[fix["device"]] = (count + 1, mean + (fix["speed_mps"] - mean) / (count + 1))
        if METER.add(1):
            METER.report(table.values(), version=f"faust-streaming {faust.__version__}")
            os._exit(0)  # the measurement is over: an orderly shutdown takes Faust half a minute


sys.argv = [sys.argv[0], "worker", "-l", "error"]
app.main()
