"""The scanner reads the usual shape itself, and leaves to orjson only what is not that."""

from __future__ import annotations

import numpy as np
import pytest

from models.bytes_column import BytesColumn
from models.fix_scanner import Scan, scan_fixes

USUAL = b'{"device":"d-000516","ts":1700025506.903,"lat":60.134364,"lon":24.847434,"accuracy_m":9.9}'


def scan(*values: bytes | None) -> Scan:
    return scan_fixes(BytesColumn.of(values))


@pytest.mark.parametrize(
    "value",
    [
        USUAL,
        b" [ " + USUAL + b" , " + USUAL + b" ] ",
        b'\n{"lon":-24.071136488609703,"lat":60.09163411697394,"device":"~","ts":1700025506}\t',
        USUAL[:-1] + b',"tracker":"x","moving":true,"cell":null,"n":-1.5e3,"speed_mps":null}',
        USUAL[:-1] + b',"altitude_m":12.125,"battery":81,"bearing_deg":0,"speed_mps":1.40}',
    ],
)
def test_the_usual_shape_is_not_left_to_orjson(value: bytes) -> None:
    found = scan(value)
    assert found.declined.tolist() == []
    assert found.numbers.shape[1] == value.count(b"device")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        USUAL[:-1],
        USUAL + b"x",
        USUAL.replace(b"60.1", b"160.1"),
        USUAL.replace(b"60.1", b"060.1"),
        USUAL.replace(b"d-000516", b"\xc3\xbc"),
        USUAL.replace(b"accuracy_m", b"ts"),
        USUAL.replace(b"9.9", b"{}"),
        USUAL.replace(b"9.9", b"1234567890.123456789"),
        USUAL.replace(b"9.9", b"1e-30"),
        b"[" + USUAL + b',{"device":"x"}]',
    ],
)
def test_anything_else_is_declined_and_leaves_no_fix(value: bytes) -> None:
    found = scan(USUAL, value, USUAL)
    assert found.declined.tolist() == [1]
    assert found.message_index.tolist() == [0, 2]


def test_a_message_with_a_nul_is_declined_and_its_neighbours_are_read() -> None:
    found = scan(USUAL + b"\0" + USUAL, USUAL, b"\0", None, USUAL)
    assert found.declined.tolist() == [0, 2]
    assert found.message_index.tolist() == [1, 4]


def test_messages_are_read_where_they_stand() -> None:
    """As in a record batch: other bytes lie between them; what no NUL follows is declined."""
    data = b"key" + USUAL + b"\0keys" + USUAL + b"\x02h" + USUAL
    first, second, third = 3, 3 + len(USUAL) + 5, 3 + 2 * len(USUAL) + 7
    span = np.array([[at, at + len(USUAL)] for at in (first, second, third)])
    found = scan_fixes(BytesColumn(np.frombuffer(data, np.uint8), span))
    assert found.declined.tolist() == [1, 2]
    assert found.message_index.tolist() == [0]
    start, end = found.device_span[0]
    assert data[start:end] == b"d-000516"
