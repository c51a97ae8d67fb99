"""Reading the dead-letters topic, and sending what it holds back to where it came from."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from geo.errors import BadRecord, Unavailable
from models.records import DeadLetter, decode
from streams.settings import Settings
from streams.topics import DEAD_LETTERS

READ_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Letter:
    """A dead letter with its own place in the topic."""

    number: int  # offset in dead-letters
    at: float  # broker's time, seconds since the epoch
    key: bytes | None
    letter: DeadLetter

    @property
    def value(self) -> bytes:
        return base64.b64decode(self.letter.value_b64)


def read_letters(settings: Settings) -> Iterator[Letter]:
    """All dead letters that the topic still holds, oldest first; raises Unavailable without a broker."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.bootstrap,
            "group.id": f"dead-letters-{uuid.uuid4()}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    try:
        try:
            low, high = consumer.get_watermark_offsets(
                TopicPartition(DEAD_LETTERS, 0), timeout=READ_TIMEOUT_S
            )
        except KafkaException as error:
            raise Unavailable(
                f"dead letters cannot be read at {settings.bootstrap}: {error}; is the broker running?"
            ) from error
        consumer.assign([TopicPartition(DEAD_LETTERS, 0, low)])
        quiet_since = time.monotonic()
        position = low
        while position < high:
            message = consumer.poll(0.5)
            if message is None:
                if time.monotonic() - quiet_since > READ_TIMEOUT_S:
                    raise Unavailable(f"the broker at {settings.bootstrap} stopped answering")
                continue
            problem = message.error()
            if problem is not None:
                if problem.code() == KafkaError._PARTITION_EOF:
                    return
                raise Unavailable(f"dead letters cannot be read: {problem}")
            quiet_since = time.monotonic()
            offset, value = message.offset(), message.value()
            assert offset is not None
            position = offset + 1
            if value is None:
                continue
            try:
                letter = decode(DeadLetter, value)
            except BadRecord:
                continue
            key = message.key()
            yield Letter(
                offset, message.timestamp()[1] / 1000.0, key.encode() if isinstance(key, str) else key, letter
            )
    finally:
        consumer.close()


def replay_letters(settings: Settings, letters: list[Letter]) -> int:
    """Send letters back to their topics; returns how many the broker acknowledged."""
    producer = Producer(
        {
            "bootstrap.servers": settings.bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "message.max.bytes": 16 * 1024 * 1024,
            "log_level": 0,
        }
    )
    delivered = 0

    def count(error: KafkaError | None, _: object) -> None:
        nonlocal delivered
        if error is None:
            delivered += 1

    for letter in letters:
        producer.produce(letter.letter.topic, letter.value, letter.key, on_delivery=count)
        producer.poll(0)
    producer.flush(30)
    return delivered
