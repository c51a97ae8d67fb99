"""What is in force in a city at one moment, summed up for who runs the service: closures, rain, coverage.

Coverage says of coarse H3 cells in which share of their cells something is known. It is about streets, not
about walkers: crowds count only where they are told of at all, from five walkers on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import h3.api.basic_int as h3
import numpy as np
from numpy.typing import NDArray

from geo.graph import F64, I64, Graph
from models.world.condition_places import cell_key, cells_by_key
from models.world.condition_table import ConditionTable

COARSE_RESOLUTION = 7  # about 5 km²
AREA_RESOLUTION = 4  # about 1,770 km²: a city lies in one or a few
KINDS = ("weather", "air", "traffic", "crowd")
_WEATHER = ("rain_now_mmph", "wind_mps", "temp_c", "cloud", "uv")


@dataclass(frozen=True)
class InForce:
    """Sums over a city; `coverage` by kind is (coarse cells,) in the order of `CityCells.names`."""

    closures: int = 0  # stretches
    works: int = 0  # stretches with road works or an incident that leave them open
    slow: int = 0  # stretches where vehicles go at less than half of their free speed
    rain_mmph: float = 0.0  # where it rains hardest
    raining: int = 0  # cells
    cells: int = 0
    coverage: Mapping[str, F64] = field(default_factory=dict)


class CityCells:
    """The cells of a graph, and the coarse cells and areas that they lie in.

    area: (cells,) index into `area_names` and `area_middles`, each the middle of its streets.
    """

    def __init__(self, graph: Graph) -> None:
        self.by_key = cells_by_key(graph)
        self.of_edge = graph.cell
        coarse, self.coarse = _around(graph, COARSE_RESOLUTION)
        areas, self.area = _around(graph, AREA_RESOLUTION)
        self.area_names = [cell_key(int(cell)) for cell in areas]
        sizes = np.bincount(self.area, minlength=len(areas))
        middles = (np.bincount(self.area, of, len(areas)) / sizes for of in (graph.cell_lat, graph.cell_lon))
        self.area_middles = list(zip(*(axis.tolist() for axis in middles), strict=True))
        self.names = [cell_key(int(cell)) for cell in coarse]
        self.middles = [h3.cell_to_latlng(int(cell)) for cell in coarse]
        self._sizes = np.bincount(self.coarse, minlength=len(coarse))

    def share(self, known: set[int]) -> F64:
        """Which share of its cells each coarse cell has among `known`."""
        cells = np.fromiter(known, np.int64, len(known))
        counts = np.bincount(self.coarse[cells], minlength=len(self._sizes))
        share: F64 = counts / self._sizes
        return share


def _around(graph: Graph, resolution: int) -> tuple[NDArray[np.uint64], I64]:
    """The larger cells that those of a graph lie in, and which of them each does."""
    middles = zip(graph.cell_lat.tolist(), graph.cell_lon.tolist(), strict=True)
    cells = [h3.latlng_to_cell(lat, lon, resolution) for lat, lon in middles]
    found, which = np.unique(np.array(cells, np.uint64), return_inverse=True)
    return found, which


def in_force(table: ConditionTable, cells: CityCells, now_ts: float) -> InForce:
    """Sum up the conditions of a city's table at `now_ts`."""
    known: dict[str, set[int]] = {kind: set() for kind in KINDS}
    rain = np.zeros(len(cells.by_key))
    for key, cell in cells.by_key.items():
        condition = table.get(key, now_ts)
        if condition is None:
            continue
        if any(getattr(condition, name) is not None for name in _WEATHER):
            known["weather"].add(cell)
        if condition.aqi is not None:
            known["air"].add(cell)
        rain[cell] = condition.rain_now_mmph or 0.0
    closures = works = slow = 0
    for edge, condition in table.on_edges(now_ts):
        if condition.speed_ratio is not None:
            known["traffic"].add(int(cells.of_edge[edge]))
            slow += condition.speed_ratio < 0.5
        closures += bool(condition.closed)
        works += condition.severity is not None and not condition.closed
    known["crowd"] |= table.crowded_cells(now_ts)
    coverage = {kind: cells.share(found) for kind, found in known.items()}
    raining = int(np.count_nonzero(rain > 0.0))
    return InForce(closures, works, slow, float(rain.max(initial=0.0)), raining, len(rain), coverage)
