"""`flaneur bench route`: exact paths with their scores, for an archetype and for any taste, and the peers'.

A query is everything that a replan needs: the path between two places amid edges, unpacked to edges, and its
score by factor from the scoring kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.dijkstra import least_impedances
from bench.draws import Pairs, random_closures, random_pairs, random_tastes
from bench.exactness import count_mismatches
from bench.graph_run import describe_run, graph_job
from bench.peers.routing import RoutingPeer, run_routing_peer
from bench.session import GraphSession
from bench.timing import repeated
from geo.costs import Costs, static_costs, with_closed
from geo.errors import NoRoute, Unavailable
from geo.graph import F32, Graph
from geo.metric import Metric, customized, make_metric
from geo.scoring import score_routes
from geo.search import Path, Place, SearchSpace, shortest_path

PEERS = ("routingkit", "igraph", "valhalla", "graphhopper")
REPEATS = 5  # times all pairs are asked for
TASTES = 5
CLOSED_SHARE = 0.01
PEER_PAIRS = 1_000
CHUNK = 500  # pairs that are asked for and scored in one go


@dataclass(frozen=True)
class RouteJob:
    """`pairs` are drawn with `seed`, and so are the tastes and the closures."""

    pairs: int = 10_000
    seed: int = 1
    extract: str | None = None  # the OSM file of the graph, for peers that make their own


def run_route(job: RouteJob, peers: Sequence[RoutingPeer], session: GraphSession) -> None:
    """Measure, check, let the peers measure, and report."""
    graph = session.graph
    about = describe_run(session, job.seed)
    pairs = random_pairs(graph, job.pairs, job.seed)
    tastes = random_tastes(TASTES, job.seed)
    costs = static_costs(graph)
    searcher = Searcher(graph, costs)
    archetype = customized(graph, make_metric(graph, costs, {}))
    personal = [make_metric(graph, costs, taste) for taste in tastes]
    session.progress("asking with the archetype", 0, 1)
    fixed = repeated(lambda: searcher.answer(pairs, [archetype], [{}]), REPEATS)
    session.progress("asking with personal tastes", 0, 1)
    any_taste = repeated(lambda: searcher.answer(pairs, personal, tastes), REPEATS)
    metric_s = repeated(lambda: make_metric(graph, costs, tastes[0]), 20)
    mismatches, compared = check(job, pairs, tastes, session)
    figures = [
        ("archetype_queries_per_s", len(pairs) / fixed.median_s, "queries/s"),
        ("personal_queries_per_s", len(pairs) / any_taste.median_s, "queries/s"),
        ("cost_mismatches", float(mismatches), "answers"),
    ]
    about |= {
        "pairs": job.pairs,
        "tastes": TASTES,
        "compared": compared,
        "closed_share": CLOSED_SHARE,
        "personal_metric_ms": round(1000.0 * metric_s.median_s, 3),
        "mean_edges": round(searcher.mean_edges),
        "core_share": min(fixed.core_share, any_taste.core_share),
    }
    session.report(figures, about)
    report_peers(job, pairs, figures, peers, archetype.impedance, about, session)


class Searcher:
    """Asks for pairs in chunks, as a worker does for the walkers whom one piece of news concerns."""

    def __init__(self, graph: Graph, costs: Costs) -> None:
        self.graph = graph
        self.costs = costs
        self.space = SearchSpace(graph)
        self.mean_edges = 0.0

    def answer(self, pairs: Pairs, metrics: Sequence[Metric], tastes: Sequence[Mapping[str, float]]) -> None:
        """Find and score the paths of all pairs; the n-th chunk with the n-th metric, in turn."""
        edges = 0
        for number, begin in enumerate(range(0, len(pairs), CHUNK)):
            metric, taste = metrics[number % len(metrics)], tastes[number % len(metrics)]
            paths = self.paths(metric, pairs.part(begin, begin + CHUNK))
            found = [path for path in paths if path is not None]
            score_routes(self.graph, self.costs, found, [taste])
            edges += sum(len(path.edges) for path in found)
        self.mean_edges = edges / len(pairs)

    def paths(self, metric: Metric, pairs: Pairs) -> list[Path | None]:
        """A path for each pair, None where there is no way."""
        return [self._path(metric, start, end) for start, end in pairs]

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
    total, wrong, compared = 2 * len(tastes) * len(pairs), 0, 0
    for closed in (False, True):
        costs = searcher.costs
        if closed:
            costs = with_closed(graph, costs, 1, random_closures(graph, CLOSED_SHARE, job.seed), True)
        for taste in tastes:
            metric = make_metric(graph, costs, taste)
            with_weights = customized(graph, metric)
            wrong += count_mismatches(
                graph, metric.impedance, pairs,
                [lambda some, m=m: searcher.paths(m, some) for m in (metric, with_weights)],  # type: ignore[misc]
                lambda done, before=compared // 2: session.progress("against Dijkstra", before + done, total),  # type: ignore[misc]
            )  # fmt: skip
            compared += 2 * len(pairs)
    return wrong, compared


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
