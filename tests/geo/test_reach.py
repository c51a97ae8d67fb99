"""What can be reached in a time, against Dijkstra and walked piece by piece."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.routing.costs import STATIC_FACTORS, static_costs
from geo.routing.reach import reach, time_metric
from geo.routing.search import Place, SearchSpace
from tests.geo.naive_search import graph_of, naive_distances, random_costs, random_graph, random_place

LINE = graph_of(
    [55.0] * 4, [12.0, 12.001, 12.002, 12.003], [(0, 1), (1, 2), (2, 3)],
    lengths=[135.0] * 3, static=np.zeros((3, len(STATIC_FACTORS))),
)  # fmt: skip


def edge_between(a, b):
    return next(e for e in range(LINE.edge_count) if (LINE.tail[e], LINE.head[e]) == (a, b))


def test_a_line_is_reached_as_far_as_the_time_lasts():
    metric = time_metric(LINE, static_costs(LINE))
    found = reach(LINE, metric, Place(edge_between(0, 1), 0.5), 75.0, SearchSpace(LINE))
    pieces = {int(e): (b, round(float(t), 3)) for e, b, t in zip(*found, strict=True)}
    assert pieces == {
        edge_between(0, 1): (0.5, 1.0),
        edge_between(1, 0): (0.5, 1.0),
        edge_between(1, 2): (0.0, 0.25),
    }


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 100_000), st.floats(1.0, 600.0))
def test_reach_equals_what_dijkstra_leaves_of_the_time(seed, within_s):
    graph = random_graph(seed)
    costs = random_costs(graph, seed, closed_share=0.1)
    metric = time_metric(graph, costs)
    place = random_place(graph, np.random.default_rng(seed))
    found = reach(graph, metric, place, within_s, SearchSpace(graph))
    shut = found.edges[costs.closed[found.edges]]
    assert set(shut.tolist()) <= {place.edge, int(graph.reverse[place.edge])}  # can be left
    times = naive_distances(graph, metric, place)
    own = {place.edge, int(graph.reverse[place.edge])}
    pieces = {int(e): (b, t) for e, b, t in zip(*found, strict=True)}
    for edge in range(graph.edge_count):
        left_s = within_s - times.get(int(graph.tail[edge]), np.inf)
        share = min(1.0, left_s / max(1e-9, float(metric.impedance[edge]))) if left_s > 0 else 0.0
        if edge in own:
            begin, end = pieces.get(edge, (0.0, 0.0))
            assert end - begin >= share - 1e-5
        else:
            assert pieces.get(edge, (0.0, 0.0))[1] == pytest.approx(share, abs=1e-5)


def test_nothing_can_be_reached_in_no_time():
    metric = time_metric(LINE, static_costs(LINE))
    assert len(reach(LINE, metric, Place(0, 0.5), 0.0, SearchSpace(LINE)).edges) == 0
