"""`flaneur bench growth`: how the work and the memory grow with a graph, and what larger ones would take.

Cities differ in more than size, so the exponents are fitted on one city alone: its pieces and mosaics of its
copies. The cities themselves are measured beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.growing.grown import cut, mosaic
from bench.rig.draws import random_pairs, random_stretches
from bench.rig.graph_run import CLOCK
from bench.rig.memory import array_bytes
from bench.rig.session import Reporter
from bench.rig.timing import Samples, pin_to_one_core, repeated
from bench.route import Searcher
from geo.errors import BadInput
from geo.graph import Graph, open_graph
from geo.osm.importer import import_osm
from geo.routing.costs import static_costs, with_closed
from geo.routing.customization import customize
from geo.routing.hierarchy import build_hierarchy
from geo.routing.metric import customized, make_metric, updated

PIECES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
FITTED_FROM = 0.2  # of the largest graph: smaller pieces of a city are all border
PAIRS, CLOSURES = 1_000, 200
#: nodes of a walk graph; see docs/benchmarks.md for where the numbers come from
COUNTRY_NODES, PLANET_NODES = 15_000_000, 300_000_000
FITTED = (
    "order_s", "arcs", "triangles", "customize_ms", "closure_ms", "query_us",
    "hierarchy_bytes", "metric_bytes",
)  # fmt: skip
COUNTED = ("arcs", "triangles", "graph_bytes", "hierarchy_bytes", "metric_bytes")  # reported for each node


@dataclass(frozen=True)
class GrowthJob:
    """`sources`: directories of graphs, or extracts, which are imported first.

    The largest graph is cut, and put together up to `mosaic` × `mosaic` copies.
    """

    sources: tuple[str, ...]
    mosaic: int = 3
    seed: int = 1

    def __post_init__(self) -> None:
        if self.mosaic < 1:
            raise BadInput(f"mosaic is {self.mosaic}, it must be 1 or more")


@dataclass(frozen=True)
class Size:
    """What one graph takes; by the names of the metrics."""

    name: str
    nodes: int
    edges: int
    values: dict[str, float]


def run_growth(job: GrowthJob, session: Reporter) -> None:
    """Measure every graph, report each, then the exponents, then what they mean for more nodes."""
    pin_to_one_core()
    graphs = dict([load(source, session) for source in job.sources])
    largest = max(graphs, key=lambda name: graphs[name].node_count)
    measure(cut(graphs[largest], PIECES[0]), job.seed)  # compiles everything
    for name, graph in graphs.items():
        if name != largest:
            report_size(measure_size(name, graph, job.seed, session), session)
    series = []
    for name, graph in sizes_of(largest, graphs[largest], job.mosaic):
        series.append(measure_size(name, graph, job.seed, session))
        report_size(series[-1], session)
    fitted = [size for size in series if size.nodes >= FITTED_FROM * graphs[largest].node_count]
    exponents = {metric: exponent(fitted, metric) for metric in FITTED}
    about: dict[str, object] = {"fitted_on": largest, "sizes": [size.nodes for size in fitted]}
    session.report([(f"{metric}_exponent", value, "log/log") for metric, value in exponents.items()], about)
    for what, nodes in (("country", COUNTRY_NODES), ("planet", PLANET_NODES)):
        told = {"of": what, "nodes": nodes, "from": series[-1].name}
        session.report(estimates(series[-1], exponents, what, nodes), about | told)


def sizes_of(name: str, graph: Graph, copies: int) -> Iterator[tuple[str, Graph]]:
    """The pieces of a graph, the graph, and its mosaics, growing."""
    for share in PIECES:
        yield f"{name} 1/{round(1 / share)}", cut(graph, share)
    yield name, graph
    for columns in range(2, copies + 1):
        yield f"{name} {columns}x{columns}", mosaic(graph, columns)


def load(source: str, session: Reporter) -> tuple[str, Graph]:
    """The name and the graph of a directory or an extract; an import is measured and reported."""
    name = Path(source).resolve().name
    if Path(source).is_dir():
        return name, open_graph(source)
    session.progress(f"importing {name}", 0, 1)
    importing = Samples()
    graph = importing.measure(lambda: import_osm([Path(source)]))
    about = {"graph": name, "nodes": graph.node_count, "edges": graph.edge_count, "clock": CLOCK}
    session.report([("import_s", importing.median_s, "s")], about)
    return name, graph


def measure_size(name: str, graph: Graph, seed: int, session: Reporter) -> Size:
    session.progress(f"measuring {name}: {graph.node_count:,} nodes", 0, 1)
    return Size(name, graph.node_count, graph.edge_count, measure(graph, seed))


def measure(graph: Graph, seed: int) -> dict[str, float]:
    """Everything of one graph."""
    ordering = Samples()
    hierarchy = ordering.measure(lambda: build_hierarchy(graph))
    graph.__dict__["hierarchy"] = hierarchy  # else it would be built twice
    costs = static_costs(graph)
    metric = customized(graph, make_metric(graph, costs, {}))
    customizing = repeated(lambda: customize(hierarchy, metric.impedance), 10)
    closing = Samples()
    for stretch in random_stretches(graph, CLOSURES, seed):
        closing.measure(
            lambda edges=stretch: updated(graph, metric, with_closed(graph, costs, 1, edges, True), {}, edges)  # type: ignore[misc]
        )
    searcher = Searcher(graph, costs)
    pairs = random_pairs(graph, PAIRS, seed)
    asking = repeated(lambda: searcher.answer(pairs, [metric], [{}]), 3)
    return {
        "order_s": ordering.median_s,
        "arcs": len(hierarchy.head),
        "triangles": len(hierarchy.low_arc),
        "customize_ms": 1e3 * customizing.median_s,
        "closure_ms": 1e3 * closing.median_s,
        "query_us": 1e6 * asking.median_s / PAIRS,
        "path_edges": searcher.mean_edges,
        "graph_bytes": array_bytes(graph),
        "hierarchy_bytes": array_bytes(hierarchy),
        "metric_bytes": array_bytes(metric),
    }


def report_size(size: Size, session: Reporter) -> None:
    """One line a figure; what is counted, for each node."""
    figures = []
    for metric, value in size.values.items():
        if metric in COUNTED:
            figures.append((f"{metric}_per_node", value / size.nodes, unit_of(metric)))
        else:
            figures.append((metric, value, unit_of(metric)))
    session.report(figures, {"graph": size.name, "nodes": size.nodes, "edges": size.edges, "clock": CLOCK})


def unit_of(metric: str) -> str:
    for ending, unit in (("_s", "s"), ("_ms", "ms"), ("_us", "µs")):
        if metric.endswith(ending):
            return unit
    return "bytes" if metric.endswith("bytes") else "1"


def exponent(sizes: Sequence[Size], metric: str) -> float:
    """k of the nodes^k that fits best, by least squares of the logarithms."""
    nodes = np.log([size.nodes for size in sizes])
    values = np.log([size.values[metric] for size in sizes])
    return float(np.polyfit(nodes, values, 1)[0])


def estimates(
    largest: Size, exponents: dict[str, float], what: str, nodes: int
) -> list[tuple[str, float, str]]:
    """What a graph of so many nodes would take, from the largest that was measured on."""
    growth = nodes / largest.nodes
    return [
        (f"{what}_{metric}", largest.values[metric] * growth ** exponents[metric], unit_of(metric))
        for metric in FITTED
    ]
