"""The state of all walkers of one partition, in columns; packed into bytes for checkpoints.

A walker has a slot: the same index into the arrays of windows, matcher lattices and trips. Slots are grouped
into buckets by a hash of the device, and a bucket is what a checkpoint writes: up to where each input topic
is contained in each of its walkers, then their columns, their routes, and the updates that may not have been
sent (so that none is lost between deciding and sending).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.errors import BadRecord
from geo.matching import MATCH_STATE
from geo.passages import PASSAGE, PASSAGE_STATE
from models.bytes_column import BytesColumn
from models.features import WALKER_WINDOWS
from models.trips.device_table import DeviceTable
from models.trips.trip import ACTIVE, TRIP_STATE, Routes

_MAGIC = b"FLW2"
_HEADER = np.dtype([("magic", "S4"), ("schema", "<u4"), ("walkers", "<u4")])
FIXES = 0  # the fixes' topic comes first
_STORED = ("windows", "matches", "trips", "passages")  # what is packed of each walker, beside the route
_COLUMNS = (
    *(*_STORED, "city", "seen_s", "contained", "bucket", "moved", "next_fix", "decision", "decided_at"),
    *("_route_first", "_route_size"),
)
_ROWS = (MATCH_STATE, TRIP_STATE, PASSAGE_STATE, PASSAGE)
SCHEMA = zlib.crc32(repr((WALKER_WINDOWS.schema, [dtype.descr for dtype in _ROWS])).encode())


@dataclass(frozen=True)
class PackedWalkers:
    """What `WalkerState.load` found in the bytes."""

    slots: NDArray[np.int32]
    updates: list[tuple[bytes, bytes]]  # (device, encoded route-update) that may not have been sent
    routes_dropped: int  # trips whose route belongs to another graph


class FinishedPassages:
    """Passages that were finished and are not yet known to have been sent, oldest first."""

    def __init__(self, rows: NDArray[Any] | None = None) -> None:
        self._rows = np.zeros(1024, PASSAGE)
        self._used = 0
        if rows is not None:
            self.room(len(rows))[:] = rows
            self.keep(len(rows))

    def __len__(self) -> int:
        return self._used

    def rows(self, first: int = 0, most: int | None = None) -> NDArray[Any]:
        """A copy of all, or of the next `most` from the number `first` on."""
        end = self._used if most is None else min(self._used, first + most)
        return self._rows[first:end].copy()

    @property
    def slots(self) -> NDArray[np.int32]:
        """Whose each is; a view, good until the next change."""
        slots: NDArray[np.int32] = self._rows["slot"][: self._used]
        return slots

    def of(self, slots: NDArray[np.int64], walkers: int) -> NDArray[Any]:
        """A copy of those of some of `walkers` slots, with the index into `slots` for a slot."""
        index = np.full(walkers, -1, np.int32)
        index[slots] = np.arange(len(slots))
        mine = index[self.slots]
        at = np.flatnonzero(mine >= 0)
        rows = self._rows[at]
        rows["slot"] = mine[at]
        return rows

    def room(self, n: int) -> NDArray[Any]:
        """Where up to n more may be written; `keep` says how many were."""
        if self._used + n > len(self._rows):
            rows = np.zeros(2 * (self._used + n), PASSAGE)
            rows[: self._used] = self._rows[: self._used]
            self._rows = rows
        return self._rows[self._used : self._used + n]

    def keep(self, n: int) -> None:
        self._used += n

    def replace(self, slots: NDArray[np.int32], rows: NDArray[Any]) -> None:
        """These are the passages of the walkers in `slots` now, and no others."""
        others = self.rows()
        others = others[~np.isin(others["slot"], slots)]
        self._used = 0
        for some in (others, rows):
            self.room(len(some))[:] = some
            self.keep(len(some))

    def forget(self, slot: int) -> None:
        """Drop those of one walker."""
        rows = self._rows[: self._used]
        kept = rows[rows["slot"] != slot]
        self._rows[: len(kept)] = kept
        self._used = len(kept)

    def drop(self, n: int) -> None:
        """The first n were sent."""
        self._rows[: self._used - n] = self._rows[n : self._used].copy()
        self._used -= n


class WalkerState:
    """Growable columns of walkers, their routes, and the buckets they belong to."""

    def __init__(
        self, buckets: int, graphs: Sequence[int], topics: tuple[str, ...], capacity: int = 1024
    ) -> None:
        """graphs: the checksum of each city's graph; what belongs to another one is not taken in."""
        self.bucket_count = buckets
        self._graphs = np.array([*graphs, 0], "<u4")  # the last one is that of no city (-1)
        self.topics = topics
        self._slots = DeviceTable(capacity)
        self.devices: list[bytes] = []
        self.windows = WALKER_WINDOWS.empty_state(capacity)
        self.matches = np.zeros(capacity, MATCH_STATE)
        self.trips = np.zeros(capacity, TRIP_STATE)
        self.passages = np.zeros(capacity, PASSAGE_STATE)
        self.finished = FinishedPassages()
        self.city = np.full(capacity, -1, np.int32)  # number of the one that the walker is in, -1 none yet
        #: by topic: the next offset that is not contained, as it was when the walker was loaded
        self.contained = np.zeros((capacity, len(topics)), np.int64)
        self.seen_s = np.zeros(capacity)  # when something last came from the walker, by their owner's clock
        self.bucket = np.zeros(capacity, np.int32)
        self.moved = np.zeros(capacity, np.bool_)  # since features were last read
        # scratch of `models.trips.trip.advance_fixes`: only the slots of the block at hand mean anything
        self.next_fix = np.zeros(capacity, np.int64)
        self.decision = np.zeros(capacity, np.uint8)
        self.decided_at = np.zeros(capacity, np.int64)
        self.members: list[list[int]] = [[] for _ in range(buckets)]
        self._route_first = np.zeros(capacity, np.int64)
        self._route_size = np.zeros(capacity, np.int32)
        self._arena_edges = np.zeros(4096, np.int32)
        self._arena_start_m = np.zeros(4096, np.float64)
        self._arena_used = 0

    def __len__(self) -> int:
        return len(self.devices)

    # ---- slots

    def bucket_of(self, device: bytes) -> int:
        """The bucket of a device: depends on its name alone."""
        return zlib.crc32(device) % self.bucket_count

    def find(self, device: bytes) -> int | None:
        """The slot of `device`; None if it was never seen."""
        return self._slots.find(device)

    def slot(self, device: bytes) -> int:
        """The slot of `device`, a new one if it was never seen."""
        return int(self.slots(BytesColumn.of([device]))[0])

    def slots(self, devices: BytesColumn) -> NDArray[np.int32]:
        """Slots of many devices, (n,) int32."""
        slots = self._slots.slots(devices.data, devices.span)
        for s in range(len(self.devices), len(self._slots)):
            if s == len(self.bucket):
                self._grow(2 * s)
            device = self._slots.name(s)
            b = self.bucket_of(device)
            self.devices.append(device)
            self.bucket[s] = b
            self.members[b].append(s)
        return slots

    def forget(self, slots: NDArray[np.int64]) -> None:
        """Drop walkers; their buckets must be stored again. Who stays gets another slot, in order."""
        stays = np.ones(len(self.devices), np.bool_)
        stays[slots] = False
        kept = np.flatnonzero(stays)
        now = np.cumsum(stays) - 1
        devices = [self.devices[s] for s in kept.tolist()]
        for name in _COLUMNS:
            old = getattr(self, name)
            new = np.zeros((max(1024, 2 * len(kept)), *old.shape[1:]), old.dtype)
            new[: len(kept)] = old[kept]
            setattr(self, name, new)
        rows = self.finished.rows()
        rows = rows[stays[rows["slot"]]]
        rows["slot"] = now[rows["slot"]]
        self.finished = FinishedPassages(rows)
        self._slots = DeviceTable(len(self.bucket))
        names = BytesColumn.of(devices)
        self._slots.slots(names.data, names.span)
        self.devices = devices
        self.members = [[] for _ in self.members]
        for s, bucket in enumerate(self.bucket[: len(kept)].tolist()):
            self.members[bucket].append(s)
        self.city[len(kept) :] = -1
        self._compact(0)

    def _grow(self, capacity: int) -> None:
        for name in _COLUMNS:
            old = getattr(self, name)
            new = np.zeros((capacity, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        self.city[len(self.devices) :] = -1

    # ---- routes

    def routes(self) -> Routes:
        """All routes as the kernels read them; valid until the next `set_route`."""
        return Routes(self._route_first, self._route_size, self._arena_edges, self._arena_start_m)

    def route_edges(self, slot: int) -> NDArray[np.int32]:
        """The edges of a walker's stored route (a copy)."""
        first = int(self._route_first[slot])
        return self._arena_edges[first : first + int(self._route_size[slot])].copy()

    def set_route(self, slot: int, edges: NDArray[np.int32], start_m: NDArray[np.float64]) -> None:
        """Store a walker's route; `start_m` is where each edge begins along it."""
        n = len(edges)
        self._route_size[slot] = 0
        if self._arena_used + n > len(self._arena_edges):
            self._compact(n)
        first = self._arena_used
        self._arena_edges[first : first + n] = edges
        self._arena_start_m[first : first + n] = start_m
        self._route_first[slot] = first
        self._route_size[slot] = n
        self._arena_used = first + n

    def _compact(self, room: int) -> None:
        live = int(self._route_size.sum())
        capacity = max(4096, 2 * (live + room))
        edges = np.zeros(capacity, np.int32)
        start_m = np.zeros(capacity, np.float64)
        used = 0
        for s in np.flatnonzero(self._route_size):
            first, n = int(self._route_first[s]), int(self._route_size[s])
            edges[used : used + n] = self._arena_edges[first : first + n]
            start_m[used : used + n] = self._arena_start_m[first : first + n]
            self._route_first[s] = used
            used += n
        self._arena_edges, self._arena_start_m, self._arena_used = edges, start_m, used

    # ---- checkpoints

    def pack(
        self, slots: NDArray[np.int64], contained: NDArray[np.int64], updates: list[tuple[bytes, bytes]]
    ) -> bytes:
        """Walkers as bytes; `contained` (walkers, topics): the next offset that is not in them.

        `updates`: what may not have been sent to them.
        """
        devices = [self.devices[s] for s in slots.tolist()]
        sizes = self._route_size[slots]
        edges = np.empty(int(sizes.sum()), np.int32)
        start_m = np.empty(len(edges), np.float64)
        _gather_routes(self.routes(), slots, edges, start_m)
        header = np.zeros(1, _HEADER)
        header[0] = (_MAGIC, SCHEMA, len(slots))
        parts: list[Any] = [
            header,
            np.maximum(contained, self.contained[slots]),
            np.array([len(device) for device in devices], np.uint16),
            *devices,
            self._graphs[self.city[slots]],
            *(np.take(getattr(self, name), slots) for name in _STORED),
            *self._pack_finished(slots),
            *(sizes, edges, start_m),
            np.array([len(updates)], np.uint32),
        ]
        for device, update in updates:
            parts += [np.array([len(device), len(update)], np.uint32), device, update]
        return b"".join(parts)

    def _pack_finished(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[Any]]:
        """Number and rows of these walkers' finished passages, `slot` as the index into `slots`."""
        rows = self.finished.of(slots, len(self.devices))
        return np.array([len(rows)], np.uint32), rows

    def load(self, name: str, data: bytes) -> PackedWalkers:
        """Take packed walkers in, over what is known of them; raises BadRecord for bytes of another layout.

        Routes that belong to another graph are dropped with their trips; windows and devices stay.
        """
        header = np.frombuffer(data, _HEADER, 1)[0] if len(data) >= _HEADER.itemsize else None
        if header is None or header["magic"] != _MAGIC or int(header["schema"]) != SCHEMA:
            raise BadRecord("bad_checkpoint", f"{name} was written with another layout of the state")
        n = int(header["walkers"])
        read = _Reader(memoryview(data)[_HEADER.itemsize :])
        contained = read.array("<i8", n * len(self.topics)).reshape(n, len(self.topics))
        lengths = read.array("<u2", n)
        devices = [bytes(read.take(int(length))) for length in lengths]
        slots = self.slots(BytesColumn.of(devices))
        self.contained[slots] = contained
        city = self._numbers(read.array("<u4", n))
        self.city[slots] = city
        columns = {column: read.array(getattr(self, column).dtype, n) for column in _STORED}
        finished = read.array(PASSAGE, int(read.array("<u4", 1)[0])).copy()
        sizes = read.array("<i4", n)
        total = int(sizes.sum())
        edges = read.array("<i4", total)
        starts = read.array("<f8", total)
        self.windows[slots] = columns.pop("windows")
        here = city >= 0
        for column, rows in columns.items():
            getattr(self, column)[slots[here]] = rows[here]
        finished = finished[here[finished["slot"]]]
        finished["slot"] = slots[finished["slot"]]
        self.finished.replace(slots, finished)
        at = 0
        for s, size, known in zip(slots.tolist(), sizes.tolist(), here.tolist(), strict=True):
            if known:
                self.set_route(s, edges[at : at + size], starts[at : at + size])
            at += size
        dropped = int(np.count_nonzero(sizes[~here]))
        updates = []
        for _ in range(int(read.array("<u4", 1)[0])):
            device_len, update_len = read.array("<u4", 2).tolist()
            device = bytes(read.take(device_len))
            updates.append((device, bytes(read.take(update_len))))
        return PackedWalkers(slots, updates, dropped)

    def _numbers(self, graphs: NDArray[np.uint32]) -> NDArray[np.int32]:
        """The numbers of the cities whose graphs have these checksums, -1 where none has."""
        numbers = np.full(len(graphs), -1, np.int32)
        for number, checksum in enumerate(self._graphs[:-1]):
            numbers[graphs == checksum] = number
        return numbers

    # ---- cities and trips

    def enter(self, slot: int, city: int) -> None:
        """Put a walker into another city: what is known of the streets they were on is forgotten."""
        self.city[slot] = city
        self.matches[slot] = np.zeros((), MATCH_STATE)
        self.passages[slot] = np.zeros((), PASSAGE_STATE)
        self.finished.forget(slot)

    def active_count(self) -> int:
        """How many walkers have a trip."""
        return int(np.count_nonzero(self.trips["status"][: len(self.devices)] == ACTIVE))

    def active_slots(self, city: int) -> NDArray[np.int64]:
        """Slots of the walkers who have a trip in a city, ascending."""
        n = len(self.devices)
        return np.flatnonzero((self.trips["status"][:n] == ACTIVE) & (self.city[:n] == city))


@njit(cache=True)
def _gather_routes(
    routes: Routes, slots: NDArray[np.int64], out_edges: NDArray[np.int32], out_start_m: NDArray[np.float64]
) -> None:
    at = 0
    for s in slots:
        first = routes.first[s]
        for j in range(first, first + routes.size[s]):
            out_edges[at] = routes.edges[j]
            out_start_m[at] = routes.start_m[j]
            at += 1


class _Reader:
    """Reads arrays one after the other from a buffer."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> memoryview:
        if self._at + size > len(self._data):
            raise BadRecord("bad_checkpoint", "it ends too early")
        part = self._data[self._at : self._at + size]
        self._at += size
        return part

    def array(self, dtype: np.typing.DTypeLike, count: int) -> NDArray[Any]:
        kind = np.dtype(dtype)
        return np.frombuffer(self.take(kind.itemsize * count), kind, count)
