"""Follows all partitions of a topic on a thread, outside of every consumer group; batches go to the loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from geo.errors import Unavailable
from streams.kafka.connection import client_options, unavailable
from streams.kafka.topic_reader import ANSWER_WITHIN_S, Message, partition_count
from streams.settings import Settings
from streams.telemetry import tracing

log = logging.getLogger(__name__)

BATCH = 2_000
WAIT_S = 0.2


class Follower:
    """Reads a topic from `since_s` ago (None: from the beginning) and goes on for ever.

    `take` is called in the loop with what came, and the reading waits for it: a slow loop is not flooded.
    """

    def __init__(
        self,
        settings: Settings,
        topic: str,
        take: Callable[[Sequence[Message]], None],
        since_s: float | None = None,
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._take = take
        self._since_s = since_s
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._next: dict[int, int] = {}
        self._moved = asyncio.Event()
        self._consumer = _consumer(settings)
        self._asker = _consumer(settings)  # one that is reading does not answer questions meanwhile
        self._thread = threading.Thread(target=self._follow, name=f"follow {topic}", daemon=True)

    async def start(self) -> None:
        """Begin to read, and return when everything that is there now was taken."""
        ends = await asyncio.to_thread(self._begin)
        self._thread.start()
        await self._reach(ends)

    async def catch_up(self) -> None:
        """Return when everything that the broker has now was taken."""
        await self._reach(await asyncio.to_thread(self._ends))

    async def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._consumer.close)
        await asyncio.to_thread(self._asker.close)

    async def _reach(self, ends: dict[int, int]) -> None:
        while any(self._next.get(partition, 0) < end for partition, end in ends.items()):
            self._moved.clear()
            await self._moved.wait()

    def _begin(self) -> dict[int, int]:
        try:
            count = partition_count(self._asker, self._topic)
            if not count:
                raise Unavailable(f"there is no topic {self._topic}: run `flaneur topics --create`")
            starts = self._starts(count)
            bounds = self._bounds(count)
        except KafkaException as error:
            raise unavailable(self._settings, error, f"{self._topic} cannot be read: {error}") from error
        self._consumer.assign(starts)
        # where nothing is to be read, nothing is waited for
        self._next = {
            one.partition: one.offset if one.offset >= 0 else bounds[one.partition][0] for one in starts
        }
        self._partitions = count
        return {partition: high for partition, (_, high) in bounds.items()}

    def _starts(self, count: int) -> list[TopicPartition]:
        if self._since_s is None:
            return [TopicPartition(self._topic, p, OFFSET_BEGINNING) for p in range(count)]
        since_ms = int((time.time() - self._since_s) * 1000)
        asked = [TopicPartition(self._topic, p, since_ms) for p in range(count)]
        found = self._asker.offsets_for_times(asked, timeout=ANSWER_WITHIN_S)
        bounds = self._bounds(count)
        return [
            TopicPartition(
                self._topic, one.partition, one.offset if one.offset >= 0 else bounds[one.partition][1]
            )
            for one in found
        ]

    def _bounds(self, count: int) -> dict[int, tuple[int, int]]:
        return {
            p: self._asker.get_watermark_offsets(TopicPartition(self._topic, p), timeout=ANSWER_WITHIN_S)
            for p in range(count)
        }

    def _ends(self) -> dict[int, int]:
        try:
            return {partition: high for partition, (_, high) in self._bounds(self._partitions).items()}
        except KafkaException as error:
            raise Unavailable(f"{self._topic} cannot be read: {error}") from error

    def _follow(self) -> None:
        taken = threading.Semaphore(2)
        traced = tracing.on()
        while not self._stop.is_set():
            came = self._consumer.consume(1, WAIT_S)
            if came:
                came += self._consumer.consume(BATCH, 0.0)
            batch = []
            for message in came:
                problem = message.error()
                if problem is not None:
                    if problem.code() != KafkaError._PARTITION_EOF:
                        log.warning("%s: %s", self._topic, problem)
                    continue
                batch.append(
                    Message(
                        message.partition() or 0,
                        message.offset() or 0,
                        message.timestamp()[1] / 1000.0,
                        _bytes(message.key()),
                        _bytes(message.value()),
                        tracing.found_in(message.headers()) if traced else None,
                    )
                )
            if not batch:
                continue
            while not taken.acquire(timeout=WAIT_S):
                if self._stop.is_set():
                    return
            self._loop.call_soon_threadsafe(self._hand_on, batch, taken)

    def _hand_on(self, batch: list[Message], taken: threading.Semaphore) -> None:
        try:
            self._take(batch)
        finally:
            for message in batch:
                self._next[message.partition] = message.offset + 1
            self._moved.set()
            taken.release()


def _consumer(settings: Settings) -> Consumer:
    return Consumer(
        {
            **client_options(settings),
            "group.id": f"gateway-{uuid.uuid4()}",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "fetch.queue.backoff.ms": 5,
            "queued.max.messages.kbytes": 16_384,
        }
    )


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
