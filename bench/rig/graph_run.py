"""What the benchmarks that need only a graph share: their core, what describes them, the job of the peers."""

from __future__ import annotations

import numpy as np

from bench.rig.session import GraphSession
from bench.rig.timing import pin_to_one_core
from geo.graph import F32, Graph

CLOCK = "CPU time of one thread on one core"


def describe_run(session: GraphSession, seed: int) -> dict[str, object]:
    """Pin this process and the peers' to one core; what describes the run and its graph."""
    core = pin_to_one_core()
    graph = session.graph
    return {
        "graph": session.graph_dir,
        "nodes": graph.node_count,
        "edges": graph.edge_count,
        "seed": seed,
        "clock": CLOCK,
        "pinned_to_core": core,
    }


def graph_job(graph: Graph, impedance: F32) -> dict[str, object]:
    """The graph with one metric, for a peer that routes on the same one: impedances in whole milliseconds."""
    weight_ms = np.rint(1000.0 * impedance.astype(np.float64)).astype(np.int64)
    return {
        "graph": {
            "tail": graph.tail.tolist(),
            "head": graph.head.tolist(),
            "lat": graph.node_lat.tolist(),
            "lon": graph.node_lon.tolist(),
            "weight_ms": weight_ms.tolist(),
        }
    }
