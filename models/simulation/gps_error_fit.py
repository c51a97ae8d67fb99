"""Fits `GpsError` to recorded walks whose true positions nobody knows.

The smoother. A phone measures its velocity (Doppler) apart from its position, so position minus the
summed velocity is the position's error plus a slowly drifting part, whatever the shape of the walk. In
windows of 8 to 60 s a straight line in time is fitted to that difference (which removes the drift and
any constant error) and the mean square of what is left is taken, per class of reported accuracy. A
Gauss-Markov error leaves a known share of its variance in such a residual: tau is the value for which
one sigma a class explains the residuals at all window lengths, sigma is what remains to be scaled.

Its limits. Error that stays the same for a minute (a whole street seen five metres to the left) is removed
with the drift and cannot be seen; device filters that steer the position by the velocity make the error
look smaller than it is; and walkers at a stand are left out. The slow part comes from pairs of devices
instead (`models.simulation.gps_error_slow`), whose distances are also the check on the size:
docs/traces.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from geo.errors import BadInput
from geo.graph import F64
from models.simulation.foot_tracks import FootTrack, Track, foot_tracks
from models.simulation.gps_error import ACCURACY_SCORES, GpsError
from models.simulation.gps_error_slow import fit_slow

WINDOWS_S = (8.0, 12.0, 20.0, 30.0, 45.0, 60.0)
ACCURACY_CLASSES_M = (0.0, 3.5, 5.0, 7.0, 9.0, 17.0, 70.0)
GAP_S = 5.0  # a longer step between fixes is a gap
JUMP_M, JUMP_MPS = 10.0, 7.0  # a step that the measured velocity does not explain by both of these
LONGEST_JUMP_S = 60.0
MIN_MOVING_MPS = 0.4
SCALE_SPAN_S = 60.0
MIN_WINDOWS = 5  # a class with fewer at some length says nothing there
_SHARES = np.linspace(0, 1, 101)


def fit(tracks: Iterable[Track], pairs: Iterable[tuple[Track, Track]] = ()) -> GpsError:
    """The error model of the walks among `tracks`, its slow part from `pairs` of simultaneous recordings.

    Without pairs there is no slow part. Raises BadInput when the walks are too few to tell.
    """
    walks = foot_tracks(tracks)
    if len(walks) < 3:
        raise BadInput(f"{len(walks)} walks are too few to fit a GPS error, 3 are needed")
    drifts = [_drift(walk) for walk in walks]
    jumps = [_find_jumps(walk, drift) for walk, drift in zip(walks, drifts, strict=True)]
    tau_s, sigmas, misfit = _fit_process(walks, drifts, jumps)
    base, per = _fit_sigma(sigmas)
    pairs = list(pairs)
    slow_share, slow_tau_s = fit_slow(pairs, tau_s) if pairs else (0.0, 60.0)
    accuracy_m, accuracy_tau_s = _fit_accuracy(walks)
    steps = np.concatenate([np.diff(walk.ts) for walk in walks])
    hours = float(steps.sum()) / 3600
    gaps = steps[steps > GAP_S]
    sizes = np.array([size for found in jumps for _, size, _ in found])
    lasting = np.array([seconds for found in jumps for _, _, seconds in found])
    return GpsError(
        tau_s=tau_s,
        sigma_base_m=base,
        sigma_per_accuracy=per,
        slow_share=slow_share,
        slow_tau_s=slow_tau_s,
        accuracy_m=accuracy_m,
        accuracy_tau_s=accuracy_tau_s,
        interval_s=_quantiles(steps[steps <= GAP_S]),
        gaps_per_hour=round(len(gaps) / hours, 3),
        gap_s=_quantiles(gaps),
        jumps_per_hour=round(len(sizes) / hours, 3),
        jump_m=_quantiles(sizes),
        jump_s=_quantiles(lasting),
        walks=len(walks),
        fixes=sum(len(walk.ts) for walk in walks),
        misfit=round(misfit, 4),
    )


def _quantiles(values: F64) -> tuple[float, ...]:
    if len(values) == 0:
        return (0.0,)
    return tuple(round(float(value), 3) for value in np.quantile(values, _SHARES))


def _drift(walk: FootTrack) -> F64:
    """Position minus summed velocity, (n, 2) metres; nan where a velocity is unknown on the way."""
    step = np.diff(walk.ts)[:, None] * (walk.velocity[1:] + walk.velocity[:-1]) / 2
    moved = np.vstack((np.zeros((1, 2)), np.cumsum(np.nan_to_num(step), axis=0)))
    drift: F64 = np.column_stack((walk.x, walk.y)) - moved
    drift[np.isnan(walk.velocity).any(axis=1)] = np.nan
    return drift


def _find_jumps(walk: FootTrack, drift: F64) -> list[tuple[float, float, float]]:
    """(when, metres, seconds until it is back or taken for good) of the steps that no walker takes."""
    step = np.diff(walk.ts)
    off = np.hypot(*np.diff(drift, axis=0).T)
    found: list[tuple[float, float, float]] = []
    free_from = -np.inf
    with np.errstate(invalid="ignore"):
        sudden = np.flatnonzero((step <= GAP_S) & (off > JUMP_M) & (off > JUMP_MPS * step))
    for i in sudden:
        if walk.ts[i] < free_from:
            continue
        after = slice(i + 1, int(np.searchsorted(walk.ts, walk.ts[i + 1] + LONGEST_JUMP_S)))
        near: NDArray[np.bool_] = np.linalg.norm(drift[after] - drift[i], axis=1) < off[i] / 2
        back = int(np.argmax(near)) if near.any() else -1
        free_from = float(walk.ts[after][back]) if len(walk.ts[after]) else float(walk.ts[i + 1])
        seconds = max(free_from - float(walk.ts[i + 1]), float(step[i]))
        found.append((float(walk.ts[i + 1]), float(off[i]), seconds))
    return found


def _windows(walk: FootTrack, drift: F64, jumps: list[tuple[float, float, float]], length_s: float) -> F64:
    """(k, 2): reported accuracy and mean square residual per axis of each usable window of a walk."""
    found: list[tuple[float, float]] = []
    starts = np.array([when for when, _, _ in jumps])
    ends = np.array([when + seconds for when, _, seconds in jumps])
    speed = np.hypot(*walk.velocity.T)
    i = 0
    while True:
        j = int(np.searchsorted(walk.ts, walk.ts[i] + length_s))
        if j >= len(walk.ts):
            return np.array(found).reshape(-1, 2)
        ts = walk.ts[i:j]
        usable = (
            len(ts) >= max(5, length_s / 2.2)
            and np.diff(ts).max() < GAP_S
            and not np.isnan(drift[i:j]).any()
            and speed[i:j].min() > MIN_MOVING_MPS
            and not ((starts < ts[-1]) & (ends > ts[0])).any()
        )
        if usable and _scale_is_right(walk, drift, i, j):
            u = (ts - ts.mean()) / length_s
            design = np.column_stack((np.ones_like(u), u))
            line = np.linalg.lstsq(design, drift[i:j], rcond=None)[0]
            found.append(
                (float(np.median(walk.accuracy_m[i:j])), float(((drift[i:j] - design @ line) ** 2).mean()))
            )
        i = j if usable else i + 1


def _scale_is_right(walk: FootTrack, drift: F64, i: int, j: int) -> bool:
    """Whether the measured velocity leads about as far as the positions do: some phones report half of it.

    Judged over a minute around the window, however short that is: a narrow look would throw out just the
    windows with large errors.
    """
    middle = (walk.ts[i] + walk.ts[j - 1]) / 2
    first = int(np.searchsorted(walk.ts, middle - SCALE_SPAN_S / 2))
    last = int(np.searchsorted(walk.ts, middle + SCALE_SPAN_S / 2)) - 1
    moved = np.array([walk.x[last] - walk.x[first], walk.y[last] - walk.y[first]])
    told = float(np.linalg.norm(moved - (drift[last] - drift[first])))
    return bool(0.75 * told < float(np.linalg.norm(moved)) < 1.33 * told)


def _left_share(length_s: float, tau_s: float) -> float:
    """Share of a unit variance that a line fitted to a window of 1 s samples leaves as mean square."""
    u = np.arange(length_s + 1) / length_s
    basis = np.linalg.qr(np.column_stack((np.ones_like(u), u)))[0]
    r = np.abs(np.subtract.outer(u, u)) * length_s / tau_s
    covariance = (1 + r) * np.exp(-r)
    return float((np.trace(covariance) - np.trace(basis.T @ covariance @ basis)) / len(u))


def _fit_process(
    walks: list[FootTrack], drifts: list[F64], jumps: list[list[tuple[float, float, float]]]
) -> tuple[float, list[tuple[float, float, int]], float]:
    """tau, (accuracy, sigma, windows) per class, and the misfit."""
    edges = np.array(ACCURACY_CLASSES_M)
    classes = len(edges) - 1
    square = np.full((classes, len(WINDOWS_S)), np.nan)
    count = np.zeros((classes, len(WINDOWS_S)), np.int64)
    middle = np.zeros(classes)
    for w, length_s in enumerate(WINDOWS_S):
        found = np.vstack([_windows(*one, length_s) for one in zip(walks, drifts, jumps, strict=True)])
        of = np.digitize(found[:, 0], edges) - 1
        for c in range(classes):
            mine = found[of == c]
            if len(mine) >= MIN_WINDOWS:
                square[c, w], count[c, w] = mine[:, 1].mean(), len(mine)
                middle[c] = max(middle[c], float(np.median(mine[:, 0])))
    known = count > 0
    if not known[:, 0].any() or not known[:, 3].any():
        raise BadInput("the walks have too few stretches with speed and bearing to fit a GPS error")
    weight = np.sqrt(count)
    best = (np.inf, 0.0, np.zeros(classes))
    for tau_s in np.arange(1.0, 60.0, 0.1):
        share = np.array([_left_share(length_s, tau_s) for length_s in WINDOWS_S])
        ratio = np.where(known, np.log(np.where(known, square, 1.0) / share) / 2, 0.0)
        total = weight.sum(axis=1)
        log_sigma = np.divide((ratio * weight).sum(axis=1), total, out=np.zeros(classes), where=total > 0)
        misfit = float((((ratio - log_sigma[:, None]) ** 2) * weight).sum() / weight.sum())
        if misfit < best[0]:
            best = (misfit, float(tau_s), log_sigma)
    sigmas = [
        (float(middle[c]), float(np.exp(best[2][c])), int(count[c].sum()))
        for c in range(classes)
        if known[c].any()
    ]
    return round(best[1], 2), sigmas, best[0] ** 0.5


def _fit_sigma(sigmas: list[tuple[float, float, int]]) -> tuple[float, float]:
    """The line sigma = base + per * accuracy through the classes, weighted by their windows."""
    accuracy, sigma, count = (np.array(column, np.float64) for column in zip(*sigmas, strict=True))
    if len(sigmas) == 1:
        return 0.0, round(float(sigma[0] / accuracy[0]), 4)
    # relative errors count, not metres: the few bad fixes must not bend the line for the many good ones
    weight = np.sqrt(count) / sigma
    design = np.column_stack((np.ones_like(accuracy), accuracy)) * weight[:, None]
    base, per = np.linalg.lstsq(design, sigma * weight, rcond=None)[0]
    return round(max(float(base), 0.0), 4), round(max(float(per), 0.0), 4)


def _fit_accuracy(walks: list[FootTrack]) -> tuple[tuple[float, ...], float]:
    """Reported accuracy at the normal scores, and the correlation time of its score in seconds."""
    normal = NormalDist()
    known = [walk.accuracy_m[np.isfinite(walk.accuracy_m)] for walk in walks]
    values = np.sort(np.concatenate(known))
    quantiles = np.quantile(values, [normal.cdf(float(score)) for score in ACCURACY_SCORES])
    pairs = []
    for walk in walks:
        later = np.searchsorted(walk.ts, walk.ts + 10.0)
        first = np.flatnonzero(later < len(walk.ts))
        pairs.append(np.column_stack((walk.accuracy_m[first], walk.accuracy_m[later[first]])))
    both = np.vstack(pairs)
    both = both[np.isfinite(both).all(axis=1)]
    # midranks, so that the many equal values share a score
    rank = (np.searchsorted(values, both, "left") + np.searchsorted(values, both, "right")) / 2
    share = np.clip(rank / len(values), 1e-4, 1 - 1e-4)
    unique, inverse = np.unique(share, return_inverse=True)
    scores = np.array([normal.inv_cdf(float(one)) for one in unique])[inverse].reshape(share.shape)
    rho = float(np.corrcoef(scores.T)[0, 1])
    tau_s = round(-10.0 / math.log(min(max(rho, 0.01), 0.999)), 1)
    return tuple(round(float(value), 2) for value in quantiles), tau_s
