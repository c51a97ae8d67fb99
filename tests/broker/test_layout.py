"""A rolling upgrade: records of the version after and before this one, and checkpoints of another layout."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from gateway.devices import DeviceRecord
from models.records import EdgeCondition, Fix, Rating, RouteRequest, TrafficReport, WeatherReport, encode
from models.trips.walker_state import SCHEMA
from models.world.condition_places import cell_key
from streams.kafka.topics import (
    DEVICES,
    EDGE_CONDITIONS,
    GPS_FIXES,
    RATINGS,
    ROUTE_REQUESTS,
    ROUTE_UPDATES,
    TRAFFIC_REPORTS,
    WALKERS_TABLE,
    WEATHER_REPORTS,
    changelog_topic,
)
from streams.settings import Settings
from streams.worker.ahead import holds_walkers
from streams.worker.checkpoints import read_checkpoint, seal
from tests.broker.deployment import Client, Phone, Worker, stored_walkers, wait_for
from tests.broker.drawn import T0, City
from tests.broker.gateways import Device, GatewayProcess
from tests.broker.test_gateway_trips import events, start

WITHIN_S = 30.0
ADDED = {"added_text": "new", "added_number": 1.5, "added_null": None, "added_deep": {"lat": [1, {"ts": 2}]}}
OPTIONAL = ("accuracy_m", "taste", "reason", "valid_from", "valid_to")  # that records once did not have


def now(record: Any) -> bytes:
    return encode(record)


def later(record: Any) -> bytes:
    """As the next version may write it: with fields that this one does not know, first and last."""
    fields = orjson.loads(encode(record))
    return orjson.dumps({"first": [], **fields, **ADDED})


def earlier(record: Any) -> bytes:
    """As the previous version may have written it: without fields that were added since."""
    fields = orjson.loads(encode(record))
    return orjson.dumps({name: value for name, value in fields.items() if name not in OPTIONAL})


WRITTEN_BY = {"now": now, "later": later, "earlier": earlier}


@pytest.fixture
def phone(worker: Worker) -> Phone:
    return Phone(worker.settings)


def test_records_of_the_next_and_of_the_previous_version_do_what_those_of_this_one_do(
    worker: Worker, city: City, phone: Phone, client: Client, tmp_path: Path
) -> None:
    cell = cell_key(int(city.graph.cell_h3[0]))
    known = EdgeCondition(key=cell, ts=T0, version=0, expires=T0 + 60)
    phone.send(EDGE_CONDITIONS, cell, later(known), earlier(known))
    (lat, lon), (dest_lat, dest_lon) = city.places["E"], city.places["H"]
    for device, write in WRITTEN_BY.items():
        wish = RouteRequest(
            device=device, request="r", ts=T0, kind="to", lat=lat, lon=lon, dest_lat=dest_lat,
            dest_lon=dest_lon, taste={"noise": 0.0} if device != "earlier" else None,
        )  # fmt: skip
        phone.send(ROUTE_REQUESTS, device, write(wish))
        first = client.wait(device, "requested")
        rating = Rating(device=device, proposal=first.trip, ts=T0 + 1, verdict="dislike", reason="loud")
        phone.send(RATINGS, device, write(rating))
        assert client.wait(device, "disliked").trip == first.trip
        walk = city.walk(device, "EABFE", accuracy_m=5.0)
        phone.send(GPS_FIXES, device, *(write(fix) for fix in walk[:20]))
        many: list[Fix] = walk[20:]
        phone.send(GPS_FIXES, device, b"[" + b",".join(write(fix) for fix in many) + b"]")
        assert client.wait(device, "off_route").trip == first.trip
    wait_for(lambda: worker.metric("flaneur_fixes_total") == len(WRITTEN_BY) * len(walk), WITHIN_S)
    for number, write in enumerate(WRITTEN_BY.values()):
        report = TrafficReport(
            source=f"city#{number}", ts=T0 + 600, kind="closure",
            geometry={"type": "LineString", "coordinates": city.line("JK")}, valid_from=T0,
        )  # fmt: skip
        rain = WeatherReport(source=f"radar#{number}", ts=T0 + 600, lat=lat, lon=lon, precip_mmph=1.0,
                             valid_from=T0, valid_to=T0 + 3600)  # fmt: skip
        phone.send(TRAFFIC_REPORTS, report.source, write(report))
        phone.send(WEATHER_REPORTS, rain.source, write(rain))
    taken = ("traffic-reports", "weather-reports")
    wait_for(
        lambda: all(worker.metric("flaneur_messages_total", topic=topic) == 3 for topic in taken), WITHIN_S
    )
    client.read()
    assert client.letters == []
    hand_on(worker, city, client, phone, tmp_path)


def hand_on(worker: Worker, city: City, client: Client, phone: Phone, folder: Path) -> None:
    """A gateway hands on updates of the next version as they are, and reads its devices."""
    settings = worker.settings
    gateway = GatewayProcess(settings, folder).start().wait_ready()
    try:
        device = Device(gateway)
        trip = start(device, city)
        shown = device.ask("GET", f"/v1/trips/{trip}").json
        partition = int(trip.split("-")[0])
        known = orjson.loads(encode(client.wait(device.id, "requested")))
        new = {"version": shown["version"] + 1, "reason": "better_than_ever"}
        record = {"first": [], **known, **new, **ADDED}
        producer = Producer({"bootstrap.servers": settings.bootstrap, "log_level": 0})
        producer.produce(ROUTE_UPDATES, orjson.dumps(record), device.id, partition=partition)
        ended = {**record, "version": shown["version"] + 2, "reason": "ended"}
        producer.produce(ROUTE_UPDATES, orjson.dumps(ended), device.id, partition=partition)
        assert producer.flush(20) == 0
        wait_for(lambda: device.ask("GET", f"/v1/trips/{trip}").json["version"] == ended["version"], WITHIN_S)
        told = [update for _, update in events(device, trip, shown["id"])]
        assert told == [record, ended]
        hashed = DeviceRecord("from-the-next-one", time.time(), "00" * 32)
        fields = {name: getattr(hashed, name) for name in hashed.__struct_fields__}
        phone.send(DEVICES, "from-the-next-one", orjson.dumps({**fields, **ADDED}))
        wait_for(lambda: gateway.is_ready(), WITHIN_S)
    finally:
        assert gateway.stop() == 0, gateway.tail()
    assert "cannot be read" not in gateway.log.read_text()


def fixes_stored(settings: Settings, city: City) -> dict[str, int]:
    return {device: walker["fixes"] for device, walker in stored_walkers(settings, city.checksum).items()}


@pytest.fixture
def stopped(settings: Settings, city: City, tmp_path: Path) -> Iterator[Worker]:
    """A worker that walkers were on their way with, stopped after its last checkpoint."""
    mine = replace(settings, graph_dir=str(city.folder), observe_s=3600.0)
    worker = Worker(mine, tmp_path).start().wait_ready()
    client = Client(mine)
    try:
        phone = Phone(mine)
        for device in ("anna", "otto"):
            (lat, lon), (dest_lat, dest_lon) = city.places["A"], city.places["D"]
            wish = RouteRequest(
                device=device, request="r", ts=T0, kind="to", lat=lat, lon=lon,
                dest_lat=dest_lat, dest_lon=dest_lon,
            )  # fmt: skip
            phone.send(ROUTE_REQUESTS, device, wish)
            client.wait(device, "requested")
            phone.send(GPS_FIXES, device, *city.walk(device, "ABC")[:60])
        wait_for(lambda: fixes_stored(mine, city) == {"anna": 60, "otto": 60}, WITHIN_S, worker.tail)
        assert worker.stop() == 0
        yield worker
    finally:
        client.close()
        worker.stop()


def test_a_checkpoint_of_another_layout_is_rebuilt_from_the_input(stopped: Worker, city: City) -> None:
    settings = stopped.settings
    before = stored_walkers(settings, city.checksum)
    rewritten = 0
    producer = Producer({"bootstrap.servers": settings.bootstrap, "log_level": 0})
    for partition in range(settings.partitions):
        for name, data in read_checkpoint(settings, WALKERS_TABLE, partition).buckets.items():
            if holds_walkers(name):
                assert int.from_bytes(data[4:8], "little") == SCHEMA
                other = data[:4] + (SCHEMA ^ 1).to_bytes(4, "little") + data[8:]
                key = f"{partition}/{name}"
                producer.produce(
                    changelog_topic(settings, WALKERS_TABLE), seal(other), key, partition=partition
                )
                rewritten += 1
        only_there = f"{partition}/something-new"  # of a version that stores more
        producer.produce(
            changelog_topic(settings, WALKERS_TABLE), seal(b"?"), only_there, partition=partition
        )
    assert producer.flush(20) == 0
    assert rewritten >= 2
    stopped.start().wait_ready()
    assert "was written with another layout" in stopped.log.read_text()
    assert "'something-new' in the changelog is of another version" in stopped.log.read_text()
    assert stopped.metric("flaneur_checkpoints_flawed_total", table="walkers") >= 1
    assert read_checkpoint(settings, WALKERS_TABLE, 0).buckets["something-new"] == b"?"
    after = stored_walkers(settings, city.checksum)
    assert after.keys() == before.keys()
    for device, walker in before.items():
        for part in ("windows", "matches", "route", "fixes"):
            assert after[device][part] == walker[part], (device, part)
    client = Client(settings)
    try:  # the trips go on, with versions behind those that clients have
        versions = {device: client.wait(device, "requested").version for device in before}
        phone = Phone(settings)
        for device in before:
            walk = city.walk(device, "ABFJI")
            phone.send(GPS_FIXES, device, *(fix for fix in walk if fix.ts > T0 + 100))
            assert client.wait(device, "off_route").version > versions[device]
        assert len({update.trip for update in client.received}) == len(before)
    finally:
        client.close()
