"""The slow part of a GPS error, from walks that two devices recorded at once.

A track alone cannot show an error that lasts for minutes. The difference of two devices carried by one
walker can: it is the sum of two errors, whatever the walk. Its autocorrelation falls within seconds to
about a half and then only over minutes; share and correlation time of that second part are fitted here.
Both devices are taken to err alike, and what they share (the sky, the reflecting walls) cancels out, so
the slow part may be larger than this says.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from geo.errors import BadInput
from geo.geodesy import to_local
from geo.graph import F64
from models.simulation.foot_tracks import Track

LAG_STEP_S = 8.0
LAGS_S = np.arange(0.0, 129.0, LAG_STEP_S)
CLOCK_OFFSETS_S = np.arange(-15.0, 15.25, 0.5)  # devices differ by seconds in what they call now
MIN_COMMON = 5


def fit_slow(pairs: Iterable[tuple[Track, Track]], tau_s: float) -> tuple[float, float]:
    """(share of the variance, correlation time in s) of the slow part, beside a fast one of `tau_s`.

    `pairs`: two recordings of the same walk at the same time. Raises BadInput when they tell nothing.
    """
    products, weights = np.zeros(len(LAGS_S)), np.zeros(len(LAGS_S))
    for one, other in pairs:
        when, off = _difference(one, other)
        lag = np.rint(np.abs(np.subtract.outer(when, when)) / LAG_STEP_S).astype(np.int64)
        inside = lag < len(LAGS_S)
        for axis in off.T:
            # a walk counts by how well it was sampled, not by how bad its reception was
            product = np.multiply.outer(axis, axis) / np.mean(off**2)
            products += np.bincount(lag[inside], product[inside], len(LAGS_S))
            weights += np.bincount(lag[inside], minlength=len(LAGS_S))
    seen = weights > 0
    seen[0] = False  # a point with itself
    if seen.sum() < 4:
        raise BadInput("the pairs of recordings are too few or too short to show a slow GPS error")
    observed = products[seen] / weights[seen]
    r = LAGS_S[seen] / tau_s
    fast = (1 + r) * np.exp(-r)
    best = (np.inf, 0.0, 0.0)
    for slow_tau_s in np.arange(10.0, 301.0, 5.0):
        slow = np.exp(-LAGS_S[seen] / slow_tau_s) - fast
        root = np.sqrt(weights[seen])
        share = float(np.clip((slow * (observed - fast) * root).sum() / (slow**2 * root).sum(), 0, 0.95))
        misfit = float(((observed - fast - share * slow) ** 2 * root).sum())
        if misfit < best[0]:
            best = (misfit, share, float(slow_tau_s))
    return round(best[1], 3), best[2]


def _difference(one: Track, other: Track) -> tuple[F64, F64]:
    """Times and (n, 2) metres from `one` to `other`, their clocks set so that they differ least."""
    lat0, lon0 = float(one.lat[0]), float(one.lon[0])
    x, y = to_local(one.lat, one.lon, lat0, lon0)
    other_x, other_y = to_local(other.lat, other.lon, lat0, lon0)
    best: tuple[float, F64, F64] = (np.inf, np.zeros(0), np.zeros((0, 2)))
    for offset in CLOCK_OFFSETS_S:
        when = one.ts + offset
        common = (when >= other.ts[0]) & (when <= other.ts[-1])
        if common.sum() < max(MIN_COMMON, len(when) // 2):
            continue
        off = np.column_stack(
            (
                np.interp(when[common], other.ts, other_x) - x[common],
                np.interp(when[common], other.ts, other_y) - y[common],
            )
        )
        square = float(np.mean(off**2))
        if square < best[0]:
            best = (square, one.ts[common], off)
    return best[1], best[2]
