"""Around every request: errors as JSON, security headers, requests from pages elsewhere, counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from gateway import metrics
from gateway.context import gateway_of
from gateway.errors import Refused
from geo.errors import BadInput, FlaneurError, NoCandidate, NoRoute, Unavailable

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RETRY_AFTER_S = 2

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), screen-wake-lock=(self), camera=(), microphone=()",
    # MapLibre makes its worker from a blob; nothing outside of this server is ever contacted
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline';"
        " worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
}


def answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json", headers=headers
    )


def error_answer(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error as this service tells them."""
    return answer({"error": text}, status, headers)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into an answer of one sentence."""
    try:
        return await handler(request)
    except Refused as refused:
        return error_answer(refused.status, str(refused), refused.headers())
    except Unavailable as error:
        return error_answer(503, str(error), {"Retry-After": str(RETRY_AFTER_S)})
    except (NoRoute, NoCandidate, BadInput) as error:
        return error_answer(422, str(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        return error_answer(error.status, _sentence(error), kept)
    except FlaneurError as error:
        return error_answer(500, str(error))
    except Exception:
        log.exception("%s %s failed", request.method, route_of(request))
        return error_answer(500, "something went wrong here, not with what was asked")


def _sentence(error: web.HTTPException) -> str:
    if error.status == 404:
        return "there is nothing at this address"
    if error.status == 405:
        return "this address does not take that method"
    if error.status == 413:
        return "the body is larger than is taken"
    return error.reason


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count requests and time by route; never by what is in them."""
    started = time.perf_counter()
    response = await handler(request)
    route = route_of(request)
    metrics.REQUESTS.labels(request.method, route, str(response.status)).inc()
    if not _stays_open(response):
        metrics.REQUEST_SECONDS.labels(route).observe(time.perf_counter() - started)
    return response


def _stays_open(response: web.StreamResponse) -> bool:
    return isinstance(response, web.WebSocketResponse) or response.content_type == "text/event-stream"


def route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "none" if resource is None else resource.canonical


@web.middleware
async def across_origins(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let pages of the origins that are set ask as well; by default no page from elsewhere may."""
    origin = request.headers.get("Origin", "")
    allowed = gateway_of(request).settings.gateway_origins
    if not origin or origin not in [one.strip() for one in allowed.split(",")]:
        return await handler(request)
    headers = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        headers |= {
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
            "Access-Control-Max-Age": "3600",
        }
        return web.Response(status=204, headers=headers)
    request["headers"] = headers
    return await handler(request)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer, also those that are streamed."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith("/v1/"):
        response.headers.setdefault("Cache-Control", "no-store")
    if request.secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    for name, value in request.get("headers", {}).items():
        response.headers[name] = value
    response.headers.pop("Server", None)


MIDDLEWARES = (counted, across_origins, errors)
