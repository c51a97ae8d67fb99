"""Blocks: what is fetched comes out whole, in order, and in pieces of bounded size."""

from __future__ import annotations

from dataclasses import dataclass

from faust.types import TP

from streams.blocks import Block, block_scheduler


@dataclass
class Record:
    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = b"v"
    timestamp: int = 1
    timestamp_type: int = 0


def fetched(topic: str, partition: int, offsets: list[int]) -> list[Record]:
    return [Record(topic, partition, offset, value=b"%d" % offset) for offset in offsets]


def test_block_topics_are_coalesced_and_others_are_not() -> None:
    scheduler = block_scheduler(frozenset({"fixes"}), 3)()
    records = {
        TP("fixes", 0): fetched("fixes", 0, [5, 6, 7, 9]),
        TP("fixes", 1): fetched("fixes", 1, [1]),
        TP("log", 0): fetched("log", 0, [1, 2]),
    }
    out = list(scheduler.iterate(records))
    blocks = [(tp, record.value.offsets) for tp, record in out if isinstance(record.value, Block)]
    assert blocks == [
        (TP("fixes", 0), [5, 6, 7]), (TP("fixes", 1), [1]), (TP("fixes", 0), [9]),
    ]  # fmt: skip
    assert [record.offset for tp, record in out if tp.topic == "log"] == [1, 2]
    assert [record.offset for _, record in out if isinstance(record.value, Block)] == [7, 1, 9]


def test_the_rest_of_a_block() -> None:
    block = Block("t", 0, [5, 6, 9], [b"a", b"b", b"c"], [b"1", None, b"3"], [1, 2, 3])
    assert block.first_offset == 5
    assert block.next_offset == 10
    assert block.since(5) is block
    assert block.since(7).offsets == [9]
    assert block.since(7).values == [b"3"]
    assert len(block.since(10)) == 0
    assert [one.offsets for one in block.singles()] == [[5], [6], [9]]
