"""What a phone reports of a known walk: fixes with white error, or with the error of the real tracks.

`white`: independent normal errors of `sigma_m` north and east; the phone tells exactly that as its
accuracy. `real`: the process that was fitted on the real tracks (`models.simulation.gps_error`: a fast
part, one that stays for minutes, gaps, jumps, an accuracy that comes and goes), its errors and accuracies
scaled so that the root mean square of the error, jumps apart, is `sigma_m` north and east.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.matching.walks import KnownWalk, Truth
from geo.errors import BadInput
from geo.geodesy import METRES_PER_DEG
from geo.graph import F32, F64
from models.simulation.gps_error import ACCURACY_SCORES, GpsError, apply

NOISES = ("white", "real")


@dataclass(frozen=True)
class Setting:
    """One way of recording; raises BadInput for one that cannot be."""

    sigma_m: float  # of the error, north and east
    interval_s: float
    noise: str

    def __post_init__(self) -> None:
        if self.noise not in NOISES:
            raise BadInput(f"noise is {self.noise!r}, it must be one of {', '.join(NOISES)}")
        if not (0 < self.sigma_m <= 100 and 0 < self.interval_s <= 60):
            raise BadInput(
                f"sigma {self.sigma_m} m every {self.interval_s} s cannot be: sigma must be in 0..100 m, "
                "the interval in 0..60 s"
            )

    def about(self) -> dict[str, object]:
        """What stands beside every figure."""
        return {"sigma_m": self.sigma_m, "interval_s": self.interval_s, "noise": self.noise}


@dataclass(frozen=True)
class KnownFixes:
    """The n fixes of one walk, and the truth at their moments."""

    ts: F64
    lat: F64
    lon: F64
    accuracy_m: F32
    truth: Truth

    def __len__(self) -> int:
        return len(self.ts)

    def part(self, begin: int, end: int) -> KnownFixes:
        """Fixes begin .. end."""
        return self.at(np.arange(begin, end))

    def at(self, index: NDArray[np.int64]) -> KnownFixes:
        """Some of the fixes."""
        truth = Truth(*(column[index] for column in vars(self.truth).values()))
        return KnownFixes(self.ts[index], self.lat[index], self.lon[index], self.accuracy_m[index], truth)


def record(walk: KnownWalk, setting: Setting, error: GpsError, seed: int) -> KnownFixes:
    """The fixes of one walk; the same seed gives the same fixes."""
    if setting.noise == "real":
        scaled = scale_error(error, setting)
        ts, lat, lon, accuracy_m = apply(scaled, walk.ts, walk.lat, walk.lon, seed)
        return KnownFixes(ts, lat, lon, accuracy_m.astype(np.float32), walk.at(ts))
    ts = np.arange(walk.ts[0], walk.ts[-1] + 1e-9, setting.interval_s)
    truth = walk.at(ts)
    off_m = np.random.default_rng(seed).normal(0.0, setting.sigma_m, (2, len(ts)))
    lat = truth.lat + off_m[0] / METRES_PER_DEG
    lon = truth.lon + off_m[1] / (METRES_PER_DEG * np.cos(np.radians(truth.lat)))
    return KnownFixes(ts, lat, lon, np.full(len(ts), setting.sigma_m, np.float32), truth)


def scale_error(error: GpsError, setting: Setting) -> GpsError:
    """The fitted error with this root mean square and interval."""
    scores = np.linspace(-4.0, 4.0, 2_001)
    weight = np.exp(-0.5 * scores**2)
    sigma = error.sigma_m(np.interp(scores, ACCURACY_SCORES, error.accuracy_m))
    factor = setting.sigma_m / float(np.sqrt((weight * sigma**2).sum() / weight.sum()))
    return replace(
        error,
        sigma_base_m=factor * error.sigma_base_m,
        accuracy_m=tuple(factor * one for one in error.accuracy_m),
        interval_s=(setting.interval_s,),
    )
