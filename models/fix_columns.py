"""The fixes of a block of gps-fixes messages, as columns.

The scanner takes the messages of the usual shape, records.decode_fixes the others; which of the two read a
fix cannot be told from the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.bytes_column import U8, BytesColumn
from models.fix_scanner import NUMBERS, STORED, Scan, scan_fixes
from models.records import Fix, decode_fixes

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BadValue:
    """A message of the block, or one fix of its array (-1: not one of an array), that was refused."""

    message_index: int
    fix_index: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class FixColumns:
    """n fixes in the order of the messages, and within one of its array; nan where a number is unknown.

    `names` holds every device's name in UTF-8.
    """

    names: BytesColumn
    message_index: I32
    ts: F64
    lat: F64
    lon: F64
    accuracy_m: F64
    speed_mps: F64
    bearing_deg: F64

    def __len__(self) -> int:
        return len(self.ts)

    def rows(self, keep: I64 | npt.NDArray[np.bool_]) -> FixColumns:
        """Some of the fixes: by index, or where true."""
        return FixColumns(
            BytesColumn(self.names.data, self.names.span[keep]),
            self.message_index[keep],
            self.ts[keep],
            self.lat[keep],
            self.lon[keep],
            self.accuracy_m[keep],
            self.speed_mps[keep],
            self.bearing_deg[keep],
        )


def parse_fixes(messages: BytesColumn) -> tuple[FixColumns, list[BadValue]]:
    """Columns of all good fixes in the messages, and what was refused; None (a tombstone) is skipped.

    Columns are contiguous, whatever the messages: kernels are compiled for one layout. Never raises for what
    a message holds. Reasons are those of records.decode_fixes. It is quick where a NUL stands behind each
    message.
    """
    scan = scan_fixes(messages)
    data, numbers, message_index, device_span = (
        messages.data, scan.numbers, scan.message_index, scan.device_span
    )  # fmt: skip
    bad: list[BadValue] = []
    if len(scan.declined):
        rest, bad, names = _read_slowly(messages, scan.declined)
        data = np.concatenate([data, names])
        order = np.argsort(np.concatenate([message_index, rest.message_index]), kind="stable")
        numbers = np.concatenate([numbers, rest.numbers], axis=1).take(order, axis=1)
        message_index = np.concatenate([message_index, rest.message_index])[order]
        device_span = np.concatenate([device_span, rest.device_span])[order]
    return FixColumns(BytesColumn(data, device_span), message_index, *numbers), bad


def _read_slowly(messages: BytesColumn, declined: I64) -> tuple[Scan, list[BadValue], U8]:
    """What the scanner would have made of the messages it declined, what was refused, and the devices' names.

    The spans point into those names as if they stood behind the messages' bytes.
    """
    fixes: list[Fix] = []
    message_index: list[int] = []
    bad: list[BadValue] = []
    for message in declined.tolist():
        value = messages[message]
        if value is None:
            continue
        good, refused = decode_fixes(value)
        fixes += good
        message_index += [message] * len(good)
        bad += [BadValue(message, one.index, one.reason, one.detail) for one in refused]
    names = [fix.device.encode() for fix in fixes]
    length = np.fromiter(map(len, names), np.int64, len(names))
    end = len(messages.data) + np.cumsum(length)
    numbers = np.empty((STORED, len(fixes)))
    for row, name in enumerate(NUMBERS[:STORED]):
        numbers[row] = np.array([getattr(fix, name) for fix in fixes], np.float64)  # None becomes nan
    scan = Scan(numbers, np.array(message_index, np.int32), np.column_stack([end - length, end]), declined)
    return scan, bad, np.frombuffer(b"".join(names), np.uint8)
