"""Reports moved in time and place."""

import numpy as np
import pytest

from geo.errors import BadInput
from geo.geodesy import haversine_m
from models.records import TrafficReport, WeatherReport
from models.world.condition_places import edges_of, middle
from streams.feeds.move import move_to, move_to_graph, shift_to
from tests.geo.asciimap import graph_from_ascii

STREET = {"type": "LineString", "coordinates": [[5.0, 52.0], [5.002, 52.0]]}
GRAPH, AT = graph_from_ascii(
    """
    A----------B----------C
               |
               D
    """
)


def closure(source="f#1", geometry=STREET, **fields):
    return TrafficReport(source=source, ts=1000.0, kind="closure", geometry=geometry, **fields)


def test_shift_starts_the_first_validity_and_keeps_all_distances():
    reports = [closure(valid_from=500.0, valid_to=900.0), closure("f#2", valid_from=700.0)]
    moved = shift_to(reports, 10_500.0)
    assert [(r.ts, r.valid_from, r.valid_to) for r in moved] == [
        (11_000.0, 10_500.0, 10_900.0),
        (11_000.0, 10_700.0, None),
    ]
    assert shift_to([], 1.0) == []


def test_shift_before_1970_is_refused():
    with pytest.raises(BadInput, match="1970"):
        shift_to([closure(valid_from=5000.0)], 100.0)


def test_move_keeps_the_shape_in_metres_and_says_so():
    (moved,) = move_to([closure()], 60.0, 24.0)
    assert moved.source == "f#1~moved"
    assert middle(moved.geometry) == pytest.approx((60.0, 24.0), abs=1e-6)
    (x1, y1), (x2, y2) = moved.geometry["coordinates"]
    assert float(haversine_m(y1, x1, y2, x2)) == pytest.approx(
        float(haversine_m(52.0, 5.0, 52.0, 5.002)), rel=1e-3
    )


def test_move_keeps_reports_apart_and_marks_once():
    far = {"type": "Point", "coordinates": [5.0, 52.1]}
    moved = move_to(move_to([closure(), closure("f#2", far)], 60.0, 24.0), 61.0, 25.0)
    assert [r.source for r in moved] == ["f#1~moved", "f#2~moved"]
    a, b = (middle(r.geometry) for r in moved)
    assert b[0] - a[0] == pytest.approx(0.1)


def test_weather_moves_too():
    weather = WeatherReport(source="w", ts=1.0, lat=52.0, lon=5.0)
    (moved,) = move_to([weather], 60.0, 24.0)
    assert (moved.source, moved.lat, moved.lon) == ("w~moved", 60.0, 24.0)


def test_moved_line_lies_on_the_street():
    lat, lon = float(GRAPH.node_lat[AT["A"]]), float(GRAPH.node_lon[AT["A"]] + GRAPH.node_lon[AT["B"]]) / 2
    (moved,) = move_to([closure()], lat + 0.0001, lon, GRAPH)
    touched = edges_of(GRAPH, moved.geometry)
    ends = {frozenset((GRAPH.tail[e], GRAPH.head[e])) for e in touched}
    assert frozenset((AT["A"], AT["B"])) in ends
    assert frozenset((AT["B"], AT["D"])) not in ends


def test_every_event_finds_a_street_and_the_same_one_again():
    reports = [closure(f"f#{i}") for i in range(5)]
    moved = move_to_graph(reports, GRAPH)
    assert moved == move_to_graph(reports, GRAPH)
    assert all(len(edges_of(GRAPH, r.geometry)) for r in moved)
    lats = [middle(r.geometry)[0] for r in moved]
    assert np.all(np.abs(np.array(lats) - GRAPH.node_lat.mean()) < 0.01)


def test_no_street_near():
    with pytest.raises(BadInput, match="1 km"):
        move_to([closure()], 10.0, 10.0, GRAPH)
