"""Registering a device, renewing its token, its key."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.context import gateway_of
from gateway.identity import device_of
from gateway.middleware import answer
from gateway.openapi import Answer, Route

Expires = Annotated[float, Meta(description="Seconds since the epoch")]
DeviceKey = Annotated[str, Meta(description="Long-lived and secret: shown once")]


class Registered(msgspec.Struct):
    """A new device."""

    device: str
    token: str
    token_expires: Expires
    key: DeviceKey


class Renewed(msgspec.Struct):
    """Another token."""

    token: str
    token_expires: Expires


class NewKey(msgspec.Struct):
    """Another key; the one before is no longer good."""

    key: DeviceKey


async def register(request: web.Request) -> web.Response:
    gateway = gateway_of(request)
    gateway.limits.registrations.take(request.remote or "")
    device, key = await gateway.devices.register()
    return answer(Registered(device, *gateway.tokens.sign(device), key), 201)


async def renew_token(request: web.Request) -> web.Response:
    return answer(Renewed(*gateway_of(request).tokens.sign(await device_of(request))))


async def new_key(request: web.Request) -> web.Response:
    return answer(NewKey(await gateway_of(request).devices.new_key(await device_of(request))), 201)


async def revoke_key(request: web.Request) -> web.Response:
    await gateway_of(request).devices.revoke_key(await device_of(request))
    return web.Response(status=204)


ROUTES = [
    Route(
        "POST", "/v1/devices", register, "Register a device", "devices",
        {201: Answer("Registered", Registered)}, needs_token=False,
    ),
    Route(
        "POST", "/v1/devices/token", renew_token, "Another token, for the key or a good token", "devices",
        {200: Answer("The token", Renewed)},
    ),
    Route(
        "POST", "/v1/devices/key", new_key, "Another key; the one before is no longer good", "devices",
        {201: Answer("The key", NewKey)},
    ),
    Route(
        "DELETE", "/v1/devices/key", revoke_key, "The key is no longer good", "devices",
        {204: Answer("Revoked")},
    ),
]  # fmt: skip
