"""Who has no prospect of a better way is told the same as without knowing that beforehand: nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geo.graph import Graph
from geo.network import Network, OnlyNetwork
from geo.osm.importer import import_osm
from geo.routing.costs import Costs
from models.records import RouteRequest, RouteUpdate
from models.trips import trip as trips
from models.trips import waiting_walkers
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from tests.bench.altona import ALTONA
from tests.geo.naive_search import random_costs

TOPICS = ("gps-fixes", "route-requests", "ratings")
TASTES = (None, {"rain": 3.0}, {"noise": 0.0, "green": -0.5})
WALKERS = 150


@pytest.fixture(scope="module")
def graph() -> Graph:
    return import_osm([ALTONA])


def walking(graph: Graph, costs: Costs, seed: int) -> Walking:
    """Walkers of three tastes somewhere along their ways, some of them resting, a few on loops."""
    draw = np.random.default_rng(seed)
    found = Walking(0, OnlyNetwork(Network(graph, costs)), WalkerState(4, (0,), TOPICS))
    for k in range(WALKERS):
        start, dest = draw.integers(0, graph.node_count, 2)
        place = {
            "lat": float(graph.node_lat[start]), "lon": float(graph.node_lon[start]),
            "taste": TASTES[k % len(TASTES)],
        }  # fmt: skip
        if k % 20 == 0:
            request = RouteRequest(device=f"d{k}", request="r", ts=1e9, kind="loop", length_m=900.0, **place)
        else:
            request = RouteRequest(
                device=f"d{k}", request="r", ts=1e9, kind="to", dest_lat=float(graph.node_lat[dest]),
                dest_lon=float(graph.node_lon[dest]), **place,
            )  # fmt: skip
        found.take_request(b"d%d" % k, request, k, 0)
    state = found.state
    n = len(state)
    state.trips["progress_m"][:n] = draw.uniform(0.0, 0.9, n) * state.trips["route_m"][:n]
    state.trips["speed_mps"][:n] = draw.uniform(-0.5, 2.0, n)
    state.trips["resting"][:n] = np.where(draw.random(n) < 0.1, trips.RESTS, trips.WALKS)
    for s in range(n):
        route = state.routes()
        first, size = int(route.first[s]), int(route.size[s])
        starts = route.start_m[first : first + size]
        at = np.searchsorted(starts, state.trips["progress_m"][s], side="right") - 1
        state.trips["route_idx"][s] = max(0, min(int(at), size - 1))
    return found


def told(graph: Graph, seed: int) -> tuple[list[RouteUpdate], dict[str, int], bytes]:
    """The updates of five changes of the world, the decisions, and the state behind them."""
    costs = random_costs(graph, seed, closed_share=0.01)
    one = walking(graph, costs, seed)
    updates, decisions = [], dict[str, int]()
    for k in range(5):
        after = random_costs(graph, seed + 100 * k + 1, closed_share=0.01)
        step = one.change_world(0, Network(graph, replace(after, version=k + 1)))
        updates += step.updates
        for why, n in step.decisions.items():
            decisions[why] = decisions.get(why, 0) + n
    return updates, decisions, one.state.trips[: len(one.state)].tobytes() + one.dirty.tobytes()


@pytest.mark.parametrize("seed", range(4))
def test_the_same_updates_follow(graph: Graph, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sooner = told(graph, seed)
    looked_at = []

    def all_of_them(state: WalkerState, slots: np.ndarray, *_: object) -> np.ndarray:
        looked_at.append(len(slots))
        return np.ones(len(slots), np.bool_)

    monkeypatch.setattr(waiting_walkers, "have_prospects", all_of_them)
    later = told(graph, seed)
    print(f"seed {seed}: {len(later[0])} updates, {sum(looked_at)} looks")
    assert sooner == later
    assert later[0]
