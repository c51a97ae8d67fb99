"""The networks every planner of this process uses: graphs, with costs rebuilt as edge-conditions change.

Reads the whole compacted topic with a consumer of its own (a Faust GlobalTable can recover for ever), then
follows it. A city's graph is opened by its first walker. A new version of its costs is built aside and
swapped; listeners are told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import cached_property

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from geo.cities import Cities, open_cities
from geo.errors import BadRecord
from geo.network import Network
from geo.routing.costs import changed_edges
from models.records import EdgeCondition, decode
from models.world.conditions import ConditionTable
from streams.kafka.connection import aiokafka_options
from streams.kafka.topics import EDGE_CONDITIONS
from streams.settings import Settings
from streams.telemetry import metrics
from streams.worker.event_clock import EventClock
from streams.worker.world_gauges import WorldGauges

log = logging.getLogger(__name__)

Listener = Callable[[dict[int, Network]], Awaitable[None]]
POLL_MS = 100
GATHER_S = 0.05  # conditions that come together make one version
TICK_S = 5.0
ASK_S = 5.0
TELL_S = 5.0
SILENT_S = 3 * ASK_S + 5.0  # the broker is asked so often, and may take its time


class NetworkService:
    """Implements `geo.network.CityNetworks`; `ready` is set once the topic has been read to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known = ConditionTable()
        self._tables: dict[int, ConditionTable] = {}  # by city, of those that are open
        self._networks: dict[int, Network] = {}
        self._version = 0
        self._clock = EventClock()
        self._listeners: list[Listener] = []
        self._next_tick = 0.0
        self.gauges = WorldGauges()
        self._next_tell = 0.0
        self._offsets: dict[str, int] = {}  # of the newest record of every key
        self._answered_at: float | None = None  # monotonic
        self.ready = asyncio.Event()

    @cached_property
    def cities(self) -> Cities:
        """All cities of this deployment; raises BadGraph."""
        return open_cities(self._settings.graph_path)

    def of(self, city: int) -> Network:
        """The network of a city; its graph is opened by the first who asks."""
        network = self._networks.get(city)
        if network is None:
            table = self._tables[city] = ConditionTable()
            for condition in self._known.conditions():
                table.fold(condition)
            graph = self.cities[city].graph
            network = Network(graph, table.costs(graph, self._clock.now(), self._version))
            self._networks[city] = network
            metrics.CITIES_OPEN.set(len(self._networks))
            log.info("%s is open: %d edges", self.cities[city].name, graph.edge_count)
        return network

    @property
    def version(self) -> int:
        """The offset in the topic up to which conditions are in the networks."""
        return self._version

    def open(self) -> dict[int, Network]:
        """The networks of the cities that are open, by number."""
        return dict(self._networks)

    def as_of(self, city: int, version: int) -> Network:
        """A city's network of now without what came since `version`: nothing is known where there is news."""
        older, graph = ConditionTable(), self.of(city).graph
        for condition in self._known.conditions():
            if self._offsets[condition.key] < version:
                older.fold(condition)
        return Network(graph, older.costs(graph, self._clock.now(), version))

    def listen(self, listener: Listener) -> None:
        """`listener` is awaited with the new networks, by number, of the open cities that have news."""
        self._listeners.append(listener)

    async def follow(self) -> None:
        """Read the topic to its end and follow it; ends only by cancellation or an error."""
        partition = TopicPartition(EDGE_CONDITIONS, 0)
        consumer = AIOKafkaConsumer(
            **aiokafka_options(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=POLL_MS,
        )
        asking: asyncio.Future[None] | None = None
        await consumer.start()
        try:
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            end = (await consumer.end_offsets([partition]))[partition]
            asking = asyncio.ensure_future(self._compare(consumer, partition))
            while True:
                position = await consumer.position(partition)
                changed = await self._read(consumer, partition)
                if self.ready.is_set():
                    if changed or self._due():
                        await self._swap(await consumer.position(partition))
                elif position >= end:
                    await self._swap(position)
                    self.ready.set()
        finally:
            if asking is not None:
                asking.cancel()
            await consumer.stop()

    def why_not_current(self) -> str | None:
        """Why plans made now may be wrong: conditions not read yet, or a broker that does not answer."""
        if not self.ready.is_set() or self._answered_at is None:
            return "the conditions have not been read yet"
        silent_s = time.monotonic() - self._answered_at
        return None if silent_s <= SILENT_S else f"the broker has not answered for {silent_s:.0f} s"

    async def _compare(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        """Ask where the topic ends, for ever: tells that the broker answers, and whether all of it is in use.

        A consumer that only reads does not say when its broker is away.
        """
        while True:
            asked_at = time.time()
            try:
                end = (await asyncio.wait_for(consumer.end_offsets([partition]), ASK_S))[partition]
            except (KafkaError, TimeoutError):
                pass
            else:
                self._answered_at = time.monotonic()
                metrics.BROKER_TS.set(asked_at)
                if self.ready.is_set() and self._version >= end:
                    metrics.CONDITIONS_CURRENT_TS.set(asked_at)
            await asyncio.sleep(ASK_S)

    async def _read(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> bool:
        records = (await consumer.getmany(partition, timeout_ms=POLL_MS)).get(partition, [])
        if records and self.ready.is_set():
            await asyncio.sleep(GATHER_S)
            records += (await consumer.getmany(partition, timeout_ms=0)).get(partition, [])
        changed = False
        for record in records:
            key = (record.key or b"").decode(errors="replace")
            self._offsets[key] = record.offset
            if record.value is None:
                for table in (self._known, *self._tables.values()):
                    table.forget(key)
                changed = True
                continue
            try:
                condition = decode(EdgeCondition, record.value)
            except BadRecord as error:
                metrics.DEAD_LETTERS.labels(EDGE_CONDITIONS, error.reason).inc()
                log.warning("edge-conditions offset %d cannot be used: %s", record.offset, error)
                continue
            self._clock.observe(condition.ts)
            changed |= self._known.fold(condition)
            for table in self._tables.values():
                table.fold(condition)
        return changed

    def _due(self) -> bool:
        """Whether something expires or it gets darker, though nothing comes in."""
        loop_now = asyncio.get_running_loop().time()
        if loop_now < self._next_tick:
            return False
        self._next_tick = loop_now + TICK_S
        return True

    async def _swap(self, version: int) -> None:
        now = self._clock.now()
        self._version = version
        metrics.CONDITIONS_VERSION.set(version)
        metrics.CONDITIONS_TS.set(now)
        news = {}
        for city, old in self.open().items():
            costs = self._tables[city].costs(old.graph, now, version)
            if not len(changed_edges(old.costs, costs)):
                continue
            news[city] = self._networks[city] = Network(old.graph, costs)
        self._tell(now)
        for listener in self._listeners:
            await listener(news)

    def _tell(self, now_ts: float) -> None:
        loop_now = asyncio.get_running_loop().time()
        if loop_now >= self._next_tell:
            self._next_tell = loop_now + TELL_S
            for city, table in self._tables.items():
                self.gauges.tell(self.cities[city], table, now_ts)
