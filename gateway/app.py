"""The aiohttp application: what all requests share, and the routes of every part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.metadata import version

from aiohttp import web

from gateway import broker_watch, device_routes, fix_routes, health, stream, trip_routes, updates, watch
from gateway import web as web_app
from gateway.context import GATEWAY, Gateway
from gateway.devices import Devices
from gateway.limits import Limits
from gateway.map import routes as map_routes
from gateway.middleware import MIDDLEWARES, add_headers
from gateway.openapi import Route, add_document, add_routes
from gateway.planning import routes as planning_routes
from gateway.producer import Producer
from gateway.tokens import Tokens
from gateway.traces import traced
from gateway.trips import Trips
from streams.settings import Settings
from streams.telemetry import tracing

#: Those of every part but the map, which adds its own.
ROUTES: list[Route] = [
    *health.ROUTES,
    *device_routes.ROUTES,
    *fix_routes.ROUTES,
    *stream.ROUTES,
    *updates.ROUTES,
    *trip_routes.ROUTES,
    *watch.ROUTES,
    *planning_routes.ROUTES,
]


async def make_app(settings: Settings) -> web.Application:
    """The application of one process; raises BadInput for settings, and Unavailable once started."""
    tokens = Tokens(settings)
    producer = Producer(settings)
    trips = Trips(settings)
    devices = Devices(settings, producer, trips.forget)
    middlewares = (traced, *MIDDLEWARES) if tracing.on() else MIDDLEWARES
    app = web.Application(middlewares=middlewares, client_max_size=settings.gateway_max_body_bytes)
    app[GATEWAY] = Gateway(settings, producer, devices, tokens, Limits(settings), trips)
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(_connected)
    app.cleanup_ctx.append(broker_watch.asking)
    app.on_shutdown.append(_end_open)
    app.cleanup_ctx.append(watch.watching)
    app.cleanup_ctx.append(planning_routes.planners)
    add_routes(app, ROUTES)
    map_routes.routes(app)
    web_app.routes(app)
    add_document(app, [*ROUTES, *map_routes.ROUTES], version=version("flaneur"))
    return app


async def _end_open(app: web.Application) -> None:
    """Those who follow are told to come again, elsewhere perhaps."""
    for end in tuple(app[GATEWAY].open):
        end()


async def _connected(app: web.Application) -> AsyncIterator[None]:
    gateway = app[GATEWAY]
    await gateway.devices.start()
    await gateway.trips.start()
    yield
    await gateway.trips.close()
    await gateway.devices.close()
    await gateway.producer.close()
