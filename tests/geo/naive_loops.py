"""Naive twins of the search for loops: Dijkstra from every node, and every pair of vias."""

from __future__ import annotations

import itertools
import math

import numpy as np

from geo.graph import Graph
from geo.routing.metric import Metric
from geo.routing.search import Place
from tests.geo.naive_search import _leave, spread


def naive_ways(graph: Graph, metric: Metric, starts: list[tuple[int, float]]) -> dict[int, list[int]]:
    """Node → the edges of its best way from nodes that are (node, impedance) away."""
    best: dict[int, float] = {}
    for node, cost in starts:
        best[node] = min(cost, best.get(node, math.inf))
    entry = spread(graph, metric, best)
    ways = {}
    for node in best:
        back, at = [], node
        while at in entry:
            back.append(entry[at])
            at = int(graph.tail[entry[at]])
        ways[node] = back[::-1]
    return ways


def naive_costs(graph: Graph, metric: Metric, node: int) -> dict[int, float]:
    """Node → the impedance of the best way to it."""
    ways = naive_ways(graph, metric, [(node, 0.0)])
    return {to: float(metric.impedance[way].sum(dtype=np.float64)) for to, way in ways.items()}


def without_spurs(graph: Graph, edges: list[int]) -> list[int]:
    kept: list[int] = []
    for edge in edges:
        if kept and graph.reverse[kept[-1]] == edge:
            kept.pop()
        else:
            kept.append(edge)
    return kept


def naive_loop_lengths(graph: Graph, metric: Metric, node: int) -> list[float]:
    """The length of every loop from a node over two vias, its three legs the best ones, without spurs."""
    ways = [naive_ways(graph, metric, [(n, 0.0)]) for n in range(graph.node_count)]
    lengths = []
    for a, b in itertools.product(range(graph.node_count), repeat=2):
        if a in ways[node] and b in ways[a] and node in ways[b]:
            loop = without_spurs(graph, ways[node][a] + ways[a][b] + ways[b][node])
            if loop and np.isfinite(metric.impedance[loop]).all():
                lengths.append(float(graph.length_m[loop].sum(dtype=np.float64)))
    return lengths


def naive_amounts(graph: Graph, metric: Metric, place: Place) -> dict[int, tuple[float, float]]:
    """Node → (impedance, metres) of its best way from a place."""
    found: dict[int, tuple[float, float]] = {}
    for edge, at in ((place.edge, place.fraction), (int(graph.reverse[place.edge]), 1.0 - place.fraction)):
        if edge < 0:
            continue
        begin = _leave(graph, metric, edge, at)
        if begin == math.inf:
            continue
        first_m = (1.0 - at) * float(graph.length_m[edge])
        for node, way in naive_ways(graph, metric, [(int(graph.head[edge]), begin)]).items():
            cost = begin + float(metric.impedance[way].sum(dtype=np.float64))
            if cost < found.get(node, (math.inf, 0.0))[0]:
                found[node] = cost, first_m + float(graph.length_m[way].sum(dtype=np.float64))
    return found
