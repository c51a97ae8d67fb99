"""`flaneur bench conditions`: what news take: a new graph, a new metric, a closure, rain, re-scoring.

Each figure is what a worker does between hearing of the news and being able to search with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.peers.routing import RoutingPeer, run_routing_peer
from bench.rig.draws import edges_of_largest_component, random_pairs, random_stretches, random_tastes
from bench.rig.graph_run import describe_run, graph_job
from bench.rig.memory import array_bytes
from bench.rig.session import GraphSession
from bench.rig.timing import Samples, repeated
from geo.errors import BadInput, Unavailable
from geo.graph import F32, I32, Graph
from geo.routing.cost_kernels import Routes
from geo.routing.costs import (
    DYNAMIC_FACTORS,
    Costs,
    apply_conditions,
    changed_edges,
    impedance,
    static_costs,
    with_closed,
)
from geo.routing.customization import customize, recustomize
from geo.routing.hierarchy import build_hierarchy
from geo.routing.metric import Metric, customized, make_metric, updated
from geo.routing.node_order import order_nodes
from geo.routing.scoring import remaining_impedance
from geo.routing.search import SearchSpace, shortest_path

PEERS = ("routingkit",)
ORDERS, CUSTOMIZATIONS, RESCORES = 3, 50, 30  # how often each is measured
RAIN_EDGES = 100
ROUTES, ROUTE_EDGES = 10_000, 100
TASTES = 8  # archetypes that the walkers of the re-scored routes share
NO_EDGES: I32 = np.empty(0, np.int32)


@dataclass(frozen=True)
class ConditionsJob:
    """`changes` closures and as many rain cells are drawn with `seed`."""

    changes: int = 1_000
    seed: int = 1

    def __post_init__(self) -> None:
        if self.changes < 1:
            raise BadInput(f"changes is {self.changes}, it must be 1 or more")


@dataclass(frozen=True)
class Change:
    """What one kind of news took, whole and in its last part."""

    whole: Samples
    weights: Samples  # only bringing the arcs' weights up to date


def run_conditions(job: ConditionsJob, peers: Sequence[RoutingPeer], session: GraphSession) -> None:
    """Measure each, then the peers, and report."""
    graph = session.graph
    about = describe_run(session, job.seed)
    session.progress("ordering", 0, 1)
    order = repeated(lambda: order_nodes(graph), ORDERS)
    built = repeated(lambda: build_hierarchy(graph), ORDERS)
    costs = static_costs(graph)
    metric = customized(graph, make_metric(graph, costs, {}))
    full = repeated(lambda: customize(graph.hierarchy, metric.impedance), CUSTOMIZATIONS)
    closures = random_stretches(graph, job.changes, job.seed)
    rains = rain_cells(graph, job.changes, RAIN_EDGES, job.seed)
    closing = measure_closures(graph, costs, metric, closures, session)
    raining = measure_rain(graph, costs, metric, rains, session)
    session.progress("re-scoring", 0, 1)
    rescoring, routes = measure_rescoring(graph, costs, job.seed)
    figures = [
        ("order_s", built.median_s, "s"),
        ("customize_ms", 1000.0 * full.median_s, "ms"),
        ("closure_p99_ms", 1000.0 * closing.whole.p99_s, "ms"),
        ("cell_100_edges_ms", 1000.0 * raining.whole.median_s, "ms"),
        (f"rescore_{ROUTES}_routes_ms", 1000.0 * rescoring.median_s, "ms"),
        ("bytes_per_node", array_bytes((graph, graph.hierarchy)) / graph.node_count, "bytes"),
        ("bytes_per_node_and_metric", array_bytes(metric) / graph.node_count, "bytes"),
    ]
    about |= {
        "order_only_s": round(order.median_s, 3),
        "closure_median_ms": round(1000.0 * closing.whole.median_s, 4),
        "closure_weights_p99_ms": round(1000.0 * closing.weights.p99_s, 4),
        "cell_p99_ms": round(1000.0 * raining.whole.p99_s, 4),
        "cell_weights_ms": round(1000.0 * raining.weights.median_s, 4),
        "rescored_edges": int(routes.first[-1]),
        "tastes": TASTES,
        "hierarchy_bytes_per_node": round(array_bytes(graph.hierarchy) / graph.node_count),
        "core_share": full.core_share,
    }
    session.report(figures, about)
    report_peers(figures, closures, rains, peers, metric.impedance, about, session)


def measure_closures(
    graph: Graph, costs: Costs, metric: Metric, closures: Sequence[I32], session: GraphSession
) -> Change:
    """A stretch is closed: new costs, and the metric under them. The first is not counted."""
    change = Change(Samples(), Samples())

    def close(stretch: I32) -> Metric:
        return updated(graph, metric, with_closed(graph, costs, 1, stretch, True), {}, stretch)

    close(closures[0])
    for number, stretch in enumerate(closures):
        session.progress("closing", number, len(closures))
        closed = change.whole.measure(lambda stretch=stretch: close(stretch))  # type: ignore[misc]
        _measure_weights(graph, metric, closed, stretch, change.weights)
    return change


def measure_rain(
    graph: Graph, costs: Costs, metric: Metric, rains: Sequence[I32], session: GraphSession
) -> Change:
    """It begins to rain on some edges: new costs, what differs in them, and the metric. As for closures."""
    change = Change(Samples(), Samples())
    dry = np.zeros((len(graph.cell_h3), len(DYNAMIC_FACTORS)), np.float32)
    wet = np.ones(RAIN_EDGES, np.float32)

    def rain(edges: I32) -> Metric:
        rainy = apply_conditions(graph, 1, dry, {"rain": (edges, wet[: len(edges)])}, NO_EDGES, False)
        return updated(graph, metric, rainy, {}, changed_edges(costs, rainy))

    rain(rains[0])
    for number, edges in enumerate(rains):
        session.progress("raining", number, len(rains))
        soaked = change.whole.measure(lambda edges=edges: rain(edges))  # type: ignore[misc]
        _measure_weights(graph, metric, soaked, edges, change.weights)
    return change


def _measure_weights(graph: Graph, metric: Metric, after: Metric, edges: I32, samples: Samples) -> None:
    assert metric.weights is not None
    weights = metric.weights
    samples.measure(lambda: recustomize(graph.hierarchy, weights, after.impedance, edges))


def rain_cells(graph: Graph, count: int, size: int, seed: int) -> list[I32]:
    """`count` times the `size` edges that begin nearest to a random edge."""
    edges = edges_of_largest_component(graph)
    lat, lon = graph.node_lat[graph.tail[edges]], graph.node_lon[graph.tail[edges]]
    east = np.cos(np.radians(lat.mean()))
    cells = []
    for centre in np.random.default_rng(seed).integers(0, len(edges), count):
        apart = np.hypot(lat - lat[centre], (lon - lon[centre]) * east)
        nearest = np.argpartition(apart, min(size, len(edges)) - 1)[:size]
        cells.append(np.sort(edges[nearest]).astype(np.int32))
    return cells


def measure_rescoring(graph: Graph, costs: Costs, seed: int) -> tuple[Samples, Routes]:
    """What is left of every live route, on new costs: in one call, from the metrics of the archetypes."""
    routes = live_routes(graph, costs, seed)
    tastes = random_tastes(TASTES, seed)
    metrics: F32 = np.stack([impedance(graph, costs, taste) for taste in tastes])
    count = len(routes.first) - 1
    rng = np.random.default_rng(seed)
    taste = rng.integers(0, TASTES, count).astype(np.int32)
    at, fraction = np.zeros(count, np.int32), np.zeros(count)
    samples = repeated(lambda: remaining_impedance(graph, metrics, routes, at, fraction, taste), RESCORES)
    return samples, routes


def live_routes(graph: Graph, costs: Costs, seed: int) -> Routes:
    """10,000 routes of 100 edges each: pieces of shortest paths, where the graph is large enough for that."""
    space = SearchSpace(graph)
    metric = customized(graph, make_metric(graph, costs, {}))
    rng = np.random.default_rng(seed)
    pieces: list[I32] = []
    for start, end in random_pairs(graph, ROUTES, seed):
        edges = shortest_path(graph, metric, start, end, space).edges
        begin = int(rng.integers(0, max(1, len(edges) - ROUTE_EDGES)))
        while len(edges) < ROUTE_EDGES:  # walked to and fro: what is scored is the same
            edges = np.concatenate([edges, edges])
        pieces.append(edges[begin : begin + ROUTE_EDGES])
    first = np.arange(ROUTES + 1, dtype=np.int64) * ROUTE_EDGES
    return Routes(first, np.concatenate(pieces).astype(np.int32), np.zeros(ROUTES), np.ones(ROUTES))


def report_peers(
    figures: Sequence[tuple[str, float, str]],
    closures: Sequence[I32],
    rains: Sequence[I32],
    peers: Sequence[RoutingPeer],
    values: F32,
    about: dict[str, object],
    session: GraphSession,
) -> None:
    """A line for each figure that a peer has too."""
    for peer in peers:
        session.progress(f"measuring {peer.name}", 0, 1)
        job = graph_job(session.graph, values) | {
            "closures": [edges.tolist() for edges in closures],
            "rains": [edges.tolist() for edges in rains],
        }
        try:
            result = run_routing_peer(peer, job)
        except Unavailable as error:
            session.warn(str(error))
            continue
        theirs = {"peer_is": peer.what, "peer_version": result["version"]}
        shared = [figure for figure in figures if figure[0] in result]
        session.report(shared, about | theirs, peer.name, [result[metric] for metric, _, _ in shared])
