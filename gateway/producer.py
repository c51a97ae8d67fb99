"""Sending to Kafka from the event loop: idempotent, and done only when all replicas have it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException

from geo.errors import Unavailable
from streams.kafka.connection import client_options
from streams.kafka.topics import GPS_FIXES
from streams.settings import Settings
from streams.telemetry import tracing

log = logging.getLogger(__name__)

QUEUED_MESSAGES = 100_000
QUEUED_KBYTES = 262_144
POLL_S = 0.1
Placed = tuple[int, int]  # partition and offset


class Producer:
    """One librdkafka producer; its acknowledgements come to the loop in batches, from a thread of its own.

    Messages of one key stay in the order of the calls.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._done: deque[tuple[asyncio.Future[Placed], KafkaError | None, Placed]] = deque()
        self._told = False
        self._stop = threading.Event()
        self._kafka = self._connect()
        self._thread = threading.Thread(target=self._poll, name="acknowledgements", daemon=True)
        self._thread.start()

    def _connect(self) -> confluent_kafka.Producer:
        return confluent_kafka.Producer(
            {
                **client_options(self._settings),
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": "murmur2_random",  # as Kafka's own clients
                "linger.ms": 2,
                "message.timeout.ms": int(self._settings.gateway_ack_s * 1000),
                "message.max.bytes": 2 * self._settings.gateway_max_body_bytes + 4096,
                "queue.buffering.max.messages": QUEUED_MESSAGES,
                "queue.buffering.max.kbytes": QUEUED_KBYTES,
            }
        )

    async def answers(self, within_s: float) -> bool:
        """Whether the broker says where fixes go, within that time."""
        try:
            await asyncio.to_thread(self._kafka.list_topics, GPS_FIXES, within_s)
        except KafkaException:
            return False
        return True

    def send(self, topic: str, key: bytes, value: bytes | None) -> asyncio.Future[Placed]:
        """Queue a message; the future has its place once Kafka has it, or fails with Unavailable."""
        future: asyncio.Future[Placed] = self._loop.create_future()
        span = tracing.publishing(topic)
        headers = None
        if span is not None:
            headers = tracing.headers_of(span)
            future.add_done_callback(lambda _: span.end())

        def acknowledged(error: KafkaError | None, message: Any) -> None:
            self._done.append((future, error, (message.partition(), message.offset())))

        try:
            self._kafka.produce(topic, value, key, on_delivery=acknowledged, headers=headers)
        except (BufferError, KafkaException) as error:
            self._reconnect_if_fatal(error)
            future.set_exception(Unavailable("Kafka takes nothing at the moment: come again"))
        return future

    def _reconnect_if_fatal(self, error: BaseException) -> None:
        """An idempotent producer that has met a fatal error sends nothing any more: take a new one."""
        cause = error.args[0] if error.args else None
        if isinstance(cause, KafkaError) and cause.fatal():
            log.error("the producer starts anew: %s", cause)
            self._kafka = self._connect()

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._kafka.poll(POLL_S)
            if self._done and not self._told:
                self._told = True
                self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._told = False
        while self._done:
            future, error, placed = self._done.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(placed)
            else:
                future.set_exception(Unavailable("Kafka did not take what was sent: come again"))

    async def close(self) -> None:
        """Wait until everything queued is acknowledged or given up."""
        await asyncio.to_thread(self._kafka.flush, self._settings.gateway_ack_s)
        self._stop.set()
        await asyncio.to_thread(self._thread.join)
        self._settle()
