"""Reading the dead-letters topic, and sending what it holds back to where it came from."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import KafkaError, Producer

from geo.errors import BadRecord
from models.records import DeadLetter, decode
from streams.kafka.connection import client_options
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import DEAD_LETTERS
from streams.settings import Settings


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
    """Each dead letter that the topic still holds, oldest first; raises Unavailable without a broker.

    A worker that is killed writes those again that came after its last checkpoint: they are given once.
    """
    seen = set()
    with TopicReader(settings) as topics:
        for message in topics.messages(DEAD_LETTERS):
            if message.value is None:
                continue
            try:
                letter = decode(DeadLetter, message.value)
            except BadRecord:
                continue
            content = (letter.topic, letter.partition, letter.offset, hash(letter.value_b64))
            if content in seen:
                continue
            seen.add(content)
            yield Letter(message.offset, message.at_s, message.key, letter)


def replay_letters(settings: Settings, letters: list[Letter]) -> int:
    """Send letters back to their topics; returns how many the broker acknowledged."""
    producer = Producer(
        {
            **client_options(settings),
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "message.max.bytes": 16 * 1024 * 1024,
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
