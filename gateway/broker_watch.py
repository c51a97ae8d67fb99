"""Asks the broker every few seconds: a gateway to which nobody sends would not notice that it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from aiohttp import web

from gateway import metrics
from gateway.context import GATEWAY
from gateway.producer import Producer

ASK_S = 5.0


async def asking(app: web.Application) -> AsyncIterator[None]:
    """A part of the application's life: asks from its start to its end."""
    task = asyncio.create_task(_ask(app[GATEWAY].producer))
    yield
    task.cancel()


async def _ask(producer: Producer) -> None:
    while True:
        asked_at = time.time()
        if await producer.answers(within_s=ASK_S):
            metrics.BROKER_TS.set(asked_at)
        await asyncio.sleep(ASK_S)
