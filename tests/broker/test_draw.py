"""Reading one walker's history back from a real broker, and the command that draws it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import orjson
import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import Consumer, TopicPartition

from cli.main import run
from geo.errors import BadInput, Unavailable
from geo.graph import edge_id
from geo.polyline import encode6
from models.records import EdgeCondition, RouteUpdate
from streams.kafka.topic_reader import partition_of
from streams.kafka.topics import EDGE_CONDITIONS, GPS_FIXES, ROUTE_UPDATES
from streams.kafka.walk_history import read_history
from streams.settings import Settings
from tests.broker.deployment import Phone
from tests.broker.drawn import T0, City


@pytest.fixture
def phone(settings: Settings) -> Phone:
    return Phone(settings)


def update(
    city: City, device: str, version: int, ts: float, reason: str, route: str, keep_m: float = 0.0,
    trip: str = "0-1",
) -> RouteUpdate:  # fmt: skip
    lat, lon = zip(*(city.places[place] for place in route), strict=True) if route else ((), ())
    return RouteUpdate(
        device=device, trip=trip, version=version, ts=ts, reason=reason, keep_m=keep_m,
        geometry=encode6(lat, lon), length_m=240.0, duration_s=180.0,
    )  # fmt: skip


def closed(city: City, a: str, b: str, ts: float, until: float) -> EdgeCondition:
    graph = city.graph
    tail, head = (
        int(np.argmin(np.hypot(graph.node_lat - lat, graph.node_lon - lon)))
        for lat, lon in (city.places[a], city.places[b])
    )
    edge = int(np.flatnonzero((graph.tail == tail) & (graph.head == head))[0])
    return EdgeCondition(
        key=edge_id(graph, edge), ts=ts, version=1, expires=until, closed=True, valid_from=ts, valid_to=until,
    )  # fmt: skip


def send_walk(phone: Phone, city: City, device: str) -> None:
    fixes = city.walk(device, "EFBCD")
    around = update(city, device, 129, T0 + 50, "world_changed", "FBCD", 80.0)
    phone.send(
        ROUTE_UPDATES,
        device,
        update(city, device, 1, T0, "requested", "EFGH"),
        around,
        around,  # as after a crash
        update(city, device, 65, T0 + 40, "late", "FGH", 80.0),  # older than what is there
        update(city, device, 300, fixes[-1].ts, "arrived", "", 280.0),
    )
    phone.send(GPS_FIXES, device, b"nonsense", *fixes, *fixes[:3])


def test_partitions_are_those_of_kafkas_clients(settings: Settings, phone: Phone) -> None:
    # the vectors of Kafka's UtilsTest.testMurmur2
    vectors = {
        b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, b"abc": 479470107,
    }  # fmt: skip
    assert {key: murmur2(key) for key in vectors} == {key: h & 0xFFFFFFFF for key, h in vectors.items()}
    devices = [f"{'x' * (i % 7)}{i}ü" for i in range(60)]
    for device in devices:
        phone.queue(GPS_FIXES, device, device.encode())
    phone.flush()
    consumer = Consumer(
        {"bootstrap.servers": settings.bootstrap, "group.id": "t", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(GPS_FIXES, p, 0) for p in range(settings.partitions)])
    there: dict[bytes, int | None] = {}
    while len(there) < len(devices):
        there |= {bytes(m.key()): m.partition() for m in consumer.consume(100, 1.0)}  # type: ignore[arg-type]
    consumer.close()
    assert there == {d.encode(): partition_of(d.encode(), settings.partitions) for d in devices}


def test_reads_what_concerns_one_device(settings: Settings, city: City, phone: Phone) -> None:
    for device in ("anna", "otto", "emil"):
        send_walk(phone, city, device)
    street = closed(city, "F", "G", T0 + 45, T0 + 900)
    phone.send(EDGE_CONDITIONS, street.key, street, None)
    history = read_history(settings, "otto")
    assert {fix.device for fix in history.fixes} == {"otto"}
    assert list(history.fixes) == city.walk("otto", "EFBCD")
    assert [one.version for one in history.updates] == [1, 129, 129, 65, 300]
    assert list(history.closures) == [street]


def test_draws_the_walk_and_tells_about_it(
    settings: Settings, city: City, phone: Phone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    send_walk(phone, city, "anna")
    street, later = closed(city, "F", "G", T0 + 45, T0 + 900), closed(city, "I", "J", T0 + 9000, T0 + 9900)
    phone.send(EDGE_CONDITIONS, street.key, street)
    phone.send(EDGE_CONDITIONS, later.key, later)
    out = tmp_path / "anna.svg"
    where = ["--bootstrap", settings.bootstrap, "--graph", str(city.folder), "--out", str(out)]
    assert run(["draw", "anna", *where, "--json"]) == 0
    about = orjson.loads(capsys.readouterr().out)
    assert (about["device"], about["trip"], about["out"]) == ("anna", "0-1", str(out))
    assert about["fixes"] == len(city.walk("anna", "EFBCD"))
    assert about["closed"] == [street.key]
    assert [one["reason"] for one in about["updates"]] == ["requested", "world_changed", "arrived"]
    said = [node.text for node in ET.parse(out).iter("{http://www.w3.org/2000/svg}text")]
    assert "closed street" in said
    assert "You have arrived." in said
    assert run(["draw", "anna", *where]) == 0
    assert "3 route updates, 1 closed edges" in capsys.readouterr().out


def test_draws_the_last_trip_or_the_one_asked_for(
    settings: Settings, city: City, phone: Phone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    send_walk(phone, city, "anna")
    phone.send(ROUTE_UPDATES, "anna", update(city, "anna", 1, T0 + 5000, "requested", "IJKL", trip="0-9"))
    where = ["--bootstrap", settings.bootstrap, "--graph", str(city.folder), "--out", str(tmp_path / "w.svg")]
    assert run(["draw", "anna", *where, "--json"]) == 0
    last = orjson.loads(capsys.readouterr().out)
    assert (last["trip"], last["fixes"], len(last["updates"])) == ("0-9", 0, 1)
    assert run(["draw", "anna", *where, "--trip", "0-1", "--json"]) == 0
    first = orjson.loads(capsys.readouterr().out)
    assert (first["trip"], len(first["updates"])) == ("0-1", 3)
    assert run(["draw", "anna", *where, "--trip", "7-7"]) == 2
    assert "has no trip '7-7', there are: 0-1, 0-9" in capsys.readouterr().err


def test_says_what_is_missing(
    settings: Settings, city: City, phone: Phone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadInput, match="'nobody'"):
        read_history(settings, "nobody")
    with pytest.raises(Unavailable, match="is the broker running"):
        read_history(Settings(bootstrap="127.0.0.1:1"), "anna")
    send_walk(phone, city, "anna")
    where = ["--bootstrap", settings.bootstrap, "--graph", str(city.folder)]
    assert run(["draw", "anna", *where, "--out", str(tmp_path / "no" / "walk.svg")]) == 2
    assert "cannot be written" in capsys.readouterr().err
