"""Which city a place belongs to, and that nothing of a city is opened before somebody walks there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geo.cities import Cities, City, checksum_of, one_city, open_cities
from geo.errors import BadGraph
from geo.graph import Graph, save_graph

NOWHERE = (0.0, 0.0)


@pytest.fixture
def two(tmp_path: Path, copenhagen: Graph, porto: Graph) -> Path:
    save_graph(tmp_path / "copenhagen", copenhagen)
    save_graph(tmp_path / "porto", porto)
    return tmp_path


def middle(city: City) -> tuple[float, float]:
    return 0.5 * (city.south + city.north), 0.5 * (city.west + city.east)


def test_a_place_is_in_the_city_that_holds_it(two: Path) -> None:
    cities = open_cities(two)
    assert [city.name for city in cities] == ["copenhagen", "porto"]
    for city in cities:
        assert cities.at(*middle(city)) is city
    assert cities.at(*NOWHERE) is None
    assert not any(city.is_open for city in cities)


def test_a_city_is_opened_by_the_first_who_asks(two: Path, porto: Graph) -> None:
    cities = open_cities(two)
    assert cities[1].graph.edge_count == porto.edge_count
    assert [city.is_open for city in cities] == [False, True]
    assert cities[1].checksum == checksum_of(cities[1].graph.meta)
    assert cities.with_checksum(cities[1].checksum) is cities[1]
    assert cities.with_checksum(1) is None


def test_a_directory_that_is_a_graph_is_the_only_city(two: Path) -> None:
    cities = open_cities(two / "porto")
    assert [city.name for city in cities] == ["porto"]


def test_no_graph_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadGraph, match="holds no graph"):
        open_cities(tmp_path)
    with pytest.raises(BadGraph, match="holds no graph"):
        open_cities(tmp_path / "missing")


def box(number: int, west: float, east: float) -> City:
    return City(number, f"c{number}", Path(), number, 0.0, west, 1.0, east)


def test_who_walks_where_two_cities_meet_stays_in_theirs() -> None:
    cities = Cities([box(0, 0.0, 1.0), box(1, 0.9, 2.0)])
    city = np.array([0, 1, -1], np.int32)
    slot = np.array([2, 0, 1, 2, 1, 0, 2], np.int32)
    lon = np.array([0.1, 0.95, 0.95, 0.2, 40.0, 1.5, 0.1])
    in_order = np.array([False, True, True, True, True, True, True])
    out = np.full(7, -7, np.int32)
    assert cities.follow(city, slot, np.full(7, 0.5), lon, in_order, 0, out) == 5
    assert out.tolist() == [-1, 0, 1, 0, 1, -7, -7]
    assert city.tolist() == [0, 1, 0]
    city[0] = 1
    assert cities.follow(city, slot, np.full(7, 0.5), lon, in_order, 5, out) == 7
    assert out[5:].tolist() == [1, 0]


def test_no_cities_hold_nothing() -> None:
    city, out = np.full(2, -1, np.int32), np.zeros(2, np.int32)
    everybody = np.arange(2, dtype=np.int32)
    assert Cities([]).follow(city, everybody, np.zeros(2), np.zeros(2), np.ones(2, np.bool_), 0, out) == 2
    assert out.tolist() == [-1, -1]
    assert Cities([]).at(0.0, 0.0) is None


def test_the_only_city_may_lie_in_memory(porto: Graph) -> None:
    only = one_city(porto)[0]
    assert only.is_open
    assert only.graph is porto
