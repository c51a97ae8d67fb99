"""Rebuilds a partition whose changelog is damaged or incomplete from the input that led to it.

What is whole is loaded. Then the input is read again, in the order in which the broker received it, up to
where the partition was checkpointed: from the checkpoint's offsets if only the end of the changelog is gone,
else from the beginning. Buckets that are whole skip what they contain. What followed from that input was sent
before it was checkpointed, so updates and dead letters are not sent again. The rebuilt state is written as a
checkpoint, from which the partition is then opened as always.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING

from geo.errors import BadInput, BadRecord
from streams.kafka.topic_reader import Message, TopicReader
from streams.kafka.topics import EDGE_CONDITIONS
from streams.settings import Settings
from streams.telemetry import metrics
from streams.transport.block import Block
from streams.worker.checkpoints import OFFSETS, Checkpoint, CheckpointTable
from streams.worker.delivery import Outgoing, confirm, deliver

if TYPE_CHECKING:
    from streams.worker.shards import Shard

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stretch:
    """Input to be read again: a topic from `start` to before `end`; the broker has it from `earliest`."""

    topic: str
    start: int
    end: int
    earliest: int

    @property
    def lost(self) -> int:
        """How many offsets are needed that the broker no longer has."""
        return max(0, min(self.earliest, self.end) - self.start)


def load_buckets(shard: Shard, buckets: Mapping[str, bytes]) -> tuple[list[Outgoing], list[str]]:
    """Load what can be loaded: what may not have been sent, and the names of what cannot be used."""
    unusable = []
    for name, data in buckets.items():
        try:
            shard.load({name: data})
        except BadRecord as error:
            log.error("%s", error)
            unusable.append(name)
    return shard.recovered(), unusable


def stretches(
    settings: Settings, found: Checkpoint, partition: int, topics: Iterable[str], *, whole: bool
) -> list[Stretch]:
    """What has to be read again; `whole`: every bucket is there as it was when the offsets were written."""
    known = found.offsets or {}
    wanted = []
    with TopicReader(settings) as reader:
        for topic in topics:
            earliest, end = reader.bounds(topic, partition)
            reached = max(known.get(topic, 0), found.committed.get(topic, 0))
            start = known.get(topic, 0) if whole else 0
            wanted.append(Stretch(topic, start, min(reached, end), earliest))
    return wanted


def input_blocks(
    settings: Settings, partition: int, wanted: Iterable[Stretch], max_messages: int
) -> Iterator[Block]:
    """The messages of these stretches in the order of the broker's time, in blocks of one topic each."""
    with ExitStack() as stack:
        readers = [
            _from_topic(
                stack.enter_context(TopicReader(settings)).partition(
                    one.topic, partition, one.start, one.end
                ),
                one.topic,
            )
            for one in wanted
            if max(one.start, one.earliest) < one.end
        ]
        merged = heapq.merge(*readers, key=lambda pair: pair[1].at_s)
        for topic, pairs in groupby(merged, key=lambda pair: pair[0]):
            messages = (message for _, message in pairs)
            while some := list(islice(messages, max_messages)):
                yield _block(topic, partition, some)


def _from_topic(messages: Iterable[Message], topic: str) -> Iterator[tuple[str, Message]]:
    return ((topic, message) for message in messages)


def _block(topic: str, partition: int, messages: list[Message]) -> Block:
    return Block.of(
        topic,
        partition,
        [m.offset for m in messages],
        [m.key for m in messages],
        [m.value for m in messages],
        [round(m.at_s * 1000) for m in messages],
    )


async def rebuild(
    table: CheckpointTable,
    settings: Settings,
    topics: tuple[str, ...],
    partition: int,
    found: Checkpoint,
    make_shard: Callable[[int], Shard],
    ours: Callable[[], bool],
) -> None:
    """Make the partition's checkpoint whole again; `ours`: whether the partition is still this worker's.

    Raises BadInput if the broker no longer has all the input that is needed, unless losses are accepted.
    """
    shard = make_shard(partition)
    unsent, unusable = load_buckets(shard, found.buckets)
    flaw = found.flaw() or f"{len(unusable)} of its buckets cannot be used, first {unusable[0]}"
    whole = not (found.damaged or found.missing or unusable or found.offsets is None)
    wanted = await asyncio.to_thread(stretches, settings, found, partition, topics, whole=whole)
    metrics.CHECKPOINTS_FLAWED.labels(table.name).inc()
    log.error("the checkpoint of %s/%d is not whole: %s", table.name, partition, flaw)
    _check_retention(table.name, partition, flaw, wanted, settings)
    if unsent:
        await deliver(table.app, unsent)
        shard.sent()
    positions = {one.topic: max(one.start, min(one.earliest, one.end)) for one in wanted}
    blocks = input_blocks(settings, partition, wanted, settings.max_block_fixes)
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        outcome = await asyncio.to_thread(shard.process, block)
        positions[block.topic] = block.next_offset
        # conditions are facts with versions: they do no harm when they come again, and a missing one does
        await deliver(table.app, [m for m in outcome.messages if m.topic == EDGE_CONDITIONS])
        shard.sent()
        metrics.MESSAGES_REBUILT.labels(block.topic).inc(len(block))
        if not ours():
            return
    ends = {one.topic: max(one.end, positions[one.topic]) for one in wanted}
    names = shard.dirty() | {name for name in (*found.damaged, *unusable) if name != OFFSETS}
    await confirm(await table.write(partition, {name: shard.pack(name, ends) for name in names}, ends))
    log.error("%s/%d: rebuilt from the input up to %s", table.name, partition, ends)


def _check_retention(
    table: str, partition: int, flaw: str, wanted: Iterable[Stretch], settings: Settings
) -> None:
    for one in wanted:
        if not one.lost:
            continue
        metrics.OFFSETS_LOST.labels(one.topic).inc(one.lost)
        if not settings.accept_loss:
            raise BadInput(
                f"the checkpoint of {table}/{partition} is not whole ({flaw}), and it cannot be rebuilt: the"
                f" broker has {one.topic} only from offset {one.earliest}, not from {one.start}; restore the"
                f" changelog, or start with `flaneur worker --accept-loss` to go on with what is left"
            )
