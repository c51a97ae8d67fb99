"""Starts the Faust worker in this process: checks first, compiles, then joins the group."""

from __future__ import annotations

import logging

import faust

from geo.graph import open_graph
from streams.settings import Settings
from streams.topics import ensure_topics
from streams.warmup import warm_up

log = logging.getLogger(__name__)


def run() -> None:
    """Run until told to stop. Raises FlaneurError when the graph, the broker or a topic is not as needed."""
    settings = Settings.from_env()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("aiokafka", "faust", "mode"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))
    graph = open_graph(settings.graph_path)
    ensure_topics(settings)
    warm_up(graph)
    from streams.app import app

    app.finalize()
    worker = faust.Worker(
        app,
        loglevel=settings.log_level,
        logging_config={"version": 1, "disable_existing_loggers": False},
        quiet=True,
    )
    worker.execute_from_commandline()
