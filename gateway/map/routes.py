"""The HTTP routes of the base map: tiles, styles, icons, which areas there are."""

from __future__ import annotations

import gzip
import hashlib

import orjson
from aiohttp import web
from aiohttp.hdrs import ACCEPT_ENCODING, ETAG, IF_NONE_MATCH

from gateway.context import GATEWAY
from gateway.errors import NotFound, Refused
from gateway.map.archives import Archives, open_archives
from gateway.map.icons import sprite
from gateway.map.palette import PALETTES
from gateway.map.style import map_style
from gateway.middleware import answer

ARCHIVES = web.AppKey("map_archives", Archives)
LANGUAGES = ("", "en", "ru")
_A_DAY = "public, max-age=86400"


def routes(app: web.Application) -> None:
    """The base map of the graphs that the gateway plans on; raises BadGraph for a damaged archive."""
    app[ARCHIVES] = open_archives(app[GATEWAY].settings.graph_path)
    app.add_routes(
        [
            web.get("/map/tiles/{zoom}/{x}/{y}.mvt", get_tile),
            web.get("/map/style/{name}.json", get_style),
            web.get("/map/icons{scale:(@2x)?}.{form:json|png}", get_icons),
            web.get("/v1/coverage", get_coverage),
        ]
    )


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
    return web.Response(body=body, content_type="application/vnd.mapbox-vector-tile", headers=headers)


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


async def get_icons(request: web.Request) -> web.Response:
    """The picture of all icons, or where in it each one is."""
    icons = sprite(2 if request.match_info["scale"] else 1)
    if request.match_info["form"] == "png":
        body, kind = icons.png, "image/png"
    else:
        body, kind = icons.index, "application/json"
    return _kept(request, body, kind, _A_DAY)


async def get_coverage(request: web.Request) -> web.Response:
    """Which areas have a map."""
    return answer({"areas": request.app[ARCHIVES].areas}, headers={"Cache-Control": "no-cache"})


def _kept(request: web.Request, body: bytes, kind: str, cache_control: str) -> web.Response:
    """An answer that need not be sent again to who has it."""
    etag = hashlib.blake2b(body, digest_size=8).hexdigest()
    headers = {ETAG: f'"{etag}"', "Cache-Control": cache_control}
    if _is_known(request, etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=kind, headers=headers)


def _is_known(request: web.Request, etag: str) -> bool:
    return f'"{etag}"' in request.headers.get(IF_NONE_MATCH, "")
