"""`flaneur status`: lag, checkpoints, graph and conditions at a glance."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict

import click
import orjson
from rich.console import Console
from rich.table import Table

from streams.settings import Settings
from streams.telemetry.status import Status, read_status


@click.command("status")
@click.option(
    "--metrics", "addresses", multiple=True, help="host:port of a worker's metrics; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(addresses: tuple[str, ...], as_json: bool) -> None:
    """Show how far every partition is, when it was checkpointed, and which graph and conditions are in use.

    \b
    Examples:
      flaneur status
      flaneur status --metrics worker-0:9464 --metrics worker-1:9464 --json
    """
    settings = Settings.from_env()
    status = read_status(settings, list(addresses) or [f"{settings.metrics_host}:{settings.metrics_port}"])
    if as_json:
        rows = asdict(status)
        for row, one in zip(rows["partitions"], status.partitions, strict=True):
            row["lag"] = one.lag
        sys.stdout.write(orjson.dumps(rows).decode() + "\n")
        return
    _draw(status)


def _draw(status: Status) -> None:
    console = Console()
    table = Table(title=f"Partitions at {status.bootstrap}")
    for column in ("topic", "partition", "checkpointed", "end", "lag"):
        table.add_column(column, justify="left" if column == "topic" else "right")
    for one in status.partitions:
        committed = "-" if one.committed is None else str(one.committed)
        table.add_row(one.topic, str(one.partition), committed, str(one.end), str(one.lag))
    console.print(table)
    now = time.time()
    for name, at in sorted(status.checkpoints.items()):
        console.print(f"checkpoint {name}: {now - at:.1f} s ago")
    for name, value in status.graph.items():
        console.print(f"graph {name}: {value}")
    console.print(f"conditions version: {status.conditions_version}")
    for address, values in status.workers.items():
        console.print(
            f"worker {address}: " + ", ".join(f"{name} {value:g}" for name, value in values.items())
        )
    if not status.workers:
        console.print("no worker answers; name one with --metrics host:port, or start one: flaneur worker")
