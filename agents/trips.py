"""Fixes → windows, match, progress, decision, and the route updates that follow."""

from __future__ import annotations

from typing import Any

import faust

from streams.app import app, topic, walkers
from streams.kafka.topics import GPS_FIXES


@app.agent(topic[GPS_FIXES], name="trips")
async def trips(stream: faust.StreamT[Any]) -> None:
    """Take every block of fixes; what a block leads to is sent before the next one is taken."""
    await walkers.consume(stream)
