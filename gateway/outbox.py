"""What waits to be written to one subscriber: bounded, so that who reads too slowly is cut off."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from gateway import metrics

MOST_WAITING = 1_000
MOST_BYTES = 1 << 20
Written = Callable[[], None] | None


class Outbox:
    """Messages in their order. A task writes them while some wait; an idle subscriber has none.

    write: sends one message and returns when the connection takes more. cut: ends the connection at once.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[None]], cut: Callable[[], None]) -> None:
        self._write = write
        self._cut = cut
        self._waiting: deque[tuple[bytes, Written]] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    def put(self, message: bytes, written: Written = None) -> None:
        """Send a message soon, and say when it is; a subscriber with too many waiting is cut off."""
        if self.closed:
            return
        self._waiting.append((message, written))
        self._bytes += len(message)
        if len(self._waiting) > MOST_WAITING or self._bytes > MOST_BYTES:
            metrics.CUT_OFF.inc()
            self.close()
            self._cut()
        elif self._task is None:
            self._task = asyncio.create_task(self._flush())

    def close(self) -> None:
        """Nothing more is sent."""
        self.closed = True
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def drained(self) -> None:
        """Return when everything put so far is written."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _flush(self) -> None:
        try:
            while self._waiting:
                message, written = self._waiting.popleft()
                self._bytes -= len(message)
                await self._write(message)
                if written is not None:
                    written()
        except (ConnectionError, RuntimeError):
            self.closed = True  # it has gone: its handler will notice
        finally:
            self._task = None
