"""Faust at block speed: one synthetic record per fetched batch instead of one event per message.

Faust pays four asyncio tasks, a decode, a queue and an acknowledgement for every message. For the topics
given to `block_transport` the consumer's scheduler hands on, per partition and fetch, a single record whose
value is a `Block`: the raw values of thousands of messages. Other topics (changelogs) pass untouched.

What Kafka is told to be done is decoupled from Faust's acknowledgements: `BlockConsumer` commits exactly
what a checkpoint said (`checkpointed`), and a committed offset is only ever a hint. The truth is the offset
in the checkpoint, with which `streams.checkpoints` checks that no block is missing or comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import faust
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP
from yarl import URL


@dataclass(frozen=True)
class Block:
    """Consecutive messages of one partition, as fetched.

    `offsets[i]` belongs to `values[i]`; between them there are only offsets without a message (compacted or
    transaction markers). `timestamps_ms` are the broker's or producer's times of the messages.
    """

    topic: str
    partition: int
    offsets: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    timestamps_ms: list[int]

    @property
    def first_offset(self) -> int:
        return self.offsets[0]

    @property
    def next_offset(self) -> int:
        return self.offsets[-1] + 1

    def __len__(self) -> int:
        return len(self.offsets)

    def since(self, offset: int) -> Block:
        """The part of the block from `offset` on."""
        k = next((i for i, o in enumerate(self.offsets) if o >= offset), len(self.offsets))
        if k == 0:
            return self
        return Block(
            self.topic,
            self.partition,
            self.offsets[k:],
            self.keys[k:],
            self.values[k:],
            self.timestamps_ms[k:],
        )

    def singles(self) -> list[Block]:
        """The same messages, one a block."""
        return [
            Block(self.topic, self.partition, [offset], [key], [value], [at])
            for offset, key, value, at in zip(
                self.offsets, self.keys, self.values, self.timestamps_ms, strict=True
            )
        ]


@dataclass(frozen=True)
class _BlockRecord:
    """What the driver's `_to_message` reads of a record, with a `Block` for a value."""

    topic: str
    partition: int
    offset: int  # of the last message
    timestamp: int
    timestamp_type: int
    value: Block
    serialized_value_size: int
    headers: tuple[()] = ()
    key: bytes | None = None
    checksum: int | None = None
    serialized_key_size: int = 0


def _to_block_record(tp: TP, records: list[Any]) -> _BlockRecord:
    last = records[-1]
    block = Block(
        tp.topic,
        tp.partition,
        [r.offset for r in records],
        [r.key for r in records],
        [r.value for r in records],
        [r.timestamp for r in records],
    )
    return _BlockRecord(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp,
        last.timestamp_type,
        block,
        sum(len(value) for value in block.values if value is not None),
    )


def block_scheduler(topics: frozenset[str], max_messages: int) -> type[DefaultSchedulingStrategy]:
    """A Faust `ConsumerScheduler` that coalesces the messages of `topics`, at most `max_messages` a block."""

    class BlockScheduler(DefaultSchedulingStrategy):
        def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
            plain = {tp: fetched for tp, fetched in records.items() if tp.topic not in topics}
            # round robin over the partitions, so that a long backlog in one does not hold up the others
            waiting = {tp: fetched for tp, fetched in records.items() if tp.topic in topics and fetched}
            start = 0
            while waiting:
                for tp in list(waiting):
                    part = waiting[tp][start : start + max_messages]
                    if part:
                        yield tp, _to_block_record(tp, part)
                    if start + max_messages >= len(waiting[tp]):
                        del waiting[tp]
                start += max_messages
            if plain:
                yield from super().iterate(plain)

    return BlockScheduler


class BlockSchema(faust.Schema):
    """Hands keys and values on as they are: a `Block` for block topics."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        return message.value


class _NoReadOffsets(dict[TP, int | None]):
    """Lets every fetched block through.

    Faust drops what lies before the last offset it handed on, and writes that offset down *after* the block
    was taken: a seek back meanwhile is overwritten, and everything fetched again is dropped in silence.
    """

    def __getitem__(self, tp: TP) -> None:
        return None


class BlockConsumer(Consumer):
    """Commits what checkpoints say; Faust's gap bookkeeping would take every block for a hole."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._checkpointed: dict[TP, int] = {}
        self._read_offset = _NoReadOffsets()

    def checkpointed(self, tp: TP, next_offset: int) -> None:
        """All messages before `next_offset` are in a delivered checkpoint: it may be committed."""
        self._checkpointed[tp] = next_offset

    def forget(self, tps: set[TP]) -> None:
        """Drop what is known of partitions that were lost."""
        for tp in tps:
            self._checkpointed.pop(tp, None)

    def on_buffer_full(self, tp: TP) -> None:
        """Keep the partition: Faust would take it out, and sleep a whole second once all are out.

        The queue is short, so a full one holds up fetching until the agent has taken a block.
        """

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing was taken out."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        return None

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter(list(self._checkpointed))

    def _new_offset(self, tp: TP) -> int | None:
        self._acked.pop(tp, None)
        self._acked_index.pop(tp, None)
        return self._checkpointed.get(tp)


class BlockTransport(Transport):
    """Faust's aiokafka transport with the consumer above."""

    Consumer = BlockConsumer


def use_blocks(app: faust.App, bootstrap: str) -> None:
    """Give `app` the block transport; to be called before anything reads `app.transport`."""
    app.transport = BlockTransport([URL(f"kafka://{address}") for address in bootstrap.split(",")], app)
