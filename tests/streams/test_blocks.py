"""Blocks: what is fetched comes out whole, in order, and in pieces of bounded size."""

from __future__ import annotations

import asyncio
from threading import Thread, current_thread
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.structs import TopicPartition
from faust.types import TP

from geo.errors import Unavailable
from streams.transport.block import Block
from streams.transport.block_fetcher import BlockRecord, BlockRecords, FetchedBytes, fetch_blocks
from streams.transport.blocks import BlockScheduler, BlockThread
from tests.streams.test_record_batches import batch


def unpacked(fetched: bytes, first_offset: int, max_messages: int) -> tuple[list[Block], list[int]]:
    """The blocks of a fetch, and where the next fetch would begin after each of them and at the end."""

    class Small(BlockRecords):
        pass

    Small.max_messages = max_messages
    records = Small(
        TopicPartition("fixes", 2), FetchedBytes(fetched), None, first_offset, None, None, True,
        READ_UNCOMMITTED,
    )  # fmt: skip
    blocks, positions = [], []
    for record in records:
        assert record.offset == record.value.next_offset - 1
        blocks.append(record.value)
        positions.append(records.next_fetch_offset)
    return blocks, [*positions, records.next_fetch_offset]


def test_a_fetch_comes_out_in_blocks_of_bounded_size() -> None:
    fetched = batch(5, [(0, b"a", b"5"), (1, None, b"6"), (4, b"c", None)], codec=3) + batch(
        11, [(0, None, b"11")]
    )
    blocks, positions = unpacked(fetched, 5, 3)
    assert [(b.topic, b.partition, b.offsets.tolist()) for b in blocks] == [
        ("fixes", 2, [5, 6, 9]), ("fixes", 2, [11]),
    ]  # fmt: skip
    assert [list(b.values) for b in blocks] == [[b"5", b"6", None], [b"11"]]
    assert [list(b.keys) for b in blocks] == [[b"a", None, b"c"], [None]]
    assert positions == [10, 12, 12]


def test_a_fetch_that_begins_within_a_batch_gives_the_rest_of_it() -> None:
    blocks, positions = unpacked(batch(5, [(0, None, b"5"), (1, None, b"6"), (2, None, b"7")]), 6, 100)
    assert [b.offsets.tolist() for b in blocks] == [[6, 7]]
    assert positions == [8, 8]


def test_a_fetch_without_messages_moves_on_without_a_block() -> None:
    assert unpacked(batch(4, [(0, b"\0\0\0\1", b"\0" * 6)], attributes=0x30), 4, 100) == ([], [5])


def test_the_older_formats_come_as_blocks_too() -> None:
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    for k, value in enumerate([b"x", None, b"z"]):
        builder.append(k, 1_000 + k, b"k", value)
    blocks, positions = unpacked(bytes(builder.build()), 1, 2)
    assert [list(b.values) for b in blocks] == [[None, b"z"]]
    assert [b.timestamps_ms.tolist() for b in blocks] == [[1_001, 1_002]]
    assert positions == [3, 3]


class Client:
    """What the fetcher needs of a client; answers one fetch of two partitions."""

    _metadata_max_age_ms = 1_000

    def __init__(self, answers: dict[int, bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self.answers = answers
        self.asked_s: list[float] = []

    async def send(self, node: int, request: Any) -> Any:
        self.asked_s.append(self._loop.time())
        parts = [(p, 0, 100, 100, None, data) for p, data in self.answers.items()]
        return SimpleNamespace(API_VERSION=4, topics=[("fixes", parts)])


async def fetch(answers: dict[int, bytes], max_messages: int) -> dict[TopicPartition, list[Any]]:
    """What the real fetcher hands on of one fetch response."""
    subscription = SubscriptionState()
    tps = {TopicPartition("fixes", p) for p in answers}
    subscription.assign_from_user(tps)
    assignment = subscription.subscription.assignment
    client = Client(answers)
    fetcher = Fetcher(client, subscription)
    fetcher._fetch_task.cancel()
    fetch_blocks(fetcher, max_messages)
    for tp in tps:
        assignment.state_value(tp).reset_to(7)
    request = SimpleNamespace(topics=[("fixes", [(tp.partition, 7, 0) for tp in tps])])
    assert await fetcher._proc_fetch_request(assignment, 0, request)
    found: dict[TopicPartition, list[Any]] = await fetcher.fetched_records(tps)
    positions = {tp: assignment.state_value(tp).position for tp in tps}
    assert positions == {tp: records[-1].offset + 1 for tp, records in found.items()}
    return found


def test_the_real_fetcher_hands_blocks_on() -> None:
    many = [(k, None, b"%d" % k) for k in range(5)]
    found = asyncio.run(fetch({0: batch(7, many), 1: batch(7, many[:1])}, 2))
    records = found[TopicPartition("fixes", 0)]
    assert all(isinstance(record, BlockRecord) for record in records)
    assert [list(record.value.values) for record in records] == [[b"0", b"1"], [b"2", b"3"], [b"4"]]
    assert [list(record.value.values) for record in found[TopicPartition("fixes", 1)]] == [[b"0"]]
    assert aiokafka_fetcher.PartitionRecords is not BlockRecords


def test_a_broker_is_not_asked_again_at_once() -> None:
    async def ask_twice() -> list[float]:
        subscription = SubscriptionState()
        subscription.assign_from_user({TopicPartition("fixes", 0)})
        assignment = subscription.subscription.assignment
        client = Client({})
        fetcher = Fetcher(client, subscription)
        fetcher._fetch_task.cancel()
        fetch_blocks(fetcher, 8, apart_s=0.05)
        request = SimpleNamespace(topics=[])
        for _ in range(2):
            await fetcher._proc_fetch_request(assignment, 0, request)
        cancelled = asyncio.ensure_future(fetcher._proc_fetch_request(assignment, 0, request))
        await asyncio.sleep(0)
        cancelled.cancel()
        assert await cancelled is False  # the fetcher of aiokafka awaits what it has cancelled
        return client.asked_s

    first_s, second_s = asyncio.run(ask_twice())
    assert second_s - first_s >= 0.05


def test_an_aiokafka_that_unpacks_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def renamed(self: Any, assignment: Any, node_id: int, request: Any) -> bool:
        return False

    monkeypatch.setattr(Fetcher, "_proc_fetch_request", renamed)
    with pytest.raises(Unavailable, match="aiokafka unpacks what it fetches in another way"):
        fetch_blocks(SimpleNamespace(), 8)


def test_partitions_take_turns() -> None:
    def record(partition: int, offset: int) -> Any:
        return SimpleNamespace(partition=partition, offset=offset)

    records = {
        TP("fixes", 0): [record(0, 5), record(0, 9), record(0, 12)],
        TP("fixes", 1): [record(1, 1)],
        TP("requests", 0): [record(0, 3), record(0, 4)],
    }
    out = [(tp.topic, tp.partition, r.offset) for tp, r in BlockScheduler().iterate(records)]
    assert out == [
        ("fixes", 0, 5), ("fixes", 1, 1), ("requests", 0, 3),
        ("fixes", 0, 9), ("requests", 0, 4),
        ("fixes", 0, 12),
    ]  # fmt: skip
    assert list(BlockScheduler().iterate({})) == []


def test_a_block_is_cut_at_an_offset() -> None:
    block = Block.of("t", 0, [5, 6, 9], [b"a", b"b", b"c"], [b"1", None, b"3"], [1, 2, 3])
    assert (block.first_offset, block.next_offset, len(block)) == (5, 10, 3)
    assert block.since(5) is block
    assert block.since(7).offsets.tolist() == [9]
    assert list(block.since(6).values) == [None, b"3"]
    assert len(block.since(10)) == 0
    assert [single.offsets.tolist() for single in block.singles()] == [[5], [6], [9]]
    assert [single.values[0] for single in block.singles()] == [b"1", None, b"3"]


def test_a_seek_happens_in_the_consumers_own_thread() -> None:
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    sought = []

    class Consumer(BlockThread):
        def __init__(self) -> None:
            self.thread_loop = loop

        def _ensure_consumer(self) -> Any:
            return SimpleNamespace(
                assignment=lambda: {TP("fixes", 0)},
                seek=lambda tp, offset: sought.append((tp, offset, current_thread())),
            )

    try:
        Consumer().seek(TP("fixes", 0), 7)
        Consumer().seek(TP("fixes", 1), 8)  # taken away meanwhile
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
        assert sought == [(TP("fixes", 0), 7, thread)]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
