"""Simulated walkers: a person walks along a path at a pace like that of the real walks.

A walker has a mean pace (quick and slow people), goes a little faster or slower from minute to minute,
and stands still now and then (crossings, shop windows). All three are fitted on the real tracks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from geo.errors import BadInput
from geo.geodesy import haversine_m
from geo.graph import F64
from models.parameters import Parameters
from models.simulation.foot_tracks import FootTrack, Track, foot_tracks, span_speeds
from models.simulation.gps_error import MAX_FIXES, draw, first_order

STANDING_MPS = 0.3  # slower than that over STOP_SPAN_S is a stop: GPS error alone makes about 0.2
STOP_SPAN_S = 10.0
STOP_REACH_M = 6.0  # a stop lasts while the walker stays so near to where it began
MOVING_MPS = 0.6
SLOWEST = 0.4  # of the mean pace: slower is a stop, which is drawn apart
_LAGS_S = np.array([2.0, 3.0, 5.0, 8.0])
_SHARES = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Pace(Parameters):
    """How people walk. Tuples are quantiles at evenly spaced shares 0..1."""

    _what = "pace"

    mean_mps: tuple[float, ...]  # over the walkers, while they move
    variation: float  # standard deviation of a walker's pace, as a share of the mean
    variation_tau_s: float  # its correlation time
    stops_per_hour: float  # of moving
    stop_s: tuple[float, ...]
    walks: int

    def __post_init__(self) -> None:
        for field in fields(self):
            values = np.atleast_1d(np.asarray(getattr(self, field.name), np.float64))
            if len(values) == 0 or not np.isfinite(values).all() or (values < 0).any():
                raise BadInput(f"pace: {field.name} must be finite and not negative, not {values}")
        if min(self.mean_mps) < 0.1 or self.variation_tau_s <= 0:
            raise BadInput("pace: nobody walks slower than 0.1 m/s, and variation_tau_s must be above 0")


@dataclass(frozen=True, eq=False)
class Walk:
    """Where a simulated walker truly was: n times and positions, and metres along the path."""

    ts: F64
    lat: F64
    lon: F64
    along_m: F64


def walk(
    lat: ArrayLike, lon: ArrayLike, pace: Pace, seed: int, start_ts: float = 0.0, interval_s: float = 1.0
) -> Walk:
    """One person's way along a path of m >= 2 points, every `interval_s` seconds until its end.

    The last point is the path's end, at the moment the walker gets there. The same seed gives the same
    walk. Raises BadInput for a path that cannot be walked.
    """
    path_lat, path_lon = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    if path_lat.ndim != 1 or path_lat.shape != path_lon.shape or len(path_lat) < 2:
        raise BadInput(f"a path needs two points or more, not {path_lat.shape} and {path_lon.shape}")
    if not (np.isfinite(path_lat).all() and np.isfinite(path_lon).all()):
        raise BadInput("a path's points must be finite")
    if not interval_s > 0:
        raise BadInput(f"the interval is {interval_s} s, it must be above 0")
    at_m = np.concatenate(
        ([0.0], np.cumsum(haversine_m(path_lat[:-1], path_lon[:-1], path_lat[1:], path_lon[1:])))
    )
    length_m = float(at_m[-1])
    rng = np.random.default_rng(seed)
    mean_mps = float(draw(pace.mean_mps, rng, 1)[0])
    if length_m / (mean_mps * SLOWEST * interval_s) > MAX_FIXES:
        raise BadInput(f"a path of {length_m / 1000:.0f} km is too long to be walked every {interval_s} s")
    when, along = [0.0], [0.0]
    while along[-1] < length_m:
        steps = np.full(512, interval_s)
        swing = 1 + pace.variation * first_order(steps[1:], pace.variation_tau_s, rng)
        # a stretch of pace at a time: each begins anew, which a walker's variation easily does
        _advance(when, along, steps, mean_mps * np.maximum(swing, SLOWEST), pace, rng, length_m)
    moved, clock = np.array(along), np.array(when)
    # the moment of arrival lies within the last step
    clock[-1] = float(np.interp(length_m, moved[-2:], clock[-2:])) if len(moved) > 1 else 0.0
    moved[-1] = length_m
    return Walk(start_ts + clock, np.interp(moved, at_m, path_lat), np.interp(moved, at_m, path_lon), moved)


def _advance(
    when: list[float],
    along: list[float],
    steps: F64,
    speed_mps: F64,
    pace: Pace,
    rng: np.random.Generator,
    length_m: float,
) -> None:
    """Append steps until the path or the stretch ends; a stop is as many steps of standing."""
    stops = rng.random(len(steps)) < pace.stops_per_hour / 3600.0 * steps
    standing = draw(pace.stop_s, rng, len(steps))
    for step, speed, stop, seconds in zip(steps, speed_mps, stops, standing, strict=True):
        if stop:
            for _ in range(math.ceil(seconds / step)):
                when.append(when[-1] + step)
                along.append(along[-1])
        when.append(when[-1] + step)
        along.append(along[-1] + speed * step)
        if along[-1] >= length_m:
            return


def fit_pace(tracks: Iterable[Track]) -> Pace:
    """The pace of the walks among `tracks`; raises BadInput when they are too few to tell.

    A walker's mean is that of displacements over 20 s, where the error of the positions hardly counts. Its
    variation is that of the velocity the phones measure themselves (Doppler): the autocovariance at lags of
    2 to 8 s is extrapolated to lag 0 as an exponential, which leaves out the noise of single measurements.
    """
    walks = foot_tracks(tracks)
    if len(walks) < 3:
        raise BadInput(f"{len(walks)} walks are too few to fit a pace, 3 are needed")
    means = []
    stop_s: list[float] = []
    products, counts = np.zeros(len(_LAGS_S)), np.zeros(len(_LAGS_S))
    for one in walks:
        speed = span_speeds(one)[1]
        moving = speed[speed > MOVING_MPS]
        if len(moving):
            means.append(float(moving.mean()))
        stop_s.extend(_stops(one))
        _add_products(one, products, counts)
    if counts.min() == 0 or (products <= 0).any() or not stop_s:
        raise BadInput("the walks have too few measured speeds or stops to fit a pace")
    slope, at_zero = np.polyfit(_LAGS_S, np.log(products / counts), 1)
    standing = np.array(stop_s)
    hours = (sum(float(one.ts[-1] - one.ts[0]) for one in walks) - float(standing.sum())) / 3600
    return Pace(
        mean_mps=tuple(round(float(value), 3) for value in np.quantile(means, _SHARES)),
        variation=round(float(np.exp(at_zero / 2)), 4),
        variation_tau_s=round(-1 / min(float(slope), -1e-3), 1),
        stops_per_hour=round(len(standing) / hours, 2),
        stop_s=tuple(round(float(value), 1) for value in np.quantile(standing, _SHARES)),
        walks=len(walks),
    )


def _add_products(one: FootTrack, products: F64, counts: F64) -> None:
    """Add the products of relative speed deviations at each lag, of moments at which the walker moved."""
    speed = np.hypot(*one.velocity.T)
    moving = speed > MOVING_MPS
    if not moving.any():
        return
    swing = speed / speed[moving].mean() - 1
    for k, lag in enumerate(_LAGS_S):
        later = np.searchsorted(one.ts, one.ts + lag - 0.3)
        first = np.flatnonzero((later < len(one.ts)) & moving)
        second = later[first]
        good = moving[second] & (np.abs(one.ts[second] - one.ts[first] - lag) < 0.5)
        products[k] += float((swing[first[good]] * swing[second[good]]).sum())
        counts[k] += int(good.sum())


def _stops(one: FootTrack) -> list[float]:
    """Seconds of each stop."""
    end = np.searchsorted(one.ts, one.ts + STOP_SPAN_S)
    found: list[float] = []
    i = 0
    while i < len(end) and end[i] < len(end):
        j = int(end[i])
        far, took = math.hypot(one.x[j] - one.x[i], one.y[j] - one.y[i]), one.ts[j] - one.ts[i]
        if took > 2 * STOP_SPAN_S or far >= STANDING_MPS * took:
            i += 1
            continue
        # it lasts as long as the walker stays near where it began
        while (
            j + 1 < len(end) and math.hypot(one.x[j + 1] - one.x[i], one.y[j + 1] - one.y[i]) < STOP_REACH_M
        ):
            j += 1
        found.append(float(one.ts[j] - one.ts[i]))
        i = j + 1
    return found
