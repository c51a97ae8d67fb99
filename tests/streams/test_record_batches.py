"""Record batches decode to what aiokafka makes of the same bytes, message by message."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.transport.block import Block
from streams.transport.record_batches import Records, decode_records

T0 = 1_750_000_000_000
CONTEXT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
Message = tuple[int, int, bytes | None, bytes | None]


def batch(
    base: int,
    messages: list[tuple[int, bytes | None, bytes | None]],
    *,
    codec: int = 0,
    headers: int = 0,
    attributes: int = 0,
    contexts: Mapping[int, bytes | None] = {},
) -> bytes:
    """A batch of (offset delta, key, value); gaps between the deltas as compaction leaves them.

    contexts: of the messages that belong to a trace, by delta.
    """
    builder = DefaultRecordBatchBuilder(2, codec, bool(attributes & 0x10), 7, 1, 1, 1 << 24)
    for delta, key, value in messages:
        own = [("traceparent", contexts[delta])] if delta in contexts else []
        others = [("h", b"1"), ("none", None), ("traceparents", b"2")] * headers
        builder.append(
            delta, T0 + 3 * delta, key, value, others[: headers // 2] + own + others[headers // 2 :]
        )
    data = bytearray(builder.build())
    struct.pack_into(">q", data, 0, base)
    struct.pack_into(">h", data, 21, struct.unpack_from(">h", data, 21)[0] | attributes)
    struct.pack_into(">I", data, 17, calc_crc32c(bytes(data[21:])))
    return bytes(data)


def rows(found: Records | None) -> list[Message]:
    assert found is not None
    columns = (found.offsets.tolist(), found.timestamps_ms.tolist(), found.keys, found.values)
    return list(zip(*columns, strict=True))


def expected(
    fetched: bytes, first_offset: int, aborted: Any = None
) -> tuple[list[Message], dict[int, bytes | None], int]:
    """The twin: aiokafka's own unpacking."""
    unpacked = PartitionRecords(
        TopicPartition("t", 0), MemoryRecords(fetched), aborted, first_offset, None, None, True,
        READ_UNCOMMITTED,
    )  # fmt: skip
    found, traced = [], {}
    for record in unpacked:
        found.append((record.offset, record.timestamp, record.key, record.value))
        if "traceparent" in dict(record.headers):
            traced[record.offset] = dict(record.headers)["traceparent"]
    return found, traced, unpacked.next_fetch_offset


def contexts_of(block: Records | Block | None) -> dict[int, bytes | None]:
    """Of the messages that belong to a trace, the contexts by offset."""
    assert block is not None
    if block.contexts is None:
        return {}
    return dict(zip(block.offsets[block.contexts.index].tolist(), block.contexts.values, strict=True))


def check(fetched: bytes, first_offset: int) -> None:
    found = decode_records(fetched, first_offset, check_crc=True)
    want, traced, next_offset = expected(fetched, first_offset)
    assert rows(found) == want
    assert found is not None
    assert contexts_of(found) == traced
    assert found.next_offset == next_offset
    for (_, end), value in zip(found.values.span.tolist(), found.values, strict=True):
        assert value is None or found.values.data[end] == 0


payload = st.one_of(st.none(), st.binary(max_size=9), st.integers(60, 300).map(lambda n: b"v" * n))


@st.composite
def fetches(draw: st.DrawFn) -> tuple[bytes, int]:
    """Some batches in the order of their offsets, the last one perhaps cut off; where the fetch began."""
    base = first = draw(st.sampled_from([0, 5, 2**40]))
    ends = []
    data = b""
    for _ in range(draw(st.integers(1, 4))):
        gaps = draw(st.lists(st.integers(1, 3), max_size=6))
        deltas = [sum(gaps[:k]) for k in range(len(gaps) + 1)]
        messages = [(delta, draw(payload), draw(payload)) for delta in deltas]
        attributes = draw(st.sampled_from([0, 0, 0x08, 0x10, 0x30]))
        if attributes == 0x30:  # a control record: version 0, commit
            messages = [(0, b"\0\0\0\1", b"\0" * 6)]
        data += batch(
            base,
            messages,
            codec=draw(st.integers(0, 4)),
            headers=draw(st.sampled_from([0, 0, 1, 24])),
            attributes=attributes,
            contexts=draw(st.dictionaries(st.sampled_from(deltas), st.sampled_from([CONTEXT, b"", None]))),
        )
        ends.append(base + messages[-1][0])
        base += messages[-1][0] + draw(st.integers(1, 3))
    cut = draw(st.sampled_from([0, 0, 1, 40, 70]))
    return (data[:-cut] if cut else data), draw(st.integers(first, ends[0]))


@settings(deadline=None, max_examples=300)
@given(fetches())
def test_a_fetch_decodes_as_aiokafka_unpacks_it(fetch: tuple[bytes, int]) -> None:
    check(*fetch)


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
def test_every_codec(codec: int) -> None:
    values = [b'{"device":"d%d"}' % k for k in range(500)]
    check(batch(10, [(k, b"d%d" % k, value) for k, value in enumerate(values)], codec=codec), 250)


def test_a_fetch_of_control_batches_alone_moves_on() -> None:
    fetched = batch(4, [(0, b"\0\0\0\1", b"\0" * 6)], attributes=0x30)
    found = decode_records(fetched, 4, check_crc=True)
    assert (rows(found), found and found.next_offset) == ([], 5)


def test_a_compacted_batch_without_messages_moves_on() -> None:
    data = bytearray(batch(4, [(0, None, b"x"), (1, None, b"y")])[:61])
    struct.pack_into(">i", data, 8, len(data) - 12)
    struct.pack_into(">i", data, 57, 0)
    struct.pack_into(">I", data, 17, calc_crc32c(bytes(data[21:])))
    found = decode_records(bytes(data), 4, check_crc=True)
    assert (rows(found), found and found.next_offset) == ([], 6)


@pytest.mark.parametrize("magic", [0, 1])
def test_older_formats_are_left_to_aiokafka(magic: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, 0, 1 << 20)
    builder.append(0, T0, b"k", b"v")
    fetched = bytes(builder.build())
    assert decode_records(fetched, 0, check_crc=True) is None
    assert decode_records(batch(0, [(0, None, b"x")]) + fetched, 0, check_crc=True) is None


def test_transactions_are_left_to_aiokafka_where_aborted_ones_must_not_show() -> None:
    fetched = batch(0, [(0, None, b"x")], attributes=0x10)
    assert decode_records(fetched, 0, check_crc=True, transactional=False) is None
    assert rows(decode_records(fetched, 0, check_crc=True)) == [(0, T0, None, b"x")]


def test_a_wrong_checksum_is_refused_if_it_is_looked_at() -> None:
    fetched = bytearray(batch(0, [(0, None, b"value")]))
    fetched[-3] ^= 1
    with pytest.raises(CorruptRecordException, match="offset 0 fails its checksum"):
        decode_records(bytes(fetched), 0, check_crc=True)
    assert len(rows(decode_records(bytes(fetched), 0, check_crc=False))) == 1


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(UnsupportedCodecError, match="codec 7"):
        decode_records(batch(0, [(0, None, b"x")], attributes=7), 0, check_crc=True)


def test_damaged_records_are_refused_or_read_as_aiokafka_reads_them() -> None:
    """With a right checksum around them: no reading beyond the bytes, no endless loop."""
    rng = random.Random(11)
    whole = batch(3, [(k, b"key%d" % k, b"v" * (k * 9)) for k in range(12)], headers=1)
    refused = 0
    for _ in range(2_000):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 6])):
            data[rng.randrange(57, len(data))] = rng.choice([0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        struct.pack_into(">I", data, 17, calc_crc32c(bytes(data[21:])))
        try:
            got = rows(decode_records(bytes(data), 3, check_crc=True))
        except CorruptRecordException:
            refused += 1
            continue
        try:
            want = expected(bytes(data), 3)[0]
        except (CorruptRecordException, UnicodeDecodeError):
            continue  # aiokafka looks at headers, which nobody reads here
        assert got == want
    assert refused > 500


def test_a_part_of_a_block_keeps_the_contexts_of_its_messages() -> None:
    contexts = {2: b"two", 5: b"five", 6: b"six"}
    found = decode_records(
        batch(10, [(k, None, b"x") for k in range(9)], contexts=contexts), 11, check_crc=True
    )
    assert found is not None
    whole = Block("t", 0, found.offsets, found.keys, found.values, found.timestamps_ms, found.contexts)
    assert contexts_of(whole) == {12: b"two", 15: b"five", 16: b"six"}
    assert contexts_of(whole[:2]) == {12: b"two"}
    assert contexts_of(whole.since(13)) == {15: b"five", 16: b"six"}
    assert contexts_of(whole.since(13)[:3]) == {15: b"five"}
    assert whole[2:4].contexts is None
    assert [one.contexts is not None for one in whole.singles()] == [k in (2, 5, 6) for k in range(1, 9)]
