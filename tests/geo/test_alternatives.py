"""Alternatives: admissible in the sense of Abraham et al., checked by plain means."""

from dataclasses import replace

import numpy as np
import pytest

from geo.routing.alternatives import LOCAL_SHARES, alternatives
from geo.routing.costs import static_costs
from geo.routing.metric import make_metric
from geo.routing.paths import stretches
from geo.routing.search import Place, SearchSpace, shortest_path
from tests.geo.asciimap import graph_from_ascii
from tests.geo.naive_city import lattice_city
from tests.geo.naive_search import assert_walkable, naive_cost, piece_fractions

CITY = lattice_city(1, side=20)
METRIC = make_metric(CITY, static_costs(CITY), {})


def shared_cost(graph, metric, path, other):
    known = set(stretches(graph, other.edges).tolist())
    return sum(
        share * float(metric.impedance[edge])
        for edge, share in piece_fractions(path)
        if int(stretches(graph, np.array([edge]))[0]) in known
    )


def test_alternatives_are_admissible():
    space, rng, numbers = SearchSpace(CITY), np.random.default_rng(4), []
    for _ in range(40):
        start, end = (Place(int(rng.integers(CITY.edge_count)), float(rng.random())) for _ in range(2))
        found = alternatives(CITY, METRIC, start, end, space, count=3, max_overlap=0.7, max_stretch=0.3)
        best = found[0]
        assert best.impedance == pytest.approx(naive_cost(CITY, METRIC, start, end))
        numbers.append(len(found))
        for i, path in enumerate(found):
            assert_walkable(CITY, path, start, end)
            assert path.impedance <= 1.3 * best.impedance + 1e-6
            for other in found[:i]:
                assert shared_cost(CITY, METRIC, path, other) <= 0.7 * best.impedance + 1e-3
    assert np.mean(numbers) > 2.5


def test_every_short_part_of_an_alternative_is_a_shortest_path():
    """Local optimality checked in full, where the code tests only around the via node."""
    space, rng = SearchSpace(CITY), np.random.default_rng(5)
    for _ in range(8):
        start, end = (Place(int(rng.integers(CITY.edge_count)), 0.5) for _ in range(2))
        found = alternatives(CITY, METRIC, start, end, space)
        reach = LOCAL_SHARES[-1] * found[0].impedance
        for path in found[1:]:
            cost = METRIC.impedance[path.edges].astype(float)
            for begin in range(1, len(path.edges) - 1):
                last = begin
                while last + 1 < len(path.edges) - 1 and cost[begin : last + 2].sum() <= reach:
                    last += 1
                part = Place(int(path.edges[begin]), 0.0), Place(int(path.edges[last]), 1.0)
                shortest = shortest_path(CITY, METRIC, *part, space).impedance
                assert cost[begin : last + 1].sum() <= shortest * (1 + 1e-5)


def test_drawn_map_has_two_ways_round():
    graph, at = graph_from_ascii(
        """
           B-------C
           |       |
        A--D       E--F
           |       |
           G-------H
        """
    )
    metric = make_metric(graph, static_costs(graph), {})
    start = Place(next(e for e in range(graph.edge_count) if graph.tail[e] == at["A"]), 0.0)
    end = Place(next(e for e in range(graph.edge_count) if graph.tail[e] == at["F"]), 0.0)
    found = alternatives(graph, metric, start, end, SearchSpace(graph), count=5)
    visited = [{int(graph.head[edge]) for edge in path.edges} for path in found]
    assert len(found) == 2
    assert sorted(at["B"] in nodes for nodes in visited) == [False, True]
    assert sorted(at["G"] in nodes for nodes in visited) == [False, True]


def test_one_way_only_gives_one_path():
    graph, at = graph_from_ascii("A--B--C--D")
    metric = make_metric(graph, static_costs(graph), {})
    path = alternatives(graph, metric, Place(0, 0.0), Place(graph.edge_count - 1, 0.0), SearchSpace(graph))
    assert len(path) == 1
    assert at


def test_closed_stretches_are_in_no_alternative():
    rng = np.random.default_rng(6)
    closed = rng.random(CITY.edge_count) < 0.1
    back = CITY.reverse[closed]
    closed[back[back >= 0]] = True
    metric = make_metric(CITY, replace(static_costs(CITY), closed=closed), {})
    open_edges, space = np.flatnonzero(~closed), SearchSpace(CITY)
    for _ in range(20):
        start, end = (Place(int(rng.choice(open_edges)), 0.5) for _ in range(2))
        for path in alternatives(CITY, metric, start, end, space):
            assert not closed[path.edges].any()
