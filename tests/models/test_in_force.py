"""What is in force in a city, summed up: each kind of condition, until it expires."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from geo.graph import edge_id
from models.records import CROWD_PREFIX, EdgeCondition
from models.world.condition_table import ConditionTable
from models.world.in_force import CityCells, InForce, in_force
from tests.geo.asciimap import graph_from_ascii

GRAPH, _ = graph_from_ascii(
    """
    A-----------------------------------------B
    |                                         |
    C-----------------------------------------D
    """,
    metres_per_char=60.0,
)
NOW = datetime(2024, 6, 1, 10, 0, tzinfo=UTC).timestamp()
CELLS = [f"{int(cell):015x}" for cell in GRAPH.cell_h3]
SECONDS = 100.0


def summed(*conditions: EdgeCondition, after_s: float = 0.0) -> InForce:
    table = ConditionTable()
    for one in conditions:
        table.fold(one)
    table.costs(GRAPH, NOW, 1)
    return in_force(table, CityCells(GRAPH), NOW + after_s)


def condition(key: str, **features: Any) -> EdgeCondition:
    return EdgeCondition(key=key, ts=NOW, version=1, expires=NOW + SECONDS, **features)


def test_nothing_known() -> None:
    found = summed()
    assert (found.closures, found.works, found.slow, found.rain_mmph, found.raining) == (0, 0, 0, 0.0, 0)
    assert found.cells == len(CELLS) >= 2
    assert set(found.coverage) == {"weather", "air", "traffic", "crowd"}
    assert not any(share.any() for share in found.coverage.values())


def test_each_kind_counts_once_and_until_it_expires() -> None:
    keys = [edge_id(GRAPH, edge) for edge in range(3)]
    conditions = (
        condition(keys[0], closed=True, severity=10.0),
        condition(keys[1], severity=4.0, speed_ratio=0.3),
        condition(keys[2], speed_ratio=0.9),
        condition(CELLS[0], rain_now_mmph=2.5, temp_c=9.0),
        condition(CELLS[1], rain_now_mmph=0.0, aqi=30.0),
        condition(CROWD_PREFIX + CELLS[1], walkers_300s=5, walkers_at_once=5.0),
        condition("-1/-2/-3", closed=True),  # of another city
    )
    found = summed(*conditions)
    assert (found.closures, found.works, found.slow) == (1, 1, 1)
    assert (found.rain_mmph, found.raining) == (2.5, 1)
    sizes = np.bincount(CityCells(GRAPH).coarse)
    told = {kind: float((share * sizes).sum()) for kind, share in found.coverage.items()}
    assert told["weather"] == pytest.approx(2)
    assert told["air"] == pytest.approx(1)
    assert told["crowd"] == pytest.approx(1)
    assert 1 <= told["traffic"] <= 2
    expired = summed(*conditions, after_s=SECONDS)
    assert (expired.closures, expired.works, expired.slow, expired.rain_mmph) == (0, 0, 0, 0.0)
    assert not any(share.any() for share in expired.coverage.values())


def test_a_coarse_cell_is_known_by_its_middle() -> None:
    cells = CityCells(GRAPH)
    assert len(cells.names) == len(cells.middles) == int(cells.coarse.max()) + 1
    assert np.hypot(*(np.array(cells.middles[0]) - (GRAPH.cell_lat[0], GRAPH.cell_lon[0]))) < 0.05
    assert cells.share(set(range(len(CELLS)))).tolist() == [1.0] * len(cells.names)
