"""Walkers of a partition, without Kafka: the same messages give the same updates, however they are cut."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geo.network import Network, OnlyNetwork
from geo.routing.costs import static_costs
from geo.routing.scoring import rescore
from models.bytes_column import BytesColumn
from models.records import Fix, RouteRequest, RouteUpdate, encode
from models.routes.planning import remaining
from models.trips.live_route import ahead_of
from models.trips.walker_state import FIXES, WalkerState
from models.trips.walking import Walking
from models.trips.world_change import ways_ahead, weight_rows_of
from tests.broker.drawn import T0, City, draw

TOPICS = ("gps-fixes", "route-requests", "ratings")
ROUTES = ("EFGH", "ABFJK", "IJFBC", "DCGKJ", "LKGFE", "ABCD")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(tmp_path_factory.mktemp("city") / "graph")


def walking(city: City) -> Walking:
    network = Network(city.graph, static_costs(city.graph))
    return Walking(0, OnlyNetwork(network), WalkerState(4, (city.checksum,), TOPICS, capacity=2))


def ask(
    one: Walking,
    city: City,
    device: str,
    start: str,
    end: str,
    offset: int,
    taste: dict[str, float] | None = None,
) -> list[RouteUpdate]:
    (lat, lon), (dest_lat, dest_lon) = city.places[start], city.places[end]
    request = RouteRequest(
        device=device, request="r", ts=T0, kind="to", lat=lat, lon=lon, dest_lat=dest_lat, dest_lon=dest_lon,
        taste=taste,
    )  # fmt: skip
    return one.take_request(device.encode(), request, offset, 0).updates


def stream(city: City, noise_m: float = 5.0) -> list[Fix]:
    fixes: list[Fix] = []
    for k, route in enumerate(ROUTES):
        fixes += city.walk(f"w{k}", route, noise_m=noise_m, seed=k)
    fixes += fixes[5::40]
    random.Random(3).shuffle(fixes)
    return sorted(fixes, key=lambda fix: fix.ts // 7)  # within seven seconds in any order


def run(
    city: City, values: Sequence[bytes], sizes: Sequence[int]
) -> tuple[list[RouteUpdate], dict[str, Any]]:
    one = walking(city)
    updates: list[RouteUpdate] = []
    for k, route in enumerate(ROUTES):
        updates += ask(one, city, f"w{k}", route[0], "H", k)
    at, i = 0, 0
    while at < len(values):
        size = sizes[i % len(sizes)]
        block = values[at : at + size]
        step = one.take_fixes(BytesColumn.of(block), np.arange(at, at + len(block)))
        updates += step.updates
        at += size
        i += 1
    state = one.state
    columns = {
        name: {
            "windows": state.windows[s].tobytes(),
            "matches": state.matches[s].tobytes(),
            "trip": repr(state.trips[s]),
            "route": state.route_edges(s).tolist(),
        }
        for name, s in ((f"w{k}", state.slot(f"w{k}".encode())) for k in range(len(ROUTES)))
    }
    return updates, columns


def by_walker(updates: list[RouteUpdate]) -> list[RouteUpdate]:
    return sorted(updates, key=lambda update: (update.device, update.version))


def test_blocks_may_be_cut_anywhere(city: City) -> None:
    values = [encode(fix) for fix in stream(city)]
    whole_updates, whole = run(city, values, [len(values)])
    assert {update.reason for update in whole_updates} >= {"requested", "off_route"}
    for sizes in ([1], [7], [100, 3], [333]):
        updates, state = run(city, values, sizes)
        assert by_walker(updates) == by_walker(whole_updates)
        for name in whole:
            for part in whole[name]:
                assert state[name][part] == whole[name][part], (sizes, name, part)


def test_other_walkers_do_not_matter(city: City) -> None:
    fixes = stream(city)
    everybody, together = run(city, [encode(fix) for fix in fixes], [50])
    _, alone = run(city, [encode(fix) for fix in fixes if fix.device == "w1"], [50])
    assert alone["w1"]["windows"] == together["w1"]["windows"]
    assert alone["w1"]["matches"] == together["w1"]["matches"]
    assert alone["w1"]["route"] == together["w1"]["route"]
    assert any(update.device == "w1" and update.reason == "off_route" for update in everybody)


def test_what_a_bucket_contains_is_skipped(city: City) -> None:
    values = [encode(fix) for fix in city.walk("w0", "EFGH")]
    one, two = walking(city), walking(city)
    one.take_fixes(BytesColumn.of(values), np.arange(len(values)))
    half = len(values) // 2
    two.take_fixes(BytesColumn.of(values[:half]), np.arange(half))
    two.state.contained[:, FIXES] = half
    two.take_fixes(BytesColumn.of(values), np.arange(len(values)))
    assert one.state.windows[0].tobytes() == two.state.windows[0].tobytes()
    assert one.state.matches[0].tobytes() == two.state.matches[0].tobytes()


def test_a_request_taken_twice_changes_nothing(city: City) -> None:
    one = walking(city)
    assert len(ask(one, city, "w0", "E", "H", 0)) == 1
    values = [encode(fix) for fix in city.walk("w0", "EFGH")[:60]]
    one.take_fixes(BytesColumn.of(values), np.arange(len(values)))
    before = one.state.trips[0].tobytes()
    assert ask(one, city, "w0", "E", "H", 0) == []
    assert one.state.trips[0].tobytes() == before
    assert len(ask(one, city, "w0", "E", "H", 5)) == 1
    stop = RouteRequest(device="w0", request="s", ts=T0, kind="stop")
    assert one.take_request(b"w0", stop, 4, 0).updates == []  # for the trip before
    assert [update.reason for update in one.take_request(b"w0", stop, 6, 0).updates] == ["ended"]


def test_ways_ahead_are_weighed_by_each_walkers_own_taste(city: City) -> None:
    one = walking(city)
    tastes = [{"unsheltered": 0.5 * (k % 4), "steps": 0.1 * (k % 2)} for k in range(len(ROUTES))]
    for k, route in enumerate(ROUTES):
        ask(one, city, f"w{k}", route[0], "H", k, tastes[k])
    slots = one.state.active_slots(0)
    ahead = [ahead_of(one.state, city.graph, s) for s in slots.tolist()]
    network = one.walk_in(0).rerouting.network
    everything = np.arange(city.graph.edge_count, dtype=np.int32)
    ways, weight = ways_ahead(one.state, city.graph, slots), weight_rows_of(one.state.trips["taste"][slots])
    left = rescore(city.graph, network.costs, network.costs, everything, ways, weight, 0.01)
    assert len(left.now) == len(ROUTES)
    assert left.was.tolist() == left.now.tolist()
    for path, cost, taste in zip(ahead, left.now.tolist(), tastes, strict=True):
        alone = remaining(network, taste, path.edges, 0, path.start_fraction, path.end_fraction)
        assert cost == pytest.approx(alone.impedance, rel=1e-6)


def test_buckets_come_back_as_they_were(city: City, tmp_path: Path) -> None:
    one = walking(city)
    for k, route in enumerate(ROUTES):
        ask(one, city, f"w{k}", route[0], "H", k)
    values = [encode(fix) for fix in stream(city)]
    one.take_fixes(BytesColumn.of(values), np.arange(len(values)))
    positions = np.array([[len(values), 6, 0]])
    again = WalkerState(4, (city.checksum,), TOPICS)
    for bucket in range(4):
        slots = np.array(one.state.members[bucket], np.int64)
        packed = one.state.pack(slots, positions, [(b"w1", b"update")])
        loaded = again.load(str(bucket), packed)
        assert (again.contained[loaded.slots] == positions).all()
        assert loaded.updates == [(b"w1", b"update")]
        assert loaded.routes_dropped == 0
    for s, device in enumerate(one.state.devices):
        t = again.slot(device)
        assert again.windows[t].tobytes() == one.state.windows[s].tobytes()
        assert again.matches[t].tobytes() == one.state.matches[s].tobytes()
        assert repr(again.trips[t]) == repr(one.state.trips[s])
        assert again.route_edges(t).tolist() == one.state.route_edges(s).tolist()


def test_who_is_forgotten_leaves_no_trace_and_the_others_stay(city: City) -> None:
    one, other = walking(city), walking(city)
    values = [encode(fix) for fix in stream(city)]
    for every in (one, other):
        for k, route in enumerate(ROUTES):
            ask(every, city, f"w{k}", route[0], "H", k)
        every.take_fixes(BytesColumn.of(values[:300]), np.arange(300))
    one.state.forget(np.array([one.state.slot(b"w1"), one.state.slot(b"w4")], np.int64))
    assert sorted(one.state.devices) == [b"w0", b"w2", b"w3", b"w5"]
    assert one.state.find(b"w1") is None
    assert sorted(s for members in one.state.members for s in members) == list(range(4))
    stays = [fix for fix in stream(city)[300:] if fix.device not in ("w1", "w4")]
    told = [
        every.take_fixes(BytesColumn.of([encode(fix) for fix in stays]), np.arange(300, 300 + len(stays)))
        for every in (one, other)
    ]
    assert told[0].updates == told[1].updates
    for device in one.state.devices:
        s, t = one.state.slot(device), other.state.slot(device)
        assert one.state.bucket[s] == other.state.bucket[t]
        assert one.state.windows[s].tobytes() == other.state.windows[t].tobytes()
        assert one.state.matches[s].tobytes() == other.state.matches[t].tobytes()
        assert one.state.route_edges(s).tolist() == other.state.route_edges(t).tolist()
    finished = [
        [(every.state.devices[row["slot"]], *row.tolist()[2:]) for row in every.state.finished.rows()]
        for every in (one, other)
    ]
    assert finished[0] == [row for row in finished[1] if row[0] not in (b"w1", b"w4")]
    assert one.state.windows["accepted"][one.state.slot(b"w1")] == 0
