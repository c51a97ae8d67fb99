"""Fixes of one device into gps-fixes: a batch is one message, done once Kafka has acknowledged all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from gateway import metrics
from gateway.context import Gateway
from gateway.fixes import Fix
from streams.kafka.topics import GPS_FIXES

FIXES_A_MESSAGE = 1_000  # some 200 bytes each: far below what a message may hold

_encoder = msgspec.json.Encoder()


def send_fixes(gateway: Gateway, device: str, fixes: Sequence[Fix]) -> asyncio.Future[object]:
    """Queue fixes in their order; the future is done once Kafka has them all, or fails with Unavailable."""
    for fix in fixes:
        fix.device = device
    key = device.encode()
    if len(fixes) == 1:
        return gateway.producer.send(GPS_FIXES, key, _encoder.encode(fixes[0]))  # type: ignore[return-value]
    sent = [
        gateway.producer.send(GPS_FIXES, key, _encoder.encode(fixes[at : at + FIXES_A_MESSAGE]))
        for at in range(0, len(fixes), FIXES_A_MESSAGE)
    ]
    return sent[0] if len(sent) == 1 else asyncio.gather(*sent)  # type: ignore[return-value]


async def publish_fixes(
    gateway: Gateway, device: str, fixes: Sequence[Fix], rejected: int, form: str
) -> None:
    """Send fixes and wait for Kafka; raises TooMany and Unavailable, and then nothing is claimed."""
    metrics.FIXES_REFUSED.labels(form).inc(rejected)
    if not fixes:
        return
    gateway.limits.fixes.take(device, len(fixes))
    await send_fixes(gateway, device, fixes)
    metrics.FIXES.labels(form).inc(len(fixes))
