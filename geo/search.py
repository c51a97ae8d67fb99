"""Shortest paths between places on the walk graph, exact, with reused memory.

On a metric with weights a path is one query of the hierarchy (`geo.hierarchy_kernels`); on another it is an
A* (Hart, Nilsson, Raphael 1968). Its lower bounds are the exact impedances under the metric's floor, or else
a straight line through the earth times the least impedance per metre (a chord is never longer than the way).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geo import search_kernels as kernels
from geo.errors import BadInput, NoRoute
from geo.geodesy import EARTH_RADIUS_M
from geo.graph import F32, F64, I32, Graph
from geo.hierarchy import EMPTY_HIERARCHY
from geo.hierarchy_kernels import ClimbWork, climb_work, one_to_all, query
from geo.metric import Metric

_LAST_STAMP = 2**31 - 2
_NO_WEIGHT: F32 = np.empty(0, np.float32)
_NO_CLIMB = climb_work(0, 0)


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

    Not for two threads at once. `settled` is the number of nodes that the last search settled,
    `settled_total` that of all searches so far;
    `scratch` is one impedance per edge for searches on penalised metrics; `core` tells the nodes that
    do not lie in a dead end.
    """

    def __init__(self, graph: Graph) -> None:
        count = graph.node_count
        self.graph = graph
        lat, lon = np.radians(graph.node_lat), np.radians(graph.node_lon)
        xyz = np.empty((count, 3))
        xyz[:, 0] = EARTH_RADIUS_M * np.cos(lat) * np.cos(lon)
        xyz[:, 1] = EARTH_RADIUS_M * np.cos(lat) * np.sin(lon)
        xyz[:, 2] = EARTH_RADIUS_M * np.sin(lat)
        self.topology = kernels.Topology(graph.first_out, graph.head, xyz)
        # 1 on a graph whose edges are never shorter than the straight line; less keeps the bound valid.
        self.straightness = float(kernels.least_straightness(graph.tail, graph.head, graph.length_m, xyz))
        self.work = kernels.Work(
            np.zeros(count, np.int32),
            np.empty(count),
            np.empty(count),
            np.empty(count, np.int32),
            np.empty(count, np.int32),
            np.empty(count),
            np.empty(count, np.int32),
            np.empty(count + 2, np.int32),
        )
        self.scratch: F32 = np.empty(graph.edge_count, np.float32)
        self.core: NDArray[np.bool_] = np.empty(count, np.bool_)
        kernels.mark_core(graph.first_out, graph.head, graph.reverse, self.core)
        self.settled = 0
        self.settled_total = 0
        self._stamp = 0

    @cached_property
    def climb(self) -> ClimbWork:
        return climb_work(self.graph.node_count, self.graph.edge_count)

    def next_stamp(self) -> int:
        if self._stamp >= _LAST_STAMP:
            self.work.stamp[:] = 0
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
    departures = _departures(graph, metric, start)
    arrivals = _arrivals(graph, metric, end)
    penalties = (0.0, turn_penalty)
    best, direct = math.inf, None
    for i, (edge, at, _) in enumerate(departures):
        for end_edge, until, _ in arrivals:
            if edge == end_edge and until >= at:
                along = first_piece_cost(graph, metric, edge, at, until)
                if along + penalties[i] < best:
                    best = along + penalties[i]
                    direct = _path(graph, np.array([edge], np.int32), at, until, along)
    starts = _ends([(graph.head[edge], cost + penalties[i]) for i, (edge, _, cost) in enumerate(departures)])
    ends = _ends([(graph.tail[edge], cost) for edge, _, cost in arrivals])
    if metric.weights is not None:
        weight, via = metric.weights
        _, count, departure, arrival = query(
            graph.hierarchy, weight, via, space.climb, starts, ends, best
        )
        between, space.settled = space.climb.edges, 0
    else:
        _, arrival, space.settled = kernels.grow(
            space.topology,
            space.work,
            metric.impedance,
            metric.min_per_m * space.straightness,
            _guide(graph, metric.floor, end, space),
            starts,
            ends,
            best,
            space.next_stamp(),
        )
        space.settled_total += space.settled
        if arrival >= 0:
            count, departure = kernels.unwind(space.work, graph.tail, graph.tail[arrivals[arrival][0]])
        between = space.work.order
    if arrival >= 0:
        first, last = departures[departure], arrivals[arrival]
        edges = np.empty(count + 2, np.int32)
        edges[0], edges[-1] = first[0], last[0]
        edges[1:-1] = between[:count]
        cost = first[2] + last[2] + float(kernels.sum_along(metric.impedance, edges, 1.0, 0.0))
        return _path(graph, edges, first[1], last[1], cost)
    if direct is not None:
        return direct
    raise NoRoute(
        f"there is no way on foot from edge {start.edge} to edge {end.edge}: "
        "they are not connected, or every way between them is closed; choose another end"
    )


def distances_within(
    graph: Graph, metric: Metric, start: Place, budget: float, space: SearchSpace
) -> tuple[I32, F64]:
    """All nodes within `budget` of impedance: (nodes, impedances), nearest first, new arrays.

    Raises BadInput for a place outside the graph.
    """
    departures = _departures(graph, metric, start)
    _, _, space.settled = kernels.grow(
        space.topology,
        space.work,
        metric.impedance,
        0.0,
        _guide(graph, None, start, space),
        _ends([(graph.head[edge], cost) for edge, _, cost in departures]),
        _ends([]),
        np.nextafter(budget, math.inf),
        space.next_stamp(),
    )
    space.settled_total += space.settled
    nodes = space.work.order[: space.settled].copy()
    return nodes, space.work.dist[nodes]


def impedances_from(
    graph: Graph, metric: Metric, place: Place, space: SearchSpace, *, backward: bool = False
) -> F64:
    """(N,) impedance from a place to every node, or to the place if `backward`; +inf where there is no way.

    The metric must have weights. Raises BadInput for a place outside the graph.
    """
    assert metric.weights is not None, "one to all goes over the hierarchy: `customized` first"
    if backward:
        ends = [(graph.tail[edge], cost) for edge, _, cost in _arrivals(graph, metric, place)]
    else:
        ends = [(graph.head[edge], cost) for edge, _, cost in _departures(graph, metric, place)]
    out = np.empty(graph.node_count)
    one_to_all(graph.hierarchy, metric.weights.weight, _ends(ends), backward, space.climb, out)
    return out


def first_piece_cost(graph: Graph, metric: Metric, edge: int, at: float, until: float) -> float:
    """The impedance of the first piece of a path. Who stands amid a closed edge can leave it (for what it
    takes in time), who stands before it cannot enter it."""
    if until <= at:
        return 0.0
    value = float(metric.impedance[edge])
    if value == math.inf and at > 0.0:
        value = float(graph.duration_s[edge])
    return (until - at) * value


def measured(values: F32, path_edges: I32, start_fraction: float, end_fraction: float) -> float:
    """The sum of `values` (M,) along a path with its trimmed ends."""
    return float(kernels.sum_along(values, path_edges, start_fraction, end_fraction))


def path_coordinates(graph: Graph, path: Path) -> tuple[F64, F64]:
    """(lat, lon) of the path's line in degrees, ends trimmed, no point twice in a row.

    A path of 0 m is one point.
    """
    lats: list[F64] = []
    lons: list[F64] = []
    last = len(path.edges) - 1
    for i, edge in enumerate(path.edges):
        begin, end = graph.shape_first[edge], graph.shape_first[edge + 1]
        lat, lon = graph.shape_lat[begin:end], graph.shape_lon[begin:end]
        if i == 0 or i == last:
            lat, lon = _trimmed(
                lat, lon, path.start_fraction if i == 0 else 0.0, path.end_fraction if i == last else 1.0
            )
        lats.append(lat)
        lons.append(lon)
    lat, lon = np.concatenate(lats), np.concatenate(lons)
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


def _departures(graph: Graph, metric: Metric, place: Place) -> list[tuple[int, float, float]]:
    """(edge, fraction on it, cost up to its head) for each direction."""
    edge, at = checked_place(graph, place).edge, place.fraction
    found = [(edge, at, first_piece_cost(graph, metric, edge, at, 1.0))]
    back = int(graph.reverse[edge])
    if back >= 0:
        found.append((back, 1.0 - at, first_piece_cost(graph, metric, back, 1.0 - at, 1.0)))
    return found


def _arrivals(graph: Graph, metric: Metric, place: Place) -> list[tuple[int, float, float]]:
    """(edge, fraction on it, cost from its tail) for each direction."""
    edge, until = checked_place(graph, place).edge, place.fraction
    found = [(edge, until, _share(metric, edge, until))]
    back = int(graph.reverse[edge])
    if back >= 0:
        found.append((back, 1.0 - until, _share(metric, back, 1.0 - until)))
    return found


def _share(metric: Metric, edge: int, fraction: float) -> float:
    return fraction * float(metric.impedance[edge]) if fraction > 0.0 else 0.0  # not 0 × inf


def _guide(graph: Graph, floor: Metric | None, end: Place, space: SearchSpace) -> kernels.Guide:
    if floor is None or floor.weights is None:
        return kernels.Guide(False, EMPTY_HIERARCHY, _NO_WEIGHT, _NO_CLIMB, _ends([]))
    arrivals = [(graph.tail[edge], cost) for edge, _, cost in _arrivals(graph, floor, end)]
    return kernels.Guide(True, graph.hierarchy, floor.weights.weight, space.climb, _ends(arrivals))


def _ends(ends: list[tuple[int, float]]) -> tuple[tuple[int, float], tuple[int, float]]:
    padded = [(int(node), float(cost)) for node, cost in ends] + [(0, math.inf)] * 2
    return padded[0], padded[1]


def _path(graph: Graph, edges: I32, start: float, end: float, cost: float) -> Path:
    return Path(
        edges,
        start,
        end,
        measured(graph.length_m, edges, start, end),
        measured(graph.duration_s, edges, start, end),
        cost,
    )
