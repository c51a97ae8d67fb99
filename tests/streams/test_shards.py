"""What a shard's owner does with holes, repeats and failures; the broker tests show the same for real."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from streams.settings import Settings
from streams.transport.block import Block
from streams.transport.blocks import BlockConsumer
from streams.worker import shards as module
from streams.worker.checkpoints import Checkpoint
from streams.worker.delivery import Outgoing
from streams.worker.shards import Outcome, Shards


class Consumer(BlockConsumer):
    """Only what `Shards` asks of a consumer."""

    def __init__(self, earliest: int = 0) -> None:
        self.earliest = earliest
        self.ends: dict[TP, int] = {}
        self.fetched: dict[TP, int] = {}  # where that is not the end
        self.sought: list[tuple[TP, int]] = []
        self.safe: dict[TP, int] = {}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, self.earliest)

    async def seek(self, partition: TP, offset: int) -> None:
        self.sought.append((partition, offset))

    def highwater(self, tp: TP) -> int:
        return self.ends.get(tp, 0)

    def handed_on(self, tp: TP) -> int | None:
        return self.fetched.get(tp, self.ends.get(tp))

    def checkpointed(self, tp: TP, next_offset: int) -> None:
        self.safe[tp] = next_offset

    def forget(self, tps: set[TP]) -> None:
        for tp in tps:
            self.safe.pop(tp, None)


class App:
    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer


class Table:
    """Keeps what was written, as a changelog would."""

    name = "test"

    def __init__(self) -> None:
        self.buckets: dict[str, bytes] = {}
        self.offsets: dict[str, int] | None = None
        self.read_up: asyncio.Event | None = None  # what `read` waits for
        self.reads = 0
        self.others_wrote = False
        self.messages_read = 0

    async def untouched(self, partition: int) -> bool:
        return not self.others_wrote

    async def write(
        self, partition: int, buckets: Mapping[str, bytes | None], offsets: Mapping[str, int] | None
    ) -> list[Any]:
        self.buckets |= {name: data for name, data in buckets.items() if data is not None}
        if offsets is not None:
            self.offsets = dict(offsets)
        return []

    async def read(self, partition: int) -> Checkpoint:
        self.reads += 1
        found = Checkpoint(self.offsets, dict(self.buckets))
        if self.read_up is not None:
            await self.read_up.wait()
        return found


class Adder:
    """A shard that adds numbers; «fail» makes it raise after having added something."""

    def __init__(self) -> None:
        self.total = 0
        self.changed = False

    def load(self, buckets: Mapping[str, bytes]) -> None:
        self.total = int(buckets.get("0", b"0"))

    def recovered(self) -> list[Outgoing]:
        return []

    def process(self, block: Block) -> Outcome:
        for value in block.values:
            assert value is not None
            self.changed = True
            if value == b"fail":
                self.total += 1000
                raise ZeroDivisionError
            self.total += int(value)
        return Outcome()

    def dirty(self) -> set[str]:
        return {"0"} if self.changed else set()

    def pack(self, name: str, positions: Mapping[str, int]) -> bytes:
        return b"%d" % self.total

    def stored(self, names: Iterable[str]) -> None:
        self.changed = False

    def sent(self) -> None: ...

    def checkpointed(self) -> None: ...


def block(offsets: list[int], *values: bytes) -> Block:
    return Block.of("t", 0, offsets, [None] * len(offsets), list(values), [1] * len(offsets))


class Owner:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, earliest: int = 0) -> None:
        self.sent: list[Outgoing] = []

        async def send(_: Any, messages: Iterable[Outgoing]) -> list[Any]:
            self.sent.extend(messages)
            return []

        monkeypatch.setattr(module, "send", send)
        self.consumer, self.table = Consumer(earliest), Table()
        ready = asyncio.Event()
        ready.set()
        app: Any = App(self.consumer)
        table: Any = self.table
        self.shards = Shards(app, Settings(), table, ("t",), lambda _: Adder(), ready)
        self.shards.assign([0])

    def take(self, offsets: list[int], *values: bytes) -> None:
        async def take_and_settle() -> None:
            await self.shards.take(block(offsets, *values))
            for owned in self.shards.owned.values():
                await self.shards.settle(owned)

        asyncio.run(take_and_settle())

    def checkpoint(self) -> None:
        asyncio.run(self.shards.checkpoint_all())

    @property
    def open_holes(self) -> float:
        self.shards.count_holes()
        return REGISTRY.get_sample_value("flaneur_holes_open", {"topic": "t"}) or 0.0

    @property
    def total(self) -> int:
        shard: Any = self.shards.owned[0].shard
        return int(shard.total)


def test_repeats_are_dropped_and_overlaps_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0, 1], b"1", b"2")
    owner.take([0, 1], b"1", b"2")
    owner.take([1, 2], b"2", b"4")
    assert owner.total == 7
    assert owner.consumer.sought == []


def test_a_hole_is_sought_back_and_nothing_is_processed(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0], b"1")
    owner.take([5], b"16")
    assert owner.total == 1
    assert owner.consumer.sought == [(TP("t", 0), 1)]
    assert owner.open_holes == 1
    owner.take([1, 2, 3, 4, 5], b"2", b"0", b"0", b"0", b"4")
    assert owner.total == 7
    assert owner.open_holes == 0


def test_a_hole_with_nothing_in_it_is_accepted_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0], b"1")
    for _ in range(5):
        owner.take([3], b"2")  # offsets 1 and 2 are transaction markers
    assert owner.total == 3


def test_what_retention_deleted_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0], b"1")
    owner.consumer.earliest = 100
    owner.take([100], b"2")
    assert owner.total == 3
    assert owner.consumer.sought == []


def test_only_checkpointed_offsets_may_be_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0, 1], b"1", b"2")
    assert owner.consumer.safe == {}
    owner.checkpoint()
    assert owner.consumer.safe == {TP("t", 0): 2}
    assert owner.table.offsets == {"t": 2}
    assert owner.table.buckets == {"0": b"3"}


def test_hand_over_checkpoints_and_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0, 1], b"1", b"2")
    asyncio.run(owner.shards.hand_over([0]))
    assert owner.shards.owned == {}
    assert owner.table.offsets == {"t": 2}
    owner.shards.assign([0])
    owner.take([2], b"4")
    assert owner.total == 7


def test_who_drains_takes_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0, 1], b"1", b"2")
    asyncio.run(owner.shards.drain())
    assert owner.table.offsets == {"t": 2}
    assert owner.consumer.safe == {TP("t", 0): 2}  # kept, so that it can be committed
    owner.shards.assign([0])  # by a rebalance that comes in between
    owner.take([2], b"4")
    asyncio.run(owner.shards.hand_over([0]))
    assert owner.shards.owned == {}
    assert owner.shards.unopened == 0
    assert owner.table.offsets == {"t": 2}


def test_nothing_more_is_told_of_a_partition_that_was_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0], b"1")
    owner.consumer.ends[TP("t", 0)] = 9
    labels = {"topic": "t", "partition": "0"}
    assert owner.shards.measure_lag() == 8
    assert REGISTRY.get_sample_value("flaneur_consumer_lag_messages", labels) == 8
    asyncio.run(owner.shards.hand_over([0]))
    assert REGISTRY.get_sample_value("flaneur_consumer_lag_messages", labels) is None
    assert REGISTRY.get_sample_value("flaneur_consumer_lag_seconds", labels) is None


def test_after_a_silence_lag_counts_from_when_nothing_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    labels = {"topic": "t", "partition": "0"}
    owner.take([0], b"1")  # long ago
    for end, behind in ((9, True), (1, False), (9, False)):
        owner.consumer.ends[TP("t", 0)] = end
        owner.shards.measure_lag()
        lag_s = REGISTRY.get_sample_value("flaneur_consumer_lag_seconds", labels)
        assert lag_s is not None
        assert (lag_s > 3_600.0) is behind


@pytest.mark.parametrize("others_wrote", [False, True])
def test_what_is_given_back_goes_on_unless_others_wrote(
    monkeypatch: pytest.MonkeyPatch, others_wrote: bool
) -> None:
    owner = Owner(monkeypatch)
    owner.take([0, 1], b"1", b"2")
    asyncio.run(owner.shards.hand_over([0]))
    if others_wrote:
        owner.table.offsets, owner.table.buckets, owner.table.others_wrote = {"t": 5}, {"0": b"100"}, True
    owner.shards.assign([0])
    reads = owner.table.reads
    asyncio.run(owner.shards.open_assigned())
    assert owner.table.reads == reads + others_wrote
    assert owner.total == (100 if others_wrote else 3)
    assert owner.shards.owned[0].positions == {"t": 5 if others_wrote else 2}


def test_what_another_worker_had_in_between_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0], b"1")
    asyncio.run(owner.shards.hand_over([0]))
    owner.shards.assign([])
    owner.shards.assign([0])
    reads = owner.table.reads
    asyncio.run(owner.shards.open_assigned())
    assert owner.table.reads == reads + 1


def test_a_late_block_does_not_bring_a_partition_back(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0], b"1")
    asyncio.run(owner.shards.hand_over([0]))
    owner.table.offsets = None
    owner.take([1], b"2")
    owner.checkpoint()
    assert owner.shards.owned == {}
    assert owner.table.offsets is None


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_partition_taken_away_while_it_opens_is_not_opened(
    monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    owner = Owner(monkeypatch)

    async def rebalance() -> None:
        owner.table.read_up = asyncio.Event()
        opening = asyncio.ensure_future(owner.shards.take(block([0], b"1")))
        while not owner.table.reads:
            await asyncio.sleep(0)
        await owner.shards.hand_over([0])
        if comes_back:
            owner.shards.assign([0])
            # meanwhile it was another worker's
            owner.table.offsets, owner.table.buckets = {"t": 5}, {"0": b"100"}
        owner.table.read_up.set()
        await opening

    asyncio.run(rebalance())
    assert owner.shards.owned == {}
    owner.checkpoint()
    assert owner.table.offsets == ({"t": 5} if comes_back else None)
    if comes_back:
        asyncio.run(owner.shards.open_assigned())
        assert owner.total == 100
        assert owner.shards.owned[0].positions == {"t": 5}


def test_a_message_our_own_code_fails_on_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0], b"1")
    owner.checkpoint()
    stream = {1: b"2", 2: b"fail", 3: b"4"}
    owner.take([1, 2, 3], *stream.values())
    for _ in range(6):  # what the consumer does after each seek: everything again from there
        start = owner.consumer.sought[-1][1]
        offsets = [offset for offset in (1, 2, 3) if offset >= start]
        owner.take(offsets, *(stream[offset] for offset in offsets))
    assert owner.total == 7
    letters = [message for message in owner.sent if message.topic == "dead-letters"]
    assert len(letters) == 1
    assert b"internal_error" in (letters[0].value or b"")


@pytest.mark.parametrize("renewed_meanwhile", [False, True])
def test_a_process_that_slept_leaves_without_writing(
    monkeypatch: pytest.MonkeyPatch, renewed_meanwhile: bool
) -> None:
    owner = Owner(monkeypatch)
    owner.take([0], b"1")

    class Left(Exception): ...

    def leave(*_: Any) -> None:
        raise Left

    monkeypatch.setattr(module, "leave", leave)
    monkeypatch.setattr(owner.shards, "_lease_at", time.monotonic() - 100.0)
    if renewed_meanwhile:
        owner.shards.renew_lease()
    with pytest.raises(Left):
        owner.checkpoint()
    assert owner.table.offsets is None


class Silence:
    """A clock of its own; `heal` at a time of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Owner) -> None:
        self.owner = owner
        self.now = 1000.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)

    def heal(self, after_s: float) -> list[tuple[TP, int]]:
        """What is sought back after so many seconds more."""
        self.now += after_s
        self.owner.consumer.sought.clear()
        asyncio.run(self.owner.shards.heal_silence())
        return list(self.owner.consumer.sought)


def test_what_waits_and_does_not_come_is_sought_back(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0], b"1")
    silence = Silence(monkeypatch, owner)
    assert silence.heal(0.0) == []
    assert silence.heal(60.0) == []  # nothing waits
    owner.consumer.ends[TP("t", 0)] = 3
    assert silence.heal(0.0) == []
    assert silence.heal(0.5 * module.SILENCE_S) == []
    assert silence.heal(0.6 * module.SILENCE_S) == [(TP("t", 0), 1)]
    assert owner.open_holes == 1
    assert silence.heal(1.5 * module.SILENCE_S) == []  # the answer may be on its way
    assert silence.heal(0.6 * module.SILENCE_S) == [(TP("t", 0), 1)]
    owner.take([1, 2], b"2", b"4")
    assert owner.open_holes == 0
    assert silence.heal(60.0) == []
    assert owner.total == 7


def test_what_is_still_being_fetched_is_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.take([0], b"1")
    silence = Silence(monkeypatch, owner)
    owner.consumer.ends[TP("t", 0)] = 3
    owner.consumer.fetched[TP("t", 0)] = 1
    assert silence.heal(0.0) == []
    assert silence.heal(0.5 * module.LONG_SILENCE_S) == []
    owner.consumer.fetched[TP("t", 0)] = 3
    assert silence.heal(0.1) == [(TP("t", 0), 1)]
    owner.consumer.fetched[TP("t", 0)] = 1
    assert silence.heal(0.9 * module.LONG_SILENCE_S) == []
    assert silence.heal(0.2 * module.LONG_SILENCE_S) == [(TP("t", 0), 1)]


def test_what_is_queued_behind_others_is_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(monkeypatch)
    owner.shards.assign([0, 1])
    asyncio.run(owner.shards.open_assigned())
    owner.consumer.ends = {TP("t", 0): 9, TP("t", 1): 1000}
    silence = Silence(monkeypatch, owner)
    steps = round(module.LONG_SILENCE_S / 0.5)
    assert silence.heal(0.0) == []
    for _ in range(steps):
        owner.shards.owned[1].positions["t"] += 1
        assert silence.heal(0.5) == []
    owner.shards.owned[1].positions["t"] += 1
    assert silence.heal(0.5) == [(TP("t", 0), 0)]
