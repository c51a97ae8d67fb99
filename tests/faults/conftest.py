"""The day that is disturbed, on a broker of its own, beside the day that is not; and the table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.admin import AdminClient

from streams.worker.warmup import warm_up
from tests.broker.conftest import clear_topics
from tests.broker.drawn import City, draw
from tests.faults.day import Day, deployment
from tests.faults.machine import Machine

PARTITIONS = 3


@pytest.fixture
def recovered(request: pytest.FixtureRequest) -> Callable[[float], None]:
    """Write down how long a case took to recover, from a moment of the monotonic clock until now.

    That is from the fault's end (of a kill: from the kill) until checkpoints contain everything sent.
    """

    def note(since: float) -> None:
        request.node.user_properties.append(("recovery_s", time.monotonic() - since))

    return note


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    cases = [
        {"name": report.nodeid.split("::test_")[-1], "recovery_s": value}
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "recovery_s"
    ]
    if not cases:
        return
    terminalreporter.section("recovery after faults")
    for case in cases:
        terminalreporter.write_line(f"{case['recovery_s']:7.1f} s  {case['name']}")
    if path := config.getoption("--faults-json"):
        Path(path).write_bytes(b"".join(orjson.dumps(case) + b"\n" for case in cases))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--faults") == "long":
        return
    kept = [item for item in items if item.get_closest_marker("long") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    times = metafunc.config.getoption("--faults-repeat")
    if times > 1 and "day" in metafunc.fixturenames:
        metafunc.fixturenames.append("repetition")
        metafunc.parametrize("repetition", range(times))


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """Of everything random; printed, so that a run can be repeated."""
    given = pytestconfig.getoption("--faults-seed")
    chosen = int(time.time()) if given is None else int(given)
    print(f"--faults-seed {chosen}")
    return chosen


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--faults") == "long")


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A broker and a Redis that these tests may kill."""
    one = Machine(tmp_path_factory.mktemp("machine"))
    try:
        one.start_redis()
        one.start_broker()
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="session")
def drawn_city(tmp_path_factory: pytest.TempPathFactory) -> City:
    city = draw(tmp_path_factory.mktemp("city") / "graph")
    warm_up(city.graph)  # no worker here should have to wait for the compiler
    return city


@pytest.fixture(scope="session")
def make_day(
    machine: Machine, services: Any, drawn_city: City, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Day]:
    """Makes a day on empty brokers: the one before is over."""

    def make(partitions: int = PARTITIONS) -> Day:
        folder = tmp_path_factory.mktemp("day")
        made = []
        for name, bootstrap, redis_url in (
            ("disturbed", machine.bootstrap, machine.redis_url),
            ("quiet", services.bootstrap, services.redis_url),
        ):
            clear_topics(AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}))
            made.append(deployment(bootstrap, redis_url, drawn_city, folder / name, partitions))
        return Day(drawn_city, *made)

    return make


@pytest.fixture(scope="module")
def long_day(make_day: Callable[..., Day]) -> Iterator[Day]:
    """One day for all cases of a file: each adds a leg, and checks the walkers of all legs before."""
    day = make_day()
    try:
        day.quiet.worker().start()
        day.disturbed.worker().start().wait_ready()
        day.quiet.worker().wait_ready()
        yield day
    finally:
        day.stop()


@pytest.fixture
def day(long_day: Day, machine: Machine) -> Iterator[Day]:
    """The day with a leg begun, one healthy worker, and nothing armed."""
    first = long_day.disturbed.worker()
    for worker in long_day.disturbed.workers.values():
        worker.disarm()
        if worker is not first:
            worker.leave()
    long_day.disturbed.start_again()
    first.wait_ready()
    long_day.begin()
    yield long_day
    long_day.join()
