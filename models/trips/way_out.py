"""The way out of a place that was closed while somebody was in it: a park at night, a street at a march."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from geo.errors import NoRoute
from geo.graph import I32, Graph
from geo.network import Network
from geo.routing.costs import Costs
from geo.routing.paths import joined
from geo.routing.search import Path, Place, SearchSpace, measured_path
from models.routes.planning import Planned, Wish, plan, planned
from models.routes.taste_metrics import metric_of

PRICE = 10.0  # a second on a closed stretch counts as so many: they leave by the nearest way
EXITS = 8  # that are tried
LONGEST_S = 1800.0 * PRICE  # felt: nobody is farther inside


@dataclass(frozen=True)
class Exit:
    """A node with an open way on, and the path to it."""

    node: int
    path: Path  # its impedance is the price


def plan_way_out(
    network: Network,
    wish: Wish,
    start: Place,
    *,
    walked_m: float,
    walked_s: float,
    space: SearchSpace,
) -> Planned:
    """The nearest way out of what is closed, and the best path from there that fulfils the wish.

    Raises NoRoute where nothing round `start` is closed, or no exit leads on.
    """
    graph = network.graph
    metric = metric_of(network, wish.taste)
    for one in ways_out(graph, network.costs, start):
        onward = np.arange(graph.first_out[one.node], graph.first_out[one.node + 1])
        begin = Place(int(onward[~network.costs.closed[onward]][0]), 0.0)
        m, s = walked_m + one.path.length_m, walked_s + one.path.duration_s
        try:
            rest = plan(network, wish, begin, walked_m=m, walked_s=s, space=space)
        except NoRoute:
            continue
        path = joined(graph, metric, [one.path, rest.path], cut=False)
        felt = planned(network, wish, [path])[0]
        return replace(felt, impedance=one.path.impedance + rest.impedance)
    raise NoRoute("there is no way out from here: everything around is closed")


def ways_out(graph: Graph, costs: Costs, start: Place) -> Iterator[Exit]:
    """Exits from the closed stretches round a place, nearest first.

    Dijkstra's algorithm in walking time, with closed stretches at a price. An exit is where a closed stretch
    leads to an open one.
    """
    begin = {start.edge: start.fraction}
    if graph.reverse[start.edge] >= 0:
        begin[int(graph.reverse[start.edge])] = 1.0 - start.fraction
    waiting = [
        (float(graph.duration_s[edge]) * (1.0 - fraction) * PRICE, edge, -1)
        for edge, fraction in begin.items()
    ]
    heapq.heapify(waiting)
    reached: dict[int, tuple[int, int]] = {}  # node → the edge it was reached by and the node before it
    found = 0
    while waiting and found < EXITS:
        felt_s, edge, before = heapq.heappop(waiting)
        node = int(graph.head[edge])
        if node in reached or felt_s > LONGEST_S:
            continue
        reached[node] = edge, before
        onward = range(int(graph.first_out[node]), int(graph.first_out[node + 1]))
        if costs.closed[edge] and not costs.closed[onward.start : onward.stop].all():
            found += 1
            edges = _edges(reached, node)
            yield Exit(node, measured_path(graph, edges, begin[int(edges[0])], 1.0, felt_s))
        for way in onward:
            price = PRICE if costs.closed[way] else 1.0
            heapq.heappush(waiting, (felt_s + float(graph.duration_s[way]) * price, way, node))


def _edges(reached: dict[int, tuple[int, int]], node: int) -> I32:
    edges = []
    while node >= 0:
        edge, node = reached[node]
        edges.append(edge)
    return np.array(edges[::-1], np.int32)
