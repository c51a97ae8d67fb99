"""Simulated walkers follow their path at a human pace, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from geo.geodesy import from_local, haversine_m
from models.simulation.walkers import Pace, walk

STORED = Path(__file__).resolve().parents[2] / "data" / "traces" / "lyon" / "gps_error.json"
STEADY = Pace(
    mean_mps=(1.25,), variation=0.0, variation_tau_s=5.0, stops_per_hour=0.0, stop_s=(0.0,), walks=3
)


def stored() -> Pace:
    return Pace.from_dict(orjson.loads(STORED.read_bytes())["pace"])


def path_of(*corners: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.array(corners, np.float64).T
    return from_local(x, y, 55.68, 12.57)


def test_a_steady_walker_is_where_arithmetic_says() -> None:
    lat, lon = path_of((0, 0), (30, 0), (30, 40))
    found = walk(lat, lon, STEADY, 1, start_ts=1000.0)
    assert found.ts[0] == 1000
    assert found.ts[-1] == pytest.approx(1000 + 70 / 1.25, abs=1e-3)
    assert np.diff(found.ts)[:-1] == pytest.approx(1.0)
    assert np.diff(found.along_m)[:-1] == pytest.approx(1.25, rel=1e-6)
    assert (found.lat[-1], found.lon[-1]) == pytest.approx((lat[-1], lon[-1]), abs=1e-9)
    at_corner = np.searchsorted(found.along_m, 30)
    assert found.lat[:at_corner] == pytest.approx(lat[0], abs=1e-7)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=2, max_size=8),
    st.integers(0, 2**32),
    st.sampled_from([0.5, 1.0, 5.0]),
)
def test_walkers_stay_on_their_path_and_arrive(
    corners: list[tuple[float, float]], seed: int, interval_s: float
) -> None:
    lat, lon = path_of(*corners)
    found = walk(lat, lon, stored(), seed, 0.0, interval_s)
    assert (np.diff(found.ts) >= 0).all()
    assert (np.diff(found.along_m) >= 0).all()
    length_m = float(haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:]).sum())
    assert found.along_m[-1] == pytest.approx(length_m)
    moved = haversine_m(found.lat[:-1], found.lon[:-1], found.lat[1:], found.lon[1:])
    assert (moved <= np.diff(found.along_m) + 1e-3).all()  # corners are cut, never stretched
    again = walk(lat, lon, stored(), seed, 0.0, interval_s)
    assert (again.ts == found.ts).all()
    assert (again.lat == found.lat).all()


def test_a_path_of_no_length_is_arrived_at_once() -> None:
    found = walk([55.0, 55.0], [12.0, 12.0], stored(), 1, 7.0)
    assert list(found.ts) == [7.0]


def test_walkers_walk_like_the_real_ones() -> None:
    lat, lon = path_of((0, 0), (4000, 0))
    pace = stored()
    walks = [walk(lat, lon, pace, seed) for seed in range(60)]
    mean = [one.along_m[-1] / one.ts[-1] for one in walks]
    assert 1.2 < np.mean(mean) < 1.5  # stops included
    assert np.min(mean) > 0.8
    standing = sum(float((np.diff(one.along_m) == 0).sum()) for one in walks)
    hours = sum(float(one.ts[-1]) for one in walks) / 3600
    expected = pace.stops_per_hour * float(np.mean(pace.stop_s))
    assert standing / (hours - standing / 3600) == pytest.approx(expected, rel=0.35)


def test_stops_last_as_drawn() -> None:
    pace = replace(STEADY, stops_per_hour=60.0, stop_s=(20.0,))
    found = walk(*path_of((0, 0), (3000, 0)), pace, 2)
    still = np.diff(found.along_m) == 0
    edges = np.flatnonzero(np.diff(np.r_[0, still, 0]))
    runs = edges[1::2] - edges[::2]
    assert len(runs) > 10
    assert (runs % 20 == 0).all()


def test_the_stored_pace_is_human() -> None:
    pace = stored()
    assert pace.walks == 83
    assert 1.0 <= pace.mean_mps[0] <= pace.mean_mps[50] <= pace.mean_mps[-1] <= 1.8
    assert 0.1 < pace.variation < 0.35
    assert Pace.from_dict(orjson.loads(orjson.dumps(pace.to_dict()))) == pace


@pytest.mark.parametrize(
    ("lat", "lon", "interval_s", "says"),
    [
        ([55.0], [12.0], 1.0, "two points or more"),
        ([55.0, 56.0], [12.0], 1.0, "two points or more"),
        ([55.0, np.nan], [12.0, 12.0], 1.0, "finite"),
        ([55.0, 55.1], [12.0, 12.0], 0.0, "interval is 0"),
        ([-89.0, 89.0], [12.0, 12.0], 0.001, "too long"),
    ],
)
def test_what_cannot_be_walked_is_refused(
    lat: list[float], lon: list[float], interval_s: float, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        walk(lat, lon, STEADY, 1, 0.0, interval_s)


def test_senseless_paces_are_refused() -> None:
    with pytest.raises(BadInput, match="slower than"):
        replace(STEADY, mean_mps=(0.0, 1.0))
    with pytest.raises(BadInput, match="variation must be finite"):
        replace(STEADY, variation=-0.1)
    with pytest.raises(BadInput, match="stop_s is None"):
        Pace.from_dict({key: value for key, value in STEADY.to_dict().items() if key != "stop_s"})
