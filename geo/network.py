"""What a planner sees at one moment: a graph and the costs of now. Frozen; replaced whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from geo.cities import Cities, one_city
from geo.graph import Graph
from geo.routing.costs import Costs


@dataclass(frozen=True)
class Network:
    """A graph with one version of its costs."""

    graph: Graph
    costs: Costs


class CityNetworks(Protocol):
    """The networks of now of all cities of a deployment."""

    @property
    def cities(self) -> Cities: ...

    def of(self, city: int) -> Network:
        """The network of a city by its number; its graph is opened by the first who asks."""


class OnlyNetwork:
    """The network of the only city there is, as it was at one moment."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.cities = one_city(network.graph)

    def of(self, city: int) -> Network:
        return self._network
