"""Peer: RoutingKit's customizable contraction hierarchy, C++, on the same graph and impedances.

Of its two bindings the faster one is measured: pyroutingkit takes arrays, routingkit-cch alone can update in
part. The job is described in routing.py.
"""

# mypy: disable-error-code="import-not-found"
# it lives in a virtual environment of its own, where the type checker does not look

from __future__ import annotations

from importlib.metadata import version
from statistics import median

import numpy as np
import pyroutingkit
import routingkit_cch

from bench.peers.routing_meter import RoutingJob, median_ms, percentile_ms, seconds

CLOSED = 2**31 - 1


def main() -> None:
    job = RoutingJob.read()
    tail, head = (np.array(job.graph[name], np.uint32) for name in ("tail", "head"))
    lat, lon = (np.array(job.graph[name], np.float32) for name in ("lat", "lon"))
    weight_ms = np.array(job.graph["weight_ms"], np.uint32)
    hierarchy = pyroutingkit.CCH()
    order_s = median(
        seconds(lambda: hierarchy.build_topology(tail, head, lat, lon, node_count=len(lat))) for _ in range(3)
    )
    customize_ms = median_ms(lambda: hierarchy.customize_weights(weight_ms), 30)

    def ask(number: int) -> float | None:
        distance, _ = hierarchy.query(*job.node_pairs[number])
        return None if distance >= CLOSED else distance / 1000.0

    figures: dict[str, object] = {"order_s": order_s, "customize_ms": customize_ms}
    if job.node_pairs:
        figures["route"] = job.measure(ask, len(job.node_pairs))
    if job.closures:
        figures |= updates(job)
    job.report(
        version=f"pyroutingkit {version('pyroutingkit')}, routingkit-cch {version('routingkit-cch')}",
        **figures,
    )


def updates(job: RoutingJob) -> dict[str, float]:
    """What it takes to close a stretch, and to make all edges of an area dearer, in place."""
    graph, weight_ms = job.graph, job.graph["weight_ms"]
    nodes = len(graph["lat"])
    order = routingkit_cch.compute_order_inertial(
        nodes, graph["tail"], graph["head"], graph["lat"], graph["lon"]
    )
    hierarchy = routingkit_cch.CCH(order, graph["tail"], graph["head"], False)
    metric = routingkit_cch.CCHMetric(hierarchy, weight_ms)
    updater = routingkit_cch.CCHMetricPartialUpdater(hierarchy)

    def change(edges: list[int], factor: float) -> float:
        dearer = {edge: min(CLOSED, round(weight_ms[edge] * factor)) for edge in edges}
        spent = seconds(lambda: updater.apply(metric, dearer))
        updater.apply(metric, {edge: weight_ms[edge] for edge in edges})
        return spent

    closing = [change(edges, 1e9) for edges in job.closures]
    raining = [change(edges, 1.5) for edges in job.rains]
    return {
        "closure_p99_ms": percentile_ms(closing, 99.0),
        "cell_100_edges_ms": percentile_ms(raining, 50.0),
    }


main()
