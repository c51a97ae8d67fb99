"""Paths put together from legs, cleaned of spurs, and compared with each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geo.graph import F64, I32, Graph
from geo.routing.ground_kernels import cut_spurs, twice
from geo.routing.metric import Metric
from geo.routing.search import Path, Place, first_piece_cost, measured, measured_path


def path_of(graph: Graph, metric: Metric, edges: I32, start_fraction: float, end_fraction: float) -> Path:
    """The path over these edges, which hang together; its impedance is +inf over a closed stretch.

    As in a search, a closed first edge that is left from its midst costs its duration.
    """
    until = end_fraction if len(edges) == 1 else 1.0
    cost = first_piece_cost(graph, metric, int(edges[0]), start_fraction, until)
    if len(edges) > 1:
        cost += measured(metric.impedance, edges, 1.0, end_fraction)
    return measured_path(graph, edges, start_fraction, end_fraction, cost)


def node_place(graph: Graph, node: int) -> Place:
    """A place at a node that has an edge going out."""
    return Place(int(graph.first_out[node]), 0.0)


def joined(graph: Graph, metric: Metric, legs: Sequence[Path], *, cut: bool = True) -> Path:
    """One path from legs that meet at nodes; `cut` off is the way out and back at a meeting point.

    A leg may begin and end amid an edge only where the joined path does.
    """
    legs = [leg for leg in legs if len(leg.edges) > 1 or leg.start_fraction < leg.end_fraction] or legs[:1]
    parts = []
    for i, leg in enumerate(legs):
        begin = 1 if i > 0 and leg.start_fraction == 1.0 else 0
        end = len(leg.edges) - (1 if i < len(legs) - 1 and leg.end_fraction == 0.0 else 0)
        parts.append(leg.edges[begin:end])
    edges = np.concatenate(parts)
    put_together = without_spurs if cut else path_of
    return put_together(graph, metric, edges, legs[0].start_fraction, legs[-1].end_fraction)


def without_spurs(
    graph: Graph, metric: Metric, edges: I32, start_fraction: float, end_fraction: float
) -> Path:
    """The path without any stretch that is walked and at once walked back."""
    route = edges.copy()
    begin, stop, start, end = cut_spurs(route, len(route), start_fraction, end_fraction, graph.reverse)
    return path_of(graph, metric, route[begin:stop], start, end)


def stretches(graph: Graph, edges: I32) -> I32:
    """One number for both directions of a stretch: the lower of the two edges."""
    back = graph.reverse[edges]
    return np.where(back >= 0, np.minimum(edges, back), edges).astype(np.int32)


def both_ways(graph: Graph, edges: I32) -> I32:
    """The edges and the reverses they have."""
    back = graph.reverse[edges]
    return np.unique(np.concatenate([edges, back[back >= 0]])).astype(np.int32)


def shares(path: Path) -> F64:
    """How much of each of its edges a path walks, 0..1."""
    share = np.ones(len(path.edges))
    share[-1] = path.end_fraction
    share[0] -= path.start_fraction
    return share


def walked_twice_m(graph: Graph, path: Path) -> float:
    """Metres of a path on ground that it has walked before, in whichever direction."""
    stamp = np.zeros(graph.edge_count, np.int32)
    start, end = path.start_fraction, path.end_fraction
    return float(twice(path.edges, start, end, graph.reverse, graph.length_m, stamp, 1))


def shared_m(graph: Graph, path: Path, other: Path) -> float:
    """Metres of `path` on stretches that `other` walks too."""
    common = np.isin(stretches(graph, path.edges), stretches(graph, other.edges))
    return float((shares(path) * graph.length_m[path.edges])[common].sum())
