"""Faust at block speed: one synthetic record per fetched batch instead of one event per message.

Faust pays four asyncio tasks, a decode, a queue and an acknowledgement for every message, and aiokafka
makes two Python objects of it. Here the consumer hands on, per partition and fetch, records whose value is
a `streams.transport.block.Block`: thousands of messages as columns of their bytes
(`streams.transport.block_fetcher`).

What Kafka is told to be done is decoupled from Faust's acknowledgements: `BlockConsumer` commits exactly
what a checkpoint said (`checkpointed`), and a committed offset is only ever a hint. The truth is the offset
in the checkpoint, with which `streams.worker.checkpoints` checks that no block is missing or comes twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, cast

import faust
from aiokafka.structs import TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP
from yarl import URL

from streams.transport.block_fetcher import fetch_blocks

TAKEN_WITHIN_S = 2.0
FETCH_WAIT_MS = 200
FETCHES_APART_S = 0.01


class BlockScheduler(DefaultSchedulingStrategy):
    """Takes the partitions in turns: a long backlog in one does not hold up the others."""

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        longest = max(map(len, records.values()), default=0)
        for turn in range(longest):
            for tp, blocks in records.items():
                if turn < len(blocks):
                    yield tp, blocks[turn]


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


class BlockThread(AIOKafkaConsumerThread):
    """Faust's consumer thread; its aiokafka consumer fetches blocks."""

    async def on_start(self) -> None:
        await super().on_start()
        assert isinstance(self.consumer, BlockConsumer)
        fetcher = self._ensure_consumer()._fetcher
        fetch_blocks(fetcher, self.consumer.max_block_messages, FETCHES_APART_S)
        # aiokafka asks for the others when some partitions were fetched and not taken for 0.1 s; what comes
        # in those waits until that request is over: 1.5 s if the others are silent, as requests mostly are
        fetcher._prefetch_backoff = TAKEN_WITHIN_S
        fetcher._fetch_max_wait_ms = FETCH_WAIT_MS

    def seek(self, partition: TP, offset: int) -> None:
        """Seek on the thread's own loop, soon: aiokafka's fetcher falls over a seek from another thread."""
        consumer = self._ensure_consumer()

        def seek() -> None:
            if partition in consumer.assignment():
                consumer.seek(partition, offset)

        self.thread_loop.call_soon_threadsafe(seek)

    async def end(self, leave: bool) -> None:
        """End the consumer; `leave`: tell the group, so that others get the partitions at once.

        aiokafka never lets a static member leave: its partitions would wait for its session to end.
        """
        consumer = self._ensure_consumer()
        if leave and consumer._coordinator is not None:
            consumer._coordinator._group_instance_id = None
        await consumer.stop()

    def position_now(self, tp: TP) -> int | None:
        """Where the next fetch begins that is not handed on yet; None where that is not known."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription and subscription.assignment
        state = assignment and assignment.state_value(TopicPartition(tp.topic, tp.partition))
        if not state or not state.has_valid_position:
            return None
        position: int = state.position
        return position


class BlockConsumer(Consumer):
    """Commits what checkpoints say; Faust's gap bookkeeping would take every block for a hole."""

    max_block_messages = 8_192

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._checkpointed: dict[TP, int] = {}
        self._read_offset = _NoReadOffsets()

    def _new_consumer_thread(self) -> BlockThread:
        return BlockThread(self, loop=self.loop, beacon=self.beacon)

    def handed_on(self, tp: TP) -> int | None:
        """The offset behind the last message that was handed on to Faust; None where that is not known."""
        return cast(BlockThread, self._thread).position_now(tp)

    async def end(self, leave: bool) -> None:
        """Read nothing any more and end the membership in the group; see `BlockThread.end`."""
        thread = cast(BlockThread, self._thread)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(thread.end(leave), thread.thread_loop))

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


def use_blocks(app: faust.App, bootstrap: str, max_messages: int) -> None:
    """Give `app` the block transport; to be called before anything reads `app.transport`."""

    class SizedConsumer(BlockConsumer):
        max_block_messages = max_messages

    class BlockTransport(Transport):
        Consumer = SizedConsumer

    app.transport = BlockTransport([URL(f"kafka://{address}") for address in bootstrap.split(",")], app)
