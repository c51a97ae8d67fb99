"""Starts the Faust worker in this process: checks first, compiles, then joins the group."""

from __future__ import annotations

import faust

from geo.cities import open_cities
from streams.kafka.topics import ensure_topics
from streams.pauses import keep_pauses_short
from streams.settings import Settings
from streams.telemetry import logs, metrics, tracing
from streams.worker.warmup import warm_up


def run() -> None:
    """Run until told to stop. Raises FlaneurError when the graph, the broker or a topic is not as needed."""
    settings = Settings.from_env()
    logs.set_up(settings, "worker")
    tracing.set_up(settings, "worker")
    metrics.serve(settings)
    cities = open_cities(settings.graph_path)
    ensure_topics(settings)
    warm_up(cities[0].graph)
    from streams.app import app

    app.finalize()
    keep_pauses_short()
    # the logging above stays as it is
    worker = faust.Worker(app, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.spinner = None
    worker.execute_from_commandline()
