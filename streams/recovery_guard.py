"""Gets a table's recovery going again when Faust has dropped what it had fetched of a changelog.

Around a rebalance Faust drops fetched records. Of an input topic that is a hole that the next block shows; of
a changelog nothing follows, so the recovery would wait for ever for records that the consumer has passed.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import faust
from faust.types import TP

from streams import metrics

log = logging.getLogger(__name__)

PATIENCE_S = 3.0


class RecoveryGuard:
    """Seeks a changelog back to the last record that was applied when none has come for PATIENCE_S."""

    def __init__(self, app: faust.App) -> None:
        self._app = app
        self._seen: dict[TP, int | None] = {}
        self._since = 0.0

    async def heal(self) -> None:
        """To be called several times a second; does nothing unless a recovery stands still."""
        now = time.monotonic()
        tables: Any = self._app.tables
        recovery = tables.recovery
        behind = (
            {tp for tp, n in recovery.active_remaining().items() if n > 0} if self._app.in_recovery else set()
        )
        seen = {tp: recovery.active_offsets.get(tp) for tp in behind}
        if not seen or seen != self._seen:
            self._seen, self._since = seen, now
            return
        if now - self._since < PATIENCE_S:
            return
        self._since = now
        for tp, offset in seen.items():
            log.warning("%s/%d: recovery stands still at %s: seeking back", tp.topic, tp.partition, offset)
            metrics.HOLES_FOUND.labels(tp.topic).inc()
            # what was applied already is skipped by its offset
            await self._app.consumer.seek(tp, max(0, offset or 0))
            metrics.HOLES_HEALED.labels(tp.topic).inc()
