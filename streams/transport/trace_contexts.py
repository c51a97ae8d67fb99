"""Which messages of a block belong to a trace: a block has this only if a header of any of them says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bytes_column import BytesColumn


@dataclass(frozen=True, slots=True, eq=False)
class TraceContexts:
    """k >= 1 messages of a block by their index (k,), rising, and the context of each, a W3C traceparent."""

    index: NDArray[np.int64]
    values: BytesColumn

    def __len__(self) -> int:
        return len(self.index)

    def part(self, start: int, stop: int) -> TraceContexts | None:
        """Those of the messages from `start` to before `stop`, counted from there; None if there are none."""
        first, last = np.searchsorted(self.index, (start, stop))
        if first == last:
            return None
        return TraceContexts(self.index[first:last] - start, self.values[first:last])

    def at(self, k: int) -> str:
        """The traceparent of the k-th of them, as it was sent."""
        return (self.values[k] or b"").decode("ascii", "replace")
