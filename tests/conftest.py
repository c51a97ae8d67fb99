"""What the whole suite shares: one real broker and one real Redis, started when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from streams.local.processes import LocalProcess, RunFolder, any_port, stop
from streams.local.services import (
    run_folder,
    start_broker,
    start_redis,
    wait_for_broker,
    wait_for_redis,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    faults = parser.getgroup("faults", "tests/faults: what a deployment survives")
    faults.addoption("--faults", choices=("short", "long"), default="short", help="Which cases are run.")
    faults.addoption("--faults-seed", type=int, help="For what is random in them; the time by default.")
    faults.addoption("--faults-repeat", type=int, default=1, help="How often each case is run.")
    faults.addoption("--faults-json", metavar="FILE", help="Where the recovery times are written.")


@dataclass(frozen=True)
class Services:
    """A broker and a Redis of the suite's own, on free loopback ports, with data in a temporary folder."""

    bootstrap: str
    redis_url: str
    folder: RunFolder
    broker: LocalProcess
    redis: LocalProcess


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Both services, running; fails with what is missing (never skips) where they cannot start."""
    folder = RunFolder(tmp_path_factory.mktemp("services"))
    started: list[LocalProcess] = []
    try:
        # quick to start rather than quick for long: the suite lives for minutes
        jvm = ("-Xms128m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
        broker = start_broker(
            folder, port=any_port(), libraries=run_folder().broker_libraries, jvm_options=jvm
        )
        started.append(broker)
        redis = start_redis(folder, port=any_port())
        started.append(redis)
        redis_url = wait_for_redis(redis, folder)
        yield Services(wait_for_broker(broker, folder), redis_url, folder, broker, redis)
    finally:
        for process in reversed(started):
            stop(process)
