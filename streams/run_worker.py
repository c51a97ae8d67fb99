"""Starts the Faust worker in this process: checks first, compiles, then joins the group."""

from __future__ import annotations

import logging

import faust

from geo.cities import open_cities
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.telemetry import metrics
from streams.worker.warmup import warm_up

log = logging.getLogger(__name__)


def run() -> None:
    """Run until told to stop. Raises FlaneurError when the graph, the broker or a topic is not as needed."""
    settings = Settings.from_env()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for library in ("aiokafka", "faust", "mode"):
        logging.getLogger(library).setLevel(max(logging.WARNING, logging.getLogger().level))
    metrics.serve(settings)
    cities = open_cities(settings.graph_path)
    ensure_topics(settings)
    warm_up(cities[0].graph)
    from streams.app import app

    app.finalize()
    # the logging above stays as it is: one line an event, on standard error
    worker = faust.Worker(app, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.spinner = None
    worker.execute_from_commandline()
