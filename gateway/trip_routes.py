"""Asking for a route, reading it, rating it, ending it; and being forgotten."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.context import Gateway, gateway_of
from gateway.errors import Conflict, Invalid, NotFound, Refused
from gateway.identity import device_of
from gateway.middleware import answer
from gateway.openapi import Answer, Problem, Route
from gateway.planning.requests import RoutesBody
from gateway.planning.routes import propose
from gateway.producer import Placed
from gateway.route_answer import route_answer
from gateway.updates import NO_SUCH_TRIP
from geo.errors import BadRecord
from geo.routing.costs import FACTOR_NAMES
from models.records import MAX_PROPOSAL_BYTES, Rating, RouteRequest, encode
from streams.kafka.topics import RATINGS, ROUTE_REQUESTS

BEGINS_WITHIN_S = 5.0


class Started(msgspec.Struct):
    """A trip that was asked for; its first update says how it goes."""

    trip: str
    request: str


class RatingBody(msgspec.Struct):
    """What a walker thinks of a proposal, or of the route under way (its trip's id)."""

    proposal: Annotated[str, Meta(min_length=1, max_length=MAX_PROPOSAL_BYTES)]
    verdict: Literal["like", "dislike"] | Annotated[int, Meta(ge=1, le=5)]
    reason: Annotated[str, Meta(max_length=250)] | None = None
    ts: Annotated[float, Meta(gt=0, lt=1e11)] | None = None


class TripQuery(msgspec.Struct):
    """In which language to instruct."""

    language: Annotated[str, Meta(min_length=2, max_length=35)] = "en"


class Taken(msgspec.Struct):
    """It was taken, and will be done."""

    status: str = "accepted"


async def routes(request: web.Request) -> web.Response:
    body = await request.read()
    wish = _decoded(body, RoutesBody)
    if wish.propose is not None:
        return await propose(request, body)
    device = await device_of(request)
    if unknown := [name for name in wish.taste or {} if name not in FACTOR_NAMES]:
        raise Invalid(f"{unknown[0]!r} is no factor of taste: it must be one of {', '.join(FACTOR_NAMES)}")
    name = secrets.token_urlsafe(9)
    fields = [field for field in wish.__struct_fields__ if field not in NOT_SENT]
    given = {field: value for field in fields if (value := getattr(wish, field)) is not None}
    record = RouteRequest(device=device, request=name, ts=time.time(), **given)
    partition, offset = await _send(gateway_of(request), ROUTE_REQUESTS, device, record)
    return answer(Started(f"{partition}-{offset}", name), 202)


async def trip(request: web.Request) -> web.Response:
    device = await device_of(request)
    gateway = gateway_of(request)
    found = await gateway.trips.wait_for(device, request.match_info["trip"], BEGINS_WITHIN_S)
    if found is None:
        raise NotFound(NO_SUCH_TRIP)
    language = request.query.get("language", "en")
    return answer(await asyncio.to_thread(route_answer, found, gateway.settings.graph_dir, language))


async def end_trip(request: web.Request) -> web.Response:
    device = await device_of(request)
    gateway = gateway_of(request)
    found = await gateway.trips.wait_for(device, request.match_info["trip"], BEGINS_WITHIN_S)
    if found is None:
        raise NotFound(NO_SUCH_TRIP)
    if found is not gateway.trips.current(device):
        raise Conflict("the trip has ended already")
    await _send_kind(gateway, device, "stop")
    return answer(Taken(), 202)


async def rate(request: web.Request) -> web.Response:
    device = await device_of(request)
    body = _decoded(await request.read(), RatingBody)
    record = Rating(
        device=device, proposal=body.proposal, ts=body.ts or time.time(), verdict=body.verdict,
        reason=body.reason,
    )  # fmt: skip
    await _send(gateway_of(request), RATINGS, device, record)
    return answer(Taken(), 202)


async def erase_me(request: web.Request) -> web.Response:
    device = await device_of(request)
    gateway = gateway_of(request)
    await _send_kind(gateway, device, "erase")
    await gateway.devices.erase(device)  # last: whoever was told of an error can ask again
    return answer(Taken(), 202)


async def _send_kind(gateway: Gateway, device: str, kind: str) -> None:
    record = RouteRequest(device=device, request=secrets.token_urlsafe(9), ts=time.time(), kind=kind)
    await _send(gateway, ROUTE_REQUESTS, device, record)


async def _send(gateway: Gateway, topic: str, device: str, record: Any) -> Placed:
    try:
        value = encode(record)
    except BadRecord as error:
        raise Invalid(str(error)) from error
    return await gateway.producer.send(topic, device.encode(), value)


def _decoded(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)) from error
    except msgspec.DecodeError as error:
        raise Refused(f"the body is no JSON: {error}") from error


NOT_SENT = frozenset({"propose", "avoid"})
NO_TRIP = Answer(NO_SUCH_TRIP, Problem)
MAKES_NO_SENSE = Answer("A value makes no sense", Problem)

ROUTES = [
    Route(
        "POST", "/v1/routes", routes, "Start a trip, or (propose) only ask for routes", "routes",
        {202: Answer("The trip begins", Started), 422: MAKES_NO_SENSE},
        body=RoutesBody,
    ),
    Route(
        "GET", "/v1/trips/{trip}", trip, "The route that lies ahead, as OSRM route JSON", "routes",
        {200: Answer("The route", dict), 404: NO_TRIP},
        query=TripQuery,
    ),
    Route(
        "DELETE", "/v1/trips/{trip}", end_trip, "End a trip", "routes",
        {202: Answer("It will end", Taken), 404: NO_TRIP, 409: Answer("It has ended", Problem)},
    ),
    Route(
        "POST", "/v1/ratings", rate, "Say what a proposal, or the route under way, is like", "routes",
        {202: Answer("Taken", Taken), 422: MAKES_NO_SENSE},
        body=RatingBody,
    ),
    Route(
        "DELETE", "/v1/me", erase_me, "Erase all that is known of the device", "devices",
        {202: Answer("It will be erased", Taken)},
    ),
]  # fmt: skip
