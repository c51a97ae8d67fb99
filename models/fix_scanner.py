"""A scanner for the one usual shape of gps-fixes messages, straight from bytes to columns.

It reads a flat JSON object (or an array of them) of the fields of records.Fix in any order, with plain ASCII
strings without escapes and numbers of at most 18 digits; unknown fields with plain scalar values are skipped.
A message that is anything else, or that breaks any rule of records.Fix, is declined as a whole and left to
orjson. What is not declined gives exactly the doubles that orjson would give:

- a mantissa up to 2**53 and a power of ten up to 10**22 are both exact, so that one multiplication or
  division rounds once (Clinger 1990, "How to read floating point numbers accurately");
- longer mantissas are multiplied by a 128-bit power of ten (Lemire 2021, "Number parsing at a gigabyte per
  second", section 5), and declined in the rare cases which that cannot decide.

Behind every message in the bytes stands a NUL, which no loop passes: JSON allows it nowhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from models.bytes_column import BytesColumn
from models.records import MAX_VALUE_BYTES, Fix, number_bounds

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

NUMBERS = ("ts", "lat", "lon", "accuracy_m", "speed_mps", "bearing_deg", "altitude_m", "battery")
STORED = 6  # the first so many NUMBERS become columns, the others are only checked
MAX_DEVICE_BYTES = 128
_SHORTEST_FIX = len(b'{"device":"a","ts":1,"lat":1,"lon":1}')
_LARGEST_POWER = 22


@dataclass(frozen=True, slots=True)
class Scan:
    """Fixes of the messages that were read, in message and array order, and which messages were not.

    `numbers` f64[STORED, n], nan where unknown; `message_index` i32[n]; `device_span` i64[n, 2], start and
    end in the bytes; `declined` i64[], message indices.
    """

    numbers: F64
    message_index: I32
    device_span: I64
    declined: I64


def scan_fixes(messages: BytesColumn) -> Scan:
    """Read the messages; None is no message. One that no NUL follows is declined."""
    n = len(messages)
    capacity = messages.size_bytes // _SHORTEST_FIX + 1
    numbers = np.empty((STORED, capacity))
    message_index = np.empty(capacity, np.int32)
    device_span = np.empty((capacity, 2), np.int64)
    read = np.empty(n, np.bool_)
    limits = np.array([MAX_VALUE_BYTES, MAX_DEVICE_BYTES])
    tables = (_KEYS, _BOUNDS, _TENS, _POWERS)
    fixes = _scan(messages.data, messages.span, limits, tables, numbers, message_index, device_span, read)
    return Scan(numbers[:, :fixes], message_index[:fixes], device_span[:fixes], np.flatnonzero(~read))


def _key_table() -> U8:
    """The known keys with their closing quote, padded: the numbers in order, then the device."""
    table = np.zeros((len(NUMBERS) + 1, 16), np.uint8)
    for row, name in enumerate((*NUMBERS, "device")):
        key = name.encode() + b'"'
        table[row, : len(key)] = np.frombuffer(key, np.uint8)
    return table


def _power_table() -> U64:
    """The first 128 bits of 10**q, truncated, as high and low word, for q from -22 to 22."""
    table = np.zeros((2 * _LARGEST_POWER + 1, 2), np.uint64)
    for q in range(-_LARGEST_POWER, _LARGEST_POWER + 1):
        if q >= 0:
            bits = 10**q << 128
        else:
            bits = (1 << 320) // 10**-q
        bits >>= bits.bit_length() - 128
        table[q + _LARGEST_POWER] = bits >> 64, bits & (2**64 - 1)
    return table


_KEYS = _key_table()
_BOUNDS = np.array([number_bounds(Fix)[name] for name in NUMBERS])
_TENS = np.array([float(10**q) for q in range(_LARGEST_POWER + 1)])
_POWERS = _power_table()


@njit(cache=True)
def _at(data, p):  # type: ignore[no-untyped-def]
    """The byte at p, which is never negative: an unsigned index spares a test, and a fifth of the time."""
    return data[np.uint64(p)]


@njit(cache=True)
def _high_product(a, b):  # type: ignore[no-untyped-def]
    """High and low word of the 128-bit product of two uint64."""
    half = np.uint64(32)
    mask = np.uint64(0xFFFFFFFF)
    a_low, a_high = a & mask, a >> half
    b_low, b_high = b & mask, b >> half
    low = a_low * b_low
    middle = a_high * b_low + (low >> half)
    other = a_low * b_high + (middle & mask)
    return a_high * b_high + (middle >> half) + (other >> half), a * b


@njit(cache=True)
def _long_decimal(mantissa, power, powers):  # type: ignore[no-untyped-def]
    """mantissa * 10**power correctly rounded, or nan where 128 bits cannot decide (mantissa > 0)."""
    one = np.uint64(1)
    low_bits = np.uint64(0x1FF)
    man = np.uint64(mantissa)
    shift = 0
    while (man >> np.uint64(63)) == np.uint64(0):
        man <<= one
        shift += 1
    exponent = ((217706 * power) >> 16) + 64 - shift
    row = power + powers.shape[0] // 2
    high, low = _high_product(man, powers[row, 0])
    if (high & low_bits) == low_bits and low + man < man:
        next_high, next_low = _high_product(man, powers[row, 1])
        merged_low = low + next_high
        merged_high = high
        if merged_low < low:
            merged_high += one
        if (merged_high & low_bits) == low_bits and merged_low + one == np.uint64(0) and next_low + man < man:
            return math.nan
        high, low = merged_high, merged_low
    top = high >> np.uint64(63)
    kept = high >> (top + np.uint64(9))
    exponent -= 1 - np.int64(top)
    if low == np.uint64(0) and (high & low_bits) == np.uint64(0) and (kept & np.uint64(3)) == one:
        return math.nan
    kept += kept & one
    kept >>= one
    return math.ldexp(np.float64(kept), exponent - 52)


@njit(cache=True, error_model="numpy")
def _number(data, p, tens, powers):  # type: ignore[no-untyped-def]
    """The number at p and where it ends; -1 for the end if it is not one or must be left to orjson."""
    negative = _at(data, p) == 45
    if negative:
        p += 1
    start = p
    mantissa = np.int64(0)
    digit = np.int64(_at(data, p)) - 48
    while 0 <= digit <= 9:
        mantissa = mantissa * 10 + digit
        p += 1
        digit = np.int64(_at(data, p)) - 48
    digits = p - start
    if digits == 0 or (digits > 1 and _at(data, start) == 48):
        return 0.0, -1
    power = 0
    whole = True
    if _at(data, p) == 46:
        whole = False
        p += 1
        point = p
        digit = np.int64(_at(data, p)) - 48
        while 0 <= digit <= 9:
            mantissa = mantissa * 10 + digit
            p += 1
            digit = np.int64(_at(data, p)) - 48
        if p == point:
            return 0.0, -1
        power = point - p
        digits -= power
    if digits > 18:
        return 0.0, -1
    if _at(data, p) == 101 or _at(data, p) == 69:
        whole = False
        p += 1
        down = _at(data, p) == 45
        if down or _at(data, p) == 43:
            p += 1
        start = p
        exponent = 0
        digit = np.int64(_at(data, p)) - 48
        while 0 <= digit <= 9 and p < start + 4:
            exponent = exponent * 10 + int(digit)
            p += 1
            digit = np.int64(_at(data, p)) - 48
        if p == start or 0 <= digit <= 9:
            return 0.0, -1
        power += -exponent if down else exponent
    if mantissa == 0:
        return (-0.0 if negative and not whole else 0.0), p
    if not -tens.shape[0] < power < tens.shape[0]:
        return 0.0, -1
    if mantissa <= 9007199254740992:
        value = np.float64(mantissa)
        value = value / tens[-power] if power < 0 else value * tens[power]
    else:
        value = _long_decimal(mantissa, power, powers)
        if math.isnan(value):
            return 0.0, -1
    return (-value if negative else value), p


@njit(cache=True)
def _space(data, p):  # type: ignore[no-untyped-def]
    """The next place from p on that is not white space."""
    while _at(data, p) == 32 or _at(data, p) == 10 or _at(data, p) == 13 or _at(data, p) == 9:
        p += 1
    return p


@njit(cache=True)
def _string_end(data, p):  # type: ignore[no-untyped-def]
    """Where the closing quote of the string that starts at p is; -1 if it is not plain ASCII."""
    while _at(data, p) != 34:
        if _at(data, p) < 32 or _at(data, p) > 126 or _at(data, p) == 92:
            return -1
        p += 1
    return p


@njit(cache=True)
def _word_end(data, p):  # type: ignore[no-untyped-def]
    """Where the null, true or false at p ends; -1 if it is none of them."""
    if (
        _at(data, p) == 110
        and _at(data, p + 1) == 117
        and _at(data, p + 2) == 108
        and _at(data, p + 3) == 108
    ):
        return p + 4
    if (
        _at(data, p) == 116
        and _at(data, p + 1) == 114
        and _at(data, p + 2) == 117
        and _at(data, p + 3) == 101
    ):
        return p + 4
    if (
        _at(data, p) == 102
        and _at(data, p + 1) == 97
        and _at(data, p + 2) == 108
        and _at(data, p + 3) == 115
        and _at(data, p + 4) == 101
    ):
        return p + 5
    return -1


@njit(cache=True)
def _key_length(data, p, keys, row):  # type: ignore[no-untyped-def]
    """Bytes of known key `row`, its closing quote included, if that is what stands at p, else 0."""
    k = 0
    while _at(data, p + k) == keys[row, k]:
        if _at(data, p + k) == 34:
            return k + 1
        k += 1
    return 0


@njit(cache=True)
def _fix(data, p, n, most, tables, guess, numbers, device_span):  # type: ignore[no-untyped-def]
    """Read the object at p as fix n; where it ends, or -1. guess[k]: the known key that last came k-th."""
    keys, bounds, tens, powers = tables
    device = keys.shape[0] - 1
    stored = numbers.shape[0]
    for column in range(3, stored):
        numbers[column, n] = np.nan
    if _at(data, p) != 123:
        return -1
    seen = 0
    position = 0
    while True:
        p = _space(data, p + 1)
        if _at(data, p) != 34:
            return -1
        p += 1
        row = guess[position]
        length = _key_length(data, p, keys, row)
        if length == 0:
            row = 0
            while row <= device:
                length = _key_length(data, p, keys, row)
                if length > 0:
                    break
                row += 1
        if length > 0:
            p += length
            if seen & (1 << row):
                return -1
            guess[position] = row
            if position < guess.shape[0] - 1:
                position += 1
        else:
            p = _string_end(data, p) + 1
            if p == 0:
                return -1
        p = _space(data, p)
        if _at(data, p) != 58:
            return -1
        p = _space(data, p + 1)
        byte = _at(data, p)
        if byte == 34:
            if row < device:
                return -1
            start = p + 1
            end = _string_end(data, start)
            if end < 0:
                return -1
            p = end + 1
            if row == device:
                if end == start or end - start > most:
                    return -1
                device_span[n, 0] = start
                device_span[n, 1] = end
                seen |= 1 << device
        elif byte == 110 or byte == 116 or byte == 102:
            if row <= device and byte != 110:
                return -1
            p = _word_end(data, p)
            if p < 0:
                return -1
        else:
            value, p = _number(data, p, tens, powers)
            if p < 0 or row == device:
                return -1
            if row < device:
                if not bounds[row, 0] <= value <= bounds[row, 1]:
                    return -1
                seen |= 1 << row
                if row < stored:
                    numbers[row, n] = value
        p = _space(data, p)
        if _at(data, p) == 125:
            break
        if _at(data, p) != 44:
            return -1
    needed = 7 | 1 << device
    return p + 1 if seen & needed == needed else -1


@njit(cache=True, nogil=True)
def _scan(data, span, limits, tables, numbers, message_index, device_span, read):  # type: ignore[no-untyped-def]
    """Read every message; how many fixes there are. A message that is declined leaves no fix."""
    guess = np.zeros(16, np.int64)
    n = 0
    for message in range(span.shape[0]):
        start, end = span[message]
        read[message] = end < start
        if end < start or end - start > limits[0] or end >= data.shape[0] or data[end] != 0:
            continue
        kept = n
        p = _space(data, start)
        array = _at(data, p) == 91
        if array:
            p = _space(data, p + 1)
        while True:
            p = _fix(data, p, n, limits[1], tables, guess, numbers, device_span)
            if p < 0:
                break
            message_index[n] = message
            n += 1
            p = _space(data, p)
            if not array:
                break
            if _at(data, p) == 93:
                p = _space(data, p + 1)
                break
            if _at(data, p) != 44:
                p = -1
                break
            p = _space(data, p + 1)
        read[message] = p == end
        if not read[message]:
            n = kept
    return n
