"""The slots of devices, by their names: a hash table that kernels read, without a Python object per fix.

FNV-1a with open addressing and linear probing. Slots are numbered as devices first appear, so that they do
not depend on the hash. The names of all devices lie one behind the other in one buffer.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


class DeviceTable:
    """Device names and their slots 0, 1, 2, …"""

    def __init__(self, capacity: int = 1024) -> None:
        self._count = np.zeros(1, np.int64)
        self._code = np.zeros(capacity, np.uint32)  # of each slot: the hash of its name
        self._start = np.zeros(capacity + 1, np.int64)  # of each slot: where its name begins in `_names`
        self._names = np.zeros(16 * capacity, np.uint8)
        self._table = np.full(_table_size(capacity), -1, np.int32)  # slots, where the hashes say; -1 free

    def __len__(self) -> int:
        return int(self._count[0])

    def name(self, slot: int) -> bytes:
        """The device that has this slot."""
        return self._names[self._start[slot] : self._start[slot + 1]].tobytes()

    def find(self, device: bytes) -> int | None:
        """The slot of a device; None if it has none."""
        name = np.frombuffer(device, np.uint8)
        slot = int(_find(name, self._table, self._code, self._start, self._names))
        return None if slot < 0 else slot

    def slots(self, data: U8, span: I64) -> I32:
        """Slots (n,) of the devices data[start:end], span: i64[n, 2]; who has none gets the next one."""
        out = np.empty(len(span), np.int32)
        done = 0
        while True:
            done = _slots(
                data, span, done, self._table, self._code, self._start, self._names, self._count, out
            )
            if done == len(span):
                return out
            self._grow(int(span[done, 1] - span[done, 0]))

    def _grow(self, name_bytes: int) -> None:
        """Room for another device, with a name of that length."""
        count = len(self)
        if count == len(self._code):
            self._code = np.concatenate([self._code, np.zeros_like(self._code)])
            self._start = np.concatenate([self._start, np.zeros(count, np.int64)])
            self._table = np.full(_table_size(len(self._code)), -1, np.int32)
            _fill(self._code[:count], self._table)
        if self._start[count] + name_bytes > len(self._names):
            self._names = np.concatenate([self._names, np.zeros(len(self._names) + name_bytes, np.uint8)])


def _table_size(capacity: int) -> int:
    """A power of two that leaves the table at least half empty."""
    return 1 << (2 * capacity - 1).bit_length()


@njit(cache=True, nogil=True)
def _hash(data, start, end):  # type: ignore[no-untyped-def]
    code = np.uint64(14695981039346656037)
    for k in range(start, end):
        code = (code ^ np.uint64(data[np.uint64(k)])) * np.uint64(1099511628211)
    return np.uint32((code ^ (code >> np.uint64(32))) & np.uint64(0xFFFFFFFF))


@njit(cache=True, nogil=True)
def _place(data, start, end, code, table, codes, starts, names):  # type: ignore[no-untyped-def]
    """Where in the table the device stands, or the free place that it would get."""
    mask = np.uint64(table.shape[0] - 1)
    place = np.uint64(code) & mask
    while table[place] >= 0:
        slot = table[place]
        if codes[slot] == code:
            first = starts[slot]
            length = end - start
            if starts[slot + 1] - first == length:
                k = 0
                while k < length and data[start + k] == names[first + k]:
                    k += 1
                if k == length:
                    break
        place = (place + np.uint64(1)) & mask
    return place


@njit(cache=True, nogil=True)
def _find(name, table, codes, starts, names):  # type: ignore[no-untyped-def]
    code = _hash(name, 0, name.shape[0])
    return table[_place(name, 0, name.shape[0], code, table, codes, starts, names)]


@njit(cache=True, nogil=True)
def _slots(data, span, done, table, codes, starts, names, count, out):  # type: ignore[no-untyped-def]
    """Look up or add the devices from `done` on; how many are done when there is no room for another."""
    for i in range(done, span.shape[0]):
        start, end = span[i]
        code = _hash(data, start, end)
        place = _place(data, start, end, code, table, codes, starts, names)
        slot = table[place]
        if slot < 0:
            slot = count[0]
            used = starts[slot]
            if slot == codes.shape[0] or used + end - start > names.shape[0]:
                return i
            for k in range(end - start):
                names[used + k] = data[start + k]
            starts[slot + 1] = used + end - start
            codes[slot] = code
            table[place] = slot
            count[0] = slot + 1
        out[i] = slot
    return span.shape[0]


@njit(cache=True, nogil=True)
def _fill(codes, table):  # type: ignore[no-untyped-def]
    mask = np.uint64(table.shape[0] - 1)
    for slot in range(codes.shape[0]):
        place = np.uint64(codes[slot]) & mask
        while table[place] >= 0:
            place = (place + np.uint64(1)) & mask
        table[place] = slot
