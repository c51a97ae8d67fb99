"""A gateway that is killed, a broker that is away, and who asks for too much."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import GPS_FIXES
from streams.settings import Settings
from streams.telemetry.scrape import read_samples
from tests.broker.gateways import Device, GatewayProcess, ask

GONE = (aiohttp.ClientError, ConnectionError, TypeError)  # TypeError: receive_str of a closed connection


def fix(ts: float) -> dict[str, float]:
    return {"ts": round(ts, 3), "lat": 55.68, "lon": 12.57}


def published(settings: Settings) -> list[float]:
    """The times of all fixes in the topic."""
    found: list[float] = []
    with TopicReader(settings) as topics:
        for message in topics.messages(GPS_FIXES):
            value = orjson.loads(message.value or b"[]")
            found += [one["ts"] for one in (value if isinstance(value, list) else [value])]
    return found


def test_what_was_acknowledged_is_there_though_the_gateway_is_killed(
    settings: Settings, tmp_path: Path
) -> None:
    gateway = GatewayProcess(settings, tmp_path, gateway_fixes_per_s=1e6, gateway_fix_burst=10**6)
    begin = time.time() - 3600.0
    sent: list[float] = []
    acknowledged: set[float] = set()

    async def publish(device: Device, first: float) -> None:
        """Numbered batches, many under way; ends with the connection."""
        waiting: dict[int, list[float]] = {}
        async with aiohttp.ClientSession() as session:
            socket = await session.ws_connect(f"{gateway.url}/v1/stream?token={device.token}")

            async def send() -> None:
                for seq in range(10**6):
                    times = [round(first + seq * 0.01 + k * 0.002, 3) for k in range(4)]
                    waiting[seq] = times
                    sent.extend(times)
                    await socket.send_str(orjson.dumps({"seq": seq, "fixes": list(map(fix, times))}).decode())
                    await asyncio.sleep(0)

            sending = asyncio.create_task(send())
            try:
                while True:
                    answer = orjson.loads(await socket.receive_str())
                    acknowledged.update(waiting.pop(answer["ack"]))
            except GONE:
                sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def run(devices: list[Device], first: float) -> None:
        publishing = [
            asyncio.create_task(publish(device, first + n * 500.0)) for n, device in enumerate(devices)
        ]
        enough = len(acknowledged) + 2_000
        while len(acknowledged) < enough:
            await asyncio.sleep(0.01)
        gateway.kill()
        await asyncio.gather(*publishing)

    for round_ in range(2):
        gateway.start().wait_ready()
        asyncio.run(run([Device(gateway) for _ in range(2)], begin + 1_500.0 * round_))
    there = published(settings)
    assert acknowledged <= set(there)
    assert set(there) <= set(sent)
    assert len(acknowledged) < len(sent)  # it was killed in the middle


def test_a_broker_that_is_away_is_told_and_nothing_claimed(
    services: Any, settings: Settings, tmp_path: Path
) -> None:
    gateway = GatewayProcess(settings, tmp_path, gateway_ack_s=2.0).start().wait_ready()
    try:
        device, now = Device(gateway), time.time()
        os.kill(services.broker.pid, signal.SIGSTOP)
        try:
            answer = device.ask("POST", "/v1/fixes", fix(now))
        finally:
            os.kill(services.broker.pid, signal.SIGCONT)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert device.ask("POST", "/v1/fixes", fix(now + 1)).status == 202
        assert now + 1 == pytest.approx(published(settings)[-1], abs=0.01)
        told = read_samples(ask(f"{gateway.url}/metrics").body.decode())
        answered = told.total("flaneur_gateway_broker_answered_timestamp_seconds")
        assert now - 60 < answered <= time.time()
    finally:
        assert gateway.stop() == 0, gateway.tail()


def test_limits_and_headers(settings: Settings, tmp_path: Path) -> None:
    gateway = GatewayProcess(
        settings, tmp_path, gateway_request_burst=20, gateway_requests_per_s=0.5, gateway_fix_burst=100,
        gateway_fixes_per_s=1.0, gateway_max_body_bytes=20_000, gateway_operator_key="operator",
        gateway_registration_burst=3, gateway_origins="https://walks.example",
    ).start().wait_ready()  # fmt: skip
    try:
        anna, otto = Device(gateway), Device(gateway)
        now = time.time()
        assert anna.ask("POST", "/v1/fixes", [fix(now - n) for n in range(90)]).status == 202
        too_many = anna.ask("POST", "/v1/fixes", [fix(now - n) for n in range(90)])
        assert (too_many.status, int(too_many.headers["Retry-After"]) > 60) == (429, True)
        assert otto.ask("POST", "/v1/fixes", fix(now)).status == 202  # has limits of his own
        assert anna.ask("POST", "/v1/fixes", [fix(now)] * 1_000).status == 413
        statuses = [anna.ask("POST", "/v1/devices/token").status for _ in range(25)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        Device(gateway)
        assert ask(f"{gateway.url}/v1/devices", "POST", {}).status == 429
        for path, status in [("/nowhere", 404), ("/v1/fixes", 405)]:
            answer = ask(gateway.url + path)
            assert (answer.status, list(answer.json)) == (status, ["error"])
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            assert "Server" not in answer.headers
        preflight = {"Access-Control-Request-Method": "POST"}
        for origin, allowed in [("https://walks.example", True), ("https://else.example", False)]:
            answer = ask(f"{gateway.url}/v1/fixes", "OPTIONS", headers=preflight | {"Origin": origin})
            assert ("Access-Control-Allow-Origin" in answer.headers) == allowed
        assert ask(f"{gateway.url}/v1/watch").status == 401
        assert ask(f"{gateway.url}/v1/watch?token=guess").status == 403
        with urllib.request.urlopen(f"{gateway.url}/v1/watch?token=operator", timeout=20) as watch:
            assert otto.ask("POST", "/v1/fixes", fix(time.time())).status == 202
            told = next(line for line in watch if line.startswith(b"data: "))
            walkers = orjson.loads(told[6:])["walkers"]
            assert {"lat", "lon"} <= set(walkers[0])
            assert otto.id not in told.decode()
        told_metrics = ask(f"{gateway.url}/metrics").body.decode()
        assert 'flaneur_gateway_fixes_total{format="fixes"}' in told_metrics
        for secret in (anna.id, otto.id, "55.68", "12.57"):
            assert secret not in told_metrics
            assert secret not in gateway.log.read_text()
    finally:
        assert gateway.stop() == 0, gateway.tail()


def test_with_a_certificate_it_speaks_tls(settings: Settings, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    gateway = GatewayProcess(settings, tmp_path, gateway_tls_cert=str(cert), gateway_tls_key=str(key))
    gateway.start().wait_ready()
    try:
        url = f"https://127.0.0.1:{gateway.settings.gateway_port}/healthz"
        with urllib.request.urlopen(
            url, context=ssl.create_default_context(cafile=cert), timeout=10
        ) as answer:
            assert answer.headers["Strict-Transport-Security"]
        with pytest.raises(OSError, match=r"."):
            urllib.request.urlopen(url.replace("https", "http"), timeout=10)
    finally:
        assert gateway.stop() == 0
