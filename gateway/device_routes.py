"""Registering a device, renewing its token, its key."""

from __future__ import annotations

from aiohttp import web

from gateway.context import gateway_of
from gateway.identity import device_of
from gateway.middleware import answer


def routes(app: web.Application) -> None:
    app.router.add_post("/v1/devices", _register)
    app.router.add_post("/v1/devices/token", _renew)
    app.router.add_post("/v1/devices/key", _new_key)
    app.router.add_delete("/v1/devices/key", _revoke_key)


async def _register(request: web.Request) -> web.Response:
    gateway = gateway_of(request)
    gateway.limits.registrations.take(request.remote or "")
    device, key = await gateway.devices.register()
    token, expires = gateway.tokens.sign(device)
    return answer({"device": device, "token": token, "token_expires": expires, "key": key}, 201)


async def _renew(request: web.Request) -> web.Response:
    """With the device's key, or with a token that is still good."""
    token, expires = gateway_of(request).tokens.sign(await device_of(request))
    return answer({"token": token, "token_expires": expires})


async def _new_key(request: web.Request) -> web.Response:
    return answer({"key": await gateway_of(request).devices.new_key(await device_of(request))}, 201)


async def _revoke_key(request: web.Request) -> web.Response:
    await gateway_of(request).devices.revoke_key(await device_of(request))
    return web.Response(status=204)
