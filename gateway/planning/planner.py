"""The planner: a request in, an answer out, with the networks of now. No socket, no stream, no clock.

Not for two threads at once: it keeps one search space a city, and metrics of tastes are kept beside it.
"""

from __future__ import annotations

from gateway.planning.proposing import proposals_for
from gateway.planning.requests import Proposals, RoutesBody
from geo.cities import City
from geo.errors import NoCandidate
from geo.network import CityNetworks, Network
from geo.routing.search import SearchSpace


class Planner:
    """Plans in all cities of a deployment; what `models.proposals` raises is raised."""

    def __init__(self, networks: CityNetworks) -> None:
        self._networks = networks
        self._spaces: dict[int, SearchSpace] = {}

    def propose(self, body: RoutesBody) -> Proposals:
        """Up to `body.propose` proposals, the best first."""
        city, network, space = self.at(body.lat, body.lon)
        return proposals_for(network, city, self._networks.cities, body, space)

    def at(self, lat: float, lon: float) -> tuple[City, Network, SearchSpace]:
        """What is needed to plan from a place; raises NoCandidate outside of every map."""
        city = self._networks.cities.at(lat, lon)
        if city is None:
            names = ", ".join(one.name for one in self._networks.cities)
            raise NoCandidate(f"{lat:.5f}, {lon:.5f} lies outside of the maps there are: {names}")
        network = self._networks.of(city.number)
        space = self._spaces.get(city.number)
        if space is None:
            space = self._spaces[city.number] = SearchSpace(network.graph)
        return city, network, space
