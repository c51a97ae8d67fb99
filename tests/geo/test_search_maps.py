"""Shortest paths on drawn maps, where the expected way is read off the drawing."""

import numpy as np
import pytest

from geo.errors import NoRoute
from geo.loops.loops import loops
from geo.routing.costs import DYNAMIC_FACTORS, apply_conditions, static_costs
from geo.routing.metric import make_metric
from geo.routing.paths import node_place
from geo.routing.search import SearchSpace, shortest_path
from tests.geo.asciimap import graph_from_ascii


def way_between(drawn, start, end, *, closed=(), taste=None):
    """The letters along the best way."""
    graph, at = drawn
    name = {node: letter for letter, node in at.items()}
    shut = [
        edge
        for edge in range(graph.edge_count)
        if (name.get(int(graph.tail[edge])), name.get(int(graph.head[edge]))) in closed
    ]
    calm = np.zeros((len(graph.cell_h3), len(DYNAMIC_FACTORS)), np.float32)
    costs = apply_conditions(graph, 1, calm, {}, np.array(shut, np.int32), night=False)
    metric = make_metric(graph, costs, taste or {})
    path = shortest_path(
        graph, metric, node_place(graph, at[start]), node_place(graph, at[end]), SearchSpace(graph)
    )
    share = np.ones(len(path.edges))
    share[-1] = path.end_fraction
    share[0] -= path.start_fraction
    walked = path.edges[share > 0]
    nodes = [int(graph.tail[walked[0]]), *(int(graph.head[edge]) for edge in walked)]
    return "".join(name[node] for node in nodes)


BLOCK = """
    A-----B-----C
    |     |     |
    |     |     |
    |     |     |
    |     |     |
    D-----E-----F
          |
          G
"""


def test_straight_ways_win():
    drawn = graph_from_ascii(BLOCK)
    assert way_between(drawn, "D", "F") == "DEF"
    assert way_between(drawn, "A", "C") == "ABC"
    assert way_between(drawn, "G", "B") == "GEB"


def test_a_closure_is_walked_round():
    drawn = graph_from_ascii(BLOCK)
    assert way_between(drawn, "G", "F", closed={("E", "F")}) == "GEBCF"
    assert way_between(drawn, "D", "F", closed={("D", "E"), ("B", "E")}) == "DABCF"
    with pytest.raises(NoRoute):
        way_between(drawn, "D", "G", closed={("E", "G")})


def test_steps_are_taken_or_walked_round_by_taste():
    drawn = graph_from_ascii(BLOCK, tags={"DE": {"highway": "steps"}})
    # stairs take twice the time of a way as long; by A and B it is still longer
    assert way_between(drawn, "D", "E", taste={"steps": 10.0}) == "DABE"
    assert way_between(drawn, "D", "E", taste={"steps": 0.0}) == "DE"


def test_a_loop_round_the_only_ring_of_the_map():
    graph, at = graph_from_ascii(
        """
        A---------B
        |         |
        |         |
        |         |
        D---------C---------E
        """
    )
    metric, start = make_metric(graph, static_costs(graph), {}), node_place(graph, at["A"])
    ring_m = float(
        graph.length_m[[e for e in range(graph.edge_count) if at["E"] not in ends(graph, e)]].sum() / 2
    )
    (loop,) = loops(graph, metric, start, SearchSpace(graph), length_m=ring_m)
    assert loop.length_m == pytest.approx(ring_m)
    assert {int(graph.head[edge]) for edge in loop.edges} == {at[letter] for letter in "ABCD"}


def ends(graph, edge):
    return int(graph.tail[edge]), int(graph.head[edge])
