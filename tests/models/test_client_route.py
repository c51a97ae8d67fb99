"""What a navigation client makes of route updates, from examples and for any of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from geo.geodesy import from_local, haversine_m
from geo.polyline import encode6
from models.records import RouteUpdate
from models.routes.client_route import first_metres, reconstruct, without_first_metres

METRES = st.floats(-300, 300)
LINES = st.lists(st.tuples(METRES, METRES), min_size=0, max_size=8).map(
    lambda points: from_local(*np.array(points, float).reshape(-1, 2).T, 60.0, 24.0)
)


def update(version, points=(), keep_m=0.0, trip="0-1", reason="requested"):
    """An update whose tail runs through points given in metres east and north of 60, 24."""
    lat, lon = from_local(*np.array(points, float).reshape(-1, 2).T, 60.0, 24.0)
    return RouteUpdate(
        device="anna", trip=trip, version=version, ts=1e9 + version, reason=reason, keep_m=keep_m,
        geometry=encode6(lat, lon),
    )  # fmt: skip


def metres(route):
    """The route in whole metres east and north."""
    x = (route.lon - 24.0) * 111_194.93 * np.cos(np.radians(60.0))
    y = (route.lat - 60.0) * 111_194.93
    return [(round(a), round(b)) for a, b in zip(x.tolist(), y.tolist(), strict=True)]


# A line straight in degrees is not quite evenly long: cut, its parts are off by less than 0.1 m.
def length_m(lat, lon):
    return float(haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:]).sum())


def test_the_first_metres_stay_and_the_tail_follows():
    first, second = reconstruct(
        [update(1, [(0, 0), (0, 100), (0, 200)]), update(2, [(0, 130), (50, 130)], keep_m=130)]
    )
    assert metres(first) == [(0, 0), (0, 100), (0, 200)]
    assert first.tail_first == 0
    assert metres(second) == [(0, 0), (0, 100), (0, 130), (0, 130), (50, 130)]
    assert second.tail_first == 3


def test_what_is_kept_counts_from_the_start_of_the_trip_however_often_it_changed():
    routes = reconstruct(
        [
            update(1, [(0, 0), (0, 100)]),
            update(2, [(0, 50), (100, 50)], keep_m=50),
            update(3, [(80, 50), (80, 0)], keep_m=130),
        ]
    )
    assert metres(routes[-1]) == [(0, 0), (0, 50), (0, 50), (80, 50), (80, 50), (80, 0)]


def test_arriving_leaves_what_was_walked():
    _, end = reconstruct([update(1, [(0, 0), (0, 100)]), update(2, keep_m=60, reason="arrived")])
    assert metres(end) == [(0, 0), (0, 60)]
    assert end.tail_first == 2


def test_repeated_and_older_versions_change_nothing():
    one, two, three = update(1, [(0, 0), (0, 9)]), update(2, [(5, 0), (5, 9)]), update(3, [(7, 0), (7, 9)])
    assert [r.update.version for r in reconstruct([one, one, three, two, one, three])] == [1, 3]


def test_another_trip_begins_anew_and_the_former_one_is_over():
    old, new = update(64, [(0, 0), (0, 100)]), update(1, [(9, 0), (9, 50)], trip="0-7", keep_m=20)
    late = update(128, [(0, 50), (0, 70)], keep_m=50)
    routes = reconstruct([old, new, late])
    assert [r.update.trip for r in routes] == ["0-1", "0-7"]
    assert metres(routes[1]) == [(9, 0), (9, 50)]


def test_keeping_more_than_there_is_keeps_it_whole():
    _, second = reconstruct([update(1, [(0, 0), (0, 100)]), update(2, [(0, 150), (9, 150)], keep_m=1e6)])
    assert metres(second) == [(0, 0), (0, 100), (0, 150), (9, 150)]


def test_nothing_comes_of_nothing():
    assert reconstruct([]) == []


def test_a_geometry_that_is_no_polyline_is_refused():
    broken = RouteUpdate(device="a", trip="t", version=1, ts=1e9, reason="requested", geometry="\x01")
    with pytest.raises(BadInput, match="polyline"):
        reconstruct([broken])


@settings(deadline=None)
@given(LINES, st.floats(0, 4_000))
def test_a_cut_line_is_as_long_as_asked_and_loses_nothing(line, cut_m):
    head, rest = first_metres(*line, cut_m), without_first_metres(*line, cut_m)
    whole_m = length_m(*line)
    assert length_m(*head) == pytest.approx(min(cut_m, whole_m), abs=0.1)
    assert length_m(*head) + length_m(*rest) == pytest.approx(whole_m, abs=0.1)
    if len(rest[0]):
        assert (head[0][-1], head[1][-1]) == (rest[0][0], rest[1][0])


UPDATES = st.lists(
    st.builds(
        update,
        st.integers(1, 6),
        st.lists(st.tuples(METRES, METRES), max_size=4),
        st.floats(0, 1500),
        st.sampled_from(["0-1", "0-2"]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(UPDATES, st.data())
def test_updates_sent_again_change_nothing(updates, data):
    plain = reconstruct(updates)
    again = list(updates)
    for _ in range(data.draw(st.integers(0, 4))):
        if again:
            i = data.draw(st.integers(0, len(again) - 1))
            again.insert(data.draw(st.integers(i, len(again))), again[i])
    # what a client has seen before counts once, where it came first
    assert [r.update for r in reconstruct(again)] == [r.update for r in plain]
    assert all(np.array_equal(a.lat, b.lat) for a, b in zip(reconstruct(again), plain, strict=True))


@settings(deadline=None)
@given(UPDATES)
def test_versions_rise_and_every_route_is_the_kept_part_and_the_tail(updates):
    routes = reconstruct(updates)
    for before, after in zip([None, *routes], routes, strict=False):
        assert encode6(after.lat[after.tail_first :], after.lon[after.tail_first :]) == after.update.geometry
        if before is None or before.update.trip != after.update.trip:
            assert after.tail_first == 0
            continue
        assert after.update.version > before.update.version
        kept_m = length_m(after.lat[: after.tail_first], after.lon[: after.tail_first])
        assert kept_m == pytest.approx(min(after.update.keep_m, length_m(before.lat, before.lon)), abs=0.1)
