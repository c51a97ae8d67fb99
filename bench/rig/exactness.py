"""Whether searches are exact: every cost held against Dijkstra's, every path walked again edge by edge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.rig.dijkstra import least_impedances
from bench.rig.draws import Pairs
from geo.graph import F32, Graph
from geo.routing.search import Path, Place

TOLERANCE = 1e-6  # relative

#: what a search answers for pairs of places: a path each, None where there is no way
Answer = Callable[[Pairs], list[Path | None]]


def count_mismatches(graph: Graph, impedance: F32, pairs: Pairs, answers: list[Answer]) -> int:
    """How many answers are not those of Dijkstra's algorithm.

    A mismatch is a way where there is none or none where there is one, a cost, told or added up along the
    path, that differs by more than 1e-6, and a path that does not lead from the one place to the other.
    """
    least = least_impedances(graph, impedance, pairs).tolist()
    wrong = 0
    for answer in answers:
        for path, cost, (start, end) in zip(answer(pairs), least, pairs, strict=True):
            wrong += not agrees(graph, impedance, path, cost, start, end)
    return wrong


def agrees(graph: Graph, impedance: F32, path: Path | None, least: float, start: Place, end: Place) -> bool:
    """Whether this path from `start` to `end` is one of the least impedance."""
    if path is None or least == np.inf:
        return path is None and least == np.inf
    room = TOLERANCE * least + 1e-9  # two places on one point
    return (
        leads(graph, path, start, end)
        and abs(path.impedance - least) <= room
        and abs(walked_impedance(graph, impedance, path) - least) <= room
    )


def leads(graph: Graph, path: Path, start: Place, end: Place) -> bool:
    """Whether the path hangs together and leads from the one place to the other."""
    edges = path.edges
    return (
        bool(np.all(graph.head[edges[:-1]] == graph.tail[edges[1:]]))
        and _is_at(graph, int(edges[0]), path.start_fraction, start)
        and _is_at(graph, int(edges[-1]), path.end_fraction, end)
    )


def _is_at(graph: Graph, edge: int, fraction: float, place: Place) -> bool:
    if edge == place.edge:
        return abs(fraction - place.fraction) < 1e-9
    return edge == graph.reverse[place.edge] and abs(fraction - (1.0 - place.fraction)) < 1e-9


def walked_impedance(graph: Graph, impedance: F32, path: Path) -> float:
    """The impedance of a path in double precision, from what its edges cost."""
    share = np.ones(len(path.edges))
    share[-1] = path.end_fraction
    share[0] -= path.start_fraction
    cost = impedance[path.edges].astype(np.float64)
    if cost[0] == np.inf and path.start_fraction > 0.0:
        cost[0] = graph.duration_s[path.edges[0]]
    walked = share > 0.0
    return float(np.sum(share[walked] * cost[walked]))
