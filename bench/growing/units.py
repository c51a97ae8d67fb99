"""What a worker pays for every open city, every condition and every member of its group, by the real code.

Measured in this process: CPU time of one thread, memory without mapped files, which workers share.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from faust.assignor.client_assignment import CopartitionedAssignment
from faust.assignor.copartitioned_assignor import CopartitionedAssignor

from bench.rig.memory import array_bytes, own_bytes
from geo.graph import Graph, edge_id, open_graph
from geo.network import Network
from geo.routing.costs import changed_edges
from geo.routing.metric import customized, make_metric
from models.records import EdgeCondition, decode, encode
from models.world.condition_table import ConditionTable
from streams.kafka.topics import DEVICE_TOPICS

REPEATS = 20
COPIES = 4  # of a city, one beside the other
CONDITIONS = 500
ASSIGNED = (4_000, 1_000)  # partitions, workers
EXPIRES_S = 1e9


@dataclass(frozen=True)
class Units:
    """CPU seconds and bytes, each of one."""

    city_bytes: float
    metric_bytes: float
    condition_cpu_s: float
    condition_city_cpu_s: float  # and for every city that is open
    condition_bytes: float
    costs_cpu_s: float
    assign_cpu_s: float  # for each partition and worker


def measure_units(graph: Graph, graph_dir: str) -> Units:
    """Open the city several times, tell it of closures, and let a leader assign partitions."""
    now_s = time.time()
    opened = [_open(graph_dir, now_s)]  # the first also loads what the others find loaded
    gc.collect()
    before = own_bytes()
    opened += [_open(graph_dir, now_s) for _ in range(COPIES)]
    gc.collect()
    city_bytes = max(0, own_bytes() - before) / COPIES
    network = opened[0][2]
    metric = customized(network.graph, make_metric(network.graph, network.costs, {"noise": 1.0}))
    values = [encode(one) for one in _conditions(graph, now_s)]
    known, elsewhere = ConditionTable(), opened[0][1]
    conditions: list[EdgeCondition] = []
    heard_s = _cpu_s(lambda: conditions.extend(decode(EdgeCondition, value) for value in values))
    heard_s += _cpu_s(lambda: [known.fold(one) for one in conditions])
    city_s = _cpu_s(lambda: [elsewhere.fold(one) for one in conditions])
    return Units(
        city_bytes,
        float(array_bytes(metric)),
        heard_s / len(values),
        city_s / len(values),
        float(np.mean([len(value) for value in values])),
        float(np.median([_renew(*opened[0], now_s, number) for number in range(REPEATS)])),
        _assign_s(*ASSIGNED) / (ASSIGNED[0] * ASSIGNED[1]),
    )


def _open(graph_dir: str, now_s: float) -> tuple[Graph, ConditionTable, Network]:
    graph, table = open_graph(graph_dir), ConditionTable()
    return graph, table, Network(graph, table.costs(graph, now_s, 0))


def _conditions(graph: Graph, now_s: float) -> list[EdgeCondition]:
    edges = np.linspace(0, graph.edge_count - 1, min(CONDITIONS, graph.edge_count)).astype(int)
    return [
        EdgeCondition(
            key=edge_id(graph, int(edge)), ts=now_s, version=number, expires=now_s + EXPIRES_S,
            speed_mps=1.0 + number % 7, free_flow_mps=13.9, speed_ratio=0.5,
        )
        for number, edge in enumerate(edges)
    ]  # fmt: skip


def _renew(graph: Graph, table: ConditionTable, network: Network, now_s: float, number: int) -> float:
    """CPU seconds of a new version after one stretch was closed."""
    edge = number * graph.edge_count // REPEATS
    closure = EdgeCondition(
        key=edge_id(graph, edge),
        ts=now_s,
        version=CONDITIONS + number,
        expires=now_s + EXPIRES_S,
        closed=True,
    )
    table.fold(closure)
    return _cpu_s(lambda: changed_edges(network.costs, table.costs(graph, now_s, number)))


def _assign_s(partitions: int, workers: int) -> float:
    """CPU seconds of a group's leader, when nobody has anything yet."""
    topics = set(DEVICE_TOPICS)
    nobody = {f"worker-{number}": CopartitionedAssignment(topics=topics) for number in range(workers)}
    assignor = CopartitionedAssignor(topics, nobody, partitions, replicas=0)
    return _cpu_s(assignor.get_assignment)


def _cpu_s(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun
