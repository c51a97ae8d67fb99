"""The state of all walkers of one partition, in columns; packed into buckets for checkpoints.

A walker has a slot: the same index into the arrays of windows, matcher lattices and trips. Slots are grouped
into buckets by a hash of the device, and a bucket is what a checkpoint writes: a header that says how far
each input topic is contained, then the columns of its walkers, their routes, and the updates that were
decided since the last checkpoint (so that none is lost between deciding and sending).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.errors import BadRecord
from geo.matching import MATCH_STATE
from geo.passages import PASSAGE, PASSAGE_STATE
from models.bytes_column import BytesColumn
from models.device_table import DeviceTable
from models.features import WALKER_WINDOWS
from models.trip import ACTIVE, TRIP_STATE, Routes

_MAGIC = b"FLW1"
_HEADER = np.dtype(
    [("magic", "S4"), ("schema", "<u4"), ("graph", "<u4"), ("checksum", "<u4"), ("walkers", "<u4")]
)
_COLUMNS = (
    *("windows", "matches", "trips", "passages", "bucket", "moved", "next_fix", "decision", "decided_at"),
    *("_route_first", "_route_size"),
)
_ROWS = (MATCH_STATE, TRIP_STATE, PASSAGE_STATE, PASSAGE)
SCHEMA = zlib.crc32(repr((WALKER_WINDOWS.schema, [dtype.descr for dtype in _ROWS])).encode())


@dataclass(frozen=True)
class PackedBucket:
    """What `WalkerState.load_bucket` found in a bucket's bytes."""

    contained: dict[str, int]  # topic -> next offset that is not contained
    updates: list[tuple[bytes, bytes]]  # (device, encoded route-update) decided since the checkpoint before
    routes_dropped: int  # trips whose route belongs to another graph


class FinishedPassages:
    """Passages that were finished and are not yet known to have been sent, oldest first."""

    def __init__(self) -> None:
        self._rows = np.zeros(1024, PASSAGE)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def rows(self) -> NDArray[Any]:
        """A copy of all."""
        return self._rows[: self._used].copy()

    def room(self, n: int) -> NDArray[Any]:
        """Where up to n more may be written; `keep` says how many were."""
        if self._used + n > len(self._rows):
            rows = np.zeros(2 * (self._used + n), PASSAGE)
            rows[: self._used] = self._rows[: self._used]
            self._rows = rows
        return self._rows[self._used : self._used + n]

    def keep(self, n: int) -> None:
        self._used += n

    def add(self, rows: NDArray[Any]) -> None:
        self.room(len(rows))[:] = rows
        self.keep(len(rows))

    def drop(self, n: int) -> None:
        """The first n were sent."""
        self._rows[: self._used - n] = self._rows[n : self._used].copy()
        self._used -= n


class WalkerState:
    """Growable columns of walkers, their routes, and the buckets they belong to."""

    def __init__(
        self, buckets: int, graph_checksum: int, topics: tuple[str, ...], capacity: int = 1024
    ) -> None:
        self.bucket_count = buckets
        self.graph_checksum = graph_checksum
        self.topics = topics
        self._slots = DeviceTable(capacity)
        self.devices: list[bytes] = []
        self.windows = WALKER_WINDOWS.empty_state(capacity)
        self.matches = np.zeros(capacity, MATCH_STATE)
        self.trips = np.zeros(capacity, TRIP_STATE)
        self.passages = np.zeros(capacity, PASSAGE_STATE)
        self.finished = FinishedPassages()
        self.bucket = np.zeros(capacity, np.int32)
        self.moved = np.zeros(capacity, np.bool_)  # since features were last read
        # scratch of `models.trip.advance_fixes`: only the slots of the block at hand mean anything
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

    def _grow(self, capacity: int) -> None:
        for name in _COLUMNS:
            old = getattr(self, name)
            new = np.zeros(capacity, old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)

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

    # ---- buckets

    def pack_bucket(
        self, bucket: int, contained: dict[str, int], updates: list[tuple[bytes, bytes]]
    ) -> bytes:
        """A bucket's bytes; `contained`: up to where each topic is in it, `updates`: what may be unsent."""
        slots = np.array(self.members[bucket], np.int64)
        devices = [self.devices[s] for s in slots]
        sizes = self._route_size[slots]
        edges = [
            self._arena_edges[self._route_first[s] : self._route_first[s] + self._route_size[s]]
            for s in slots
        ]
        starts = [
            self._arena_start_m[self._route_first[s] : self._route_first[s] + self._route_size[s]]
            for s in slots
        ]
        parts = [
            np.array([contained[topic] for topic in self.topics], "<i8").tobytes(),
            np.array([len(device) for device in devices], "<u2").tobytes(),
            b"".join(devices),
            self.windows[slots].tobytes(),
            self.matches[slots].tobytes(),
            self.trips[slots].tobytes(),
            self.passages[slots].tobytes(),
            *self._pack_finished(bucket, slots),
            sizes.astype("<i4").tobytes(),
            np.concatenate([np.zeros(0, "<i4"), *edges]).astype("<i4").tobytes(),
            np.concatenate([np.zeros(0, "<f8"), *starts]).astype("<f8").tobytes(),
            np.array([len(updates)], "<u4").tobytes(),
        ]
        for device, update in updates:
            parts.append(np.array([len(device), len(update)], "<u4").tobytes())
            parts.extend((device, update))
        body = b"".join(parts)
        header = np.zeros(1, _HEADER)
        header[0] = (_MAGIC, SCHEMA, self.graph_checksum, zlib.crc32(body), len(slots))
        return header.tobytes() + body

    def _pack_finished(self, bucket: int, slots: NDArray[np.int64]) -> tuple[bytes, bytes]:
        """Number and rows of the bucket's finished passages, `slot` as the index into its walkers."""
        rows = self.finished.rows()
        rows = rows[self.bucket[rows["slot"]] == bucket]
        rows["slot"] = np.searchsorted(slots, rows["slot"])  # members are in the order of their slots
        return np.array([len(rows)], "<u4").tobytes(), rows.tobytes()

    def load_bucket(self, bucket: int, data: bytes) -> PackedBucket:
        """Take a bucket's walkers in; raises BadRecord when the bytes are damaged or of another layout.

        Routes that belong to another graph are dropped with their trips; windows and devices stay.
        """
        if len(data) < _HEADER.itemsize:
            raise BadRecord("bad_checkpoint", f"bucket {bucket} has {len(data)} bytes")
        header = np.frombuffer(data, _HEADER, 1)[0]
        body = memoryview(data)[_HEADER.itemsize :]
        if header["magic"] != _MAGIC or int(header["schema"]) != SCHEMA:
            raise BadRecord("bad_checkpoint", f"bucket {bucket} was written with another layout of the state")
        if zlib.crc32(body) != int(header["checksum"]):
            raise BadRecord("bad_checkpoint", f"bucket {bucket} fails its checksum")
        same_graph = int(header["graph"]) == self.graph_checksum
        n = int(header["walkers"])
        read = _Reader(body)
        offsets = read.array("<i8", len(self.topics))
        contained = dict(zip(self.topics, offsets.tolist(), strict=True))
        lengths = read.array("<u2", n)
        devices = [bytes(read.take(int(length))) for length in lengths]
        slots = self.slots(BytesColumn.of(devices))
        self.windows[slots] = read.array(WALKER_WINDOWS.dtype, n)
        matches = read.array(MATCH_STATE, n)
        trips = read.array(TRIP_STATE, n)
        passages = read.array(PASSAGE_STATE, n)
        finished = read.array(PASSAGE, int(read.array("<u4", 1)[0])).copy()
        sizes = read.array("<i4", n)
        total = int(sizes.sum())
        edges = read.array("<i4", total)
        starts = read.array("<f8", total)
        dropped = 0
        if same_graph:
            self.matches[slots] = matches
            self.trips[slots] = trips
            self.passages[slots] = passages
            finished["slot"] = slots[finished["slot"]]
            self.finished.add(finished)
            at = 0
            for s, size in zip(slots.tolist(), sizes.tolist(), strict=True):
                if size:
                    self.set_route(s, edges[at : at + size], starts[at : at + size])
                at += size
        else:
            dropped = int(np.count_nonzero(sizes))
        count = int(read.array("<u4", 1)[0])
        updates = []
        for _ in range(count):
            device_len, update_len = read.array("<u4", 2).tolist()
            device = bytes(read.take(device_len))
            updates.append((device, bytes(read.take(update_len))))
        return PackedBucket(contained, updates, dropped)

    def active_slots(self) -> NDArray[np.int64]:
        """Slots of the walkers who have a trip, ascending."""
        return np.flatnonzero(self.trips["status"][: len(self.devices)] == ACTIVE)


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
