"""The networks of the recorded day: what a worker's planner sees when the day's reports reach it."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable

from geo.cities import one_city
from geo.graph import Graph
from geo.network import Network
from geo.routing.costs import changed_edges, static_costs
from models.records import TrafficReport, WeatherReport, decode
from models.world.conditions import Conditions, ConditionTable
from streams.demo.fleet import Timed
from streams.kafka.topics import TRAFFIC_REPORTS


class Networks:
    """Folds reports into conditions and these into costs, as the conditions agent and a worker do."""

    def __init__(self, graph: Graph, records: Iterable[Timed]) -> None:
        self._graph = graph
        self._conditions = Conditions(one_city(graph))
        self._table = ConditionTable()
        self._current = Network(graph, static_costs(graph))
        self._offsets: Counter[str] = Counter()
        self._version = 0
        # the number keeps records of one moment in their order
        self._coming = [(record.ts, number, record) for number, record in enumerate(records)]
        self._added = len(self._coming)
        heapq.heapify(self._coming)

    def add(self, record: Timed) -> None:
        """One more report that is still to come."""
        heapq.heappush(self._coming, (record.ts, self._added, record))
        self._added += 1

    def at(self, ts: float) -> Network:
        """The network once all reports up to `ts` are known: the very one of before if no street has changed.

        `ts` must not be less than in the call before.
        """
        while self._coming and self._coming[0][0] <= ts:
            self._fold(heapq.heappop(self._coming)[2])
        for condition in self._conditions.changed(ts):
            self._table.fold(condition)
        costs = self._table.costs(self._graph, ts, self._version + 1)
        if len(changed_edges(self._current.costs, costs)):
            self._version += 1
            self._current = Network(self._graph, costs)
        return self._current

    def _fold(self, record: Timed) -> None:
        offset = self._offsets[record.topic]
        self._offsets[record.topic] += 1
        if record.topic == TRAFFIC_REPORTS:
            self._conditions.fold_traffic(decode(TrafficReport, record.value), offset)
        else:
            self._conditions.fold_weather(decode(WeatherReport, record.value), offset)
