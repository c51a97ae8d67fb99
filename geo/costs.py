"""What a stretch costs: the factors, declared once as data, and the impedance of every edge.

Impedance of an edge = walking duration × max(0.2, 1 + Σ weight · factor), +inf where it is closed. The
duration itself is never bent by taste, so arrival times stay honest. Every factor lies between 0 (the
raw measure is at `low` or below) and 1 (at `high` or above); pleasant ones have negative weights.
A `Costs` is built aside and swapped whole; nothing here changes an array that somebody else may read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.errors import BadInput
from geo.graph import F32, I32, Graph

BoolArray = NDArray[np.bool_]

MIN_MULTIPLIER = 0.2  # however pleasant, a stretch costs at least a fifth of its duration
MAX_WEIGHT = 10.0


@dataclass(frozen=True)
class Factor:
    """One property of a stretch that a walker may like or dislike.

    `low` and `high` are the raw measures (in `unit`) that become 0 and 1. A dynamic factor with a `gate`
    is multiplied by that static factor of the edge: rain wets only who walks unsheltered.
    """

    name: str
    unit: str
    low: float
    high: float
    kind: Literal["static", "dynamic"]
    source: str
    meaning: str
    default_weight: float
    gate: str | None = None


FACTORS: tuple[Factor, ...] = (
    Factor("noise", "dB(A)", 45.0, 75.0, "static", "OSM road and rail classes nearby, by distance",
           "traffic noise to expect", 0.5),
    Factor("air", "share", 0.0, 1.0, "static", "OSM road classes nearby, by distance",
           "usual air pollution", 0.3),
    Factor("green", "share", 0.0, 1.0, "static", "OSM parks, woods, grass and trees nearby",
           "walking through or along greenery", -0.3),
    Factor("water", "share", 0.0, 1.0, "static", "OSM rivers, lakes, canals and coast nearby",
           "walking along water", -0.2),
    Factor("unlit", "share", 0.0, 1.0, "static", "OSM lit, else the road class",
           "no street lamps; matters at night only, see dark", 0.0),
    Factor("rough_surface", "share", 0.0, 1.0, "static", "OSM surface and smoothness",
           "cobbles, gravel, mud", 0.2),
    Factor("steps", "share", 0.0, 1.0, "static", "OSM highway=steps", "stairs", 0.3),
    Factor("sights", "share", 0.0, 1.0, "static", "OSM tourism, historic, artwork and viewpoints nearby",
           "something to look at", -0.2),
    Factor("steep", "slope", 0.02, 0.15, "static", "OSM incline", "climbing or descending", 0.3),
    Factor("unsheltered", "share", 0.0, 1.0, "static", "OSM covered, tunnel, trees and buildings nearby",
           "open to the sky and to the wind; matters in rain and wind only", 0.0),
    Factor("narrow", "share", 0.0, 1.0, "static", "OSM width and sidewalk, else the road class",
           "little room to walk: a narrow path, or a road without a pavement", 0.1),
    Factor("amenities", "share", 0.0, 1.0, "static", "OSM cafés, benches, toilets, drinking water nearby",
           "where to sit, drink and rest", -0.1),
    Factor("traffic", "share", 0.0, 1.0, "dynamic", "traffic-reports: speed lost against free flow",
           "motor traffic now: 0 free flow, 1 jam", 0.4),
    Factor("rain", "mm/h", 0.0, 4.0, "dynamic", "weather-reports: rain now and within the next hour",
           "getting wet", 0.8, gate="unsheltered"),
    Factor("wind", "m/s", 4.0, 16.0, "dynamic", "weather-reports: wind", "exposed to wind", 0.4,
           gate="unsheltered"),
    Factor("heat", "°C", 24.0, 38.0, "dynamic", "weather-reports: temperature and sun", "heat", 0.5),
    Factor("dark", "share", 0.0, 1.0, "dynamic", "sun's height", "dark and no lamps", 0.6, gate="unlit"),
    Factor("aqi", "European AQI", 20.0, 100.0, "dynamic", "traffic-reports of kind air",
           "bad air now", 0.4),
    Factor("crowd", "share", 0.0, 1.0, "dynamic", "walkers counted in the same cell",
           "many people on the way", 0.2),
)  # fmt: skip

FACTOR_NAMES: tuple[str, ...] = tuple(factor.name for factor in FACTORS)
STATIC_FACTORS: tuple[str, ...] = tuple(factor.name for factor in FACTORS if factor.kind == "static")
DYNAMIC_FACTORS: tuple[str, ...] = tuple(factor.name for factor in FACTORS if factor.kind == "dynamic")
COLUMN: dict[str, int] = {name: column for column, name in enumerate(FACTOR_NAMES)}
DEFAULT_WEIGHTS: dict[str, float] = {factor.name: factor.default_weight for factor in FACTORS}

# Column of the static factor that gates each dynamic one, -1 for none.
_GATES: I32 = np.array(
    [COLUMN[factor.gate] if factor.gate else -1 for factor in FACTORS if factor.kind == "dynamic"], np.int32
)


@dataclass(frozen=True)
class Costs:
    """All factors of all edges at one moment."""

    version: int
    factors: F32  # (M, K) columns in the order of FACTORS, each 0..1
    closed: BoolArray  # (M,)


def scaled(name: str, raw: float) -> float:
    """The factor 0..1 for a raw measure in the factor's unit (a value that is not a number counts as 0).

    Raises BadInput for an unknown name.
    """
    if name not in COLUMN:
        raise BadInput(f"there is no factor {name!r}; the factors are {', '.join(FACTOR_NAMES)}")
    factor = FACTORS[COLUMN[name]]
    if math.isnan(raw):
        return 0.0
    return min(1.0, max(0.0, (raw - factor.low) / (factor.high - factor.low)))


def static_costs(graph: Graph) -> Costs:
    """The costs of a calm, dry day: version 0, dynamic factors 0, nothing closed."""
    factors = np.zeros((graph.edge_count, len(FACTORS)), np.float32)
    factors[:, : len(STATIC_FACTORS)] = graph.static_factors
    return Costs(0, factors, np.zeros(graph.edge_count, np.bool_))


def apply_conditions(
    graph: Graph,
    version: int,
    cell_values: F32,
    edge_values: Mapping[str, tuple[I32, F32]],
    closed_edges: I32,
    night: bool,
) -> Costs:
    """New costs from what is known now.

    cell_values: (C, D) one row a cell of the graph, columns in the order of DYNAMIC_FACTORS, already
        0..1 (see `scaled`), NaN where unknown. The column `dark` is how dark it is; `night` makes it 1.
    edge_values: dynamic factor → (edges, values): known for these stretches themselves, which goes
        before their cell's. Both directions of a stretch get the value unless both are listed.
    closed_edges: nobody can pass; a stretch is closed both ways.
    Raises BadInput for a wrong shape, an unknown factor or an edge outside the graph.
    """
    shape = (len(graph.cell_h3), len(DYNAMIC_FACTORS))
    if cell_values.shape != shape:
        raise BadInput(f"cell_values has the shape {cell_values.shape}, but this graph needs {shape}")
    values = np.asarray(cell_values, np.float32)
    if night:
        values = values.copy()
        values[:, DYNAMIC_FACTORS.index("dark")] = 1.0
    static_count = len(STATIC_FACTORS)
    factors = np.empty((graph.edge_count, len(FACTORS)), np.float32)
    _spread_cells(graph.static_factors, graph.cell, values, _GATES, factors)
    for name, (edges, measured) in edge_values.items():
        if name not in DYNAMIC_FACTORS:
            raise BadInput(
                f"edge_values has {name!r}, which is none of the dynamic {', '.join(DYNAMIC_FACTORS)}"
            )
        edges = _checked_edges(graph, edges)
        if len(edges) != len(measured):
            raise BadInput(f"edge_values[{name!r}] has {len(edges)} edges but {len(measured)} values")
        gate = int(_GATES[DYNAMIC_FACTORS.index(name)])
        known = np.clip(np.nan_to_num(np.asarray(measured, np.float32)), 0.0, 1.0)
        back = graph.reverse[edges]
        # The other direction first, so that a value given for it explicitly wins.
        for target, value in ((back[back >= 0], known[back >= 0]), (edges, known)):
            gated = value * graph.static_factors[target, gate] if gate >= 0 else value
            factors[target, static_count + DYNAMIC_FACTORS.index(name)] = gated
    closed = np.zeros(graph.edge_count, np.bool_)
    shut = _checked_edges(graph, closed_edges)
    closed[shut] = True
    back = graph.reverse[shut]
    closed[back[back >= 0]] = True
    return Costs(version, factors, closed)


def weights(taste: Mapping[str, float]) -> F32:
    """(K,) the weight of every factor: the default one unless `taste` names it.

    Raises BadInput for an unknown name or a weight that is not a number within ±10.
    """
    result = np.array([factor.default_weight for factor in FACTORS], np.float32)
    for name, weight in taste.items():
        if name not in COLUMN:
            raise BadInput(f"taste names {name!r}, which is no factor; those are {', '.join(FACTOR_NAMES)}")
        if not -MAX_WEIGHT <= weight <= MAX_WEIGHT:
            raise BadInput(f"taste gives {name} the weight {weight}; it must lie between -10 and 10")
        result[COLUMN[name]] = weight
    return result


def impedance(graph: Graph, costs: Costs, taste: Mapping[str, float]) -> F32:
    """(M,) impedance in seconds felt by a walker of this taste, +inf where closed; BadInput as `weights`."""
    out = np.empty(graph.edge_count, np.float32)
    _impedance(graph.duration_s, costs.factors, costs.closed, weights(taste), MIN_MULTIPLIER, out)
    return out


def _checked_edges(graph: Graph, edges: I32) -> I32:
    edges = np.asarray(edges, np.int32)
    if len(edges) and (edges.min() < 0 or edges.max() >= graph.edge_count):
        wrong = edges[(edges < 0) | (edges >= graph.edge_count)][0]
        raise BadInput(f"edge {wrong} is not in this graph, which has {graph.edge_count} edges")
    return edges


@njit(cache=True)
def _impedance(duration_s, factors, closed, weight, min_multiplier, out):  # type: ignore[no-untyped-def]
    for e in range(len(duration_s)):
        if closed[e]:
            out[e] = np.inf
            continue
        multiplier = 1.0
        for k in range(len(weight)):
            multiplier += weight[k] * factors[e, k]
        out[e] = duration_s[e] * max(min_multiplier, multiplier)


@njit(cache=True)
def _spread_cells(static_factors, cell, cell_values, gates, out):  # type: ignore[no-untyped-def]
    static_count = static_factors.shape[1]
    for e in range(len(cell)):
        for k in range(static_count):
            out[e, k] = static_factors[e, k]
        c = cell[e]
        for d in range(len(gates)):
            value = np.float32(0.0)
            if c >= 0:
                value = cell_values[c, d]
            if not value > 0.0:  # unknown (NaN) counts as 0
                value = np.float32(0.0)
            elif value > 1.0:
                value = np.float32(1.0)
            if gates[d] >= 0:
                value *= static_factors[e, gates[d]]
            out[e, static_count + d] = value
