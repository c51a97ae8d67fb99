"""The fixes of a block of gps-fixes messages, as columns.

The scanner takes the messages of the usual shape, records.decode_fixes the others; which of the two read a
fix cannot be told from the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.fix_scanner import NUMBERS, STORED, Scan, intern_devices, scan_fixes
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

    `devices[device_index[i]]` is the device's name in UTF-8; devices are numbered as they first appear.
    """

    devices: list[bytes]
    device_index: I32
    message_index: I32
    ts: F64
    lat: F64
    lon: F64
    accuracy_m: F64
    speed_mps: F64
    bearing_deg: F64

    def __len__(self) -> int:
        return len(self.ts)


def parse_fixes(values: Sequence[bytes | None]) -> tuple[FixColumns, list[BadValue]]:
    """Columns of all good fixes in the messages' values, and what was refused; None (a tombstone) is skipped.

    Never raises for what a value holds. Reasons are those of records.decode_fixes.
    """
    texts = [b"" if value is None else value for value in values]
    joined = _terminated(texts)
    scan = scan_fixes(np.frombuffer(joined, np.uint8), len(texts))
    if scan is None:  # a value holds a NUL, which JSON allows nowhere: the scanner need not see it
        joined = _terminated([b"" if b"\0" in text else text for text in texts])
        scan = scan_fixes(np.frombuffer(joined, np.uint8), len(texts))
        assert scan is not None
    numbers, message_index, device_span = scan.numbers, scan.message_index, scan.device_span
    bad: list[BadValue] = []
    if len(scan.declined):
        rest, bad, names = _read_slowly(values, scan.declined, len(joined))
        joined += names
        order = np.argsort(np.concatenate([message_index, rest.message_index]), kind="stable")
        numbers = np.concatenate([numbers, rest.numbers], axis=1)[:, order]
        message_index = np.concatenate([message_index, rest.message_index])[order]
        device_span = np.concatenate([device_span, rest.device_span])[order]
    device_index, devices = intern_devices(np.frombuffer(joined, np.uint8), device_span)
    return FixColumns(devices, device_index, message_index, *numbers), bad


def _terminated(texts: list[bytes]) -> bytes:
    return b"\0".join([*texts, b""])


def _read_slowly(
    values: Sequence[bytes | None], declined: I64, offset: int
) -> tuple[Scan, list[BadValue], bytes]:
    """What the scanner would have made of the messages it declined, what was refused, and the devices' names.

    The spans point into those names as if they stood `offset` bytes further on.
    """
    fixes: list[Fix] = []
    messages: list[int] = []
    bad: list[BadValue] = []
    for message in declined.tolist():
        value = values[message]
        if value is None:
            continue
        good, refused = decode_fixes(value)
        fixes += good
        messages += [message] * len(good)
        bad += [BadValue(message, one.index, one.reason, one.detail) for one in refused]
    names = [fix.device.encode() for fix in fixes]
    length = np.fromiter(map(len, names), np.int64, len(names))
    start = offset + np.cumsum(length) - length
    numbers = np.empty((STORED, len(fixes)))
    for row, name in enumerate(NUMBERS[:STORED]):
        numbers[row] = np.array([getattr(fix, name) for fix in fixes], np.float64)  # None becomes nan
    scan = Scan(numbers, np.array(messages, np.int32), np.column_stack([start, length]), declined)
    return scan, bad, b"".join(names)
