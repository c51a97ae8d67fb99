"""The network every planner of this process uses: the graph, with costs rebuilt as edge-conditions change.

Reads the whole compacted topic with a consumer of its own (a Faust GlobalTable can recover for ever), then
follows it. A new version of the costs is built aside and swapped; listeners are told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

from geo.errors import BadRecord
from geo.graph import open_graph
from geo.network import Network
from geo.routing.costs import changed_edges, static_costs
from models.conditions import ConditionTable
from models.records import EdgeCondition, decode
from streams import metrics
from streams.event_clock import EventClock
from streams.settings import Settings
from streams.topics import EDGE_CONDITIONS

log = logging.getLogger(__name__)

Listener = Callable[[Network], Awaitable[None]]
POLL_MS = 100
GATHER_S = 0.05  # conditions that come together make one version
TICK_S = 5.0


class NetworkService:
    """Holds `current`; `ready` is set once the topic has been read to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._table = ConditionTable()
        self._clock = EventClock()
        self._listeners: list[Listener] = []
        self._current: Network | None = None
        self._next_tick = 0.0
        self.ready = asyncio.Event()

    @property
    def current(self) -> Network:
        assert self._current is not None, "it is there once `ready` is set"
        return self._current

    def listen(self, listener: Listener) -> None:
        """`listener` is awaited with every new network after the first."""
        self._listeners.append(listener)

    async def follow(self) -> None:
        """Open the graph, read the topic to its end and follow it; ends only by cancellation or an error."""
        graph = open_graph(self._settings.graph_path)
        self._current = Network(graph, static_costs(graph))
        partition = TopicPartition(EDGE_CONDITIONS, 0)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=POLL_MS,
        )
        await consumer.start()
        try:
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            end = (await consumer.end_offsets([partition]))[partition]
            while True:
                position = await consumer.position(partition)
                changed = await self._read(consumer, partition)
                if self.ready.is_set():
                    if changed or self._due():
                        await self._swap(await consumer.position(partition))
                elif position >= end:
                    await self._swap(position, tell=False)
                    self.ready.set()
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> bool:
        records = (await consumer.getmany(partition, timeout_ms=POLL_MS)).get(partition, [])
        if records and self.ready.is_set():
            await asyncio.sleep(GATHER_S)
            records += (await consumer.getmany(partition, timeout_ms=0)).get(partition, [])
        changed = False
        for record in records:
            key = (record.key or b"").decode(errors="replace")
            if record.value is None:
                self._table.forget(key)
                changed = True
                continue
            try:
                condition = decode(EdgeCondition, record.value)
            except BadRecord as error:
                metrics.DEAD_LETTERS.labels(EDGE_CONDITIONS, error.reason).inc()
                log.warning("edge-conditions offset %d cannot be used: %s", record.offset, error)
                continue
            self._clock.observe(condition.ts)
            changed |= self._table.fold(condition)
        return changed

    def _due(self) -> bool:
        """Whether something expires or it gets darker, though nothing comes in."""
        loop_now = asyncio.get_running_loop().time()
        if loop_now < self._next_tick:
            return False
        self._next_tick = loop_now + TICK_S
        return True

    async def _swap(self, version: int, *, tell: bool = True) -> None:
        old = self.current
        now = self._clock.now()
        costs = self._table.costs(old.graph, now, version)
        metrics.CONDITIONS_VERSION.set(version)
        metrics.CONDITIONS_TS.set(now)
        if not len(changed_edges(old.costs, costs)):
            return
        self._current = Network(old.graph, costs)
        if tell:
            for listener in self._listeners:
                await listener(self._current)
