"""`flaneur feed` against the real broker: what arrives in the topics, and following a file that changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import orjson
from confluent_kafka import Consumer, TopicPartition

from models.records import DeadLetter, TrafficReport, WeatherReport, decode
from streams.kafka.topics import DEAD_LETTERS, TRAFFIC_REPORTS, WEATHER_REPORTS
from streams.local.processes import any_port
from streams.settings import Settings
from streams.telemetry.scrape import scrape
from tests.broker.own_process import health_is, wait_for

DATA = Path(__file__).parents[2] / "data"
FLANEUR = Path(sys.executable).parent / "flaneur"
WITHIN_S = 30.0


def feed(settings: Settings, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [FLANEUR, "feed", *map(str, arguments), "--bootstrap", settings.bootstrap]
    return subprocess.run(command, capture_output=True, timeout=120, check=False)


def messages(settings: Settings, topic: str, count: int) -> list[tuple[bytes, bytes]]:
    """Keys and values of the first `count` messages of a topic with one partition."""
    consumer = Consumer({"bootstrap.servers": settings.bootstrap, "group.id": "none", "log_level": 0})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[tuple[bytes, bytes]] = []
        give_up = time.monotonic() + WITHIN_S
        while len(found) < count and time.monotonic() < give_up:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                found.append((message.key(), message.value()))
        assert len(found) == count
        return found
    finally:
        consumer.close()


def test_reports_and_problems_arrive(settings: Settings) -> None:
    result = feed(settings, "datex2", DATA / "feeds" / "fintraffic", "--source", "fi", "--json")
    assert result.returncode == 0, result.stderr
    assert orjson.loads(result.stdout)["published"] == {"reports": 25, "withdrawn": 0, "dead_letters": 29}
    reports = [(key, decode(TrafficReport, value)) for key, value in messages(settings, TRAFFIC_REPORTS, 25)]
    assert all(key == report.source.encode() for key, report in reports)
    assert {report.kind for _, report in reports} == {"closure", "roadwork"}
    letters = [(key, decode(DeadLetter, value)) for key, value in messages(settings, DEAD_LETTERS, 29)]
    assert {key for key, _ in letters} == {b"fi"}
    assert {letter.reason.split(" at ")[0] for _, letter in letters} == {"no_geometry", "bad_time"}
    assert {letter.topic for _, letter in letters} == {TRAFFIC_REPORTS}


def test_weather_arrives(settings: Settings) -> None:
    file = DATA / "weather" / "met-norway" / "metno_lat51.5lon-0.1altitude25_complete.json"
    assert feed(settings, "met-norway", file).returncode == 0
    reports = [decode(WeatherReport, value) for _, value in messages(settings, WEATHER_REPORTS, 82)]
    assert {report.source for report in reports} == {"met-norway"}


def test_following_publishes_changes_and_withdraws_what_has_gone(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "feed.geojson"
    whole = orjson.loads(
        (DATA / "feeds" / "wzdx" / "scenario5_recurring_linestring_example.geojson").read_bytes()
    )
    for feature in whole["features"]:
        feature["properties"]["end_date"] = "2099-01-01T00:00:00Z"
    file.write_bytes(orjson.dumps(whole))
    port = any_port()
    process = subprocess.Popen(
        [FLANEUR, "feed", "wzdx", file, "--follow", "--metrics-port", str(port)],
        env=dict(os.environ) | {"BOOTSTRAP": settings.bootstrap},
    )
    try:
        messages(settings, TRAFFIC_REPORTS, 4)
        wait_for(lambda: scrape(port).total("flaneur_feed_sent_total", source="wzdx") == 4, 20)
        for what in ("live", "ready"):
            wait_for(partial(health_is, port, what, 200), 20)
        gone = whole["features"].pop()
        aside = tmp_path / "aside"
        aside.write_bytes(orjson.dumps(whole))
        aside.rename(file)
        found = messages(settings, TRAFFIC_REPORTS, 5)
        ended = decode(TrafficReport, found[-1][1])
        assert ended.source == f"wzdx#{gone['id']}"
        assert ended.valid_to is not None
        assert abs(ended.valid_to - time.time()) < 60.0
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_nobody_there_is_one_sentence() -> None:
    result = subprocess.run(
        [FLANEUR, "feed", "wzdx", str(DATA / "feeds" / "wzdx"), "--bootstrap", "127.0.0.1:1"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.startswith(b"flaneur: no broker answers at 127.0.0.1:1")
    assert result.stderr.count(b"\n") == 1
