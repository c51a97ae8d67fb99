"""One taste under the costs of one moment: what every edge costs, and the weights of the hierarchy for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from geo.costs import Costs, impedance, impedance_of
from geo.customization import Customized, customize, recustomize
from geo.graph import F32, I32, Graph
from geo.search_kernels import least_per_m


@dataclass(frozen=True, eq=False)
class Metric:
    """An impedance for every edge, +inf where closed, and what helps to search on it.

    The weights make a search one climb of the hierarchy. Without them it is an A*, whose lower bounds come
    from the weights of the floor, or else from the straight line and `min_per_m`.
    """

    impedance: F32  # (M,)
    min_per_m: float  # no metre costs less
    weights: Customized | None = None  # of the graph's hierarchy, for this very impedance
    floor: Metric | None = None  # with weights, and nowhere dearer than this one


def make_metric(graph: Graph, costs: Costs, taste: Mapping[str, float] | F32) -> Metric:
    """The metric of a taste, without weights; raises BadInput for a taste that `costs.weights` refuses."""
    values = impedance(graph, costs, taste)
    return Metric(values, float(least_per_m(values, graph.length_m)))


def customized(graph: Graph, metric: Metric) -> Metric:
    """The metric with weights: milliseconds for a city, which pay after a few searches."""
    if metric.weights is not None:
        return metric
    weights = customize(graph.hierarchy, metric.impedance)
    return Metric(metric.impedance, metric.min_per_m, weights)


def updated(
    graph: Graph, metric: Metric, costs: Costs, taste: Mapping[str, float] | F32, changed: I32
) -> Metric:
    """The metric under new costs that differ from its own on the `changed` edges only.

    Weights are kept up, at what the changed edges cost; a floor is not. BadInput as `make_metric`.
    """
    values = metric.impedance.copy()
    values[changed] = impedance_of(graph, costs, taste, changed)
    least = float(least_per_m(values[changed], graph.length_m[changed])) if len(changed) else np.inf
    weights = metric.weights
    if weights is not None:
        weights = recustomize(graph.hierarchy, weights, values, changed)
    return Metric(values, min(metric.min_per_m, least), weights)


def dearer(metric: Metric, values: F32) -> Metric:
    """A metric of these values (M,), which are nowhere below those of `metric`; searched with its help."""
    return Metric(values, metric.min_per_m, floor=metric if metric.weights is not None else metric.floor)
