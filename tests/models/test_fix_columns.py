"""Columns of a block agree, to the bit, with reading every message by orjson alone."""

from __future__ import annotations

import math
import random
import struct

import numpy as np
import orjson
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bytes_column import BytesColumn
from models.fix_columns import BadValue, FixColumns, parse_fixes
from models.fix_scanner import NUMBERS, STORED
from models.records import MAX_VALUE_BYTES, decode_fixes
from streams.transport.record_batches import decode_records

SEED = 20240611
USUAL = b'{"device":"d-000516","ts":1700025506.903,"lat":60.134364,"lon":24.847434,"accuracy_m":9.9}'
FULL = (
    b'{"device":"d-000517","ts":1700025507,"lat":-60.09163411697394,"lon":24.071136488609703,'
    b'"accuracy_m":4.5e0,"speed_mps":0.90,"bearing_deg":359.99,"altitude_m":-3.25,"battery":81}'
)
SPACED = b' { "lon" : 24.9 , "x":"y", "lat" :\t60.1,\r\n"ts":1.7e9,"ok":true, "no":null,"device":"d"} \n'
ARRAY = b"[" + USUAL + b" , " + FULL + b"]"


def exact(value: float | None) -> bytes:
    """The bits of a double, so that 0.0 and -0.0 differ and nan equals nan."""
    return struct.pack("<d", math.nan if value is None else value)


def expected(values: list[bytes | None]) -> tuple[list[tuple[object, ...]], list[BadValue]]:
    """The naive twin: message by message through orjson and the record's own rules."""
    rows: list[tuple[object, ...]] = []
    bad = []
    for message, value in enumerate(values):
        if value is None:
            continue
        good, refused = decode_fixes(value)
        for fix in good:
            numbers = [exact(getattr(fix, column)) for column in NUMBERS[:STORED]]
            rows.append((fix.device.encode(), message, *numbers))
        bad += [BadValue(message, one.index, one.reason, one.detail) for one in refused]
    return rows, bad


def rows_of(columns: FixColumns) -> list[tuple[object, ...]]:
    numbers = [getattr(columns, name) for name in NUMBERS[:STORED]]
    return [
        (columns.names[i], int(columns.message_index[i]), *(exact(column[i]) for column in numbers))
        for i in range(len(columns))
    ]


def check(values: list[bytes | None]) -> None:
    rows, want_bad = expected(values)
    for column in (BytesColumn.of(values), as_fetched(values)):
        columns, bad = parse_fixes(column)
        assert rows_of(columns) == rows, values
        # one compiled variant of every kernel is enough
        assert all(getattr(columns, name).flags.c_contiguous for name in NUMBERS[:STORED])
        assert columns.names.data.flags.writeable
        assert bad == want_bad


def as_fetched(values: list[bytes | None]) -> BytesColumn:
    """The values as a record batch brings them, some with a header."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 24)
    for i, value in enumerate(values):
        assert builder.append(i, i, b"key", value, [("h", b"1")] * (i % 3))
    found = decode_records(bytes(builder.build()), 0, check_crc=True)
    assert found is not None
    assert list(found.values) == values
    return found.values


def test_columns_have_the_promised_types() -> None:
    columns, bad = parse_fixes(BytesColumn.of([USUAL, None, ARRAY]))
    assert bad == []
    assert list(columns.names) == [b"d-000516", b"d-000516", b"d-000517"]
    assert columns.message_index.dtype == np.int32
    assert columns.message_index.tolist() == [0, 2, 2]
    assert all(getattr(columns, name).dtype == np.float64 for name in NUMBERS[:STORED])
    assert columns.lat.tolist() == [60.134364, 60.134364, -60.09163411697394]
    assert np.isnan(columns.speed_mps).tolist() == [True, True, False]


def test_a_block_of_nothing_has_no_fixes() -> None:
    nothing: list[list[bytes | None]] = [[], [None, None], [b"[]"]]
    for values in nothing:
        columns, bad = parse_fixes(BytesColumn.of(values))
        assert (len(columns), len(columns.names), bad) == (0, 0, [])


@pytest.mark.parametrize(
    "value",
    [
        USUAL,
        FULL,
        SPACED,
        ARRAY,
        b"",
        b" ",
        b"[]",
        b"[ ]",
        b"{}",
        b"null",
        b"[1]",
        b"7",
        b"[" + ARRAY + b"]",
        USUAL + b"\0",
        USUAL + b"\0" + USUAL,
        b"\0" + USUAL,
        USUAL + USUAL,
        USUAL + b",",
        b"[" + USUAL + b",]",
        b"[" + USUAL,
        b"[" + USUAL + b',{"device":"e"}]',
        b"[" + USUAL + b",3," + FULL + b"]",
        USUAL.replace(b"d-000516", b""),
        USUAL.replace(b"d-000516", b"d" * 128),
        USUAL.replace(b"d-000516", b"d" * 129),
        USUAL.replace(b"d-000516", b"J\xc3\xbcrgen"),
        USUAL.replace(b"d-000516", b"J\xfcrgen"),
        USUAL.replace(b"d-000516", b"\\u0041"),
        USUAL.replace(b"d-000516", b"a\\n"),
        USUAL.replace(b"d-000516", b"\x7f"),
        USUAL.replace(b'"d-000516"', b"516"),
        USUAL.replace(b'"d-000516"', b"null"),
        USUAL.replace(b'"lat"', b'"l\\u0061t"'),
        USUAL.replace(b'"lat"', b'"la"'),
        USUAL.replace(b'"lat"', b'"latt"'),
        USUAL.replace(b'"lat"', b'"lon"'),
        USUAL.replace(b"9.9", b"null"),
        USUAL.replace(b"9.9", b"true"),
        USUAL.replace(b"9.9", b'"9.9"'),
        USUAL.replace(b"9.9", b"-1"),
        USUAL.replace(b"9.9", b"[9.9]"),
        USUAL.replace(b"accuracy_m", b"battery").replace(b"9.9", b"101"),
        USUAL.replace(b"60.134364", b"90.0000000000000001"),
        USUAL.replace(b"60.134364", b"90.00000000000001"),
        USUAL.replace(b"60.134364", b"NaN"),
        USUAL.replace(b"1700025506.903", b"0"),
        USUAL.replace(b"1700025506.903", b"1e11"),
        USUAL.replace(b"1700025506.903", b"99999999999.99999"),
        USUAL[:-1] + b',"more":{"a":1}}',
        USUAL[:-1] + b',"more":1e999}',
        USUAL[:-1] + b',"more":tru}',
        USUAL[:-1] + b"," + b" " * MAX_VALUE_BYTES + b'"x":1}',
        USUAL + b" " * (MAX_VALUE_BYTES - len(USUAL)),
        USUAL + b" " * (MAX_VALUE_BYTES - len(USUAL) + 1),
    ],
    ids=lambda value: repr(value[:80]),
)
def test_one_message_reads_as_orjson_reads_it(value: bytes) -> None:
    check([value])
    check([FULL, value, None, USUAL, value, ARRAY])


@pytest.mark.parametrize(
    "number",
    [
        *("0", "-0", "0.0", "-0.0", "-0e3", "0e0", "1", "-1", "01", "-01", "1.", ".5", "+", "-", "1e", "1e+"),
        *("1e-2", "1E+2", "1e5", "12e-3", "0.1", "0.30000000000000004", "5e-324", "1e-400", "1e22", "1e23"),
        *("9007199254740992", "9007199254740993", "900719925474099.3", "123456789012345678"),
        *("1234567890123456789", "1e308", "1e309", "0.000000000000000000000001", "2.2250738585072014e-308"),
        *(
            "59.99999999999999999999",
            "1e00005",
            "1e-00001",
            "0x10",
            "1_0",
            "8.5e-22",
            "123456789012345678e-22",
        ),
        *("45.0000000000000035527136788005009293556213378906250", "0.1e-5x", "Infinity"),
    ],
)
def test_numbers_read_as_orjson_reads_them(number: str) -> None:
    check([USUAL.replace(b"9.9", number.encode())])
    check([USUAL[:-1] + b',"altitude_m":' + number.encode() + b',"more":' + number.encode() + b"}"])


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 10**18 - 1), st.integers(0, 18), st.integers(-23, 23), st.booleans())
def test_decimals_of_up_to_18_digits_are_rounded_correctly(
    mantissa: int, point: int, exponent: int, raised: bool
) -> None:
    digits = str(mantissa).rjust(point + 1, "0")
    text = f"{digits[: len(digits) - point]}.{digits[len(digits) - point :]}0" if point else digits
    text += f"e{exponent}" if raised else ""
    columns, bad = parse_fixes(BytesColumn.of([USUAL.replace(b"9.9", text.encode())]))
    assert bad == []
    assert columns.accuracy_m.tolist() == [float(text)]


def test_doubles_and_the_middles_between_them_are_rounded_correctly() -> None:
    rng = random.Random(SEED)
    texts = []
    for _ in range(4000):
        value = abs(rng.uniform(-180, 180)) * 10.0 ** rng.randint(-6, 6)
        middle = (value + math.nextafter(value, math.inf)) / 2
        texts += [
            repr(value),
            f"{value:.{rng.randint(0, 14)}f}",
            repr(middle),
            f"{value:.17g}",
            f"{value:.18g}",
        ]
        whole = rng.randint(2**53, 10**18) | 1
        texts += [str(whole), str((whole >> 8 << 8) + 128), f"{whole}e-{rng.randint(0, 22)}"]
    columns, bad = parse_fixes(BytesColumn.of([USUAL.replace(b"9.9", text.encode()) for text in texts]))
    assert bad == []
    wrong = [
        (text, got)
        for text, got in zip(texts, columns.accuracy_m.tolist(), strict=True)
        if got != float(text)
    ]
    assert wrong == [], f"seed {SEED}"


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**66), 2**66),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-90, 90),
    st.text(max_size=6),
    st.sampled_from(["d-1", "d-2", "d-3"]),
)
names = st.one_of(st.sampled_from([*NUMBERS, "device"]), st.text(max_size=12))


@st.composite
def fixes(draw: st.DrawFn) -> str:
    """A fix as JSON text: mostly right, its fields in any order and at times odd, twice, missing, unknown."""
    fields: list[tuple[str, object]] = [
        ("device", draw(st.sampled_from(["d-1", "d-2", "d-3", "Jürgen"]))),
        ("ts", draw(st.one_of(st.integers(1, 10**10), st.floats(1e9, 2e9)))),
        ("lat", draw(st.floats(-90, 90))),
        ("lon", draw(st.floats(-180, 180))),
    ]
    fields += draw(st.lists(st.tuples(st.sampled_from(NUMBERS[3:]), st.floats(0, 100)), max_size=3))
    if draw(st.integers(0, 3)) == 0:
        fields += draw(st.lists(st.tuples(names, scalars), max_size=3))
    fields = draw(st.permutations(fields))[draw(st.sampled_from([0, 0, 0, 0, 0, 1])) :]
    gap = draw(st.sampled_from(["", " ", "\n\t", "\r"]))
    pairs = [
        gap + orjson.dumps(name).decode() + gap + ":" + gap + _number_text(draw, value)
        for name, value in fields
    ]
    return gap + "{" + (gap + ",").join(pairs) + gap + "}" + gap


def _number_text(draw: st.DrawFn, value: object) -> str:
    if isinstance(value, float):
        style = draw(st.sampled_from(["{!r}", "{:.6f}", "{:.3e}", "{:.17g}", "{:.0f}"]))
        return style.format(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return orjson.dumps(value).decode()


messages = st.one_of(
    st.none(),
    fixes().map(str.encode),
    st.lists(fixes(), max_size=4).map(lambda some: ("[" + ",".join(some) + "]").encode()),
    st.binary(max_size=12),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(messages, max_size=6))
def test_any_block_reads_as_orjson_reads_it(values: list[bytes | None]) -> None:
    check(values)


def test_damaged_messages_read_as_orjson_reads_them() -> None:
    rng = random.Random(SEED)
    alphabet = b'{}[]",:.-+eE0123456789 \t\n\\\0\x7f\xc3\xbctrufalsnd'
    for _ in range(300):
        values: list[bytes | None] = []
        for _ in range(12):
            value = bytearray(rng.choice([USUAL, FULL, SPACED, ARRAY]))
            for _ in range(rng.choice([0, 1, 1, 2, 5])):
                at = rng.randrange(len(value))
                change = rng.randrange(4)
                if change == 0:
                    value[at] = rng.choice(alphabet)
                elif change == 1:
                    value.insert(at, rng.choice(alphabet))
                elif change == 2:
                    del value[at]
                else:
                    value[at : at + rng.randrange(20)] = value[rng.randrange(len(value)) :][
                        : rng.randrange(20)
                    ]
            values.append(bytes(value))
        check(values)
