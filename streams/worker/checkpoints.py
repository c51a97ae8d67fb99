"""Checkpoints: a partition's state and input offsets in a compacted changelog topic.

Everything of partition p is stored under keys that begin with `p/`: `p/offsets` (the next offset of every
input topic) and one key per bucket of state. Values are written with an explicit partition, and nothing
counts on them before they are acknowledged. Each bucket says itself which offsets it contains, so a crash
between two writes does no harm: replay starts at `p/offsets` and skips what a bucket already holds. Stored
values are lz4 blocks behind a CRC-32, and the offsets say how many buckets there are: with what the consumer
group has committed this shows a changelog that was damaged, cut off or emptied (`streams.worker.repair`).

The changelog has the name and form of a Faust table's, but Faust does not recover it: around a rebalance its
recovery can drop records that it has fetched, and it goes on from where it stood though the state before that
was given up. A partition's changelog is read from its beginning to its end whenever the partition is opened.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import cramjam
import faust
import orjson

from geo.errors import BadRecord
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import changelog_topic
from streams.settings import Settings
from streams.telemetry import metrics
from streams.worker.delivery import Outgoing, send

OFFSETS = "offsets"
COUNT = "buckets"  # among the offsets: how many buckets were there
SEALED_HERE = 500_000  # bytes that take less time than to wait for a thread


def seal(data: bytes) -> bytes:
    packed = bytes(cramjam.lz4.compress_block(data))
    return zlib.crc32(packed).to_bytes(4, "little") + packed


def seal_all(values: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    return {name: None if data is None else seal(data) for name, data in values.items()}


def unseal(key: str, value: bytes) -> bytes:
    if len(value) < 4 or zlib.crc32(value[4:]) != int.from_bytes(value[:4], "little"):
        raise BadRecord("bad_checkpoint", f"{key} fails its checksum")
    return bytes(cramjam.lz4.decompress_block(value[4:]))


@dataclass(frozen=True)
class Checkpoint:
    """What a partition's changelog holds, and what it should hold and does not."""

    offsets: dict[str, int] | None  # next offset of every input topic; None: no checkpoint was completed
    buckets: dict[str, bytes]  # in the order in which they were written
    damaged: tuple[str, ...] = ()  # names whose value fails its checksum
    missing: int = 0  # buckets that were there when the offsets were written
    committed: dict[str, int] = field(default_factory=dict)  # what the consumer group has committed

    def flaw(self) -> str | None:
        """What is wrong with it, in words; None if nothing is.

        Offsets are committed only behind a delivered checkpoint, so one that is behind them was delivered
        and is gone.
        """
        if self.damaged:
            return f"{len(self.damaged)} of its values fail their checksum, first {self.damaged[0]}"
        if self.missing:
            return f"{self.missing} of its buckets are gone"
        known = self.offsets or {}
        for topic, offset in self.committed.items():
            if offset > known.get(topic, 0):
                return f"it ends at offset {known.get(topic, 0)} of {topic}, though {offset} was checkpointed"
        return None


def read_checkpoint(
    settings: Settings,
    table: str,
    partition: int,
    topics: Iterable[str] = (),
    on_message: Callable[[], None] = lambda: None,
) -> Checkpoint:
    """The checkpoint of a partition, from all of its changelog, whole or not (`Checkpoint.flaw`).

    Reads up to the end as it is when this is called; `topics`: whose committed offsets are looked up too.
    Raises Unavailable when the broker does not give all of it.
    """
    newest: dict[bytes, bytes | None] = {}
    with TopicReader(settings, settings.group) as reader:
        # first: a commit that comes later may stand behind a checkpoint that is not read here any more
        committed = reader.committed(partition, topics) if topics else {}
        for message in reader.partition(changelog_topic(settings, table), partition):
            on_message()
            if message.key is not None:
                newest.pop(message.key, None)  # the later one also comes later among the others
                newest[message.key] = message.value
    offsets: dict[str, int] | None = None
    buckets: dict[str, bytes] = {}
    damaged = []
    count = 0
    for raw_key, value in newest.items():
        if value is None:
            continue
        name = raw_key.decode().removeprefix(f"{partition}/")
        try:
            data = unseal(raw_key.decode(), value)
        except BadRecord:
            damaged.append(name)
            continue
        if name == OFFSETS:
            offsets = orjson.loads(data)
            count = offsets.pop(COUNT, 0)
        else:
            buckets[name] = data
    # a deletion counts as there: the offsets that come after it may not have been written
    missing = max(0, count - len(newest.keys() - {f"{partition}/{OFFSETS}".encode()}))
    return Checkpoint(offsets, buckets, tuple(sorted(damaged)), missing, committed)


def end_of(settings: Settings, table: str, partition: int) -> int:
    """The offset behind the last record of a partition's changelog; raises Unavailable."""
    with TopicReader(settings) as reader:
        return reader.bounds(changelog_topic(settings, table), partition)[1]


class CheckpointTable:
    """The checkpoints of one kind of partition (walkers, conditions) in one changelog."""

    def __init__(self, app: faust.App, settings: Settings, name: str, topics: tuple[str, ...]) -> None:
        self.app = app
        self.name = name
        self._settings = settings
        self._topics = topics
        self._topic = changelog_topic(settings, name)
        self._ends: dict[int, int] = {}  # by partition: behind the last record that this process wrote
        self._names: dict[int, set[str]] = {}  # of the buckets that each partition's changelog has
        self.messages_read = 0

    async def write(
        self, partition: int, buckets: Mapping[str, bytes | None], offsets: Mapping[str, int] | None
    ) -> list[asyncio.Future[Any]]:
        """Send buckets (None deletes one) and then the offsets; `delivery.confirm` waits for them.

        They go to one partition and stay in order, so offsets never stand before what they speak of.
        """
        names = self._names.setdefault(partition, set())
        names |= {name for name, data in buckets.items() if data is not None}
        names -= {name for name, data in buckets.items() if data is None}
        if sum(len(data) for data in buckets.values() if data is not None) < SEALED_HERE:
            sealed = seal_all(buckets)
        else:
            sealed = await asyncio.to_thread(seal_all, buckets)  # compressing leaves the loop to others
        entries = {f"{partition}/{name}".encode(): data for name, data in sealed.items()}
        if offsets is not None:
            entries[f"{partition}/{OFFSETS}".encode()] = seal(orjson.dumps({**offsets, COUNT: len(names)}))
        sent = await send(
            self.app, [Outgoing(self._topic, key, value, partition) for key, value in entries.items()]
        )
        if sent:
            sent[-1].add_done_callback(partial(self._written, partition))
        metrics.CHECKPOINT_BYTES.inc(sum(len(value) for value in entries.values() if value is not None))
        return sent

    def _written(self, partition: int, record: asyncio.Future[Any]) -> None:
        if not record.cancelled() and record.exception() is None:
            self._ends[partition] = record.result().offset + 1

    async def untouched(self, partition: int) -> bool:
        """Whether the last record of a partition's changelog is one that this process wrote.

        Then nobody else has owned the partition since and stored anything. Raises Unavailable.
        """
        return partition in self._ends and self._ends[partition] == await asyncio.to_thread(
            end_of, self._settings, self.name, partition
        )

    async def read(self, partition: int) -> Checkpoint:
        """`read_checkpoint`, on a thread of its own."""

        def count() -> None:
            self.messages_read += 1

        found = await asyncio.to_thread(
            read_checkpoint, self._settings, self.name, partition, self._topics, count
        )
        self._names[partition] = set(found.buckets)
        return found
