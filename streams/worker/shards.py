"""Runs the partitions of a worker: blocks in order, checkpoints, recovery, hand-over.

A `Shard` is the state of one partition with its logic, free of Kafka. `Shards` owns those of the partitions
assigned to this worker and keeps four promises:

- a block is processed only if it begins where the state ends; on a hole the consumer seeks back;
- what is decided is in a delivered bucket before it is sent, and is sent again after a crash, same id;
- offsets are committed only behind a delivered checkpoint;
- only partitions that are assigned are opened, from all of their changelog; when they are taken away they are
  checkpointed and forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import faust
import numpy as np
from faust.types import TP

from geo.errors import FlaneurError
from models.trips.step import Lap
from streams.kafka.topics import GPS_FIXES
from streams.settings import Settings
from streams.telemetry import metrics
from streams.transport.block import Block
from streams.transport.blocks import BlockConsumer
from streams.worker.block_trace import BlockTrace
from streams.worker.checkpoints import CheckpointTable
from streams.worker.delivery import Outgoing, confirm, dead_letter, deliver, send
from streams.worker.leaving import EXIT_AGAIN, leave
from streams.worker.repair import load_buckets, rebuild

log = logging.getLogger(__name__)

MOST_UNDER_WAY = 64  # outcomes of a partition that are being sent
SLICE_S = 0.004  # of packing; then the loop is free for others
REST = 1.5  # times what a slice took, sealing included: checkpoints leave most of the time to others
SILENCE_S = 1.0  # a fetch takes milliseconds; sought back in vain, it is merely done again
LONG_SILENCE_S = 10.0


@dataclass
class Outcome:
    """What came of a block: messages to send, and the names of what must be stored before they are."""

    messages: list[Outgoing] = field(default_factory=list)
    write_ahead: set[str] = field(default_factory=set)
    laps: list[Lap] = field(default_factory=list)  # what was done for it, and when
    trace: BlockTrace | None = None


class Shard(Protocol):
    """The state of one partition and what it does with blocks; no Kafka, no clock."""

    def load(self, buckets: Mapping[str, bytes]) -> None:
        """Take recovered buckets in, the oldest first; raises BadRecord."""

    def recovered(self) -> list[Outgoing]:
        """What may not have been sent before the crash, once all buckets are loaded."""

    def process(self, block: Block) -> Outcome:
        """Fold a block in. A block that was partly contained before is skipped as far as it was."""

    def dirty(self) -> set[str]:
        """Names of the buckets that changed since they were last stored. A checkpoint of them begins."""

    def pack(self, name: str, positions: Mapping[str, int]) -> bytes | None:
        """A bucket's bytes; None if it is gone.

        It contains everything before `positions`, and whatever it contained when it was loaded: after a crash
        the positions begin behind the buckets that were stored last.
        """

    def stored(self, names: Iterable[str]) -> None:
        """These buckets were handed to the producer, in order with all that comes later."""

    def sent(self) -> None:
        """All messages returned so far are delivered."""

    def checkpointed(self) -> None:
        """Everything that was dirty when the checkpoint began is delivered."""


@dataclass(frozen=True)
class _Sending:
    """An outcome on its way."""

    handed_over: asyncio.Future[None]  # to the producer: what comes later stays behind it
    delivered: asyncio.Future[None]


@dataclass
class _Owned:
    shard: Shard
    positions: dict[str, int]  # next offset to process, by topic
    newest_s: dict[str, float] = field(default_factory=dict)  # broker's time of the newest processed message
    caught_up_s: dict[str, float] = field(default_factory=dict)  # when nothing was seen waiting last
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    stored: dict[str, int] = field(default_factory=dict)  # the offsets of the newest checkpoint
    sought: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # topic -> expected, first, times
    under_way: list[_Sending] = field(default_factory=list)  # in order, since all were last delivered


class Shards:
    """The shards of one kind that this worker owns."""

    def __init__(
        self,
        app: faust.App,
        settings: Settings,
        table: CheckpointTable,
        topics: tuple[str, ...],
        make_shard: Callable[[int], Shard],
        ready: asyncio.Event,
        one_by_one: frozenset[str] = frozenset(),
    ) -> None:
        self.app = app
        self.settings = settings
        self.table = table
        self.topics = topics
        self._make_shard = make_shard
        self._ready = ready
        self.one_by_one = one_by_one
        self.owned: dict[int, _Owned] = {}
        self._opening = asyncio.Lock()
        self._assigned: frozenset[int] = frozenset()
        self.joined = False  # whether the group has said which partitions are this worker's, be it none
        self._ended = False
        self._generation = 0  # rises whenever partitions are taken away
        self._blocks_rebuilt = 0
        self._careful: dict[tuple[str, int], int] = {}  # (topic, partition) -> singly up to this offset
        self._poison: set[tuple[str, int, int]] = set()
        self._parked: dict[int, _Owned] = {}  # handed over, and perhaps given back by the same rebalance
        self._lease_at = time.monotonic()
        self._lease_ran_out = False
        self._still: dict[TP, tuple[int, float]] = {}  # position, and since when it is that
        self._healed: dict[TP, tuple[int, int]] = {}  # position, and how often it was sought back to
        self._moved_at = 0.0  # when any of them last moved

    # ---- blocks

    async def consume(self, stream: faust.StreamT[Any]) -> None:
        """An agent's body: take every block of its topic, in order."""
        async for event in cast("faust.Stream[Any]", stream).noack().events():
            try:
                await self.take(event.value)
            except FlaneurError as error:
                leave(error)
            await stream.ack(event)

    async def take(self, block: Block) -> None:
        """Process one block of one of the topics; returns when everything that follows from it is sent.

        Messages of `one_by_one` topics need a search each: they are taken singly, so that nobody waits for
        the answers of others, and fixes get their turn in between.
        """
        for part in block.singles() if block.topic in self.one_by_one else (block,):
            await self._take(part)

    async def _take(self, block: Block) -> None:
        await self._ready.wait()
        owned = await self.open(block.partition)
        if owned is None:
            return
        async with owned.lock:
            if self.owned.get(block.partition) is not owned:
                return  # handed over while waiting
            part = await self._contiguous(owned, block)
            if part is None:
                return
            for piece in self._pieces(part):
                if not await self._process(owned, piece):
                    break
            else:
                return
        await self._start_over(block.partition)

    async def _process(self, owned: _Owned, block: Block) -> bool:
        """Process one block and send what follows; False if our own code failed on it."""
        started = time.perf_counter()
        trace = None if block.contexts is None else BlockTrace.of(block)
        poison = self._poison and self._poison.intersection(
            (block.topic, block.partition, offset) for offset in block.offsets.tolist()
        )
        if poison:
            outcome = self._put_aside(block)
        else:
            try:
                outcome = owned.shard.process(block)
            except Exception:
                await self.settle(owned)
                with BlockTrace.failing(trace):
                    self._distrust(block)
                return False
        owned.positions[block.topic] = block.next_offset
        owned.newest_s[block.topic] = float(block.timestamps_ms[-1]) / 1000.0
        if trace is not None:
            trace.processed(outcome.messages, outcome.laps)
            outcome.trace = trace
        delivered = await self.emit(owned, block.partition, outcome)
        if block.topic == GPS_FIXES:
            _when_answered(block, delivered)
        metrics.NEWEST_TS.labels(block.topic).set(owned.newest_s[block.topic])
        metrics.BLOCKS.labels(block.topic).inc()
        metrics.BLOCK_MESSAGES.observe(len(block))
        metrics.MESSAGES.labels(block.topic).inc(len(block))
        metrics.BLOCK_SECONDS.observe(time.perf_counter() - started)
        return True

    # ---- a block that our own code fails on

    def _distrust(self, block: Block) -> None:
        """The state may be half changed: forget it. The checkpoint is read again, the consumer sought back.

        The next time the messages come one by one; one that fails alone is put aside as a dead letter.
        """
        log.exception("%s/%d: failed on a block at %d", block.topic, block.partition, block.first_offset)
        if len(block) == 1:
            self._poison.add((block.topic, block.partition, block.first_offset))
        self._careful[(block.topic, block.partition)] = block.next_offset
        self.owned.pop(block.partition, None)

    async def _start_over(self, partition: int) -> None:
        owned = await self.open(partition)
        if owned is None:
            return
        for topic, position in owned.positions.items():
            await self.app.consumer.seek(TP(topic, partition), position)

    def _pieces(self, block: Block) -> list[Block]:
        if block.first_offset < self._careful.get((block.topic, block.partition), 0):
            return block.singles()
        return [block]

    def _put_aside(self, block: Block) -> Outcome:
        return Outcome(
            [
                dead_letter(block.topic, block.partition, offset, key, value, "internal_error")
                for offset, key, value in zip(block.offsets.tolist(), block.keys, block.values, strict=True)
            ]
        )

    async def emit(self, owned: _Owned, partition: int, outcome: Outcome) -> asyncio.Future[None] | None:
        """Store what the messages follow from; once that is delivered they are sent. The lock must be held.

        Returns while both are under way: the next block need not wait. Messages stay in the order of these
        calls; `settle` waits for them, and the future that is returned for this one's (None: there are none).
        """
        if not outcome.messages and not outcome.write_ahead:
            if outcome.trace is not None:
                outcome.trace.end()
            return None
        if len(owned.under_way) >= MOST_UNDER_WAY:
            await self.settle(owned)
        stored = (
            await self._store(owned, partition, sorted(outcome.write_ahead)) if outcome.write_ahead else []
        )
        before = owned.under_way[-1].handed_over if owned.under_way else None
        handed_over = asyncio.get_running_loop().create_future()
        delivered = asyncio.ensure_future(self._send(owned, stored, before, outcome, handed_over))
        owned.under_way.append(_Sending(handed_over, delivered))
        return delivered

    async def _send(
        self,
        owned: _Owned,
        stored: list[asyncio.Future[Any]],
        before: asyncio.Future[None] | None,
        outcome: Outcome,
        handed_over: asyncio.Future[None],
    ) -> None:
        messages, trace = outcome.messages, outcome.trace
        try:
            await confirm(stored)
            if before is not None:
                await before
            if trace is not None:
                messages = trace.publishing(messages, stored=bool(stored))
            sent = await send(self.app, messages)
            handed_over.set_result(None)
            await confirm(sent)
            if trace is not None:
                trace.end()
        except Exception as error:
            leave(error)
        if owned.under_way[-1].handed_over is handed_over:
            owned.under_way.clear()
            owned.shard.sent()

    async def settle(self, owned: _Owned) -> None:
        """Wait until everything that was emitted so far is delivered."""
        while owned.under_way:
            await owned.under_way[-1].delivered

    async def _contiguous(self, owned: _Owned, block: Block) -> Block | None:
        """The part of `block` that was not processed yet; None if there is none, or if it must wait."""
        expected = owned.positions[block.topic]
        if block.next_offset <= expected:
            return None
        if block.first_offset <= expected:
            owned.sought.pop(block.topic, None)
            return block.since(expected)
        metrics.HOLES_FOUND.labels(block.topic).inc()
        tp = TP(block.topic, block.partition)
        earliest = (await self._consumer.earliest_offsets(tp)).get(tp) or 0
        if earliest > expected:
            metrics.OFFSETS_LOST.labels(block.topic).inc(earliest - expected)
            log.error(
                "%s/%d: the broker no longer has offsets %d to %d: its retention is shorter than this"
                " worker was away",
                block.topic, block.partition, expected, earliest - 1,
            )  # fmt: skip
            expected = owned.positions[block.topic] = earliest
            if block.first_offset <= expected:
                owned.sought.pop(block.topic, None)
                return block.since(expected)
        was_expected, was_first, times = owned.sought.get(block.topic, (-1, -1, 0))
        if was_expected == expected and was_first == block.first_offset:
            times += 1
        else:
            times = 0
        if times >= 3:
            # sought back to the same place again and again: no message lies between (transaction markers)
            owned.sought.pop(block.topic, None)
            return block
        owned.sought[block.topic] = (expected, block.first_offset, times)
        log.warning(
            "%s/%d: a block begins at %d, %d is next: seeking back",
            block.topic, block.partition, block.first_offset, expected,
        )  # fmt: skip
        await self.app.consumer.seek(tp, expected)
        metrics.HOLES_HEALED.labels(block.topic).inc()
        return None

    @property
    def _consumer(self) -> BlockConsumer:
        consumer = self.app.consumer
        assert isinstance(consumer, BlockConsumer)
        return consumer

    # ---- opening and handing over

    def assign(self, partitions: Iterable[int]) -> None:
        """These partitions are this worker's from now on, no others: what it held of those is forgotten."""
        metrics.REBALANCES.inc()
        self._lease_at, self._lease_ran_out = time.monotonic(), False
        self._assigned = frozenset() if self._ended else frozenset(partitions)
        self.joined = True
        self._parked = {p: owned for p, owned in self._parked.items() if p in self._assigned}

    async def open(self, partition: int) -> _Owned | None:
        """The shard of an assigned partition, from its checkpoint if it is not open yet.

        None if the partition is not assigned, or was taken away while its checkpoint was read: another worker
        may have written since, and a block that came before it was taken away must not bring it back.
        """
        owned = self.owned.get(partition)
        if owned is not None:
            return owned
        async with self._opening:
            owned = self.owned.get(partition)
            if owned is not None or partition not in self._assigned:
                return owned
            generation = self._generation
            parked = self._parked.pop(partition, None)
            if parked is not None and await self.table.untouched(partition):
                if self._generation != generation:
                    return None
                self.owned[partition] = parked
                log.info("%s/%d goes on at %s", self.table.name, partition, parked.positions)
                self._count()
                return parked
            owned, unsent = await self._recover(partition)
            if self._generation != generation:
                return None
            async with owned.lock:
                # before anything is awaited: a change of the world must find it
                self.owned[partition] = owned
                if unsent:
                    await deliver(self.app, unsent)
                    owned.shard.sent()
            log.info("%s/%d opened at %s", self.table.name, partition, owned.positions)
        self._count()
        return owned

    async def _recover(self, partition: int) -> tuple[_Owned, list[Outgoing]]:
        """The partition as its checkpoint says, rebuilt if that is not whole; and what may be unsent."""
        generation = self._generation

        def ours() -> bool:
            self._check_lease()
            self._blocks_rebuilt += 1
            return self._generation == generation

        rebuilt = False
        while True:
            found = await self.table.read(partition)
            positions = await self._positions(partition, found.offsets or {})
            shard = self._make_shard(partition)
            unsent, unusable = load_buckets(shard, found.buckets)
            if rebuilt or not (found.flaw() or unusable):
                metrics.RECOVERED_BUCKETS.labels(self.table.name).inc(len(found.buckets))
                return _Owned(shard, positions), unsent
            await rebuild(self.table, self.settings, self.topics, partition, found, self._make_shard, ours)
            rebuilt = True

    async def _positions(self, partition: int, known: Mapping[str, int]) -> dict[str, int]:
        positions = {topic: known[topic] for topic in self.topics if topic in known}
        unknown = [TP(topic, partition) for topic in self.topics if topic not in positions]
        if unknown:  # a question that waits for a fetch to end
            earliest = await self._consumer.earliest_offsets(*unknown)
            positions |= {tp.topic: earliest.get(tp) or 0 for tp in unknown}
        return positions

    async def open_assigned(self) -> None:
        """Open every partition that was assigned, whether or not a block comes."""
        await self._ready.wait()
        for partition in sorted(self._assigned):
            await self.open(partition)

    async def hand_over(self, partitions: Collection[int]) -> None:
        """Checkpoint partitions that are being taken away.

        In a rebalance all of them are, and most are given back: the state of those is used again, without
        reading their changelogs, if nobody else has written there meanwhile.
        """
        await self._let_go(partitions)
        self._consumer.forget({TP(topic, partition) for topic in self.topics for partition in partitions})
        self._count()

    async def drain(self) -> None:
        """Checkpoint everything, and take nothing any more: the process is about to end."""
        self._ended = True
        await self._let_go(self._assigned | self.owned.keys())
        self._count()

    async def _let_go(self, partitions: Collection[int]) -> None:
        self._generation += 1
        self._assigned -= frozenset(partitions)
        for partition in partitions:
            # a rebalance while the worker drains: the other one may have it already
            owned = self.owned.get(partition)
            if owned is None:
                continue
            async with owned.lock:
                if self.owned.get(partition) is not owned:
                    continue
                await self._checkpoint_at_once(owned, partition)
                del self.owned[partition]
                self._parked[partition] = owned
            metrics.forget_partition(self.table.name, self.topics, partition)

    def _count(self) -> None:
        metrics.PARTITIONS.labels(self.table.name).set(len(self.owned))

    # ---- checkpoints

    async def checkpoint_all(self) -> None:
        """Checkpoint every shard that changed since its last checkpoint.

        A shard is held for a slice of its buckets at a time. Others have their turn in between, so that the
        slices contain different offsets, none of them less than the offsets written at the end.
        """
        for partition, owned in list(self.owned.items()):
            await self._checkpoint(owned, partition)

    async def _checkpoint(self, owned: _Owned, partition: int) -> None:
        async with owned.lock:
            if self.owned.get(partition) is not owned:
                return
            names, positions = sorted(owned.shard.dirty()), dict(owned.positions)
            emitted, before = [one.delivered for one in owned.under_way], owned.stored
        if not names and owned.stored == positions:
            metrics.CHECKPOINT_TS.labels(self.table.name, str(partition)).set(time.time())
            return
        started = time.perf_counter()
        sent: list[asyncio.Future[Any]] = []
        while names:
            began = time.perf_counter()
            async with owned.lock:
                if self.owned.get(partition) is not owned:
                    break
                sent += await self._store(owned, partition, names, SLICE_S)
            await asyncio.sleep(REST * (time.perf_counter() - began))
        await asyncio.gather(*emitted)  # what lies before the offsets must have been sent
        async with owned.lock:
            # not if it was handed over meanwhile: that wrote younger offsets
            if self.owned.get(partition) is owned and owned.stored is before:
                sent += await self._store_offsets(owned, partition, positions)
        await self._end_checkpoint(owned, partition, positions, sent, started)

    def renew_lease(self) -> None:
        """To be called from the loop several times a second; see `_check_lease`."""
        now = time.monotonic()
        # what ran out stays so: after a stop, this may be called before anything is written
        self._lease_ran_out |= now - self._lease_at > self.settings.session_timeout_s
        self._lease_at = now

    def _check_lease(self) -> None:
        """A process that was stopped for longer than its session no longer owns anything: it must not write.

        The loop renews the lease all the time; if it has not for a whole session, the broker has given the
        partitions to others, until it assigns some again.
        """
        self.renew_lease()
        if self._lease_ran_out:
            leave("this process stood still for longer than its session", EXIT_AGAIN)

    async def _checkpoint_at_once(self, owned: _Owned, partition: int) -> None:
        """All of it while the lock is held."""
        started = time.perf_counter()
        await self.settle(owned)
        names, positions = sorted(owned.shard.dirty()), dict(owned.positions)
        if not names and owned.stored == positions:
            return
        sent: list[asyncio.Future[Any]] = []
        while names:
            sent += await self._store(owned, partition, names, SLICE_S)
            await asyncio.sleep(0)
        sent += await self._store_offsets(owned, partition, positions)
        await self._end_checkpoint(owned, partition, positions, sent, started)

    async def _end_checkpoint(
        self,
        owned: _Owned,
        partition: int,
        positions: dict[str, int],
        sent: list[asyncio.Future[Any]],
        started: float,
    ) -> None:
        await confirm(sent)
        if self.owned.get(partition) is not owned or owned.stored is not positions:
            return
        owned.shard.checkpointed()
        for topic, offset in positions.items():
            self._consumer.checkpointed(TP(topic, partition), offset)
        metrics.CHECKPOINT_TS.labels(self.table.name, str(partition)).set(time.time())
        metrics.CHECKPOINT_SECONDS.observe(time.perf_counter() - started)

    async def _store(
        self, owned: _Owned, partition: int, names: list[str], within_s: float = math.inf
    ) -> list[asyncio.Future[Any]]:
        """Pack and send the last of `names`, taking them off, for `within_s`. The lock must be held."""
        self._check_lease()
        positions = dict(owned.positions)
        packed: dict[str, bytes | None] = {}
        started = time.perf_counter()
        while names and time.perf_counter() - started < within_s:
            name = names.pop()
            packed[name] = owned.shard.pack(name, positions)
        metrics.CHECKPOINT_SLICE_SECONDS.observe(time.perf_counter() - started)
        sent = await self.table.write(partition, packed, None)
        owned.shard.stored(packed)
        return sent

    async def _store_offsets(
        self, owned: _Owned, partition: int, offsets: dict[str, int]
    ) -> list[asyncio.Future[Any]]:
        self._check_lease()
        owned.stored = offsets
        return await self.table.write(partition, {}, offsets)

    # ---- lag

    async def heal_silence(self) -> None:
        """Seek back where messages wait and none has come for a while. To be called several times a second.

        Faust also drops fetched blocks with nothing behind them that would show the hole: the consumer then
        stands at the end of the partition and waits for ever. As long as other partitions get on, what is
        missing may just be queued behind theirs; and what was not handed to Faust yet is merely slow.
        """
        now = time.monotonic()
        positions = {
            TP(topic, partition): position
            for partition, owned in self.owned.items()
            for topic, position in owned.positions.items()
        }
        for tp, position in positions.items():
            behind = (self.app.consumer.highwater(tp) or 0) > position
            if not behind or self._still.get(tp, (-1, now))[0] != position:
                self._still[tp] = (position, now)
            if self._still[tp][1] == now and behind:
                self._moved_at = now
        busy = now - self._moved_at < SILENCE_S or any(owned.lock.locked() for owned in self.owned.values())
        for tp, position in positions.items():
            was_at, times = self._healed.get(tp, (-1, 0))
            times = times if was_at == position else 0
            # a slow broker's answer would be thrown away again and again
            patient = busy or self._consumer.handed_on(tp) == position
            patience_s = LONG_SILENCE_S if patient else min(LONG_SILENCE_S, SILENCE_S * 2**times)
            if now - self._still[tp][1] > patience_s:
                self._healed[tp] = (position, times + 1)
                log.warning(
                    "%s/%d: %d waits and does not come: seeking back", tp.topic, tp.partition, position
                )
                metrics.HOLES_FOUND.labels(tp.topic).inc()
                await self.app.consumer.seek(tp, position)
                metrics.HOLES_HEALED.labels(tp.topic).inc()
                self._still[tp] = (position, now)

    def count_holes(self) -> None:
        """Set the metric of open holes: sought back to, and nothing has come since that closes them."""
        holes = dict.fromkeys(self.topics, 0)
        for partition, owned in self.owned.items():
            for topic, position in owned.positions.items():
                tp = TP(topic, partition)
                silent = self._healed.get(tp, (-1, 0))[0] == position
                behind = (self.app.consumer.highwater(tp) or 0) > position
                holes[topic] += topic in owned.sought or (silent and behind)
        for topic, count in holes.items():
            metrics.HOLES_OPEN.labels(topic).set(count)

    @property
    def unopened(self) -> int:
        """Partitions that are assigned and not open yet."""
        return len(self._assigned - self.owned.keys())

    @property
    def progress(self) -> int:
        """Changes whenever anything gets on: a block, a message of a changelog, a block read again."""
        positions = sum(sum(owned.positions.values()) for owned in self.owned.values())
        return positions + self.table.messages_read + self._blocks_rebuilt

    def measure_lag(self) -> int:
        """Set the lag metrics; returns the messages that wait in all partitions.

        What waits came after the newest message that was processed, and after the last look that saw nothing
        wait: of a topic that is silent for hours, the first alone would tell hours.
        """
        total, now_s = 0, time.time()
        for partition, owned in self.owned.items():
            for topic, position in owned.positions.items():
                highwater = self.app.consumer.highwater(TP(topic, partition))
                lag = max(0, (highwater or 0) - position)
                metrics.LAG_MESSAGES.labels(topic, str(partition)).set(lag)
                if not lag:
                    owned.caught_up_s[topic] = now_s
                since_s = max(owned.newest_s.get(topic, 0.0), owned.caught_up_s.get(topic, 0.0))
                behind_s = max(0.0, now_s - since_s) if lag and since_s else 0.0
                metrics.LAG_SECONDS.labels(topic, str(partition)).set(behind_s)
                total += lag
        return total


def _when_answered(block: Block, delivered: asyncio.Future[None] | None) -> None:
    """Note the age of a block's messages, each once, as soon as what followed is delivered."""

    def note(_: object = None) -> None:
        ages_s = time.time() - np.asarray(block.timestamps_ms, np.float64) / 1000.0
        metrics.ANSWER_AGE.observe_all(np.maximum(ages_s, 0.0))

    if delivered is None:
        note()
    else:
        delivered.add_done_callback(note)
