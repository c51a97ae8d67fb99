"""The scanner reads the usual shape itself, and leaves to orjson only what is not that."""

from __future__ import annotations

import random

import numpy as np
import pytest

from models.fix_scanner import Scan, intern_devices, scan_fixes

SEED = 7
USUAL = b'{"device":"d-000516","ts":1700025506.903,"lat":60.134364,"lon":24.847434,"accuracy_m":9.9}'


def scan(*values: bytes) -> Scan | None:
    return scan_fixes(np.frombuffer(b"\0".join([*values, b""]), np.uint8), len(values))


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
    assert found is not None
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
    assert found is not None
    assert found.declined.tolist() == [1]
    assert found.message_index.tolist() == [0, 2]


def test_a_nul_within_a_message_is_noticed() -> None:
    assert scan(USUAL + b"\0" + USUAL) is None
    assert scan(b"\0", USUAL) is None


def test_devices_are_numbered_as_they_first_appear() -> None:
    rng = random.Random(SEED)
    known = [bytes(rng.choices(b"abc", k=rng.randint(1, 5))) for _ in range(300)]
    names = [rng.choice(known) for _ in range(5000)]
    lengths = np.array([len(name) for name in names])
    span = np.column_stack([np.cumsum(lengths) - lengths, lengths])
    device_index, devices = intern_devices(np.frombuffer(b"".join(names), np.uint8), span)
    assert devices == list(dict.fromkeys(names)), f"seed {SEED}"
    assert [devices[i] for i in device_index] == names
