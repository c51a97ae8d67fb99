"""The HTTP routes of the base map: tiles, styles, icons, which areas there are."""

from __future__ import annotations

import gzip
import hashlib
from typing import Annotated, Any, Literal

import msgspec
import orjson
from aiohttp import web
from aiohttp.hdrs import ACCEPT_ENCODING, ETAG, IF_NONE_MATCH
from msgspec import Meta

from gateway.context import GATEWAY
from gateway.errors import Invalid, NotFound, Refused
from gateway.identity import device_of
from gateway.map.archives import Archives, open_archives
from gateway.map.icons import Sprite, sprite
from gateway.map.palette import PALETTES
from gateway.map.places import MAX_LETTERS, Found, PlaceIndexes, Point, open_places
from gateway.map.style import map_style
from gateway.middleware import answer
from gateway.openapi import Answer, Problem, Route, add_routes
from gateway.planning.requests import Lat, Lon
from geo.osm.basemap.places import KIND_WORDS

ARCHIVES = web.AppKey("map_archives", Archives)
PLACES = web.AppKey("map_places", PlaceIndexes)
MVT = "application/vnd.mapbox-vector-tile"
LANGUAGES = ("", "en", "ru")
_A_DAY = "public, max-age=86400"


class Area(msgspec.Struct, frozen=True):
    """A box that has a map; degrees."""

    name: str
    west: float
    south: float
    east: float
    north: float


class StyleName(msgspec.Struct, frozen=True):
    name: Literal["light", "dark"]


class StyleQuery(msgspec.Struct, frozen=True):
    lang: Annotated[Literal["", "en", "ru"], Meta(description="Prefer names in this language")] = ""


class IconsName(msgspec.Struct, frozen=True):
    scale: Literal["", "@2x"]


class Coverage(msgspec.Struct, frozen=True):
    """Which areas are served."""

    areas: list[Area]


class PlacesQuery(msgspec.Struct, frozen=True):
    """What to search; nearer places come first where `lat` and `lon` say from where."""

    q: Annotated[str, Meta(min_length=1, max_length=MAX_LETTERS, description="A name, or a kind of place")]
    lat: Lat | None = None
    lon: Lon | None = None
    limit: Annotated[int, Meta(ge=1, le=50)] = 10

    def __post_init__(self) -> None:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("from where needs both lat and lon")


class PlaceFound(msgspec.Struct, frozen=True):
    """A street, square, park, sight or stop."""

    name: Annotated[str, Meta(description="As on the spot; empty for what has no name, such as toilets")]
    names: Annotated[dict[str, str], Meta(description="By language, en and ru, where they are known")]
    kind: Annotated[str, Meta(description="Such as street, park, cafe or station")]
    words: Annotated[dict[str, str], Meta(description="What the kind is called, in en and ru")]
    lat: float
    lon: float
    distance_m: float | None


class Places(msgspec.Struct, frozen=True):
    """What was found, the best first."""

    places: list[PlaceFound]


async def get_tile(request: web.Request) -> web.Response:
    """A vector tile; 204 where there is nothing on the map, 400 for an address that is none."""
    parts = [request.match_info[name] for name in ("zoom", "x", "y")]
    if not all(part.isascii() and part.isdecimal() and len(part) <= 8 for part in parts):
        raise Refused(f"a tile's address is three whole numbers, zoom/x/y, not {'/'.join(parts)[:40]}")
    zoom, x, y = map(int, parts)
    tile = request.app[ARCHIVES].tile(zoom, x, y)
    if tile is None:
        return web.Response(status=204, headers={"Cache-Control": _A_DAY})
    headers = {ETAG: f'"{tile.etag}"', "Cache-Control": _A_DAY, "Vary": ACCEPT_ENCODING}
    if _is_known(request, tile.etag):
        return web.Response(status=304, headers=headers)
    body = tile.data
    if "gzip" in request.headers.get(ACCEPT_ENCODING, ""):
        headers["Content-Encoding"] = "gzip"
    else:
        body = gzip.decompress(body)
    return web.Response(body=body, content_type=MVT, headers=headers)


async def get_style(request: web.Request) -> web.Response:
    """A MapLibre style; `?lang=en` or `ru` prefers names of places in that language."""
    name, language = request.match_info["name"], request.query.get("lang", "")
    if name not in PALETTES:
        raise NotFound(f"there is no style {name[:40]!r}, only {' and '.join(PALETTES)}")
    if language not in LANGUAGES:
        raise Refused(f"lang is {language[:40]!r}, expected en or ru")
    origin = str(request.url.origin())
    style = map_style(
        name,
        PALETTES[name],
        tiles=f"{origin}/map/tiles/{{z}}/{{x}}/{{y}}.mvt",
        sprite=f"{origin}/map/icons",
        language=language,
    )
    return _kept(request, orjson.dumps(style), "application/json", "no-cache")


async def get_icons_index(request: web.Request) -> web.Response:
    """Where in the picture of all icons each one is."""
    return _kept(request, _icons(request).positions, "application/json", _A_DAY)


async def get_icons_picture(request: web.Request) -> web.Response:
    """The picture of all icons."""
    return _kept(request, _icons(request).png, "image/png", _A_DAY)


def _icons(request: web.Request) -> Sprite:
    return sprite(2 if request.match_info["scale"] else 1)


async def get_coverage(request: web.Request) -> web.Response:
    """Which areas have a map."""
    return answer({"areas": request.app[ARCHIVES].areas}, headers={"Cache-Control": "no-cache"})


async def get_places(request: web.Request) -> web.Response:
    """Streets, sights and stops by name or kind, tolerant of accents, case and slips of the finger."""
    await device_of(request)
    try:
        query = msgspec.convert(dict(request.query), PlacesQuery, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"the search cannot be understood: {error}") from error
    near = None if query.lat is None or query.lon is None else Point(query.lat, query.lon)
    found = request.app[PLACES].search(query.q, near, query.limit)
    return answer({"places": [_told(one) for one in found]})


def _told(found: Found) -> PlaceFound:
    away_m = None if found.distance_m is None else round(found.distance_m, 1)
    lat, lon, words = round(found.lat, 6), round(found.lon, 6), KIND_WORDS.get(found.kind, {})
    return PlaceFound(found.name, found.names, found.kind, words, lat, lon, away_m)


def _kept(request: web.Request, body: bytes, kind: str, cache_control: str) -> web.Response:
    """An answer that need not be sent again to who has it."""
    etag = hashlib.blake2b(body, digest_size=8).hexdigest()
    headers = {ETAG: f'"{etag}"', "Cache-Control": cache_control}
    if _is_known(request, etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=kind, headers=headers)


def _is_known(request: web.Request, etag: str) -> bool:
    return f'"{etag}"' in request.headers.get(IF_NONE_MATCH, "")


NO_SUCH_SCALE = Answer("There are no icons of that scale", Problem)

ROUTES = [
    Route(
        "GET", "/map/tiles/{zoom}/{x}/{y}.mvt", get_tile, "A tile of the base map", "map", needs_token=False,
        answers={200: Answer("A Mapbox Vector Tile 2.1", media=MVT), 204: Answer("Nothing is there")},
    ),
    Route(
        "GET", "/map/style/{name}.json", get_style, "How the base map looks", "map", needs_token=False,
        path_values=StyleName, query=StyleQuery,
        answers={200: Answer("A MapLibre style", dict[str, Any]), 404: Answer("No such style", Problem)},
    ),
    Route(
        "GET", "/map/icons{scale:(@2x)?}.json", get_icons_index, "Where in the picture each icon is", "map",
        needs_token=False, path_values=IconsName,
        answers={200: Answer("By name", dict[str, Any]), 404: NO_SUCH_SCALE},
    ),
    Route(
        "GET", "/map/icons{scale:(@2x)?}.png", get_icons_picture, "The icons of the map", "map",
        needs_token=False, path_values=IconsName,
        answers={200: Answer("A picture", None, "image/png"), 404: NO_SUCH_SCALE},
    ),
    Route(
        "GET", "/v1/coverage", get_coverage, "Which areas are served", "map", needs_token=False,
        answers={200: Answer("Boxes in degrees", Coverage)},
    ),
    Route(
        "GET", "/v1/places", get_places, "Search streets, sights and stops", "map", query=PlacesQuery,
        answers={200: Answer("The best first", Places), 422: Answer("Not a search", Problem)},
    ),
]  # fmt: skip


def routes(app: web.Application) -> None:
    """The maps of the graphs that the gateway plans on; raises BadGraph for one that is damaged."""
    directory = app[GATEWAY].settings.graph_path
    app[ARCHIVES] = open_archives(directory)
    app[PLACES] = open_places(directory)
    add_routes(app, ROUTES)
