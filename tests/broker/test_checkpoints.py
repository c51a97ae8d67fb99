"""What a partition's changelog holds is read whole, however it was written."""

from __future__ import annotations

import orjson
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from geo.errors import Unavailable
from streams.kafka.topics import DEVICE_TOPICS, GPS_FIXES, WALKERS_TABLE, changelog_topic
from streams.settings import Settings
from streams.worker.checkpoints import COUNT, Checkpoint, read_checkpoint, seal

RECORDS = 20_000  # more than one batch


def write(settings: Settings, partition: int, *records: tuple[str, bytes | None]) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap, "log_level": 0})
    for i, (key, value) in enumerate(records):
        producer.produce(changelog_topic(settings, WALKERS_TABLE), value, key, partition=partition)
        if i % 1000 == 0:
            producer.flush()
    assert producer.flush(30) == 0


def test_the_newest_of_every_key_up_to_the_end(settings: Settings) -> None:
    values = [(f"1/{i % 64}", seal(b"%d" % i)) for i in range(RECORDS)]
    write(settings, 1, *values, ("1/offsets", seal(orjson.dumps({"t": 7}))), ("1/3", None))
    write(settings, 0, ("0/3", seal(b"of another partition")))
    found = read_checkpoint(settings, WALKERS_TABLE, 1)
    assert found.flaw() is None
    assert found.offsets == {"t": 7}
    newest = {str(i % 64): b"%d" % i for i in range(RECORDS)}
    del newest["3"]
    assert found.buckets == newest


def test_what_was_never_written_is_empty(settings: Settings) -> None:
    assert read_checkpoint(settings, WALKERS_TABLE, 0) == Checkpoint(None, {})


def test_a_damaged_value_is_told_and_what_is_whole_is_read(settings: Settings) -> None:
    write(settings, 0, ("0/3", b"\0\0\0\0damaged"), ("0/4", seal(b"whole")))
    found = read_checkpoint(settings, WALKERS_TABLE, 0)
    assert found.buckets == {"4": b"whole"}
    assert found.damaged == ("3",)
    assert "3" in (found.flaw() or "")


def test_buckets_that_are_gone_are_noticed_and_those_that_were_deleted_are_not(settings: Settings) -> None:
    offsets = ("0/offsets", seal(orjson.dumps({"t": 7, COUNT: 3})))
    write(settings, 0, ("0/1", seal(b"one")), ("0/2", None), offsets)
    assert read_checkpoint(settings, WALKERS_TABLE, 0).missing == 1
    write(settings, 0, ("0/3", seal(b"three")))
    assert read_checkpoint(settings, WALKERS_TABLE, 0).flaw() is None


def test_what_was_committed_and_is_not_there_is_noticed(settings: Settings) -> None:
    write(settings, 0, ("0/offsets", seal(orjson.dumps({GPS_FIXES: 7}))))
    consumer = Consumer({"bootstrap.servers": settings.bootstrap, "group.id": settings.group})
    for committed, flawed in ((7, False), (9, True)):
        consumer.commit(offsets=[TopicPartition(GPS_FIXES, 0, committed)], asynchronous=False)
        found = read_checkpoint(settings, WALKERS_TABLE, 0, DEVICE_TOPICS)
        assert found.committed == {GPS_FIXES: committed}
        assert ("it ends at offset 7" in (found.flaw() or "")) == flawed
    consumer.close()


def test_no_broker_is_an_error(settings: Settings) -> None:
    nowhere = Settings(bootstrap="127.0.0.1:1", group=settings.group)
    with pytest.raises(Unavailable, match="cannot be read"):
        read_checkpoint(nowhere, WALKERS_TABLE, 0)
