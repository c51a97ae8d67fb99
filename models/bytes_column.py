"""Many byte strings as one column: their bytes in one buffer, and where each begins and ends.

The layout is that of Arrow's binary arrays, with both ends of each value, so that the bytes of a fetched
batch can be a column as they are. Kernels read it without a Python object per value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class BytesColumn(Sequence[bytes | None]):
    """n byte strings, or None.

    `data` u8[bytes]; `span` i64[n, 2], start and end in `data`, with an end below the start for None.
    """

    data: U8
    span: I64

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> BytesColumn:
        """The column of these values; a NUL stands behind each, as `models.fix_scanner` wants it."""
        n = len(values)
        data = np.frombuffer(bytearray(b"\0").join([*(value or b"" for value in values), b""]), np.uint8)
        size = np.fromiter((len(value or b"") for value in values), np.int64, n)
        span = np.empty((n, 2), np.int64)
        span[:, 1] = np.cumsum(size + 1) - 1
        span[:, 0] = span[:, 1] - size
        for i, value in enumerate(values):
            if value is None:
                span[i] = 0, -1
        return cls(data, span)

    def __len__(self) -> int:
        return len(self.span)

    @overload
    def __getitem__(self, at: int) -> bytes | None: ...

    @overload
    def __getitem__(self, at: slice) -> BytesColumn: ...

    def __getitem__(self, at: int | slice) -> bytes | BytesColumn | None:
        if isinstance(at, slice):
            return BytesColumn(self.data, self.span[at])
        start, end = self.span[at].tolist()
        return None if end < start else self.data[start:end].tobytes()

    def __iter__(self) -> Iterator[bytes | None]:
        for start, end in self.span.tolist():
            yield None if end < start else self.data[start:end].tobytes()

    @property
    def size_bytes(self) -> int:
        """Bytes of all values together."""
        return int(np.maximum(self.span[:, 1] - self.span[:, 0], 0).sum())
