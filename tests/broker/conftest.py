"""Topics of a test's own on the suite's broker, and an empty Redis."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from confluent_kafka.admin import AdminClient, NewTopic

from streams.kafka.topics import ensure_topics
from streams.local.processes import any_port
from streams.settings import Settings
from tests.broker.deployment import Client, Worker
from tests.broker.drawn import City, draw

GONE_WITHIN_S = 20.0


@pytest.fixture
def admin(services: Any) -> AdminClient:
    """An admin client of the suite's broker."""
    return AdminClient({"bootstrap.servers": services.bootstrap, "log_level": 0})


@pytest.fixture
def new_topic(admin: AdminClient) -> Callable[[int], str]:
    """Makes a topic with so many partitions, under a name that no other test has."""

    def make(partitions: int = 1) -> str:
        name = f"test-{uuid.uuid4().hex[:12]}"
        for future in admin.create_topics([NewTopic(name, num_partitions=partitions)]).values():
            future.result(timeout=20)
        return name

    return make


@pytest.fixture
def settings(services: Any, admin: AdminClient) -> Settings:
    """Settings of a worker of the test's own, with all topics fresh and empty and Redis emptied."""
    clear_topics(admin)
    with redis.Redis.from_url(services.redis_url) as client:
        client.flushall()
    mine = Settings(
        bootstrap=services.bootstrap,
        redis_url=services.redis_url,
        group=f"test-{uuid.uuid4().hex[:8]}",
        worker_id="test-0",
        partitions=2,
        metrics_port=any_port(),
    )
    ensure_topics(mine)
    return mine


@pytest.fixture
def online_store(services: Any) -> Iterator[redis.Redis]:
    """A client of the suite's Redis, emptied before."""
    with redis.Redis.from_url(services.redis_url) as client:
        client.flushall()
        yield client


def clear_topics(admin: AdminClient) -> None:
    """Delete every topic that is not Kafka's own, and wait until they are gone."""
    give_up = time.monotonic() + GONE_WITHIN_S
    while names := [name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")]:
        for future in admin.delete_topics(names).values():
            # one that went meanwhile is as good as deleted
            future.exception(timeout=20)
        if time.monotonic() > give_up:
            raise TimeoutError(f"these topics do not go away: {names}")
        time.sleep(0.1)


@pytest.fixture
def city(tmp_path: Path) -> City:
    """The drawn city, saved."""
    return draw(tmp_path / "graph")


@pytest.fixture
def worker(settings: Settings, city: City, tmp_path: Path) -> Iterator[Worker]:
    """A worker in the drawn city that has all partitions; it must end well when it is told to."""
    started = Worker(replace(settings, graph_dir=str(city.folder)), tmp_path).start()
    try:
        yield started.wait_ready()
    finally:
        assert started.stop() == 0


@pytest.fixture
def client(worker: Worker) -> Iterator[Client]:
    """A navigation client of that worker."""
    one = Client(worker.settings)
    yield one
    one.close()
