"""`flaneur bench gateway-plan`: planning by request."""

from __future__ import annotations

import click

from cli.bench.options import on_services
from cli.bench.session import measure


@click.command("gateway-plan")
@on_services
@click.option("--plans", type=int, default=500, show_default=True, help="Requests to be measured.")
@click.option("--rate", type=float, default=20.0, show_default=True, help="Requests a second.")
@click.option("--busy", type=float, default=0.4, show_default=True, help="Of the event loop, by other work.")
def gateway_plan(
    as_json: bool, partitions: int, graph_dir: str | None, seed: int, plans: int, rate: float, busy: float
) -> None:
    """One proposal by request: in a process beside the gateway, in a thread, in its loop, over Kafka.

    \b
    Examples:
      flaneur bench gateway-plan --graph .run/graph/copenhagen --json
      flaneur bench gateway-plan --plans 200 --rate 40 --busy 0.7
    """
    from bench.gateway_plan import PlanJob, run_gateway_plan

    job = PlanJob(plans, rate, busy, seed, partitions)
    measure("gateway-plan", as_json, graph_dir, lambda session: run_gateway_plan(job, session))


COMMANDS = (gateway_plan,)
