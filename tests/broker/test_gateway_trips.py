"""A trip through a real gateway, worker and broker: started, followed, resumed, ended, erased."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import redis

from geo.polyline import decode6
from streams.worker.online_store import walker_key
from tests.broker.deployment import Worker, wait_for
from tests.broker.drawn import City
from tests.broker.gateways import Device, GatewayProcess, ask

WITHIN_S = 30.0


@pytest.fixture
def gateway(worker: Worker, tmp_path: Path) -> Iterator[GatewayProcess]:
    one = GatewayProcess(worker.settings, tmp_path).start()
    try:
        yield one.wait_ready()
    finally:
        assert one.stop() == 0, one.tail()


def start(device: Device, city: City, begin: str = "E", end: str = "H") -> str:
    (lat, lon), (dest_lat, dest_lon) = city.places[begin], city.places[end]
    body = {"kind": "to", "lat": lat, "lon": lon, "dest_lat": dest_lat, "dest_lon": dest_lon}
    answer = device.ask("POST", "/v1/routes", body)
    assert answer.status == 202, answer
    return str(answer.json["trip"])


def fixes(city: City, route: str, begin_ts: float) -> list[dict[str, Any]]:
    return [
        {"ts": fix.ts, "lat": fix.lat, "lon": fix.lon, "accuracy_m": 5.0}
        for fix in city.walk("", route, start_ts=begin_ts, pace_mps=3.0)
    ]


class Stream:
    """A device's WebSocket; what comes is read in order."""

    def __init__(self, device: Device, session: aiohttp.ClientSession) -> None:
        self._url = f"{device.gateway.url}/v1/stream?token={device.token}"
        self._session = session

    async def __aenter__(self) -> Stream:
        self.socket = await self._session.ws_connect(self._url)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def send(self, message: dict[str, Any]) -> None:
        await self.socket.send_str(orjson.dumps(message).decode())

    async def read(self, wanted: str) -> dict[str, Any]:
        """The next message that has such a part."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                message: dict[str, Any] = orjson.loads(await self.socket.receive_str())
                if wanted in message:
                    return message


def test_fixes_go_in_and_updates_come_out_on_one_connection_and_go_on_after_it_broke(
    city: City, gateway: GatewayProcess
) -> None:
    device = Device(gateway)

    async def walk() -> None:
        async with aiohttp.ClientSession() as session:
            async with Stream(device, session) as stream:
                trip = start(device, city, "A", "D")
                first = await stream.read("update")
                assert (first["update"]["trip"], first["update"]["reason"]) == (trip, "requested")
                walked = fixes(city, "ABFJ", time.time())  # no faster clock than is forgiven
                for seq in range(0, len(walked), 10):
                    await stream.send({"seq": seq, "fixes": walked[seq : seq + 10]})
                acks = [(await stream.read("ack"))["ack"] for _ in range(0, len(walked), 10)]
                assert acks == list(range(0, len(walked), 10))
                stream.socket._response.connection.transport.abort()  # as a lost network does
            async with Stream(device, session) as stream:
                await stream.send({"resume": first["id"]})
                missed = await stream.read("update")
                assert missed["update"]["reason"] == "off_route"
                assert missed["update"]["version"] > first["update"]["version"]
            async with Stream(device, session) as stream:
                state = await stream.read("update")  # who knows nothing gets what lies ahead
                assert state["update"]["keep_m"] == 0.0
                assert state["id"] == missed["id"]

    asyncio.run(walk())


def test_bad_messages_are_answered_and_the_good_ones_taken(city: City, gateway: GatewayProcess) -> None:
    device, now = Device(gateway), time.time()

    async def talk() -> None:
        async with aiohttp.ClientSession() as session, Stream(device, session) as stream:
            await stream.socket.send_str("{")
            assert "error" in await stream.read("error")
            good = {"ts": now, "lat": 55.0, "lon": 12.0}
            bad = [{**good, "lat": 91}, {**good, "ts": now - 90_000}, {**good, "lon": "east"}, 7, good]
            await stream.send({"seq": 1, "fixes": bad})
            answer = await stream.read("ack")
            assert [one["index"] for one in answer["rejected"]] == [0, 1, 2, 3]
            await stream.send({"seq": 2, "fixes": "none"})
            assert (await stream.read("error"))["seq"] == 2
            await stream.send({"seq": 3, "fixes": [good]})
            assert (await stream.read("ack"))["ack"] == 3

    asyncio.run(talk())


def events(device: Device, trip: str, last_id: str = "") -> list[tuple[str, dict[str, Any]]]:
    """The events of a trip until it ends."""
    url = f"{device.gateway.url}/v1/trips/{trip}/updates?token={device.token}"
    request = urllib.request.Request(url, headers={"Last-Event-ID": last_id} if last_id else {})
    found, event_id = [], ""
    with urllib.request.urlopen(request, timeout=WITHIN_S) as response:
        if response.status == 204:
            return []
        assert response.headers["Content-Type"] == "text/event-stream"
        for line in response:
            name, _, value = line.decode().strip().partition(": ")
            if name == "id":
                event_id = value
            elif name == "data":
                found.append((event_id, orjson.loads(value)))
    return found


def test_a_fresh_gateway_knows_a_trip_and_tells_the_rest_of_it(
    city: City, gateway: GatewayProcess, tmp_path: Path
) -> None:
    device = Device(gateway)
    trip = start(device, city)
    route = device.ask("GET", f"/v1/trips/{trip}")
    assert route.status == 200
    assert route.json["code"] == "Ok"
    steps = route.json["routes"][0]["legs"][0]["steps"]
    assert [step["maneuver"]["type"] for step in (steps[0], steps[-1])] == ["depart", "arrive"]
    assert steps[0]["name"] == "Middle Street"
    lat, lon = decode6(route.json["line"])
    assert (lat[-1], lon[-1]) == pytest.approx(city.places["H"], abs=2e-5)
    gateway.kill()
    fresh = GatewayProcess(gateway.settings, tmp_path, "gateway-1").start().wait_ready()
    try:
        device.gateway = fresh
        again = device.ask("GET", f"/v1/trips/{trip}")
        assert again.json == route.json
        assert device.ask("DELETE", f"/v1/trips/{trip}").status == 202
        told = events(device, trip)
        assert [record["reason"] for _, record in told][-1] == "ended"
        assert told[0][0] == route.json["id"]
        assert [record["reason"] for _, record in events(device, trip, told[0][0])] == ["ended"]
        assert events(device, trip, told[-1][0]) == []
        assert device.ask("DELETE", f"/v1/trips/{trip}").status == 409
    finally:
        assert fresh.stop() == 0
        gateway.start().wait_ready()  # the fixture stops it


def test_nobody_reaches_what_is_anothers(city: City, gateway: GatewayProcess) -> None:
    anna, otto = Device(gateway), Device(gateway)
    trip = start(anna, city)
    assert anna.ask("GET", f"/v1/trips/{trip}").status == 200
    own = start(otto, city, "I", "L")
    assert otto.ask("GET", f"/v1/trips/{own}").status == 200
    for method, path in [
        ("GET", f"/v1/trips/{trip}"),
        ("DELETE", f"/v1/trips/{trip}"),
        ("GET", f"/v1/trips/{trip}/updates"),
    ]:
        assert otto.ask(method, path).status == 404, path
        assert ask(f"{gateway.url}{path}", method).status == 401, path
    dislike = {"proposal": trip, "verdict": "dislike", "device": anna.id}
    assert otto.ask("POST", "/v1/ratings", dislike).status == 202  # of which nothing may come
    now = time.time() - 300
    strays = [{**fix, "device": anna.id} for fix in fixes(city, "AB", now)]
    assert otto.ask("POST", "/v1/fixes", strays).status == 202
    assert (
        otto.ask("POST", "/v1/owntracks", {"_type": "location", "tst": now, "lat": 1, "lon": 2}).status == 200
    )

    async def listen() -> None:
        async with aiohttp.ClientSession() as session, Stream(otto, session) as stream:
            await stream.send({"resume": "0-0"})
            await stream.send({"seq": 1, "fixes": [{**strays[-1], "ts": time.time()}]})
            await stream.read("ack")
            assert anna.ask("DELETE", f"/v1/trips/{trip}").status == 202
            assert [record["reason"] for _, record in events(anna, trip)][-1] == "ended"
            await stream.send({"seq": 2})
            async with asyncio.timeout(WITHIN_S):
                while True:
                    message = orjson.loads(await stream.socket.receive_str())
                    assert message.get("update", {}).get("device") != anna.id
                    if message.get("ack") == 2:
                        return

    asyncio.run(listen())
    route = anna.ask("GET", f"/v1/trips/{trip}").json
    assert (route["reason"], route["version"]) == ("ended", 2)  # nothing of otto's was taken for hers


def test_erased_is_erased_everywhere(
    city: City, gateway: GatewayProcess, worker: Worker, online_store: redis.Redis
) -> None:
    device = Device(gateway)
    trip = start(device, city)
    assert device.ask("GET", f"/v1/trips/{trip}").status == 200
    assert device.ask("POST", "/v1/fixes", fixes(city, "EF", time.time() - 60)).status == 202
    key = walker_key(device.id.encode())
    wait_for(lambda: online_store.exists(key) == 1, WITHIN_S, "no features")
    wait_for(lambda: worker.metric("flaneur_walkers") == 1, WITHIN_S, "no walker")
    assert device.ask("DELETE", "/v1/me").status == 202
    assert device.ask("GET", f"/v1/trips/{trip}").status == 401
    assert ask(f"{gateway.url}/v1/devices/token?key={device.key}", "POST").status == 401
    wait_for(lambda: worker.metric("flaneur_walkers") == 0, WITHIN_S, "the worker remembers")
    wait_for(lambda: online_store.exists(key) == 0, WITHIN_S, "Redis remembers")
