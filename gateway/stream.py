"""One WebSocket for both ways: fixes in, acknowledged by number once Kafka has them; route updates out.

    client → {"seq": 12, "fixes": [...]}
    server → {"ack": 12, "rejected": [{"index": 0, "error": "..."}]}, or {"error": "...", "seq": 12}
    client → {"resume": "<id of the last update>"}
    server → {"update": {...}, "id": "3-178"}

Messages may follow one another without waiting; acknowledgements come in the order of the messages. What was
not acknowledged when a connection ends is to be sent again: fixes that come twice are known by their time.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from gateway import metrics
from gateway.context import Gateway, gateway_of
from gateway.errors import Refused, TooMany
from gateway.fixes import Checked, Fix, Rejected, batch_in, within_time
from gateway.identity import device_of
from gateway.openapi import Answer, Route
from gateway.outbox import Outbox
from gateway.publish import send_fixes
from gateway.traces import handing_on
from gateway.trips import Event
from gateway.updates import state_of
from geo.errors import Unavailable
from streams.telemetry import tracing

UNACKNOWLEDGED = 256  # messages of one connection; then it is not read until Kafka has caught up
HEARTBEAT_S = 30.0
GREET_S = 1.0  # so long a new connection may take to say from where it resumes
RETRY_AFTER_S = 2.0
ERASED = 4410


class _Incoming(msgspec.Struct):
    seq: int | None = None
    fixes: list[Fix] | None = None
    resume: str | None = None
    traceparent: str | None = None


class _Unchecked(msgspec.Struct):
    """The same where a fix is bad."""

    seq: int | None = None
    fixes: msgspec.Raw = msgspec.Raw()
    resume: str | None = None
    traceparent: str | None = None


class _Ack(msgspec.Struct, omit_defaults=True):
    ack: int | None
    rejected: list[Rejected] = []


class _Error(msgspec.Struct, omit_defaults=True):
    error: str
    seq: int | None = None
    retry_after_s: float | None = None


_incoming = msgspec.json.Decoder(_Incoming)
_unchecked = msgspec.json.Decoder(_Unchecked)
_encode = msgspec.json.Encoder().encode


async def stream(request: web.Request) -> web.WebSocketResponse:
    gateway = gateway_of(request)
    device = await device_of(request, token_in_query=True)
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT_S, compress=False, max_msg_size=gateway.settings.gateway_max_body_bytes,
        decode_text=False,
    )  # fmt: skip
    await socket.prepare(request)
    connection = _Connection(gateway, device, socket, request)
    with metrics.SUBSCRIBERS.labels("websocket").track_inprogress():
        await connection.serve()
    return socket


class _Connection:
    """One device's connection."""

    def __init__(
        self, gateway: Gateway, device: str, socket: web.WebSocketResponse, request: web.Request
    ) -> None:
        self._gateway = gateway
        self._device = device
        self._socket = socket
        self._request = request
        self._outbox = Outbox(self._write, self._cut)
        self._unacknowledged = 0
        self._room = asyncio.Event()
        self._greeting: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            GREET_S, self._greet, None
        )

    async def serve(self) -> None:
        """Until one of the two ends ends it."""
        self._gateway.trips.listen(self._device, self._told)
        self._gateway.open.add(self._go_away)
        try:
            async for message in self._socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                self._take(message.data)
                while self._unacknowledged >= UNACKNOWLEDGED:
                    self._room.clear()
                    await self._room.wait()
        finally:
            self._gateway.open.discard(self._go_away)
            self._gateway.trips.unlisten(self._device, self._told)
            if self._greeting is not None:
                self._greeting.cancel()
            self._outbox.close()

    # ---- what comes in

    def _take(self, data: bytes) -> None:
        seq: int | None = None
        try:
            try:
                message = _incoming.decode(data)
                seq = message.seq
                checked = within_time(message.fixes or (), time.time())
            except msgspec.DecodeError:
                rough = _unchecked.decode(data)
                seq, message = rough.seq, _Incoming(rough.seq, None, rough.resume, rough.traceparent)
                checked = batch_in(rough.fixes, time.time())
            if message.resume is not None:
                self._greet(message.resume)
            if message.fixes is not None or checked.good or checked.rejected or seq is not None:
                with tracing.request(message.traceparent, "WS /v1/stream"):
                    self._publish(seq, checked)
        except msgspec.DecodeError as error:
            self._outbox.put(_encode(_Error(f"the message cannot be read: {error}", seq)))
        except TooMany as error:
            self._outbox.put(_encode(_Error(str(error), seq, error.retry_after_s)))
        except Refused as error:
            self._outbox.put(_encode(_Error(str(error), seq)))

    def _publish(self, seq: int | None, checked: Checked) -> None:
        metrics.FIXES_REFUSED.labels("stream").inc(len(checked.rejected))
        if not checked.good:
            self._outbox.put(_encode(_Ack(seq, checked.rejected)))
            return
        self._gateway.limits.fixes.take(self._device, len(checked.good))
        sent = send_fixes(self._gateway, self._device, checked.good)
        self._unacknowledged += 1
        sent.add_done_callback(partial(self._acknowledged, seq, len(checked.good), checked.rejected))

    def _acknowledged(
        self, seq: int | None, count: int, rejected: list[Rejected], sent: asyncio.Future[Any]
    ) -> None:
        self._unacknowledged -= 1
        self._room.set()
        if sent.cancelled():
            return
        error = sent.exception()
        if error is None:
            metrics.FIXES.labels("stream").inc(count)
            self._outbox.put(_encode(_Ack(seq, rejected)))
        else:
            text = str(error) if isinstance(error, Unavailable) else "it could not be sent: come again"
            self._outbox.put(_encode(_Error(text, seq, RETRY_AFTER_S)))

    # ---- what goes out

    def _greet(self, last_id: str | None) -> None:
        """Begin to tell: what was missed since an update, or else how things stand."""
        if self._greeting is not None:
            self._greeting.cancel()
            self._greeting = None
        trips = self._gateway.trips
        missed = trips.missed(self._device, last_id) if last_id else None
        if missed is not None:
            for event in missed:
                self._hand_on(event, event.record)
        elif (trip := trips.current(self._device)) is not None:
            self._hand_on(trip.last, state_of(trip.last))

    def _told(self, event: Event | None) -> None:
        if event is None:
            self._end(ERASED, b"erased")
        elif self._greeting is not None:
            self._greet(None)  # how things stand includes this
            if event.ended:
                self._hand_on(event, event.record)
        else:
            self._hand_on(event, event.record)

    def _hand_on(self, event: Event, record: bytes) -> None:
        self._outbox.put(_update(record, event.id), handing_on(event, "websocket"))

    def _go_away(self) -> None:
        self._end(WSCloseCode.GOING_AWAY, b"come again")

    def _end(self, code: int, why: bytes) -> None:
        self._outbox.close()
        self._closing = asyncio.create_task(self._socket.close(code=code, message=why))

    async def _write(self, message: bytes) -> None:
        await self._socket.send_frame(message, WSMsgType.TEXT)

    def _cut(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


def _update(record: bytes, event_id: str) -> bytes:
    return b'{"update":%b,"id":"%b"}' % (record, event_id.encode())


ROUTES = [
    Route(
        "GET", "/v1/stream", stream, "A WebSocket: fixes in, route updates out (docs/gateway.md)", "follow",
        {101: Answer("It is one now")},
    )
]  # fmt: skip
