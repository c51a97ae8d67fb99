"""Following one trip by server-sent events, resumable by `Last-Event-ID`."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web

from gateway import metrics
from gateway.context import gateway_of
from gateway.errors import NotFound
from gateway.identity import device_of
from gateway.openapi import Answer, Problem, Route
from gateway.outbox import Outbox
from gateway.traces import handing_on
from gateway.trips import Event

BEGINS_WITHIN_S = 10.0  # a trip that was just asked for
ALIVE_EVERY_S = 15.0
RETRY_MS = 2_000
EVENT_STREAM = "text/event-stream"


def state_of(event: Event) -> bytes:
    """The last update as a route of its own: what lies ahead, for who has nothing of it yet."""
    record = orjson.loads(event.record)
    record["keep_m"] = 0.0
    return orjson.dumps(record)


def as_sse(record: bytes, event_id: str) -> bytes:
    """One server-sent event."""
    return b"event: update\nid: %b\ndata: %b\n\n" % (event_id.encode(), record)


async def follow_trip(request: web.Request) -> web.StreamResponse:
    gateway = gateway_of(request)
    device = await device_of(request, token_in_query=True)
    name = request.match_info["trip"]
    trip = await gateway.trips.wait_for(device, name, BEGINS_WITHIN_S)
    if trip is None:
        raise NotFound(NO_SUCH_TRIP)
    last_id = request.headers.get("Last-Event-ID") or request.query.get("last_event_id", "")
    if trip.ended and last_id == trip.last.id:
        return web.Response(status=204)  # tells an EventSource to stop asking
    response, outbox, over = await open_events(request)

    def told(event: Event | None) -> None:
        if event is not None and event.trip == name:
            outbox.put(as_sse(event.record, event.id), handing_on(event, "sse"))
        if event is None or (event.trip == name and event.ended):
            over.set()

    missed = gateway.trips.missed(device, last_id, name) if last_id else None
    if missed is None:
        outbox.put(as_sse(state_of(trip.last), trip.last.id), handing_on(trip.last, "sse"))
    for event in missed or ():
        outbox.put(as_sse(event.record, event.id), handing_on(event, "sse"))
    if trip.ended:
        over.set()
    gateway.trips.listen(device, told)
    try:
        with metrics.SUBSCRIBERS.labels("sse").track_inprogress():
            await keep_open(request, outbox, over)
    finally:
        gateway.trips.unlisten(device, told)
        outbox.close()
    return response


async def open_events(request: web.Request) -> tuple[web.StreamResponse, Outbox, asyncio.Event]:
    """Begin an answer of server-sent events: the answer, what is written to it, and what ends it."""
    response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "X-Accel-Buffering": "no"})
    await response.prepare(request)
    over = asyncio.Event()

    def cut() -> None:
        over.set()
        if request.transport is not None:
            request.transport.abort()

    async def write(message: bytes) -> None:
        await response.write(message)

    outbox = Outbox(write, cut)
    outbox.put(b"retry: %d\n\n" % RETRY_MS)
    return response, outbox, over


async def keep_open(request: web.Request, outbox: Outbox, over: asyncio.Event) -> None:
    """Until it is over or the client has gone; a comment now and then tells both that it is open."""
    gateway_of(request).open.add(over.set)
    try:
        while not outbox.closed:
            try:
                async with asyncio.timeout(ALIVE_EVERY_S):
                    await over.wait()
                await outbox.drained()
                return
            except TimeoutError:
                outbox.put(b":\n\n")
    finally:
        gateway_of(request).open.discard(over.set)


NO_SUCH_TRIP = "there is no such trip of yours"

ROUTES = [
    Route(
        "GET", "/v1/trips/{trip}/updates", follow_trip, "Follow a trip by server-sent events", "follow",
        {
            200: Answer("The route as it is, and every update", media=EVENT_STREAM),
            204: Answer("The trip has ended, and all of it was sent"),
            404: Answer(NO_SUCH_TRIP, Problem),
        },
    )
]  # fmt: skip
