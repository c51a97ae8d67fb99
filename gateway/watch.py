"""For operators: where everybody is who walks now, and every route update as it is pushed.

Walkers go by names that only this process gives out: what is watched leads to no device. Fixes are read only
while somebody watches.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence

import msgspec
import orjson
from aiohttp import web

from gateway import metrics
from gateway.context import GATEWAY, gateway_of
from gateway.follower import Follower
from gateway.identity import must_operate
from gateway.openapi import Answer, Problem, Route
from gateway.outbox import Outbox
from gateway.trips import Event, Trips
from gateway.updates import EVENT_STREAM, keep_open, open_events, state_of
from streams.kafka.topic_reader import Message
from streams.kafka.topics import GPS_FIXES
from streams.settings import Settings

TELL_EVERY_S = 0.5
SINCE_S = 10.0  # who moved so long ago is shown at once
MOST_WALKERS = 5_000


class _Position(msgspec.Struct):
    device: str
    ts: float
    lat: float
    lon: float


_positions = msgspec.json.Decoder(_Position | list[_Position])


class Watch:
    """Those who watch, and what they are told."""

    def __init__(self, settings: Settings, trips: Trips) -> None:
        self._settings = settings
        self._trips = trips
        self._salt = secrets.token_bytes(16)
        self._outboxes: set[Outbox] = set()
        self._moved: dict[str, _Position] = {}
        self._follower: Follower | None = None
        self._telling: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    def name_of(self, device: str) -> str:
        """What a walker is called here."""
        return hashlib.blake2b(device.encode(), key=self._salt, digest_size=6).hexdigest()

    async def add(self, outbox: Outbox) -> None:
        """Tell somebody how things stand, and what comes."""
        for trip in self._trips.under_way():
            outbox.put(self._update(trip.device, trip.last, state_of(trip.last)))
        async with self._starting:
            self._outboxes.add(outbox)
            if self._follower is None:
                self._trips.watch(self._told)
                self._follower = Follower(self._settings, GPS_FIXES, self._take, since_s=SINCE_S)
                await self._follower.start()
                self._telling = asyncio.create_task(self._tell_on())

    async def remove(self, outbox: Outbox) -> None:
        """Nobody watches any more: nothing is read any more."""
        async with self._starting:
            self._outboxes.discard(outbox)
            if not self._outboxes:
                await self._stop()

    async def close(self) -> None:
        async with self._starting:
            await self._stop()

    async def _stop(self) -> None:
        self._trips.unwatch(self._told)
        if self._telling is not None:
            self._telling.cancel()
        if self._follower is not None:
            await self._follower.close()
        self._follower = self._telling = None
        self._moved.clear()

    def _take(self, messages: Sequence[Message]) -> None:
        for message in messages:
            try:
                found = _positions.decode(message.value or b"[]")
            except msgspec.DecodeError:
                continue
            for position in found if isinstance(found, list) else (found,):
                self._moved[position.device] = position

    async def _tell_on(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            moved, self._moved = self._moved, {}
            if not moved:
                continue
            walkers = [
                {"walker": self.name_of(one.device), "ts": one.ts, "lat": one.lat, "lon": one.lon}
                for one in list(moved.values())[-MOST_WALKERS:]
            ]
            self._send(b"event: positions\ndata: %b\n\n" % orjson.dumps({"walkers": walkers}))

    def _told(self, device: str, event: Event) -> None:
        self._send(self._update(device, event, event.record))

    def _update(self, device: str, event: Event, record: bytes) -> bytes:
        told = orjson.loads(record)
        del told["device"]
        data = orjson.dumps({"walker": self.name_of(device)} | told)
        return b"event: update\nid: %b\ndata: %b\n\n" % (event.id.encode(), data)

    def _send(self, message: bytes) -> None:
        for outbox in self._outboxes:
            outbox.put(message)


WATCH = web.AppKey("watch", Watch)


async def watching(app: web.Application) -> AsyncIterator[None]:
    """`app.cleanup_ctx`."""
    gateway = app[GATEWAY]
    watch = app[WATCH] = Watch(gateway.settings, gateway.trips)
    yield
    await watch.close()


async def watch_all(request: web.Request) -> web.StreamResponse:
    must_operate(request)
    gateway_of(request).limits.requests.take(request.remote or "")
    response, outbox, over = await open_events(request)
    watch = request.app[WATCH]
    try:
        with metrics.SUBSCRIBERS.labels("watch").track_inprogress():
            await watch.add(outbox)
            await keep_open(request, outbox, over)
    finally:
        await watch.remove(outbox)
        outbox.close()
    return response


ROUTES = [
    Route(
        "GET", "/v1/watch", watch_all, "Watch everybody, for operators", "operators",
        {
            200: Answer("Events: positions, update", media=EVENT_STREAM),
            401: Answer("The operator's key is needed", Problem),
            403: Answer("Not for you", Problem),
        },
        needs_token=False,
    )
]  # fmt: skip
