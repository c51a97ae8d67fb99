"""Features: declared once, in the order the kernel writes them, and packed so that nobody misreads them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from geo.errors import BadInput
from models.features import (
    CELL_FEATURES,
    EDGE_FEATURES,
    FEATURES,
    WALKER_FEATURES,
    WALKER_WINDOWS,
    pack_features,
    unpack_features,
)
from models.records import EdgeCondition

VALUES = np.arange(len(WALKER_FEATURES), dtype=np.float32) * 1.5


def packed(event_ts, values):
    """One walker's value."""
    (value,) = pack_features(np.array([event_ts]), values[None, :])
    return value


def test_columns_of_the_kernel():
    assert tuple(f.name for f in WALKER_FEATURES) == WALKER_WINDOWS.names


def test_conditions_are_fields_of_the_record():
    fields = {f.name for f in dataclasses.fields(EdgeCondition)}
    assert {f.name for f in CELL_FEATURES + EDGE_FEATURES} <= fields


def test_names_are_unique_and_complete():
    assert len({(f.entity, f.name) for f in FEATURES}) == len(FEATURES)
    for f in FEATURES:
        assert f.meaning
        assert f.topic in {"gps-fixes", "traffic-reports", "weather-reports", "cell-observations"}
        assert f.window_s == 0 or f.window_s % f.hop_s == 0
        assert math.isfinite(f.default)


def test_there_and_back():
    event_ts, features = unpack_features(packed(1_705_602_000.125, VALUES))
    assert event_ts == 1_705_602_000.125
    assert list(features.values()) == VALUES.tolist()
    assert tuple(features) == WALKER_WINDOWS.names


def test_unknown_becomes_the_default():
    values = VALUES.copy()
    values[0] = math.nan
    assert unpack_features(packed(0.0, values))[1]["pace_mps_60s"] == WALKER_FEATURES[0].default


def test_bytes_are_pinned():
    """These lie in online stores: a change here needs everything stored anew."""
    assert packed(1_705_602_000.0, VALUES).hex() == (
        "bc955d08000000f45a6ad941"
        "000000000000c03f00004040000090400000c0400000f0400000104100002841000040410000584100007041"
        "000084410000904100009c410000a8410000b441"
    )


@pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"\0\0\0\0" + b[4:]])
def test_other_bytes_are_refused(spoil):
    with pytest.raises(BadInput, match="store them anew"):
        unpack_features(spoil(packed(1.0, VALUES)))


def test_a_wrong_shape_is_refused():
    with pytest.raises(BadInput, match="shape"):
        packed(1.0, VALUES[:-1])
