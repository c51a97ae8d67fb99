"""The planner: a request in, an answer out, with the networks of now. No socket, no stream, no clock.

Not for two threads at once: it keeps one search space a city, and metrics of tastes are kept beside it.
"""

from __future__ import annotations

import msgspec
import orjson

from gateway.planning.directions import directions_answer
from gateway.planning.isochrones import isochrone_answer
from gateway.planning.proposing import proposals_for
from gateway.planning.requests import Directions, Isochrone, Point, Proposals, Propose, Request, RoutesBody
from geo.cities import City
from geo.errors import NoCandidate, NoRoute
from geo.network import CityNetworks, Network
from geo.routing.search import SearchSpace


class Planner:
    """Plans in all cities of a deployment.

    What cannot be planned raises NoRoute (no way, or none such) or NoCandidate (no street or map there), and
    BadInput for a taste, an id or a language that there is not.
    """

    def __init__(self, networks: CityNetworks) -> None:
        self._networks = networks
        self._spaces: dict[int, SearchSpace] = {}

    def answer(self, request: Request) -> bytes:
        """The JSON of the answer."""
        if isinstance(request, Propose):
            return msgspec.json.encode(self.propose(request.wish))
        if isinstance(request, Directions):
            return orjson.dumps(self.directions(request), option=orjson.OPT_SERIALIZE_NUMPY)
        return orjson.dumps(self.isochrone(request))

    def propose(self, body: RoutesBody) -> Proposals:
        """Up to `body.propose` proposals, the best first."""
        city, network, space = self._at(body.lat, body.lon)
        if body.dest_lat is not None and body.dest_lon is not None:
            self._must_be_in(city, Point(body.dest_lat, body.dest_lon))
        return proposals_for(network, city, self._networks.cities, body, space)

    def directions(self, asked: Directions) -> dict[str, object]:
        """An OSRM route answer."""
        city, network, space = self._at(asked.places[0].lat, asked.places[0].lon)
        for place in asked.places[1:]:
            self._must_be_in(city, place)
        return directions_answer(network, asked, space)

    def isochrone(self, asked: Isochrone) -> dict[str, object]:
        """A GeoJSON FeatureCollection of the ground that can be walked to."""
        _, network, space = self._at(asked.lat, asked.lon)
        return isochrone_answer(network, asked, space)

    def _at(self, lat: float, lon: float) -> tuple[City, Network, SearchSpace]:
        city = self._city(lat, lon)
        network = self._networks.of(city.number)
        space = self._spaces.get(city.number)
        if space is None:
            space = self._spaces[city.number] = SearchSpace(network.graph)
        return city, network, space

    def _city(self, lat: float, lon: float) -> City:
        city = self._networks.cities.at(lat, lon)
        if city is None:
            names = ", ".join(one.name for one in self._networks.cities)
            raise NoCandidate(f"{lat:.5f}, {lon:.5f} lies outside of the maps there are: {names}")
        return city

    def _must_be_in(self, city: City, place: Point) -> None:
        other = self._city(place.lat, place.lon)
        if other is not city and city not in self._networks.cities.near(place.lat, place.lon, 0.0):
            raise NoRoute(f"nobody walks from {city.name} to {other.name}: choose places of one map")
