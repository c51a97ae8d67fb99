"""Worker, gateway and feeds at a broker with TLS, SCRAM and rights per service; and what it refuses them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
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
    ensure_topics,
)
from streams.local.processes import any_port
from streams.settings import Settings
from tests.broker.deployment import Worker, wait_for
from tests.broker.drawn import City
from tests.broker.gateways import Device, GatewayProcess
from tests.broker.own_process import OwnProcess
from tests.broker.secured import compose_broker, make_secrets

GROUP = "secured"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_secrets(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def admin_settings(secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Of the one who may do everything, at a secured broker with all topics and rights."""
    with compose_broker(tmp_path_factory.mktemp("broker"), secrets) as broker:
        settings = Settings(
            bootstrap=f"127.0.0.1:{broker.port}",
            kafka_security_protocol="SASL_SSL",
            kafka_ca_file=str(secrets / "ca_certificate"),
            kafka_user="admin",
            kafka_password=(secrets / "kafka_admin_password").read_text(),
            partitions=2,
            group=GROUP,
        )
        ensure_topics(settings)
        assert ensure_access(settings, secrets) == sum(map(len, declared_rights(settings).values()))
        yield settings


def of(user: str, settings: Settings, secrets: Path) -> Settings:
    return replace(settings, kafka_user=user, kafka_password=(secrets / f"kafka_{user}_password").read_text())


def committed(settings: Settings) -> int:
    with TopicReader(settings, GROUP) as reader:
        return sum(reader.committed(partition, [GPS_FIXES]).get(GPS_FIXES, 0) for partition in range(2))


def test_a_walk_through_gateway_and_worker(
    admin_settings: Settings, secrets: Path, city: City, services: Any, tmp_path: Path
) -> None:
    own = replace(admin_settings, graph_dir=str(city.folder), redis_url=services.redis_url)
    worker = Worker(of("worker", own, secrets), tmp_path).start()
    gateway = GatewayProcess(
        of("gateway", own, secrets), tmp_path,
        gateway_tls_cert=str(secrets / "gateway_tls_certificate"),
        gateway_tls_key=str(secrets / "gateway_tls_key"),
        gateway_demo=True,
    ).start()  # fmt: skip
    try:
        worker.wait_ready()
        device = Device(gateway.wait_ready())
        (lat, lon), (dest_lat, dest_lon) = city.places["A"], city.places["D"]
        wish = {"kind": "to", "lat": lat, "lon": lon, "dest_lat": dest_lat, "dest_lon": dest_lon}
        trip = device.ask("POST", "/v1/routes", wish).json["trip"]

        def reason() -> str | None:
            answer = device.ask("GET", f"/v1/trips/{trip}")
            return answer.json.get("reason") if answer.status == 200 else None

        wait_for(lambda: reason() == "requested", 30, lambda: worker.tail() + gateway.tail())
        walked = [
            {"ts": fix.ts, "lat": fix.lat, "lon": fix.lon, "accuracy_m": 5.0}
            for fix in city.walk("", "ABFJ", start_ts=time.time(), pace_mps=3.0)
        ]
        assert device.ask("POST", "/v1/fixes", walked).status == 202
        wait_for(lambda: reason() == "off_route", 30, lambda: worker.tail() + gateway.tail())
        # the group may commit what its checkpoints hold
        wait_for(lambda: committed(admin_settings) > 0, 30, worker.tail)
    finally:
        ended = worker.stop(), gateway.stop()
    assert ended == (0, 0), worker.tail() + gateway.tail()


def test_feeds_and_the_demo_publish(admin_settings: Settings, secrets: Path) -> None:
    with Publisher(of("feeds", admin_settings, secrets)) as publisher:
        publisher.send_problem(Problem("line 1", "not_json", b"{", ""), TRAFFIC_REPORTS, "test")
    assert "not_json at line 1" in [one.letter.reason for one in read_letters(admin_settings)]
    fix = Timed(time.time(), GPS_FIXES, b"d", b"{}")
    assert play([fix], of("demo", admin_settings, secrets)).delivered == 1


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
def test_nobody_writes_what_is_not_theirs(
    admin_settings: Settings, secrets: Path, user: str, topic: str
) -> None:
    producer = Producer({**client_options(of(user, admin_settings, secrets)), "message.timeout.ms": 20_000})
    told: list[Any] = []
    producer.produce(topic, b"x", b"k", on_delivery=lambda error, _: told.append(error))
    producer.flush(30)
    assert told[0] is not None
    assert told[0].name() == "TOPIC_AUTHORIZATION_FAILED"


@pytest.mark.parametrize(
    ("user", "topic"), [("feeds", GPS_FIXES), ("demo", DEVICES), ("gateway", ROUTE_REQUESTS)]
)
def test_nobody_reads_what_is_not_theirs(
    admin_settings: Settings, secrets: Path, user: str, topic: str
) -> None:
    theirs = of(user, admin_settings, secrets)
    refused = pytest.raises(Unavailable, match=f"does not let the user {user} do that")
    with TopicReader(theirs) as reader, refused:
        list(reader.messages(topic))


def test_only_the_admin_grants(admin_settings: Settings, secrets: Path) -> None:
    with pytest.raises(Unavailable, match="does not let the user worker do that"):
        ensure_access(of("worker", admin_settings, secrets), secrets)
    assert ensure_access(admin_settings, secrets) == 0
    check_topics(of("worker", admin_settings, secrets))


def test_a_new_password_holds_and_what_is_wrong_is_said_in_one_sentence(
    admin_settings: Settings, secrets: Path, tmp_path: Path
) -> None:
    old = of("demo", admin_settings, secrets)
    for file in secrets.glob("kafka_*_password"):
        (tmp_path / file.name).write_text("new" if "demo" in file.name else file.read_text())
    assert play([], old).sent == 0
    ensure_access(admin_settings, tmp_path)
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


def test_services_with_a_wrong_password_end_with_the_sentence(
    admin_settings: Settings, city: City, tmp_path: Path
) -> None:
    settings = replace(admin_settings, kafka_password="wrong", graph_dir=str(city.folder))
    both: list[OwnProcess] = [Worker(settings, tmp_path), GatewayProcess(settings, tmp_path)]
    for one in both:
        one.start()
    for one in both:
        assert one.process is not None
        assert one.process.wait(90) == 2
        said = [line for line in one.log.read_text().splitlines() if "refuses the user admin" in line]
        assert len(said) == 1, one.tail()
        assert "Traceback" not in one.log.read_text()
