"""Whom a change of the world concerns, who hears first, and that nobody is sent to and fro."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from geo.network import Network, OnlyNetwork
from geo.routing.costs import DYNAMIC_FACTORS, Costs, static_costs, with_closed
from models.bytes_column import BytesColumn
from models.records import Rating, RouteRequest, RouteUpdate, encode
from models.trips import trip as trips
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from models.trips.wording import message_for
from tests.broker.drawn import T0, City, draw

TOPICS = ("gps-fixes", "route-requests", "ratings")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(tmp_path_factory.mktemp("city") / "graph")


class Town:
    """Walkers on the drawn map, whose world can be changed."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.costs: Costs = static_costs(city.graph)
        self.walking = Walking(
            0,
            OnlyNetwork(Network(city.graph, self.costs)),
            WalkerState(4, (city.checksum,), TOPICS, capacity=2),
        )
        self.asked = self.sent = 0

    def ask(self, device: str, start: str, end: str, **taste: float) -> RouteUpdate:
        (lat, lon), (dest_lat, dest_lon) = self.city.places[start], self.city.places[end]
        request = RouteRequest(
            device=device, request="r", ts=T0, kind="to", lat=lat, lon=lon, dest_lat=dest_lat,
            dest_lon=dest_lon, taste=taste or None,
        )  # fmt: skip
        self.asked += 1
        step = self.walking.take_request(device.encode(), request, self.asked, 0)
        assert not step.problems
        return step.updates[0]

    def walk(self, device: str, route: str, fixes: int, start_ts: float = T0) -> list[RouteUpdate]:
        values = [encode(fix) for fix in self.city.walk(device, route, start_ts=start_ts)[:fixes]]
        offsets = np.arange(self.sent, self.sent + len(values))
        self.sent += len(values)
        return self.walking.take_fixes(BytesColumn.of(values), offsets).updates

    def edges(self, route: str) -> list[int]:
        g = self.city.graph
        found: list[int] = []
        place_of = {(float(g.node_lat[n]), float(g.node_lon[n])): n for n in range(g.node_count)}
        nodes = [place_of[self.city.places[p]] for p in route]
        for a, b in pairwise(nodes):
            found += [e for e in range(g.first_out[a], g.first_out[a + 1]) if g.head[e] == b]
        assert len(found) == len(route) - 1
        return found

    def close(self, route: str, closed: bool = True) -> Network:
        edges = np.array(self.edges(route), np.int32)
        self.costs = with_closed(self.city.graph, self.costs, self.costs.version + 1, edges, closed)
        return Network(self.city.graph, self.costs)

    def rain(self, amount: float) -> Network:
        values = self.costs.zone_values.copy()
        values[:, DYNAMIC_FACTORS.index("rain")] = amount
        self.costs = replace(self.costs, version=self.costs.version + 1, zone_values=values)
        return Network(self.city.graph, self.costs)


def test_a_closure_concerns_only_those_who_will_pass_it(city: City) -> None:
    town = Town(city)
    town.ask("anna", "E", "H", noise=0)
    town.ask("otto", "I", "L", noise=0)
    town.walk("anna", "EF", 20)
    step = town.walking.change_world(0, town.close("FG"))
    assert [update.device for update in step.updates] == ["anna"]
    update = step.updates[0]
    assert update.reason == "world_changed"
    assert update.change is not None
    assert update.change["cause"] == "closed"
    assert 40.0 < update.change["ahead_m"] < 70.0
    assert update.change["length_m"] > 50.0
    assert update.message == message_for("world_changed", update.change)
    assert "closed" in update.message
    assert len(encode(update)) <= 500


def test_who_reaches_the_change_first_is_served_first(city: City) -> None:
    town = Town(city)
    for k, device in enumerate(("far", "near", "nearest")):
        town.ask(device, "E", "H", noise=0)
        town.walk(device, "EF", 2 + 15 * k)
    assert not town.walking.begin_change(0, town.close("GH")).updates
    assert town.walking.waiting == 3
    order = [town.walking.serve(1).updates[0].device for _ in range(3)]
    assert order == ["nearest", "near", "far"]
    assert town.walking.waiting == 0
    assert town.walking.serve().updates == []


def test_who_still_waits_is_not_forgotten_when_the_world_changes_again(city: City) -> None:
    town = Town(city)
    town.ask("anna", "E", "H", noise=0)
    town.walking.begin_change(0, town.close("FG"))
    town.walking.begin_change(0, town.close("IJ"))
    assert [update.device for update in town.walking.serve().updates] == ["anna"]


def test_rain_that_ends_gives_a_better_way_but_not_within_five_minutes(city: City) -> None:
    """The arcades are 80 m longer: taken in the rain, and left again only when that is clearly worth it."""
    for later_s, reasons in ((0.0, []), (400.0, ["better"])):
        town = Town(city)
        town.ask("anna", "E", "H", rain=3.0)
        town.walk("anna", "EF", 5)
        wet = town.walking.change_world(0, town.rain(1.0)).updates
        assert [update.change["cause"] for update in wet if update.change] == ["rain"]
        town.walking.state.trips["switched_ts"][0] -= later_s
        dry = town.walking.change_world(0, town.rain(0.0)).updates
        assert [update.reason for update in dry] == reasons


def test_a_route_that_is_liked_is_kept_unless_the_gain_is_clear(city: City) -> None:
    for verdict, updates in ((None, 1), ("like", 0)):
        town = Town(city)
        first = town.ask("anna", "E", "H", rain=0.9)
        if verdict:
            rating = Rating(device="anna", proposal=first.trip, ts=T0 + 1.0, verdict=verdict)
            town.walking.take_rating(b"anna", rating)
            assert town.walking.state.trips["liked"][0] == 1
        assert len(town.walking.change_world(0, town.rain(1.0)).updates) == updates


def test_a_walker_inside_what_closes_finds_the_nearest_way_out(city: City) -> None:
    town = Town(city)
    town.ask("anna", "F", "L", noise=0)
    town.walk("anna", "FG", 30)
    shut = "EFGH", "BFJ", "CGK"
    for route in shut:
        network = town.close(route)
    updates = town.walking.change_world(0, network).updates
    assert [update.reason for update in updates] == ["world_changed"]
    trip = town.walking.state.trips[0]
    assert trip["status"] == trips.ACTIVE
    edges = town.walking.state.route_edges(0)
    closed = town.costs.closed[edges]
    assert closed[0]
    assert not closed[-1]
    assert np.all(np.diff(closed.astype(int)) <= 0)  # once out, not in again


@pytest.mark.parametrize("shut_in", [False, True])
def test_who_rests_hears_of_a_change_when_they_walk_on(city: City, shut_in: bool) -> None:
    town = Town(city)
    town.ask("anna", "E", "H", noise=0)
    town.walk("anna", "EF", 15)
    stop = town.city.walk("anna", "EF", start_ts=T0)[14]
    stays = [encode(replace(stop, ts=stop.ts + k)) for k in range(1, 91)]
    town.walking.take_fixes(BytesColumn.of(stays), np.arange(100, 190))
    trip = town.walking.state.trips
    assert trip["resting"][0] == trips.RESTS
    town.sent = 190
    town.walking.dirty[:] = False
    if shut_in:
        town.close("EFGH")
        town.close("BFJ")
    told = town.walking.change_world(0, town.close("CGK" if shut_in else "FG")).updates
    if shut_in:
        assert [update.reason for update in told] == ["world_changed"]
        return
    assert told == []
    assert trip["resting"][0] == trips.RESTS_UNTOLD
    assert town.walking.dirty.any()  # a crash does not forget it
    assert town.walking.change_world(0, town.rain(0.3)).updates == []
    later = [replace(fix, ts=fix.ts + 200.0) for fix in town.city.walk("anna", "EF", start_ts=T0)[14:]]
    offsets = np.arange(200, 200 + len(later))
    updates = town.walking.take_fixes(BytesColumn.of([encode(fix) for fix in later]), offsets).updates
    assert [update.reason for update in updates] == ["world_changed"]
    assert updates[0].change is not None
    assert updates[0].change["cause"] == "closed"
    assert updates[0].version % 64 == 0  # of the fix that showed it
    assert trip["resting"][0] == trips.WALKS


def test_expiry_is_the_same_by_the_sweep_and_by_a_late_fix(city: City) -> None:
    found = []
    for sweep in (True, False):
        town = Town(city)
        town.ask("anna", "E", "H")
        town.walk("anna", "EF", 10)
        late = T0 + 9.0 + town.walking.policy.expire_s + 60.0
        updates = town.walking.expire_trips([0]).updates if sweep else []
        updates += town.walk("anna", "EF", 10, start_ts=late)
        found.append(updates)
        assert town.walking.state.trips["status"][0] == trips.EXPIRED
    assert found[0] == found[1]
    assert [update.reason for update in found[0]] == ["expired"]
