"""The metrics of tastes under the network of now, kept as long as they are asked for.

Only a memory: what it gives never depends on what was asked for before. When the conditions change, a metric
that is kept is changed only where they did.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from geo.graph import Graph
from geo.network import Network
from geo.routing.costs import Costs, changed_edges
from geo.routing.metric import Metric, customized, make_metric, updated

KEPT = 64  # metrics: 2.5 MB each for 30,000 nodes once searched on

_Taste = tuple[tuple[str, float], ...]


@dataclass(eq=False, slots=True)
class _Kept:
    graph: Graph
    costs: Costs
    metric: Metric


_kept: OrderedDict[tuple[int, _Taste], _Kept] = OrderedDict()


def metric_of(network: Network, taste: Mapping[str, float]) -> Metric:
    """The metric of a taste under the network's costs; raises BadInput for a taste that cannot be used."""
    return _entry(network, taste).metric


def searchable_metric_of(network: Network, taste: Mapping[str, float]) -> Metric:
    """The same with the weights of the hierarchy."""
    entry = _entry(network, taste)
    entry.metric = customized(network.graph, entry.metric)
    return entry.metric


def _entry(network: Network, taste: Mapping[str, float]) -> _Kept:
    graph, costs = network.graph, network.costs
    key = (id(graph), tuple(sorted(taste.items())))
    entry = _kept.get(key)
    if entry is None or entry.graph is not graph:
        entry = _Kept(graph, costs, make_metric(graph, costs, taste))
        _kept[key] = entry
    elif entry.costs is not costs:
        changed = changed_edges(entry.costs, costs)
        _kept[key] = entry = _Kept(graph, costs, updated(graph, entry.metric, costs, taste, changed))
    _kept.move_to_end(key)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return entry
