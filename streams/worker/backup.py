"""What a deployment cannot make again, into a file and into the empty topics of another one.

That is who is registered, which conditions are in force, and what was learned of streets and crowds. The file
holds the newest value of every key, without offsets: a fresh broker counts from nothing, so the workers begin
with the first message. Walkers' own state is not in it. It counts in offsets through and through, is worth
little a day later, and lies whole in a copy of the broker's disks.
"""

from __future__ import annotations

import gzip
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import KafkaError, Producer

from geo.errors import BadInput, Unavailable
from streams.kafka.connection import client_options
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import (
    CONDITIONS_TABLE,
    CROWD_TABLE,
    DEVICES,
    EDGE_CONDITIONS,
    changelog_topic,
    declared_topics,
)
from streams.settings import Settings
from streams.worker.checkpoints import OFFSETS

FORMAT = "flaneur-backup-1"
FLUSH_S = 60.0
LARGEST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Saved:
    """What was written to a file, or read from it: values by topic; when the file was begun."""

    values: dict[str, int]
    ts: float


def save(settings: Settings, file: Path) -> Saved:
    """Write the file, whole or not at all; raises Unavailable and BadInput."""
    aside = file.with_name(f".{file.name}.part")
    head = {"format": FORMAT, "ts": time.time(), "partitions": settings.partitions}
    values: dict[str, int] = {}
    try:
        try:
            with gzip.open(aside, "wb") as out:
                out.write(orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE))
                for name, topic, partitions in _saved_topics(settings):
                    values[name] = 0
                    for partition in range(partitions):
                        for key, value in _newest(settings, topic, partition):
                            line = [name, partition, b64encode(key).decode(), b64encode(value).decode()]
                            out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
                            values[name] += 1
                out.write(orjson.dumps({"end": values}, option=orjson.OPT_APPEND_NEWLINE))
            aside.chmod(0o600)
            aside.replace(file)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}") from error
    return Saved(values, head["ts"])  # type: ignore[arg-type]  # it is the number above


def restore(settings: Settings, file: Path) -> Saved:
    """Write the file's values into the topics, all of which must be there and empty.

    Raises BadInput for a file that is none or not whole, for a topic that holds something, and Unavailable.
    """
    topics = {name: topic for name, topic, _ in _saved_topics(settings)}
    head, count = _check(file, settings)
    with TopicReader(settings) as reader:
        for _, topic, partitions in _saved_topics(settings):
            for partition in range(partitions):
                if reader.bounds(topic, partition)[1]:
                    raise BadInput(f"{topic} is not empty: restore into a deployment that was never used")
    failed: list[str] = []

    def delivered(error: KafkaError | None, message: Any) -> None:
        if error is not None:
            failed.append(f"{message.topic()}: {error.str()}")

    producer = Producer(
        {
            **client_options(settings),
            "enable.idempotence": True,
            "acks": "all",
            "message.max.bytes": LARGEST_BYTES,
        }
    )
    for line in _lines(file):
        if not isinstance(line, list):
            continue
        name, partition, key, value = line
        while True:
            try:
                producer.produce(
                    topics[name], b64decode(value), b64decode(key), partition, on_delivery=delivered
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(FLUSH_S) or failed:
        raise Unavailable(f"Kafka did not take all of it: {failed[0] if failed else 'no answer in time'}")
    return Saved(count, head["ts"])


def _saved_topics(settings: Settings) -> list[tuple[str, str, int]]:
    """Name in the file, topic, and number of partitions."""
    partitions = {spec.name: spec.partitions for spec in declared_topics(settings)}
    names = {DEVICES: DEVICES, EDGE_CONDITIONS: EDGE_CONDITIONS}
    names |= {table: changelog_topic(settings, table) for table in (CONDITIONS_TABLE, CROWD_TABLE)}
    return [(name, topic, partitions[topic]) for name, topic in names.items()]


def _newest(settings: Settings, topic: str, partition: int) -> Iterator[tuple[bytes, bytes]]:
    newest: dict[bytes, bytes] = {}
    with TopicReader(settings) as reader:
        for message in reader.partition(topic, partition):
            if message.key is None or message.key == f"{partition}/{OFFSETS}".encode():
                continue
            newest.pop(message.key, None)
            if message.value is not None:
                newest[message.key] = message.value
    yield from newest.items()


def _check(file: Path, settings: Settings) -> tuple[dict[str, Any], dict[str, int]]:
    lines = _lines(file)
    head = next(lines, None)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise BadInput(f"{file} is no backup of this kind: its first line must say {FORMAT}")
    if head["partitions"] != settings.partitions:
        raise BadInput(f"{file} is of a deployment with PARTITIONS={head['partitions']}: set it to that")
    count: dict[str, int] = {}
    last: Any = head
    for last in lines:
        if isinstance(last, list):
            count[last[0]] = count.get(last[0], 0) + 1
    if not isinstance(last, dict) or {k: n for k, n in last.get("end", {}).items() if n} != count:
        raise BadInput(f"{file} is not whole: its end is missing")
    return head, last["end"]


def _lines(file: Path) -> Iterator[Any]:
    try:
        with gzip.open(file) as lines:
            for line in lines:
                yield orjson.loads(line)
    except (OSError, EOFError, orjson.JSONDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {error}") from error
