"""Tells Prometheus what is in force in each city, and roughly how many walk there; never where anybody is."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from geo.cities import City
from models.records import MIN_WALKERS
from models.trips.trip import ACTIVE
from models.trips.walker_state import WalkerState
from models.world.condition_table import ConditionTable
from models.world.in_force import CityCells, in_force
from streams.telemetry import metrics


class WorldGauges:
    """The gauges of a worker's open cities."""

    def __init__(self) -> None:
        self._cells: dict[int, CityCells] = {}
        self._names: dict[int, str] = {}

    def tell(self, city: City, table: ConditionTable, now_ts: float) -> None:
        """Set what the conditions of a city come to; costs were made from its table before."""
        if city.number not in self._cells:
            self._cells[city.number] = CityCells(city.graph)
            self._names[city.number] = city.name
        cells = self._cells[city.number]
        found = in_force(table, cells, now_ts)
        for gauge, value in (
            (metrics.CLOSURES, found.closures),
            (metrics.WORKS, found.works),
            (metrics.SLOW, found.slow),
            (metrics.RAIN_MMPH, found.rain_mmph),
            (metrics.RAINING, found.raining),
            (metrics.CELLS, found.cells),
        ):
            gauge.labels(city.name).set(value)
        for kind, shares in found.coverage.items():
            for name, (lat, lon), share in zip(cells.names, cells.middles, shares.tolist(), strict=True):
                metrics.COVERAGE.labels(city.name, name, f"{lat:.4f}", f"{lon:.4f}", kind).set(share)

    def tell_walkers(self, states: Iterable[WalkerState]) -> None:
        """Set how many have a trip in each area of a city, by the streets that they are matched to.

        Rounded down to MIN_WALKERS, so that no single one shows.
        """
        counts = {number: np.zeros(len(cells.area_names), np.int64) for number, cells in self._cells.items()}
        for state in states:
            n = len(state)
            trips, city = state.trips[:n], state.city[:n]
            here = (trips["status"] == ACTIVE) & (trips["matched_edge"] >= 0)
            for number, count in counts.items():
                cells = self._cells[number]
                edges = trips["matched_edge"][here & (city == number)]
                count += np.bincount(cells.area[cells.of_edge[edges]], minlength=len(count))
        for number, count in counts.items():
            cells, name = self._cells[number], self._names[number]
            told = (count // MIN_WALKERS * MIN_WALKERS).tolist()
            for area, (lat, lon), walkers in zip(cells.area_names, cells.area_middles, told, strict=True):
                metrics.CITY_WALKERS.labels(name, area, f"{lat:.4f}", f"{lon:.4f}").set(walkers)
