"""Checkpoints: a partition's state and input offsets in a changelog-backed Faust table.

Everything of partition p is stored under keys that begin with `p/`: `p/offsets` (the next offset of every
input topic) and one key per bucket of state. Values are written with an explicit partition straight to the
table's changelog, and nothing counts on them before they are acknowledged. Each bucket says itself which
offsets it contains, so a crash between two writes does no harm: replay starts at `p/offsets` and skips what
a bucket already holds. Stored values are lz4 blocks behind a CRC-32.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Collection, Mapping
from typing import Any, cast

import cramjam
import faust
import orjson
from faust.types import TP

from geo.errors import BadRecord
from streams import metrics
from streams.delivery import Outgoing, send

OFFSETS = "offsets"


def seal(data: bytes) -> bytes:
    packed = bytes(cramjam.lz4.compress_block(data))
    return zlib.crc32(packed).to_bytes(4, "little") + packed


def unseal(key: str, value: bytes) -> bytes:
    if len(value) < 4 or zlib.crc32(value[4:]) != int.from_bytes(value[:4], "little"):
        raise BadRecord("bad_checkpoint", f"{key} fails its checksum")
    return bytes(cramjam.lz4.decompress_block(value[4:]))


class CheckpointTable:
    """The checkpoints of one kind of partition (walkers, conditions) in one Faust table."""

    def __init__(self, app: faust.App, name: str, partitions: int) -> None:
        self.app = app
        self.name = name
        self.table = app.Table(
            name, key_type=bytes, value_type=bytes, partitions=partitions, help=f"Checkpoints of {name}"
        )

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
        topic = self.table.changelog_topic.get_topic_name()
        sent = await send(
            self.app, [Outgoing(topic, key, value, partition) for key, value in entries.items()]
        )
        for key, value in entries.items():
            if value is None:
                self.table.data.pop(key, None)
            else:
                self.table.data[key] = value
        metrics.CHECKPOINT_BYTES.inc(sum(len(value) for value in entries.values() if value is not None))
        return sent

    def read(self, partition: int) -> tuple[dict[str, int] | None, dict[str, bytes]]:
        """Offsets and buckets of a partition as recovered; offsets None if it never had a checkpoint.

        A bucket that fails its checksum raises BadRecord: going on without it would lose fixes in silence.
        """
        prefix = f"{partition}/"
        offsets: dict[str, int] | None = None
        buckets: dict[str, bytes] = {}
        for raw_key, value in list(self.table.data.items()):
            key = raw_key.decode()
            if not key.startswith(prefix) or not value:
                continue
            data = unseal(key, value)
            name = key[len(prefix) :]
            if name == OFFSETS:
                offsets = orjson.loads(data)
            else:
                buckets[name] = data
        return offsets, buckets

    def purge(self, partitions: Collection[int]) -> None:
        """Forget lost partitions, so that nothing of them comes back when they do.

        Faust takes all partitions away in every rebalance, and recovers one that comes back from where it
        stood in its changelog: what lies before that would be missing from then on.
        """
        prefixes = tuple(f"{partition}/".encode() for partition in partitions)
        for key in [key for key in self.table.data if key.startswith(prefixes)]:
            self.table.data.pop(key, None)
        recovery = cast(Any, self.app.tables).recovery
        topic = self.table.changelog_topic.get_topic_name()
        for partition in partitions:
            recovery.active_offsets.pop(TP(topic, partition), None)
