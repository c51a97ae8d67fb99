"""The aiohttp application: what all requests share, and the routes of every part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from aiohttp import web

from gateway import device_routes, fix_routes, health, stream, trip_routes, updates
from gateway.context import GATEWAY, Gateway
from gateway.devices import Devices
from gateway.limits import Limits
from gateway.map import routes as map_routes
from gateway.middleware import MIDDLEWARES, add_headers
from gateway.openapi import Route, add_routes
from gateway.producer import Producer
from gateway.tokens import Tokens
from gateway.trips import Trips
from streams.settings import Settings

#: What /openapi.json tells of.
ROUTES: list[Route] = [
    *health.ROUTES,
    *device_routes.ROUTES,
    *fix_routes.ROUTES,
    *stream.ROUTES,
    *updates.ROUTES,
    *trip_routes.ROUTES,
]
#: Parts that add their routes themselves, and what they keep while the process lives (`app.cleanup_ctx`).
PARTS: tuple[Callable[[web.Application], None], ...] = (map_routes.routes,)


async def make_app(settings: Settings) -> web.Application:
    """The application of one process; raises BadInput for settings, and Unavailable once started."""
    tokens = Tokens(settings)
    producer = Producer(settings)
    trips = Trips(settings)
    devices = Devices(settings, producer, trips.forget)
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=settings.gateway_max_body_bytes)
    app[GATEWAY] = Gateway(settings, producer, devices, tokens, Limits(settings), trips)
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(_connected)
    add_routes(app, ROUTES)
    for routes in PARTS:
        routes(app)
    return app


async def _connected(app: web.Application) -> AsyncIterator[None]:
    gateway = app[GATEWAY]
    await gateway.devices.start()
    await gateway.trips.start()
    yield
    await gateway.trips.close()
    await gateway.devices.close()
    await gateway.producer.close()
