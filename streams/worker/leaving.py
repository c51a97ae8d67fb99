"""Ending a worker on purpose: everything of worth is in Kafka, so leaving is always safe."""

from __future__ import annotations

import logging
import os
import sys

from geo.errors import FlaneurError

log = logging.getLogger(__name__)

EXIT_FAILED = 70  # EX_SOFTWARE: an error that a restart may cure
EXIT_AGAIN = 75  # EX_TEMPFAIL: stuck, or no longer the owner of its partitions


def leave(why: str | BaseException, code: int = EXIT_FAILED) -> None:
    """Write down why and end the process at once, without writing anything to Kafka."""
    trace = why if isinstance(why, BaseException) and not isinstance(why, FlaneurError) else None
    log.critical("worker stops: %s", why, exc_info=trace)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)
