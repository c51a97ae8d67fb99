"""Online matching: streets, directions, squares, gaps and jumps, on drawn maps."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from geo.geodesy import from_local
from geo.matching import (
    MATCH_STATE,
    MatchFixes,
    edge_distance_m,
    empty_matches,
    match_arrays,
    match_fixes,
    read_lattice,
)
from tests.geo.asciimap import ORIGIN_LAT, ORIGIN_LON, graph_from_ascii

START = 1_705_602_000.0
TOWN = """
    A---------B---------C
    |         |         |
    D---------E---------F
    |                   |
    |                   |
    |                   |
    |                   |
    |                   |
    G-------------------H
    """


@pytest.fixture(scope="module")
def town():
    return graph_from_ascii(TOWN)


def along(*corners, pace_mps=1.4, every_s=1.0):
    """Positions (x east, y north; metres) of a walk past the corners, one a step."""
    points = np.array(corners, np.float64)
    run = np.append(0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T)))
    at = np.arange(0.0, run[-1], pace_mps * every_s)
    return np.column_stack([np.interp(at, run, points[:, 0]), np.interp(at, run, points[:, 1])])


def shaken(xy, sigma_m, seed=1, memory_s=20.0):
    """With the slowly drifting error of a phone."""
    rng = np.random.default_rng(seed)
    keep = math.exp(-1.0 / memory_s)
    error = np.empty_like(xy)
    error[0] = rng.normal(0, sigma_m, 2)
    for k in range(1, len(xy)):
        error[k] = keep * error[k - 1] + rng.normal(0, sigma_m * math.sqrt(1 - keep * keep), 2)
    return xy + error


def fixes_of(xy, ts=None, slot=0, kind=0, accuracy_m=5.0):
    n = len(xy)
    lat, lon = from_local(xy[:, 0], xy[:, 1], ORIGIN_LAT, ORIGIN_LON)
    return MatchFixes(
        np.full(n, slot, np.int32),
        np.full(n, kind, np.uint8),
        START + np.arange(n) if ts is None else ts,
        lat,
        lon,
        np.full(n, accuracy_m, np.float32),
    )


def match(graph, fixes, cuts=(), walkers=1, **options):
    state = np.zeros(walkers, MATCH_STATE)
    out = empty_matches(len(fixes.slot))
    for a, b in pairwise([0, *cuts, len(fixes.slot)]):
        part = type(out)(*(column[a:b] for column in out))
        match_fixes(match_arrays(graph), state, MatchFixes(*(c[a:b] for c in fixes)), part, **options)
    return out, state


def hops(graph, at, edges):
    """The places passed, as text: each directed edge once, `.` off the network."""
    place = {node: name for name, node in at.items()}
    names = ["." if e < 0 else place[graph.tail[e]] + place[graph.head[e]] for e in edges]
    return [name for k, name in enumerate(names) if k == 0 or names[k - 1] != name]


def test_state_fits_in_a_kibibyte():
    assert MATCH_STATE.itemsize <= 1024


def test_a_walk_round_corners_goes_in_the_direction_of_the_walk(town):
    graph, at = town
    xy = shaken(along((0, -1), (100, 0), (100, -20), (200, -20), (200, -80), (150, -80)), 3.0)
    out, _ = match(graph, fixes_of(xy))
    assert hops(graph, at, out.settled_edge[11:]) == ["AB", "BE", "EF", "FH", "HG"]
    assert (out.probability[30:] > 0.3).all()
    assert not out.off_network.any()


def test_the_other_way_is_the_other_edge(town):
    graph, at = town
    xy = along((200, -80), (200, -20), (100, -20))
    out, _ = match(graph, fixes_of(xy))
    assert hops(graph, at, out.settled_edge[15:]) == ["HF", "FE"]


def test_turning_round_in_the_middle_of_a_street_is_seen(town):
    graph, at = town
    xy = shaken(along((40, -80), (120, -80), (20, -80)), 2.0)
    out, _ = match(graph, fixes_of(xy))
    assert hops(graph, at, out.settled_edge[11:]) == ["GH", "HG"]
    turned = int(np.flatnonzero(out.edge == out.edge[-1])[0]) if out.edge[0] != out.edge[-1] else 0
    assert turned <= 80 / 1.4 + 20
    assert np.all(np.diff(out.fraction[turned + 5 :]) >= -0.005)


def test_across_the_block_is_off_the_network_and_back(town):
    graph, at = town
    xy = shaken(along((20, -20), (80, -20), (80, -80), (150, -80)), 2.0)
    out, _ = match(graph, fixes_of(xy))
    passed = hops(graph, at, out.settled_edge[11:])
    assert passed[:2] == ["DE", "."]
    assert passed[-1] == "GH"
    assert set(passed[2:-1]) <= {"HG"}  # at first it cannot be told which way the walker will turn
    middle = (xy[:, 1] < -42) & (xy[:, 1] > -60)
    assert out.off_network[middle].mean() > 0.7


def test_standing_does_not_hop_to_the_parallel_street(town):
    graph, at = town
    xy = np.concatenate([along((20, 0), (60, 0)), np.tile([60.0, 0.0], (300, 1))])
    for seed in range(5):
        out, _ = match(graph, fixes_of(shaken(xy, 4.0, seed, memory_s=40.0)))
        assert hops(graph, at, out.settled_edge[30:]) == ["AB"], seed


def test_nowhere_near_anything_is_off_the_network(town):
    graph, _ = town
    out, _ = match(graph, fixes_of(along((1000, 1000), (1100, 1000))))
    assert out.off_network.all()
    assert (out.edge == -1).all()
    assert np.isinf(out.distance_m).all()


def test_a_gap_starts_anew_elsewhere(town):
    graph, at = town
    xy = np.concatenate([along((20, 0), (60, 0)), along((180, -80), (120, -80))])
    ts = START + np.arange(len(xy))
    cut = len(along((20, 0), (60, 0)))
    ts[cut:] += 61.0
    out, _ = match(graph, fixes_of(xy, ts))
    assert hops(graph, at, out.edge[[cut - 1, cut + 10]]) == ["AB", "HG"]
    assert not out.off_network.any()


def test_one_jump_is_ignored_and_a_second_one_believed(town):
    graph, at = town
    xy = along((20, 0), (80, 0))
    xy[20] += (0.0, -80.0)
    out, _ = match(graph, fixes_of(xy))
    assert hops(graph, at, out.edge[12:]) == ["AB"]
    assert out.probability[20] == 0.0
    xy[20:] = along((100, -80), (180, -80))[: len(xy) - 20]
    out, _ = match(graph, fixes_of(xy))
    assert hops(graph, at, out.edge[[19, 20, -1]]) == ["AB", "GH"]
    assert out.probability[21] > 0.0


def test_only_fixes_in_order_are_matched(town):
    graph, _ = town
    fixes = fixes_of(along((20, 0), (80, 0)))
    fixes.kind[5:9] = (1, 2, 3, 1)
    out, _ = match(graph, fixes)
    assert (out.edge[5:9] == -1).all()
    assert not out.off_network[5:9].any()
    kept = np.delete(np.arange(len(fixes.slot)), slice(5, 9))
    alone, _ = match(graph, MatchFixes(*(column[kept] for column in fixes)))
    assert np.array_equal(out.edge[kept], alone.edge)
    assert np.array_equal(out.probability[kept], alone.probability)


@pytest.mark.parametrize(("every_s", "lag_s"), [(1.0, 10.0), (1.0, 3.0), (4.0, 10.0)])
def test_what_is_settled_is_as_old_as_the_lag(town, every_s, lag_s):
    graph, _ = town
    xy = along((0, -20), (200, -20), every_s=every_s)
    out, _ = match(graph, fixes_of(xy, START + np.arange(len(xy)) * every_s), lag_s=lag_s)
    steps = math.ceil(lag_s / every_s)
    assert np.isnan(out.settled_ts[:steps]).all()
    assert np.allclose(out.settled_ts[steps:], START + np.arange(len(xy) - steps) * every_s)


def test_the_lattice_can_be_read(town):
    graph, _ = town
    out, state = match(graph, fixes_of(along((20, 0), (80, 0))))
    steps = read_lattice(state, 0)
    assert len(steps) == 11
    assert [b.ts - a.ts for a, b in pairwise(steps)] == [1.0] * 10
    assert steps[-1].edge == out.edge[-1]
    assert steps[0].ts == out.settled_ts[-1]
    assert read_lattice(np.zeros(1, MATCH_STATE), 0) == []


def test_distance_to_an_edge(town):
    graph, at = town
    edge = next(e for e in range(graph.edge_count) if (graph.tail[e], graph.head[e]) == (at["A"], at["B"]))
    lat, lon = from_local(50.0, 7.0, ORIGIN_LAT, ORIGIN_LON)
    assert edge_distance_m(match_arrays(graph), edge, float(lat), float(lon)) == pytest.approx(7.0, abs=0.01)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.lists(st.integers(0, 160), max_size=12))
def test_blocks_and_other_walkers_change_nothing(seed, cuts):
    graph, _ = graph_from_ascii(TOWN)
    rng = np.random.default_rng(seed)
    walks = [
        fixes_of(
            shaken(along(*(rng.uniform(0, 1, (3, 2)) * (200, -80)), pace_mps=2.0)[:60], 4.0, seed), slot=k
        )
        for k in range(3)
    ]
    which = rng.permutation(np.concatenate([np.full(len(w.slot), k) for k, w in enumerate(walks)]))
    taken = [0, 0, 0]
    rows = []
    for k in which:
        rows.append([column[taken[k]] for column in walks[k]])
        taken[k] += 1
    mixed = MatchFixes(
        *(np.array(c, w.dtype) for c, w in zip(zip(*rows, strict=True), walks[0], strict=True))
    )
    inside = sorted({cut for cut in cuts if cut < len(which)})
    together, state = match(graph, mixed, inside, walkers=3)
    for k, walk in enumerate(walks):
        alone, own = match(graph, walk, walkers=3)
        for column, expected in zip(together, alone, strict=True):
            assert np.array_equal(column[mixed.slot == k], expected, equal_nan=True)
        assert state[k].tobytes() == own[k].tobytes()


@pytest.mark.parametrize("bad", ["state", "dtype", "length", "lag"])
def test_bad_input_is_named(town, bad):
    graph, _ = town
    fixes = fixes_of(along((20, 0), (80, 0)))
    state, out = np.zeros(1, MATCH_STATE), empty_matches(len(fixes.slot))
    if bad == "state":
        state = np.zeros(1, np.int64)
    if bad == "dtype":
        fixes = fixes._replace(accuracy_m=fixes.accuracy_m.astype(np.float64))
    if bad == "length":
        out = empty_matches(3)
    with pytest.raises(BadInput):
        match_fixes(match_arrays(graph), state, fixes, out, lag_s=61.0 if bad == "lag" else 10.0)
