"""Paths without a search: along named places of a drawn map, at random, or the quickest by plain Dijkstra."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping

import numpy as np

from geo.geodesy import haversine_m
from geo.graph import Graph
from geo.routing.search import Path


def path_over(graph: Graph, edges: list[int], start: float = 0.0, end: float = 1.0) -> Path:
    """The path over these edges, from a fraction of the first up to one of the last."""
    share = np.ones(len(edges))
    share[-1] = end
    share[0] -= start
    over = np.array(edges, np.int32)
    length, duration = float(share @ graph.length_m[over]), float(share @ graph.duration_s[over])
    return Path(over, start, end, length, duration, duration)


def walk(graph: Graph, at: Mapping[str, int], places: str, start: float = 0.0, end: float = 1.0) -> Path:
    """The path from place to place of a drawn map; each must be an edge away from the one before."""
    edges = []
    for a, b in itertools.pairwise(places):
        out = range(int(graph.first_out[at[a]]), int(graph.first_out[at[a] + 1]))
        edges.append(next(e for e in out if graph.head[e] == at[b]))
    return path_over(graph, edges, start, end)


def wander(graph: Graph, rng: np.random.Generator, count: int) -> Path:
    """A path of up to `count` edges that turns at random, back only at dead ends."""
    edges = [int(rng.integers(graph.edge_count))]
    while len(edges) < count:
        node = int(graph.head[edges[-1]])
        out = list(range(int(graph.first_out[node]), int(graph.first_out[node + 1])))
        if not out:
            break
        onward = [e for e in out if e != graph.reverse[edges[-1]]] or out
        edges.append(int(rng.choice(onward)))
    start, end = sorted(rng.random(2)) if len(edges) == 1 else rng.random(2)
    return path_over(graph, edges, float(start), float(end))


def quickest(graph: Graph, start: tuple[float, float], end: tuple[float, float]) -> Path:
    """The path of least walking time between the junctions nearest to two points in degrees."""
    source, goal = (int(np.argmin(haversine_m(graph.node_lat, graph.node_lon, *p))) for p in (start, end))
    best, came, heap = {source: 0.0}, {}, [(0.0, source)]
    while heap:
        cost, node = heapq.heappop(heap)
        if node == goal:
            break
        if cost > best[node]:
            continue
        for edge in range(int(graph.first_out[node]), int(graph.first_out[node + 1])):
            other, reached = int(graph.head[edge]), cost + float(graph.duration_s[edge])
            if reached < best.get(other, np.inf):
                best[other], came[other] = reached, edge
                heapq.heappush(heap, (reached, other))
    edges = []
    while goal != source:
        edges.append(came[goal])
        goal = int(graph.tail[came[goal]])
    return path_over(graph, edges[::-1])
