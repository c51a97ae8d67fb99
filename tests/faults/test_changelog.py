"""A changelog that is damaged, emptied or cut off: rebuilt from the input if that is there, else refused."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.kafka.topic_reader import partition_of
from streams.kafka.topics import GPS_FIXES, WALKERS_TABLE, changelog_topic, ensure_topics
from streams.worker.checkpoints import OFFSETS
from streams.worker.leaving import EXIT_FAILED
from tests.broker.deployment import stored_walkers, wait_for
from tests.faults.day import Day, Deployment
from tests.faults.machine import Machine

Recovered = Callable[[float], None]


def damage(deployment: Deployment, *keys: str) -> None:
    """Overwrite these values of the walkers' changelog with what no worker wrote."""
    producer = Producer({"bootstrap.servers": deployment.settings.bootstrap, "log_level": 0})
    for key in keys:
        partition = int(key.split("/")[0])
        producer.produce(
            changelog_topic(deployment.settings, WALKERS_TABLE), b"damaged", key, partition=partition
        )
    assert producer.flush(20) == 0


def buckets_in_use(day: Day) -> list[str]:
    """Keys of two buckets that hold walkers."""
    keys = []
    for request in day.leg.requests:
        device = request.device.encode()
        partition = partition_of(device, day.disturbed.settings.partitions)
        keys.append(f"{partition}/{zlib.crc32(device) % day.disturbed.settings.buckets}")
    return keys[:2]


def rebuilt(day: Day) -> None:
    """The invariants, and that the worker has said so."""
    worker = day.disturbed.worker()
    worker.start()
    day.verify()
    assert "is not whole" in worker.log.read_text()
    assert worker.metric("flaneur_checkpoints_flawed_total", table="walkers") > 0
    assert worker.metric("flaneur_messages_rebuilt_total", topic=GPS_FIXES) > 0


def test_damaged_buckets_are_rebuilt(day: Day, recovered: Recovered) -> None:
    day.walk()
    day.verify()
    day.disturbed.worker().kill()
    damage(day.disturbed, *buckets_in_use(day), f"0/{OFFSETS}")
    started = time.monotonic()
    rebuilt(day)
    recovered(started)


@pytest.mark.long
def test_an_emptied_changelog_is_rebuilt(day: Day, recovered: Recovered) -> None:
    day.walk()
    day.verify()
    day.disturbed.worker().kill()
    settings = day.disturbed.settings
    admin = AdminClient({"bootstrap.servers": settings.bootstrap, "log_level": 0})
    topic = changelog_topic(settings, WALKERS_TABLE)
    admin.delete_topics([topic])[topic].result(20)
    wait_for(lambda: topic not in admin.list_topics(timeout=10).topics, 20)
    ensure_topics(settings)
    started = time.monotonic()
    rebuilt(day)
    recovered(started)


@pytest.mark.long
def test_a_changelog_whose_end_is_cut_off_is_rebuilt(
    day: Day, machine: Machine, recovered: Recovered
) -> None:
    day.walk()
    day.verify()
    day.disturbed.worker().kill()
    machine.kill_broker()
    for partition in range(day.disturbed.settings.partitions):
        folder = machine.broker_data / f"{changelog_topic(day.disturbed.settings, WALKERS_TABLE)}-{partition}"
        newest = max(folder.glob("*.log"))
        with newest.open("r+b") as log:
            log.truncate(newest.stat().st_size // 2)
    machine.start_broker()
    started = time.monotonic()
    rebuilt(day)
    recovered(started)


@pytest.mark.long
def test_without_the_input_it_is_refused_until_the_loss_is_accepted(make_day: Callable[..., Day]) -> None:
    day = make_day(partitions=1)
    try:
        day.quiet.worker().start()
        worker = day.disturbed.worker()
        worker.start().wait_ready()
        day.begin()
        day.walk()
        day.verify()
        worker.kill()
        admin = AdminClient({"bootstrap.servers": worker.settings.bootstrap, "log_level": 0})
        for future in admin.delete_records([TopicPartition(GPS_FIXES, 0, 100)]).values():
            future.result(20)
        damage(day.disturbed, *buckets_in_use(day))
        worker.start()
        assert worker.process is not None
        assert worker.process.wait(60) == EXIT_FAILED
        assert "gps-fixes only from offset 100, not from 0" in worker.tail()
        assert "flaneur worker --accept-loss" in worker.tail()
        worker.accept_loss()
        worker.start().wait_ready()
        left = stored_walkers(worker.settings, day.city.checksum)
        sent = sum(day.disturbed.sent.values())
        assert sent - 100 <= sum(w["fixes"] + w["late"] + w["duplicates"] for w in left.values()) < sent
    finally:
        day.join()
        day.stop()
