"""The HTTP routes of planning by request: our own, OSRM's, Valhalla's, and the document of all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, TypeVar

import msgspec
import orjson
from aiohttp import web

from gateway.context import GATEWAY
from gateway.errors import Refused
from gateway.identity import device_of
from gateway.openapi import Answer, Problem, Route
from gateway.planning.pool import PlannerPool
from gateway.planning.requests import Directions, Isochrone, Propose, RoutesBody
from gateway.planning.wire import (
    IsochroneQuery,
    OsrmPath,
    OsrmQuery,
    ValhallaBody,
    osrm_directions,
    valhalla_directions,
)
from geo.errors import BadInput, NoCandidate, NoRoute

PLANNERS = web.AppKey("planners", PlannerPool)
T = TypeVar("T")


async def planners(app: web.Application) -> AsyncIterator[None]:
    """The planner processes live as long as the application (`app.cleanup_ctx`)."""
    pool = app[PLANNERS] = PlannerPool(app[GATEWAY].settings)
    await pool.start()
    yield
    await pool.close()


async def propose(request: web.Request, body: bytes) -> web.Response:
    """Proposals for the wish in the body of POST /v1/routes, which has `propose`."""
    await device_of(request)
    wish = _decoded(body, RoutesBody)
    return _json(await request.app[PLANNERS].ask(Propose(wish)))


async def osrm_route(request: web.Request) -> web.Response:
    """GET /route/v1/foot/{coordinates}."""
    await device_of(request, token_in_query=True)
    try:
        query = msgspec.convert(dict(request.query), OsrmQuery)
    except msgspec.ValidationError as error:
        return _osrm_problem("InvalidOptions", _sentence(error))
    try:
        asked = osrm_directions(request.match_info["coordinates"], query)
    except BadInput as error:
        return _osrm_problem("InvalidQuery", str(error))
    return await _directions(request, asked)


async def valhalla_route(request: web.Request) -> web.Response:
    """POST /route, format=osrm."""
    await device_of(request)
    try:
        asked = valhalla_directions(_decoded(await request.read(), ValhallaBody))
    except Refused as error:
        return _osrm_problem("InvalidValue", str(error))
    return await _directions(request, asked)


async def isochrone(request: web.Request) -> web.Response:
    """GET /v1/isochrone."""
    await device_of(request)
    try:
        query = msgspec.convert(dict(request.query), IsochroneQuery, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(_sentence(error)) from error
    return _json(
        await request.app[PLANNERS].ask(Isochrone(query.lat, query.lon, query.duration_s)),
        "application/geo+json",
    )


async def _directions(request: web.Request, asked: Directions) -> web.Response:
    try:
        return _json(await request.app[PLANNERS].ask(asked))
    except NoRoute as error:
        return _osrm_problem("NoRoute", str(error))
    except NoCandidate as error:
        return _osrm_problem("NoSegment", str(error))
    except BadInput as error:
        return _osrm_problem("InvalidValue", str(error))


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    """What msgspec says of a value, which names the place in the body."""
    said = str(error)
    return f"{said[:1].lower()}{said[1:]}"


def _json(body: bytes, media: str = "application/json") -> web.Response:
    return web.Response(body=body, content_type=media)


def _osrm_problem(code: str, message: str) -> web.Response:
    return web.Response(
        status=400,
        body=orjson.dumps({"code": code, "message": message}),
        content_type="application/json",
    )


class OsrmWaypoint(msgspec.Struct):
    """Where on the streets a place lies; distance: metres from what was asked for."""

    location: list[float]
    name: str
    distance: float


class OsrmRoutes(msgspec.Struct):
    """https://project-osrm.org/docs/v5.24.0/api/#route-service, with instructions to speak and to show."""

    code: Literal["Ok"]
    routes: list[dict[str, Any]]
    waypoints: list[OsrmWaypoint]


class OsrmProblem(msgspec.Struct):
    """Why there is no route."""

    code: Literal["InvalidOptions", "InvalidQuery", "InvalidValue", "NoRoute", "NoSegment"]
    message: str


class FeatureCollection(msgspec.Struct):
    """GeoJSON (RFC 7946)."""

    type: Literal["FeatureCollection"]
    features: list[dict[str, Any]]


_OSRM_ANSWERS = {
    200: Answer("The best way, and alternatives to it", OsrmRoutes),
    400: Answer("No such route, or one that cannot be understood", OsrmProblem),
}

ROUTES = [
    Route(
        "GET", "/route/v1/foot/{coordinates}", osrm_route, "A way on foot, as OSRM answers", "planning",
        _OSRM_ANSWERS, query=OsrmQuery, path_values=OsrmPath,
    ),
    Route(
        "POST", "/route", valhalla_route, "A way on foot, as Valhalla answers with format=osrm", "planning",
        _OSRM_ANSWERS, body=ValhallaBody,
    ),
    Route(
        "GET", "/v1/isochrone", isochrone, "The ground that can be walked to", "planning",
        {
            200: Answer("A polygon", FeatureCollection, "application/geo+json"),
            422: Answer("No street there", Problem),
        },
        query=IsochroneQuery,
    ),
]  # fmt: skip
