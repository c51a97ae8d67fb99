"""A real gateway process in front of a real broker: devices, tokens, publishing."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from models.records import MAX_PROPOSAL_BYTES, Rating, decode
from models.routes.proposal_ids import proposal_id
from streams.kafka.topic_reader import TopicReader, partition_of
from streams.kafka.topics import GPS_FIXES, RATINGS
from streams.settings import Settings
from tests.broker.gateways import Device, GatewayProcess, ask
from tests.geo.naive_city import lattice_city
from tests.geo.walked import wander


@pytest.fixture
def gateway(settings: Settings, tmp_path: Path) -> Iterator[GatewayProcess]:
    one = GatewayProcess(settings, tmp_path).start()
    try:
        yield one.wait_ready()
    finally:
        assert one.stop() == 0, one.tail()


def published(settings: Settings) -> list[dict[str, Any]]:
    """Every fix in the topic, each in the partition of its device."""
    found = []
    with TopicReader(settings) as topics:
        for message in topics.messages(GPS_FIXES):
            assert message.value is not None
            value = orjson.loads(message.value)
            for fix in value if isinstance(value, list) else [value]:
                assert message.key == fix["device"].encode()
                assert message.partition == partition_of(message.key, settings.partitions)
                found.append(fix)
    return found


def test_what_is_acknowledged_is_in_the_topic_under_the_devices_own_name(
    gateway: GatewayProcess, settings: Settings
) -> None:
    device, now = Device(gateway), time.time()
    good = {"ts": now, "lat": 55.68, "lon": 12.57, "device": "somebody-else"}
    bad = good | {"lat": 91}
    answer = device.ask("POST", "/v1/fixes", [good, bad, good | {"ts": now + 1}])
    assert answer.status == 202
    assert answer.json["accepted"] == 2
    assert [one["index"] for one in answer.json["rejected"]] == [1]
    assert device.ask("POST", "/v1/fixes", good | {"ts": now + 2}).status == 202
    lines = b"\n".join(orjson.dumps(good | {"ts": now + n}) for n in (3, 4))
    assert device.ask("POST", "/v1/fixes", lines).json["accepted"] == 2
    fixes = published(settings)
    assert {fix["device"] for fix in fixes} == {device.id}
    assert [fix["ts"] for fix in fixes] == [now + n for n in range(5)]


def test_who_is_not_signed_in_publishes_nothing(gateway: GatewayProcess, settings: Settings) -> None:
    device = Device(gateway)
    fix = {"ts": time.time(), "lat": 55.68, "lon": 12.57}
    url = f"{gateway.url}/v1/fixes"
    basic = base64.b64encode(f"{device.id}:{device.key}".encode()).decode()
    other = base64.b64encode(f"somebody:{device.key}".encode()).decode()
    for headers, status in [
        ({}, 401),
        ({"Authorization": "Bearer " + device.token[:-4] + "AAAA"}, 401),
        ({"Authorization": f"Basic {other}"}, 401),
        ({"Authorization": f"Basic {basic}"}, 202),
        ({"Authorization": f"Bearer {device.key}"}, 202),
    ]:
        assert ask(url, "POST", fix, headers).status == status, headers
    assert ask(f"{url}?key={device.key}", "POST", fix).status == 202
    assert ask(f"{url}?token={device.token}", "POST", fix).status == 401
    assert device.ask("DELETE", "/v1/devices/key").status == 204
    assert ask(f"{url}?key={device.key}", "POST", fix).status == 401
    assert len(published(settings)) == 3


def test_a_rated_proposal_is_in_the_topic_whole(gateway: GatewayProcess, settings: Settings) -> None:
    city = lattice_city(seed=4, side=20)
    way = wander(city, np.random.default_rng(5), 5_000)  # 100 km, the most that can be wished for
    rated = proposal_id(city, 7, way.edges, way.start_fraction, way.end_fraction)
    assert len(rated) > 1_000
    device = Device(gateway)
    assert device.ask("POST", "/v1/ratings", {"proposal": rated, "verdict": "dislike"}).status == 202
    too_long = {"proposal": "x" * (MAX_PROPOSAL_BYTES + 1), "verdict": 1}
    assert device.ask("POST", "/v1/ratings", too_long).status == 422
    with TopicReader(settings) as topics:
        (told,) = topics.messages(RATINGS)
    assert told.value is not None
    assert decode(Rating, told.value).proposal == rated


def test_a_second_gateway_knows_a_device_at_once(
    gateway: GatewayProcess, settings: Settings, tmp_path: Path
) -> None:
    second = GatewayProcess(settings, tmp_path, "gateway-1").start().wait_ready()
    try:
        device = Device(gateway)
        renewed = ask(f"{second.url}/v1/devices/token?key={device.key}", "POST")
        assert renewed.status == 200
        headers = {"Authorization": f"Bearer {renewed.json['token']}"}
        fix = {"ts": time.time(), "lat": 55.68, "lon": 12.57}
        assert ask(f"{second.url}/v1/fixes", "POST", fix, headers).status == 202
    finally:
        assert second.stop() == 0
