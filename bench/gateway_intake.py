"""How much one gateway takes in: fixes over WebSocket and HTTP, and streams that only listen."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import orjson
from aiohttp import WSMsgType

from bench.rig.gateway_process import GatewayProcess, Phone, connect, in_turns, register, session
from geo.errors import Unavailable

SENDERS = 20  # connections that publish
UNANSWERED = 16  # messages of each that may be under way
BATCH = 100
CONNECTED_AT_ONCE = 100
SETTLE_S = 3.0


def _fix(ts: float, number: int) -> dict[str, float]:
    along = (number % 5_000) * 1e-5
    return {
        "ts": round(ts, 3),
        "lat": round(55.67 + along, 6),
        "lon": 12.57,
        "accuracy_m": 5.2,
        "speed_mps": 1.4,
    }


async def send_batches(gateway: GatewayProcess, count: int) -> None:
    """So many fixes over WebSocket, BATCH a message; returns when all are acknowledged."""
    await _stream_all(gateway, count, BATCH)


async def send_singles(gateway: GatewayProcess, count: int) -> None:
    """The same, one a message."""
    await _stream_all(gateway, count, 1)


async def _stream_all(gateway: GatewayProcess, count: int, batch: int) -> None:
    messages = max(1, count // (SENDERS * batch))
    now = time.time() - 3_600.0
    texts = [
        orjson.dumps({"seq": seq, "fixes": [_fix(now + seq * batch + k, seq + k) for k in range(batch)]})
        for seq in range(messages)
    ]

    async def send(phone: Phone) -> None:
        socket = await connect(client, gateway.url, phone)
        acknowledged = 0
        for seq, text in enumerate(texts):
            await socket.send_frame(text, WSMsgType.TEXT)
            if seq - acknowledged >= UNANSWERED:
                acknowledged += await _acknowledged(socket)
        while acknowledged < messages:
            acknowledged += await _acknowledged(socket)
        await socket.close()

    async with session() as client:
        phones = await register(client, gateway.url, SENDERS)
        await asyncio.gather(*(send(phone) for phone in phones))


async def _acknowledged(socket: aiohttp.ClientWebSocketResponse) -> int:
    message = await socket.receive()
    if message.type != WSMsgType.TEXT or not message.data.startswith('{"ack"'):
        raise Unavailable(f"the gateway answered {message.data!r} instead of acknowledging")
    return 1


async def send_posts(gateway: GatewayProcess, count: int) -> None:
    """So many fixes over HTTP, one a request."""
    now = time.time() - 3_600.0
    each = count // SENDERS

    async def post(phone: Phone) -> None:
        headers = {"Authorization": f"Bearer {phone.token}"}
        for number in range(each):
            body = orjson.dumps(_fix(now + number, number))
            async with client.post(f"{gateway.url}/v1/fixes", data=body, headers=headers) as answer:
                if answer.status != 202:
                    raise Unavailable(f"the gateway answered {answer.status}: {await answer.text()}")

    async with session() as client:
        phones = await register(client, gateway.url, SENDERS)
        await asyncio.gather(*(post(phone) for phone in phones))


async def bytes_with_idle(gateway: GatewayProcess, count: int) -> int:
    """The gateway's memory with so many open streams."""
    async with session() as client:
        phones = await register(client, gateway.url, count)

        async def one(phone: Phone) -> aiohttp.ClientWebSocketResponse:
            return await connect(client, gateway.url, phone)

        sockets = await in_turns(one, phones, CONNECTED_AT_ONCE)
        await asyncio.sleep(SETTLE_S)
        taken = gateway.own_bytes
        await asyncio.gather(*(socket.close() for socket in sockets))
    return taken
