"""One taste under the costs of one moment: what every edge costs, and the weights of the hierarchy for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from geo.graph import F32, I32, Graph
from geo.routing.costs import Costs, impedance, impedance_of
from geo.routing.customization import Customized, customize, recustomize


@dataclass(frozen=True, eq=False)
class Metric:
    """An impedance for every edge, +inf where closed, and what helps to search on it.

    With weights a search is one climb of the hierarchy; with a floor, an A* that knows what is left at least.
    """

    impedance: F32  # (M,)
    weights: Customized | None = None  # of the graph's hierarchy, for this very impedance
    floor: Metric | None = None  # with weights, and nowhere dearer than this one


def make_metric(graph: Graph, costs: Costs, taste: Mapping[str, float] | F32) -> Metric:
    """The metric of a taste, without weights; raises BadInput for a taste that `costs.weights` refuses."""
    return Metric(impedance(graph, costs, taste))


def customized(graph: Graph, metric: Metric) -> Metric:
    """The metric with weights: milliseconds for a city, which pay after a few searches."""
    if metric.weights is not None:
        return metric
    return Metric(metric.impedance, customize(graph.hierarchy, metric.impedance))


def updated(
    graph: Graph, metric: Metric, costs: Costs, taste: Mapping[str, float] | F32, changed: I32
) -> Metric:
    """The metric under new costs that differ from its own on the `changed` edges only.

    Weights are kept up, at what the changed edges cost; a floor is not. BadInput as `make_metric`.
    """
    values = metric.impedance.copy()
    values[changed] = impedance_of(graph, costs, taste, changed)
    weights = metric.weights
    if weights is not None:
        weights = recustomize(graph.hierarchy, weights, values, changed)
    return Metric(values, weights)


def dearer(metric: Metric, values: F32) -> Metric:
    """A metric of these values (M,), which are nowhere below those of `metric`; searched with its help."""
    return Metric(values, floor=metric if metric.weights is not None else metric.floor)
