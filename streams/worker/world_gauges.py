"""Tells Prometheus what is in force in each city, and roughly how many walk there; never where anybody is."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from geo.cities import Cities, City
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

    def tell(self, city: City, table: ConditionTable, now_ts: float) -> None:
        """Set what the conditions of a city come to; costs were made from its table before."""
        if city.number not in self._cells:
            self._cells[city.number] = CityCells(city.graph)
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


def tell_walkers(cities: Cities, states: Iterable[WalkerState]) -> None:
    """Set how many have a trip in each city: rounded down to MIN_WALKERS, so that no single one shows."""
    counts = np.zeros(len(cities), np.int64)
    for state in states:
        n = len(state)
        here = state.city[:n][(state.trips["status"][:n] == ACTIVE) & (state.city[:n] >= 0)]
        counts += np.bincount(here, minlength=len(cities))
    for city, count in zip(cities, (counts // MIN_WALKERS * MIN_WALKERS).tolist(), strict=True):
        lat, lon = 0.5 * (city.south + city.north), 0.5 * (city.west + city.east)
        metrics.CITY_WALKERS.labels(city.name, f"{lat:.4f}", f"{lon:.4f}").set(count)
