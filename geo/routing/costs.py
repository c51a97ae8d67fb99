"""What a stretch costs: the factors, declared once as data, and the impedance of every edge.

Impedance of an edge = walking duration × max(0.2, 1 + Σ weight · factor), +inf where it is closed. The
duration itself is never bent by taste, so arrival times stay honest. Every factor lies between 0 (the
raw measure is at `low` or below) and 1 (at `high` or above); pleasant ones have negative weights.
A `Costs` is built aside and swapped whole; nothing here changes an array that somebody else may read. What
is static stays in the graph; a `Costs` adds one row of dynamic factors a zone, and what is closed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geo.errors import BadInput
from geo.graph import F32, I32, Graph
from geo.routing import cost_kernels as kernels

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
           "traffic noise to expect", 1.0),
    Factor("air", "share", 0.0, 1.0, "static", "OSM road classes nearby, by distance",
           "usual air pollution", 0.3),
    Factor("green", "share", 0.0, 1.0, "static", "OSM parks, woods, grass and trees nearby",
           "walking through or along greenery", -0.5),
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
    Factor("dark", "share", 0.0, 1.0, "dynamic", "sun's height", "dark and no lamps", 1.0, gate="unlit"),
    Factor("aqi", "European AQI", 20.0, 100.0, "dynamic", "traffic-reports of kind air",
           "bad air now", 0.4),
    Factor("crowd", "walkers per 100 m", 0.5, 8.0, "dynamic", "cell-observations: walkers there at once",
           "many people on the way", 0.2),
)  # fmt: skip

FACTOR_NAMES: tuple[str, ...] = tuple(factor.name for factor in FACTORS)
STATIC_FACTORS: tuple[str, ...] = tuple(factor.name for factor in FACTORS if factor.kind == "static")
DYNAMIC_FACTORS: tuple[str, ...] = tuple(factor.name for factor in FACTORS if factor.kind == "dynamic")
COLUMN: dict[str, int] = {name: column for column, name in enumerate(FACTOR_NAMES)}
INDIFFERENT: Mapping[str, float] = dict.fromkeys(FACTOR_NAMES, 0.0)  # the taste for which only time counts

# Column of the static factor that gates each dynamic one, -1 for none.
GATES: I32 = np.array(
    [COLUMN[factor.gate] if factor.gate else -1 for factor in FACTORS if factor.kind == "dynamic"], np.int32
)


@dataclass(frozen=True, eq=False)
class Costs:
    """All factors of all edges at one moment, and which edges are closed.

    A zone is where the dynamic factors are the same: zones 0..C-1 are the graph's cells, the others single
    stretches that have values of their own. Versions share all arrays that do not differ.
    """

    version: int
    static_factors: F32  # (M, S) the graph's own
    zone: I32  # (M,) the graph's `cell` where no edge has values of its own
    zone_values: F32  # (Z, D) dynamic factors, columns in the order of DYNAMIC_FACTORS, each 0..1, not gated
    closed: BoolArray  # (M,)

    def factor_rows(self, edges: I32 | slice = slice(None)) -> F32:
        """(n, K) the factors of some edges, or of all: columns in the order of FACTORS, each 0..1, gated."""
        static = self.static_factors[edges]
        dynamic = self.zone_values[self.zone[edges]]
        gated = np.flatnonzero(GATES >= 0)
        dynamic[:, gated] *= static[:, GATES[gated]]
        rows: F32 = np.concatenate([static, dynamic], axis=1)
        return rows


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
    calm = np.zeros((len(graph.cell_h3), len(DYNAMIC_FACTORS)), np.float32)
    return Costs(0, graph.static_factors, graph.cell, calm, np.zeros(graph.edge_count, np.bool_))


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
    values = _known(cell_values)
    if night:
        values[:, DYNAMIC_FACTORS.index("dark")] = 1.0
    own = _own_values(graph, edge_values)
    edges = np.unique(np.concatenate([np.empty(0, np.int32), *(edges for _, edges, _ in own)]))
    zone = graph.cell
    if len(edges):
        zone = np.array(graph.cell)
        zone[edges] = np.arange(len(values), len(values) + len(edges), dtype=np.int32)
        zone.setflags(write=graph.cell.flags.writeable)  # else every kernel is compiled for both kinds
        values = np.concatenate([values, values[graph.cell[edges]]])
        for column, targets, known in own:
            values[zone[targets], column] = known
    closed = np.zeros(graph.edge_count, np.bool_)
    closed[_both_ways(graph, closed_edges)] = True
    return Costs(version, graph.static_factors, zone, values, closed)


def with_closed(graph: Graph, costs: Costs, version: int, edges: I32, closed: bool) -> Costs:
    """The costs with some stretches closed, or opened, both ways; everything else is shared.

    Raises BadInput for an edge outside the graph.
    """
    changed = costs.closed.copy()
    changed[_both_ways(graph, edges)] = closed
    return replace(costs, version=version, closed=changed)


def changed_edges(old: Costs, new: Costs) -> I32:
    """Ascending: the edges whose conditions differ between two costs of one graph, or that were closed or
    opened. What the two share is not looked at."""
    changed = np.zeros(len(new.zone), np.bool_)
    if old.zone is not new.zone or old.zone_values is not new.zone_values:
        count = min(len(old.zone_values), len(new.zone_values))
        differs = np.any(old.zone_values[:count] != new.zone_values[:count], axis=1)
        if old.zone is new.zone:
            if differs.any():
                changed = differs[new.zone]
        else:
            maybe = np.flatnonzero(
                (old.zone != new.zone) | np.append(differs, True)[np.minimum(new.zone, count)]
            )
            was, now = old.zone_values[old.zone[maybe]], new.zone_values[new.zone[maybe]]
            changed[maybe] = np.any(was != now, axis=1)
    if old.closed is not new.closed:
        changed |= old.closed != new.closed
    return np.flatnonzero(changed).astype(np.int32)


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


def weight_rows(tastes: Sequence[Mapping[str, float]]) -> F32:
    """(T, K) the weights of every taste; raises BadInput as `weights`."""
    rows = [weights(taste) for taste in tastes]
    return np.stack(rows) if rows else np.empty((0, len(FACTORS)), np.float32)


def impedance(graph: Graph, costs: Costs, taste: Mapping[str, float] | F32) -> F32:
    """(M,) impedance in seconds felt by a walker of this taste, +inf where closed.

    taste: weights by factor, or a row (K,) as `weights` makes them. Raises BadInput as `weights`.
    """
    out = np.empty(graph.edge_count, np.float32)
    kernels.impedance_all(kernel_inputs(graph, costs), _weight_row(taste), out)
    return out


def impedance_of(graph: Graph, costs: Costs, taste: Mapping[str, float] | F32, edges: I32) -> F32:
    """(n,) the very values of `impedance`, bit by bit, for some edges only; BadInput for one outside."""
    edges = _checked_edges(graph, edges)
    out = np.empty(len(edges), np.float32)
    kernels.impedance_of(kernel_inputs(graph, costs), _weight_row(taste), edges, out)
    return out


def kernel_inputs(graph: Graph, costs: Costs) -> kernels.CostArrays:
    """What the kernels read of a graph and its costs."""
    return kernels.CostArrays(
        graph.length_m,
        graph.duration_s,
        costs.static_factors,
        costs.zone,
        costs.zone_values,
        costs.closed,
        GATES,
        np.float32(MIN_MULTIPLIER),
    )


def _weight_row(taste: Mapping[str, float] | F32) -> F32:
    return taste if isinstance(taste, np.ndarray) else weights(taste)


def _known(values: F32) -> F32:
    """A copy within 0..1 in which unknown (NaN) counts as 0."""
    known: F32 = np.clip(np.nan_to_num(np.asarray(values, np.float32)), 0.0, 1.0)
    return known


def _own_values(graph: Graph, edge_values: Mapping[str, tuple[I32, F32]]) -> list[tuple[int, I32, F32]]:
    """(column, edges, values) in the order in which they are to be written."""
    own = []
    for name, (edges, measured) in edge_values.items():
        if name not in DYNAMIC_FACTORS:
            raise BadInput(
                f"edge_values has {name!r}, which is none of the dynamic {', '.join(DYNAMIC_FACTORS)}"
            )
        edges = _checked_edges(graph, edges)
        if len(edges) != len(measured):
            raise BadInput(f"edge_values[{name!r}] has {len(edges)} edges but {len(measured)} values")
        column, known = DYNAMIC_FACTORS.index(name), _known(measured)
        back = graph.reverse[edges]
        # The other direction first, so that a value given for it explicitly wins.
        own.append((column, back[back >= 0], known[back >= 0]))
        own.append((column, edges, known))
    return own


def _both_ways(graph: Graph, edges: I32) -> I32:
    edges = _checked_edges(graph, edges)
    back = graph.reverse[edges]
    return np.concatenate([edges, back[back >= 0]])


def _checked_edges(graph: Graph, edges: I32) -> I32:
    edges = np.asarray(edges, np.int32)
    if len(edges) and (edges.min() < 0 or edges.max() >= graph.edge_count):
        wrong = edges[(edges < 0) | (edges >= graph.edge_count)][0]
        raise BadInput(f"edge {wrong} is not in this graph, which has {graph.edge_count} edges")
    return edges
