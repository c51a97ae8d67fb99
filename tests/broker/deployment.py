"""Real worker processes, and a phone's and a navigation client's view of the topics, for the tests."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from confluent_kafka import Consumer, Producer, TopicPartition

from models.records import DeadLetter, RouteUpdate, decode, encode
from models.trips.walker_state import WalkerState
from streams.kafka.topics import (
    DEAD_LETTERS,
    DEVICE_TOPICS,
    GPS_FIXES,
    ROUTE_UPDATES,
    WALKERS_TABLE,
    changelog_topic,
)
from streams.local.processes import any_port
from streams.settings import Settings
from streams.worker.ahead import holds_walkers
from streams.worker.checkpoints import unseal
from tests.broker.own_process import OwnProcess, wait_for


class Worker(OwnProcess):
    """One `flaneur worker`."""

    what = "worker"

    def __init__(self, settings: Settings, folder: Path, worker_id: str = "test-0") -> None:
        own = replace(settings, worker_id=worker_id, metrics_port=any_port())
        super().__init__(own, folder, worker_id)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels; 0 while the worker does not answer."""
        try:
            url = f"http://127.0.0.1:{self.settings.metrics_port}/metrics"
            text = urllib.request.urlopen(url, timeout=2).read().decode()
        except OSError:
            return 0.0
        total = 0.0
        for line in text.splitlines():
            ours = line.startswith((name + " ", name + "{"))
            if ours and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def is_ready(self, partitions: int | None = None) -> bool:
        """Whether it has opened so many partitions (by default all)."""
        wanted = self.settings.partitions if partitions is None else partitions
        return self.metric("flaneur_assigned_partitions", table="walkers") == wanted

    def wait_ready(self, partitions: int | None = None) -> Self:
        self.wait(lambda: self.is_ready(partitions))
        return self


class Phone:
    """Publishes like a gateway: idempotent, keyed by device, every delivery checked."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": settings.bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "message.max.bytes": 8_000_000,
                "linger.ms": 5,
                "log_level": 0,
                **options,
            }
        )
        self._failed: list[Any] = []

    def queue(self, topic: str, key: str | None, raw: bytes | None) -> None:
        """Hand a message to the client; `flush` waits for the broker."""
        while True:
            try:
                self._producer.produce(topic, raw, key, on_delivery=self._check)
                return
            except BufferError:
                self._producer.poll(0.1)

    def flush(self, within_s: float = 60.0) -> None:
        """Wait until everything is acknowledged; AssertionError if anything is not."""
        assert self._producer.flush(within_s) == 0
        assert not self._failed, self._failed

    def send(self, topic: str, key: str | None, *values: Any) -> None:
        """Publish records (or raw bytes, or None) and wait for the broker."""
        for value in values:
            self.queue(topic, key, value if isinstance(value, bytes) or value is None else encode(value))
        self.flush()

    def _check(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failed.append(error)


class Reader:
    """Reads a topic from its beginning, message by message."""

    def __init__(self, settings: Settings, topic: str, partitions: int) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": settings.bootstrap, "group.id": "test-reader", "enable.auto.commit": False}
        )
        self._consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])

    def poll(self, timeout_s: float = 0.2) -> Iterator[Any]:
        """What has come since the last call."""
        for message in self._consumer.consume(1000, timeout_s):
            if message.error() is None:
                yield message

    def close(self) -> None:
        self._consumer.close()


class Client:
    """A navigation client: collects updates and keeps those it has not seen, as it should."""

    def __init__(self, settings: Settings) -> None:
        self._updates = Reader(settings, ROUTE_UPDATES, settings.partitions)
        self._letters = Reader(settings, DEAD_LETTERS, 1)
        self.received: list[RouteUpdate] = []  # repeated ones included
        self.letters: list[DeadLetter] = []

    def read(self) -> None:
        self.received += [decode(RouteUpdate, m.value()) for m in self._updates.poll()]
        self.letters += [decode(DeadLetter, m.value()) for m in self._letters.poll(0.05)]

    def updates(self, device: str | None = None, reason: str | None = None) -> list[RouteUpdate]:
        """Visible updates: by trip and version, first come."""
        seen: dict[tuple[str, str, int], RouteUpdate] = {}
        for update in self.received:
            seen.setdefault((update.device, update.trip, update.version), update)
        return [
            update
            for update in seen.values()
            if device in (None, update.device) and reason in (None, update.reason)
        ]

    def wait(self, device: str, reason: str, within_s: float = 20.0) -> RouteUpdate:
        """The first update of that device with that reason."""

        def there() -> bool:
            self.read()
            return bool(self.updates(device, reason))

        wait_for(
            there,
            within_s,
            lambda: f"no {reason} for {device}: {[(u.device, u.reason) for u in self.received]}",
        )
        return self.updates(device, reason)[0]

    def close(self) -> None:
        self._updates.close()
        self._letters.close()


def stored_walkers(settings: Settings, graph_checksum: int) -> dict[str, dict[str, Any]]:
    """Every walker's state as the changelog has it: what a worker would recover."""
    topic = changelog_topic(settings, WALKERS_TABLE)
    consumer = Consumer(
        {"bootstrap.servers": settings.bootstrap, "group.id": "test-state", "enable.auto.commit": False}
    )
    walkers: dict[str, dict[str, Any]] = {}
    try:
        for partition in range(settings.partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            consumer.assign([TopicPartition(topic, partition, low)])
            newest: dict[bytes, bytes | None] = {}
            position = low
            while position < high:
                for message in consumer.consume(1000, 1.0):
                    assert message.error() is None, message.error()
                    newest.pop(message.key(), None)  # what was written later holds
                    newest[message.key()] = message.value()
                    position = message.offset() + 1
            state = WalkerState(settings.buckets, (graph_checksum,), DEVICE_TOPICS)
            for key, value in newest.items():
                name = key.decode().split("/", 1)[1]
                if holds_walkers(name) and value:
                    state.load(name, unseal(name, value))
            for slot, device in enumerate(state.devices):
                walkers[device.decode()] = {
                    "windows": state.windows[slot].tobytes(),
                    "matches": state.matches[slot].tobytes(),
                    "trip": state.trips[slot].copy(),
                    "route": state.route_edges(slot).tolist(),
                    "fixes": int(state.windows[slot]["accepted"]),
                    **{
                        name: int(state.windows[slot][name])
                        for name in ("late", "duplicates", "out_of_order")
                    },
                }
    finally:
        consumer.close()
    return walkers


def committed(worker: Worker) -> int:
    """Messages of gps-fixes that wait in front of a worker."""
    return int(worker.metric("flaneur_consumer_lag_messages", topic=GPS_FIXES))


def total_fixes(walkers: Iterable[dict[str, Any]]) -> int:
    return sum(walker["fixes"] for walker in walkers)
