"""A block: consecutive messages of one partition, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bytes_column import BytesColumn
from streams.transport.trace_contexts import TraceContexts


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive messages of one partition, as fetched, n >= 0 of them.

    Between offsets that follow each other there are only such without a message (compacted, or transaction
    markers). `timestamps_ms` are the broker's or producer's times of the messages.
    """

    topic: str
    partition: int
    offsets: NDArray[np.int64]
    keys: BytesColumn
    values: BytesColumn
    timestamps_ms: NDArray[np.int64]
    contexts: TraceContexts | None = None  # of the few messages that belong to one

    @classmethod
    def of(
        cls,
        topic: str,
        partition: int,
        offsets: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        timestamps_ms: Sequence[int],
    ) -> Block:
        """A block of messages that are Python objects."""
        return cls(
            topic,
            partition,
            np.array(offsets, np.int64),
            BytesColumn.of(keys),
            BytesColumn.of(values),
            np.array(timestamps_ms, np.int64),
        )

    @property
    def first_offset(self) -> int:
        return int(self.offsets[0])

    @property
    def next_offset(self) -> int:
        return int(self.offsets[-1]) + 1

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, part: slice) -> Block:
        """Some of the messages; their bytes are shared."""
        return Block(
            self.topic,
            self.partition,
            self.offsets[part],
            self.keys[part],
            self.values[part],
            self.timestamps_ms[part],
            None if self.contexts is None else self.contexts.part(*part.indices(len(self))[:2]),
        )

    def since(self, offset: int) -> Block:
        """The part of the block from `offset` on."""
        first = int(np.searchsorted(self.offsets, offset))
        return self[first:] if first else self

    def singles(self) -> list[Block]:
        """The same messages, one a block."""
        return [self[i : i + 1] for i in range(len(self))]
