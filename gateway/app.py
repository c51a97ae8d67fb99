"""The aiohttp application: what all requests share, and the routes of every part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from aiohttp import web

from gateway import device_routes, fix_routes, health
from gateway.context import GATEWAY, Gateway
from gateway.devices import Devices
from gateway.limits import Limits
from gateway.map import routes as map_routes
from gateway.middleware import MIDDLEWARES, add_headers
from gateway.producer import Producer
from gateway.tokens import Tokens
from streams.settings import Settings

#: Each part adds its routes, and what it keeps while the process lives (`app.cleanup_ctx`).
PARTS: tuple[Callable[[web.Application], None], ...] = (
    health.routes,
    device_routes.routes,
    fix_routes.routes,
    map_routes.routes,
)


async def make_app(settings: Settings) -> web.Application:
    """The application of one process; raises BadInput for settings, and Unavailable once started."""
    tokens = Tokens(settings)
    producer = Producer(settings)
    devices = Devices(settings, producer)
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=settings.gateway_max_body_bytes)
    app[GATEWAY] = Gateway(settings, producer, devices, tokens, Limits(settings))
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(_connected)
    for routes in PARTS:
        routes(app)
    return app


async def _connected(app: web.Application) -> AsyncIterator[None]:
    gateway = app[GATEWAY]
    await gateway.devices.start()
    yield
    await gateway.devices.close()
    await gateway.producer.close()
