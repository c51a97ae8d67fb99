"""The conditions of all cities: reports in, and what changed for which edge or cell out.

Pure: time comes with the reports and with `changed(now_ts)`. The state is kept key by key (edges, cells, and
places that report weather) so that only what changed needs to be saved; it packs to the same bytes for the
same reports. Versions rise with the offset of the input that touched a key, so a replay repeats them.

Who sends what: `kind` flow with `speed_mps` (and `free_flow_mps`), closure, roadwork and incident with a
validity, air with `aqi`. An event is known by its `source` if that names one (`feed#event`), else by source
and geometry; a newer version of an event withdraws it from edges that it no longer touches.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from geo.cities import Cities
from geo.errors import BadRecord
from models.records import EdgeCondition, TrafficReport, WeatherReport
from models.world.condition_places import (
    AIR_REACH_M,
    WEATHER_REACH_M,
    cells_near,
    middle,
    stretches_of,
)
from models.world.condition_table import ConditionTable, darkness, solar_elevation_deg
from models.world.condition_windows import (
    AIR_TTL_S,
    FOREVER,
    WEATHER_FIELDS,
    Air,
    CellAir,
    EdgeWindow,
    Emitted,
    Event,
    Flow,
    Interval,
    PlaceWeather,
    packed_bytes,
    unpacked,
)
from models.world.forecast import SLOT_S, slot_of
from models.world.forecast_table import ForecastTable

__all__ = [
    "ConditionTable",
    "Conditions",
    "darkness",
    "solar_elevation_deg",
]

GRACE_S = 120.0  # a value is good a little longer than its interval, until its successor has come round
REFRESH_S = 300.0
WEATHER_STEP_S = 60.0  # forecasts are looked at once a minute
VERSIONS_PER_OFFSET = 1 << 16  # room for changes that time alone brings between two inputs
_CACHED_GEOMETRIES = 4_096
_DIGITS = {"rain_now_mmph": 2, "rain_1h_mmph": 2, "rain_3h_mmph": 2, "wind_deg": 0, "cloud": 0}
_PLACE = "weather|"
_FORECAST = "forecast|"
_SAMPLES_AT_ONCE = 500


class Conditions:
    """All windows of a deployment's cities; not shared between threads."""

    def __init__(self, cities: Cities) -> None:
        self._cities = cities
        self._edges: dict[str, EdgeWindow] = {}
        self._air: dict[str, CellAir] = {}
        self._weather: dict[str, PlaceWeather] = {}
        self._emitted: dict[str, Emitted] = {}
        self._events: dict[str, set[str]] = {}  # event id → keys of the edges that know it
        self._pending: set[str] = set()  # edges and cells to look at in the next `changed`
        self._dirty: set[str] = set()  # what has changed since the last `clear_dirty`
        self._due: list[tuple[float, str]] = []  # heap of moments at which a key may change by itself
        self._forecasts = ForecastTable()  # of edges' speed_ratio
        self._slot = -1
        self._samples: list[str] = []  # edges whose value in this slot is still to be looked at
        self._weather_step = -1.0
        self._weather_news = False
        self._reach: dict[str, dict[str, float]] = {}  # weather place → cells within reach, distances
        self._groups: list[tuple[tuple[str, ...], list[str]]] | None = None
        self._touched: OrderedDict[bytes, list[str]] = OrderedDict()

    # what comes in

    def fold_traffic(self, report: TrafficReport, offset: int) -> None:
        """Take in one traffic report, read at `offset` of its topic."""
        if report.kind == "air":
            self._fold_air(report, offset)
        elif report.kind == "flow":
            self._fold_flow(report, offset)
        else:
            self._fold_event(report, offset)

    def fold_weather(self, report: WeatherReport, offset: int) -> None:
        """Take in one weather report, read at `offset` of its topic. Without a validity it holds an hour."""
        start = report.ts if report.valid_from is None else report.valid_from
        end = start + 3_600.0 if report.valid_to is None else report.valid_to
        key = f"{_PLACE}{report.source}|{report.lat:.5f},{report.lon:.5f}"
        if end <= start or not self._cells_in_reach(key):
            return
        values = tuple(getattr(report, name) for name in WEATHER_FIELDS)
        if key not in self._weather:
            self._weather[key] = PlaceWeather()
            self._groups = None
        if self._weather[key].add(start, end, Interval(report.ts, values)):
            self._note(key, offset)
            self._weather_news = True

    def _fold_flow(self, report: TrafficReport, offset: int) -> None:
        if report.speed_mps is None:
            return
        until = report.ts if report.valid_to is None else report.valid_to
        flow = Flow(report.ts, report.speed_mps, report.free_flow_mps or None, until)
        for key in self._edges_touched(report.geometry):
            if self._edges.setdefault(key, EdgeWindow()).add_flow(report.source, flow):
                self._note(key, offset)
                self._pending.add(key)

    def _fold_event(self, report: TrafficReport, offset: int) -> None:
        start = report.ts if report.valid_from is None else report.valid_from
        end = FOREVER if report.valid_to is None else report.valid_to
        event = Event(report.ts, report.kind, start, end, report.severity)
        event_id = _event_id(report)
        holders = self._events.setdefault(event_id, set())
        known = [self._edges[key].events[event_id] for key in holders]
        if known and report.ts < max(version.ts for version in known):
            return
        touched = set(self._edges_touched(report.geometry))
        for key in touched | holders:
            # Where it no longer is, it is remembered as ended: an old version may still come.
            version = event if key in touched else Event(report.ts, report.kind, report.ts, report.ts, None)
            if self._edges.setdefault(key, EdgeWindow()).add_event(event_id, version):
                self._note(key, offset)
                self._pending.add(key)
            holders.add(key)

    def _fold_air(self, report: TrafficReport, offset: int) -> None:
        if report.aqi is None:
            return
        lat, lon = middle(report.geometry)
        until = report.ts + AIR_TTL_S if report.valid_to is None else report.valid_to
        for key, distance_m in cells_near(self._cities, lat, lon, AIR_REACH_M).items():
            air = Air(report.ts, report.aqi, until, round(distance_m, 1))
            if self._air.setdefault(key, CellAir()).add(report.source, air):
                self._note(key, offset)
                self._pending.add(key)

    # what goes out

    def changed(self, now_ts: float) -> list[EdgeCondition]:
        """The conditions that differ at `now_ts` from what was last returned for their keys, by key.

        Costs nothing for keys that neither a report nor the passing of time has touched. A condition whose
        last feature ended has no features and expires at once.
        """
        while self._due and self._due[0][0] <= now_ts:
            self._pending.add(heapq.heappop(self._due)[1])
        self._follow_forecasts(now_ts)
        pending, self._pending = self._pending, set()
        found = []
        for key in pending:
            if key in self._edges:
                condition = self._edge_condition(key, now_ts)
                if condition is not None:
                    found.append(condition)
        cells = {key for key in pending if "/" not in key}
        found += self._cell_conditions(cells, now_ts)
        return sorted(found, key=lambda condition: condition.key)

    def _follow_forecasts(self, now: float) -> None:
        """Every quarter of an hour they learn how fast vehicles were as it began, some edges a call."""
        slot = slot_of(now)
        if slot != self._slot:
            self._slot, self._samples = (
                slot,
                sorted(key for key, window in self._edges.items() if window.flows),
            )
        some, self._samples = self._samples[:_SAMPLES_AT_ONCE], self._samples[_SAMPLES_AT_ONCE:]
        ratios = {
            key: self._edges[key].features(slot * SLOT_S)[0].get("speed_ratio")
            for key in some
            if key in self._edges
        }
        learned = {key: ratio for key, ratio in ratios.items() if ratio is not None}
        self._forecasts.fold(slot, learned)
        self._pending.update(learned)
        self._dirty.update(_FORECAST + key for key in learned)

    def forecast_errors(self) -> dict[str, float]:
        """Mean error of the forecasts of speed_ratio, by how far ahead."""
        return self._forecasts.mean_errors(self._forecasts.keys)

    def _edge_condition(self, key: str, now: float) -> EdgeCondition | None:
        window = self._edges[key]
        before = set(window.events)
        if window.prune(now):
            self._dirty.add(key)
            for event_id in before - set(window.events):
                self._forget(event_id, key)
        features, until = window.features(now)
        if "speed_ratio" in features:
            features |= self._forecasts.features(key, "speed_ratio", 3)
        condition = self._emit(key, features, until, now, self._emitted.get(key, Emitted()).offset)
        if window.empty:
            del self._edges[key]
            self._emitted.pop(key, None)
        else:
            moment = window.next_change(now)
            if moment < FOREVER:
                heapq.heappush(self._due, (moment, key))
        return condition

    def _cell_conditions(self, pending: set[str], now: float) -> list[EdgeCondition]:
        step = now // WEATHER_STEP_S * WEATHER_STEP_S
        if self._weather_news or step > self._weather_step:
            for key in list(self._weather):
                if self._weather[key].prune(now):
                    self._dirty.add(key)
                if self._weather[key].empty:
                    del self._weather[key]
                    self._emitted.pop(key, None)
                    self._groups = None
            self._weather_news, self._weather_step = False, step
            wanted = None
        elif pending:
            wanted = pending
        else:
            return []
        found = []
        seen = set()
        for places, cells in self._cell_groups():
            here = cells if wanted is None else [key for key in cells if key in wanted]
            if not here:
                continue
            weather = self._weather_features(places, now)
            offset = max(self._emitted[place].offset for place in places)
            for key in here:
                seen.add(key)
                found.append(self._cell_condition(key, weather, offset, now))
        # Cells without weather, or no longer with any: air alone, or the end of what was told.
        alone = {key for key in self._emitted if "/" not in key and not key.startswith(_PLACE)} - seen
        for key in alone if wanted is None else alone & wanted:
            found.append(self._cell_condition(key, {}, -1, now))
        return [condition for condition in found if condition is not None]

    def _cell_condition(
        self, key: str, weather: Mapping[str, tuple[float, float]], offset: int, now: float
    ) -> EdgeCondition | None:
        features: dict[str, Any] = {name: value for name, (value, _) in weather.items()}
        until = min((end for _, end in weather.values()), default=FOREVER)
        air = self._air.get(key)
        if air is not None:
            if air.prune(now):
                self._dirty.add(key)
            found, air_until = air.features(now)
            features |= found
            until = min(until, air_until)
            if not air.sources:
                del self._air[key]
            else:
                moment = air.next_change(now)
                if moment < FOREVER:
                    heapq.heappush(self._due, (moment, key))
        condition = self._emit(key, features, until, now, offset)
        # as long as a place is in reach, its next interval continues the versions
        nothing_left = offset < 0 and key not in self._air
        if nothing_left and key in self._emitted and not self._emitted[key].features:
            del self._emitted[key]
            self._dirty.add(key)
        return condition

    def _emit(
        self, key: str, features: dict[str, Any], until: float, now: float, offset: int
    ) -> EdgeCondition | None:
        last = self._emitted.get(key)
        if last is None:
            if not features:
                return None
            last = self._emitted[key] = Emitted()
        open_end = until >= FOREVER or features.get("closed")
        expires = until if open_end else until + GRACE_S
        refresh = bool(features) and last.expires <= now + REFRESH_S and expires > last.expires
        if features == last.features and not refresh:
            return None
        last.offset = max(last.offset, offset)
        last.version = max(last.version + 1, (last.offset + 1) * VERSIONS_PER_OFFSET)
        last.expires = expires if features else now
        last.features = features
        self._dirty.add(key)
        return EdgeCondition(key=key, ts=now, version=last.version, expires=last.expires, **features)

    # weather by cell

    def _cells_in_reach(self, place: str) -> dict[str, float]:
        if place not in self._reach:
            lat, lon = (float(x) for x in place.rpartition("|")[2].split(","))
            self._reach[place] = cells_near(self._cities, lat, lon, WEATHER_REACH_M)
        return self._reach[place]

    def _cell_groups(self) -> list[tuple[tuple[str, ...], list[str]]]:
        """Cells that see the same places in the same order of distance: their weather is the same."""
        if self._groups is None:
            near: dict[str, list[tuple[float, str]]] = {}
            for place in sorted(self._weather):
                for cell, distance_m in self._cells_in_reach(place).items():
                    near.setdefault(cell, []).append((distance_m, place))
            groups: dict[tuple[str, ...], list[str]] = {}
            for cell, places in near.items():
                order = tuple(place for _, place in sorted(places))
                groups.setdefault(order, []).append(cell)
            self._groups = sorted(groups.items())
        return self._groups

    def _weather_features(self, places: tuple[str, ...], now: float) -> dict[str, tuple[float, float]]:
        """Each feature from the nearest place that knows it, with the end of its interval."""
        found: dict[str, tuple[float, float]] = {}
        for place in places:
            for name, (value, end) in self._weather[place].features(now).items():
                found.setdefault(name, (round(value, _DIGITS.get(name, 1)), end))
        return found

    # edges and events

    def _edges_touched(self, geometry: Mapping[str, Any]) -> list[str]:
        packed = orjson.dumps(geometry, option=orjson.OPT_SORT_KEYS)
        if packed in self._touched:
            self._touched.move_to_end(packed)
            return self._touched[packed]
        keys = stretches_of(self._cities, geometry)
        self._touched[packed] = keys
        if len(self._touched) > _CACHED_GEOMETRIES:
            self._touched.popitem(last=False)
        return keys

    def _forget(self, event_id: str, key: str) -> None:
        holders = self._events.get(event_id, set())
        holders.discard(key)
        if not holders:
            self._events.pop(event_id, None)

    def _note(self, key: str, offset: int) -> None:
        emitted = self._emitted.setdefault(key, Emitted())
        emitted.offset = max(emitted.offset, offset)
        self._dirty.add(key)

    # checkpoints

    def keys(self) -> list[str]:
        """Keys that have state, sorted: edges, cells, `weather|…` for places, `forecast|…` for edges."""
        forecasts = (_FORECAST + key for key in self._forecasts.keys)
        return sorted({*self._edges, *self._air, *self._weather, *self._emitted, *forecasts})

    def dirty_keys(self) -> list[str]:
        """Keys whose state changed since `clear_dirty`, sorted; some may be gone, see `pack`."""
        return sorted(self._dirty)

    def clear_dirty(self) -> None:
        self._dirty.clear()

    def saved(self, keys: Iterable[str]) -> None:
        """These keys were saved as they are now."""
        self._dirty.difference_update(keys)

    def pack(self, key: str) -> bytes:
        """The state of a key; empty if it has none (any more), which is to be saved as a deletion."""
        if key.startswith(_FORECAST):
            return self._forecasts.pack(key.removeprefix(_FORECAST))
        emitted = self._emitted.get(key)
        window, air, weather = self._edges.get(key), self._air.get(key), self._weather.get(key)
        state = window or air or weather
        if state is None and emitted is None:
            return b""
        return packed_bytes(
            None if state is None else state.pack(), None if emitted is None else emitted.pack()
        )

    def load(self, key: str, state: bytes) -> None:
        """Put back what `pack` gave; empty bytes do nothing. Raises BadRecord for anything else."""
        if not state:
            return
        if key.startswith(_FORECAST):
            self._forecasts.load(key.removeprefix(_FORECAST), state)
            return
        try:
            packed, emitted = unpacked(key, state)
            if emitted is not None:
                self._emitted[key] = Emitted(*emitted)
            if packed is None:
                pass
            elif key.startswith(_PLACE):
                self._weather[key] = PlaceWeather.unpack(packed)
                self._groups, self._weather_news = None, True
            elif "/" in key:
                self._edges[key] = EdgeWindow.unpack(packed)
                for event_id in self._edges[key].events:
                    self._events.setdefault(event_id, set()).add(key)
            else:
                self._air[key] = CellAir.unpack(packed)
        except (TypeError, ValueError, IndexError) as error:
            raise BadRecord("bad_checkpoint", f"the saved condition of {key}: {error}") from error
        if not key.startswith(_PLACE):
            self._pending.add(key)


def _event_id(report: TrafficReport) -> str:
    if "#" in report.source:
        return report.source
    shape = orjson.dumps(report.geometry, option=orjson.OPT_SORT_KEYS)
    return f"{report.source}|{hashlib.blake2b(shape, digest_size=8).hexdigest()}"
