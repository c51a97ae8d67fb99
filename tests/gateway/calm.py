"""The networks of a calm day, for planners of the tests."""

from __future__ import annotations

from functools import cache

from geo.cities import Cities
from geo.network import Network
from geo.routing.costs import static_costs


class CalmNetworks:
    """The cities when nothing goes on."""

    def __init__(self, cities: Cities) -> None:
        self.cities = cities

    def of(self, city: int) -> Network:
        return _calm(self.cities, city)


@cache
def _calm(cities: Cities, city: int) -> Network:
    graph = cities[city].graph
    return Network(graph, static_costs(graph))
