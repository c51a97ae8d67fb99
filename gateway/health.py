"""Whether the process lives, whether it is ready, and what it tells Prometheus."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway import metrics
from gateway.context import gateway_of
from gateway.middleware import answer


def routes(app: web.Application) -> None:
    app.router.add_get("/healthz", _lives)
    app.router.add_get("/readyz", _is_ready)
    app.router.add_get("/metrics", _metrics)


async def _lives(request: web.Request) -> web.Response:
    return answer({"status": "ok"})


async def _is_ready(request: web.Request) -> web.Response:
    # a process that answers has read its topics: see `gateway.app`
    return answer({"status": "ok"})


async def _metrics(request: web.Request) -> web.Response:
    metrics.DEVICES.set(len(gateway_of(request).devices))
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
