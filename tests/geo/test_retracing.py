"""A path's line leads back to the path."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geo.graph import Graph
from geo.polyline import decode6, encode6
from geo.routing.retracing import retrace
from geo.routing.search import Path, measured_path, path_coordinates
from tests.geo.asciimap import graph_from_ascii

MAP = """
A---B---C
|   |   |
D---E---F
|   |   |
G---H---I
"""


def wander(graph: Graph, seed: int) -> Path:
    """Edges that hang together, from and to anywhere on them; turning round is possible."""
    draw = np.random.default_rng(seed)
    edges = [int(draw.integers(graph.edge_count))]
    for _ in range(int(draw.integers(0, 30))):
        node = graph.head[edges[-1]]
        edges.append(int(draw.integers(graph.first_out[node], graph.first_out[node + 1])))
    start, end = draw.random(2) if len(edges) > 1 else np.sort(draw.random(2))
    return measured_path(graph, np.array(edges, np.int32), float(start), float(end), math.nan)


@pytest.mark.parametrize("seed", range(60))
def test_a_line_leads_back_to_its_path(seed: int) -> None:
    graph, _ = graph_from_ascii(MAP)
    path = wander(graph, seed)
    line = decode6(encode6(*path_coordinates(graph, path)))
    found = retrace(graph, *line)
    assert found is not None
    again = decode6(encode6(*path_coordinates(graph, found)))
    for drawn, original in zip(again, line, strict=True):
        assert drawn[[0, -1]] == pytest.approx(original[[0, -1]], abs=3e-6)  # its last step may be too short
    assert np.array_equal(found.edges[:-1], path.edges[:-1])
    assert found.length_m == pytest.approx(path.length_m, abs=1.0)


def test_a_line_off_the_streets_has_no_path() -> None:
    graph, at = graph_from_ascii(MAP)
    lat, lon = graph.node_lat, graph.node_lon
    across = np.array([lat[at["A"]], lat[at["E"]]]), np.array([lon[at["A"]], lon[at["E"]]])
    assert retrace(graph, *across) is None
    assert retrace(graph, across[0] + 1.0, across[1]) is None
    assert retrace(graph, across[0][:1], across[1][:1]) is None


def test_an_edge_shorter_than_the_rounding_is_not_walked_to_and_fro() -> None:
    graph, at = graph_from_ascii("A------------B-C------------D", metres_per_char=0.05)
    assert graph.length_m.min() < 0.3
    edges = [
        next(e for e in range(graph.first_out[at[a]], graph.first_out[at[a] + 1]) if graph.head[e] == at[b])
        for a, b in ("DC", "CB", "BA")
    ]
    path = measured_path(graph, np.array(edges, np.int32), 0.0, 1.0, math.nan)
    found = retrace(graph, *decode6(encode6(*path_coordinates(graph, path))))
    assert found is not None
    assert found.edges.tolist()[-1] == edges[-1]
