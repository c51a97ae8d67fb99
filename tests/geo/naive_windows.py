"""The windows in plain Python: remembers every event and computes everything anew from all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from geo.window_layout import EVENT, Feature, Source, WindowLayout

NAN = math.nan


class Event(NamedTuple):
    """values: by the name of a source; the same order of fields as a test reads best."""

    ts: float
    values: dict[str, float]
    key: int = 0


def to_ms(ts: float) -> int:
    return math.floor(ts * 1000.0 + 0.5)


@dataclass
class NaiveEntity:
    layout: WindowLayout
    accepted: list[Event] = field(default_factory=list)
    late: int = 0
    duplicates: int = 0
    out_of_order: int = 0

    def add(self, event: Event) -> int:
        """0 in order, 1 out of order, 2 duplicate, 3 late."""
        remembered, grace_ms = self.layout.plan.remembered, self.layout.plan.grace_ms
        ms = to_ms(event.ts)
        times = sorted(to_ms(e.ts) for e in self.accepted)
        if not times or ms > times[-1] or (not remembered and ms == times[-1]):
            self.accepted.append(event)
            return 0
        forgotten = bool(remembered) and len(times) > remembered and ms <= times[-remembered - 1]
        if ms < times[-1] - grace_ms or forgotten:
            self.late += 1
            return 3
        if remembered and ms in times:
            self.duplicates += 1
            return 2
        self.accepted.append(event)
        self.out_of_order += 1
        return 1

    def features(self, now_ts: float) -> dict[str, float]:
        return {feature.name: self._feature(feature, now_ts) for feature in self.layout.features}

    def _feature(self, feature: Feature, now_ts: float) -> float:
        hop_ms, now_ms = feature.hop_s * 1000, to_ms(now_ts)
        end_ms = (now_ms // hop_ms + 1) * hop_ms
        if feature.complete:
            end_ms = (now_ms - feature.grace_s * 1000) // hop_ms * hop_ms
        begin_ms = end_ms - feature.window_s * 1000
        if ", " in feature.source:
            return self._of_places(feature, begin_ms, end_ms)
        inside = [e for e in self.accepted if begin_ms <= to_ms(e.ts) < end_ms]
        if feature.aggregate == "distinct":
            return self._distinct({e.key for e in inside})
        if feature.source == EVENT:
            total = float(len(inside))
        else:
            source = self._source(feature.source)
            told = [(to_ms(e.ts), rounded(source, e.values[source.name])) for e in inside]
            known = [(ms, value) for ms, value in told if not math.isnan(value)]
            values = [value for _, value in known]
            if feature.aggregate in ("sum", "rate"):
                total = sum(values)
            elif not values:
                return 0.0 if feature.aggregate == "count" else NAN
            else:
                return self._of_values(feature, known, values, hop_ms)
        if feature.aggregate == "rate":
            return total * feature.parameter * 1000 / (min(now_ms + 1, end_ms) - begin_ms)
        return total

    def _of_values(
        self, feature: Feature, known: list[tuple[int, float]], values: list[float], hop_ms: int
    ) -> float:
        mean = sum(values) / len(values)
        if feature.aggregate == "ewma":
            panes = sorted({ms // hop_ms for ms, _ in known})
            total = weight = 0.0
            for pane in panes:
                mine = [value for ms, value in known if ms // hop_ms == pane]
                share = 0.5 ** ((panes[-1] - pane) * hop_ms / 1000.0 / feature.parameter)
                total += share * sum(mine) / len(mine)
                weight += share
            return total / weight
        return {
            "count": float(len(values)),
            "mean": mean,
            "variance": sum((value - mean) ** 2 for value in values) / len(values),
            "min": min(values),
            "max": max(values),
            "last": max(known)[1],
            "quantile": sorted(values)[math.floor(0 if math.isnan(feature.parameter) else feature.parameter
                                                  * (len(values) - 1))],
        }[feature.aggregate]  # fmt: skip

    def _of_places(self, feature: Feature, begin_ms: int, end_ms: int) -> float:
        hop_ms = feature.hop_s * 1000
        last: dict[int, tuple[int, float, float]] = {}
        for e in self.accepted:
            place = tuple(rounded(self._source(name), e.values[name]) for name in ("lat", "lon"))
            pane = to_ms(e.ts) // hop_ms
            if not any(map(math.isnan, place)):
                last[pane] = max(last.get(pane, (0, 0.0, 0.0)), (to_ms(e.ts), *place))
        newest_lat = last[max(last)][1] if last else 0.0
        chords = [
            (
                last[p],
                last[q],
                chord_m(last[p][1:], last[q][1:], newest_lat),
                (last[q][0] - last[p][0]) / 1000,
                q,
            )
            for p, q in pairwise(sorted(last))
            if p * hop_ms >= begin_ms - hop_ms and (q + 1) * hop_ms <= end_ms
        ]
        way_m, way_s = sum(c[2] for c in chords), sum(c[3] for c in chords)
        still = [c[2] < feature.parameter for c in chords]
        if feature.aggregate == "path":
            return way_m
        if feature.aggregate == "stops":
            return float(sum(1 for k, s in enumerate(still) if s and not (k and still[k - 1])))
        if not chords:
            return NAN
        if feature.aggregate == "pace":
            return way_m / way_s
        if feature.aggregate == "stopped_share":
            return sum(c[3] for c, s in zip(chords, still, strict=True) if s) / way_s
        shares = [0.5 ** ((chords[-1][4] - c[4]) * feature.hop_s / feature.parameter) for c in chords]
        return sum(s * c[2] / c[3] for s, c in zip(shares, chords, strict=True)) / sum(shares)

    def _source(self, name: str) -> Source:
        return next(source for source in self.layout.sources if source.name == name)

    @staticmethod
    def _distinct(keys: set[int]) -> float:
        if len(keys) < 8:
            return float(len(keys))
        return max(8.0, math.floor(7 * 2**32 / sorted(map(hash32, keys))[7] + 0.5))


def rounded(source: Source, value: float) -> float:
    """To the source's steps and range."""
    if math.isnan(value):
        return NAN if source.optional else source.low
    inside = min(max(value, source.low), source.high)
    return source.low + math.floor((inside - source.low) * source.per_unit + 0.5) / source.per_unit


def chord_m(a: tuple[float, ...], b: tuple[float, ...], lat: float) -> float:
    metres_per_degree = 6_371_008.8 * math.pi / 180.0
    east = (b[1] - a[1] + 180.0) % 360.0 - 180.0
    return math.hypot((b[0] - a[0]), east * math.cos(math.radians(lat))) * metres_per_degree


def hash32(key: int) -> int:
    h = (key + 0x9E3779B97F4A7C15) % 2**64
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    h = (h ^ h >> 27) * 0x94D049BB133111EB % 2**64
    return max((h ^ h >> 31) >> 32, 1)
