"""Forecasts for the next hours: what is usual then, and how far from usual it is now; with their error.

A series has a value a slot of a quarter of an hour (UTC). What is usual is learned by exponential smoothing
for every slot of the week, leaning on the same slot of every day while there are few weeks. What is left is
followed by Holt's linear method with a damped trend (Gardner & McKenzie 1985, "Forecasting trends in time
series"). How much of that still holds an hour or three ahead is learned as well, horizon by horizon, as the
regression of what came on both deviations, the newest and Holt's; so an old one fades as fast as it does in
this series. One value that is far off does not spoil what was learned (as in Gelper, Fried & Croux 2010,
"Robust forecasting with exponential and Holt-Winters smoothing").

Every forecast is compared with what came. Its error is the mean absolute error of the earlier ones, the
newest counting most; its interval holds what comes four times in five, by a quantile that is followed step
by step (Robbins & Monro 1951).

Pure: a state is one element of an array of `FORECAST_STATE` and depends on the values in their order only;
an element of zeros is a series that nothing is known of. All states have the same size.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.errors import BadInput
from geo.graph import F64, I32, I64

SLOT_S = 900.0
HORIZONS = (4, 12)  # slots ahead: an hour, three hours
COVERAGE = 0.8  # of the interval

FORECAST_STATE = np.dtype(
    [
        ("slot", np.int64),  # the newest slot folded in, since the epoch
        ("odd", np.int64),  # the newest value was far from what was expected: 1, from the mean: 2, both: 3
        ("seen", np.int64),  # values folded in; 0: nothing is known
        ("mean", np.float64),
        ("spread", np.float64),  # mean absolute deviation from it
        ("level", np.float64),  # of what is left after what is usual
        ("trend", np.float64),  # a slot
        ("left", np.float64),  # the newest value's deviation from what is usual
        # regression of what came on the newest deviation (n) and on Holt's (h), by horizon: sums of products
        ("nn", np.float64, (2,)),
        ("nh", np.float64, (2,)),
        ("hh", np.float64, (2,)),
        ("ny", np.float64, (2,)),
        ("hy", np.float64, (2,)),
        ("error", np.float64, (2,)),  # mean absolute error
        ("width", np.float64, (2,)),  # half of the interval
        ("scored", np.uint32, (2,)),
        ("day", np.float32, (96,)),  # what is usual
        ("week", np.float32, (672,)),
        # forecasts that wait for their slot, at slot modulo 12
        ("usual", np.float32, (2, 12)),
        ("newest", np.float32, (2, 12)),
        ("holt", np.float32, (2, 12)),
        ("value", np.float32, (2, 12)),
        ("day_seen", np.uint8, (96,)),
        ("week_seen", np.uint8, (672,)),
        ("waits", np.uint8, (2, 12)),
    ],
    align=True,
)


class Smoothing(NamedTuple):
    """How fast the past is forgotten; textbook values, fitted on nothing."""

    level: float = 0.4
    trend: float = 0.1
    damping: float = 0.9  # of the trend, a slot
    day: float = 0.1  # least weight of the newest value
    week: float = 0.25
    week_trust: float = 2.0  # weeks until a slot of the week counts as much as the slot of the day
    keep: float = 0.99  # of the regression, a value
    lean: float = 4.0  # values for which it leans on the two deviations as they are
    error: float = 0.01  # least weight of the newest error
    outlier: float = 6.0  # a value that is off by more errors (or spreads) is learned as at that distance,
    known: int = 48  # once so many are known
    follow: float = 0.1  # step of the interval, in errors


class Forecast(NamedTuple):
    """What comes `horizon` slots after the newest value."""

    horizon: int
    value: float
    error: float  # mean absolute error of such forecasts so far, nan before the first was compared
    low: float  # what comes lies between these four times in five
    high: float


def slot_of(ts: float) -> int:
    """The slot that a moment lies in."""
    return math.floor(ts / SLOT_S)


def fold_values(
    state: NDArray[Any],
    rows: I32,
    slot: I64,
    value: F64,
    smoothing: Smoothing = Smoothing(),  # noqa: B008 (immutable)
) -> None:
    """Fold one value a series in: value[i] >= 0 of the series rows[i] in slot[i].

    A slot that is no newer than the series' own changes nothing; slots left out are unknown.
    Raises BadInput for wrong types or lengths, or a value that is negative or not finite.
    """
    columns = ((rows, np.int32), (slot, np.int64), (value, np.float64))
    if state.dtype != FORECAST_STATE or any(a.dtype != t or a.shape != rows.shape for a, t in columns):
        raise BadInput(
            "needed: states of FORECAST_STATE; rows int32, slot int64, value float64 of one length"
        )
    if len(value) and not (np.isfinite(value).all() and value.min() >= 0.0):
        raise BadInput("a series has a value that is negative or not finite")
    _fold(state, rows, slot, value, np.array(HORIZONS), COVERAGE, smoothing)


def read_forecasts(state: Any) -> list[Forecast]:
    """The forecasts of one series (one element of FORECAST_STATE), nearest first; none before any value."""
    if not state["seen"]:
        return []
    found = []
    for h, horizon in enumerate(HORIZONS):
        value = float(state["value"][h, (int(state["slot"]) + horizon) % HORIZONS[-1]])
        known = bool(state["scored"][h])
        width = float(state["width"][h]) if known else math.inf
        error = float(state["error"][h]) if known else math.nan
        found.append(Forecast(horizon, value, error, max(0.0, value - width), value + width))
    return found


@njit(cache=True)
def _fold(state, rows, slot, value, horizons, coverage, p):  # type: ignore[no-untyped-def]
    for i in range(len(rows)):
        s = state[rows[i]]
        t = slot[i]
        if s.seen > 0 and t <= s.slot:
            continue
        y = value[i]
        learned = y
        odd = np.int64(0)
        if s.seen > 0:
            _pass_time(s, t - s.slot, p)
            if s.scored[0] >= p.known:
                middle, far = _usual(s, t, p) + s.level, p.outlier * s.error[0]
                learned = _as_learned(y, middle, far, s.odd & 1)
                odd = np.int64(abs(y - middle) > far)
            _compare(s, t, y, learned, horizons, coverage, p)
        if s.seen >= p.known:
            far = p.outlier * s.spread
            y = _as_learned(value[i], s.mean, far, s.odd & 2)
            odd |= 2 * np.int64(abs(value[i] - s.mean) > far)
        _learn(s, t, y, learned, p)
        s.odd = odd
        s.slot = t
        _foresee(s, t, horizons, p)


@njit(cache=True)
def _usual(s, t, p):  # type: ignore[no-untyped-def]
    """What is usual in a slot: of the week as far as it is known, else of the day, else at all."""
    d, w = t % 96, t % 672
    if s.day_seen[d] == 0:
        return s.mean
    trust = s.week_seen[w] / (s.week_seen[w] + p.week_trust)
    return s.day[d] + trust * (np.float64(s.week[w]) - s.day[d])


@njit(cache=True)
def _pass_time(s, slots, p):  # type: ignore[no-untyped-def]
    """Slots without a value: the trend goes on as foreseen, and forecasts for them can never be compared."""
    for _ in range(min(slots, 96)):
        s.trend *= p.damping
        s.level += s.trend
    for k in range(1, min(slots, 13)):
        s.waits[0, (s.slot + k) % 12] = 0
        s.waits[1, (s.slot + k) % 12] = 0


@njit(cache=True)
def _as_learned(y, middle, far, odd_before):  # type: ignore[no-untyped-def]
    """A value, nearer to the middle where it is far off, unless the one before was far off as well."""
    return y if odd_before else min(max(y, middle - far), middle + far)


@njit(cache=True)
def _compare(s, t, y, learned, horizons, coverage, p):  # type: ignore[no-untyped-def]
    """Errors are of what came, however odd; what is learned from it is not."""
    for h in range(len(horizons)):
        at = t % 12
        if s.waits[h, at] == 0:
            continue
        s.waits[h, at] = 0
        n, k, came = np.float64(s.newest[h, at]), np.float64(s.holt[h, at]), learned - s.usual[h, at]
        s.nn[h] = p.keep * s.nn[h] + n * n
        s.nh[h] = p.keep * s.nh[h] + n * k
        s.hh[h] = p.keep * s.hh[h] + k * k
        s.ny[h] = p.keep * s.ny[h] + n * came
        s.hy[h] = p.keep * s.hy[h] + k * came
        off = abs(y - s.value[h, at])
        s.error[h] += max(1.0 / (s.scored[h] + 1), p.error) * (off - s.error[h])
        if s.scored[h] == 0:
            s.width[h] = off
        inside = 1.0 if off <= s.width[h] else 0.0
        s.width[h] = max(0.0, s.width[h] + p.follow * s.error[h] * (coverage - inside))
        s.scored[h] += 1


@njit(cache=True)
def _learn(s, t, y, learned, p):  # type: ignore[no-untyped-def]
    """`learned` is what the level learns, y what is usual: every weekend begins with a surprise."""
    d, w = t % 96, t % 672
    left = learned - _usual(s, t, p) if s.seen > 0 else 0.0
    s.left = left
    # The level was moved on to this slot already; what differs from it is news.
    news = left - s.level
    s.level += p.level * news
    s.trend += p.level * p.trend * news
    s.mean += (y - s.mean) / min(s.seen + 1, 96)
    s.spread += (abs(y - s.mean) - s.spread) / min(s.seen + 1, 96)
    s.day[d] += max(1.0 / (s.day_seen[d] + 1), p.day) * (y - s.day[d])
    s.week[w] += max(1.0 / (s.week_seen[w] + 1), p.week) * (y - s.week[w])
    s.day_seen[d] = min(255, s.day_seen[d] + 1)
    s.week_seen[w] = min(255, s.week_seen[w] + 1)
    s.seen += 1


@njit(cache=True)
def _foresee(s, t, horizons, p):  # type: ignore[no-untyped-def]
    for h in range(len(horizons)):
        at = (t + horizons[h]) % 12
        damped = 0.0
        power = 1.0
        for _ in range(horizons[h]):
            power *= p.damping
            damped += power
        holt = s.level + damped * s.trend
        usual = _usual(s, t + horizons[h], p)
        s.usual[h, at] = usual
        s.newest[h, at] = s.left
        s.holt[h, at] = holt
        s.value[h, at] = max(0.0, usual + _holds(s, h, s.left, holt, p))
        s.waits[h, at] = 1


@njit(cache=True)
def _holds(s, h, newest, holt, p):  # type: ignore[no-untyped-def]
    """What the deviations of now let expect: ridge regression, half of each at first."""
    ridge = p.lean * (s.nn[h] + s.hh[h]) / (1.0 + s.scored[h]) + 1e-12
    nn, hh, nh = s.nn[h] + ridge, s.hh[h] + ridge, s.nh[h]
    ny, hy = s.ny[h] + 0.25 * ridge, s.hy[h] + 0.25 * ridge
    det = nn * hh - nh * nh
    return ((ny * hh - hy * nh) * newest + (hy * nn - ny * nh) * holt) / det
