"""The GPS error is the process it says it is, the same for the same seed, and its fit recovers it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from geo.geodesy import from_local, to_local
from geo.graph import F64
from models.simulation.foot_tracks import foot_tracks
from models.simulation.gps_error import ACCURACY_SCORES, GpsError, apply, first_order, second_order
from models.simulation.gps_error_fit import fit
from models.simulation.gps_error_slow import fit_slow

STORED = Path(__file__).resolve().parents[2] / "data" / "traces" / "lyon" / "gps_error.json"
PLAIN = GpsError(
    tau_s=4.0,
    sigma_base_m=1.0,
    sigma_per_accuracy=0.25,
    slow_share=0.0,
    slow_tau_s=60.0,
    accuracy_m=(8.0,) * len(ACCURACY_SCORES),
    accuracy_tau_s=30.0,
    interval_s=(1.0,),
    gaps_per_hour=0.0,
    gap_s=(0.0,),
    jumps_per_hour=0.0,
    jump_m=(0.0,),
    jump_s=(0.0,),
    walks=3,
    fixes=1000,
    misfit=0.0,
)


@dataclass(frozen=True, eq=False)
class Track:
    ts: F64
    lat: F64
    lon: F64
    accuracy_m: F64
    speed_mps: F64
    bearing_deg: F64


def stored() -> GpsError:
    return GpsError.from_dict(orjson.loads(STORED.read_bytes())["gps_error"])


def straight(seconds: int, mps: float = 1.4) -> tuple[F64, F64, F64]:
    """(ts, lat, lon) of somebody who walks north-east in Lyon."""
    ts = np.arange(float(seconds))
    lat, lon = from_local(ts * mps * math.sqrt(0.5), ts * mps * math.sqrt(0.5), 45.75, 4.85)
    return ts, lat, lon


def errors(error: GpsError, seconds: int, seed: int) -> tuple[F64, F64, F64]:
    """Times of the fixes and how far off each is, east and north, in metres."""
    ts, lat, lon = straight(seconds)
    when, noisy_lat, noisy_lon, _ = apply(error, ts, lat, lon, seed)
    x, y = to_local(noisy_lat, noisy_lon, 45.75, 4.85)
    return when, x - when * 1.4 * math.sqrt(0.5), y - when * 1.4 * math.sqrt(0.5)


def phone(error: GpsError, seed: int, seconds: int = 1500) -> Track:
    ts, lat, lon = straight(seconds)
    when, noisy_lat, noisy_lon, accuracy_m = apply(error, ts, lat, lon, seed)
    there = np.ones_like(when)
    return Track(when, noisy_lat, noisy_lon, accuracy_m, 1.4 * there, 45.0 * there)


def test_the_error_has_the_variance_and_the_autocorrelation_of_its_process() -> None:
    found = np.array([errors(PLAIN, 2000, seed)[1:] for seed in range(40)])
    assert found.std() == pytest.approx(3.0, rel=0.05)  # 1 + 0.25 * 8
    assert abs(found.mean()) < 0.3
    for lag in (1, 4, 8, 16):
        r = lag / 4.0
        product = (found[..., lag:] * found[..., :-lag]).mean() / 9.0
        assert product == pytest.approx((1 + r) * math.exp(-r), abs=0.05)


def test_east_and_north_err_independently() -> None:
    found = np.array([errors(PLAIN, 2000, seed)[1:] for seed in range(40)])
    assert abs((found[:, 0] * found[:, 1]).mean()) < 0.5


def test_the_slow_part_has_its_share() -> None:
    error = replace(PLAIN, slow_share=0.5, slow_tau_s=100.0)
    found = np.array([errors(error, 4000, seed)[1:] for seed in range(60)])
    assert (found**2).mean() == pytest.approx(18.0, rel=0.1)
    product = (found[..., 50:] * found[..., :-50]).mean() / 18.0
    assert product == pytest.approx(0.5 * math.exp(-0.5), abs=0.07)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0.01, 30), min_size=1, max_size=20), st.integers(0, 2**32))
def test_series_equal_their_naive_twins(steps: list[float], seed: int) -> None:
    steps_s = np.array(steps)
    tau = 3.0
    # naive: draw every value from the exact Gaussian given all the ones before it
    r = np.abs(np.subtract.outer(np.r_[0, np.cumsum(steps_s)], np.r_[0, np.cumsum(steps_s)])) / tau
    draws = np.random.default_rng(seed).standard_normal(len(steps) + 1)
    naive = np.linalg.cholesky(np.exp(-r) + 1e-12 * np.eye(len(r))) @ draws
    assert first_order(steps_s, tau, np.random.default_rng(seed)) == pytest.approx(naive, abs=1e-4)


def test_second_order_steps_of_any_length_have_the_right_covariance() -> None:
    steps_s = np.array([0.5, 3.0, 0.1, 7.0])
    rng = np.random.default_rng(5)
    many = np.array([second_order(steps_s, 4.0, rng) for _ in range(20_000)])
    r = np.abs(np.subtract.outer(np.r_[0, np.cumsum(steps_s)], np.r_[0, np.cumsum(steps_s)])) / 4.0
    assert np.abs(np.cov(many.T) - (1 + r) * np.exp(-r)).max() < 0.04


def test_the_same_seed_gives_the_same_fixes_and_another_gives_others() -> None:
    ts, lat, lon = straight(600)
    one, again, other = (apply(stored(), ts, lat, lon, seed) for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(one, again, strict=True))
    assert len(one[0]) != len(other[0]) or (one[1] != other[1]).any()


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 900), st.integers(0, 2**32))
def test_fixes_are_ordered_and_within_the_walk(seconds: int, seed: int) -> None:
    ts, lat, lon = straight(seconds)
    when, noisy_lat, noisy_lon, accuracy_m = apply(stored(), ts, lat, lon, seed)
    assert when[0] == 0
    assert when[-1] <= ts[-1]
    assert (np.diff(when) > 0).all()
    assert np.isfinite([noisy_lat, noisy_lon, accuracy_m]).all()
    assert (accuracy_m > 0).all()


def test_gaps_and_jumps_come_at_their_rates() -> None:
    error = replace(PLAIN, gaps_per_hour=20.0, gap_s=(30.0, 60.0), sigma_base_m=0.0, sigma_per_accuracy=0.0)
    when, _, _ = errors(error, 36_000, 1)
    gaps = np.diff(when)[np.diff(when) > 5]
    assert 100 < len(gaps) < 250  # 200 minus what the gaps themselves take
    assert (gaps >= 30).all()
    assert (gaps <= 60).all()
    error = replace(error, gaps_per_hour=0.0, jumps_per_hour=12.0, jump_m=(20.0, 20.0), jump_s=(10.0,))
    _, east, north = errors(error, 36_000, 1)
    off = np.hypot(east, north) > 1e-6
    assert off.sum() == pytest.approx(120 * 10, rel=0.25)
    assert np.hypot(east, north)[off].max() < 61  # several at once add up


def test_the_fit_recovers_the_error_of_made_walks() -> None:
    reported = tuple(np.linspace(3.0, 20.0, len(ACCURACY_SCORES)))
    truth = replace(PLAIN, accuracy_m=reported, accuracy_tau_s=300.0)
    found = fit([phone(truth, seed) for seed in range(30)])
    assert found.tau_s == pytest.approx(4.0, abs=0.8)
    for accuracy in (4.0, 8.0, 15.0):
        assert found.sigma_m(accuracy) == pytest.approx(truth.sigma_m(accuracy), rel=0.15)
    assert found.slow_share == 0
    assert set(found.interval_s) == {1.0}
    assert found.jumps_per_hour == found.gaps_per_hour == 0
    assert np.interp(0, ACCURACY_SCORES, found.accuracy_m) == pytest.approx(11.5, abs=2)


def test_the_slow_part_is_recovered_from_pairs_of_devices() -> None:
    truth = replace(PLAIN, slow_share=0.5, slow_tau_s=80.0)
    pairs = [(phone(truth, seed, 900), phone(truth, 1000 + seed, 900)) for seed in range(40)]
    share, tau_s = fit_slow(pairs, truth.tau_s)
    assert share == pytest.approx(0.5, abs=0.15)
    assert 40 <= tau_s <= 140


def test_bicycles_and_phones_on_tables_are_no_walks() -> None:
    def track(mps: float) -> Track:
        ts, lat, lon = straight(600, mps)
        there = np.ones_like(ts)
        return Track(ts, lat, lon, 5 * there, mps * there, 45 * there)

    assert [len(foot_tracks([track(mps)])) for mps in (0.0, 0.2, 1.3, 1.7, 2.2, 5.0)] == [0, 0, 1, 1, 0, 0]
    with pytest.raises(BadInput, match="2 walks are too few"):
        fit([track(1.3), track(1.3), track(5)])


def test_the_stored_parameters_are_those_of_a_phone_in_a_city() -> None:
    error = stored()
    assert (error.walks, error.fixes) == (83, 63_284)
    assert 2 < error.tau_s < 8
    assert 2 < error.sigma_m(6.0) < 5  # reported 6 m with 68 %: 4.0 m an axis if that were true
    assert error.misfit < 0.15
    assert GpsError.from_dict(orjson.loads(orjson.dumps(error.to_dict()))) == error


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tau_s": 0.0}, "above 0"),
        ({"slow_share": 1.0}, "below 1"),
        ({"accuracy_m": (1.0,)}, "needs 21 quantiles"),
        ({"gap_s": ()}, "gap_s must be finite"),
        ({"jump_m": (math.nan,)}, "jump_m must be finite"),
        ({"sigma_base_m": -1.0}, "sigma_base_m must be finite and not negative"),
    ],
)
def test_senseless_parameters_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        replace(PLAIN, **change)  # type: ignore[arg-type]


def test_a_document_that_lacks_one_is_refused() -> None:
    raw = PLAIN.to_dict()
    del raw["tau_s"]
    with pytest.raises(BadInput, match="tau_s is None"):
        GpsError.from_dict(raw)
    with pytest.raises(BadInput, match="gap_s is"):
        GpsError.from_dict(PLAIN.to_dict() | {"gap_s": ["x"]})


@pytest.mark.parametrize(
    ("ts", "says"),
    [
        ([], "equally many"),
        ([0.0], "equally many"),
        ([1.0, 0.0], "must increase"),
        ([0.0, math.inf], "finite"),
    ],
)
def test_a_walk_that_is_none_is_refused(ts: list[float], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(PLAIN, ts, [45.0, 45.0], [4.0, 4.0], 1)
