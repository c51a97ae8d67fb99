"""`flaneur gateway`: one gateway process in the foreground."""

from __future__ import annotations

from dataclasses import replace

import click


@click.command("gateway")
@click.option("--host", help="Address to listen at (GATEWAY_HOST, default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (GATEWAY_PORT, default 8080).")
@click.option("--demo", is_flag=True, help="For one person on one machine: keys are made up, all may watch.")
def command(host: str | None, port: int | None, demo: bool) -> None:
    """Run one gateway until it is told to stop (Ctrl-C or SIGTERM).

    Phones publish to it and navigation clients follow it: docs/gateway.md. Start as many as you like.
    Settings come from the environment: BOOTSTRAP, GATEWAY_TOKEN_KEYS, GATEWAY_TLS_CERT, ...

    \b
    Examples:
      flaneur gateway --demo
      GATEWAY_TOKEN_KEYS=2026a:$(openssl rand -hex 32) flaneur gateway --host 0.0.0.0 --port 8443
    """
    from gateway.run import run
    from streams.settings import Settings

    settings = Settings.from_env()
    if host is not None:
        settings = replace(settings, gateway_host=host)
    if port is not None:
        settings = replace(settings, gateway_port=port)
    if demo:
        settings = replace(settings, gateway_demo=True)
    run(settings)
