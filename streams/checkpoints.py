"""Checkpoints: a partition's state and input offsets in a compacted changelog topic.

Everything of partition p is stored under keys that begin with `p/`: `p/offsets` (the next offset of every
input topic) and one key per bucket of state. Values are written with an explicit partition, and nothing
counts on them before they are acknowledged. Each bucket says itself which offsets it contains, so a crash
between two writes does no harm: replay starts at `p/offsets` and skips what a bucket already holds. Stored
values are lz4 blocks behind a CRC-32.

The changelog has the name and form of a Faust table's, but Faust does not recover it: around a rebalance its
recovery can drop records that it has fetched, and it goes on from where it stood though the state before that
was given up. A partition's changelog is read from its beginning to its end whenever the partition is opened.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import cramjam
import faust
import orjson

from geo.errors import BadRecord
from streams import metrics
from streams.delivery import Outgoing, send
from streams.settings import Settings
from streams.topic_reader import TopicReader
from streams.topics import changelog_topic

OFFSETS = "offsets"


def seal(data: bytes) -> bytes:
    packed = bytes(cramjam.lz4.compress_block(data))
    return zlib.crc32(packed).to_bytes(4, "little") + packed


def unseal(key: str, value: bytes) -> bytes:
    if len(value) < 4 or zlib.crc32(value[4:]) != int.from_bytes(value[:4], "little"):
        raise BadRecord("bad_checkpoint", f"{key} fails its checksum")
    return bytes(cramjam.lz4.decompress_block(value[4:]))


def read_checkpoint(
    settings: Settings, table: str, partition: int
) -> tuple[dict[str, int] | None, dict[str, bytes]]:
    """Offsets and buckets of a partition, from all of its changelog; offsets None if it has no checkpoint.

    Reads up to the end as it is when this is called. Raises Unavailable when the broker does not give all of
    it, BadRecord for a value that fails its checksum: going on without either would lose fixes in silence.
    """
    newest: dict[bytes, bytes] = {}
    with TopicReader(settings.bootstrap) as reader:
        for message in reader.partition(changelog_topic(settings, table), partition):
            if message.key is None:
                continue
            if message.value is None:
                newest.pop(message.key, None)
            else:
                newest[message.key] = message.value
    offsets: dict[str, int] | None = None
    buckets: dict[str, bytes] = {}
    for raw_key, value in newest.items():
        key = raw_key.decode()
        data = unseal(key, value)
        name = key.removeprefix(f"{partition}/")
        if name == OFFSETS:
            offsets = orjson.loads(data)
        else:
            buckets[name] = data
    return offsets, buckets


def end_of(settings: Settings, table: str, partition: int) -> int:
    """The offset behind the last record of a partition's changelog; raises Unavailable."""
    with TopicReader(settings.bootstrap) as reader:
        return reader.end(changelog_topic(settings, table), partition)


class CheckpointTable:
    """The checkpoints of one kind of partition (walkers, conditions) in one changelog."""

    def __init__(self, app: faust.App, settings: Settings, name: str) -> None:
        self.app = app
        self.name = name
        self._settings = settings
        self._topic = changelog_topic(settings, name)
        self._ends: dict[int, int] = {}  # by partition: behind the last record that this process wrote

    async def write(
        self, partition: int, buckets: Mapping[str, bytes | None], offsets: Mapping[str, int] | None
    ) -> list[asyncio.Future[Any]]:
        """Send buckets (None deletes one) and then the offsets; `streams.delivery.confirm` waits for them.

        They go to one partition and stay in order, so offsets never stand before what they speak of.
        """
        entries = {
            f"{partition}/{name}".encode(): None if data is None else seal(data)
            for name, data in buckets.items()
        }
        if offsets is not None:
            entries[f"{partition}/{OFFSETS}".encode()] = seal(orjson.dumps(dict(offsets)))
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

    async def read(self, partition: int) -> tuple[dict[str, int] | None, dict[str, bytes]]:
        """`read_checkpoint`, on a thread of its own."""
        return await asyncio.to_thread(read_checkpoint, self._settings, self.name, partition)
