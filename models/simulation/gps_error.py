"""GPS error as phones really have it: correlated in time, tied to the reported accuracy, with gaps and jumps.

The error of each axis is the sum of two Gauss-Markov processes (Gelb, Applied Optimal Estimation, 1974,
section 3.8): a fast one of second order, autocorrelation (1 + d/tau) exp(-d/tau) at lag d, and a slow one
of first order, exp(-d/tau). A phone's position comes out of a filter, so its error is smooth from one
second to the next, and a first-order process alone fits the real tracks worse
(`models.simulation.gps_error_fit`); what stays for minutes shows only between two devices
(`models.simulation.gps_error_slow`). Sampling, gaps, jumps and accuracies are drawn from the distributions
of the real tracks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from geo.errors import BadInput
from geo.geodesy import from_local, to_local
from geo.graph import F64
from models.parameters import Parameters

#: Normal scores at which the reported accuracy's quantiles are kept.
ACCURACY_SCORES: F64 = np.linspace(-2.5, 2.5, 21)
MAX_FIXES = 10_000_000


@dataclass(frozen=True)
class GpsError(Parameters):
    """The fitted parameters. Tuples are quantiles at evenly spaced shares 0..1 unless said otherwise."""

    _what = "GPS error"

    tau_s: float  # correlation time of the fast part
    sigma_base_m: float  # its standard deviation per axis is sigma_base_m + sigma_per_accuracy * accuracy_m
    sigma_per_accuracy: float
    slow_share: float  # of the whole variance that the slow part makes up, 0..1, 1 excluded
    slow_tau_s: float  # its correlation time
    accuracy_m: tuple[float, ...]  # reported accuracy at the normal scores ACCURACY_SCORES
    accuracy_tau_s: float  # correlation time of its normal score
    interval_s: tuple[float, ...]  # between fixes, where there is no gap
    gaps_per_hour: float
    gap_s: tuple[float, ...]
    jumps_per_hour: float
    jump_m: tuple[float, ...]  # how far off at once
    jump_s: tuple[float, ...]  # and for how long
    walks: int  # fitted on so many walks
    fixes: int
    misfit: float  # root mean square of log(observed / modelled) residual of the smoothed tracks

    def __post_init__(self) -> None:
        for field in fields(self):
            values = np.atleast_1d(np.asarray(getattr(self, field.name), np.float64))
            if len(values) == 0 or not np.isfinite(values).all() or (values < 0).any():
                raise BadInput(f"GPS error: {field.name} must be finite and not negative, not {values}")
        if len(self.accuracy_m) != len(ACCURACY_SCORES):
            raise BadInput(f"GPS error: accuracy_m needs {len(ACCURACY_SCORES)} quantiles")
        if min(self.tau_s, self.slow_tau_s, self.accuracy_tau_s, self.interval_s[0]) <= 0:
            raise BadInput("GPS error: correlation times and intervals must be above 0")
        if self.slow_share >= 1:
            raise BadInput(f"GPS error: slow_share is {self.slow_share}, it must be below 1")

    def sigma_m(self, accuracy_m: ArrayLike) -> F64:
        """Standard deviation in metres of each axis, both parts, where these accuracies are reported."""
        fast: F64 = self.sigma_base_m + self.sigma_per_accuracy * np.asarray(accuracy_m, np.float64)
        return fast / math.sqrt(1 - self.slow_share)


def apply(
    error: GpsError, ts: ArrayLike, lat: ArrayLike, lon: ArrayLike, seed: int
) -> tuple[F64, F64, F64, F64]:
    """What a phone would have reported of a true walk: (ts, lat, lon, accuracy_m), as many as it sampled.

    `ts` (n,) strictly increasing seconds, `lat`, `lon` (n,) the true positions, between which the walk is
    straight; n >= 1. The first fix is at ts[0]. The same seed gives the same fixes. Raises BadInput.
    """
    true_ts, true_lat, true_lon = (np.asarray(a, np.float64) for a in (ts, lat, lon))
    if true_ts.ndim != 1 or len(true_ts) == 0 or not true_ts.shape == true_lat.shape == true_lon.shape:
        raise BadInput(f"a true walk needs equally many times and positions, not {true_ts.shape}")
    if not np.isfinite([true_ts, true_lat, true_lon]).all() or (np.diff(true_ts) <= 0).any():
        raise BadInput("a true walk's times must increase and its positions be finite")
    rng = np.random.default_rng(seed)
    when = _sample_times(error, float(true_ts[0]), float(true_ts[-1]), rng)
    lat0, lon0 = float(true_lat[0]), float(true_lon[0])
    true_x, true_y = to_local(true_lat, true_lon, lat0, lon0)
    x, y = np.interp(when, true_ts, true_x), np.interp(when, true_ts, true_y)
    score = first_order(np.diff(when), error.accuracy_tau_s, rng)
    accuracy_m: F64 = np.interp(score, ACCURACY_SCORES, error.accuracy_m)
    sigma = error.sigma_m(accuracy_m)
    x = x + sigma * _both_parts(error, np.diff(when), rng)
    y = y + sigma * _both_parts(error, np.diff(when), rng)
    _jump(error, when, x, y, rng)
    noisy_lat, noisy_lon = from_local(x, y, lat0, lon0)
    return when, noisy_lat, noisy_lon, accuracy_m


def _both_parts(error: GpsError, steps_s: F64, rng: np.random.Generator) -> F64:
    """One axis's error in units of its standard deviation."""
    fast = math.sqrt(1 - error.slow_share) * second_order(steps_s, error.tau_s, rng)
    return fast + math.sqrt(error.slow_share) * first_order(steps_s, error.slow_tau_s, rng)


def second_order(steps_s: F64, tau_s: float, rng: np.random.Generator) -> F64:
    """A second-order Gauss-Markov series of unit variance, (n + 1,) values `steps_s` (n,) apart.

    The exact discretization of e'' + 2/tau e' + e/tau^2 = noise, so that steps of any length are right.
    """
    noise = rng.standard_normal((len(steps_s) + 1, 2))
    decay = np.exp(-steps_s / tau_s)
    r = steps_s / tau_s
    # in units of sigma for e and sigma/tau for e'; the stationary covariance is then the unit matrix
    a, b, c, d = decay * (1 + r), decay * r, -decay * r, decay * (1 - r)
    q11 = np.maximum(1 - a * a - b * b, 0)
    q12 = -(a * c + b * d)
    q22 = np.maximum(1 - c * c - d * d, 0)
    l11 = np.sqrt(q11)
    l21 = np.divide(q12, l11, out=np.zeros_like(q12), where=l11 > 0)
    l22 = np.sqrt(np.maximum(q22 - l21 * l21, 0))
    out = np.empty(len(steps_s) + 1)
    value, slope = float(noise[0, 0]), float(noise[0, 1])
    out[0] = value
    for i in range(len(steps_s)):
        one, two = noise[i + 1]
        value, slope = (
            a[i] * value + b[i] * slope + l11[i] * one,
            c[i] * value + d[i] * slope + l21[i] * one + l22[i] * two,
        )
        out[i + 1] = value
    return out


def first_order(steps_s: F64, tau_s: float, rng: np.random.Generator) -> F64:
    """A first-order Gauss-Markov series of unit variance at the given steps."""
    noise = rng.standard_normal(len(steps_s) + 1)
    keep = np.exp(-steps_s / tau_s)
    fresh = np.sqrt(1 - keep * keep)
    out = np.empty(len(steps_s) + 1)
    out[0] = noise[0]
    for i in range(len(steps_s)):
        out[i + 1] = keep[i] * out[i] + fresh[i] * noise[i + 1]
    return out


def draw(quantiles: tuple[float, ...], rng: np.random.Generator, count: int) -> F64:
    """`count` values with the distribution of these quantiles."""
    values: F64 = np.interp(rng.random(count), np.linspace(0, 1, len(quantiles)), quantiles)
    return values


def _sample_times(error: GpsError, start: float, end: float, rng: np.random.Generator) -> F64:
    """Times of fixes from `start` to at most `end`."""
    chunks = [np.array([start])]
    last, count = start, 1
    while last < end:
        steps = draw(error.interval_s, rng, 1024)
        gap = rng.random(1024) < error.gaps_per_hour / 3600.0 * steps
        steps = np.where(gap, draw(error.gap_s, rng, 1024), steps)
        chunk = last + np.cumsum(steps)
        last, count = float(chunk[-1]), count + len(chunk)
        chunks.append(chunk[chunk <= end])
        if count > MAX_FIXES:
            raise BadInput(f"a walk of {end - start:.0f} s has more than {MAX_FIXES} fixes")
    return np.concatenate(chunks)


def _jump(error: GpsError, when: F64, x: F64, y: F64, rng: np.random.Generator) -> None:
    """Throw the positions off here and there; `x` and `y` are changed in place."""
    count = int(rng.poisson(error.jumps_per_hour * (when[-1] - when[0]) / 3600.0))
    starts = when[0] + rng.random(count) * (when[-1] - when[0])
    far, lasting = draw(error.jump_m, rng, count), draw(error.jump_s, rng, count)
    for start, metres, seconds, angle in zip(starts, far, lasting, rng.random(count) * math.tau, strict=True):
        off = (when >= start) & (when < start + seconds)
        x[off] += metres * math.sin(angle)
        y[off] += metres * math.cos(angle)
