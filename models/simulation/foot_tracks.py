"""Which of many recorded tracks are walks, and their fixes as metres in a local plane.

Real phone recordings mix walks with bicycles, trams and phones lying on a table; what is learned about
walkers is learned from the walks among them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from geo.geodesy import to_local
from geo.graph import F64

MIN_FIXES = 120
SPAN_S = 20.0  # speeds are displacements over this: long enough that the GPS error hardly counts
MEDIAN_MPS = (0.5, 1.8)  # of a walk's speeds; a jog starts at about 2
FASTEST_MPS = 2.8  # 98 % of a walk is slower


class Track(Protocol):
    """A recorded track, n fixes; nan is unknown. `streams.traces.Trace` is one."""

    @property
    def ts(self) -> F64: ...
    @property
    def lat(self) -> F64: ...
    @property
    def lon(self) -> F64: ...
    @property
    def accuracy_m(self) -> F64: ...
    @property
    def speed_mps(self) -> F64: ...
    @property
    def bearing_deg(self) -> F64: ...


@dataclass(frozen=True, eq=False)
class FootTrack:
    """One walk: strictly increasing times and metres east and north of its first fix."""

    ts: F64
    x: F64
    y: F64
    accuracy_m: F64
    velocity: F64  # (n, 2) metres per second east and north as the device measured it, nan unknown


def foot_tracks(tracks: Iterable[Track]) -> list[FootTrack]:
    """The walks among `tracks`, fixes that repeat a time left out."""
    walks = []
    for track in tracks:
        if len(track.ts) < MIN_FIXES or not np.isfinite(track.ts).all():
            continue
        walk = _plane(track)
        speeds = span_speeds(walk)[1]
        if len(speeds) < MIN_FIXES // 2:
            continue
        median, fast = np.quantile(speeds, (0.5, 0.98))
        if MEDIAN_MPS[0] < median < MEDIAN_MPS[1] and fast < FASTEST_MPS:
            walks.append(walk)
    return walks


def span_speeds(walk: FootTrack) -> tuple[F64, F64]:
    """Starts and mean speeds (m/s) of all stretches of SPAN_S seconds that have no long gap at their end."""
    ts = walk.ts
    end = np.searchsorted(ts, ts + SPAN_S)
    start = np.flatnonzero(end < len(ts))
    start = start[ts[end[start]] - ts[start] < SPAN_S * 1.5]
    end = end[start]
    far = np.hypot(walk.x[end] - walk.x[start], walk.y[end] - walk.y[start])
    return ts[start], far / (ts[end] - ts[start])


def _plane(track: Track) -> FootTrack:
    order = np.argsort(track.ts, kind="stable")
    ts = track.ts[order]
    order = order[np.r_[True, np.diff(ts) > 0]]
    lat, lon, bearing = track.lat[order], track.lon[order], np.radians(track.bearing_deg[order])
    x, y = to_local(lat, lon, float(lat[0]), float(lon[0]))
    speed = track.speed_mps[order]
    velocity = np.column_stack((speed * np.sin(bearing), speed * np.cos(bearing)))
    return FootTrack(track.ts[order], x, y, track.accuracy_m[order], velocity)
