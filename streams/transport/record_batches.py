"""From the bytes of a fetch response to columns of messages, without a Python object per message.

Kafka's record batches of format version 2 (https://kafka.apache.org/documentation/#recordbatch): a header of
61 bytes, then records of zigzag varints, at times compressed as a whole. Checksums and codecs are aiokafka's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from aiokafka import codec
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.util import calc_crc32c
from numba import njit
from numpy.typing import NDArray

from models.bytes_column import BytesColumn
from streams.transport.trace_contexts import TraceContexts

I64 = NDArray[np.int64]

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_END = 12  # the length counts what follows it
_MAGIC_AT = 16
_CHECKED_FROM = 21
_CODEC, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_DECODERS: dict[int, Callable[[bytes], bytes]] = {
    1: codec.gzip_decode,
    2: codec.snappy_decode,
    3: codec.lz4_decode,
    4: codec.zstd_decode,
}


@dataclass(frozen=True, slots=True)
class Records:
    """n messages in the order of their offsets, and where the next fetch begins.

    A NUL stands behind each value. `timestamps_ms` are the producer's or, if the topic says so, the broker's.
    `contexts`: the few that say to which trace they belong; None if no message does.
    """

    offsets: I64
    timestamps_ms: I64
    keys: BytesColumn
    values: BytesColumn
    next_offset: int
    contexts: TraceContexts | None = None


def decode_records(
    fetched: bytes, first_offset: int, *, check_crc: bool, transactional: bool = True
) -> Records | None:
    """The messages from `first_offset` on; None where that is aiokafka's business.

    That is so for the formats before version 2, and for batches of transactions if these are not
    welcome (`transactional`): some of them were aborted. Control batches are passed over. A batch that the
    fetch has cut off is left out. Raises CorruptRecordException for damaged bytes.
    """
    at, next_offset = 0, first_offset
    batches: list[tuple[int, int, int, int, int, int]] = []
    pieces: list[bytes | memoryview] = []
    size = 0
    view = memoryview(fetched)
    while at + _LENGTH_END <= len(view):
        end = at + _LENGTH_END + int.from_bytes(view[at + 8 : at + _LENGTH_END], "big", signed=True)
        if end > len(view):
            break
        if end < at + _MAGIC_AT + 1 or view[at + _MAGIC_AT] != 2:
            return None
        if end < at + _HEADER.size:
            raise CorruptRecordException(f"a batch of {end - at} bytes is shorter than its header")
        (base, _, _, _, crc, attributes, last, first_ms, newest_ms, _, _, _, count) = _HEADER.unpack_from(
            view, at
        )
        if check_crc and calc_crc32c(view[at + _CHECKED_FROM : end]) != crc:
            raise CorruptRecordException(f"the batch at offset {base} fails its checksum")
        if attributes & _TRANSACTIONAL and not transactional:
            return None
        if not attributes & _CONTROL:
            piece = _decompressed(view[at + _HEADER.size : end], attributes & _CODEC)
            appended_ms = newest_ms if attributes & _LOG_APPEND_TIME else -1
            batches.append((size, size + len(piece), count, base, first_ms, appended_ms))
            pieces.append(piece)
            size += len(piece)
        next_offset = max(next_offset, base + last + 1)
        at = end
    return _columns(bytearray().join(pieces), batches, first_offset, next_offset)


def _decompressed(data: memoryview, codec_number: int) -> bytes | memoryview:
    if codec_number == 0:
        return data
    if codec_number not in _DECODERS:
        raise UnsupportedCodecError(f"a batch is compressed with the unknown codec {codec_number}")
    return _DECODERS[codec_number](bytes(data))


def _columns(
    joined: bytearray,
    batches: list[tuple[int, int, int, int, int, int]],
    first_offset: int,
    next_offset: int,
) -> Records:
    data = np.frombuffer(joined, np.uint8)
    heads = np.array(batches, np.int64).reshape(len(batches), 6)
    counts = heads[:, 2]
    smallest = 7  # bytes of a record that holds nothing
    if (counts < 0).any() or (smallest * counts > heads[:, 1] - heads[:, 0]).any():
        raise CorruptRecordException("a batch holds more records than it has room for")
    n = int(counts.sum())
    offsets, timestamps_ms = np.empty(n, np.int64), np.empty(n, np.int64)
    keys, values = np.empty((n, 2), np.int64), np.empty((n, 2), np.int64)
    traced = np.empty((n, 3), np.int64)  # filled as far as there are headers, which is hardly ever
    n, traced_n = _decode(data, heads, first_offset, offsets, timestamps_ms, keys, values, traced)
    if n < 0:
        raise CorruptRecordException(f"a record of the batch at offset {heads[-n - 1, 3]} is damaged")
    return Records(
        offsets[:n],
        timestamps_ms[:n],
        BytesColumn(data, keys[:n]),
        BytesColumn(data, values[:n]),
        next_offset,
        TraceContexts(traced[:traced_n, 0], BytesColumn(data, traced[:traced_n, 1:])) if traced_n else None,
    )


#: The header that says in which trace a message was sent (https://www.w3.org/TR/trace-context/).
_HEADER_NAME = np.frombuffer(b"traceparent", np.uint8)


@njit(cache=True, nogil=True)
def _varint(data, p, end):  # type: ignore[no-untyped-def]
    """The zigzag varint at p, and where it ends; -1 if it goes beyond `end` or 64 bits."""
    value = np.uint64(0)
    shift = np.uint64(0)
    while p < end:
        byte = data[np.uint64(p)]
        p += 1
        value |= np.uint64(byte & 0x7F) << shift
        if byte < 0x80:
            sign = np.int64(value & np.uint64(1))
            return np.int64(value >> np.uint64(1)) ^ -sign, p
        shift += np.uint64(7)
        if shift > np.uint64(63):
            break
    return 0, -1


@njit(cache=True, nogil=True)
def _bytes(data, p, end, span, n):  # type: ignore[no-untyped-def]
    """Read a length and so many bytes into span[n]; where they end, or -1."""
    length, p = _varint(data, p, end)
    if p < 0 or length > end - p:
        return -1
    if length < 0:
        span[n, 0] = 0
        span[n, 1] = -1
        return p
    span[n, 0] = p
    span[n, 1] = p + length
    return p + length


@njit(cache=True, nogil=True)
def _headers_end(data, p, end):  # type: ignore[no-untyped-def]
    """Where the headers at p end, -1 if damaged; start and end of the trace's context, -1 without."""
    span = np.empty((1, 2), np.int64)
    start = stop = -1
    count, p = _varint(data, p, end)
    if p < 0 or count < 0:
        return -1, -1, -1
    for _ in range(count):
        p = _bytes(data, p, end, span, 0)
        if p < 0 or span[0, 1] < 0:
            return -1, -1, -1
        ours = span[0, 1] - span[0, 0] == len(_HEADER_NAME)
        if ours:
            for i in range(len(_HEADER_NAME)):
                ours = ours and data[span[0, 0] + i] == _HEADER_NAME[i]
        p = _bytes(data, p, end, span, 0)
        if p < 0:
            return -1, -1, -1
        if ours:
            start, stop = span[0, 0], span[0, 1]
    return p, start, stop


@njit(cache=True, nogil=True)
def _record(data, p, end, head, n, offsets, timestamps_ms, keys, values):  # type: ignore[no-untyped-def]
    """Read the record at p as message n; where it ends, or -1; start and end of its trace's context."""
    length, p = _varint(data, p, end)
    if p < 0 or length < 1 or length > end - p:
        return -1, -1, -1
    end = p + length
    delta_ms, p = _varint(data, p + 1, end)
    if p < 0:
        return -1, -1, -1
    delta, p = _varint(data, p, end)
    if p < 0:
        return -1, -1, -1
    offsets[n] = head[3] + delta
    timestamps_ms[n] = head[5] if head[5] >= 0 else head[4] + delta_ms
    p = _bytes(data, p, end, keys, n)
    if p < 0:
        return -1, -1, -1
    p = _bytes(data, p, end, values, n)
    if p < 0 or p == end:
        return -1, -1, -1
    if data[p] == 0:
        return (end if p + 1 == end else -1), -1, -1
    headers_end, start, stop = _headers_end(data, p, end)
    if headers_end != end:
        return -1, -1, -1
    if values[n, 1] >= 0:
        data[p] = 0
    return end, start, stop


@njit(cache=True, nogil=True)
def _decode(data, heads, first_offset, offsets, timestamps_ms, keys, values, traced):  # type: ignore[no-untyped-def]
    """Read all records from `first_offset` on; how many, or -1 - the number of the batch that is damaged.

    And how many of them belong to a trace: their numbers and where the contexts begin go to `traced`.
    """
    n = traced_n = 0
    next_offset = first_offset
    for b in range(heads.shape[0]):
        head = heads[b]
        p = head[0]
        for _ in range(head[2]):
            p, start, stop = _record(data, p, head[1], head, n, offsets, timestamps_ms, keys, values)
            if p < 0:
                return -1 - b, 0
            if offsets[n] >= next_offset:
                if start >= 0:
                    traced[traced_n, 0] = n
                    traced[traced_n, 1] = start
                    traced[traced_n, 2] = stop
                    traced_n += 1
                next_offset = offsets[n] + 1
                n += 1
        if p != head[1]:
            return -1 - b, 0
    return n, traced_n
