"""What time it is in the stream: the newest report's time plus what has passed since it came.

In live operation that is the wall clock. In a replay it is the recorded day, so that closures start and
forecasts expire when they did.
"""

from __future__ import annotations

import time

FUTURE_S = 3600.0  # a report from further ahead than this says nothing about now


class EventClock:
    """Starts at the wall clock and follows the reports it is shown."""

    def __init__(self) -> None:
        self._ts: float | None = None
        self._at = 0.0

    def observe(self, ts: float) -> None:
        """A report with event time `ts` has come; older ones and ones from the future change nothing."""
        if ts > time.time() + FUTURE_S:
            return
        if self._ts is None or ts > self.now():
            self._ts = ts
            self._at = time.monotonic()

    @property
    def started(self) -> bool:
        """Whether a report was shown to it."""
        return self._ts is not None

    def now(self) -> float:
        """Event time in seconds since the epoch."""
        if self._ts is None:
            return time.time()
        return self._ts + time.monotonic() - self._at
