"""What a real worker and gateway tell of those they serve: JSON lines with nobody in them, and no traces."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from streams.kafka.topics import GPS_FIXES, ROUTE_REQUESTS, ROUTE_UPDATES
from streams.settings import Settings
from tests.broker.deployment import Phone, Reader, Worker, wait_for
from tests.broker.drawn import City
from tests.broker.gateways import TOKEN_KEYS, Device, GatewayProcess

WITHIN_S = 30.0


@pytest.fixture
def processes(settings: Settings, city: City, tmp_path: Path) -> Iterator[tuple[Worker, GatewayProcess]]:
    """Both say all that they can say."""
    talkative = replace(settings, graph_dir=str(city.folder), log_level="DEBUG")
    worker = Worker(talkative, tmp_path).start()
    gateway = GatewayProcess(talkative, tmp_path, gateway_planners=1).start()
    try:
        worker.wait_ready()
        gateway.wait_ready()
        yield worker, gateway
    finally:
        worker.stop()
        gateway.stop()


def test_nobody_is_in_the_logs_and_nothing_is_traced(
    processes: tuple[Worker, GatewayProcess], settings: Settings, city: City
) -> None:
    worker, gateway = processes
    device, now = Device(gateway), time.time()
    ends = city.places["E"] + city.places["H"]
    places = dict(zip(("lat", "lon", "dest_lat", "dest_lon"), ends, strict=True))
    assert device.ask("POST", "/v1/routes", {"kind": "to", **places, "propose": 1}).status == 200
    trip = device.ask("POST", "/v1/routes", {"kind": "to", **places}).json["trip"]
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    assert device.ask("GET", f"/v1/trips/{trip}", traceparent=traceparent).status == 200
    walked = [
        {"ts": fix.ts, "lat": fix.lat, "lon": fix.lon} for fix in city.walk("", "EFB", start_ts=now - 600)
    ]
    assert device.ask("POST", "/v1/fixes", walked, traceparent=traceparent).status == 202
    assert device.ask("POST", "/v1/fixes", {**walked[0], "lat": 91}).status == 422
    assert device.ask("GET", f"/v1/trips/{trip}?token={device.token}").status == 200
    phone = Phone(settings)
    phone.send(GPS_FIXES, device.id, orjson.dumps({**walked[0], "device": device.id, "lat": "north"}))
    phone.send(ROUTE_REQUESTS, device.id, orjson.dumps({"device": device.id, **places}))
    wait_for(lambda: worker.metric("flaneur_dead_letters_total") == 2, WITHIN_S, worker.tail)
    assert device.ask("DELETE", "/v1/me").status == 202
    assert (worker.stop(), gateway.stop()) == (0, 0)
    written = {worker: worker.log.read_text(), gateway: gateway.log.read_text()}
    degrees = {f"{value:.4f}" for fix in walked for value in (fix["lat"], fix["lon"])}
    for process, text in written.items():
        lines = [orjson.loads(line) for line in text.splitlines()]
        assert len(lines) >= 3
        for line in lines:
            assert line["service"] == "flaneur"
            assert line["process"] in ({"worker"} if process is worker else {"gateway", "planner"})
        leaked = [secret for secret in (device.id, device.token, device.key, TOKEN_KEYS) if secret in text]
        leaked += [degree for degree in degrees if degree in text]
        assert not leaked, [line for line in text.splitlines() if any(one in line for one in leaked)]
    for topic in (GPS_FIXES, ROUTE_REQUESTS, ROUTE_UPDATES):  # nothing is traced unless it is switched on
        reader = Reader(settings, topic, settings.partitions)
        messages = [message for _ in range(5) for message in reader.poll()]
        reader.close()
        assert messages
        assert not any(message.headers() for message in messages)
