"""The windows in plain Python: remembers every fix and computes everything anew from all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

PANE_MS = 20_000
KEPT_PANES = 48


class Event(NamedTuple):
    ts: float
    lat: float
    lon: float
    accuracy_m: float
    off_network: int
    speed_mps: float = math.nan


def to_ms(ts: float) -> int:
    return math.floor(ts * 1000.0 + 0.5)


@dataclass
class NaiveWalker:
    grace_s: float = 60.0
    accepted: list[Event] = field(default_factory=list)
    late: int = 0
    duplicates: int = 0
    out_of_order: int = 0

    def add(self, event: Event) -> int:
        """0 in order, 1 out of order, 2 duplicate, 3 late."""
        ms = to_ms(event.ts)
        times = sorted(to_ms(e.ts) for e in self.accepted)
        if not times or ms > times[-1]:
            self.accepted.append(event)
            return 0
        if ms < times[-1] - round(self.grace_s * 1000) or (len(times) > 64 and ms <= times[-65]):
            self.late += 1
            return 3
        if ms in times:
            self.duplicates += 1
            return 2
        self.accepted.append(event)
        self.out_of_order += 1
        return 1

    def features(self, now_ts: float) -> list[float]:
        last_ms = max(to_ms(e.ts) for e in self.accepted)
        now_ms = max(to_ms(now_ts), last_ms)
        now_pane = now_ms // PANE_MS
        panes: dict[int, list[Event]] = {}
        for event in sorted(self.accepted):
            pane = to_ms(event.ts) // PANE_MS
            if pane > last_ms // PANE_MS - KEPT_PANES:
                panes.setdefault(pane, []).append(event)
        lasts = [(pane, events[-1]) for pane, events in sorted(panes.items())]
        chords = []
        for (p, a), (q, b) in pairwise(lasts):
            if p >= now_pane - 45 and q <= now_pane:
                chords.append((p, self._chord_m(a, b), (to_ms(b.ts) - to_ms(a.ts)) / 1000.0))
        row = []
        inside = [[c for c in chords if c[0] >= now_pane - count] for count in (3, 15, 45)]
        for some in inside:
            row.append(sum(m for _, m, _ in some) / sum(s for *_, s in some) if some else math.nan)
        row += [sum(m for _, m, _ in some) for some in inside]
        still = [m < 4.0 for _, m, _ in chords]
        row.append(sum(1 for k, s in enumerate(still) if s and not (k and still[k - 1])))
        for some in inside[1:]:
            total = sum(s for *_, s in some)
            row.append(sum(s for _, m, s in some if m < 4.0) / total if some else math.nan)
        recent = [e for p, events in panes.items() if now_pane - 15 < p <= now_pane for e in events]
        known = [e.accuracy_m for e in recent if not math.isnan(e.accuracy_m)]
        halves = [math.floor(min(max(a, 0.0), 127.5) * 2.0 + 0.5) for a in known]
        row.append(sum(halves) * 0.5 / len(known) if known else math.nan)
        row.append(len(recent) * 60_000 / (now_ms - (now_pane - 14) * PANE_MS + 1))
        row.append(sum(e.off_network for e in recent) / len(recent) if recent else math.nan)
        return row

    def _chord_m(self, a: Event, b: Event) -> float:
        metres_per_degree = 6_371_008.8 * math.pi / 180.0
        latest = max(self.accepted)
        east = (b.lon - a.lon) * metres_per_degree * math.cos(math.radians(latest.lat))
        return math.hypot((b.lat - a.lat) * metres_per_degree, east)
