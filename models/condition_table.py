"""The receiving side of edge-conditions: the latest condition of every key, and the costs they make.

Also what no report tells: how dark it is, from the sun's height above each cell, and what is shut by its
opening hours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from geo.graph import F32, F64, Graph
from geo.opening_hours import Timetable
from geo.routing.costs import DYNAMIC_FACTORS, Costs, apply_conditions, scaled
from models.condition_places import cells_by_key, edge_of_key
from models.records import EdgeCondition

FULL_SUN_UV = 6.0
FULL_SUN_C = 5.0  # how much warmer it feels in full sun than in the shade: an assumption of this model
WORKS_TRAFFIC = 0.5  # road works or an incident of the highest severity trouble a walker as half a jam
CIVIL_TWILIGHT_DEG = 6.0  # the sun is that far below the horizon when street lamps are needed
_COLUMN = {name: i for i, name in enumerate(DYNAMIC_FACTORS)}


class ConditionTable:
    """The latest condition by key, as read from the compacted topic from its beginning."""

    def __init__(self) -> None:
        self._conditions: dict[str, EdgeCondition] = {}
        self._graph: Graph | None = None
        self._timetable: Timetable | None = None
        self._cells: dict[str, int] = {}
        self._cell_values: F32 = np.zeros((0, len(DYNAMIC_FACTORS)), np.float32)
        self._cell_expires: F64 = np.zeros(0)
        self._edges: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._conditions)

    def fold(self, condition: EdgeCondition) -> bool:
        """Take in one condition; False for one that is older than what is known of its key."""
        known = self._conditions.get(condition.key)
        if known is not None and condition.version < known.version:
            return False
        self._conditions[condition.key] = condition
        self._place(condition)
        return True

    def forget(self, key: str) -> None:
        """A tombstone: the key has no condition any more."""
        if self._conditions.pop(key, None) is not None:
            if key in self._cells:
                self._cell_expires[self._cells[key]] = 0.0
            self._edges.pop(key, None)

    def get(self, key: str, now_ts: float) -> EdgeCondition | None:
        """The condition of a key that is still good at `now_ts`."""
        known = self._conditions.get(key)
        return known if known is not None and known.expires > now_ts else None

    def next_expiry(self, now_ts: float) -> float | None:
        """When the next condition expires after `now_ts`: the costs change then, though nothing comes in."""
        return min((c.expires for c in self._conditions.values() if c.expires > now_ts), default=None)

    def costs(self, graph: Graph, now_ts: float, version: int) -> Costs:
        """The costs of every edge at `now_ts`, from all conditions that have not expired.

        `version` is the caller's number for them, such as the topic's offset.
        """
        if graph is not self._graph or self._timetable is None:
            self._bind(graph)
            self._timetable = Timetable(graph)
        values = self._cell_values.copy()
        values[self._cell_expires <= now_ts] = np.nan
        values[:, _COLUMN["dark"]] = darkness(graph.cell_lat, graph.cell_lon, now_ts)
        closed: list[int] = []
        traffic: dict[int, float] = {}
        for key, edge in self._edges.items():
            condition = self._conditions[key]
            if condition.expires <= now_ts:
                continue
            if condition.closed:
                closed.append(edge)
            value = _traffic(condition)
            if value is not None:
                traffic[edge] = value
        busy = np.fromiter(traffic.keys(), np.int32, len(traffic))
        measured = np.fromiter(traffic.values(), np.float32, len(traffic))
        shut = np.union1d(np.array(closed, np.int32), self._timetable.closed_edges(now_ts)).astype(np.int32)
        return apply_conditions(graph, version, values, {"traffic": (busy, measured)}, shut, night=False)

    def _bind(self, graph: Graph) -> None:
        self._graph, self._cells = graph, cells_by_key(graph)
        self._cell_values = np.full((len(graph.cell_h3), len(DYNAMIC_FACTORS)), np.nan, np.float32)
        self._cell_expires = np.zeros(len(graph.cell_h3))
        self._edges = {}
        for condition in self._conditions.values():
            self._place(condition)

    def _place(self, condition: EdgeCondition) -> None:
        if self._graph is None:
            return
        cell = self._cells.get(condition.key)
        if cell is not None:
            self._cell_values[cell] = _cell_values(condition)
            self._cell_expires[cell] = condition.expires
        elif condition.key not in self._edges:
            edge = edge_of_key(self._graph, condition.key)
            if edge is not None:
                self._edges[condition.key] = edge


def darkness(lat: ArrayLike, lon: ArrayLike, ts: float) -> F64:
    """How dark it is, 0..1: 0 while the sun is up, 1 from the end of civil twilight on."""
    dark: F64 = np.clip(-solar_elevation_deg(lat, lon, ts) / CIVIL_TWILIGHT_DEG, 0.0, 1.0)
    return dark


def solar_elevation_deg(lat: ArrayLike, lon: ArrayLike, ts: float) -> F64:
    """Height of the sun's centre above the horizon in degrees, without refraction; shapes broadcast.

    The low-accuracy formulas of NOAA's solar calculator (after Spencer 1971, Fourier series in the fractional
    year): within about 0.3 degrees, which is a minute or two of twilight.
    """
    phi = np.radians(np.asarray(lat, np.float64))
    days = ts / 86_400.0
    year = 2.0 * np.pi * ((days - 10_957.0) % 365.2425) / 365.2425  # 10,957 days: 2000-01-01
    equation_min = 229.18 * (
        0.000075
        + 0.001868 * np.cos(year)
        - 0.032077 * np.sin(year)
        - 0.014615 * np.cos(2 * year)
        - 0.040849 * np.sin(2 * year)
    )
    declination = (
        0.006918
        - 0.399912 * np.cos(year)
        + 0.070257 * np.sin(year)
        - 0.006758 * np.cos(2 * year)
        + 0.000907 * np.sin(2 * year)
        - 0.002697 * np.cos(3 * year)
        + 0.00148 * np.sin(3 * year)
    )
    minutes = (days % 1.0) * 1_440.0 + equation_min + 4.0 * np.asarray(lon, np.float64)
    hour_angle = np.radians(minutes / 4.0 - 180.0)
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    elevation: F64 = np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))
    return elevation


def _cell_values(condition: EdgeCondition) -> F32:
    values = np.full(len(DYNAMIC_FACTORS), np.nan, np.float32)
    rain = [x for x in (condition.rain_now_mmph, condition.rain_1h_mmph) if x is not None]
    if rain:
        values[_COLUMN["rain"]] = scaled("rain", max(rain))
    if condition.wind_mps is not None:
        values[_COLUMN["wind"]] = scaled("wind", condition.wind_mps)
    if condition.temp_c is not None:
        clear = 1.0 - (condition.cloud or 0.0) / 100.0
        sun = min(1.0, (condition.uv or 0.0) / FULL_SUN_UV) * clear
        values[_COLUMN["heat"]] = scaled("heat", condition.temp_c + FULL_SUN_C * sun)
    if condition.aqi is not None:
        values[_COLUMN["aqi"]] = scaled("aqi", condition.aqi)
    if condition.speed_ratio is not None:
        values[_COLUMN["traffic"]] = scaled("traffic", 1.0 - condition.speed_ratio)
    return values


def _traffic(condition: EdgeCondition) -> float | None:
    known = []
    if condition.speed_ratio is not None:
        known.append(scaled("traffic", 1.0 - condition.speed_ratio))
    if condition.severity is not None and not condition.closed:
        known.append(WORKS_TRAFFIC * min(1.0, condition.severity / 10.0))
    return max(known, default=None)
