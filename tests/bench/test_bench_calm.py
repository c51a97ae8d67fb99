"""The benchmark of calm guidance: it judges by the truth, and the same seed judges the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bench.calm import CalmJob, watch_city
from bench.calm_watch import MISSED_S, Watch
from geo.errors import BadInput
from geo.graph import open_graph
from geo.polyline import encode6
from models.records import RouteUpdate
from models.trips.walker_state import WalkerState
from tests.geo.asciimap import graph_from_ascii

M_DEG = 1 / 111_195.0
LINE_M = ((0.0, 0.0), (0.0, 1000.0))


class Body:
    """What a watch reads of a walker."""

    def __init__(self) -> None:
        self.true_ts: list[float] = []
        self.true_lat: list[float] = []
        self.true_lon: list[float] = []

    def walk(self, north_m: list[float], east_m: list[float]) -> int:
        since = len(self.true_ts)
        for north, east in zip(north_m, east_m, strict=True):
            self.true_ts.append(float(len(self.true_ts)))
            self.true_lat.append(60.0 + north * M_DEG)
            self.true_lon.append(24.0 + east * 2 * M_DEG)
        return since


class Guided:
    """A walker who is to go 1,000 m east."""

    def __init__(self) -> None:
        drawn, _ = graph_from_ascii("A-----B")
        self.watch = Watch(WalkerState(1, (0,), ("t",)), 0, drawn)
        self.watch._state.slot(b"w")
        self.body = Body()
        self.version = 0
        self.tell("requested", 0.0)

    def tell(self, reason: str, ts: float, line_m: Sequence[tuple[float, float]] = LINE_M) -> None:
        """An update comes: its line by metres north and east."""
        self.version += 1
        north, east = np.array(line_m).T
        line = encode6(60.0 + north * M_DEG, 24.0 + east * 2 * M_DEG)
        self.watch.told(
            RouteUpdate(device="w", trip="t", version=self.version, ts=ts, reason=reason, geometry=line)
        )

    def go(self, north_m: list[float], east_m: list[float], silent: tuple[float, float] = (0.0, 0.0)) -> None:
        since = self.body.walk(north_m, east_m)
        self.watch.walked(self.body, since, silent)  # type: ignore[arg-type]


def test_a_reroute_of_who_is_on_the_route_is_false() -> None:
    one = Guided()
    one.go([0.0] * 60, [1.4 * k for k in range(60)])
    one.tell("off_route", 59.0)
    assert one.watch.false_reroutes == 1
    assert one.watch.deviations_s == []
    assert one.watch.on_route_m == pytest.approx(1.4 * 59, rel=0.01)


def test_a_deviation_is_counted_from_fifteen_metres_on() -> None:
    one = Guided()
    one.go([0.0] * 20, [1.0 * k for k in range(20)])
    one.go([1.0 * k for k in range(1, 41)], [20.0] * 40)
    one.tell("off_route", 59.0)
    assert one.watch.false_reroutes == 0
    assert one.watch.deviations_s == [pytest.approx(24.0, abs=1.5)]
    assert one.watch.fork_s == [pytest.approx(36.0, abs=1.5)]


def test_the_clock_of_a_deviation_waits_for_a_silent_phone_and_for_who_stands() -> None:
    one = Guided()
    one.go([0.0] * 20, [1.0 * k for k in range(20)])
    one.go([1.0 * k for k in range(1, 31)], [20.0] * 30, silent=(40.0, 50.0))
    one.go([30.0] * 50, [20.0] * 50)
    one.go([31.0 + k for k in range(4)], [20.0] * 4)
    one.tell("off_route", 103.0)
    # 68 s after it was 15 m off, of which 10 s were silent and 30 s were stood through
    assert one.watch.deviations_s == [pytest.approx(28.0, abs=6.0)]


def test_a_line_that_comes_back_along_the_same_street_is_followed_pass_by_pass() -> None:
    one = Guided()
    one.tell("off_route", 0.0, [(0.0, 0.0), (0.0, 200.0), (8.0, 200.0), (8.0, 0.0)])
    one.go([0.0] * 200, [1.0 * k for k in range(200)])
    one.go([6.0] * 200, [200.0 - k for k in range(200)])
    assert one.watch.on_route_m == pytest.approx(400.0, rel=0.05)
    one.tell("off_route", 399.0)
    assert one.watch.false_reroutes == 1
    # also in two long steps, where it begins a little away from the walker
    one = Guided()
    one.tell("off_route", 0.0, [(2.0, 6.0), (2.0, 90.0), (0.0, -20.0)])
    one.go([0.0] * 90, [1.0 * k for k in range(90)])
    one.go([0.0] * 80, [90.0 - k for k in range(80)])
    assert one.watch.missed == 0
    assert one.watch.on_route_m == pytest.approx(170.0, rel=0.05)
    # but who turns round on the way out has left it
    one = Guided()
    one.tell("off_route", 0.0, [(0.0, 0.0), (0.0, 400.0), (8.0, 400.0), (8.0, 0.0)])
    one.go([0.0] * 100, [1.0 * k for k in range(100)])
    one.go([0.0] * 80, [100.0 - k for k in range(80)])
    one.tell("off_route", 179.0)
    assert one.watch.deviations_s == [pytest.approx(63.0, abs=3.0)]


def test_walking_back_is_a_deviation_and_one_that_nobody_sees_is_missed() -> None:
    one = Guided()
    one.go([0.0] * 60, [1.0 * k for k in range(60)])
    one.go([0.0] * 59, [60.0 - k for k in range(59)])
    one.go([0.0] * 80, [1.0 * k for k in range(80)])
    assert one.watch.missed == 1
    assert one.watch.deviations_s == [MISSED_S]


def test_the_same_seed_judges_the_same(graph_dir: str) -> None:
    graph = open_graph(graph_dir)
    job = CalmJob(["-"], walkers=4, seed=3)
    one, two = watch_city(graph, job), watch_city(graph, job)
    assert one == two
    assert one.km > 1.0
    assert one.updates["requested"] == 4
    assert {name for name, _, _ in one.figures()} >= {"false_reroutes_per_km", "flip_flops"}


def test_numbers_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadInput, match="walkers is 0"):
        CalmJob(["-"], walkers=0)
