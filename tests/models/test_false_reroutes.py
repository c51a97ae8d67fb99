"""Reroutes that nobody needed: the walker went on along the old way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geo.network import Network, OnlyNetwork
from geo.routing.costs import static_costs
from models.bytes_column import BytesColumn
from models.records import Fix, RouteRequest, encode
from models.trips.false_reroutes import SILENT_S, WITHIN_S, FalseReroutes
from models.trips.step import Step
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from tests.broker.drawn import T0, City, draw

TOPICS = ("gps-fixes", "route-requests", "ratings")
STREET_M = 40.0  # from one street of the drawn city to the next


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(tmp_path_factory.mktemp("city") / "graph")


def walked(city: City, fixes: list[Fix], block: int) -> Step:
    """What came of a walk from E to H, in blocks of so many fixes."""
    network = Network(city.graph, static_costs(city.graph))
    state = WalkerState(4, (city.checksum,), TOPICS)
    walking = Walking(0, OnlyNetwork(network), state)
    (lat, lon), (dest_lat, dest_lon) = city.places["E"], city.places["H"]
    request = RouteRequest(
        device="anna", request="r", ts=T0, kind="to", lat=lat, lon=lon, dest_lat=dest_lat, dest_lon=dest_lon
    )
    total = walking.take_request(b"anna", request, 0, 0)
    values = [encode(fix) for fix in fixes]
    for at in range(0, len(values), block):
        part = values[at : at + block]
        total.add(walking.take_fixes(BytesColumn.of(part), np.arange(at, at + len(part))))
    return total


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_a_phone_that_drifted_to_the_next_street_and_back_was_rerouted_in_vain(
    city: City, block: int
) -> None:
    north_m = np.interp(np.arange(200), [40, 70, 90, 100], [0, STREET_M, STREET_M, 0])
    fixes = [
        replace(fix, lat=fix.lat + float(m) / 111_195)
        for fix, m in zip(city.walk("anna", "EFGH"), north_m, strict=False)
    ]
    step = walked(city, fixes, block)
    reasons = [update.reason for update in step.updates]
    assert "off_route" in reasons
    assert step.false_reroutes >= 1
    assert step.false_reroutes <= reasons.count("off_route")
    assert [reason for reason, _ in step.searches] == [r for r in reasons if r != "arrived"]
    assert all(seconds > 0.0 for _, seconds in step.searches)


@pytest.mark.parametrize("block", [1, 1000])
def test_who_goes_another_way_needed_it(city: City, block: int) -> None:
    step = walked(city, city.walk("anna", "EFBCD"), block)
    assert "off_route" in [update.reason for update in step.updates]
    assert step.false_reroutes == 0


class Told:
    """One walker, told at 1000 s to leave out edge 7 of their way."""

    def __init__(self) -> None:
        self.state = WalkerState(1, (0,), TOPICS)
        self.slot = self.state.slot(b"anna")
        self.watch = FalseReroutes(self.state)
        self.watch.told(self.slot, 1000.0, np.array([6, 7, 8], np.int32), np.array([6, 9, 8], np.int32))

    def follow(self, *seen: tuple[float, int], slot: int | None = None) -> int:
        ts, edge = (np.array(column) for column in zip(*seen, strict=True))
        slots = np.full(len(seen), self.slot if slot is None else slot, np.int32)
        return self.watch.follow(slots, np.ones(len(seen), np.bool_), ts, edge.astype(np.int32))


def test_it_takes_some_seconds_on_what_was_left_out() -> None:
    told = Told()
    assert told.follow((1001.0, 7), (1002.0, 7)) == 0  # had no time to follow
    assert told.follow((1010.0, 7), (1012.0, 9), (1014.0, 7), (1016.0, 8)) == 0
    assert told.follow((1020.0, 7)) == 0
    assert told.follow((1026.0, 7)) == 1
    assert len(told.watch) == 0


def test_after_a_minute_it_was_right() -> None:
    told = Told()
    late = 1000.0 + WITHIN_S + 1.0
    assert told.follow((late, 7), (late + 6.0, 7)) == 0
    assert len(told.watch) == 0


def test_others_on_the_old_way_prove_nothing_and_silence_ends_the_watch() -> None:
    told = Told()
    other = told.state.slot(b"otto")
    assert told.follow((1010.0, 7), (1020.0, 7), slot=other) == 0
    assert len(told.watch) == 1
    assert told.follow((1001.0 + SILENT_S, 7), slot=other) == 0
    assert len(told.watch) == 0


def test_a_way_that_leaves_nothing_out_is_not_watched() -> None:
    told = Told()
    told.watch.told(told.slot, 1000.0, np.array([6, 7], np.int32), np.array([5, 6, 7], np.int32))
    assert len(told.watch) == 1


def test_the_watch_goes_with_the_walker_when_slots_move() -> None:
    state = WalkerState(1, (0,), TOPICS, capacity=2)
    first = state.slot(b"gone")
    told = Told()
    told.state, told.slot = state, state.slot(b"anna")
    told.watch = FalseReroutes(state)
    told.watch.told(told.slot, 1000.0, np.array([6, 7, 8], np.int32), np.array([6, 9, 8], np.int32))
    for k in range(3):  # the state grows
        state.slot(b"d%d" % k)
    assert told.follow((1010.0, 7)) == 0
    state.forget(np.array([first]))
    told.slot = state.slot(b"anna")
    other = next(s for s in range(len(state)) if s != told.slot)
    assert told.follow((1020.0, 7), slot=other) == 0
    assert told.follow((1020.0, 7)) == 1
    assert len(told.watch) == 0
