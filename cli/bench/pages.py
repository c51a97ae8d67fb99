"""`flaneur bench gateway-web`: the web app in a real browser."""

from __future__ import annotations

import click

from cli.bench.options import on_services
from cli.bench.session import measure


@click.command("gateway-web")
@on_services
@click.option("--runs", type=int, default=5, show_default=True, help="How often the page is opened.")
def gateway_web(as_json: bool, partitions: int, graph_dir: str | None, seed: int, runs: int) -> None:
    """The first route on the screen of somebody who never came before, and what the page weighs.

    \b
    Examples:
      flaneur bench gateway-web --json
    """
    from bench.gateway_web import WebJob, run_gateway_web

    job = WebJob(runs, partitions)
    measure("gateway-web", as_json, graph_dir, lambda session: run_gateway_web(job, session))


COMMANDS = (gateway_web,)
