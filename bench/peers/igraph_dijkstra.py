"""Peer: igraph's Dijkstra in C on the same graph and impedances; the job is described in routing.py."""

# mypy: disable-error-code="import-not-found"
# it lives in a virtual environment of its own, where the type checker does not look

from __future__ import annotations

from importlib.metadata import version

import igraph

from bench.peers.routing_meter import RoutingJob


def main() -> None:
    job = RoutingJob.read()
    arcs = list(zip(job.graph["tail"], job.graph["head"], strict=True))
    graph = igraph.Graph(n=len(job.graph["lat"]), edges=arcs, directed=True)
    weight_ms = job.graph["weight_ms"]

    def ask(number: int) -> float | None:
        start, end = job.node_pairs[number]
        path = graph.get_shortest_path(start, end, weights=weight_ms, output="epath")
        if not path and start != end:
            return None
        return float(sum(weight_ms[edge] for edge in path)) / 1000.0

    job.report(version=f"igraph {version('igraph')}", route=job.measure(ask, len(job.node_pairs)))


main()
