"""Alternative ways between two places: different enough, hardly longer, and sensible in every part.

Admissible as in Abraham, Delling, Goldberg, Werneck, "Alternative routes in road networks" (ACM JEA 18,
2013): limited sharing with what is already offered, bounded stretch, local optimality by their T-test.
Candidates come from the penalty method: what is offered becomes dearer, and the search goes round it.
The middle of its longest new part is taken as a via node, since a path made of two shortest ones can only
be wrong around the node where they meet.
"""

from __future__ import annotations

import numpy as np

from geo.errors import NoRoute
from geo.graph import F64, I32, Graph
from geo.routing.metric import Metric, customized, dearer
from geo.routing.paths import both_ways, joined, node_place, shares, stretches
from geo.routing.search import Path, Place, SearchSpace, first_piece_cost, shortest_path

PENALTY = 1.4  # by which an offered stretch becomes dearer, each time it is offered or tried
ROUNDS_PER_PATH = 4
# α: parts up to this share of the best path's impedance must be shortest themselves; the second share is for
# where there are too few others
LOCAL_SHARES = (0.25, 0.1)


def alternatives(
    graph: Graph,
    metric: Metric,
    start: Place,
    end: Place,
    space: SearchSpace,
    *,
    count: int = 3,
    max_overlap: float = 0.7,
    max_stretch: float = 0.3,
) -> list[Path]:
    """The best path, and up to count - 1 admissible alternatives to it in the order they were found.

    max_overlap: the share of the best path's impedance that an alternative may have in common with any
        path before it (γ); max_stretch: how much more impedance than the best one it may have (ε), as a
        whole and in each part that leaves the best path.
    Raises NoRoute, and BadInput for a place outside the graph.
    """
    metric = customized(graph, metric)
    best = shortest_path(graph, metric, start, end, space)
    offered = [best]
    np.copyto(space.scratch, metric.impedance)
    penalized = dearer(metric, space.scratch)
    tried = best
    passed_over: list[tuple[Path, int]] = []
    for _ in range(ROUNDS_PER_PATH * (count - 1)):
        if len(offered) == count or len(best.edges) < 3:
            return offered
        space.scratch[both_ways(graph, tried.edges)] *= np.float32(PENALTY)
        tried = shortest_path(graph, penalized, start, end, space)
        node = _middle_of_new_part(graph, metric, tried, offered)
        if node < 0:
            continue
        found = _by_way_of(graph, metric, start, node, end, space)
        if found is None:
            continue
        if _is_admissible(
            graph, metric, found, node, offered, space, max_overlap, max_stretch, LOCAL_SHARES[0]
        ):
            offered.append(found)
        else:
            passed_over.append((found, node))
    for local_share in LOCAL_SHARES[1:]:
        for found, node in passed_over:
            if len(offered) < count and _is_admissible(
                graph, metric, found, node, offered, space, max_overlap, max_stretch, local_share
            ):
                offered.append(found)
    return offered


def _by_way_of(
    graph: Graph, metric: Metric, start: Place, node: int, end: Place, space: SearchSpace
) -> Path | None:
    via = node_place(graph, node)
    try:
        legs = [
            shortest_path(graph, metric, start, via, space),
            shortest_path(graph, metric, via, end, space),
        ]
    except NoRoute:
        return None
    return joined(graph, metric, legs)


def _costs(graph: Graph, metric: Metric, path: Path) -> F64:
    """Impedance of each piece of the path."""
    share = shares(path)
    cost = np.where(share > 0.0, metric.impedance[path.edges].astype(np.float64), 0.0) * share
    until = path.end_fraction if len(path.edges) == 1 else 1.0
    cost[0] = first_piece_cost(graph, metric, int(path.edges[0]), path.start_fraction, until)
    return cost


def _is_new(graph: Graph, path: Path, offered: list[Path]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    known = np.concatenate([other.edges for other in offered])
    return ~np.isin(stretches(graph, path.edges), stretches(graph, known))


def _runs(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """(begin, end) of every run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.view(np.int8), [0]))))
    return [(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _middle_of_new_part(graph: Graph, metric: Metric, path: Path, offered: list[Path]) -> int:
    """The node in the middle of the dearest part that nothing offered walks, -1 without one."""
    cost = _costs(graph, metric, path)
    runs = _runs(_is_new(graph, path, offered))
    if not runs:
        return -1
    begin, end = max(runs, key=lambda run: float(cost[run[0] : run[1]].sum()))
    halfway = np.cumsum(cost[begin:end])
    middle = begin + int(np.searchsorted(halfway, halfway[-1] / 2))
    if middle == 0:
        return int(graph.head[path.edges[0]])
    return int(graph.tail[path.edges[middle]])


def _is_admissible(
    graph: Graph,
    metric: Metric,
    path: Path,
    node: int,
    offered: list[Path],
    space: SearchSpace,
    max_overlap: float,
    max_stretch: float,
    local_share: float,
) -> bool:
    best = offered[0]
    if not path.impedance <= (1.0 + max_stretch) * best.impedance:
        return False
    cost = _costs(graph, metric, path)
    for other in offered:
        if float(cost[~_is_new(graph, path, [other])].sum()) > max_overlap * best.impedance:
            return False
    if not _detours_are_short(graph, metric, path, best, max_stretch):
        return False
    return _is_locally_optimal(graph, metric, path, cost, node, local_share * best.impedance, space)


def _detours_are_short(graph: Graph, metric: Metric, path: Path, best: Path, max_stretch: float) -> bool:
    """No part that leaves the best path and comes back to it is stretched by more than allowed.

    A part of a shortest path is shortest itself, so that no search is needed for the comparison.
    """
    position = {int(graph.tail[edge]): i for i, edge in enumerate(best.edges)}
    along = np.concatenate(([0.0], np.cumsum(_costs(graph, metric, best))))
    own = np.concatenate(([0.0], np.cumsum(_costs(graph, metric, path))))
    for begin, end in _runs(_is_new(graph, path, [best])):
        leaves = position.get(int(graph.tail[path.edges[begin]]))
        returns = position.get(int(graph.head[path.edges[end - 1]]))
        if leaves is None or returns is None or begin == 0 or end == len(path.edges):
            continue  # from the start or to the end: the whole path's stretch bounds it
        if own[end] - own[begin] > (1.0 + max_stretch) * max(along[returns] - along[leaves], 0.0):
            return False
    return True


def _is_locally_optimal(
    graph: Graph, metric: Metric, path: Path, cost: F64, node: int, reach: float, space: SearchSpace
) -> bool:
    """T-test: the part of the path within `reach` of the via node is a shortest path."""
    tails: I32 = graph.tail[path.edges]
    at = np.flatnonzero(tails[1:] == node)
    if not len(at):
        return False  # a spur to the node was cut off: it leads nowhere
    middle = int(at[0]) + 1
    total = np.concatenate(([0.0], np.cumsum(cost)))
    begin = int(np.searchsorted(total, total[middle] - reach, side="right")) - 1
    end = int(np.searchsorted(total, total[middle] + reach, side="left"))
    begin, end = max(begin, 0), min(end, len(cost))
    first = Place(int(path.edges[begin]), path.start_fraction if begin == 0 else 0.0)
    last = Place(int(path.edges[end - 1]), path.end_fraction if end == len(cost) else 1.0)
    shortest = shortest_path(graph, metric, first, last, space).impedance
    return bool(total[end] - total[begin] <= shortest * (1.0 + 1e-6) + 1e-6)
