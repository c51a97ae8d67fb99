"""Coming back onto a loop: the rest of it is kept, its amount too, and no closed stretch is used."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path as Folder

import numpy as np
import pytest

from geo.network import Network
from geo.routing.costs import static_costs
from geo.routing.paths import path_of
from geo.routing.search import Path, Place, SearchSpace
from models.routes.planning import Wish, rejoin
from models.routes.taste_metrics import metric_of
from tests.broker.drawn import City, draw


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(Folder(tmp_path_factory.mktemp("city")) / "graph")


def edges(city: City, route: str) -> np.ndarray:
    at = {}
    for p, (lat, lon) in city.places.items():
        at[p] = int(np.flatnonzero((city.graph.node_lat == lat) & (city.graph.node_lon == lon))[0])
    found = []
    for a, b in pairwise(route):
        out = range(city.graph.first_out[at[a]], city.graph.first_out[at[a] + 1])
        found.append(next(e for e in out if city.graph.head[e] == at[b]))
    return np.array(found, np.int32)


def loop(city: City, network: Network, length_m: float) -> tuple[Wish, Path]:
    """The loop EFGHDCBAE, of which EF was walked."""
    all_edges = edges(city, "EFGHDCBAE")
    home = Place(int(all_edges[0]), 0.0)
    wish = Wish(kind="loop", home=home, dest=None, length_m=length_m, duration_s=None, taste={})
    return wish, path_of(city.graph, metric_of(network, {}), all_edges[1:], 0.0, 1.0)


def test_who_strayed_a_little_comes_back(city: City) -> None:
    network = Network(city.graph, static_costs(city.graph))
    wish, ahead = loop(city, network, 560.0)
    strayed = Place(int(edges(city, "FJ")[0]), 0.5)
    planned = rejoin(network, wish, strayed, ahead, walked_m=100.0, space=SearchSpace(city.graph))
    assert planned is not None
    assert planned.path.edges[-1] == ahead.edges[-1]
    kept = np.isin(ahead.edges, planned.path.edges)
    assert kept[1:].all()
    assert abs(planned.length_m - 460.0) < 0.15 * 460.0 + 50.0


def test_a_closed_stretch_is_gone_round(city: City) -> None:
    costs = static_costs(city.graph)
    closed = costs.closed.copy()
    shut = np.concatenate([edges(city, "GH"), edges(city, "HG")])
    closed[shut] = True
    network = Network(city.graph, replace(costs, version=1, closed=closed))
    wish, ahead = loop(city, network, 560.0)
    place = Place(int(edges(city, "FG")[0]), 0.2)
    planned = rejoin(network, wish, place, ahead, walked_m=96.0, space=SearchSpace(city.graph))
    assert planned is not None
    assert not closed[planned.path.edges].any()
    assert np.isfinite(planned.impedance)


def test_a_loop_that_would_miss_its_length_is_not_forced(city: City) -> None:
    network = Network(city.graph, static_costs(city.graph))
    wish, ahead = loop(city, network, 5_000.0)
    strayed = Place(int(edges(city, "FJ")[0]), 0.5)
    assert rejoin(network, wish, strayed, ahead, walked_m=100.0, space=SearchSpace(city.graph)) is None
