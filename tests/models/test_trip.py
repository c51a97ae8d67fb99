"""The trip state machine on drawn maps: on the route, off it, there, late."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.trips import trip as trips
from models.trips.trip import MatchedFixes, Policy, Routes, advance_fixes, route_geometry
from tests.geo.asciimap import graph_from_ascii

MAP = """
A----B----C----D
     |         |
     E----F----G
"""


class Walk:
    """One walker on a drawn map with a route along named places."""

    def __init__(self, route: str, **trip: float) -> None:
        self.graph, self.at = graph_from_ascii(MAP)
        edges = [self._edge(a, b) for a, b in pairwise(route)]
        self.edges = np.array(edges, np.int32)
        lengths = self.graph.length_m[self.edges].astype(np.float64)
        self.routes = Routes(
            np.zeros(1, np.int64),
            np.array([len(edges)], np.int32),
            self.edges,
            np.concatenate([[0.0], np.cumsum(lengths[:-1])]),
        )
        self.trips = np.zeros(1, trips.TRIP_STATE)
        self.trips["status"] = trips.ACTIVE
        self.trips["speed_mps"] = 1.35
        self.trips["started_ts"] = 1000.0
        self.trips["route_m"] = lengths.sum()
        self.trips["route_s"] = lengths.sum() / 1.35
        for name, value in trip.items():
            self.trips[name] = value
        self.ts = 1000.0

    def _edge(self, a: str, b: str) -> int:
        g = self.graph
        out = range(g.first_out[self.at[a]], g.first_out[self.at[a] + 1])
        return next(e for e in out if g.head[e] == self.at[b])

    def point(self, a: str, b: str, share: float, north_m: float = 0.0) -> tuple[float, float]:
        g = self.graph
        lat = g.node_lat[self.at[a]] * (1 - share) + g.node_lat[self.at[b]] * share
        lon = g.node_lon[self.at[a]] * (1 - share) + g.node_lon[self.at[b]] * share
        return float(lat + north_m / 111_195.0), float(lon)

    def walk(
        self,
        points: list[tuple[float, float]],
        step_s: float = 1.0,
        edge: int = -1,
        accuracy_m: float = 5.0,
        fraction: NDArray[np.float32] | float = 0.0,
    ) -> list[int]:
        """Fold the points in; returns the decisions, one a stop, as `models.trips.walking` would see them."""
        n = len(points)
        ts = self.ts + step_s * np.arange(1.0, n + 1.0)
        self.ts = float(ts[-1])
        fixes = MatchedFixes(
            np.zeros(n, np.int32),
            np.ones(n, np.bool_),
            ts,
            np.array([p[0] for p in points]),
            np.array([p[1] for p in points]),
            np.full(n, accuracy_m, np.float64),
            np.full(n, edge, np.int32),
            np.broadcast_to(np.asarray(fraction, np.float32), n).copy(),
            np.full(n, 0.9, np.float32),
        )
        next_fix = np.zeros(1, np.int64)
        found: list[int] = []
        while True:
            decision, at = np.zeros(1, np.uint8), np.full(1, -1, np.int64)
            advance_fixes(
                self.trips, self.routes, route_geometry(self.graph), fixes, Policy(), next_fix, decision, at
            )
            if decision[0] == trips.NONE:
                return found
            found.append(int(decision[0]))
            if decision[0] in (trips.ARRIVE, trips.EXPIRE):
                self.trips["status"] = trips.ARRIVED

    def along(self, a: str, b: str, north_m: float = 0.0, steps: int = 30) -> list[tuple[float, float]]:
        return [self.point(a, b, k / steps, north_m) for k in range(steps + 1)]


def test_walking_the_route_makes_progress_and_arrives() -> None:
    walk = Walk("ABCD")
    assert walk.walk(walk.along("A", "B") + walk.along("B", "C")) == []
    assert abs(float(walk.trips["progress_m"][0]) - 100.0) < 10.0
    assert walk.walk(walk.along("C", "D")) == [trips.ARRIVE]


def test_progress_never_falls_when_gps_jumps_back() -> None:
    walk = Walk("ABCD")
    walk.walk(walk.along("A", "B"))
    before = float(walk.trips["progress_m"][0])
    walk.walk([walk.point("A", "B", 0.6), walk.point("A", "B", 0.8)])
    assert float(walk.trips["progress_m"][0]) >= before


def test_leaving_the_route_is_seen_after_some_seconds_and_more_and_more_seldom() -> None:
    walk = Walk("ABCD")
    walk.walk(walk.along("A", "B"))
    gone = [walk.point("B", "B", 0, north_m=k * 1.4) for k in range(1, 200)]
    assert walk.walk(gone[:12]) == []  # 17 m off
    assert walk.walk(gone[12:30]) == [trips.OFF_ROUTE]  # a new route could not be had
    assert walk.walk(gone[30:32]) == []
    assert walk.walk(gone[32:100]) == [trips.OFF_ROUTE] * 2  # 20 s, then 40 s later
    assert walk.walk(gone[100:]) == [trips.OFF_ROUTE]  # 80 s later


def test_the_rest_of_the_edge_that_a_route_begins_amid_is_off_the_route() -> None:
    for matched in (False, True):
        walk = Walk("ABCD")
        cut_m = 0.9 * float(walk.graph.length_m[walk.edges[0]])  # the route begins there
        walk.routes.start_m[:] -= cut_m
        walk.trips["route_m"] -= cut_m
        share = np.linspace(0.9, 0.0, 40)
        away = [walk.point("A", "B", float(one)) for one in share] + [walk.point("A", "B", 0.0)] * 5
        edge = int(walk.edges[0]) if matched else -1
        fraction = np.concatenate([share, np.zeros(5)]).astype(np.float32)
        assert trips.OFF_ROUTE in walk.walk(away, edge=edge, fraction=fraction)


def test_less_exact_fixes_need_more_distance() -> None:
    for accuracy_m, decisions in ((5.0, [trips.OFF_ROUTE]), (40.0, [])):
        walk = Walk("ABCD")
        walk.walk(walk.along("A", "B"))
        gone = [walk.point("B", "B", 0, north_m=k * 1.4) for k in range(1, 30)]
        assert walk.walk(gone, accuracy_m=accuracy_m) == decisions


def test_coming_back_takes_the_evidence_away() -> None:
    walk = Walk("ABCD")
    walk.walk(walk.along("A", "B"))
    walk.walk([walk.point("B", "B", 0, north_m=k * 1.4) for k in range(1, 20)])
    assert float(walk.trips["off_evidence"][0]) > 0.3
    assert walk.walk(walk.along("B", "C")) == []
    assert float(walk.trips["off_evidence"][0]) == 0.0


def test_a_gap_along_the_route_is_no_deviation() -> None:
    walk = Walk("ABCDGFE")
    walk.walk(walk.along("A", "B"))
    walk.ts += 120.0  # minutes without a fix, at 1.2 m/s along the route
    assert walk.walk(walk.along("G", "F")) == []
    assert abs(float(walk.trips["progress_m"][0]) - 230.0) < 15.0
    assert walk.walk(walk.along("F", "E")) == [trips.ARRIVE]


def test_a_gap_that_ends_elsewhere_is_one() -> None:
    walk = Walk("ABCD")
    walk.walk(walk.along("A", "B"))
    walk.ts += 240.0
    far = [walk.point("B", "B", 0, north_m=150.0 + k) for k in range(40)]
    assert walk.walk(far)[0] == trips.OFF_ROUTE


def test_an_hour_in_one_place_triggers_nothing() -> None:
    walk = Walk("ABCD", wanted_s=120.0)
    walk.walk(walk.along("A", "B"))
    before = walk.trips.copy()
    draw = np.random.default_rng(1)
    drift = np.cumsum(draw.normal(0.0, 0.35, (3600, 2)), axis=0)
    drift = 12.0 * np.tanh(drift / 12.0)
    there = walk.point("B", "C", 0.0)
    points = [(there[0] + y / 111_195.0, there[1] + x / 55_600.0) for y, x in drift.tolist()]
    assert walk.walk(points) == []
    assert walk.trips["resting"][0] == 1
    assert float(walk.trips["paused_s"][0]) > 3300.0
    assert float(walk.trips["progress_m"][0]) - float(before["progress_m"][0]) < 15.0
    assert walk.walk(walk.along("B", "C")) == []
    assert walk.trips["resting"][0] == 0
    assert walk.walk(walk.along("C", "D")) == [trips.ARRIVE]


def test_a_phone_that_sleeps_through_a_rest_does_not_make_its_walker_late() -> None:
    walk = Walk("ABCD", wanted_s=120.0)
    walk.walk(walk.along("A", "B"))
    walk.ts += 3000.0
    assert walk.walk(walk.along("B", "C")) == []
    assert float(walk.trips["paused_s"][0]) > 2900.0


def test_standing_still_near_the_end_is_arriving() -> None:
    walk = Walk("ABCD")
    walk.walk(walk.along("A", "B") + walk.along("B", "C"))
    near = [walk.point("C", "D", 0.4)] * 60
    assert walk.walk(near) == [trips.ARRIVE]


def test_a_trip_without_fixes_for_hours_expires_at_the_next_one() -> None:
    walk = Walk("ABCD")
    walk.walk(walk.along("A", "B"))
    walk.ts += Policy().expire_s + 1.0
    assert walk.walk(walk.along("B", "C")) == [trips.EXPIRE]


def test_one_bad_fix_is_no_deviation() -> None:
    walk = Walk("ABCD")
    points = walk.along("A", "B")
    points[10] = walk.point("A", "B", 0.3, north_m=80.0)
    points[20] = walk.point("A", "B", 0.6, north_m=-80.0)
    assert walk.walk(points) == []


def test_the_matched_edge_keeps_a_noisy_walker_on_the_route() -> None:
    walk = Walk("ABCD")
    noisy = walk.along("A", "B", north_m=30.0)
    assert walk.walk(noisy, edge=int(walk.edges[0])) == []
    walk = Walk("ABCD")
    assert trips.OFF_ROUTE in walk.walk(noisy, edge=-1)


def test_turning_round_is_a_deviation() -> None:
    walk = Walk("ABCD")
    walk.walk(walk.along("A", "B") + walk.along("B", "C"))
    back = list(reversed(walk.along("A", "B") + walk.along("B", "C")))
    assert walk.walk(back[:15]) == []
    assert walk.walk(back[15:])[0] == trips.OFF_ROUTE


def test_who_stands_while_their_phone_drifts_back_has_not_turned_round() -> None:
    """The drift of two minutes before a shop, 18 m to and fro, so wide that it is no rest."""
    decisions = {}
    for stood in (True, False):
        walk = Walk("ABCDGFE")
        walk.walk(walk.along("A", "B") + walk.along("B", "C"))
        if stood:
            drift = 0.36 * np.sin(2.0 * np.pi * np.arange(121) / 40.0)
            walk.walk([walk.point("B", "C", 1.0 + float(one)) for one in drift])
        back = [walk.point("B", "C", 1.0 - 0.02 * k) for k in range(35)]
        decisions[stood] = walk.walk(back)
    assert decisions == {True: [], False: [trips.OFF_ROUTE]}


def test_the_way_back_of_an_out_and_back_route_is_no_turning_round() -> None:
    walk = Walk("ABCBA")
    out = walk.along("A", "B") + walk.along("B", "C")
    assert walk.walk(out + list(reversed(out))) == [trips.ARRIVE]


def test_a_jump_of_the_fixes_is_no_deviation() -> None:
    walk = Walk("ABCD")
    walk.walk(walk.along("A", "B"))
    assert walk.walk(walk.along("B", "C", north_m=35.0)) == []
    assert walk.walk(walk.along("C", "D")) == [trips.ARRIVE]


def test_a_walker_who_has_cut_a_corner_is_found_farther_on() -> None:
    walk = Walk("ABEFGD")
    walk.walk(walk.along("A", "B"))
    assert walk.walk(walk.along("F", "G") + walk.along("G", "D")) == [trips.ARRIVE]


def test_a_loop_that_passes_its_start_again_does_not_jump_ahead() -> None:
    walk = Walk("BCDGFEB")
    walk.walk([walk.point("B", "C", 0.0)] * 5)
    assert float(walk.trips["progress_m"][0]) < 5.0
    assert walk.walk(walk.along("B", "C")) == []


def test_late_is_said_once_in_a_while() -> None:
    walk = Walk("ABCD", wanted_s=10.0)
    slow = walk.along("A", "B", steps=66) + walk.along("B", "C", steps=66)  # 0.75 m/s
    assert walk.walk(slow) == [trips.LATE]


def test_blocks_may_begin_anywhere() -> None:
    points = None
    results = []
    for size in (1, 7, 200):
        walk = Walk("ABCD")
        points = walk.along("A", "B") + [walk.point("B", "B", 0, north_m=-k * 2.0) for k in range(1, 40)]
        decisions = []
        for start in range(0, len(points), size):
            decisions += walk.walk(points[start : start + size])
        results.append((decisions, walk.trips.tobytes()))
    assert results[0] == results[1] == results[2]
