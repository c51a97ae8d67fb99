"""Several proposals for one wish, and what they are compared with.

Pure: the same arguments give the same proposals, whoever asks: the command line, a gateway, a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from geo.errors import BadInput, NoRoute
from geo.graph import I32, Graph
from geo.loops.loops import loop_remainder
from geo.network import Network
from geo.routing.alternatives import alternatives
from geo.routing.costs import COLUMN, DYNAMIC_FACTORS, INDIFFERENT, Costs, apply_conditions
from geo.routing.metric import Metric, dearer
from geo.routing.paths import both_ways, path_of
from geo.routing.scoring import score_routes
from geo.routing.search import Path, Place, SearchSpace, path_coordinates, shortest_path
from models.routes.planning import AVOID_PENALTY, Planned, Wish, end_of, planned
from models.routes.taste_metrics import searchable_metric_of
from models.world.condition_table import darkness

MISSED_SHARE = 0.2  # what is off the wanted amount by more than this is no answer to the wish


@dataclass(frozen=True)
class Yardstick:
    """What proposals are compared with.

    The quickest way to the destination; or, for a loop, the streets around it, which have no path.
    """

    path: Path | None
    exposures: Mapping[str, float]  # factor → mean over the walking time, 0..1


def network_at(graph: Graph, ts: float, closed_edges: I32, version: int = 0) -> Network:
    """The network at a time (epoch seconds) of which no report tells: as dark as it is then, else calm.

    closed_edges are closed both ways; BadInput for one that is not in the graph.
    """
    values = np.full((len(graph.cell_h3), len(DYNAMIC_FACTORS)), np.nan, np.float32)
    values[:, DYNAMIC_FACTORS.index("dark")] = darkness(graph.cell_lat, graph.cell_lon, ts)
    return Network(graph, apply_conditions(graph, version, values, {}, closed_edges, night=False))


def propose(
    network: Network,
    wish: Wish,
    start: Place,
    *,
    count: int = 3,
    avoid_edges: I32 | None = None,
    seed: int = 0,
    space: SearchSpace,
) -> list[Planned]:
    """Up to `count` proposals, the best first, each different enough from those before it; at least one.

    A wish without an amount gets admissible alternatives, one with an amount gets different ways of about
    that length or duration (within 5 % where there are any). avoid_edges: edges of routes that were
    disliked; they become dearer both ways, yet can be walked. seed: turns the directions in which loops are
    tried. Raises NoRoute where there is no way, or none that comes within MISSED_SHARE of the wanted amount,
    and BadInput for a wish that cannot be understood or a place outside the graph.
    """
    if count < 1:
        raise BadInput(f"{count} proposals cannot be made; ask for 1 or more")
    graph, metric, end = network.graph, searchable_metric_of(network, wish.taste), end_of(wish)
    if wish.length_m is None and wish.duration_s is None:
        paths = _ways(graph, metric, start, end, count, avoid_edges, space)
    else:
        paths = loop_remainder(
            graph,
            metric,
            start,
            end,
            space,
            length_m=wish.length_m if wish.duration_s is None else None,
            duration_s=wish.duration_s,
            count=count,
            seed=seed,
            avoid_edges=avoid_edges,
        )
        _check_amount(wish, paths[0])
    return planned(network, wish, paths)


def yardstick(
    network: Network, wish: Wish, start: Place, proposals: Sequence[Planned], *, space: SearchSpace
) -> Yardstick:
    """What the proposals for a wish are compared with; raises as `propose` does."""
    graph = network.graph
    if wish.kind == "to":
        quickest = shortest_path(
            graph, searchable_metric_of(network, INDIFFERENT), start, end_of(wish), space
        )
        return Yardstick(quickest, score_routes(graph, network.costs, [quickest], []).exposures(0))
    around = _edges_around(graph, [one.path for one in proposals])
    return Yardstick(None, _mean_factors(graph, network.costs, around))


def _ways(
    graph: Graph,
    metric: Metric,
    start: Place,
    end: Place,
    count: int,
    avoid_edges: I32 | None,
    space: SearchSpace,
) -> list[Path]:
    if avoid_edges is None or len(avoid_edges) == 0:
        return alternatives(graph, metric, start, end, space, count=count)
    values = metric.impedance.copy()  # not space.scratch: the search for alternatives needs that itself
    values[both_ways(graph, avoid_edges)] *= np.float32(AVOID_PENALTY)
    without_these = dearer(metric, values)
    return [
        path_of(graph, metric, path.edges, path.start_fraction, path.end_fraction)
        for path in alternatives(graph, without_these, start, end, space, count=count)
    ]


def _check_amount(wish: Wish, path: Path) -> None:
    """A path longer than wanted is right where it is the way to a destination: there is none shorter."""
    if wish.duration_s is not None:
        wanted, got, unit = wish.duration_s / 60, path.duration_s / 60, "min"
    else:
        wanted, got, unit = wish.length_m or 0.0, path.length_m, "m"
    too_long = got > (1.0 + MISSED_SHARE) * wanted and wish.kind == "loop"
    if too_long or got < (1.0 - MISSED_SHARE) * wanted:
        raise NoRoute(
            f"there is no way of {wanted:,.0f} {unit} from here, the nearest to it has {got:,.0f} {unit}; "
            "ask for another amount or start elsewhere"
        )


def _edges_around(graph: Graph, paths: Sequence[Path]) -> I32:
    """Edges that begin in the box around the paths."""
    lines = [path_coordinates(graph, path) for path in paths]
    lat, lon = (np.concatenate(parts) for parts in zip(*lines, strict=True))
    inside = (graph.node_lat >= lat.min()) & (graph.node_lat <= lat.max())
    inside &= (graph.node_lon >= lon.min()) & (graph.node_lon <= lon.max())
    found: I32 = np.flatnonzero(inside[graph.tail]).astype(np.int32)
    return found if len(found) else np.concatenate([path.edges for path in paths])


def _mean_factors(graph: Graph, costs: Costs, edges: I32) -> dict[str, float]:
    mean = np.average(costs.factor_rows(edges), axis=0, weights=graph.duration_s[edges])
    return {name: float(mean[column]) for name, column in COLUMN.items()}
