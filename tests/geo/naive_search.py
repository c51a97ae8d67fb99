"""Naive twins of the searches and the scoring, and seeded random graphs to compare them on."""

from __future__ import annotations

import heapq
import math

import numpy as np

from geo.geodesy import haversine_m
from geo.graph import Graph
from geo.routing.costs import DYNAMIC_FACTORS, STATIC_FACTORS, Costs
from geo.routing.metric import Metric
from geo.routing.search import Path, Place


def graph_of(lat, lon, pairs, *, one_way=(), lengths=None, static=None, seed=0):
    """A graph with straight edges: `pairs` of nodes are edges both ways unless listed in `one_way`.

    lengths and static factors are given pair by pair; without them straight lines and random values.
    """
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    one_way = set(one_way)
    raw = []  # tail, head, length, pair, direction
    for i, (a, b) in enumerate(pairs):
        length = float(haversine_m(lat[a], lon[a], lat[b], lon[b])) if lengths is None else lengths[i]
        raw.append((a, b, length, i, 0))
        if i not in one_way:
            raw.append((b, a, length, i, 1))
    raw.sort(key=lambda row: row[0])
    count = len(raw)
    place = {(row[3], row[4]): e for e, row in enumerate(raw)}
    tail = np.array([row[0] for row in raw], np.int32)
    head = np.array([row[1] for row in raw], np.int32)
    length = np.array([row[2] for row in raw], np.float32)
    reverse = np.array([place.get((row[3], 1 - row[4]), -1) for row in raw], np.int32)
    shape_lat = np.stack([lat[tail], lat[head]], 1).ravel() if count else np.empty(0)
    shape_lon = np.stack([lon[tail], lon[head]], 1).ravel() if count else np.empty(0)
    rng = np.random.default_rng(seed)
    if static is None:
        static = rng.random((len(pairs), len(STATIC_FACTORS)))
    return Graph(
        node_lat=lat,
        node_lon=lon,
        node_osm=np.arange(len(lat)),
        first_out=np.searchsorted(tail, np.arange(len(lat) + 1)).astype(np.int32),
        tail=tail,
        head=head,
        reverse=reverse,
        length_m=length,
        duration_s=(length / np.float32(1.35)).astype(np.float32),
        way=np.array([row[3] for row in raw], np.int64),
        name=np.full(count, -1, np.int32),
        road_class=np.zeros(count, np.uint8),
        shape_first=np.arange(count + 1) * 2,
        shape_lat=shape_lat,
        shape_lon=shape_lon,
        cell=(tail % 2).astype(np.int32),
        cell_h3=np.arange(2, dtype=np.uint64),
        cell_lat=np.zeros(2),
        cell_lon=np.zeros(2),
        static_factors=np.asarray(static, np.float32)[[row[3] for row in raw]],
        component=np.zeros(count, np.int32),
        hours=np.full(count, -1, np.int32),
        rules=(),
        grid_key=np.empty(0, np.int64),
        grid_first=np.zeros(1, np.int64),
        grid_edge=np.empty(0, np.int32),
        names=(),
        meta={},
    )


def random_graph(seed: int, *, symmetric: bool = False) -> Graph:
    """A small messy graph: jittered lattice, one-way stretches, parallel edges, loops, odd lengths."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(2, 7, 2)
    count = rows * columns
    lat = 55.0 + (np.arange(count) // columns + rng.uniform(-0.3, 0.3, count)) * 0.001
    lon = 12.0 + (np.arange(count) % columns + rng.uniform(-0.3, 0.3, count)) * 0.0018
    pairs = []
    for n in range(count):
        if n % columns + 1 < columns and rng.random() < 0.85:
            pairs.append((n, n + 1))
        if n + columns < count and rng.random() < 0.85:
            pairs.append((n, n + columns))
        if rng.random() < 0.05:
            pairs.append((n, n))
        if rng.random() < 0.1:
            pairs.append((n, int(rng.integers(count))))
    pairs = pairs or [(0, 1)]
    straight = [float(haversine_m(lat[a], lon[a], lat[b], lon[b])) for a, b in pairs]
    kind = rng.integers(3)  # straight; longer than straight; anything at all, 0 m too
    if kind == 0:
        lengths = [max(length, 1.0) for length in straight]
    elif kind == 1:
        lengths = [(length + 5.0) * rng.uniform(1.0, 1.8) for length in straight]
    else:
        lengths = [float(rng.integers(0, 200)) for _ in straight]
    one_way = [] if symmetric else np.flatnonzero(rng.random(len(pairs)) < 0.15).tolist()
    return graph_of(lat, lon, pairs, one_way=one_way, lengths=lengths, seed=seed)


def random_costs(graph: Graph, seed: int, *, closed_share: float = 0.05) -> Costs:
    """Random factors; some stretches closed both ways."""
    rng = np.random.default_rng(seed)
    zones = 2 + graph.edge_count // 3
    zone = rng.integers(zones, size=graph.edge_count).astype(np.int32)
    zone = np.where(rng.random(graph.edge_count) < 0.5, graph.cell, zone)
    values = rng.random((zones, len(DYNAMIC_FACTORS))).astype(np.float32)
    closed = rng.random(graph.edge_count) < closed_share
    back = graph.reverse[closed]
    closed[back[back >= 0]] = True
    return Costs(1, graph.static_factors, zone, values, closed)


def random_place(graph: Graph, rng: np.random.Generator) -> Place:
    fraction = float(rng.choice([0.0, 1.0, 0.5, rng.random()]))
    return Place(int(rng.integers(graph.edge_count)), fraction)


def naive_impedance(graph, costs, weight):
    result, rows = [], costs.factor_rows()
    for e in range(graph.edge_count):
        multiplier = 1.0 + sum(float(weight[k]) * float(rows[e, k]) for k in range(len(weight)))
        result.append(math.inf if costs.closed[e] else float(graph.duration_s[e]) * max(0.2, multiplier))
    return result


def _leave(graph, metric, edge, at, until=1.0):
    if until == at:
        return 0.0
    value = float(metric.impedance[edge])
    if value == math.inf and at > 0:
        value = float(graph.duration_s[edge])
    return (until - at) * value


def naive_distances(graph: Graph, metric: Metric, start: Place) -> dict[int, float]:
    """Node → impedance from the start."""
    best = {int(graph.head[start.edge]): _leave(graph, metric, start.edge, start.fraction)}
    back = int(graph.reverse[start.edge])
    if back >= 0:
        node, cost = int(graph.head[back]), _leave(graph, metric, back, 1 - start.fraction)
        best[node] = min(cost, best.get(node, math.inf))
    best = {node: cost for node, cost in best.items() if cost < math.inf}
    spread(graph, metric, best)
    return best


def spread(graph: Graph, metric: Metric, best: dict[int, float]) -> dict[int, int]:
    """Dijkstra with dicts, from the nodes in `best`, which it fills: node → the edge it is reached by."""
    entry: dict[int, int] = {}
    heap = [(cost, node) for node, cost in best.items()]
    heapq.heapify(heap)
    done = set()
    while heap:
        cost, node = heapq.heappop(heap)
        if node in done:
            continue
        done.add(node)
        for e in range(graph.first_out[node], graph.first_out[node + 1]):
            to, reached = int(graph.head[e]), cost + float(metric.impedance[e])
            if reached < best.get(to, math.inf):
                best[to], entry[to] = reached, e
                heapq.heappush(heap, (reached, to))
    return entry


def naive_cost(graph: Graph, metric: Metric, start: Place, end: Place) -> float:
    """The least impedance from start to end, inf where there is no way."""
    best = naive_distances(graph, metric, start)
    found = math.inf
    ends = [(end.edge, end.fraction)]
    if graph.reverse[end.edge] >= 0:
        ends.append((int(graph.reverse[end.edge]), 1 - end.fraction))
    starts = [(start.edge, start.fraction)]
    if graph.reverse[start.edge] >= 0:
        starts.append((int(graph.reverse[start.edge]), 1 - start.fraction))
    for edge, until in ends:
        last = until * float(metric.impedance[edge]) if until > 0 else 0.0
        found = min(found, best.get(int(graph.tail[edge]), math.inf) + last)
        for first, at in starts:
            if first == edge and at <= until:
                found = min(found, _leave(graph, metric, edge, at, until))
    return found


def walk_cost(graph: Graph, values, path: Path, *, leaving=None) -> float:
    """The sum of `values` along a path; its first piece, where left amid, from `leaving` if given."""
    pieces = piece_fractions(path)
    total = 0.0
    for i, (edge, share) in enumerate(pieces):
        amid = i == 0 and path.start_fraction > 0
        value = float(leaving[edge]) if amid and leaving is not None else float(values[edge])
        total += share * value if share > 0 else 0.0
    return total


def piece_fractions(path: Path) -> list[tuple[int, float]]:
    """(edge, share of it that is walked) for each edge of the path."""
    last = len(path.edges) - 1
    pieces = []
    for i, edge in enumerate(path.edges):
        begin = path.start_fraction if i == 0 else 0.0
        end = path.end_fraction if i == last else 1.0
        pieces.append((int(edge), end - begin))
    return pieces


def assert_walkable(graph: Graph, path: Path, start: Place, end: Place) -> None:
    """The path hangs together and really leads from start to end."""
    for a, b in zip(path.edges[:-1], path.edges[1:], strict=True):
        assert graph.head[a] == graph.tail[b]

    def same(edge, fraction, place):
        if fraction in (0.0, 1.0) and place.fraction in (0.0, 1.0):  # both at a junction
            return node(edge, fraction) == node(place.edge, place.fraction)
        if edge == place.edge:
            return abs(fraction - place.fraction) < 1e-9
        return edge == graph.reverse[place.edge] and abs(1 - fraction - place.fraction) < 1e-9

    def node(edge, fraction):
        return graph.tail[edge] if fraction == 0.0 else graph.head[edge]

    assert same(int(path.edges[0]), path.start_fraction, start)
    assert same(int(path.edges[-1]), path.end_fraction, end)
    assert all(share >= 0 for _, share in piece_fractions(path))
