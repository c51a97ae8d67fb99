"""Passages of walkers → windows per cell and stretch → edge-conditions, where there are five or more."""

from __future__ import annotations

from typing import Any

import faust

from streams.app import app, crowd, topic
from streams.kafka.topics import CELL_OBSERVATIONS


@app.agent(topic[CELL_OBSERVATIONS], name="crowd")
async def observations(stream: faust.StreamT[Any]) -> None:
    """Take every block of cell-observations."""
    await crowd.consume(stream)
