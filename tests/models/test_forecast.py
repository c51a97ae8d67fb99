"""Forecasts: learned from the past alone, the same on replay, with errors that are those that happened."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput, BadRecord
from models.world.forecast import FORECAST_STATE, HORIZONS, fold_values, read_forecasts, slot_of
from models.world.forecast_table import ForecastTable

WEEK = 672


def folded(values: list[tuple[int, float]], state: np.ndarray | None = None) -> np.ndarray:
    state = np.zeros(1, FORECAST_STATE) if state is None else state
    for slot, value in values:
        fold_values(state, np.zeros(1, np.int32), np.array([slot]), np.array([value]))
    return state


def day(slot: int) -> float:
    """A day with a busy noon."""
    return 10.0 + 8.0 * math.sin(2.0 * math.pi * (slot % 96) / 96.0)


def test_nothing_is_foreseen_of_what_was_never_seen() -> None:
    assert read_forecasts(np.zeros(1, FORECAST_STATE)[0]) == []


def test_the_first_value_is_foreseen_to_stay_and_its_error_is_unknown() -> None:
    one, three = read_forecasts(folded([(100, 7.0)])[0])
    assert (one.horizon, three.horizon) == HORIZONS
    assert (one.value, three.value) == (7.0, 7.0)
    assert math.isnan(one.error)
    assert (one.low, one.high) == (0.0, math.inf)


def test_a_day_that_repeats_is_foreseen() -> None:
    state = folded([(slot, day(slot)) for slot in range(4 * 96 + 20)])
    for one in read_forecasts(state[0]):
        assert one.value == pytest.approx(day(4 * 96 + 19 + one.horizon), abs=0.7)
        assert one.error < 1.5  # the first day, when nothing was known, counts too
        assert one.low < day(4 * 96 + 19 + one.horizon) < one.high


def test_a_weekend_is_told_from_a_working_day() -> None:
    def usual(slot: int) -> float:
        return 2.0 if slot % WEEK >= 5 * 96 else day(slot)

    last = 5 * WEEK + 5 * 96 - 4  # an hour before the sixth weekend
    state = folded([(slot, usual(slot)) for slot in range(last + 1)])
    one = read_forecasts(state[0])[0]
    assert abs(one.value - 2.0) < abs(one.value - day(last + 4))


def test_what_is_above_usual_fades() -> None:
    values = [(slot, day(slot)) for slot in range(3 * 96)]
    values += [(slot, day(slot) + 6.0) for slot in range(3 * 96, 3 * 96 + 4)]
    for one in read_forecasts(folded(values)[0]):
        assert day(3 * 96 + 3 + one.horizon) < one.value < day(3 * 96 + 3 + one.horizon) + 8.0


def test_one_odd_value_does_not_spoil_what_was_learned() -> None:
    chance = np.random.default_rng(1)
    values = [(slot, day(slot) + float(chance.normal(0.0, 0.5))) for slot in range(5 * 96)]
    odd = [*values[:-6], (values[-6][0], 1e6), *values[-5:]]
    for one, other in zip(read_forecasts(folded(values)[0]), read_forecasts(folded(odd)[0]), strict=True):
        assert other.value == pytest.approx(one.value, abs=2.0)


def test_the_error_is_that_of_the_earlier_forecasts() -> None:
    chance = np.random.default_rng(2)
    state = np.zeros(1, FORECAST_STATE)
    made: dict[tuple[int, int], tuple[float, float, float]] = {}
    off: dict[int, list[float]] = {horizon: [] for horizon in HORIZONS}
    inside: dict[int, list[bool]] = {horizon: [] for horizon in HORIZONS}
    for slot in range(20 * 96):
        value = max(0.0, day(slot) + float(chance.normal(0.0, 1.0)))
        for horizon in HORIZONS:
            if (slot, horizon) in made:
                foreseen, low, high = made[slot, horizon]
                off[horizon].append(abs(foreseen - value))
                inside[horizon].append(low <= value <= high)
        folded([(slot, value)], state)
        for one in read_forecasts(state[0]):
            made[slot + one.horizon, one.horizon] = (one.value, one.low, one.high)
    for one in read_forecasts(state[0]):
        assert one.error == pytest.approx(np.mean(off[one.horizon][-200:]), rel=0.15)
        assert np.mean(inside[one.horizon]) == pytest.approx(0.8, abs=0.03)
        assert one.error < 1.3  # of noise with a mean absolute error of 0.8


slots = st.lists(st.tuples(st.integers(1, 40), st.floats(0.0, 1e6)), max_size=60)


def in_time(drawn: list[tuple[int, float]]) -> list[tuple[int, float]]:
    return [
        (int(slot), value)
        for slot, value in zip(np.cumsum([s for s, _ in drawn]), [v for _, v in drawn], strict=True)
    ]


@settings(deadline=None)
@given(slots, slots, st.integers(0, 60))
def test_the_same_values_give_the_same_bits(
    mine: list[tuple[int, float]], theirs: list[tuple[int, float]], cut: int
) -> None:
    """Beside another series or alone, in one call or in many, kept and put back, with old values again."""
    one, other = in_time(mine), in_time(theirs)
    alone = folded(one)
    both = np.zeros(2, FORECAST_STATE)
    merged = sorted([(s, 1, v) for s, v in one] + [(s, 0, v) for s, v in other])
    if merged:
        slot, row, value = zip(*merged, strict=True)
        fold_values(both, np.array(row, np.int32), np.array(slot), np.array(value, np.float64))
    assert both[1].tobytes() == alone[0].tobytes()
    kept = np.frombuffer(folded(one[:cut]).tobytes(), FORECAST_STATE).copy()
    assert folded(one[max(0, cut - 5) :], kept).tobytes() == alone.tobytes()
    for forecast in read_forecasts(alone[0]):
        assert math.isfinite(forecast.value)
        assert 0.0 <= forecast.low <= forecast.value <= forecast.high


def test_a_table_keeps_series_by_key_and_refuses_damage() -> None:
    table, other = ForecastTable(), ForecastTable()
    for slot in range(200):
        table.fold(slot, {f"k{k}": day(slot) + k for k in range(70)})
    other.load("k69", table.pack("k69"))
    assert other.features("k69", "x", 2) == table.features("k69", "x", 2)
    assert set(table.features("k0", "x", 2)) == {
        f"x_{ahead}{what}" for ahead in ("1h", "3h") for what in ("", "_error", "_within")
    }
    assert table.pack("nobody") == b""
    assert table.features("nobody", "x", 2) == {}
    with pytest.raises(BadRecord, match="k1 has 3 bytes"):
        other.load("k1", b"abc")


def test_what_cannot_be_is_refused() -> None:
    row, slot = np.zeros(1, np.int32), np.array([1])
    for value in (-1.0, math.nan, math.inf):
        with pytest.raises(BadInput, match="negative or not finite"):
            fold_values(np.zeros(1, FORECAST_STATE), row, slot, np.array([value]))
    with pytest.raises(BadInput, match="FORECAST_STATE"):
        fold_values(np.zeros(1), row, slot, np.array([1.0]))
    assert (slot_of(899.9), slot_of(900.0)) == (0, 1)
