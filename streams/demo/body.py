"""One simulated walker on the street: where they truly are, what their phone says, and how they follow news.

Pace and GPS error are drawn once for the whole outing, apart from the streets walked: when the walker takes
another way, both go on as they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geo.geodesy import METRES_PER_DEG, haversine_m, to_local
from geo.graph import F64
from models.records import Fix
from models.simulation.gps_error import GpsError, apply
from models.simulation.walkers import Pace, walk
from streams.demo.fleet import Timed, fix_record

# at the end of the way the phone stays on for a few more fixes, longer while it does not know of the arrival
LAST_FIXES, LAST_FIXES_MOST = 5, 90
JOIN_M = 40.0  # a new way is joined at its nearest point within so many metres of its beginning
# an outing may become longer than it was meant, but not for ever
LONGEST_SHARE, LONGEST_MORE_M = 2.0, 1500.0


@dataclass(frozen=True, eq=False)
class Line:
    """A line of m points and how far along it each lies."""

    lat: F64
    lon: F64
    at_m: F64

    @classmethod
    def of(cls, lat: F64, lon: F64) -> Line:
        """The line through these points."""
        steps = haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
        return cls(lat, lon, np.concatenate(([0.0], np.cumsum(steps))))

    @property
    def length_m(self) -> float:
        return float(self.at_m[-1])

    def points(self, along_m: F64) -> tuple[F64, F64]:
        """Where these distances along the line lead; beyond the end is the end."""
        return np.interp(along_m, self.at_m, self.lat), np.interp(along_m, self.at_m, self.lon)

    def after(self, along_m: float) -> tuple[F64, F64]:
        """The points from a distance along the line on."""
        lat, lon = self.points(np.array([along_m]))
        rest = self.at_m > along_m
        return np.append(lat, self.lat[rest]), np.append(lon, self.lon[rest])

    def nearest_m(self, lat: float, lon: float, within_m: float) -> float:
        """How far along the line, but not beyond `within_m`, it comes nearest to a point."""
        along = np.arange(0.0, min(within_m, self.length_m) + 1.0)
        return float(along[np.argmin(haversine_m(lat, lon, *self.points(along)))])


class Body:
    """A walker with a phone, from the moment they set out along `line`."""

    def __init__(
        self,
        device: str,
        start_ts: float,
        line: Line,
        error: GpsError,
        pace: Pace,
        seeds: tuple[int, int],
        rest: tuple[float, float] | None = None,
    ) -> None:
        """rest: after so many metres the walker rests for so many seconds."""
        self.device = device
        self.true_ts: list[float] = []  # of every fix so far, and where the walker was then
        self.true_lat: list[float] = []
        self.true_lon: list[float] = []
        longest_m = LONGEST_SHARE * line.length_m + LONGEST_MORE_M
        # along a meridian: of the walk only the distance is needed
        gait = walk([0.0, longest_m / METRES_PER_DEG], [0.0, 0.0], pace, seeds[0], start_ts)
        self._gait_ts, self._gait_m = gait.ts, gait.along_m
        if rest is not None:
            self._gait_ts[np.searchsorted(self._gait_m, rest[0]) :] += rest[1]
        lat, lon = float(line.lat[0]), float(line.lon[0])
        whole = np.array([start_ts, self._gait_ts[-1] + LAST_FIXES_MOST])
        still = np.full(2, lat), np.full(2, lon)
        self._ts, noisy_lat, noisy_lon, self._accuracy_m = apply(error, whole, *still, seeds[1])
        self._error_x, self._error_y = to_local(noisy_lat, noisy_lon, lat, lon)
        self._sent, self._stays = 0, LAST_FIXES_MOST
        self._news: list[tuple[float, Line]] = []
        self._take(line, 0.0)

    @property
    def done(self) -> bool:
        """Whether the walker is there and has put the phone away."""
        return self._sent >= self._last()

    def told(self, line: Line, ts: float) -> None:
        """At `ts` the walker begins to follow another way (calls in order of time)."""
        self._news.append((ts, line))

    def told_arrived(self) -> None:
        """The phone says that this is the end: the walker goes the last metres and puts it away."""
        self._stays = LAST_FIXES

    def fixes(self, until_ts: float) -> list[Timed]:
        """The fixes since the last call, before `until_ts`."""
        found = []
        while self._news and self._news[0][0] < until_ts:
            ts, line = self._news.pop(0)
            found += self._fixes(ts)
            if not self.done:
                self._join(line, ts)
        return found + self._fixes(until_ts)

    def _join(self, line: Line, ts: float) -> None:
        walked_m = float(np.interp(ts, self._gait_ts, self._gait_m))
        lat, lon = self._line.points(np.array([walked_m - self._from_m]))
        rest = line.after(line.nearest_m(float(lat[0]), float(lon[0]), JOIN_M))
        self._take(Line.of(np.append(lat, rest[0]), np.append(lon, rest[1])), walked_m)

    def _take(self, line: Line, from_m: float) -> None:
        self._line, self._from_m = line, from_m
        there = min(int(np.searchsorted(self._gait_m, from_m + line.length_m)), len(self._gait_ts) - 1)
        self._there = int(np.searchsorted(self._ts, self._gait_ts[there]))

    def _last(self) -> int:
        """Index after the last fix."""
        return min(self._there + self._stays, len(self._ts))

    def _fixes(self, until_ts: float) -> list[Timed]:
        first, last = self._sent, min(int(np.searchsorted(self._ts, until_ts)), self._last())
        if first >= last:
            return []
        self._sent = last
        ts = self._ts[first:last]
        lat, lon = self._line.points(np.interp(ts, self._gait_ts, self._gait_m) - self._from_m)
        self.true_ts += ts.tolist()
        self.true_lat += lat.tolist()
        self.true_lon += lon.tolist()
        x, y = self._error_x[first:last], self._error_y[first:last]
        columns = np.round(ts, 3), *_moved(x, y, lat, lon), np.round(self._accuracy_m[first:last], 1)
        return [
            fix_record(Fix(device=self.device, ts=at, lat=north, lon=east, accuracy_m=accuracy))
            for at, north, east, accuracy in zip(*(column.tolist() for column in columns), strict=True)
        ]


def _moved(x: F64, y: F64, lat: F64, lon: F64) -> tuple[F64, F64]:
    """The points these metres east and north of others, (n,) each, rounded to a centimetre."""
    found_lat = lat + y / METRES_PER_DEG
    found_lon = lon + x / (METRES_PER_DEG * np.cos(np.radians(lat)))
    return np.round(found_lat, 7), np.round(found_lon, 7)
