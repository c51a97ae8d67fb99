"""Whether a process lives and whether it is ready, served beside its metrics: `/health/live`, `.../ready`.

Whoever runs the process asks: one that does not live is restarted, one that is not ready is not counted as
there. What each means is told by checks, that say why it is not so, or None.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIServer, make_server

import msgspec
from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer, _SilentHandler

Check = Callable[[], str | None]

LIVE, READY = "/health/live", "/health/ready"


class Verdict(msgspec.Struct):
    """What is answered; 200 if there is no reason against it, else 503."""

    status: str
    why: str | None = None


class Health:
    """The checks of one process. Until `start` tells of them it lives and is not ready: it prepares."""

    def __init__(self) -> None:
        self._live: Check = lambda: None
        self._ready: Check = lambda: "it has not begun its work yet"

    def start(self, live: Check, ready: Check) -> None:
        """From now on these are asked, on a thread of the server's; they must not wait for anything."""
        self._live, self._ready = live, ready

    def of(self, path: str) -> Verdict:
        """The verdict of one of the two paths; who does not live is not ready either."""
        why = self._live() or (self._ready() if path == READY else None)
        return Verdict("ok") if why is None else Verdict("not ready" if path == READY else "stuck", why)


class Beat:
    """Tells when something was last done: what must be done all the time, and has not been, is stuck."""

    def __init__(self, what: str, patience_s: float) -> None:
        self._what, self._patience_s = what, patience_s
        self._at = time.monotonic()

    def now(self) -> None:
        self._at = time.monotonic()

    def missed(self) -> str | None:
        ago_s = time.monotonic() - self._at
        return None if ago_s <= self._patience_s else f"{self._what} {ago_s:.0f} s ago"


#: This process's.
HEALTH = Health()


def serve_http(host: str, port: int, health: Health) -> WSGIServer:
    """Serve metrics and health on a thread of their own; raises OSError if the port is taken."""
    metrics = make_wsgi_app()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in (LIVE, READY):
            told: Iterable[bytes] = metrics(environ, start_response)
            return told
        verdict = health.of(environ["PATH_INFO"])
        status = "200 OK" if verdict.why is None else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        return [msgspec.json.encode(verdict)]

    server = make_server(host, port, app, ThreadingWSGIServer, handler_class=_SilentHandler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
