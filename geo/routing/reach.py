"""What can be walked to in a given time: seconds to every junction, and the stretches within reach."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from geo.graph import F64, I32, Graph
from geo.routing.costs import INDIFFERENT, Costs
from geo.routing.metric import Metric, customized, make_metric
from geo.routing.search import Place, SearchSpace, first_piece_cost, impedances_from


class Reach(NamedTuple):
    """Pieces of stretches, each walked from `begin` to `end` (0..1 of its length).

    Of the place's own stretch it is the longer piece, if it can be reached from behind too.
    """

    edges: I32  # (n,) ascending, each once
    begin: F64  # (n,) 0 but on the place's own stretch
    end: F64  # (n,)


def time_metric(graph: Graph, costs: Costs) -> Metric:
    """The metric in which a stretch costs its walking time, +inf where it is closed; with weights."""
    return customized(graph, make_metric(graph, costs, INDIFFERENT))


def reach(graph: Graph, metric: Metric, place: Place, within_s: float, space: SearchSpace) -> Reach:
    """All that can be walked from a place within so many seconds: the ground of an isochrone.

    metric: of `time_metric`. Raises BadInput for a place outside the graph.
    """
    left_s = within_s - impedances_from(graph, metric, place, space)[graph.tail]
    whole_s = np.maximum(metric.impedance, 1e-9)
    passable = np.isfinite(whole_s) & (left_s > 0.0)
    end = np.zeros(graph.edge_count)
    end[passable] = np.minimum(1.0, left_s[passable] / whole_s[passable])
    begin = np.zeros(graph.edge_count)
    back = int(graph.reverse[place.edge])
    for edge, at in ((place.edge, place.fraction), (back, 1.0 - place.fraction)):
        if edge < 0:
            continue
        rest_s = first_piece_cost(graph, metric, edge, at, 1.0)
        ahead = 1.0 - at if rest_s <= within_s else (1.0 - at) * within_s / rest_s
        if ahead > end[edge]:
            begin[edge], end[edge] = at, at + ahead
    edges: I32 = np.flatnonzero(end > begin).astype(np.int32)
    return Reach(edges, begin[edges], end[edges])
