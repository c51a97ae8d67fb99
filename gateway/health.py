"""Whether the process lives, whether it is ready, and what it tells Prometheus."""

from __future__ import annotations

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway import metrics
from gateway.context import gateway_of
from gateway.middleware import answer
from gateway.openapi import Answer, Route
from gateway.planning.routes import PLANNERS


class Health(msgspec.Struct):
    """That the process answers, and whether it plans as well."""

    status: str
    plans: bool


async def lives(request: web.Request) -> web.Response:
    return answer(Health("ok", request.app[PLANNERS].is_ready))


async def is_ready(request: web.Request) -> web.Response:
    # it listens only once it has read its topics (see `gateway.app`); planners may take longer
    return answer(Health("ok", request.app[PLANNERS].is_ready))


async def tell_metrics(request: web.Request) -> web.Response:
    metrics.DEVICES.set(len(gateway_of(request).devices))
    metrics.TRIPS.set(len(gateway_of(request).trips))
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


ROUTES = [
    Route(
        "GET", "/healthz", lives, "Whether the process lives", "operators",
        {200: Answer("It does", Health)}, needs_token=False,
    ),
    Route(
        "GET", "/readyz", is_ready, "Whether it is ready", "operators",
        {200: Answer("It is", Health)}, needs_token=False,
    ),
    Route(
        "GET", "/metrics", tell_metrics, "For Prometheus", "operators",
        {200: Answer("The metrics", media="text/plain")}, needs_token=False,
    ),
]  # fmt: skip
