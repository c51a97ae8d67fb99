"""`flaneur bench route`: exact paths with their scores, for an archetype and for any taste, and the peers'.

A query is everything that a replan needs: the path between two places amid edges, unpacked to edges, and its
score by factor from the scoring kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.peers.routing import RoutingPeer, run_routing_peer
from bench.rig.dijkstra import least_impedances
from bench.rig.draws import Pairs, random_closures, random_pairs, random_tastes
from bench.rig.exactness import count_mismatches
from bench.rig.graph_run import describe_run, graph_job
from bench.rig.session import GraphSession
from bench.rig.timing import repeated
from geo.errors import NoRoute, Unavailable
from geo.graph import F32, F64, Graph
from geo.routing.cost_kernels import Routes
from geo.routing.costs import Costs, static_costs, with_closed
from geo.routing.metric import Metric, customized, make_metric
from geo.routing.path_kernels import Places
from geo.routing.scoring import score_routes
from geo.routing.search import Path, Place, SearchSpace, shortest_path, shortest_paths

PEERS = ("routingkit", "igraph", "valhalla", "graphhopper")
REPEATS = 5  # times all pairs are asked for
TASTES, NEW_TASTES = 5, 20
CLOSED_SHARE = 0.01
PEER_PAIRS = FEW_PAIRS = 1_000
LOT = 500  # pairs that are asked for and scored in one call


@dataclass(frozen=True)
class RouteJob:
    """`pairs` are drawn with `seed`, and so are the tastes and the closures."""

    pairs: int = 10_000
    seed: int = 1
    extract: str | None = None  # the OSM file of the graph, for peers that make their own


def run_route(job: RouteJob, peers: Sequence[RoutingPeer], session: GraphSession) -> None:
    """Measure, let the peers measure at once, then check; report each as soon as it is there."""
    graph = session.graph
    about = describe_run(session, job.seed)
    pairs = random_pairs(graph, job.pairs, job.seed)
    tastes = random_tastes(TASTES, job.seed)
    costs = static_costs(graph)
    searcher = Searcher(graph, costs)
    archetype = customized(graph, make_metric(graph, costs, {}))
    open_metrics = [make_metric(graph, costs, taste) for taste in tastes]
    personal = [customized(graph, metric) for metric in open_metrics]
    session.progress("asking with the archetype", 0, 1)
    fixed = repeated(lambda: searcher.answer(pairs, [archetype], [{}]), REPEATS)
    mean_edges = searcher.mean_edges
    session.progress("asking with personal tastes", 0, 1)
    own = repeated(lambda: searcher.answer(pairs, personal, tastes), REPEATS)
    few = pairs.part(0, FEW_PAIRS)
    one_by_one = repeated(lambda: searcher.answer_one_by_one(few, archetype), REPEATS)
    without = repeated(lambda: searcher.answer_one_by_one(few, open_metrics[0]), 1)
    new = repeated(lambda: searcher.answer_new_taste(few, tastes[0]), NEW_TASTES)
    figures = [
        ("archetype_queries_per_s", len(pairs) / fixed.median_s, "queries/s"),
        ("personal_queries_per_s", len(pairs) / own.median_s, "queries/s"),
        ("one_by_one_queries_per_s", len(few) / one_by_one.median_s, "queries/s"),
        ("without_weights_queries_per_s", len(few) / without.median_s, "queries/s"),
        ("new_taste_first_query_ms", 1e3 * new.median_s, "ms"),
    ]
    about |= {
        "pairs": job.pairs,
        "tastes": TASTES,
        "mean_edges": round(mean_edges),
        "core_share": min(fixed.core_share, own.core_share),
    }
    session.report(figures, about)
    report_peers(job, pairs, figures, peers, archetype.impedance, about, session)
    mismatches, compared = check(job, pairs, tastes, session)
    checked = {"compared": compared, "closed_share": CLOSED_SHARE}
    session.report([("cost_mismatches", float(mismatches), "answers")], about | checked)


class Searcher:
    """Finds and scores paths under the same costs; `mean_edges` is that of the last paths."""

    def __init__(self, graph: Graph, costs: Costs) -> None:
        self.graph = graph
        self.costs = costs
        self.space = SearchSpace(graph)
        self.mean_edges = 0.0

    def answer(self, pairs: Pairs, metrics: Sequence[Metric], tastes: Sequence[Mapping[str, float]]) -> None:
        """The paths of all pairs and their scores, many in one call, as for walkers whom the same news
        concerns; the n-th lot is asked for with the n-th metric, in turn."""
        edges = 0
        for number, begin in enumerate(range(0, len(pairs), LOT)):
            metric, taste = metrics[number % len(metrics)], tastes[number % len(metrics)]
            routes, _ = self._routes(metric, pairs.part(begin, begin + LOT))
            score_routes(self.graph, self.costs, routes, [taste])
            edges += len(routes.edges)
        self.mean_edges = edges / len(pairs)

    def answer_one_by_one(self, pairs: Pairs, metric: Metric) -> None:
        """The same, each path and its score asked for from Python on its own."""
        for path in self.paths_one_by_one(metric, pairs):
            if path is not None:
                score_routes(self.graph, self.costs, [path], [{}])

    def answer_new_taste(self, pairs: Pairs, taste: Mapping[str, float]) -> None:
        """One path and its score for a taste that nobody had before."""
        metric = customized(self.graph, make_metric(self.graph, self.costs, taste))
        self.answer(pairs.part(0, 1), [metric], [taste])

    def paths(self, metric: Metric, pairs: Pairs) -> list[Path | None]:
        """A path for each pair, None where there is no way; all in one call."""
        routes, impedance = self._routes(metric, pairs)
        ends = zip(routes.start_fraction.tolist(), routes.end_fraction.tolist(), strict=True)
        parts = np.split(routes.edges, routes.first[1:-1])
        return [
            Path(edges, *fractions, np.nan, np.nan, cost) if len(edges) else None
            for edges, fractions, cost in zip(parts, ends, impedance.tolist(), strict=True)
        ]

    def paths_one_by_one(self, metric: Metric, pairs: Pairs) -> list[Path | None]:
        """The same, a call each."""
        return [self._path(metric, start, end) for start, end in pairs]

    def _routes(self, metric: Metric, pairs: Pairs) -> tuple[Routes, F64]:
        starts = Places(pairs.start_edge, pairs.start_fraction)
        ends = Places(pairs.end_edge, pairs.end_fraction)
        return shortest_paths(self.graph, metric, starts, ends, self.space)

    def _path(self, metric: Metric, start: Place, end: Place) -> Path | None:
        try:
            return shortest_path(self.graph, metric, start, end, self.space)
        except NoRoute:
            return None


def check(
    job: RouteJob, pairs: Pairs, tastes: Sequence[Mapping[str, float]], session: GraphSession
) -> tuple[int, int]:
    """(mismatches, answers compared): both searches, for every taste, with all edges open and 1 % closed."""
    graph = session.graph
    searcher = Searcher(graph, static_costs(graph))
    total, wrong, done_before = 2 * len(tastes) * len(pairs), 0, 0
    shut = random_closures(graph, CLOSED_SHARE, job.seed)
    for costs in (searcher.costs, with_closed(graph, searcher.costs, 1, shut, True)):
        for taste in tastes:
            metric = make_metric(graph, costs, taste)
            climbed = partial(searcher.paths, customized(graph, metric))
            expanded = partial(searcher.paths_one_by_one, metric)
            for begin in range(0, len(pairs), LOT):
                some = pairs.part(begin, begin + LOT)
                wrong += count_mismatches(graph, metric.impedance, some, [climbed, expanded])
                session.progress("against Dijkstra", done_before + begin, total)
            done_before += len(pairs)
    return wrong, 2 * total


def report_peers(
    job: RouteJob,
    pairs: Pairs,
    figures: Sequence[tuple[str, float, str]],
    peers: Sequence[RoutingPeer],
    impedance: F32,
    about: dict[str, object],
    session: GraphSession,
) -> None:
    """A line for each figure that a peer has too."""
    graph = session.graph
    some = pairs.part(0, PEER_PAIRS)
    peer_job = graph_job(graph, impedance) | {
        "extract": job.extract,
        "node_pairs": node_pairs(graph, some),
        "place_pairs": coordinates(graph, some),
    }
    for peer in peers:
        session.progress(f"measuring {peer.name}", 0, 1)
        try:
            result = run_routing_peer(peer, peer_job)
        except Unavailable as error:
            session.warn(str(error))
            continue
        theirs = {"peer_is": peer.what, "peer_version": result["version"]}
        if not peer.needs_extract:
            theirs["peer_cost_deviation"] = deviation(graph, impedance, some, result["route"]["costs"])
        for name, metric, value in peer_figures(result):
            ours = [figure for figure in figures if figure[0] == metric]
            session.report(ours, about | theirs, peer.name + name, [value])


def deviation(graph: Graph, impedance: F32, pairs: Pairs, costs: Sequence[float | None]) -> float:
    """The largest relative difference of the first costs of a peer, between nodes, to Dijkstra's."""
    some = pairs.part(0, len(costs))
    count = len(some)
    between_nodes = Pairs(some.start_edge, np.ones(count), some.end_edge, np.zeros(count))
    least = least_impedances(graph, impedance, between_nodes)
    theirs = np.array([np.inf if cost is None else cost for cost in costs])
    if not np.array_equal(np.isinf(least), np.isinf(theirs)):
        return float("inf")
    apart = np.isfinite(least) & (least > 0.0)
    return float(np.max(np.abs(theirs[apart] / least[apart] - 1.0), initial=0.0))


def peer_figures(result: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(configuration, metric of ours, value) of all that a peer measured."""
    found = []
    for key, name, metric in (
        ("route", "", "archetype_queries_per_s"),
        ("ch", "-ch", "archetype_queries_per_s"),
        ("landmarks", "-landmarks", "personal_queries_per_s"),
        ("flexible", "-flexible", "personal_queries_per_s"),
    ):
        if key in result:
            found.append((name, metric, float(result[key]["queries_per_s"])))
    return found


def node_pairs(graph: Graph, pairs: Pairs) -> list[list[int]]:
    """From where the first edge leads to where the last one begins."""
    columns = np.stack([graph.head[pairs.start_edge], graph.tail[pairs.end_edge]], axis=1)
    result: list[list[int]] = columns.tolist()
    return result


def coordinates(graph: Graph, pairs: Pairs) -> list[list[float]]:
    """lat, lon, lat, lon of those nodes, in degrees."""
    start, end = graph.head[pairs.start_edge], graph.tail[pairs.end_edge]
    lat, lon = graph.node_lat, graph.node_lon
    result: list[list[float]] = np.stack([lat[start], lon[start], lat[end], lon[end]], axis=1).tolist()
    return result
