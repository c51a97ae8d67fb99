"""Whatever phones send: every codec, arrays, rubbish; and where it can be seen afterwards."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import redis
from confluent_kafka.admin import AdminClient, NewPartitions

from geo.errors import BadInput
from models.features import unpack_features
from models.records import Fix, WeatherReport, encode
from streams.kafka.topics import GPS_FIXES, ROUTE_REQUESTS, TRAFFIC_REPORTS, WEATHER_REPORTS, ensure_topics
from streams.settings import Settings
from tests.broker.deployment import Client, Phone, Worker, stored_walkers, wait_for
from tests.broker.drawn import T0, City


def counted(worker: Worker, fixes: int) -> None:
    wait_for(lambda: worker.metric("flaneur_fixes_total") >= fixes, 20, worker.tail)
    assert worker.metric("flaneur_fixes_total") == fixes


def test_every_codec_is_read(worker: Worker, city: City) -> None:
    walk = city.walk("anna", "EFGH")
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    for i, codec in enumerate(codecs):
        phone = Phone(worker.settings, **{"compression.type": codec})
        phone.send(GPS_FIXES, "anna", *walk[i * 20 : (i + 1) * 20])
    counted(worker, 20 * len(codecs))


def test_rubbish_becomes_dead_letters_and_nothing_else_is_lost(
    worker: Worker, city: City, client: Client
) -> None:
    good = city.walk("anna", "EFGH")
    first, second = encode(good[0]), encode(good[1])
    rubbish: list[tuple[bytes, str]] = [
        (b"\x00\xff\xfe rubbish", "not_json"),
        (b'{"device":"anna","ts":NaN,"lat":60,"lon":24}', "not_json"),
        (b'{"device":"anna","ts":1e999,"lat":60,"lon":24}', "not_json"),
        (b'{"device":"anna","lat":60,"lon":24}', "missing_field"),
        (b'{"device":"anna","ts":1760000000,"lat":"60","lon":24}', "bad_type"),
        (b'{"device":"anna","ts":1760000000,"lat":91,"lon":24}', "out_of_range"),
        (b"17", "not_object"),
        (b"[" + b" " * 2_000_000 + b"]", "too_large"),
        (b"[" + first + b',{"device":"anna"},' + second + b"]", "missing_field"),
    ]
    phone = Phone(worker.settings)
    phone.send(GPS_FIXES, "anna", *(value for value, _ in rubbish), None)
    phone.send(GPS_FIXES, "anna", *good[2:40])
    counted(worker, 40)
    expected = [reason for _, reason in rubbish]

    def all_there() -> bool:
        client.read()
        return len(client.letters) >= len(rubbish)

    wait_for(all_there, 20, lambda: str([letter.reason for letter in client.letters]))
    assert [letter.reason.split(":")[0] for letter in client.letters] == expected
    for letter, (value, _) in zip(client.letters, rubbish, strict=True):
        assert letter.topic == GPS_FIXES
        assert base64.b64decode(letter.value_b64) == value


def test_bad_requests_and_reports_become_dead_letters(worker: Worker, client: Client) -> None:
    phone = Phone(worker.settings)
    phone.send(ROUTE_REQUESTS, "anna", b'{"device":"anna","request":"1","ts":1760000000,"kind":"fly"}')
    off_the_map = (
        b'{"device":"anna","request":"1","ts":1760000000,"kind":"loop","lat":0,"lon":0,"length_m":1000}'
    )
    phone.send(ROUTE_REQUESTS, "anna", off_the_map)
    phone.send(TRAFFIC_REPORTS, "city", b'{"source":"city","ts":1760000000,"kind":"closure"}')
    phone.send(WEATHER_REPORTS, "radar", b"{")

    def all_there() -> bool:
        client.read()
        return len(client.letters) == 4

    wait_for(all_there, 20, lambda: str(client.letters))
    reasons = {letter.reason.split(":")[0] for letter in client.letters}
    assert reasons == {"unknown_kind", "no_candidate", "missing_field", "not_json"}


def test_late_duplicate_and_disordered_fixes_are_told_apart(worker: Worker, city: City) -> None:
    walk = city.walk("anna", "EFGH")
    phone = Phone(worker.settings)
    phone.send(GPS_FIXES, "anna", *walk[:120])
    phone.send(GPS_FIXES, "anna", walk[110], walk[119])  # again
    phone.send(GPS_FIXES, "anna", walk[130], walk[125])  # in the wrong order
    phone.send(GPS_FIXES, "anna", Fix(device="anna", ts=T0 + 5.5, lat=60.0, lon=24.0))  # too late
    counted(worker, 125)
    assert worker.metric("flaneur_fixes_duplicate_total") == 2
    assert worker.metric("flaneur_fixes_out_of_order_total") == 1
    assert worker.metric("flaneur_fixes_late_total") == 1


def test_features_are_in_redis_and_in_the_table(
    worker: Worker, city: City, online_store: redis.Redis
) -> None:
    walk = city.walk("anna", "EFGH", pace_mps=1.4)
    Phone(worker.settings).send(GPS_FIXES, "anna", *walk)
    lat, lon = city.places["F"]
    Phone(worker.settings).send(
        WEATHER_REPORTS, "radar", WeatherReport(source="radar", ts=T0, lat=lat, lon=lon, precip_mmph=3.0)
    )

    def there() -> bool:
        packed: Any = online_store.get("walker:anna")
        return packed is not None and unpack_features(packed)[0] == walk[-1].ts

    wait_for(there, 20)
    packed: Any = online_store.get("walker:anna")
    _, features = unpack_features(packed)
    assert features["pace_mps_60s"] == pytest.approx(1.4, abs=0.1)
    wait_for(lambda: bool(online_store.keys("cell:*")), 20)

    def stored() -> bool:
        walkers = stored_walkers(worker.settings, city.checksum)
        return "anna" in walkers and walkers["anna"]["fixes"] == len(walk)

    wait_for(stored, 20)


def test_a_topic_that_is_not_as_declared_stops_the_start(settings: Settings, admin: AdminClient) -> None:
    for future in admin.create_partitions([NewPartitions(GPS_FIXES, 3)]).values():
        future.result(timeout=20)

    def grown() -> bool:
        return len(admin.list_topics(GPS_FIXES, timeout=10).topics[GPS_FIXES].partitions) == 3

    wait_for(grown, 10)
    with pytest.raises(BadInput, match="gps-fixes has 3 partitions, 2 are needed"):
        ensure_topics(settings)
