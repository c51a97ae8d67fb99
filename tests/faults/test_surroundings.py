"""What happens around a worker: the broker, Redis, the disk, the clock, the scheduler, other workers."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.worker.leaving import EXIT_AGAIN
from streams.worker.online_store import walker_key
from tests.broker.deployment import Phone, wait_for
from tests.faults import scenarios
from tests.faults.day import PATIENCE_S, SESSION_S, Day
from tests.faults.machine import Machine

Recovered = Callable[[float], None]


def test_a_block_that_faust_drops_is_fetched_again(day: Day, recovered: Recovered) -> None:
    dropped = scenarios.lose_block(day)
    day.verify()
    recovered(dropped)


def test_stopped_for_longer_than_its_session(day: Day, recovered: Recovered) -> None:
    worker = day.disturbed.worker()
    worker.arm("storing", "stop", 1)
    day.walk()
    worker.wait_struck("storing")
    time.sleep(SESSION_S + 1.0)
    woken = time.monotonic()
    worker.signal(signal.SIGCONT)
    assert worker.process is not None
    assert worker.process.wait(30) == EXIT_AGAIN
    day.restart()
    day.verify()
    recovered(woken)


@pytest.mark.long
def test_stopped_while_another_takes_over(day: Day, recovered: Recovered) -> None:
    woken = scenarios.sleep_through_session(day)
    day.verify()
    recovered(woken)
    assert day.disturbed.worker("two").stop() == 0


def test_broker_killed_and_started_again(day: Day, machine: Machine, recovered: Recovered) -> None:
    day.walk(seconds=4.0)
    time.sleep(1.0)
    machine.kill_broker()
    machine.start_broker()
    back = time.monotonic()
    day.verify()
    recovered(back)


@pytest.mark.long
def test_broker_down_for_70_s(day: Day, machine: Machine, recovered: Recovered) -> None:
    day.walk(seconds=4.0)
    time.sleep(1.0)
    machine.kill_broker()
    time.sleep(70.0)
    machine.start_broker()
    back = time.monotonic()
    day.verify()
    recovered(back)


@pytest.mark.long
def test_started_while_the_broker_is_down(day: Day, machine: Machine, recovered: Recovered) -> None:
    worker = day.disturbed.worker()
    day.walk(seconds=4.0)
    worker.kill()
    machine.kill_broker()
    worker.start()
    assert worker.process is not None
    assert worker.process.wait(60) == 2
    assert "no broker answers" in worker.tail()
    worker.start()
    machine.start_broker()
    back = time.monotonic()
    day.verify()
    recovered(back)


@pytest.mark.long
@pytest.mark.parametrize("stage", ["recovering", "opening"])
def test_broker_killed_before_partitions_are_opened(
    day: Day, machine: Machine, recovered: Recovered, stage: str
) -> None:
    worker = day.disturbed.worker()
    day.walk(seconds=4.0)
    worker.kill()
    worker.arm(stage, "stop", 2)
    worker.start()
    worker.wait_struck(stage)
    machine.kill_broker()
    worker.signal(signal.SIGCONT)
    wait_for(lambda: worker.ended, 120, worker.tail)  # by itself, or because of the watchdog
    machine.start_broker()
    back = time.monotonic()
    day.verify()
    recovered(back)


def test_redis_down(day: Day, machine: Machine, recovered: Recovered, long: bool) -> None:
    machine.kill_redis()
    day.walk()
    day.verify()  # nothing waits for it
    if long:
        time.sleep(60.0)
    machine.start_redis()
    back = time.monotonic()
    with redis.Redis.from_url(machine.redis_url) as store:
        wait_for(
            lambda: all(store.exists(walker_key(r.device.encode())) for r in day.leg.requests),
            PATIENCE_S,
            day.disturbed.worker().tail,
        )
    recovered(back)


@pytest.mark.long
def test_disk_full(day: Day, machine: Machine, recovered: Recovered) -> None:
    """RLIMIT_FSIZE stands for the disk: a write to a log fails, and Kafka ends as it does without room."""
    admin = AdminClient({"bootstrap.servers": machine.bootstrap, "log_level": 0})
    admin.create_topics([NewTopic("filler", 1)])["filler"].result(20)
    day.walk(seconds=8.0)
    machine.limit_broker_files(12 << 20)  # above the indexes, which are given their full size at once
    filler = Phone(day.disturbed.settings, **{"message.timeout.ms": 5_000, "enable.idempotence": False})
    try:
        while machine.broker_runs:
            for _ in range(20):
                filler.queue("filler", None, b"x" * 500_000)
            filler._producer.flush(2)
    except KafkaException:
        pass  # it ended meanwhile
    machine.start_broker()
    back = time.monotonic()
    day.verify()
    recovered(back)


def test_clock_an_hour_off(day: Day, recovered: Recovered) -> None:
    """It jumps ahead and back while the worker runs, and stays an hour behind for the next one."""
    worker = day.disturbed.worker()
    day.walk(seconds=3.0)
    for skew_s in (3600, -3600):
        time.sleep(1.0)
        (worker.arms / "clock").write_text(str(skew_s))
    jumped = time.monotonic()
    worker.kill()
    day.restart()
    day.verify()
    recovered(jumped)
    (worker.arms / "clock").unlink()


@pytest.mark.long
def test_slow_consumer(day: Day, recovered: Recovered, long: bool) -> None:
    worker = day.disturbed.worker()
    day.walk(seconds=20.0 if long else 4.0)
    for _ in range(20 if long else 4):
        worker.signal(signal.SIGSTOP)
        time.sleep(0.9)
        worker.signal(signal.SIGCONT)
        time.sleep(0.1)
    last = time.monotonic()
    day.verify()
    recovered(last)


@pytest.mark.long
def test_workers_join_and_leave(day: Day, recovered: Recovered) -> None:
    two, three = day.disturbed.worker("two"), day.disturbed.worker("three")
    day.walk(seconds=10.0)
    two.start()
    three.start().wait_ready(1)
    assert two.stop() == 0
    assert three.stop() == 0
    left = time.monotonic()
    day.verify()
    recovered(left)


@pytest.mark.long
def test_ten_workers_join_and_leave(make_day: Callable[..., Day], recovered: Recovered) -> None:
    day = make_day(partitions=10)
    try:
        day.quiet.worker().start()
        first = day.disturbed.worker().start().wait_ready()
        day.begin()
        day.walk(seconds=60.0)
        others = [day.disturbed.worker(f"w{n}").start() for n in range(9)]
        for worker in others:
            worker.wait_ready(1)
        for worker in others:
            assert worker.stop() == 0
        left = time.monotonic()
        first.wait_ready()
        day.verify()
        recovered(left)
    finally:
        day.join()
        day.stop()
