"""Reads back from the topics what happened to one walker: fixes, route updates and the closures of the time.

Only the partitions that a device's key leads to are read, each from its beginning to where it ends now.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from geo.errors import BadInput, BadRecord, Unavailable
from models.records import EdgeCondition, Fix, RouteUpdate, decode, decode_fixes
from streams.topics import EDGE_CONDITIONS, GPS_FIXES, ROUTE_UPDATES

R = TypeVar("R")
ANSWER_WITHIN_S = 10.0
_BATCH = 5_000


@dataclass(frozen=True)
class WalkHistory:
    """What the topics still hold of one device."""

    device: str
    fixes: tuple[Fix, ...]  # by event time, each once
    updates: tuple[RouteUpdate, ...]  # as they came, repeated ones included
    closures: tuple[EdgeCondition, ...]  # everywhere, as they came


def read_history(bootstrap: str, device: str) -> WalkHistory:
    """The history of `device`.

    Raises BadInput where no route update tells of it, Unavailable where the broker or a topic is not there.
    What cannot be decoded is left out: it is in dead-letters.
    """
    key = device.encode()
    with _Topics(bootstrap) as topics:
        updates = []
        for name, value in topics.messages(ROUTE_UPDATES, key):
            if name == key:
                updates += _readable(RouteUpdate, value)
        if not updates:
            raise BadInput(
                f"{ROUTE_UPDATES} at {bootstrap} holds nothing of device {device!r}: is the name right, "
                "and did the device ask for a route?"
            )
        fixes: dict[float, Fix] = {}
        for name, value in topics.messages(GPS_FIXES, key):
            if name == key:
                for fix in decode_fixes(value)[0]:
                    if fix.device == device:
                        fixes.setdefault(fix.ts, fix)
        closures = [
            condition
            for _, value in topics.messages(EDGE_CONDITIONS)
            for condition in _readable(EdgeCondition, value)
            if condition.closed
        ]
    ordered = tuple(fixes[ts] for ts in sorted(fixes))
    return WalkHistory(device, ordered, tuple(updates), tuple(closures))


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's own clients put a key: murmur2 without the sign bit, modulo the number of partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Austin Appleby's Murmur2, 32 bits, with the seed of Kafka's Java client (`Utils.murmur2`); unsigned."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def _readable(kind: type[R], value: bytes) -> list[R]:
    try:
        return [decode(kind, value)]
    except BadRecord:
        return []


class _Topics:
    """One consumer outside of every group, for reading partitions to their end."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"walk-history-{uuid.uuid4()}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )

    def __enter__(self) -> _Topics:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def messages(self, topic: str, key: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values, tombstones left out; of all partitions, or of the one where `key` belongs."""
        try:
            count = len(self._consumer.list_topics(topic, timeout=ANSWER_WITHIN_S).topics[topic].partitions)
            if not count:
                raise Unavailable(
                    f"the broker at {self._bootstrap} has no topic {topic}: run `flaneur topics --create`"
                )
            for partition in range(count) if key is None else [partition_of(key, count)]:
                yield from self._partition(TopicPartition(topic, partition))
        except KafkaException as error:
            raise Unavailable(
                f"{topic} cannot be read at {self._bootstrap}: {error}; is the broker running?"
            ) from error

    def _partition(self, partition: TopicPartition) -> Iterator[tuple[bytes, bytes]]:
        low, high = self._consumer.get_watermark_offsets(partition, timeout=ANSWER_WITHIN_S)
        self._consumer.assign([TopicPartition(partition.topic, partition.partition, low)])
        at = low
        quiet_since = time.monotonic()
        while at < high:
            messages = self._consumer.consume(_BATCH, 0.5)
            for message in messages:
                problem, offset = message.error(), message.offset()
                if problem is not None:
                    # compaction may have taken the last messages: then the end comes before `high` is seen
                    if problem.code() == KafkaError._PARTITION_EOF:
                        return
                    raise KafkaException(problem)
                name, value = message.key(), message.value()
                assert offset is not None
                at = offset + 1
                if name is not None and value is not None:
                    yield _bytes(name), _bytes(value)
            if messages:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > ANSWER_WITHIN_S:
                raise Unavailable(f"the broker at {self._bootstrap} stopped answering")


def _bytes(value: bytes | str) -> bytes:
    """As it is: the client's annotations allow for deserializers that we do not use."""
    return value.encode() if isinstance(value, str) else value
