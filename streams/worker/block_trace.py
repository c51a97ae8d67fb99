"""The spans of a block in the traces that its messages belong to.

All that is done for a block is done for all of its messages at once, so every trace gets the same times: the
block, within it what ran (matching, deciding, searching), the record ahead and the delivery of updates. Of a
block with many traced messages only some get spans, so that what tracing costs is bounded; those whose walker
gets an update come first, and a walker's update belongs to their newest message that is traced.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from models.trips.step import Lap
from streams.kafka.topics import ROUTE_UPDATES
from streams.telemetry import tracing
from streams.transport.block import Block
from streams.worker.delivery import Outgoing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

MOST_TRACED = 32  # messages of a block that get spans
MOST_LAPS = 32
NAMES = {"trips": "decide"}  # what a kernel is called here, where its metric is called otherwise


@dataclass(slots=True)
class _Traced:
    """One message: its walker, and the span of the block in its trace."""

    key: bytes | None
    span: Span
    publish: Span | None = None


class BlockTrace:
    """From before a block is processed until what followed from it is delivered."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._began_ns = time.time_ns()
        self._began_s = time.perf_counter()
        self._processed_ns = 0
        self._traced: list[_Traced] = []

    @classmethod
    def of(cls, block: Block) -> BlockTrace | None:
        """None where nothing is to be traced."""
        return cls(block) if block.contexts is not None and tracing.on() else None

    def processed(self, messages: Iterable[Outgoing], laps: Iterable[Lap]) -> None:
        """The block is processed: these messages follow from it, and this is what ran."""
        self._processed_ns = time.time_ns()
        told = {message.key for message in messages if message.topic == ROUTE_UPDATES}
        self._begin(self._chosen(told))
        for number, (kernel, began_s, ended_s) in enumerate(laps):
            if number == MOST_LAPS:
                break
            for one in self._traced:
                tracing.child(one.span, NAMES.get(kernel, kernel), self._at_ns(began_s), self._at_ns(ended_s))

    def publishing(self, messages: list[Outgoing], *, stored: bool) -> list[Outgoing]:
        """The messages as they are to be sent, now that what was to be stored ahead of them is."""
        now_ns = time.time_ns()
        of_walker = {one.key: one for one in self._traced}
        marked = []
        for message in messages:
            one = of_walker.get(message.key) if message.topic == ROUTE_UPDATES else None
            if one is not None:
                if one.publish is None:
                    if stored:
                        tracing.child(one.span, "checkpoint ahead", self._processed_ns, now_ns)
                    about = {"messaging.destination.name": ROUTE_UPDATES}
                    name = f"{ROUTE_UPDATES} publish"
                    one.publish = tracing.child(one.span, name, now_ns, kind="PRODUCER", attributes=about)
                message = replace(message, headers=tracing.headers_of(one.publish))
            marked.append(message)
        return marked

    def end(self) -> None:
        """Everything that followed is delivered."""
        for one in self._traced:
            if one.publish is not None:
                one.publish.end()
            one.span.end()

    @staticmethod
    def failing(trace: BlockTrace | None) -> AbstractContextManager[Any]:
        """Around the handling of an error: what is logged meanwhile names the first trace."""
        if trace is None:
            return nullcontext()
        trace._begin(trace._chosen(set()))
        for one in trace._traced:
            tracing.failed(one.span)
            one.span.end()
        return tracing.as_current(trace._traced[0].span if trace._traced else None)

    def _chosen(self, told: set[bytes | None]) -> list[int]:
        """Which of the block's traced messages get spans: of whom an update tells, the newest, and others."""
        contexts, keys = self._block.contexts, self._block.keys
        assert contexts is not None
        index = contexts.index.tolist()
        newest = {key: k for k, i in enumerate(index) if (key := keys[i]) in told} if told else {}
        first = list(newest.values())[:MOST_TRACED]
        others = [k for k in range(min(len(index), MOST_TRACED)) if k not in first]
        return others[: MOST_TRACED - len(first)] + first

    def _begin(self, chosen: list[int]) -> None:
        block, contexts = self._block, self._block.contexts
        assert contexts is not None
        for k in chosen:
            i = int(contexts.index[k])
            about = {
                "messaging.destination.name": block.topic,
                "messaging.destination.partition.id": str(block.partition),
                "messaging.kafka.offset": int(block.offsets[i]),
                "messaging.batch.message_count": len(block),
                "flaneur.traced_messages": len(contexts),
            }
            span = tracing.begin(f"{block.topic} process", "CONSUMER", contexts.at(k), about, self._began_ns)
            if span is not None:
                self._traced.append(_Traced(block.keys[i], span))

    def _at_ns(self, at_s: float) -> int:
        return self._began_ns + int((at_s - self._began_s) * 1e9)
