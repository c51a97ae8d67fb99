"""`flaneur worker`: one Faust worker in the foreground."""

from __future__ import annotations

import os

import click


@click.command("worker")
@click.option("--ingest-only", is_flag=True, help="Windows only: no matching and no trips (for measuring).")
@click.option(
    "--metrics-port", type=int, help="Port of the Prometheus endpoint (METRICS_PORT, default 9464)."
)
@click.option(
    "--worker-id", help="Stable name; a restarted worker of that name takes over at once (WORKER_ID)."
)
@click.option(
    "--accept-loss", is_flag=True,
    help="Go on with a damaged changelog though the input that would rebuild it is partly gone.",
)  # fmt: skip
def command(ingest_only: bool, metrics_port: int | None, worker_id: str | None, accept_loss: bool) -> None:
    """Run one worker until it is told to stop (Ctrl-C or SIGTERM).

    It takes its share of the partitions; start as many as you like, on as many machines. Settings come
    from the environment: BOOTSTRAP, REDIS_URL, GRAPH_DIR, PARTITIONS, ... (docs/architecture.md).

    \b
    Examples:
      flaneur worker
      BOOTSTRAP=kafka-1:9092 GRAPH_DIR=/var/lib/flaneur/graph flaneur worker --worker-id worker-0
    """
    if ingest_only:
        os.environ["INGEST_ONLY"] = "true"
    if accept_loss:
        os.environ["ACCEPT_LOSS"] = "true"
    if metrics_port is not None:
        os.environ["METRICS_PORT"] = str(metrics_port)
    if worker_id is not None:
        os.environ["WORKER_ID"] = worker_id
    os.environ.setdefault("FAUST_LOOP", "uvloop")
    # only now: streams.app reads the environment when it is imported
    from streams.run_worker import run

    run()
