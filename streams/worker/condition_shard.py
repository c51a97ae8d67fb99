"""The conditions agent, behind its topics: reports to `models.world.conditions`, changes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from geo.cities import Cities
from geo.errors import BadRecord
from models.records import EdgeCondition, TrafficReport, WeatherReport, decode, encode
from models.world.conditions import Conditions
from streams.kafka.topics import EDGE_CONDITIONS, TRAFFIC_REPORTS
from streams.telemetry import metrics
from streams.transport.block import Block
from streams.worker.delivery import Outgoing, dead_letter
from streams.worker.event_clock import EventClock
from streams.worker.feature_counts import count_condition_features
from streams.worker.online_store import condition_key
from streams.worker.shards import Outcome

MOST_FEEDS = 100  # told of by name: a name costs Prometheus a series for ever
OTHER = "other"


class Feeds:
    """How many reports each feed has sent, and when the newest came; a feed is `source` up to its `#`."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def tell(self, topic: str, sources: Mapping[str, int], newest_s: float) -> None:
        """Count the reports of a block, by their sources."""
        for source, count in sources.items():
            name = source.partition("#")[0]
            if len(self._names) < MOST_FEEDS:
                self._names.add(name)
            elif name not in self._names:
                name = OTHER
            metrics.FEED_REPORTS.labels(topic, name).inc(count)
            metrics.FEED_TS.labels(topic, name).set(newest_s)


class ConditionShard:
    """Implements `streams.worker.shards.Shard` for the report topics; a bucket is one cell, edge or place."""

    def __init__(self, cities: Cities) -> None:
        self._conditions = Conditions(cities)
        self._clock = EventClock()
        self._recovered: list[Outgoing] = []
        self._unsent: dict[str, bytes] = {}
        self._online: dict[bytes, bytes] = {}
        self._unclean: set[str] = set()  # stored as unsent, sent since
        self._feeds = Feeds()

    def load(self, buckets: Mapping[str, bytes]) -> None:
        for key, data in buckets.items():
            size = int.from_bytes(data[:4], "little")
            self._conditions.load(key, data[4 : 4 + size])
            unsent = data[4 + size :]
            if unsent:
                self._clock.observe(decode(EdgeCondition, unsent).ts)
                self._recovered.append(Outgoing(EDGE_CONDITIONS, key.encode(), unsent))
        self._conditions.clear_dirty()

    def recovered(self) -> list[Outgoing]:
        unsent, self._recovered = self._recovered, []
        return unsent

    def process(self, block: Block) -> Outcome:
        outcome = Outcome()
        feeds: Counter[str] = Counter()
        kind: type[TrafficReport | WeatherReport] = (
            TrafficReport if block.topic == TRAFFIC_REPORTS else WeatherReport
        )
        for offset, key, value in zip(block.offsets.tolist(), block.keys, block.values, strict=True):
            if value is None:
                continue
            try:
                report = decode(kind, value)
            except BadRecord as error:
                outcome.messages.append(
                    dead_letter(block.topic, block.partition, offset, key, value, error.reason, error.detail)
                )
                continue
            self._clock.observe(report.ts)
            feeds[report.source] += 1
            if isinstance(report, TrafficReport):
                self._conditions.fold_traffic(report, offset)
            else:
                self._conditions.fold_weather(report, offset)
        self._feeds.tell(block.topic, feeds, float(block.timestamps_ms[-1]) / 1000.0)
        return self._changes(outcome)

    def tick(self) -> Outcome:
        """What the passing of time alone has changed: a closure began, a forecast's hour came."""
        outcome = self._changes(Outcome())
        if outcome.messages:
            for ahead, error in self._conditions.forecast_errors().items():
                metrics.FORECAST_ERROR.labels("speed_ratio", ahead).set(error)
        return outcome

    def _changes(self, outcome: Outcome) -> Outcome:
        changed = self._conditions.changed(self._clock.now())
        count_condition_features(changed)
        for condition in changed:
            value = encode(condition)
            self._unsent[condition.key] = value
            self._online[condition_key(condition.key)] = value
            outcome.write_ahead.add(condition.key)
            outcome.messages.append(Outgoing(EDGE_CONDITIONS, condition.key.encode(), value))
            metrics.CONDITIONS_SENT.labels("edge" if "/" in condition.key else "cell").inc()
        return outcome

    def online_values(self) -> dict[bytes, bytes]:
        """Conditions that changed since the last call, as the online store keeps them."""
        values, self._online = self._online, {}
        return values

    def dirty(self) -> set[str]:
        return set(self._conditions.dirty_keys()) | self._unclean

    def pack(self, name: str, positions: Mapping[str, int]) -> bytes | None:
        state = self._conditions.pack(name)
        unsent = self._unsent.get(name, b"")
        if not state and not unsent:
            return None
        return len(state).to_bytes(4, "little") + state + unsent

    def stored(self, names: Iterable[str]) -> None:
        stored = set(names)
        self._conditions.saved(stored)
        self._unclean -= stored
        self._unclean |= stored & self._unsent.keys()

    def sent(self) -> None:
        self._unsent.clear()

    def checkpointed(self) -> None:
        """Nothing is kept for it."""
