"""Where the gateway begins traces, and where it ends those that led to an update."""

from __future__ import annotations

import time

from aiohttp import web

from gateway.middleware import Handler, route_of
from gateway.outbox import Written
from gateway.trips import LIVE_S, Event
from streams.telemetry import tracing

STAY_OPEN = frozenset(
    {"/v1/stream", "/v1/trips/{trip}/updates", "/v1/watch"}
)  # what comes in is traced singly


@web.middleware
async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A span around a request that is sampled; outermost, and there only where tracing is on."""
    route = route_of(request)
    if route in STAY_OPEN:
        return await handler(request)
    with tracing.request(request.headers.get(tracing.TRACEPARENT), f"{request.method} {route}") as span:
        response = await handler(request)
        if span is not None:
            span.set_attribute("http.request.method", request.method)
            span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                tracing.failed(span)
        return response


def handing_on(event: Event, to: str) -> Written:
    """To be called once an update is written to a subscriber; None if no trace led to it, or it is old."""
    if event.context is None or time.time() - event.at_s > LIVE_S:
        return None
    about = {"flaneur.subscriber": to, "messaging.kafka.offset": event.offset}
    span = tracing.begin("route-updates hand on", "CONSUMER", event.context, about)
    return None if span is None else span.end
