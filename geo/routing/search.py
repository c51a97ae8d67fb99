"""Shortest paths between places on the walk graph, exact, with reused memory.

On a metric with weights a path is one query of the hierarchy (`hierarchy_kernels`). On one with a floor it is
an A* (Hart, Nilsson, Raphael 1968) whose lower bounds are the exact impedances under the floor. On any
other it is Dijkstra's algorithm from both ends in turn (Pohl 1971).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geo.errors import BadInput, NoRoute
from geo.graph import F32, F64, I32, Graph
from geo.routing import search_kernels as kernels
from geo.routing.cost_kernels import Routes
from geo.routing.hierarchy_kernels import ClimbWork, climb_work, one_to_all
from geo.routing.metric import Metric
from geo.routing.path_kernels import (
    Climbed,
    Places,
    Streets,
    along_one_edge,
    arrivals,
    climb_path,
    climb_paths,
    departures,
    first_piece,
    heads,
    sum_along,
    tails,
)

_LAST_STAMP = 2**31 - 2


@dataclass(frozen=True)
class Place:
    """A position on a directed edge, `fraction` 0..1 of its length from its tail."""

    edge: int
    fraction: float


@dataclass(frozen=True)
class Path:
    """Edges in walking order: the first from `start_fraction`, the last up to `end_fraction`.

    A place on an edge may be left or reached in the other direction through the edge's reverse. The
    first or the last piece may be 0 m long, where a place lies on a junction.
    """

    edges: I32
    start_fraction: float
    end_fraction: float
    length_m: float
    duration_s: float
    impedance: float


class SearchSpace:
    """Memory for one search at a time on one graph, reused so that a query allocates nothing large.

    Not for two threads at once. `settled` is the number of nodes that the last search settled or climbed to,
    `settled_total` that of all searches so far; `scratch` is one impedance per edge for searches on penalised
    metrics.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.scratch: F32 = np.empty(graph.edge_count, np.float32)
        self.settled = 0
        self.settled_total = 0
        self._stamp = 0

    @cached_property
    def core(self) -> NDArray[np.bool_]:
        """(N,) which nodes do not lie in a dead end."""
        core = np.empty(self.graph.node_count, np.bool_)
        kernels.mark_core(self.graph.first_out, self.graph.head, self.graph.reverse, core)
        return core

    @cached_property
    def topology(self) -> kernels.Topology:
        graph = self.graph
        first_in = np.zeros(graph.node_count + 1, np.int32)
        np.cumsum(np.bincount(graph.head, minlength=graph.node_count), out=first_in[1:])
        edge_in = np.argsort(graph.head, kind="stable").astype(np.int32)
        return kernels.Topology(graph.first_out, graph.tail, graph.head, first_in, edge_in)

    @cached_property
    def ahead(self) -> kernels.Work:
        return kernels.search_work(self.graph.node_count)

    @cached_property
    def behind(self) -> kernels.Work:
        return kernels.search_work(self.graph.node_count)

    @cached_property
    def climb(self) -> ClimbWork:
        return climb_work(self.graph.node_count, self.graph.edge_count)

    def next_stamp(self) -> int:
        if self._stamp >= _LAST_STAMP:
            for stamps in (self.ahead.stamp, self.behind.stamp, self.climb.bound_stamp):
                stamps[:] = 0
            self._stamp = 0
        self._stamp += 1
        return self._stamp


def shortest_path(
    graph: Graph,
    metric: Metric,
    start: Place,
    end: Place,
    space: SearchSpace,
    *,
    turn_penalty: float = 0.0,
) -> Path:
    """The path of least impedance.

    Both places may lie amid an edge and be left or reached in either of its directions. A start amid a
    closed edge may leave it (at the cost of its duration); an end amid a closed edge is reached only
    from that same edge. `turn_penalty` (impedance) is held against leaving over the reverse of the
    start's edge and is not part of the result's impedance. Raises NoRoute, and BadInput for a place
    outside the graph.
    """
    checked_place(graph, start)
    checked_place(graph, end)
    if metric.weights is not None:
        found = _climb(graph, metric, start, end, space, turn_penalty)
    else:
        found = _expand(graph, metric, start, end, space, turn_penalty)
    space.settled_total += space.settled
    if found is not None:
        return found
    raise NoRoute(
        f"there is no way on foot from edge {start.edge} to edge {end.edge}: "
        "they are not connected, or every way between them is closed; choose another end"
    )


def shortest_paths(
    graph: Graph, metric: Metric, starts: Places, ends: Places, space: SearchSpace
) -> tuple[Routes, F64]:
    """The paths of least impedance from R starts to as many ends, and their impedances (R,).

    As R calls of `shortest_path` on a metric with weights, but none of them costs any Python; a route without
    edges and +inf say that there is no way. Raises BadInput for places outside the graph.
    """
    assert metric.weights is not None, "many paths go over the hierarchy: `customized` first"
    for edge, fraction in (starts, ends):
        off = np.flatnonzero(
            ~((edge >= 0) & (edge < graph.edge_count) & (fraction >= 0.0) & (fraction <= 1.0))
        )
        if len(off):
            checked_place(graph, Place(int(edge[off[0]]), float(fraction[off[0]])))
    count = len(starts.edge)
    if len(ends.edge) != count:
        raise BadInput(f"there are {count} starts, but {len(ends.edge)} ends")
    impedance = np.empty(count)
    routes = Routes(np.empty(count + 1, np.int64), np.empty(0, np.int32), np.empty(count), np.empty(count))
    edges = climb_paths(
        _streets(graph, metric), _climbed(graph, metric, space), starts, ends, routes, impedance
    )
    return routes._replace(edges=edges), impedance


def impedances_from(
    graph: Graph, metric: Metric, place: Place, space: SearchSpace, *, backward: bool = False
) -> F64:
    """(N,) impedance from a place to every node, or to the place if `backward`; +inf where there is no way.

    The metric must have weights. Raises BadInput for a place outside the graph.
    """
    assert metric.weights is not None, "one to all goes over the hierarchy: `customized` first"
    checked_place(graph, place)
    streets = _streets(graph, metric)
    if backward:
        ends = tails(streets, arrivals(streets, place.edge, place.fraction))
    else:
        ends = heads(streets, departures(streets, place.edge, place.fraction), 0.0)
    out = np.empty(graph.node_count)
    one_to_all(graph.hierarchy, metric.weights.weight, ends, backward, space.climb, out)
    return out


def first_piece_cost(graph: Graph, metric: Metric, edge: int, at: float, until: float) -> float:
    """The impedance of the first piece of a path, see `path_kernels.first_piece`."""
    return float(first_piece(metric.impedance, graph.duration_s, edge, at, until))


def measured(values: F32, path_edges: I32, start_fraction: float, end_fraction: float) -> float:
    """The sum of `values` (M,) along a path with its trimmed ends."""
    return float(sum_along(values, path_edges, start_fraction, end_fraction))


def path_coordinates(graph: Graph, path: Path) -> tuple[F64, F64]:
    """(lat, lon) of the path's line in degrees, ends trimmed, no point twice in a row.

    A path of 0 m is one point.
    """
    shape_first = np.asarray(graph.shape_first)  # indexing a memory map costs more than what it gives
    first = shape_first[path.edges].astype(np.int64)
    count = shape_first[path.edges + 1] - first
    at = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
    lat, lon = np.asarray(graph.shape_lat)[at], np.asarray(graph.shape_lon)[at]
    if len(count) == 1:
        lat, lon = _trimmed(lat, lon, path.start_fraction, path.end_fraction)
    else:
        begin, end = int(count[0]), len(at) - int(count[-1])
        head = _trimmed(lat[:begin], lon[:begin], path.start_fraction, 1.0)
        tail = _trimmed(lat[end:], lon[end:], 0.0, path.end_fraction)
        lat = np.concatenate([head[0], lat[begin:end], tail[0]])
        lon = np.concatenate([head[1], lon[begin:end], tail[1]])
    fresh = np.ones(len(lat), np.bool_)
    fresh[1:] = (lat[1:] != lat[:-1]) | (lon[1:] != lon[:-1])
    return lat[fresh], lon[fresh]


def _trimmed(lat: F64, lon: F64, start: float, end: float) -> tuple[F64, F64]:
    east = np.diff(lon) * math.cos(math.radians(float(lat[0])))
    along = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(lat), east))))
    share = along / along[-1] if along[-1] > 0.0 else np.linspace(0.0, 1.0, len(along))
    inner = (share > start) & (share < end)
    at = np.concatenate(([start], share[inner], [end]))
    new_lat, new_lon = np.interp(at, share, lat), np.interp(at, share, lon)
    new_lat[1:-1], new_lon[1:-1] = lat[inner], lon[inner]
    return new_lat, new_lon


def checked_place(graph: Graph, place: Place) -> Place:
    """The place itself; raises BadInput if it does not lie on the graph."""
    if not (0 <= place.edge < graph.edge_count and 0.0 <= place.fraction <= 1.0):
        raise BadInput(
            f"{place} is not on this graph: the edge must be below {graph.edge_count}, the fraction 0..1"
        )
    return place


def _climb(
    graph: Graph, metric: Metric, start: Place, end: Place, space: SearchSpace, turn_penalty: float
) -> Path | None:
    """The path over the hierarchy."""
    count, begin, stop, cost, space.settled = climb_path(
        _streets(graph, metric),
        _climbed(graph, metric, space),
        start.edge,
        start.fraction,
        end.edge,
        end.fraction,
        turn_penalty,
    )
    return measured_path(graph, space.climb.edges[:count].copy(), begin, stop, cost) if count else None


def _expand(
    graph: Graph, metric: Metric, start: Place, end: Place, space: SearchSpace, turn_penalty: float
) -> Path | None:
    """The path by A* on the metric's floor, or from both ends."""
    streets = _streets(graph, metric)
    leave = departures(streets, start.edge, start.fraction)
    reach = arrivals(streets, end.edge, end.fraction)
    best, which, upto = along_one_edge(streets, leave, reach, turn_penalty)
    starts, ends = heads(streets, leave, turn_penalty), tails(streets, reach)
    topology, stamp = space.topology, space.next_stamp()
    rest: I32 = np.empty(0, np.int32)
    if metric.floor is not None:
        guide = _guide(graph, metric.floor, end, space)
        last, space.settled = kernels.expand(
            topology, space.ahead, metric.impedance, guide, starts, ends, best, stamp
        )
        middle = graph.tail[reach[last][0]] if last >= 0 else -1
    else:
        middle, space.settled = kernels.expand_both(
            topology, space.ahead, space.behind, metric.impedance, starts, ends, best, stamp
        )
        if middle >= 0:
            rest, last = kernels.way_to(space.behind, graph.head, middle)
    if middle >= 0:
        between, first = kernels.way_to(space.ahead, graph.tail, middle)
        (first_edge, begin, cost), (last_edge, stop, cost_end) = leave[first], reach[last]
        edges = np.concatenate([[first_edge], between[::-1], rest, [last_edge]]).astype(np.int32)
        cost += cost_end + sum_along(metric.impedance, edges, 1.0, 0.0)
        return measured_path(graph, edges, begin, stop, cost)
    if best < math.inf:
        edge, begin, _ = leave[which]
        return measured_path(graph, np.array([edge], np.int32), begin, upto, best - which * turn_penalty)
    return None


def _streets(graph: Graph, metric: Metric) -> Streets:
    return Streets(graph.tail, graph.head, graph.reverse, graph.length_m, graph.duration_s, metric.impedance)


def _climbed(graph: Graph, metric: Metric, space: SearchSpace) -> Climbed:
    assert metric.weights is not None
    return Climbed(graph.hierarchy, metric.weights.weight, metric.weights.via, space.climb)


def _guide(graph: Graph, floor: Metric, end: Place, space: SearchSpace) -> kernels.Guide:
    assert floor.weights is not None
    streets = _streets(graph, floor)
    ends = tails(streets, arrivals(streets, end.edge, end.fraction))
    return kernels.Guide(graph.hierarchy, floor.weights.weight, space.climb, ends)


def measured_path(graph: Graph, edges: I32, start: float, end: float, impedance: float) -> Path:
    """The path over these edges, from fraction `start` of the first up to `end` of the last."""
    return Path(
        edges,
        start,
        end,
        measured(graph.length_m, edges, start, end),
        measured(graph.duration_s, edges, start, end),
        impedance,
    )
