"""Who asks: the device of a token, or of a key for apps that know only Basic auth or a query."""

from __future__ import annotations

import base64
import binascii
import hmac

from aiohttp import web

from gateway.context import gateway_of
from gateway.errors import NotAllowed, NotSignedIn


async def device_of(request: web.Request, *, token_in_query: bool = False) -> str:
    """The device that asks; raises NotSignedIn, and TooMany if it asks too often.

    token_in_query: also take `?token=`, for EventSource and WebSocket of a browser, which cannot set headers.
    """
    device = await _signed_in(request, token_in_query)
    gateway_of(request).limits.requests.take(device)
    return device


async def _signed_in(request: web.Request, token_in_query: bool) -> str:
    gateway = gateway_of(request)
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    token = given.strip() if scheme.lower() == "bearer" else ""
    if not token and token_in_query:
        token = request.query.get("token", "")
    if token.count(".") == 2:
        device = gateway.tokens.device(token)
        if device is not None and await gateway.devices.exists(device):
            return device
        raise NotSignedIn("the token is not good or has expired: get another at /v1/devices/token")
    user, key = _basic(given) if scheme.lower() == "basic" else (None, token or request.query.get("key", ""))
    device = key.partition(".")[0]
    if device and user in (None, device) and await gateway.devices.has_key(device, key):
        return device
    raise NotSignedIn("sign in with a token (Authorization: Bearer), or with the device's key")


def _basic(given: str) -> tuple[str | None, str]:
    """User and password."""
    try:
        user, _, password = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def must_operate(request: web.Request) -> None:
    """Raises NotSignedIn or NotAllowed unless an operator asks (or it is a demo)."""
    settings = gateway_of(request).settings
    if settings.gateway_demo:
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    key = given.strip() if scheme.lower() == "bearer" else request.query.get("token", "")
    if not key:
        raise NotSignedIn("this is for operators: give the operator's key")
    wanted = settings.gateway_operator_key
    if not wanted or not hmac.compare_digest(key.encode(), wanted.encode()):
        raise NotAllowed("this is for operators")
