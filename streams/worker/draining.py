"""A Faust application that, told to end, first hands over what it has.

Faust ends by closing everything, at whatever stage; and aiokafka never lets a static member leave its group.
So before that: take no more blocks, let what the worker owns be checkpointed, commit, leave.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import faust
from faust.exceptions import ConsumerNotStarted

from streams.transport.blocks import BlockConsumer
from streams.worker.leaving import leave

log = logging.getLogger(__name__)


class DrainingApp(faust.App):
    """`hand_over` is awaited once when the application is told to end, while all of it still runs."""

    logger = logging.getLogger("faust.app")  # what it says of itself is Faust's
    draining = False
    hand_over: Callable[[], Awaitable[None]] | None = None
    drain_s = 25.0
    leave_group = True

    async def stop(self) -> None:
        """Drain within `drain_s`, then stop as Faust does; the process ends at once if it takes longer."""
        if self.hand_over is not None and not self.should_stop and not self.draining:
            self.draining = True
            try:
                await asyncio.wait_for(self._drain(self.hand_over), self.drain_s)
            except TimeoutError:
                leave(f"not everything could be handed over within DRAIN_S={self.drain_s:g} s")
            except Exception as error:
                leave(error)
        await super().stop()

    async def _drain(self, hand_over: Callable[[], Awaitable[None]]) -> None:
        started = time.monotonic()
        consumer = self.consumer
        assert isinstance(consumer, BlockConsumer)
        try:
            assigned = consumer.assignment()
        except ConsumerNotStarted:
            return
        # as in a rebalance: nothing more is fetched, and what waits for the agents is not given to them
        consumer.stop_flow()
        self.flow_control.suspend()
        consumer.pause_partitions(assigned)
        self.flow_control.clear()
        await hand_over()
        await consumer.commit()
        handed_over_s = time.monotonic() - started
        await consumer.end(self.leave_group)
        log.info(
            "handed over in %.3f s, %s after %.3f s", handed_over_s,
            "left the group" if self.leave_group else "stays a member for its session",
            time.monotonic() - started,
        )  # fmt: skip
