"""Judges how calmly a walker was guided, knowing where they truly were.

A walker has *left* the route when their true position is more than LEFT_M from the line that their phone
shows (whoever walks on the other side of the street has not), or when they have walked back along it by as
much. A deviation counts once it lasts LASTING_S; it is recognised by the first `off_route` update. Its
clock stands still while the phone sends nothing, and while the walker has been standing for STANDING_S:
nobody could know then. An `off_route` update for somebody who has been on the route for the last SETTLED_S
is a false reroute.

A flip-flop is an update of ours that leads back, within FLIP_S, onto most of the stretch that an earlier
update of ours had led off.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from geo.geodesy import METRES_PER_DEG, haversine_m
from geo.graph import F64, I32, Graph
from geo.polyline import decode6
from models.records import RouteUpdate
from models.routes.client_route import first_metres
from models.trips.walker_state import WalkerState
from streams.demo.body import Body, Line

LEFT_M = 15.0
FORK_M = 3.0  # farther from the line is truly elsewhere
LASTING_S = 30.0
SETTLED_S = 10.0
MISSED_S = 180.0  # a deviation that is not recognised by then counts as recognised then
STANDING_S, STANDING_M = 20.0, 5.0  # who stays within that distance for so long stands
STEP_M = 5.0
FLIP_S = 300.0
FLIP_SHARE = 0.5
OURS = ("world_changed", "better", "late")


class Watch:
    """One walker: what they truly did, what they were told, and when."""

    def __init__(self, state: WalkerState, slot: int, graph: Graph) -> None:
        self._state, self._slot, self._graph = state, slot, graph
        self._lat: F64 = np.zeros(0)
        self._lon: F64 = np.zeros(0)
        self._line: tuple[F64, F64] = self._lat, self._lon  # what is still to be walked of it, in short steps
        self._edges: I32 = np.zeros(0, np.int32)
        self._switches: list[tuple[float, set[int], float]] = []  # when, what was left, its length
        self._farthest_m = self._along_m = 0.0
        self._ts: list[float] = []  # true times, and the clock of deviations at each of them
        self._clock_s: list[float] = []
        self._stood: tuple[float, float, float] | None = None  # since when, and where, the walker has stayed
        self._left_s = self._fork_s = -1.0  # by that clock
        self._on_since = -1.0
        self._recognised = False
        self._ended = False
        self._last: tuple[float, float] | None = None
        self.on_route_m = 0.0
        self.false_reroutes = 0
        self.flip_flops = 0
        self.late_ts: list[float] = []
        self.deviations_s: list[float] = []
        self.fork_s: list[float] = []
        self.missed = 0
        self.updates: dict[str, int] = {}

    def told(self, update: RouteUpdate) -> None:
        """An update has reached the phone."""
        self.updates[update.reason] = self.updates.get(update.reason, 0) + 1
        if not update.geometry:
            self._ended = True
            return
        edges = self._state.route_edges(self._slot)
        if update.reason == "off_route":
            self._judge_reroute(update.ts)
        if update.reason in OURS:
            self._judge_switch(update.ts, edges)
        lat, lon = first_metres(self._lat, self._lon, update.keep_m)
        tail_lat, tail_lon = decode6(update.geometry)
        self._lat, self._lon = np.concatenate([lat, tail_lat]), np.concatenate([lon, tail_lon])
        self._line = _short_steps(self._lat[max(0, len(lat) - 2) :], self._lon[max(0, len(lat) - 2) :])
        self._edges = edges
        self._farthest_m = self._along_m = 0.0

    def walked(self, body: Body, since: int, silent: tuple[float, float] = (0.0, 0.0)) -> None:
        """Where the walker truly was since the last call, `body.true_*[since:]`; no fix came in `silent`."""
        for ts, lat, lon in zip(
            body.true_ts[since:], body.true_lat[since:], body.true_lon[since:], strict=True
        ):
            if not self._ended:
                self._tick(ts, lat, lon, silent[0] <= ts < silent[1])
                self._at(ts, lat, lon)

    def _tick(self, ts: float, lat: float, lon: float, silent: bool) -> None:
        if self._stood is None or haversine_m(*self._stood[1:], lat, lon) > STANDING_M:
            self._stood = ts, lat, lon
        halted = silent or ts - self._stood[0] > STANDING_S
        passed_s = ts - self._ts[-1] if self._ts and not halted else 0.0
        self._clock_s.append((self._clock_s[-1] if self._clock_s else 0.0) + passed_s)
        self._ts.append(ts)

    def _clock(self, ts: float) -> float:
        return float(np.interp(ts, self._ts, self._clock_s))

    def _at(self, ts: float, lat: float, lon: float) -> None:
        walked_m = 0.0 if self._last is None else float(haversine_m(*self._last, lat, lon))
        off_m, along_m = self._off(lat, lon, walked_m)
        back_m = self._farthest_m - along_m
        if off_m <= LEFT_M:
            self._farthest_m, self._along_m = max(self._farthest_m, along_m), along_m
        self._last = lat, lon
        if off_m <= FORK_M and back_m <= FORK_M:
            self._fork_s = -1.0
        elif self._fork_s < 0.0:
            self._fork_s = self._clock(ts)
        if off_m <= LEFT_M and back_m <= LEFT_M:
            if self._left_s >= 0.0:
                self._came_back(ts)
            if self._on_since < 0.0:
                self._on_since = ts
            self.on_route_m += walked_m
        elif self._left_s < 0.0:
            self._left_s, self._on_since, self._recognised = self._clock(ts), -1.0, False

    def _came_back(self, ts: float) -> None:
        if not self._recognised and self._clock(ts) - self._left_s >= LASTING_S:
            self._count(MISSED_S)
            self.missed += 1
        self._left_s = -1.0

    def _judge_reroute(self, ts: float) -> None:
        if self._left_s >= 0.0:
            if not self._recognised:
                self._count(max(0.0, self._clock(ts) - self._left_s))
                self._recognised = True
            # the new route is judged anew
            self._left_s = -1.0
        elif self._on_since >= 0.0 and ts - self._on_since >= SETTLED_S:
            self.false_reroutes += 1

    def _count(self, latency_s: float) -> None:
        self.deviations_s.append(min(latency_s, MISSED_S))
        if self._fork_s >= 0.0:
            self.fork_s.append(latency_s + self._left_s - self._fork_s)

    def _judge_switch(self, ts: float, edges: I32) -> None:
        now = set(edges.tolist()) | set(self._graph.reverse[edges].tolist())
        for when, left, length in self._switches:
            if ts - when <= FLIP_S and left:
                again = sum(float(self._graph.length_m[edge]) for edge in left if edge in now)
                if again >= FLIP_SHARE * length:
                    self.flip_flops += 1
                    break
        before = set(self._edges.tolist())
        gone = before - now
        self._switches.append((ts, gone, sum(float(self._graph.length_m[edge]) for edge in gone)))

    def _off(self, lat: float, lon: float, walked_m: float) -> tuple[float, float]:
        """Metres from a point to the line of the phone, and where along it the walker is.

        The line may pass a place more than once, on either side of a street: of all passes within LEFT_M the
        walker is on the one nearest to where they should be by now.
        """
        line_lat, line_lon = self._line
        scale = METRES_PER_DEG * np.cos(np.radians(lat))
        x, y = (line_lon - lon) * scale, (line_lat - lat) * METRES_PER_DEG
        if len(x) == 1:
            return float(np.hypot(x[0], y[0])), 0.0
        dx, dy = np.diff(x), np.diff(y)
        squared = np.maximum(dx * dx + dy * dy, 1e-12)
        share = np.clip(-(x[:-1] * dx + y[:-1] * dy) / squared, 0.0, 1.0)
        off = np.hypot(x[:-1] + share * dx, y[:-1] + share * dy)
        begins = np.concatenate([[0.0], np.cumsum(np.sqrt(squared))[:-1]])
        along = begins + share * np.sqrt(squared)
        passes = [int(np.argmin(off))]
        beside = np.flatnonzero(off <= LEFT_M)
        if len(beside):
            runs = np.split(beside, np.flatnonzero(np.diff(beside) > 1) + 1)
            passes = [int(run[np.argmin(off[run])]) for run in runs]
        expected_m = self._along_m + walked_m
        best = min(passes, key=lambda one: abs(float(along[one]) - expected_m))
        return float(off[best]), float(along[best])


def _short_steps(lat: F64, lon: F64) -> tuple[F64, F64]:
    """The same line with a point at least every STEP_M, so that its passes of a place are told apart."""
    line = Line.of(lat, lon)
    return line.points(np.union1d(line.at_m, np.arange(0.0, line.length_m, STEP_M)))


@dataclass
class Verdict:
    """What all walkers of a city met."""

    km: float = 0.0
    false_reroutes: int = 0
    flip_flops: int = 0
    missed: int = 0
    deviations_s: list[float] = field(default_factory=list)
    fork_s: list[float] = field(default_factory=list)
    updates: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, watches: list[Watch]) -> Verdict:
        """The sum over walkers."""
        total = cls()
        for one in watches:
            total.km += one.on_route_m / 1000.0
            total.false_reroutes += one.false_reroutes
            total.flip_flops += one.flip_flops
            total.missed += one.missed
            total.deviations_s += one.deviations_s
            total.fork_s += one.fork_s
            for reason, n in one.updates.items():
                total.updates[reason] = total.updates.get(reason, 0) + n
        return total

    def figures(self) -> list[tuple[str, float, str]]:
        """Metric, value, unit."""
        found = [
            ("false_reroutes_per_km", self.false_reroutes / max(self.km, 1e-9), "1/km"),
            ("flip_flops", float(self.flip_flops), ""),
        ]
        for name, seconds in (("deviation", self.deviations_s), ("deviation_from_fork", self.fork_s)):
            if seconds:
                found.append((f"{name}_median_s", float(np.median(seconds)), "s"))
                found.append((f"{name}_p95_s", float(np.quantile(seconds, 0.95)), "s"))
        return found

    def about(self) -> dict[str, object]:
        """What stands beside every figure."""
        return {
            "km": round(self.km, 1),
            "false_reroutes": self.false_reroutes,
            "deviations": len(self.deviations_s),
            "missed": self.missed,
            "updates": dict(sorted(self.updates.items())),
        }
