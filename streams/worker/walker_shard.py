"""The walkers of one partition: blocks to `models.trips.walking`, its answers to messages."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from geo.errors import BadInput, BadRecord
from geo.graph import F64, I32, Graph
from geo.network import CityNetworks, Network
from models.bytes_column import BytesColumn
from models.features import pack_features
from models.records import Rating, RouteRequest, decode, encode
from models.trips.step import FixCounts, Step
from models.trips.trip import ERASED
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from models.world.observations import cell_observations, in_cells
from streams.kafka.topics import (
    CELL_OBSERVATIONS,
    DEVICE_TOPICS,
    GPS_FIXES,
    RATINGS,
    ROUTE_REQUESTS,
    ROUTE_UPDATES,
)
from streams.settings import Settings
from streams.telemetry import metrics
from streams.transport.block import Block
from streams.worker.ahead import AHEAD, AheadRecords, holds_walkers
from streams.worker.delivery import Outgoing, dead_letter
from streams.worker.feature_counts import count_walker_features
from streams.worker.online_store import walker_key
from streams.worker.shards import Outcome

log = logging.getLogger(__name__)

PSEUDONYM_KEY = "pseudonym-key"  # the bucket that keeps it
CHECKED = "conditions-checked"  # the bucket that keeps up to which version live routes were checked

R = TypeVar("R", RouteRequest, Rating)


class WalkerShard:
    """Implements `streams.worker.shards.Shard` for the topics keyed by device."""

    def __init__(self, partition: int, settings: Settings, networks: CityNetworks) -> None:
        self.partition = partition
        self._networks = networks
        graphs = [city.checksum for city in networks.cities]
        state = WalkerState(settings.buckets, graphs, DEVICE_TOPICS)
        self.walking = Walking(partition, networks, state, ingest_only=settings.ingest_only)
        self._unsent: list[tuple[bytes, bytes]] = []
        self._recovered: dict[bytes, list[bytes]] = {}  # updates that may not have been sent
        self._ahead = AheadRecords()
        self._pseudonym_key = os.urandom(32)
        self._key_stored = False
        self._checked = 0
        self._checked_stored: int | None = None
        self._behind: set[int] = set()  # cities whose live routes were not checked since they were loaded
        self._observed = 0  # finished passages that were returned as messages and are not yet sent
        self._observing = False  # whether more are about to be
        self._settled = 0  # nodes that the metrics have

    # ---- checkpoints

    def load(self, buckets: Mapping[str, bytes]) -> None:
        state = self.walking.state
        for name, data in buckets.items():
            if name == PSEUDONYM_KEY:
                self._pseudonym_key, self._key_stored = data, True
                continue
            if name == CHECKED:
                self._checked = self._checked_stored = int(data)
                continue
            if not holds_walkers(name):
                log.warning("%r in the changelog is of another version: it stays as it is", name)
                continue
            if name.startswith(AHEAD):
                self._ahead.seen(name)
            elif int(name) >= state.bucket_count:
                raise BadInput(f"BUCKETS is {state.bucket_count} and was larger: a bucket {name} is stored")
            packed = state.load(name, data)
            for s in packed.slots.tolist():
                self._recovered.pop(state.devices[s], None)
            for device, update in packed.updates:
                self._recovered.setdefault(device, []).append(update)
            if packed.routes_dropped:
                log.warning("%d trips dropped: they were planned on another graph", packed.routes_dropped)
            if name.startswith(AHEAD) or packed.updates:
                self.walking.dirty[state.bucket[packed.slots]] = True
        self.walking.open_cities()
        self._behind = self.walking.cities

    def recovered(self) -> list[Outgoing]:
        unsent, self._recovered = self._recovered, {}
        return [self._outgoing(device, update) for device, updates in unsent.items() for update in updates]

    def dirty(self) -> set[str]:
        self._ahead.begin_checkpoint()
        names = {str(bucket) for bucket in np.flatnonzero(self.walking.dirty)}
        if self._checked != self._checked_stored and (names or self._checked_stored is not None):
            names.add(CHECKED)
        return names

    def pack(self, name: str, positions: Mapping[str, int]) -> bytes | None:
        if name == PSEUDONYM_KEY:
            return self._pseudonym_key
        if name == CHECKED:
            return b"%d" % self._checked
        state = self.walking.state
        if name.startswith(AHEAD):
            ahead = self._ahead.devices(name)
            if not ahead:
                return None  # it was damaged, and what it held was rebuilt
            slots = np.sort(state.slots(BytesColumn.of(list(ahead)))).astype(np.int64)
        else:
            slots = np.array(state.members[int(name)], np.int64)
        devices = {state.devices[s] for s in slots.tolist()} if self._unsent else set()
        unsent = [one for one in self._unsent if one[0] in devices]
        # what a loaded walker contains may be ahead of the positions, and is packed as that
        contained = np.array([[positions[topic] for topic in DEVICE_TOPICS]], np.int64)
        return state.pack(slots, contained, unsent)

    def stored(self, names: Iterable[str]) -> None:
        for name in names:
            if name == PSEUDONYM_KEY:
                self._key_stored = True
            elif name == CHECKED:
                self._checked_stored = self._checked
            elif not name.startswith(AHEAD):
                self.walking.dirty[int(name)] = False
        # a bucket that still says «unsent» must be written once more when that is no longer true
        for device, _ in self._unsent:
            self.walking.dirty[self.walking.state.bucket_of(device)] = True

    def sent(self) -> None:
        self._unsent.clear()
        if self._observed:
            finished, state = self.walking.state.finished, self.walking.state
            # stored once more without them
            self.walking.dirty[state.bucket[finished.slots[: self._observed]]] = True
            finished.drop(self._observed)
            self._observed = 0

    # ---- what others may know

    def observe(self, at_once: int = 250) -> Iterator[Outcome]:
        """The passages finished since the last call, for cell-observations, so many at a time.

        To be taken to the end; fixes may come in between. Until all are sent they are in their walkers'
        buckets; after a crash some are sent again.
        """
        state = self.walking.state
        passages = state.finished.rows(self._observed)
        self._observing = True
        city = state.city[passages["slot"]]
        parts: list[tuple[Graph, NDArray[Any], I32]] = []
        for number in np.unique(city).tolist():
            graph = self._networks.of(number).graph
            rows, cells = in_cells(graph, passages[city == number])
            for first in range(0, len(rows), at_once):
                some = slice(first, first + at_once)
                parts.append((graph, rows[some], cells[some]))
        for part in parts[:-1]:
            yield self._observations(*part)
        self._observed += len(passages)
        self._observing = False
        for part in parts[-1:]:
            yield self._observations(*part)

    def _observations(self, graph: Graph, passages: NDArray[Any], cells: I32) -> Outcome:
        records = cell_observations(graph, passages, cells, self.walking.state.devices, self._pseudonym_key)
        outcome = Outcome(
            [Outgoing(CELL_OBSERVATIONS, record.cell.encode(), encode(record)) for record in records]
        )
        if not self._key_stored:
            outcome.write_ahead.add(PSEUDONYM_KEY)
        metrics.PASSAGES_SENT.inc(len(passages))
        return outcome

    def checkpointed(self) -> None:
        self._ahead.end_checkpoint()

    # ---- who is gone

    def expire_silent(self, now_s: float) -> Outcome:
        """End the trips of walkers of whom nothing has come for `Policy.expire_s`.

        now_s: of any clock that goes on evenly, as for `forget_gone`.
        """
        silent = self._seen_s(now_s) < now_s - self.walking.policy.expire_s
        return self._outcome(self.walking.expire_trips(np.flatnonzero(silent).tolist()), None)

    def forget_gone(self, now_s: float, after_s: float) -> list[bytes]:
        """Forget who wants to be forgotten, and of whom nothing has come for so long; their devices.

        now_s: of any clock that goes on evenly. A walker is first seen when they are first looked at.
        """
        state = self.walking.state
        gone = self._seen_s(now_s) < now_s - after_s
        busy = state.finished.slots
        gone[busy] = False
        erased = state.trips["status"][: len(state)] == ERASED
        if self._observed or self._observing:
            erased[busy] = False  # what is being sent lies at the front of the finished passages
        gone |= erased
        unsent = {device for device, _ in self._unsent}
        slots = [s for s in np.flatnonzero(gone).tolist() if state.devices[s] not in unsent]
        devices = [state.devices[s] for s in slots]
        if slots:
            self.walking.dirty[state.bucket[slots]] = True
            state.forget(np.array(slots, np.int64))
        return devices

    def _seen_s(self, now_s: float) -> F64:
        """When each walker was last found to have moved; (n,) s."""
        state = self.walking.state
        seen_s = state.seen_s[: len(state)]
        seen_s[state.moved[: len(state)] | (seen_s == 0.0)] = now_s
        return seen_s

    # ---- online store

    def online_values(self) -> dict[bytes, bytes]:
        """Features of the walkers who moved since the last call, as the online store keeps them."""
        slots, ts, values = self.walking.changed_features()
        self.walking.state.seen_s[slots] = 0.0  # now, when it is next looked at
        devices = self.walking.state.devices
        count_walker_features(values)
        packed = pack_features(ts, values)
        return {walker_key(devices[s]): value for s, value in zip(slots.tolist(), packed, strict=True)}

    # ---- blocks

    def process(self, block: Block) -> Outcome:
        take = {GPS_FIXES: self._fixes, ROUTE_REQUESTS: self._requests, RATINGS: self._ratings}[block.topic]
        return self._outcome(take(block), block)

    def begin_change(
        self, city: int, network: Network, as_of: Callable[[int, int], Network] | None = None
    ) -> Outcome:
        """Re-score all live routes in a city on its new network; `serve` then reroutes who is worse off.

        as_of: a city's network as it was at a version of the conditions. The worker that held these walkers
        may have ended before it came to all of them, so the first time they are checked since then.
        """
        started = time.perf_counter()
        before = None
        if as_of is not None and self._checked_stored is not None and city in self._behind:
            before = as_of(city, self._checked)
        self._behind.discard(city)
        outcome = self._outcome(self.walking.begin_change(city, network, before), None)
        metrics.WORLD_CHECK_SECONDS.observe(time.perf_counter() - started)
        return outcome

    @property
    def waiting(self) -> int:
        """How many walkers are still to be served after changes of the world."""
        return self.walking.waiting

    def serve(self, most: int) -> Outcome:
        """Better ways for the next few walkers who wait, first who needs one first."""
        return self._outcome(self.walking.serve(most), None)

    def checked(self, version: int) -> None:
        """All live routes were checked for the conditions up to this version."""
        if not self._behind:
            self._checked = version

    def _fixes(self, block: Block) -> Step:
        step = self.walking.take_fixes(block.values, block.offsets)
        _count(step.counts)
        now = time.time()
        metrics.BROKER_AGE.observe(max(0.0, now - float(block.timestamps_ms[-1]) / 1000.0))
        if step.counts.newest_ts:
            metrics.FIX_AGE.observe(max(0.0, now - step.counts.newest_ts))
        return step

    def _requests(self, block: Block) -> Step:
        def take(device: bytes, record: RouteRequest, offset: int, i: int) -> Step:
            return self.walking.take_request(device, record, offset, i)

        return self._records(block, RouteRequest, take)

    def _ratings(self, block: Block) -> Step:
        def take(device: bytes, record: Rating, offset: int, i: int) -> Step:
            return self.walking.take_rating(device, record)

        return self._records(block, Rating, take)

    def _records(self, block: Block, kind: type[R], take: Callable[[bytes, R, int, int], Step]) -> Step:
        """One record a message; what a walker contains already is skipped."""
        total = Step()
        state, topic = self.walking.state, DEVICE_TOPICS.index(block.topic)
        for i, (offset, value) in enumerate(zip(block.offsets.tolist(), block.values, strict=True)):
            if value is None:
                continue
            try:
                record = decode(kind, value)
                device = record.device.encode()
                s = state.find(device)
                if s is not None and offset < state.contained[s, topic]:
                    continue
                total.add(take(device, record, offset, i))
            except BadRecord as error:
                total.problem(i, error.reason, error.detail)
        return total

    def _outcome(self, step: Step, block: Block | None) -> Outcome:
        outcome = Outcome()
        reasons: dict[int, tuple[str, list[str]]] = {}  # one letter a message, however many fixes are bad
        for problem in step.problems:
            reasons.setdefault(problem.message_index, (problem.reason, []))[1].append(problem.detail)
        for i, (reason, details) in reasons.items():
            assert block is not None
            outcome.messages.append(
                dead_letter(
                    block.topic, block.partition, int(block.offsets[i]), block.keys[i], block.values[i],
                    reason, '; '.join(details[:5]),
                )
            )  # fmt: skip
        for update in step.updates:
            device = update.device.encode()
            value = encode(update)
            self._unsent.append((device, value))
            outcome.messages.append(self._outgoing(device, value))
            metrics.ROUTE_UPDATES.labels(update.reason).inc()
            if update.gain is not None:
                metrics.REPLAN_GAIN.labels(update.reason).observe(update.gain)
        outcome.write_ahead |= self._ahead.add({update.device.encode() for update in step.updates})
        for reason, n in step.decisions.items():
            metrics.DECISIONS.labels(reason).inc(n)
        for reason, n in step.failed.items():
            metrics.REPLAN_FAILED.labels(reason).inc(n)
        for reason, seconds in step.searches:
            metrics.SEARCH_SECONDS.labels(reason).observe(seconds)
        metrics.REROUTES_FALSE.inc(step.false_reroutes)
        for kernel, started, ended in step.laps:
            metrics.KERNEL_SECONDS.labels(kernel).inc(ended - started)
        outcome.laps = step.laps
        settled = self.walking.settled_nodes
        metrics.SETTLED_NODES.inc(settled - self._settled)
        self._settled = settled
        return outcome

    def _outgoing(self, device: bytes, update: bytes) -> Outgoing:
        return Outgoing(ROUTE_UPDATES, device, update, self.partition)


def _count(counts: FixCounts) -> None:
    metrics.FIXES.inc(counts.fixes)
    metrics.FIXES_LATE.inc(counts.late)
    metrics.FIXES_DUPLICATE.inc(counts.duplicate)
    metrics.FIXES_OUT_OF_ORDER.inc(counts.out_of_order)
    metrics.MATCHED.labels("on_network").inc(counts.matched)
    metrics.MATCHED.labels("off_network").inc(counts.off_network)
    if counts.matched:
        metrics.MATCH_DISTANCE.set(counts.distance_m)
        metrics.MATCH_PROBABILITY.set(counts.probability)
