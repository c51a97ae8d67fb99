"""The web app: what Vite built into web/dist, compressed when it was built, kept in memory."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.hdrs import ACCEPT_ENCODING, ETAG, IF_NONE_MATCH

from gateway.errors import NotFound
from geo.errors import Unavailable

DIST = Path(__file__).resolve().parents[1] / "web" / "dist"
FILES = web.AppKey("web_files", dict)
PAGES = {"/": "index.html", "/watch": "watch.html"}
_ENCODINGS = {"br": ".br", "gzip": ".gz"}  # the better one first
_FOREVER = "public, max-age=31536000, immutable"  # names of assets hold a hash of what is in them
_TYPES = {".webmanifest": "application/manifest+json", ".mjs": "text/javascript", ".js": "text/javascript"}
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
        " connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
}


@dataclass(frozen=True, slots=True)
class File:
    """One file of the app: its bytes by content encoding ("" as it is)."""

    content_type: str
    bodies: Mapping[str, bytes]
    etag: str
    cache_control: str


def routes(app: web.Application) -> None:
    """The pages and everything that they load from `DIST`; without it the pages say what is missing."""
    app[FILES] = read_files(DIST)
    for path, name in PAGES.items():
        app.router.add_get(path, _page, name=name)
    app.router.add_get("/{name:(?:assets|icons|demo)/.+|sw\\.js|manifest\\.webmanifest}", _file)


def read_files(folder: Path) -> dict[str, File]:
    """Every file below a folder by its name there; empty where the app was not built."""
    twins = tuple(_ENCODINGS.values())
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in twins:
            name = path.relative_to(folder).as_posix()
            found[name] = _read(path, _FOREVER if name.startswith("assets/") else "no-cache")
    return found


def _read(path: Path, cache_control: str) -> File:
    bodies = {"": path.read_bytes()}
    for encoding, suffix in _ENCODINGS.items():
        twin = path.with_name(path.name + suffix)
        if twin.is_file():
            bodies[encoding] = twin.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return File(kind, bodies, hashlib.blake2b(bodies[""], digest_size=8).hexdigest(), cache_control)


async def _page(request: web.Request) -> web.Response:
    files = request.app[FILES]
    name = PAGES[request.path]
    if name not in files:
        raise Unavailable("the web app is not built: run `make setup`, then start the gateway again")
    return _answer(request, files[name], PAGE_HEADERS)


async def _file(request: web.Request) -> web.Response:
    file = request.app[FILES].get(request.match_info["name"])
    if file is None:
        raise NotFound("the web app has no such file")
    return _answer(request, file, PAGE_HEADERS)


def _answer(request: web.Request, file: File, headers: Mapping[str, str]) -> web.Response:
    accepted = {
        part.split(";")[0].strip().lower()
        for part in request.headers.get(ACCEPT_ENCODING, "").split(",")
        if not part.replace(" ", "").lower().endswith(";q=0")
    }
    encoding = next((one for one in _ENCODINGS if one in accepted and one in file.bodies), "")
    etag = f'"{file.etag}{"-" + encoding if encoding else ""}"'
    sent = {**headers, ETAG: etag, "Cache-Control": file.cache_control, "Vary": ACCEPT_ENCODING}
    if etag in request.headers.get(IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=sent)
    if encoding:
        sent["Content-Encoding"] = encoding
    response = web.Response(body=file.bodies[encoding], headers=sent)
    response.content_type = file.content_type
    if file.content_type.startswith("text/"):
        response.charset = "utf-8"
    return response
