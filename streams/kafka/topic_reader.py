"""Reads partitions from their beginning to where they end now, outside of every consumer group."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from aiokafka.partitioner import murmur2
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from geo.errors import Unavailable
from streams.kafka.connection import client_options, unavailable
from streams.settings import Settings

ANSWER_WITHIN_S = 10.0
_BATCH = 5_000
#: What is so for a moment only: a topic was just created, a broker just started or went away.
_SOON_OVER = frozenset(
    {
        *(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE),
        *(KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE),
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it lies in the topic."""

    partition: int
    offset: int
    at_s: float  # broker's time, seconds since the epoch
    key: bytes | None
    value: bytes | None  # None: a tombstone
    context: str | None = None  # the context of the trace that it belongs to, where traces are looked for


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's own clients put a key: murmur2 without the sign bit, modulo the number of partitions."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def partition_count(consumer: Consumer, topic: str) -> int:
    """How many partitions it has, 0 for a topic that is not there; raises KafkaException."""
    found = consumer.list_topics(topic, timeout=ANSWER_WITHIN_S).topics[topic]
    if found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise KafkaException(found.error)
    return len(found.partitions)


class TopicReader:
    """A context manager around one consumer; raises Unavailable where the broker or a topic is not there."""

    def __init__(self, settings: Settings, group: str | None = None) -> None:
        """`group` is whose committed offsets `committed` reads; nothing here ever joins it."""
        self._settings = settings
        self._consumer = Consumer(
            {
                **client_options(settings),
                "group.id": group or f"reader-{uuid.uuid4()}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )

    def __enter__(self) -> TopicReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def messages(self, topic: str, key: bytes | None = None) -> Iterator[Message]:
        """Everything in all partitions, one after the other, or in the one where `key` belongs."""
        with self._errors(topic):
            count = partition_count(self._consumer, topic)
            if not count:
                raise Unavailable(
                    f"the broker at {self._settings.bootstrap} has no topic {topic}:"
                    " run `flaneur topics --create`"
                )
            for partition in range(count) if key is None else [partition_of(key, count)]:
                yield from self._partition(TopicPartition(topic, partition))

    def partition(
        self, topic: str, partition: int, start: int = 0, end: int | None = None
    ) -> Iterator[Message]:
        """Everything in one partition, or what lies from offset `start` to before `end`."""
        with self._errors(topic):
            yield from self._partition(TopicPartition(topic, partition), start, end)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset that the broker still has, and the next that it will give."""
        with self._errors(topic):
            return self._bounds(TopicPartition(topic, partition))

    def _bounds(self, partition: TopicPartition) -> tuple[int, int]:
        low, high = _patiently(
            lambda: self._consumer.get_watermark_offsets(partition, timeout=ANSWER_WITHIN_S)
        )
        return low, high

    def committed(self, partition: int, topics: Iterable[str]) -> dict[str, int]:
        """What the group has committed in that partition of each topic, without those where it never did."""
        asked = [TopicPartition(topic, partition) for topic in topics]
        with self._errors("the committed offsets of " + ", ".join(topics)):
            found = _patiently(lambda: self._consumer.committed(asked, timeout=ANSWER_WITHIN_S))
        return {one.topic: one.offset for one in found if one.offset >= 0}

    @contextmanager
    def _errors(self, topic: str) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise unavailable(
                self._settings,
                error,
                f"{topic} cannot be read at {self._settings.bootstrap}: {error}; is the broker running?",
            ) from error

    def _partition(
        self, partition: TopicPartition, start: int = 0, end: int | None = None
    ) -> Iterator[Message]:
        low, high = self._bounds(partition)
        at = max(low, start)
        if end is not None:
            high = min(high, end)
        self._consumer.assign([TopicPartition(partition.topic, partition.partition, at)])
        quiet_since = time.monotonic()
        while at < high:
            # a whole batch would be waited for, though the last one is hardly ever whole
            messages = self._consumer.consume(1, 0.5) + self._consumer.consume(_BATCH, 0.0)
            for message in messages:
                problem, offset = message.error(), message.offset()
                if problem is not None:
                    # compaction may have taken the last messages: then the end comes before `high` is seen
                    if problem.code() == KafkaError._PARTITION_EOF:
                        return
                    raise KafkaException(problem)
                assert offset is not None
                if offset >= high and end is not None:
                    return
                at = offset + 1
                yield Message(
                    partition.partition,
                    offset,
                    message.timestamp()[1] / 1000.0,
                    _bytes(message.key()),
                    _bytes(message.value()),
                )
            if messages:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > ANSWER_WITHIN_S:
                raise Unavailable(f"the broker at {self._settings.bootstrap} stopped answering")


def _bytes(value: bytes | str | None) -> bytes | None:
    """As it is: the client's annotations allow for deserializers that we do not use."""
    return value.encode() if isinstance(value, str) else value


def _patiently(ask: Callable[[], T]) -> T:
    give_up = time.monotonic() + ANSWER_WITHIN_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _SOON_OVER or time.monotonic() > give_up:
                raise
            time.sleep(0.1)
