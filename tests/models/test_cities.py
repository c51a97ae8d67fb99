"""Walkers of two cities in one partition: each is matched, routed and told of news in their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geo.cities import Cities, open_cities
from geo.network import Network
from geo.routing.costs import static_costs
from models.bytes_column import BytesColumn
from models.records import Fix, RouteRequest, encode
from models.trips import trip as trips
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from tests.broker.drawn import T0, City, draw

TOPICS = ("gps-fixes", "route-requests", "ratings")
FAR_DEG = 1.0


class Two:
    """`CityNetworks` of a drawn city and its copy further north."""

    def __init__(self, folder: Path) -> None:
        self.places = draw(folder / "first")
        self.places.moved(folder / "second", FAR_DEG)
        self.cities: Cities = open_cities(folder)

    def of(self, city: int) -> Network:
        graph = self.cities[city].graph
        return Network(graph, static_costs(graph))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Two:
    return Two(tmp_path_factory.mktemp("cities"))


@pytest.fixture
def one(two: Two) -> Walking:
    return Walking(0, two, WalkerState(4, [city.checksum for city in two.cities], TOPICS))


def there(fixes: list[Fix], city: int) -> list[Fix]:
    return [replace(fix, lat=fix.lat + city * FAR_DEG) for fix in fixes]


def ask(one: Walking, places: City, device: str, city: int, offset: int) -> None:
    (lat, lon), (dest_lat, dest_lon) = places.places["E"], places.places["H"]
    request = RouteRequest(
        device=device, request="r", ts=T0, kind="to", lat=lat + city * FAR_DEG, lon=lon,
        dest_lat=dest_lat + city * FAR_DEG, dest_lon=dest_lon,
    )  # fmt: skip
    step = one.take_request(device.encode(), request, offset, 0)
    assert [update.reason for update in step.updates] == ["requested"]


def take(one: Walking, fixes: list[Fix], first: int = 0) -> list[tuple[str, str]]:
    values = BytesColumn.of([encode(fix) for fix in fixes])
    step = one.take_fixes(values, np.arange(first, first + len(fixes)))
    return [(update.device, update.reason) for update in step.updates]


def test_both_cities_are_walked_in_one_block(one: Walking, two: Two) -> None:
    walks = [there(two.places.walk(f"w{city}", "EFGH"), city) for city in (0, 1)]
    mixed = [fix for pair in zip(*walks, strict=True) for fix in pair]
    for city in (0, 1):
        ask(one, two.places, f"w{city}", city, city)
    assert sorted(take(one, mixed)) == [("w0", "arrived"), ("w1", "arrived")]
    assert one.state.city[:2].tolist() == [0, 1]
    # the copy is the same city: so are the walks
    assert one.state.matches["edge"][0].tolist() == one.state.matches["edge"][1].tolist()


def test_only_the_city_that_changes_is_told(one: Walking, two: Two) -> None:
    for city in (0, 1):
        ask(one, two.places, f"w{city}", city, city)
    old = two.of(1)
    closed = old.costs.closed.copy()
    closed[one.state.route_edges(1)[1:2]] = True
    step = one.change_world(1, Network(old.graph, replace(old.costs, version=1, closed=closed)))
    assert [(update.device, update.reason) for update in step.updates] == [("w1", "world_changed")]


@pytest.mark.parametrize("cut", [0, 7, 20, 25])
def test_who_travels_to_another_city_leaves_their_trip_behind(two: Two, cut: int) -> None:
    fixes = two.places.walk("w", "EFGH")
    journey = fixes[:20] + there(fixes[20:40], 1)
    told = []
    for cuts in ([], [cut]):
        one = Walking(0, two, WalkerState(4, [city.checksum for city in two.cities], TOPICS))
        ask(one, two.places, "w", 0, 0)
        updates = []
        for first, last in zip([0, *cuts], [*cuts, len(journey)], strict=True):
            updates += take(one, journey[first:last], first)
        assert updates == [("w", "ended")]
        assert one.state.city[0] == 1
        assert one.state.trips["status"][0] == trips.STOPPED
        told.append(one.state.matches[0].tobytes())
    assert told[0] == told[1]


def test_state_is_taken_in_where_the_graph_is_known(one: Walking, two: Two) -> None:
    for city in (0, 1):
        ask(one, two.places, f"w{city}", city, city)
        take(one, there(two.places.walk(f"w{city}", "EFGH")[:20], city))
    positions = np.full((1, len(TOPICS)), 40)
    for known, status in (
        ([city.checksum for city in two.cities], [trips.ACTIVE, trips.ACTIVE]),
        ([two.cities[1].checksum], [trips.IDLE, trips.ACTIVE]),  # the number of a city may change
    ):
        again = WalkerState(4, known, TOPICS)
        dropped = 0
        for bucket in range(4):
            slots = np.array(one.state.members[bucket], np.int64)
            dropped += again.load(str(bucket), one.state.pack(slots, positions, [])).routes_dropped
        slots = [again.slot(f"w{city}".encode()) for city in (0, 1)]
        assert again.trips["status"][slots].tolist() == status
        assert again.windows["accepted"][slots].tolist() == [20, 20]
        assert again.city[slots].tolist() == ([0, 1] if len(known) == 2 else [-1, 0])
        assert dropped == 2 - len(known)


def test_who_is_in_no_city_has_windows_only(one: Walking, two: Two) -> None:
    nowhere = [replace(fix, lat=fix.lat - 3.0) for fix in two.places.walk("w", "EFGH")[:10]]
    assert take(one, nowhere) == []
    assert one.state.city[0] == -1
    assert one.state.windows["accepted"][0] == 10
    assert one.state.matches["steps"][0] == 0
