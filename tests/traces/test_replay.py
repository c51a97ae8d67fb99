"""Replaying to the real broker: all there, in place, at its pace; and what happens when it cannot."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import DefaultPartitioner
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from cli.replay import command
from geo.errors import BadInput, FlaneurError, Unavailable
from streams.demo.fleet import Timed
from streams.demo.replay import PlaySummary, parse_speed, play
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.broker.conftest import clear_topics

PROJECT = Path(__file__).resolve().parents[2]
ALTONA = str(PROJECT / "data" / "traces" / "altona" / "altona_walk.json")
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def bootstrap(services: Any) -> str:
    """The suite's broker with all topics, fresh: other tests declare them with other partition counts."""
    clear_topics(AdminClient({"bootstrap.servers": services.bootstrap, "log_level": 0}))
    ensure_topics(Settings(bootstrap=services.bootstrap, group=f"test-{uuid.uuid4().hex[:8]}"))
    return str(services.bootstrap)


@pytest.fixture
def arrived(bootstrap: str) -> Iterator[Callable[[str], list[Message]]]:
    """Reads what came into a topic since the test began."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "enable.auto.commit": False}
    )
    metadata = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=20).topics

    def end(topic: str, partition: int) -> int:
        until = time.monotonic() + 30
        while True:
            try:
                return int(consumer.get_watermark_offsets(TopicPartition(topic, partition))[1])
            except KafkaException:
                # the topic is so fresh that its partitions have no leader yet
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    begin = {
        topic: [TopicPartition(topic, p, end(topic, p)) for p in metadata[topic].partitions]
        for topic in ("gps-fixes", "route-requests")
    }

    def read(topic: str) -> list[Message]:
        consumer.assign(begin[topic])
        expected = sum(end(topic, one.partition) - one.offset for one in begin[topic])
        found: list[Message] = []
        until = time.monotonic() + 30
        while len(found) < expected and time.monotonic() < until:
            found += consumer.consume(5000, 0.5)
        return found

    yield read
    consumer.close()


def timed(count: int, apart_s: float, topic: str = "gps-fixes") -> list[Timed]:
    return [Timed(1.7e9 + i * apart_s, topic, b"d%d" % (i % 50), b'{"i":%d}' % i) for i in range(count)]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def test_everything_arrives_once_in_the_partition_of_kafkas_own_clients(
    bootstrap: str, arrived: Callable[[str], list[Message]]
) -> None:
    seen: list[int] = []
    summary = play(timed(5000, 1.0), Settings(bootstrap=bootstrap), math.inf, progress=seen.append)
    assert (summary.sent, summary.delivered, summary.failed, summary.stopped) == (5000, 5000, 0, False)
    assert summary.by_topic == {"gps-fixes": 5000}
    assert seen[-1] == 5000
    messages = arrived("gps-fixes")
    assert sorted(json.loads(message.value())["i"] for message in messages) == list(range(5000))
    partitions = sorted({message.partition() for message in messages})
    everywhere = list(range(1 + partitions[-1]))
    for message in messages:
        assert message.partition() == DefaultPartitioner()(message.key(), everywhere, everywhere)
    for key in {message.key() for message in messages}:
        mine = [json.loads(message.value())["i"] for message in messages if message.key() == key]
        assert mine == sorted(mine)


def test_records_are_paced_by_event_time(bootstrap: str) -> None:
    began = time.monotonic()
    assert play(timed(11, 1.0), Settings(bootstrap=bootstrap), speed=10.0).delivered == 11
    assert time.monotonic() - began >= 1.0


def test_it_stops_when_asked_and_keeps_what_was_sent(
    bootstrap: str, arrived: Callable[[str], list[Message]]
) -> None:
    stop = threading.Event()
    result: list[PlaySummary] = []
    thread = threading.Thread(
        target=lambda: result.append(play(timed(100_000, 1.0), Settings(bootstrap=bootstrap), 20.0, stop)),
        daemon=True,
    )
    thread.start()
    time.sleep(1.0)
    stop.set()
    thread.join(20)
    (summary,) = result
    assert summary.stopped
    assert 0 < summary.sent == summary.delivered < 100_000
    assert len(arrived("gps-fixes")) == summary.sent


def test_without_a_broker_or_a_topic_it_says_so(bootstrap: str) -> None:
    with pytest.raises(Unavailable, match=f"no broker answers at {NOWHERE}"):
        play(timed(1, 1.0), Settings(bootstrap=NOWHERE))
    with pytest.raises(BadInput, match="topic gps-fixed is missing"):
        play(timed(1, 1.0, "gps-fixed"), Settings(bootstrap=bootstrap))


def test_the_command_replays_a_walk(bootstrap: str, arrived: Callable[[str], list[Message]]) -> None:
    before = time.time()
    result = run(
        *(ALTONA, "--speed", "max", "--devices", "3", "--every", "10", "--request", "loop:2000"),
        *("--bootstrap", bootstrap, "--json"),
    )
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["topics"] == {"gps-fixes": 3 * 2179, "route-requests": 3}
    assert summary["failed"] == 0
    fixes = [json.loads(message.value()) for message in arrived("gps-fixes")]
    assert {fix["device"] for fix in fixes} == {"altona_walk-001", "altona_walk-002", "altona_walk-003"}
    last = max(fix["ts"] for fix in fixes)
    assert before - 1 <= last <= time.time()
    assert last - min(fix["ts"] for fix in fixes) == pytest.approx(2422 + 20, abs=0.01)
    requests = [json.loads(message.value()) for message in arrived("route-requests")]
    assert {request["length_m"] for request in requests} == {2000.0}


def test_recorded_times_stay_as_they_are(bootstrap: str, arrived: Callable[[str], list[Message]]) -> None:
    result = run(ALTONA, "--speed", "max", "--at", "recorded", "--bootstrap", bootstrap)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("delivered 2,179 of 2,179 in ")
    assert min(json.loads(message.value())["ts"] for message in arrived("gps-fixes")) == 1_705_601_801.0


def test_ctrl_c_ends_it_with_a_summary(bootstrap: str) -> None:
    program = Path(sys.executable).parent / "flaneur"
    process = subprocess.Popen(
        [program, "replay", ALTONA, "--speed", "20", "--loop", "--at", "recorded", "--json"],
        env=os.environ | {"BOOTSTRAP": bootstrap},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(4)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert summary["stopped"]
    assert summary["failed"] == 0
    assert summary["sent"] == summary["delivered"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-file.gpx"], "No such file"),
        ([ALTONA, "--speed", "0"], "the speed is '0'"),
        ([ALTONA, "--speed", "fast"], "the speed is 'fast'"),
        ([ALTONA, "--request", "home"], "the request is 'home'"),
        ([ALTONA, "--devices", "0"], "0 devices"),
        ([ALTONA, "--loop", "--speed", "2"], "add --at recorded"),
        ([ALTONA, "--speed", "0.001"], "span 28 days"),
        ([str(PROJECT / "data/traces/itinero/test9-track.geojson")], "has no times"),
        ([ALTONA, "--bootstrap", NOWHERE, "--speed", "max"], "no broker answers"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: list[str], says: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, FlaneurError)
    assert says in str(result.exception)
    assert "\n" not in str(result.exception)


def test_bad_rows_are_named_on_stderr(tmp_path: Path, bootstrap: str) -> None:
    path = tmp_path / "w.csv"
    path.write_text("ts,lat,lon\n1700000000,55,12\n1700000001,155,12\n")
    result = run(str(path), "--speed", "max", "--bootstrap", bootstrap)
    assert result.exit_code == 0, result.output
    assert result.stderr == "w: position is not on Earth: 1 (line 3)\n"


def test_speeds_are_read() -> None:
    assert parse_speed("max") == math.inf
    assert parse_speed("2.5") == 2.5
    for text in ("nan", "-1", ""):
        with pytest.raises(BadInput, match="the speed is"):
            parse_speed(text)
