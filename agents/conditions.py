"""Traffic and weather reports → windows per cell and edge → edge-conditions."""

from __future__ import annotations

from typing import Any

import faust

from streams.app import app, conditions, topic
from streams.kafka.topics import TRAFFIC_REPORTS, WEATHER_REPORTS


@app.agent(topic[TRAFFIC_REPORTS], name="traffic")
async def traffic(stream: faust.StreamT[Any]) -> None:
    """Take every block of traffic reports."""
    await conditions.consume(stream)


@app.agent(topic[WEATHER_REPORTS], name="weather")
async def weather(stream: faust.StreamT[Any]) -> None:
    """Take every block of weather reports."""
    await conditions.consume(stream)
