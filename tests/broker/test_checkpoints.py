"""What a partition's changelog holds is read whole, however it was written."""

from __future__ import annotations

import orjson
import pytest
from confluent_kafka import Producer

from geo.errors import BadRecord, Unavailable
from streams.checkpoints import read_checkpoint, seal
from streams.settings import Settings
from streams.topics import WALKERS_TABLE, changelog_topic

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
    offsets, buckets = read_checkpoint(settings, WALKERS_TABLE, 1)
    assert offsets == {"t": 7}
    newest = {str(i % 64): b"%d" % i for i in range(RECORDS)}
    del newest["3"]
    assert buckets == newest


def test_what_was_never_written_is_empty(settings: Settings) -> None:
    assert read_checkpoint(settings, WALKERS_TABLE, 0) == (None, {})


def test_a_damaged_value_or_no_broker_is_an_error(settings: Settings) -> None:
    write(settings, 0, ("0/3", b"\0\0\0\0damaged"))
    with pytest.raises(BadRecord, match="0/3"):
        read_checkpoint(settings, WALKERS_TABLE, 0)
    nowhere = Settings(bootstrap="127.0.0.1:1", group=settings.group)
    with pytest.raises(Unavailable, match="cannot be read"):
        read_checkpoint(nowhere, WALKERS_TABLE, 0)
