"""Sending to Kafka from a worker: nothing counts as sent until the broker has acknowledged it.

Faust's own buffer logs a failed send and goes on, and its flush gives up early; so messages go straight to
the driver's producer, and every delivery is awaited. A worker that cannot deliver stops with an error.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import faust

from geo.errors import Unavailable
from models.records import DeadLetter, encode
from streams.kafka import topics
from streams.telemetry import metrics
from streams.telemetry.tracing import Headers

DELIVERY_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Outgoing:
    """One message to be sent; `partition` None lets the key decide (Kafka's murmur2)."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Headers | None = None  # of a message that belongs to a trace


async def send(app: faust.App, messages: Iterable[Outgoing]) -> list[asyncio.Future[Any]]:
    """Hand `messages` to the producer in order; `confirm` waits for them. Raises Unavailable.

    Messages to one partition stay in the order of these calls: the driver has one request a partition under
    way at a time.
    """
    producer = await app.maybe_start_producer()
    try:
        return [
            asyncio.ensure_future(await producer.send(m.topic, m.key, m.value, m.partition, None, m.headers))
            for m in messages
        ]
    except Exception as error:
        raise Unavailable(f"Kafka does not take what is sent: {error!r}") from error


async def confirm(sent: list[asyncio.Future[Any]]) -> None:
    """Wait until the broker has acknowledged everything; raises Unavailable if it does not."""
    if not sent:
        return
    try:
        await asyncio.wait_for(asyncio.gather(*sent), DELIVERY_TIMEOUT_S)
    except Exception as error:
        raise Unavailable(f"Kafka did not take what was sent: {error!r}") from error


async def deliver(app: faust.App, messages: Iterable[Outgoing]) -> None:
    """Send `messages` and return once all are acknowledged; raises Unavailable otherwise."""
    await confirm(await send(app, messages))


def dead_letter(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    reason: str,
    detail: str = "",
) -> Outgoing:
    """A value that cannot be used, as a message for `dead-letters`; counts it."""
    metrics.DEAD_LETTERS.labels(topic, reason).inc()
    letter = DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        reason=_printable(f"{reason}: {detail}" if detail else reason),
        value_b64=base64.b64encode(value or b"").decode(),
    )
    return Outgoing(topics.DEAD_LETTERS, key, encode(letter))


def _printable(text: str) -> str:
    """The text as a dead letter may hold it: no control characters, 1,000 bytes at most."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean.encode(errors="replace")[:1000].decode(errors="ignore")
