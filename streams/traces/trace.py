"""What a trace is, and how rows of unknown quality become one: bad rows are counted and named, not kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from geo.graph import F64

NAN = math.nan
#: Where an epoch number stops being seconds (then milliseconds, microseconds, nanoseconds).
_MS, _US, _NS = 1e11, 1e14, 1e17


@dataclass(frozen=True)
class Problem:
    """A kind of bad row: what is wrong, how many rows have it, and where the first one is."""

    what: str
    count: int
    first: str

    def __str__(self) -> str:
        return f"{self.what}: {self.count} ({self.first})"


@dataclass(frozen=True, eq=False)
class Trace:
    """The fixes of one track in time order, n of each array; nan is unknown.

    A track without any times (a drawn line) keeps its order, and its `ts` is all nan: see `timed`.
    """

    name: str
    ts: F64  # (n,) seconds since the epoch, UTC
    lat: F64  # (n,) degrees, WGS 84
    lon: F64  # (n,)
    accuracy_m: F64  # (n,) radius that holds the true position with 68 %, as the device says
    speed_mps: F64  # (n,)
    bearing_deg: F64  # (n,) clockwise from north
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.lat)

    @property
    def timed(self) -> bool:
        """Whether the fixes have times, all of them."""
        return len(self.ts) > 0 and bool(np.isfinite(self.ts).all())

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last fix, 0 without times."""
        return float(self.ts[-1] - self.ts[0]) if self.timed else 0.0


@dataclass(frozen=True)
class Columns:
    """Names of the columns to use; None means detected by the usual names (see `streams.traces.names`)."""

    ts: str | None = None
    lat: str | None = None
    lon: str | None = None
    accuracy: str | None = None
    speed: str | None = None
    bearing: str | None = None
    track: str | None = None


@dataclass
class TraceBuilder:
    """Collects the rows of one track and says afterwards which of them could not be used."""

    name: str
    rows: list[tuple[float, float, float, float, float, float]] = field(default_factory=list)
    bad: dict[str, tuple[int, str]] = field(default_factory=dict)

    def complain(self, what: str, where: str) -> None:
        """Count one bad row."""
        count, first = self.bad.get(what, (0, where))
        self.bad[what] = (count + 1, first)

    def add(self, where: str, row: Mapping[str, object]) -> None:
        """Take one row with any of ts, lat, lon, accuracy, speed, bearing; `where` names it in a problem."""
        try:
            lat, lon = to_number(row.get("lat")), to_number(row.get("lon"))
        except ValueError:
            return self.complain("position is not a number", where)
        if math.isnan(lat) or math.isnan(lon):
            return self.complain("no position", where)
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            return self.complain("position is not on Earth", where)
        try:
            ts = to_epoch(row.get("ts"))
        except ValueError:
            return self.complain("time cannot be read", where)
        self.rows.append(
            (
                ts,
                lat,
                lon,
                self._amount(row, "accuracy", where),
                self._amount(row, "speed", where),
                self._amount(row, "bearing", where) % 360.0,
            )
        )
        return None

    def _amount(self, row: Mapping[str, object], name: str, where: str) -> float:
        """A number that may be unknown: a bad one costs itself, not its row."""
        try:
            value = to_number(row.get(name))
        except ValueError:
            self.complain(f"{name} is not a number, taken as unknown", where)
            return NAN
        # phones write -1 for unknown
        return value if value >= 0 else NAN

    def build(self) -> Trace:
        """The trace in time order; it may be empty."""
        rows = self.rows
        timed = [row for row in rows if not math.isnan(row[0])]
        if timed and len(timed) < len(rows):
            for _ in range(len(rows) - len(timed)):
                self.complain("no time", "in a track with times")
            rows = timed
        behind = sum(1 for one, two in pairwise(rows) if two[0] < one[0])
        if behind:
            self.bad["time runs backwards, sorted"] = (behind, "kept")
            rows = sorted(rows, key=lambda row: row[0])
        table = np.array(rows, np.float64).reshape(len(rows), 6).T.copy()
        problems = tuple(Problem(what, count, first) for what, (count, first) in self.bad.items())
        ts, lat, lon, accuracy_m, speed_mps, bearing_deg = table
        return Trace(self.name, ts, lat, lon, accuracy_m, speed_mps, bearing_deg, problems)


def to_number(raw: object) -> float:
    """A number written as such or as text, nan where there is none; raises ValueError for anything else."""
    if raw is None or isinstance(raw, bool):
        return NAN
    if isinstance(raw, (int, float)):
        value = float(raw)
    else:
        text = str(raw).strip()
        if text.lower() in ("", "null", "none", "nan", "na", "-"):
            return NAN
        value = float(text)
    if math.isinf(value):
        raise ValueError(f"{raw!r} is infinite")
    return value


def to_epoch(raw: object) -> float:
    """Seconds since the epoch of a number (seconds to nanoseconds, told by size) or an ISO 8601 text.

    A text without an offset is taken as UTC. Raises ValueError for what is neither.
    """
    try:
        value = to_number(raw)
    except ValueError:
        moment = datetime.fromisoformat(str(raw).strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if math.isnan(value):
        return value
    for limit, divisor in ((_NS, 1e9), (_US, 1e6), (_MS, 1e3)):
        if abs(value) >= limit:
            return value / divisor
    return value
