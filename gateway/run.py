"""Runs one gateway process until it is told to stop; then it answers what it has taken in, and ends."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import ssl

import uvloop
from aiohttp import web

from gateway.app import make_app
from geo.errors import BadInput, Unavailable
from streams.pauses import keep_pauses_short
from streams.settings import Settings
from streams.telemetry import logs, tracing

log = logging.getLogger(__name__)

LEAVE_WITHIN_S = 15.0


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; raises BadInput and Unavailable where it cannot begin."""
    logs.set_up(settings, "gateway")
    tracing.set_up(settings, "gateway")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection is a file
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # no access log: addresses of requests hold places
    runner = web.AppRunner(await make_app(settings), access_log=None, shutdown_timeout=LEAVE_WITHIN_S)
    await runner.setup()
    try:
        site = web.TCPSite(
            runner, settings.gateway_host, settings.gateway_port, ssl_context=_tls(settings), backlog=1024
        )
        try:
            await site.start()
        except OSError as error:
            raise Unavailable(
                f"the gateway cannot listen at {settings.gateway_host}:{settings.gateway_port}:"
                f" {error.strerror}; set GATEWAY_PORT"
            ) from error
        log.info("the gateway answers at %s", site.name)
        keep_pauses_short()
        await stop.wait()
        log.info("the gateway ends")
    finally:
        await runner.cleanup()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.gateway_tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.gateway_tls_cert, settings.gateway_tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise BadInput(f"the certificate {settings.gateway_tls_cert} cannot be used: {error}") from error
    return context
