"""The receiving side of edge-conditions: the latest condition of every key, and the costs they make.

Crowds: how many walkers are there at once for every 100 m of street, which is Edie's density (1963,
"Discussion of traffic stream measurements": time spent over length times duration).

Also what no report tells: how dark it is, from the sun's height above each cell, and what is shut by its
opening hours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import ArrayLike

from geo.graph import F32, F64, I32, Graph
from geo.opening_hours import Timetable
from geo.routing.costs import DYNAMIC_FACTORS, Costs, apply_conditions, scaled
from models.records import CROWD_PREFIX, EdgeCondition
from models.world.condition_places import cells_by_key, edge_of_key

FULL_SUN_UV = 6.0
FULL_SUN_C = 5.0  # how much warmer it feels in full sun than in the shade: an assumption of this model
WORKS_TRAFFIC = 0.5  # road works or an incident of the highest severity trouble a walker as half a jam
CIVIL_TWILIGHT_DEG = 6.0  # the sun is that far below the horizon when street lamps are needed
DARK_STEPS = 5  # of about seven minutes in Europe
SUN_DEG = 0.25  # one height of the sun for squares of this size: its error is less than the formula's
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
        self._crowded: dict[str, tuple[int, int]] = {}  # key → cell, edge; one of them -1
        self._cell_street_m: F64 = np.zeros(0)

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
            self._crowded.pop(key, None)

    def conditions(self) -> Collection[EdgeCondition]:
        """The latest of every key."""
        return self._conditions.values()

    def get(self, key: str, now_ts: float) -> EdgeCondition | None:
        """The condition of a key that is still good at `now_ts`."""
        known = self._conditions.get(key)
        return known if known is not None and known.expires > now_ts else None

    def on_edges(self, now_ts: float) -> Iterator[tuple[int, EdgeCondition]]:
        """The edges of the graph that costs were last made for, with their conditions; not their crowds."""
        for key, edge in self._edges.items():
            condition = self._conditions[key]
            if condition.expires > now_ts:
                yield edge, condition

    def crowded_cells(self, now_ts: float) -> set[int]:
        """The cells of that graph whose crowds are told."""
        return {
            cell
            for key, (cell, _) in self._crowded.items()
            if cell >= 0 and self._conditions[key].expires > now_ts
        }

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
        crowd = self._crowd(graph, values, now_ts)
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
        shut = np.union1d(np.array(closed, np.int32), self._timetable.closed_edges(now_ts)).astype(np.int32)
        own = {"traffic": _columns(traffic), "crowd": _columns(crowd)}
        return apply_conditions(graph, version, values, own, shut, night=False)

    def _crowd(self, graph: Graph, cell_values: F32, now_ts: float) -> dict[int, float]:
        """How crowded edges are that are told of themselves; writes that of cells into `cell_values`."""
        edges: dict[int, float] = {}
        for key, (cell, edge) in self._crowded.items():
            condition = self._conditions[key]
            if condition.expires <= now_ts or condition.walkers_at_once is None:
                continue
            street_m = graph.length_m[edge] if edge >= 0 else self._cell_street_m[cell]
            value = scaled("crowd", 100.0 * condition.walkers_at_once / max(1.0, float(street_m)))
            if edge >= 0:
                edges[edge] = value
            else:
                cell_values[cell, _COLUMN["crowd"]] = value
        return edges

    def _bind(self, graph: Graph) -> None:
        self._graph, self._cells = graph, cells_by_key(graph)
        self._cell_values = np.full((len(graph.cell_h3), len(DYNAMIC_FACTORS)), np.nan, np.float32)
        self._cell_expires = np.zeros(len(graph.cell_h3))
        self._edges = {}
        self._crowded = {}
        once = (graph.reverse < 0) | (graph.reverse > np.arange(graph.edge_count))
        street_m = np.bincount(graph.cell[once], graph.length_m[once], len(graph.cell_h3))
        self._cell_street_m = street_m.astype(np.float64)
        for condition in self._conditions.values():
            self._place(condition)

    def _place(self, condition: EdgeCondition) -> None:
        if self._graph is None:
            return
        if condition.key.startswith(CROWD_PREFIX):
            self._place_crowd(self._graph, condition.key)
            return
        cell = self._cells.get(condition.key)
        if cell is not None:
            self._cell_values[cell] = _cell_values(condition)
            self._cell_expires[cell] = condition.expires
        elif condition.key not in self._edges:
            edge = edge_of_key(self._graph, condition.key)
            if edge is not None:
                self._edges[condition.key] = edge

    def _place_crowd(self, graph: Graph, key: str) -> None:
        if key in self._crowded:
            return
        name = key.removeprefix(CROWD_PREFIX)
        cell = self._cells.get(name, -1)
        edge = edge_of_key(graph, name) if "/" in name else None
        if cell >= 0 or edge is not None:
            self._crowded[key] = (cell, -1 if edge is None else edge)


def darkness(lat: ArrayLike, lon: ArrayLike, ts: float) -> F64:
    """How dark it is, 0..1 in DARK_STEPS steps: 0 while the sun is up, 1 at the end of civil twilight.

    In steps, and the same within SUN_DEG: else every way would be weighed anew every few seconds at dusk.
    """
    north, east = (np.round(np.asarray(axis, np.float64) / SUN_DEG) * SUN_DEG for axis in (lat, lon))
    dark = np.clip(-solar_elevation_deg(north, east, ts) / CIVIL_TWILIGHT_DEG, 0.0, 1.0)
    steps: F64 = np.round(dark * DARK_STEPS) / DARK_STEPS
    return steps


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


def _columns(by_edge: dict[int, float]) -> tuple[I32, F32]:
    return (
        np.fromiter(by_edge.keys(), np.int32, len(by_edge)),
        np.fromiter(by_edge.values(), np.float32, len(by_edge)),
    )


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
