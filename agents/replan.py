"""Requests and ratings → a first route, another one, or the end of a trip.

Reroutes for a changed world come from `streams.app`, which tells every partition of a new network.
"""

from __future__ import annotations

from typing import Any

import faust

from streams.app import app, topic, walkers
from streams.kafka.topics import RATINGS, ROUTE_REQUESTS


@app.agent(topic[ROUTE_REQUESTS], name="route-requests")
async def requests(stream: faust.StreamT[Any]) -> None:
    """Take every block of requests."""
    await walkers.consume(stream)


@app.agent(topic[RATINGS], name="ratings")
async def ratings(stream: faust.StreamT[Any]) -> None:
    """Take every block of ratings."""
    await walkers.consume(stream)
