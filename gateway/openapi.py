"""The table of routes, and the OpenAPI 3.1 document that is made from it and from the schemas themselves.

A part of the gateway says what it answers as a list of `Route`; the application adds their handlers, and
`/openapi.json` is the same list in the form of https://spec.openapis.org/oas/v3.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from aiohttp import web

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON = "application/json"
SCHEMAS = "#/components/schemas/{name}"
_PATTERN = re.compile(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")


class Problem(msgspec.Struct):
    """What went wrong, in one sentence."""

    error: str


@dataclass(frozen=True)
class Answer:
    """One answer of a route: its schema, or None for an answer that has no JSON."""

    description: str
    schema: Any = None
    media: str = JSON


@dataclass(frozen=True)
class Route:
    """One method of one path, as it is served and as it is told of.

    path: as aiohttp has it; a name may have a pattern, `{coordinates:.+}`.
    query, path_values, body: msgspec types; a query's and a path's are structs with a field a parameter.
    answers: by status; those that every route has (`COMMON_ANSWERS`) need not be given.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handler: Handler
    summary: str
    tag: str
    answers: Mapping[int, Answer] = field(default_factory=dict)
    query: Any = None
    path_values: Any = None
    body: Any = None
    body_media: tuple[str, ...] = (JSON,)
    body_required: bool = True
    needs_token: bool = True


COMMON_ANSWERS: Mapping[int, Answer] = {
    400: Answer("What was sent cannot be understood", Problem),
    429: Answer("Too much at once; Retry-After says when to come again", Problem),
    503: Answer("Cannot be answered now; Retry-After says when to come again", Problem),
}
TOKEN_ANSWERS: Mapping[int, Answer] = {401: Answer("No token, or one that is not good (any more)", Problem)}
BODY_ANSWERS: Mapping[int, Answer] = {413: Answer("More than a request may hold", Problem)}
SECURITY: Json = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "device_key": {"type": "http", "scheme": "basic"},
    "query_key": {"type": "apiKey", "in": "query", "name": "key"},
}


def add_routes(app: web.Application, routes: Iterable[Route]) -> None:
    """Serve them."""
    for route in routes:
        app.router.add_route(route.method, route.path, route.handler)


DOCUMENT = web.AppKey("document", bytes)


async def openapi(request: web.Request) -> web.Response:
    """GET /openapi.json."""
    return web.Response(body=request.app[DOCUMENT], content_type=JSON)


def add_document(app: web.Application, routes: Iterable[Route], *, version: str) -> None:
    """Serve the document of these routes, and of the one that it stands at."""
    own = Route(
        "GET", "/openapi.json", openapi, "This document", "service",
        {200: Answer("OpenAPI 3.1", dict[str, Any])}, needs_token=False,
    )  # fmt: skip
    add_routes(app, [own])
    app[DOCUMENT] = msgspec.json.encode(document([*routes, own], version=version))


def document(routes: Iterable[Route], *, version: str) -> Json:
    """The OpenAPI document of these routes, ready for JSON."""
    listed = list(routes)
    schemas = _Schemas(listed)
    paths: dict[str, Json] = {}
    for route in listed:
        path = _PATTERN.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Flaneur", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": SECURITY},
    }


class _Schemas:
    """The schema of every type that a route names."""

    def __init__(self, routes: Iterable[Route]) -> None:
        types: list[Any] = [Problem]
        for route in routes:
            types += [kind for kind in (route.query, route.path_values, route.body) if kind is not None]
            types += [answer.schema for answer in route.answers.values() if answer.schema is not None]
        self._types: list[Any] = []
        for kind in types:
            if kind not in self._types:
                self._types.append(kind)
        self._made, self.components = msgspec.json.schema_components(self._types, ref_template=SCHEMAS)

    def of(self, kind: Any) -> Json:
        return dict(self._made[self._types.index(kind)])

    def fields(self, kind: Any) -> tuple[Json, list[str]]:
        """The properties of a struct, and which of them must be there."""
        schema = self.of(kind)
        while "$ref" in schema:
            schema = self.components[schema["$ref"].rsplit("/", 1)[1]]
        return schema["properties"], schema.get("required", [])


def _operation(route: Route, path: str, schemas: _Schemas) -> Json:
    names = re.findall(r"\{(\w+)\}", path)
    operation: Json = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": _parameters(route, names, schemas),
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": route.body_required,
            "content": {media: {"schema": schemas.of(route.body)} for media in route.body_media},
        }
    if route.needs_token:
        operation["security"] = [{name: []} for name in SECURITY]
    return operation


def _parameters(route: Route, names: list[str], schemas: _Schemas) -> list[Json]:
    given = {} if route.path_values is None else schemas.fields(route.path_values)[0]
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": given.get(name, {"type": "string"})}
        for name in names
    ]
    if route.query is not None:
        properties, required = schemas.fields(route.query)
        found += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in properties.items()
        ]
    return found


def _responses(route: Route, schemas: _Schemas) -> Json:
    answers = dict(COMMON_ANSWERS)
    if route.needs_token:
        answers.update(TOKEN_ANSWERS)
    if route.body is not None:
        answers.update(BODY_ANSWERS)
    answers.update(route.answers)
    found: Json = {}
    for status, answer in sorted(answers.items()):
        found[str(status)] = {"description": answer.description}
        if answer.schema is not None:
            found[str(status)]["content"] = {answer.media: {"schema": schemas.of(answer.schema)}}
        elif answer.media != JSON:
            found[str(status)]["content"] = {answer.media: {}}
    return found
