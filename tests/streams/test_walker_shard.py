"""A walker's state through crashes: what replay brings a second time changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from geo.network import Network, OnlyNetwork
from geo.routing.costs import static_costs
from models.records import RouteRequest, RouteUpdate, decode, encode
from models.trips.trip import ACTIVE
from models.trips.walker_state import WalkerState
from streams.kafka.topics import DEVICE_TOPICS, GPS_FIXES, RATINGS, ROUTE_REQUESTS, ROUTE_UPDATES
from streams.settings import Settings
from streams.transport.block import Block
from streams.worker.delivery import Outgoing
from streams.worker.walker_shard import CHECKED, WalkerShard
from tests.broker.drawn import T0, City, draw

FIXES = 60


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(tmp_path_factory.mktemp("city") / "graph")


def block(topic: str, *values: bytes, first: int = 0) -> Block:
    n = len(values)
    return Block.of(topic, 0, list(range(first, first + n)), [None] * n, list(values), [1] * n)


def request(city: City, first: int = 0) -> Block:
    (lat, lon), (dest_lat, dest_lon) = city.places["E"], city.places["H"]
    record = RouteRequest(
        device="anna", request="r", ts=T0, kind="to", lat=lat, lon=lon, dest_lat=dest_lat, dest_lon=dest_lon
    )
    return block(ROUTE_REQUESTS, encode(record), first=first)


def fixes(city: City) -> Block:
    return block(GPS_FIXES, *(encode(fix) for fix in city.walk("anna", "EFGH")[:FIXES]))


def positions(*, fixes: int, requests: int) -> dict[str, int]:
    return {GPS_FIXES: fixes, ROUTE_REQUESTS: requests, RATINGS: 0}


class Crashing:
    """A shard whose process is killed and started again from the bucket that was stored last."""

    def __init__(self, city: City) -> None:
        self._city = city
        self.restart({})

    def restart(self, buckets: dict[str, bytes]) -> list[bytes | None]:
        """From what was stored, the oldest first; the updates that are sent again."""
        network = Network(self._city.graph, static_costs(self._city.graph))
        self.shard = WalkerShard(0, Settings(buckets=1), OnlyNetwork(network))
        self.shard.load(buckets)
        return updates(self.shard.recovered())

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
        state = WalkerState(1, (0,), DEVICE_TOPICS)
        state.load("0", stored)
        return dict(zip(DEVICE_TOPICS, state.contained[0].tolist(), strict=True))


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


def updates(messages: list[Outgoing]) -> list[bytes | None]:
    return [message.value for message in messages if message.topic == ROUTE_UPDATES]


def test_a_record_ahead_of_its_bucket_holds_and_is_sent_again(city: City) -> None:
    walker = Crashing(city)
    bucket = walker.shard.pack("0", positions(fixes=0, requests=0))
    outcome = walker.shard.process(request(city))
    (name,) = outcome.write_ahead
    ahead = walker.shard.pack(name, positions(fixes=0, requests=1))
    assert bucket is not None
    assert ahead is not None
    assert walker.restart({"0": bucket, name: ahead}) == updates(outcome.messages)
    assert walker.trip["status"] == ACTIVE
    assert walker.shard.process(request(city)).messages == []
    assert walker.shard.dirty() - {CHECKED} == {"0"}  # or else it would hold for ever


def test_a_bucket_that_came_after_the_record_holds(city: City) -> None:
    walker = Crashing(city)
    (name,) = walker.shard.process(request(city)).write_ahead
    ahead = walker.shard.pack(name, positions(fixes=0, requests=1))
    walker.shard.sent()
    walker.shard.process(fixes(city))
    bucket = walker.shard.pack("0", positions(fixes=FIXES, requests=1))
    walked_m = float(walker.trip["walked_m"])
    assert ahead is not None
    assert bucket is not None
    assert walker.restart({name: ahead, "0": bucket}) == []
    assert walker.trip["walked_m"] == walked_m > 0.0
    assert walker.contained == positions(fixes=FIXES, requests=1)


def test_only_the_walkers_of_a_record_are_ahead(city: City) -> None:
    walker = Crashing(city)
    others = block(GPS_FIXES, *(encode(fix) for fix in city.walk("bob", "EFGH")[:FIXES]))
    walker.shard.process(others)
    bucket = walker.shard.pack("0", positions(fixes=FIXES, requests=0))
    both = [*city.walk("bob", "EFGH")[FIXES : 2 * FIXES], *city.walk("anna", "EFGH")[:FIXES]]
    more = block(GPS_FIXES, *(encode(fix) for fix in both), first=FIXES)
    walker.shard.process(more)
    (name,) = walker.shard.process(request(city)).write_ahead
    ahead = walker.shard.pack(name, positions(fixes=3 * FIXES, requests=1))
    assert bucket is not None
    assert ahead is not None
    walker.restart({"0": bucket, name: ahead})
    walker.shard.process(others)
    walker.shard.process(more)
    state = walker.shard.walking.state
    counted = {device: int(state.windows["accepted"][s]) for s, device in enumerate(state.devices)}
    assert counted == {b"bob": 2 * FIXES, b"anna": FIXES}
    assert not state.windows["duplicates"].any()


def test_who_fell_silent_is_told_that_the_trip_is_over(city: City) -> None:
    shard = Crashing(city).shard
    silence_s = shard.walking.policy.expire_s
    shard.process(request(city))
    assert shard.expire_silent(100.0).messages == []
    assert shard.expire_silent(100.0 + silence_s).messages == []
    ended = shard.expire_silent(101.0 + silence_s)
    assert [decode(RouteUpdate, message.value or b"").reason for message in ended.messages] == ["expired"]
    assert ended.write_ahead
    assert shard.expire_silent(102.0 + silence_s).messages == []


def test_who_asks_again_after_a_silence_is_heard(city: City) -> None:
    shard = Crashing(city).shard
    shard.process(request(city))
    shard.expire_silent(100.0)
    shard.process(request(city, first=1))
    assert shard.expire_silent(101.0 + shard.walking.policy.expire_s).messages == []


def test_who_is_gone_is_forgotten(city: City) -> None:
    shard = Crashing(city).shard
    shard.process(request(city))
    assert shard.forget_gone(100.0, 60.0) == []
    assert shard.forget_gone(200.0, 60.0) == []  # the answer may not have been sent
    others = [encode(fix) for fix in city.walk("otto", "EF")[:5]]
    shard.process(Block.of(GPS_FIXES, 0, list(range(5)), [None] * 5, others, [1] * 5))
    list(shard.observe())
    shard.sent()
    shard.stored(["0"])
    assert shard.forget_gone(205.0, 60.0) == [b"anna"]
    assert shard.walking.state.devices == [b"otto"]
    assert shard.dirty() - {CHECKED} == {"0"}
    shard.online_values()
    assert shard.forget_gone(300.0, 60.0) == []
    assert shard.forget_gone(359.0, 60.0) == []
    assert shard.forget_gone(361.0, 60.0) == [b"otto"]


def test_what_only_a_newer_version_stores_is_left_alone(city: City) -> None:
    walker = Crashing(city)
    walker.shard.process(request(city))
    stored = walker.shard.pack("0", positions(fixes=0, requests=1))
    assert stored is not None
    walker.restart({"something-new": b"?", "0": stored})
    assert len(walker.shard.walking.state) == 1
    assert "something-new" not in walker.shard.dirty()
