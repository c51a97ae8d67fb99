"""Worker, gateway and feeds at a broker with TLS, SCRAM and rights per service; and what it refuses them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from geo.errors import Unavailable
from streams.demo.fleet import Timed
from streams.demo.replay import play
from streams.feeds.common import Problem
from streams.feeds.publish import Publisher
from streams.kafka.access import declared_rights, ensure_access
from streams.kafka.connection import client_options
from streams.kafka.dead_letters import read_letters
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import (
    DEVICES,
    GPS_FIXES,
    ROUTE_REQUESTS,
    ROUTE_UPDATES,
    TRAFFIC_REPORTS,
    check_topics,
)
from streams.local.processes import any_port
from streams.settings import Settings
from streams.telemetry.scrape import scrape
from tests.broker.drawn import City, draw
from tests.broker.gateways import Device
from tests.broker.own_process import wait_for
from tests.compose.native import ENDED_WELL, Native

GROUP = "flaneur"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(tmp_path_factory.mktemp("city") / "graph")


@pytest.fixture(scope="module")
def native(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    """The secured form, with the broker, Redis, topics and rights there; all must end well."""
    one = Native("secure", tmp_path_factory.mktemp("secured") / "native", city.folder)
    try:
        one.wait_healthy(one.start("redis"), one.start("kafka"))
        said = one.run("topics")
        assert f"rights: {sum(map(len, declared_rights(Settings()).values()))} changed" in said
        assert "rights: as declared" in one.run("topics")
        yield one
    finally:
        ended = one.end()
    assert ended == {name: ENDED_WELL.get(name, 0) for name in ended}


@pytest.fixture(scope="module")
def admin(native: Native) -> Settings:
    """Of the one who may do everything."""
    return of("admin", native)


def of(user: str, native: Native) -> Settings:
    """The settings of a service's user; the admin's are those of the service `topics`."""
    return Settings.from_env(native.environment({"admin": "topics"}.get(user, user)))


def committed(settings: Settings) -> int:
    with TopicReader(settings, GROUP) as reader:
        found = [reader.committed(partition, [GPS_FIXES]) for partition in range(settings.partitions)]
    return sum(one.get(GPS_FIXES, 0) for one in found)


@dataclass
class At:
    """Where a gateway answers."""

    url: str


def test_a_walk_through_gateway_and_worker(native: Native, admin: Settings, city: City) -> None:
    ours = native.start("worker"), native.start("gateway"), native.start("feeds")
    native.wait_healthy(*ours)
    device = Device(At(f"https://127.0.0.1:{native.port['gateway']}"))  # type: ignore[arg-type]
    (lat, lon), (dest_lat, dest_lon) = city.places["A"], city.places["D"]
    wish = {"kind": "to", "lat": lat, "lon": lon, "dest_lat": dest_lat, "dest_lon": dest_lon}
    trip = device.ask("POST", "/v1/routes", wish).json["trip"]

    def reason() -> str | None:
        answer = device.ask("GET", f"/v1/trips/{trip}")
        return answer.json.get("reason") if answer.status == 200 else None

    def said() -> str:
        return "\n".join(one.tail() for one in ours)

    wait_for(lambda: reason() == "requested", 30, said)
    walked = [
        {"ts": fix.ts, "lat": fix.lat, "lon": fix.lon, "accuracy_m": 5.0}
        for fix in city.walk("", "ABFJ", start_ts=time.time(), pace_mps=3.0)
    ]
    assert device.ask("POST", "/v1/fixes", walked).status == 202
    wait_for(lambda: reason() == "off_route", 30, said)
    # the group may commit what its checkpoints hold, and the online store takes what its user writes
    wait_for(lambda: committed(admin) > 0, 30, said)
    wait_for(lambda: told(native, "flaneur_online_store_keys_total") > 0, 30, said)
    assert told(native, "flaneur_online_store_errors_total") == 0


def told(native: Native, metric: str) -> float:
    return scrape(native.port["worker"]).total(metric)


def test_feeds_and_the_demo_publish(native: Native, admin: Settings) -> None:
    with Publisher(of("feeds", native)) as publisher:
        publisher.send_problem(Problem("line 1", "not_json", b"{", ""), TRAFFIC_REPORTS, "test")
    assert "not_json at line 1" in [one.letter.reason for one in read_letters(admin)]
    fix = Timed(time.time(), GPS_FIXES, b"d", b"{}")
    assert play([fix], of("demo", native)).delivered == 1


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("gateway", ROUTE_UPDATES),
        ("gateway", TRAFFIC_REPORTS),
        ("feeds", GPS_FIXES),
        ("demo", TRAFFIC_REPORTS),
        ("demo", DEVICES),
        ("worker", GPS_FIXES),
        ("worker", ROUTE_REQUESTS),
    ],
)
def test_nobody_writes_what_is_not_theirs(native: Native, user: str, topic: str) -> None:
    producer = Producer({**client_options(of(user, native)), "message.timeout.ms": 20_000})
    told: list[Any] = []
    producer.produce(topic, b"x", b"k", on_delivery=lambda error, _: told.append(error))
    producer.flush(30)
    assert told[0] is not None
    assert told[0].name() == "TOPIC_AUTHORIZATION_FAILED"


@pytest.mark.parametrize(
    ("user", "topic"), [("feeds", GPS_FIXES), ("demo", DEVICES), ("gateway", ROUTE_REQUESTS)]
)
def test_nobody_reads_what_is_not_theirs(native: Native, user: str, topic: str) -> None:
    theirs = of(user, native)
    refused = pytest.raises(Unavailable, match=f"does not let the user {user} do that")
    with TopicReader(theirs) as reader, refused:
        list(reader.messages(topic))


def test_only_the_admin_grants(native: Native, admin: Settings) -> None:
    with pytest.raises(Unavailable, match="does not let the user worker do that"):
        ensure_access(of("worker", native), native.secrets)
    assert ensure_access(admin, native.secrets) == 0
    check_topics(of("worker", native))


def test_what_is_wrong_is_said_in_one_sentence_and_a_new_password_holds(
    native: Native, admin: Settings, tmp_path: Path
) -> None:
    (tmp_path / "wrong").write_text("wrong")
    changed = {"KAFKA_PASSWORD_FILE": str(tmp_path / "wrong"), "METRICS_PORT": str(any_port())}
    services = [native.start(name, tmp_path / f"{name}.log", **changed) for name in ("worker", "gateway")]
    old = of("demo", native)
    for file in native.secrets.glob("kafka_*_password"):
        (tmp_path / file.name).write_text("new" if "demo" in file.name else file.read_text())
    assert play([], old).sent == 0
    ensure_access(admin, tmp_path)
    new = replace(old, kafka_password="new")
    assert play([], new).sent == 0
    wrong = [
        (old, "refuses the user demo: check KAFKA_USER, KAFKA_PASSWORD and"),
        (replace(new, kafka_ca_file=""), "certificate verify failed.*check KAFKA_CA_FILE"),
        (replace(new, kafka_security_protocol="PLAINTEXT"), "hangs up at once: is KAFKA_SECURITY_PROTOCOL"),
        (replace(new, bootstrap=f"127.0.0.1:{any_port()}"), "no broker answers at"),
    ]

    def complaint(settings: Settings) -> str:
        with pytest.raises(Unavailable) as told:
            play([], settings)
        return str(told.value)

    with ThreadPoolExecutor() as pool:  # a client tries for ten seconds before it gives up
        told = list(pool.map(complaint, (settings for settings, _ in wrong)))
    for (settings, sentence), said in zip(wrong, told, strict=True):
        assert re.search(sentence, said), said
        assert "\n" not in said
        assert settings.kafka_password not in said.replace("KAFKA_PASSWORD", "")
    for one in services:
        native.running.remove(one)
        assert one.process.wait(90) == 2, one.tail()
        log = one.log.read_text()
        assert log.count(f"refuses the user {one.name}") == 1, log
        assert "Traceback" not in log
