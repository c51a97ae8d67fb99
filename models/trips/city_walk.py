"""What walking in one city needs: who plans on its network, and what the kernels read of its graph."""

from __future__ import annotations

import numpy as np

from geo.graph import I32
from geo.matching import match_arrays
from geo.network import Network
from geo.passages import edge_ends
from models.trips.rerouting import Rerouting
from models.trips.trip import Policy, route_geometry
from models.trips.walker_state import WalkerState


class CityWalk:
    """Made for a city when its first walker comes."""

    def __init__(self, partition: int, network: Network, state: WalkerState, policy: Policy) -> None:
        self.rerouting = Rerouting(partition, network, state, policy)
        self.match_arrays = match_arrays(network.graph)
        self.edge_ends = edge_ends(network.graph)
        self.route_geometry = route_geometry(network.graph)


def cities_in(city: I32) -> list[int]:
    """The cities of some fixes, ascending; to look whether there is only one is quicker than to sort."""
    if len(city) and bool((city == city[0]).all()):
        return [int(city[0])]
    return [int(number) for number in np.unique(city)]
