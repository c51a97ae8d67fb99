"""What a page needs, for tests, screenshots and measurements: broker, Redis, worker, gateway."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streams.kafka.topics import ensure_topics
from streams.local.processes import RunFolder, any_port, stop
from streams.local.services import run_folder, start_broker, start_redis, wait_for_broker, wait_for_redis
from streams.settings import Settings
from tests.broker.deployment import Worker
from tests.broker.gateways import GatewayProcess


@dataclass(frozen=True)
class Running:
    """A worker and a gateway on the bundled cities."""

    settings: Settings
    worker: Worker
    gateway: GatewayProcess
    folder: Path

    @property
    def url(self) -> str:
        return self.gateway.url


@contextmanager
def deployed(bootstrap: str, redis_url: str, folder: Path) -> Iterator[Running]:
    """A worker and a gateway beside a broker and a Redis that are there; both must end well."""
    settings = Settings(
        bootstrap=bootstrap,
        redis_url=redis_url,
        graph_dir=str(run_folder().graph),
        group=f"web-{uuid.uuid4().hex[:8]}",
        partitions=2,
        metrics_port=any_port(),
    )
    ensure_topics(settings)
    worker = Worker(settings, folder).start()
    gateway = GatewayProcess(settings, folder, gateway_demo=True, gateway_planners=1).start()
    try:
        gateway.wait_ready()
        worker.wait_ready()
        yield Running(settings, worker, gateway, folder)
    finally:
        assert gateway.stop() == 0
        assert worker.stop() == 0


@contextmanager
def alone(folder: Path) -> Iterator[Running]:
    """The same with a broker and a Redis of its own."""
    here = RunFolder(folder)
    broker = start_broker(here, port=any_port(), libraries=run_folder().broker_libraries)
    try:
        redis = start_redis(here, port=any_port())
        try:
            redis_url = wait_for_redis(redis, here)
            with deployed(wait_for_broker(broker, here), redis_url, folder) as running:
                yield running
        finally:
            stop(redis)
    finally:
        stop(broker)
