"""Publishing fixes over HTTP, in our own form and in those of the apps that people have.

An app sends again what is not answered as it expects. So a fix that can never be used (a day old, say) is
counted and answered like the others; only what is no message at all is refused.
"""

from __future__ import annotations

import time
from typing import Annotated
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.context import gateway_of
from gateway.fixes import Checked, Fix, Rejected, fixes_in
from gateway.identity import device_of
from gateway.middleware import answer
from gateway.openapi import Answer, Route
from gateway.phone_formats import osmand_fixes, overland_fixes, owntracks_fixes
from gateway.publish import publish_fixes


class Accepted(msgspec.Struct):
    """How many fixes Kafka has, and which were refused."""

    accepted: Annotated[int, Meta(ge=0)]
    rejected: list[Rejected]


class NoneAccepted(Accepted):
    """Not one of the fixes can be used."""

    error: str


class OverlandAnswer(msgspec.Struct):
    """What Overland waits for before it forgets a batch."""

    result: str


class OsmAndQuery(msgspec.Struct):
    """One position, as OsmAnd and Traccar Client put it into a query."""

    lat: str | None = None
    lon: str | None = None
    location: Annotated[str | None, Meta(description="lat,lon in one")] = None
    timestamp: Annotated[str | None, Meta(description="Seconds, milliseconds or ISO 8601")] = None
    speed: Annotated[str | None, Meta(description="Knots")] = None
    bearing: str | None = None
    altitude: str | None = None
    accuracy: str | None = None
    batt: str | None = None


async def publish(request: web.Request) -> web.Response:
    device = await device_of(request)
    checked = fixes_in(await request.read(), time.time())
    await _send(request, device, checked, "fixes")
    if checked.rejected and not checked.good:
        error = f"no fix can be used: {checked.rejected[0].error}"
        return answer(NoneAccepted(0, checked.rejected, error), 422)
    return answer(Accepted(len(checked.good), checked.rejected), 202)


async def owntracks(request: web.Request) -> web.Response:
    device = await device_of(request)
    await _send(request, device, owntracks_fixes(await request.read(), time.time()), "owntracks")
    return answer([])


async def overland(request: web.Request) -> web.Response:
    device = await device_of(request)
    await _send(request, device, overland_fixes(await request.read(), time.time()), "overland")
    return answer(OverlandAnswer("ok"))


async def osmand(request: web.Request) -> web.Response:
    device = await device_of(request)
    body = await request.read()
    query = dict(request.query)
    if request.content_type == "application/x-www-form-urlencoded":
        query |= dict(parse_qsl(body.decode(errors="replace")))
    await _send(request, device, osmand_fixes(query, body, time.time()), "osmand")
    return web.Response()


async def osmand_post(request: web.Request) -> web.Response:
    return await osmand(request)


async def _send(request: web.Request, device: str, checked: Checked, form: str) -> None:
    await publish_fixes(gateway_of(request), device, checked.good, len(checked.rejected), form)


ROUTES = [
    Route(
        "POST", "/v1/fixes", publish, "Publish one fix, an array of them, or one a line", "publish",
        {202: Answer("Kafka has the accepted ones", Accepted), 422: Answer("None can be used", NoneAccepted)},
        body=Fix | list[Fix],
        body_media=("application/json", "application/x-ndjson"),
    ),
    Route(
        "POST", "/v1/owntracks", owntracks, "Publish as OwnTracks does (HTTP mode)", "publish",
        {200: Answer("Taken", list[str])}, body=dict, body_required=False,
    ),
    Route(
        "POST", "/v1/overland", overland, "Publish as Overland does", "publish",
        {200: Answer("Taken", OverlandAnswer)}, body=dict,
    ),
    Route(
        "GET", "/v1/osmand", osmand, "Publish as OsmAnd does", "publish", {200: Answer("Taken")},
        query=OsmAndQuery,
    ),
    Route(
        "POST", "/v1/osmand", osmand_post, "Publish as Traccar Client does", "publish",
        {200: Answer("Taken")}, query=OsmAndQuery, body=dict, body_required=False,
    ),
]  # fmt: skip
