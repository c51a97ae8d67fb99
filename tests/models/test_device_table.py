"""The hash table of devices agrees with a dict, however it is asked."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bytes_column import BytesColumn
from models.trips import device_table
from models.trips.device_table import DeviceTable

SEED = 7

names = st.binary(min_size=1, max_size=4)


def look_up(table: DeviceTable, devices: list[bytes]) -> list[int]:
    column = BytesColumn.of(devices)
    return table.slots(column.data, column.span).tolist()


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(names, max_size=40), max_size=6))
def test_slots_are_numbered_as_devices_first_appear(blocks: list[list[bytes]]) -> None:
    table = DeviceTable(capacity=2)
    known: dict[bytes, int] = {}
    for block in blocks:
        for device in block[:3]:
            assert table.find(device) == known.get(device)
        expected = [known.setdefault(device, len(known)) for device in block]
        assert look_up(table, block) == expected
        assert len(table) == len(known)
    assert [table.name(slot) for slot in range(len(table))] == list(known)


def test_many_devices_and_long_names() -> None:
    rng = random.Random(SEED)
    devices = [b"d%d" % rng.randrange(10**9) + b"x" * rng.choice([0, 0, 3, 120]) for _ in range(30_000)]
    table = DeviceTable(capacity=4)
    known: dict[bytes, int] = {}
    for at in range(0, len(devices), 7_000):
        block = devices[at : at + 7_000] + devices[:50]
        assert look_up(table, block) == [known.setdefault(device, len(known)) for device in block], SEED
    assert table.find(devices[0]) == 0
    assert table.find(b"nobody") is None


def test_devices_with_the_same_hash_are_told_apart() -> None:
    """Both the place in the table and the stored hash are equal: only the names differ."""
    by_code: dict[int, bytes] = {}
    pair = None
    number = 0
    while pair is None:
        name = b"%d" % number
        code = int(device_table._hash(np.frombuffer(name, np.uint8), 0, len(name)))
        if code in by_code:
            pair = [by_code[code], name]
        by_code[code] = name
        number += 1
    table = DeviceTable()
    assert look_up(table, [*pair, *pair]) == [0, 1, 0, 1]
    assert [table.find(name) for name in pair] == [0, 1]
