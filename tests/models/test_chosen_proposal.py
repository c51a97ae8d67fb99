"""A trip that begins on a proposal that was shown, and what happens where that way cannot be walked."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from geo.graph import I32
from geo.network import Network, OnlyNetwork
from geo.polyline import decode6
from geo.routing.costs import static_costs, with_closed
from models.records import RouteRequest, RouteUpdate, decode, encode
from models.routes.proposal_ids import proposal_id
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from tests.broker.drawn import T0, City, draw

TOPICS = ("gps-fixes", "route-requests", "ratings")
DETOUR = "EIJKLH"  # nobody would plan it


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(tmp_path_factory.mktemp("city") / "graph")


def edges_of(city: City, places: str) -> I32:
    graph = city.graph
    ends = np.stack([graph.node_lat, graph.node_lon], 1)
    node = {p: int(np.abs(ends - city.places[p]).sum(1).argmin()) for p in places}
    pairs = [(node[a], node[b]) for a, b in pairwise(places)]
    known = list(zip(graph.tail.tolist(), graph.head.tolist(), strict=True))
    return np.array([known.index(pair) for pair in pairs], np.int32)


def started(city: City, closed: I32 | None = None, **changed: Any) -> RouteUpdate:
    graph = city.graph
    costs = static_costs(graph)
    if closed is not None:
        costs = with_closed(graph, costs, 1, closed, True)
    walking = Walking(
        0, OnlyNetwork(Network(graph, costs)), WalkerState(4, (city.checksum,), TOPICS, capacity=2)
    )
    (lat, lon), (dest_lat, dest_lon) = city.places["E"], city.places["H"]
    given: dict[str, Any] = {
        "lat": lat, "lon": lon, "dest_lat": dest_lat, "dest_lon": dest_lon, "kind": "to",
        "proposal": proposal_id(graph, city.checksum, edges_of(city, DETOUR), 0.0, 1.0),
    }  # fmt: skip
    request = RouteRequest(device="w", request="r", ts=T0, **(given | changed))
    assert decode(RouteRequest, encode(request)) == request
    (update,) = walking.take_request(b"w", request, 0, 0).updates
    return update


def passes(city: City, update: RouteUpdate, place: str) -> bool:
    lat, lon = decode6(update.geometry)
    at = city.places[place]
    return bool((np.hypot(lat - at[0], (lon - at[1]) * 0.5) < 1e-5).any())


def test_the_trip_begins_on_the_chosen_way(city: City) -> None:
    update = started(city)
    assert all(passes(city, update, place) for place in DETOUR)
    assert update.reason == "requested"
    assert update.length_m == pytest.approx(320.0, rel=0.02)


def test_a_way_that_was_closed_meanwhile_is_planned_anew(city: City) -> None:
    update = started(city, closed=edges_of(city, "JK"))
    assert not passes(city, update, "K")
    assert passes(city, update, "H")


@pytest.mark.parametrize("changed", ["proposal", "start", "end"])
def test_a_way_that_does_not_fit_the_wish_is_planned_anew(city: City, changed: str) -> None:
    (lat, lon), (dest_lat, dest_lon) = city.places["H"], city.places["A"]
    other: dict[str, dict[str, Any]] = {
        "proposal": {"proposal": "AAAAnonsense"},
        "start": {"lat": lat, "lon": lon, "dest_lat": dest_lat, "dest_lon": dest_lon},
        "end": {"dest_lat": dest_lat, "dest_lon": dest_lon},
    }
    update = started(city, **other[changed])
    assert not passes(city, update, "K")
    assert passes(city, update, "H" if changed == "proposal" else "A")


def test_a_loop_goes_home_to_where_it_began(city: City) -> None:
    loop = edges_of(city, "EFJIE")
    way = proposal_id(city.graph, city.checksum, loop, 0.0, 1.0)
    update = started(city, kind="loop", dest_lat=None, dest_lon=None, length_m=240.0, proposal=way)
    lat, lon = decode6(update.geometry)
    assert (lat[0], lon[0]) == (lat[-1], lon[-1])
    assert all(passes(city, update, place) for place in "EFJI")
