"""The event-time state behind a condition: traffic and events of an edge, air of a cell, weather of a place.

Everything goes by the reports' own times: a report that is late, repeated or out of order ends in the same
state. Each state packs to the same bytes for the same reports.

Traffic: five-minute panes by `ts`, the newest report of a source in each; the current speed is the mean over
the sources that reported in this pane or the one before (or whose report is still valid), the trend compares
it with the two panes before those. Events (closures, road works, incidents) are kept by their id with their
validity, and a day longer, so that an old version that comes late does not bring one back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from geo.errors import BadRecord

PANE_S = 300.0
WINDOW_PANES = 4  # the current pane and the three before it: fifteen to twenty minutes
RECENT_PANES = 2
AIR_TTL_S = 7_200.0
EVENT_MEMORY_S = 86_400.0
WEATHER_LATE_S = 3_600.0
FOREVER = 4_102_444_800.0  # 2100: the end of what has no end
WEATHER_FIELDS = ("precip_mmph", "wind_mps", "wind_deg", "temp_c", "cloud", "uv")


class Flow(NamedTuple):
    """One report of vehicles' speed."""

    ts: float
    speed_mps: float
    free_flow_mps: float | None
    until: float

    def rank(self) -> tuple[float, float, float, float]:
        """The higher one is kept: the later, and among equals always the same."""
        return (self.ts, self.until, self.speed_mps, self.free_flow_mps or 0.0)


class Event(NamedTuple):
    """One version of a closure, road works or incident."""

    ts: float
    kind: str
    valid_from: float
    valid_to: float
    severity: float | None


class Air(NamedTuple):
    """One air quality report, and how far from the cell it was measured."""

    ts: float
    aqi: float
    until: float
    distance_m: float


@dataclass(slots=True)
class EdgeWindow:
    """Traffic panes and events of one edge."""

    flows: dict[str, dict[int, Flow]] = field(default_factory=dict)  # source → pane → newest report
    events: dict[str, Event] = field(default_factory=dict)

    def add_flow(self, source: str, flow: Flow) -> bool:
        """Whether the report is news: a repeated one, an older one of its pane, or a late one is not."""
        panes = self.flows.setdefault(source, {})
        pane = pane_of(flow.ts)
        newest = max(panes, default=pane)
        known = panes.get(pane)
        if pane <= newest - WINDOW_PANES or (known is not None and flow.rank() <= known.rank()):
            return False
        panes[pane] = flow
        for old in [p for p in panes if p <= pane - WINDOW_PANES]:
            del panes[old]
        return True

    def add_event(self, event_id: str, event: Event) -> bool:
        """Whether the version is news: not older than the known one, and different."""
        known = self.events.get(event_id)
        if known is not None and (event.ts < known.ts or event == known):
            return False
        self.events[event_id] = event
        return True

    def prune(self, now: float) -> bool:
        """Forget what can play no part any more; whether there was something."""
        before = sum(map(len, self.flows.values())) + len(self.events)
        gone = pane_of(now) - WINDOW_PANES
        for source in list(self.flows):
            panes = self.flows[source]
            for pane in [p for p, flow in panes.items() if p <= gone and flow.until <= now]:
                del panes[pane]
            if not panes:
                del self.flows[source]
        for event_id in [i for i, event in self.events.items() if event.valid_to + EVENT_MEMORY_S < now]:
            del self.events[event_id]
        return before != sum(map(len, self.flows.values())) + len(self.events)

    @property
    def empty(self) -> bool:
        return not self.flows and not self.events

    def features(self, now: float) -> tuple[dict[str, Any], float]:
        """Features of EdgeCondition as of `now`, and until when they hold (FOREVER if open)."""
        found, until = self._traffic(now)
        active = [e for e in self.events.values() if e.valid_from <= now < e.valid_to]
        severities = [e.severity for e in active if e.severity is not None]
        if severities:
            found["severity"] = max(severities)
        closures = [e for e in active if e.kind == "closure"]
        if closures:
            found["closed"] = True
            found["valid_from"] = min(e.valid_from for e in closures)
            end = max(e.valid_to for e in closures)
            if end < FOREVER:
                found["valid_to"] = end
        elif active:
            found["closed"] = False
        if active:
            until = min([until, *(e.valid_to for e in active)])
        return found, until

    def next_change(self, now: float) -> float:
        """The next moment at which the features may differ although no report comes; FOREVER if none."""
        moments = [
            m for e in self.events.values() for m in (e.valid_from, e.valid_to, e.valid_to + EVENT_MEMORY_S)
        ]
        for panes in self.flows.values():
            for pane, flow in panes.items():
                # Leaving the recent panes, the older ones, and the window; and the end of its validity.
                moments += [(pane + n) * PANE_S for n in range(1, WINDOW_PANES + 1)]
                moments.append(flow.until)
        return min((m for m in moments if m > now), default=FOREVER)

    def _traffic(self, now: float) -> tuple[dict[str, Any], float]:
        current = pane_of(now)
        recent: list[Flow] = []
        older: list[Flow] = []
        until = FOREVER
        for panes in self.flows.values():
            seen = {p: flow for p, flow in panes.items() if p <= current}
            if not seen:
                continue
            newest = max(seen)
            flow = seen[newest]
            ends = max(flow.until, (newest + RECENT_PANES) * PANE_S)
            if ends > now:
                recent.append(flow)
                until = min(until, ends)
            older += [
                f
                for p, f in seen.items()
                if p != newest and current - WINDOW_PANES < p <= current - RECENT_PANES
            ]
            if ends <= now and newest > current - WINDOW_PANES:
                older.append(flow)
        speed = _mean([f.speed_mps for f in recent])
        if speed is None:
            return {}, FOREVER
        found: dict[str, Any] = {"speed_mps": round(speed, 2)}
        free = _mean([f.free_flow_mps for f in recent if f.free_flow_mps])
        ratio, before = _ratio(recent), _ratio(older)
        if free is not None and ratio is not None:
            found["free_flow_mps"] = round(free, 2)
            found["speed_ratio"] = round(ratio, 3)
            if before is not None:
                found["speed_trend"] = round(ratio - before, 3)
        return found, until

    def pack(self) -> list[Any]:
        flows = [[s, sorted([p, *f] for p, f in panes.items())] for s, panes in sorted(self.flows.items())]
        return [flows, [[i, *e] for i, e in sorted(self.events.items())]]

    @classmethod
    def unpack(cls, packed: list[Any]) -> EdgeWindow:
        flows, events = packed
        return cls(
            {s: {int(row[0]): Flow(*row[1:]) for row in rows} for s, rows in flows},
            {row[0]: Event(*row[1:]) for row in events},
        )


@dataclass(slots=True)
class CellAir:
    """Air quality around one cell: the newest report of each source."""

    sources: dict[str, Air] = field(default_factory=dict)

    def add(self, source: str, air: Air) -> bool:
        known = self.sources.get(source)
        if known is not None and air <= known:
            return False
        self.sources[source] = air
        return True

    def prune(self, now: float) -> bool:
        gone = [source for source, air in self.sources.items() if air.until <= now]
        for source in gone:
            del self.sources[source]
        return bool(gone)

    def features(self, now: float) -> tuple[dict[str, Any], float]:
        """The nearest source's value as of `now` and until when it holds."""
        valid = [air for air in self.sources.values() if air.ts <= now < air.until]
        if not valid:
            return {}, FOREVER
        best = min(valid, key=lambda air: (air.distance_m, -air.ts))
        return {"aqi": round(best.aqi, 1)}, best.until

    def next_change(self, now: float) -> float:
        moments = [m for air in self.sources.values() for m in (air.ts, air.until)]
        return min((m for m in moments if m > now), default=FOREVER)

    def pack(self) -> list[Any]:
        return [[source, *air] for source, air in sorted(self.sources.items())]

    @classmethod
    def unpack(cls, packed: list[Any]) -> CellAir:
        return cls({row[0]: Air(*row[1:]) for row in packed})


class Interval(NamedTuple):
    """One version of the weather of an interval; values in the order of WEATHER_FIELDS."""

    ts: float
    values: tuple[float | None, ...]


@dataclass(slots=True)
class PlaceWeather:
    """Observations, nowcasts and forecasts of one source at one place, by interval."""

    intervals: dict[tuple[float, float], Interval] = field(default_factory=dict)

    def add(self, valid_from: float, valid_to: float, interval: Interval) -> bool:
        """Whether it is news: a later `ts` replaces an earlier one of the same interval."""
        known = self.intervals.get((valid_from, valid_to))
        if known is not None and (interval.ts < known.ts or interval == known):
            return False
        self.intervals[valid_from, valid_to] = interval
        return True

    def prune(self, now: float) -> bool:
        gone = [key for key in self.intervals if key[1] + WEATHER_LATE_S < now]
        for key in gone:
            del self.intervals[key]
        return bool(gone)

    @property
    def empty(self) -> bool:
        return not self.intervals

    def value(self, name: str, at: float) -> tuple[float, float] | None:
        """The value at a moment and the end of its interval: the newest `ts` wins, then the shortest."""
        column = WEATHER_FIELDS.index(name)
        best: tuple[float, float, float, float] | None = None
        for (start, end), interval in self.intervals.items():
            known = interval.values[column]
            if start <= at < end and known is not None:
                rank = (interval.ts, start - end, known, end)
                if best is None or rank > best:
                    best = rank
        return None if best is None else (best[2], best[3])

    def highest(self, name: str, start: float, end: float) -> float | None:
        """The highest value from `start` to before `end`."""
        inside = {m for key in self.intervals for m in key if start < m < end}
        found = [value for m in (start, *inside) if (value := self.value(name, m)) is not None]
        return max((v for v, _ in found), default=None)

    def features(self, now: float) -> dict[str, tuple[float, float]]:
        """Features of EdgeCondition as of `now`, each with the end of the interval it is taken from."""
        found: dict[str, tuple[float, float]] = {}
        for name in WEATHER_FIELDS:
            known = self.value(name, now)
            if known is not None:
                found["rain_now_mmph" if name == "precip_mmph" else name] = known
        if "rain_now_mmph" in found:
            until = found["rain_now_mmph"][1]
            for feature, ahead_s in (("rain_1h_mmph", 3_600.0), ("rain_3h_mmph", 10_800.0)):
                highest = self.highest("precip_mmph", now, now + ahead_s)
                if highest is not None:
                    found[feature] = (highest, until)
        return found

    def pack(self) -> list[Any]:
        return [[*key, one.ts, *one.values] for key, one in sorted(self.intervals.items())]

    @classmethod
    def unpack(cls, packed: list[Any]) -> PlaceWeather:
        return cls({(row[0], row[1]): Interval(row[2], tuple(row[3:])) for row in packed})


@dataclass(slots=True)
class Emitted:
    """What was last sent for a key, so that the same is not sent again."""

    version: int = 0
    offset: int = -1  # of the newest input that touched the key
    expires: float = 0.0
    features: dict[str, Any] = field(default_factory=dict)

    def pack(self) -> list[Any]:
        return [self.version, self.offset, self.expires, dict(sorted(self.features.items()))]


def pane_of(ts: float) -> int:
    return math.floor(ts / PANE_S)


def packed_bytes(*parts: Any) -> bytes:
    return orjson.dumps(parts)


def unpacked(key: str, state: bytes) -> list[Any]:
    """The parts of a packed state; raises BadRecord for bytes that are none."""
    try:
        parts = orjson.loads(state)
    except orjson.JSONDecodeError as error:
        raise BadRecord("bad_checkpoint", f"the saved condition of {key}: {error}") from error
    if not isinstance(parts, list):
        raise BadRecord("bad_checkpoint", f"the saved condition of {key}: it is not a list")
    return parts


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return math.fsum(known) / len(known) if known else None


def _ratio(flows: list[Flow]) -> float | None:
    """Mean of speed over free flow."""
    return _mean([f.speed_mps / f.free_flow_mps for f in flows if f.free_flow_mps])
