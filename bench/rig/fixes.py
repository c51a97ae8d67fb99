"""The fixes that simulated walkers send: seeded, one a second and walker, as the bytes of `gps-fixes`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.rig.tracks import METRES_PER_DEGREE, Tracks
from geo.errors import BadInput
from geo.graph import F64

WALKING_MPS = 1.4


@dataclass(frozen=True)
class Walk:
    """Who walks where, from when: all that the fixes depend on."""

    tracks: Tracks
    start_s: float  # event time of the first fix
    seed: int
    noise_m: float = 5.0  # standard deviation of a fix's error, north and east
    step_s: float = 1.0  # event time between two fixes of a walker
    begin_m: float | F64 = 0.0  # how far along their tracks they are at the first fix; for all, or (D,)
    stand_s: float | F64 = 0.0  # event time that they stand there before they go; for all, or (D,)
    names: tuple[str, ...] = ()  # of the devices; numbered where not given

    def devices(self) -> list[str]:
        return list(self.names) or [f"d{walker:06d}" for walker in range(self.tracks.count)]


@dataclass(frozen=True)
class Tick:
    """One fix of every walker, all of the same moment."""

    ts_s: float
    lat: F64
    lon: F64
    speed_mps: F64
    accuracy_m: F64


def walk_ticks(walk: Walk, count: int) -> Iterator[Tick]:
    """`count` moments, one after the other; raises BadInput for a step or an error that makes no sense."""
    if walk.step_s <= 0 or walk.noise_m < 0:
        raise BadInput(f"a step of {walk.step_s} s with an error of {walk.noise_m} m is no walk: use 1 and 5")
    draw = np.random.default_rng(walk.seed)
    walkers = walk.tracks.count
    pace_mps = np.clip(draw.normal(WALKING_MPS, 0.15, walkers), 0.8, 2.0)
    walked_m = np.full(walkers, walk.begin_m)
    for number in range(count):
        goes = number * walk.step_s >= walk.stand_s
        lat, lon, _ = walk.tracks.at(walked_m)
        error = draw.normal(0.0, walk.noise_m, (2, walkers)) / METRES_PER_DEGREE
        speed_mps = np.maximum(pace_mps * goes + draw.normal(0.0, 0.1, walkers), 0.0)
        yield Tick(
            walk.start_s + number * walk.step_s,
            lat + error[0],
            lon + error[1] / np.cos(np.radians(lat)),
            speed_mps.round(2),
            np.clip(draw.normal(walk.noise_m, 1.0, walkers), 1.0, 50.0).round(1),
        )
        walked_m += pace_mps * goes * walk.step_s


def encode_tick(devices: list[str], tick: Tick) -> list[bytes]:
    """One JSON object a walker, about 110 bytes, in the order that phones' JSON libraries write them."""
    ts = f'","ts":{tick.ts_s:.3f},"lat":'
    columns = zip(devices, tick.lat.tolist(), tick.lon.tolist(), tick.accuracy_m.tolist(),
                  tick.speed_mps.tolist(), strict=True)  # fmt: skip
    return [
        f'{{"device":"{device}{ts}{lat:.6f},"lon":{lon:.6f},"accuracy_m":{accuracy},"speed_mps":{speed}}}'.encode()
        for device, lat, lon, accuracy, speed in columns
    ]
