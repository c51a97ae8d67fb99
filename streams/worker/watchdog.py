"""Ends a worker that no longer gets anywhere, so that whoever runs it starts a new one.

Runs on a thread of its own: it must notice a loop that stands still.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from streams.worker.leaving import EXIT_AGAIN, leave


class Watchdog:
    """Leaves with EXIT_AGAIN when messages or partitions wait and nothing got on for `patience_s` seconds."""

    def __init__(self, patience_s: float, leave: Callable[[str, int], None] = leave) -> None:
        self._patience_s = patience_s
        self._leave = leave
        self._lag = 0
        self._unopened = 0
        self._progress = -1
        self._moved_at = time.monotonic()
        self._told_at = time.monotonic()
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def tell(self, lag: int, unopened: int, progress: int) -> None:
        """From the loop, about once a second: what waits, and a number that changes when anything gets on.

        A partition that is assigned may never be opened if the broker went away in between.
        """
        self._told_at = time.monotonic()
        if progress != self._progress or (lag == 0 and unopened == 0):
            self._moved_at = self._told_at
        self._lag, self._unopened, self._progress = lag, unopened, progress

    def verdict(self, now: float) -> str | None:
        """Why the process should end, or None."""
        if now - self._told_at > self._patience_s:
            return f"the event loop has stood still for {now - self._told_at:.0f} s"
        if now - self._moved_at > self._patience_s and (self._lag or self._unopened):
            what = f"{self._lag} messages" if self._lag else f"{self._unopened} partitions to be opened"
            return f"{what} wait and nothing got on for {now - self._moved_at:.0f} s"
        return None

    def missed(self) -> str | None:
        """Why the process does not live, for who asks from outside; None if all is well."""
        return self.verdict(time.monotonic())

    def _watch(self) -> None:
        while not self._stop.wait(1.0):
            why = self.verdict(time.monotonic())
            if why is not None:
                self._leave(why, EXIT_AGAIN)
                return
