"""A walker's state through crashes: what replay brings a second time changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from geo.network import Network
from geo.routing.costs import static_costs
from models.records import RouteRequest, encode
from streams.block import Block
from streams.settings import Settings
from streams.topics import GPS_FIXES, RATINGS, ROUTE_REQUESTS
from streams.walker_shard import WalkerShard
from tests.broker.drawn import T0, City, draw

FIXES = 60


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(tmp_path_factory.mktemp("city") / "graph")


def block(topic: str, *values: bytes, first: int = 0) -> Block:
    n = len(values)
    return Block.of(topic, 0, list(range(first, first + n)), [None] * n, list(values), [1] * n)


def request(city: City) -> Block:
    (lat, lon), (dest_lat, dest_lon) = city.places["E"], city.places["H"]
    record = RouteRequest(
        device="anna", request="r", ts=T0, kind="to", lat=lat, lon=lon, dest_lat=dest_lat, dest_lon=dest_lon
    )
    return block(ROUTE_REQUESTS, encode(record))


def fixes(city: City) -> Block:
    return block(GPS_FIXES, *(encode(fix) for fix in city.walk("anna", "EFGH")[:FIXES]))


def positions(*, fixes: int, requests: int) -> dict[str, int]:
    return {GPS_FIXES: fixes, ROUTE_REQUESTS: requests, RATINGS: 0}


class Crashing:
    """A shard whose process is killed and started again from the bucket that was stored last."""

    def __init__(self, city: City) -> None:
        self._city = city
        self.restart({})

    def restart(self, buckets: dict[str, bytes]) -> None:
        network = Network(self._city.graph, static_costs(self._city.graph))
        self.shard = WalkerShard(0, Settings(buckets=1), network)
        self.shard.load(buckets)

    def kill(self, *, fixes: int, requests: int) -> None:
        """Store at these positions, and die."""
        stored = self.shard.pack("0", positions(fixes=fixes, requests=requests))
        assert stored is not None
        self.restart({"0": stored})

    @property
    def trip(self) -> np.void:
        state = self.shard.walking.state
        trip: np.void = state.trips[state.slot(b"anna")]
        return trip

    @property
    def contained(self) -> dict[str, int]:
        stored = self.shard.pack("0", positions(fixes=0, requests=0))
        assert stored is not None
        return self.shard.walking.state.load_bucket(0, stored).contained


def test_a_bucket_stored_while_replay_is_behind_contains_what_it_contained(city: City) -> None:
    walker = Crashing(city)
    walker.shard.process(request(city))
    walker.kill(fixes=0, requests=1)
    # the checkpoint's offsets are older than the bucket: the fixes come before the request is replayed
    walker.shard.process(fixes(city))
    walker.kill(fixes=FIXES, requests=0)
    assert walker.contained == positions(fixes=FIXES, requests=1)


def test_a_request_replayed_after_the_fixes_does_not_start_the_trip_again(city: City) -> None:
    walker = Crashing(city)
    assert len(walker.shard.process(request(city)).messages) == 1
    walker.kill(fixes=0, requests=1)
    walker.shard.process(fixes(city))
    walked_m = float(walker.trip["walked_m"])
    assert walked_m > 0.0
    walker.kill(fixes=FIXES, requests=0)
    assert walker.shard.process(request(city)).messages == []
    assert walker.trip["walked_m"] == walked_m
    assert walker.trip["last_ts"] == T0 + FIXES - 1


def test_fixes_that_a_bucket_contains_are_not_counted_as_sent_twice(city: City) -> None:
    walker = Crashing(city)
    walker.shard.process(fixes(city))
    walker.kill(fixes=FIXES, requests=0)
    walker.shard.process(request(city))
    walker.kill(fixes=0, requests=1)
    walker.shard.process(fixes(city))
    window = walker.shard.walking.state.windows[0]
    assert (int(window["accepted"]), int(window["duplicates"])) == (FIXES, 0)
