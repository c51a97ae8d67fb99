"""Simulated walkers: where they are, and the fixes they send."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.rig.fixes import Walk, encode_tick, walk_ticks
from bench.rig.tracks import join_tracks, stroll_from, walk_streets, wander
from bench.rig.walkers import draw_pairs, follow_routes
from geo.errors import BadInput
from geo.graph import F64
from geo.polyline import encode6
from models.records import Fix, decode
from tests.geo.asciimap import graph_from_ascii

METRE_DEG = 1.0 / 111_195.0


def line(*north_m: float) -> tuple[F64, F64]:
    return np.array(north_m) * METRE_DEG, np.zeros(len(north_m))


def test_walkers_are_where_their_own_track_says() -> None:
    tracks = join_tracks([line(0, 100, 250), line(1000, 900)])
    np.testing.assert_allclose(tracks.length_m(), [250, 100], rtol=1e-6)
    for walked, expected in ((0, [0, 1000]), (60, [60, 940]), (120, [120, 900]), (999, [250, 900])):
        lat, lon, _ = tracks.at(np.full(2, float(walked)))
        np.testing.assert_allclose(lat / METRE_DEG, expected, atol=1e-3)
        np.testing.assert_allclose(lon, 0)


def test_bearing_points_along_the_segment() -> None:
    tracks = join_tracks([line(0, 100), line(100, 0)])
    bearing = tracks.at(np.full(2, 50.0))[2]
    np.testing.assert_allclose(bearing, [0, 180])


def test_a_track_of_one_point_is_refused() -> None:
    with pytest.raises(BadInput, match="two points"):
        join_tracks([line(0)])


def test_fixes_are_records_of_the_size_that_is_measured() -> None:
    walk = Walk(wander(3, 100.0, seed=7), start_s=1_750_000_020.0, seed=7)
    for number, tick in enumerate(walk_ticks(walk, 2)):
        for device, value in zip(walk.devices(), encode_tick(walk.devices(), tick), strict=True):
            assert 100 <= len(value) <= 120
            fix = decode(Fix, value)
            assert (fix.device, fix.ts) == (device, walk.start_s + number)
            assert fix.speed_mps is not None


def test_the_seed_alone_decides() -> None:
    def values(seed: int) -> list[bytes]:
        walk = Walk(wander(5, 100.0, seed), 1e9, seed)
        return [value for tick in walk_ticks(walk, 3) for value in encode_tick(walk.devices(), tick)]

    assert values(1) == values(1)
    assert values(1) != values(2)


def test_walkers_walk_at_walking_pace() -> None:
    walk = Walk(wander(200, 400.0, seed=3), 1e9, 3, noise_m=0.0)
    first, *_, last = walk_ticks(walk, 61)
    north_m = (last.lat - first.lat) / METRE_DEG
    east_m = (last.lon - first.lon) / METRE_DEG * np.cos(np.radians(first.lat))
    moved_m = np.hypot(north_m, east_m)
    assert moved_m.max() < 2.1 * 60
    assert 40 < np.median(moved_m) <= 1.5 * 60


def test_who_stands_sets_off_in_time() -> None:
    tracks = wander(2, 500.0, seed=3)
    still = Walk(tracks, 1e9, 3, noise_m=0.0, step_s=6.0, stand_s=np.array([0.0, 60.0]))
    ticks = list(walk_ticks(still, 30))
    on_time = list(walk_ticks(replace(still, stand_s=0.0), 30))
    assert [tick.lat[0] for tick in ticks] == [tick.lat[0] for tick in on_time]
    assert {tick.lat[1] for tick in ticks[:11]} == {on_time[0].lat[1]}
    assert [tick.lat[1] for tick in ticks[10:]] == [tick.lat[1] for tick in on_time[:20]]
    assert max(tick.speed_mps[1] for tick in ticks[:10]) < 0.5 < min(tick.speed_mps[1] for tick in ticks[10:])


def test_a_step_of_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="0 s"):
        next(walk_ticks(Walk(wander(1, 10.0, 1), 1e9, 1, step_s=0), 1))


def test_a_stroll_goes_round_a_block_and_back_from_a_dead_end() -> None:
    graph, at = graph_from_ascii(
        """
        A----B
             |
        D----C
        """
    )
    lat, lon = stroll_from(graph, at["A"], 300.0, np.random.default_rng(1))
    path = [(round(a, 7), round(b, 7)) for a, b in zip(lat.tolist(), lon.tolist(), strict=True)]
    corners = {
        (round(float(graph.node_lat[at[place]]), 7), round(float(graph.node_lon[at[place]]), 7)): place
        for place in "ABCD"
    }
    order = [corners[point] for point in path if point in corners]
    visited = [place for number, place in enumerate(order) if number == 0 or place != order[number - 1]]
    assert "".join(visited).startswith("ABCDCBA")


def test_walks_on_streets_are_long_enough_and_stay_on_them() -> None:
    graph, _ = graph_from_ascii(
        """
        A----B----C
        |    |    |
        D----E----F
        """
    )
    tracks = walk_streets(graph, 20, 500.0, seed=5)
    assert (tracks.length_m() >= 499.0).all()
    rows = {round(float(lat), 6) for lat in graph.node_lat}
    columns = {round(float(lon), 6) for lon in graph.node_lon}
    lat, lon, _ = tracks.at(np.full(20, 123.4))
    for a, b in zip(lat.tolist(), lon.tolist(), strict=True):
        assert round(a, 6) in rows or round(b, 6) in columns


def test_pairs_lie_as_far_apart_as_asked() -> None:
    graph, _ = graph_from_ascii("A----B----C----D", metres_per_char=20.0)
    for wish in draw_pairs(graph, 10, 100.0, seed=2):
        apart_m = abs(wish.lon - wish.dest_lon) * np.cos(np.radians(wish.lat)) / METRE_DEG
        assert 80 <= apart_m <= 120
    with pytest.raises(BadInput, match="5000 m apart"):
        draw_pairs(graph, 10, 5000.0, seed=2)


def test_strays_leave_their_route_halfway() -> None:
    graph, at = graph_from_ascii(
        """
        A----B----C----D----E
                  |
                  |
                  F
        """
    )
    places = [at[place] for place in "ABCDE"]
    route = encode6(graph.node_lat[places], graph.node_lon[places])
    faithful = follow_routes(graph, [route], 0.0, 200.0, seed=1)
    np.testing.assert_allclose(faithful.lat, graph.node_lat[places], atol=1e-6)
    strayed = follow_routes(graph, [route] * 30, 1.0, 200.0, seed=1)
    ends = strayed.at(np.full(30, 1e9))
    assert len({(round(a, 5), round(b, 5)) for a, b in zip(ends[0], ends[1], strict=True)}) > 1
