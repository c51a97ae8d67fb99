"""aiokafka's fetcher with whole blocks in place of records: no Python object per message.

aiokafka has no public way to a fetched batch. Its `Fetcher._proc_fetch_request` makes a `MemoryRecords` of
the fetched bytes and unpacks them by a `PartitionRecords`; here the very same code runs with two classes of
ours under these names. All the rest (positions, errors, back-off, seeking) stays aiokafka's. What this
counts on is looked for when a fetcher is prepared: another aiokafka fails at the start, not in silence.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords

from geo.errors import Unavailable
from streams.transport.block import Block
from streams.transport.record_batches import decode_records

_NAMES = ("MemoryRecords", "PartitionRecords")
_ARGUMENTS = [
    *("self", "tp", "records", "aborted_transactions", "fetch_offset", "key_deserializer"),
    *("value_deserializer", "check_crcs", "isolation_level"),
]


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """What Faust's `_to_message` reads of a record, with a `Block` for a value."""

    topic: str
    partition: int
    offset: int  # of the last message
    timestamp: int
    value: Block
    serialized_value_size: int
    timestamp_type: int = 0
    headers: tuple[()] = ()
    key: bytes | None = None
    checksum: int | None = None
    serialized_key_size: int = 0


class FetchedBytes:
    """What the fetcher asks of `MemoryRecords`, and the bytes themselves."""

    def __init__(self, fetched: bytes) -> None:
        records = MemoryRecords(fetched)
        self.fetched = fetched
        self.has_next = records.has_next
        self.next_batch = records.next_batch
        self.size_in_bytes = records.size_in_bytes


class BlockRecords(PartitionRecords):
    """The messages fetched of one partition, in blocks of at most `max_messages`."""

    max_messages = 8_192
    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[BlockRecord]:
        begin = self.next_fetch_offset
        found = decode_records(
            self._records.fetched,
            begin,
            check_crc=self._check_crcs,
            transactional=self._isolation_level != READ_COMMITTED,
        )
        if found is None:
            records = list(super()._unpack_records())
            end = self.next_fetch_offset
            block = Block.of(
                self._tp.topic,
                self._tp.partition,
                [record.offset for record in records],
                [record.key for record in records],
                [record.value for record in records],
                [record.timestamp for record in records],
            )
        else:
            end = found.next_offset
            block = Block(
                self._tp.topic,
                self._tp.partition,
                found.offsets,
                found.keys,
                found.values,
                found.timestamps_ms,
                found.contexts,
            )
        self.next_fetch_offset = begin
        for first in range(0, len(block), self.max_messages):
            part = block[first : first + self.max_messages]
            self.next_fetch_offset = part.next_offset
            yield BlockRecord(
                part.topic,
                part.partition,
                part.next_offset - 1,
                int(part.timestamps_ms[-1]),
                part,
                part.values.size_bytes,
            )
        self.next_fetch_offset = end


def fetch_blocks(fetcher: Fetcher, max_messages: int, apart_s: float = 0.0) -> None:
    """Make a fetcher that has fetched nothing yet give a `BlockRecord` per block of any topic.

    apart_s: see `_apart`. Raises Unavailable if this aiokafka is not as expected.
    """
    own = Fetcher._proc_fetch_request
    unknown = [name for name in _NAMES if name not in own.__code__.co_names]
    if unknown or list(inspect.signature(PartitionRecords.__init__).parameters) != _ARGUMENTS:
        raise Unavailable(
            "this version of aiokafka unpacks what it fetches in another way:"
            " install the one that constraints.txt names"
        )

    class Records(BlockRecords):
        pass

    Records.max_messages = max_messages
    names = {**vars(aiokafka_fetcher), **dict(zip(_NAMES, (FetchedBytes, Records), strict=True))}
    function: Any = FunctionType(own.__code__, names, own.__name__, own.__defaults__, own.__closure__)
    fetch = MethodType(function, fetcher)
    fetcher._proc_fetch_request = _apart(fetch, apart_s) if apart_s > 0.0 else fetch


Fetch = Callable[[Any, int, Any], Awaitable[bool]]


def _apart(fetch: Fetch, apart_s: float) -> Fetch:
    """The same, but after an answer a broker is not asked again for so long.

    A block costs much the same whether it holds one message or fifty: who takes each the moment it comes has
    no time left for the next. The first one after a silence does not wait: the question lies at the broker.
    """
    ask_again_s: dict[int, float] = {}  # by broker: not before

    async def fetch_apart(assignment: Any, node_id: int, request: Any) -> bool:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(ask_again_s.get(node_id, 0.0) - loop.time())
        except asyncio.CancelledError:
            return False  # as aiokafka does: its fetcher awaits what it has cancelled
        came = await fetch(assignment, node_id, request)
        ask_again_s[node_id] = loop.time() + apart_s
        return came

    return fetch_apart
