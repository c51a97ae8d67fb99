"""One walker's route: from a wish, a place and the network of now to a planned path with its scores.

Pure: the same arguments give the same plan, for a first proposal, after a dislike, and on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from geo.errors import BadInput, NoCandidate
from geo.graph import I32, Graph
from geo.grid import nearest_edges
from geo.loops.loops import loop_remainder
from geo.network import Network
from geo.pace import REFERENCE_MPS
from geo.routing.metric import Metric, dearer
from geo.routing.paths import both_ways, joined, path_of
from geo.routing.scoring import score_routes
from geo.routing.search import Path, Place, SearchSpace, impedances_from, shortest_path
from models.routes.taste_metrics import metric_of, searchable_metric_of

AVOID_PENALTY = 2.5  # by which each stretch of a disliked route becomes dearer
TURN_PENALTY_S = 15.0  # a walker turns round only if that spares more than this
REJOIN_WITHIN_S = 900.0  # impedance of the way back onto a loop
REJOIN_TOLERANCE = 0.15  # of the wanted amount that is left,
REJOIN_SLACK_M = 50.0  # and so much more


@dataclass(frozen=True)
class Wish:
    """What the walker asked for.

    A loop leads from wherever the walker is to `home`, within 5 % of the wanted amount if possible.
    `to` leads to `dest` by the best way; with an amount wanted, by one that takes that much.
    If both length_m and duration_s are given, the duration counts.
    """

    kind: Literal["loop", "to"]
    home: Place
    dest: Place | None
    length_m: float | None
    duration_s: float | None
    taste: Mapping[str, float]


@dataclass(frozen=True)
class Planned:
    """A path and what it holds for the walker."""

    path: Path
    length_m: float
    duration_s: float
    impedance: float
    exposures: Mapping[str, float]  # factor → mean over the walking time, 0..1
    taste: Mapping[str, float]
    version: int  # of the costs it was planned with


class Remaining(NamedTuple):
    """What is left of a route; impedance is +inf where a closed stretch lies ahead."""

    length_m: float
    duration_s: float
    impedance: float


def plan(
    network: Network,
    wish: Wish,
    start: Place,
    *,
    avoid_edges: I32 | None = None,
    walked_m: float = 0.0,
    walked_s: float | None = None,
    heading_edge: int | None = None,
    seed: int = 0,
    space: SearchSpace,
) -> Planned:
    """The best path from `start` (for a reroute: where the walker will be) that fulfils the wish.

    avoid_edges: edges of a route that was disliked; they become dearer both ways, yet can be walked.
    walked_m, walked_s: what the walker has walked of the wanted amount; without walked_s a wanted
        duration is charged for walked_m at the reference pace.
    heading_edge: the edge being walked; if `start` lies on it (or on its reverse), turning round must be
        worth it.
    seed: turns the directions in which loops are tried.
    Raises NoRoute, and BadInput for a wish that cannot be understood or a place outside the graph.
    """
    graph = network.graph
    metric = searchable_metric_of(network, wish.taste)
    turn_penalty = 0.0
    if heading_edge is not None:
        if graph.reverse[start.edge] == heading_edge:
            start = Place(heading_edge, 1.0 - start.fraction)
        if start.edge == heading_edge:
            turn_penalty = TURN_PENALTY_S
    end = end_of(wish)
    length_m, duration_s = _left(wish, walked_m, walked_s)
    if length_m is None and duration_s is None:
        path = _way_to(graph, metric, start, end, space, avoid_edges, turn_penalty)
    else:
        path = loop_remainder(
            graph,
            metric,
            start,
            end,
            space,
            length_m=length_m,
            duration_s=duration_s,
            count=1,
            seed=seed,
            avoid_edges=avoid_edges,
            turn_penalty=turn_penalty,
        )[0]
    return planned(network, wish, [path])[0]


def rejoin(
    network: Network,
    wish: Wish,
    start: Place,
    ahead: Path,
    *,
    walked_m: float = 0.0,
    walked_s: float | None = None,
    heading_edge: int | None = None,
    space: SearchSpace,
) -> Planned | None:
    """The way back onto what is left of a loop: the walker keeps the route that they set out on.

    ahead: what was left of it. The junction to join it at is the one with the least detour that still gives
    the wanted amount; behind the last closed stretch, if there is one. None if no junction is near enough, or
    if the whole would miss the wanted amount by more than about REJOIN_TOLERANCE: then `plan` anew.
    """
    graph = network.graph
    metric = searchable_metric_of(network, wish.taste)
    length_m, duration_s = _left(wish, walked_m, walked_s)
    wanted_m = length_m if length_m is not None else (duration_s or 0.0) * REFERENCE_MPS
    edges = ahead.edges
    closed = np.flatnonzero(np.isinf(metric.impedance[edges]))
    first = int(closed[-1]) + 1 if len(closed) else 1
    if first >= len(edges):
        return None
    lengths = graph.length_m[edges].astype(np.float64)
    lengths[-1] *= ahead.end_fraction
    left_m = np.cumsum(lengths[::-1])[::-1][first:]
    detour_s = impedances_from(graph, metric, start, space)[graph.tail[edges[first:]]]
    detour_s[detour_s > REJOIN_WITHIN_S] = np.inf
    missed_m = np.abs(detour_s * REFERENCE_MPS + left_m - wanted_m)
    tolerance_m = REJOIN_TOLERANCE * wanted_m + REJOIN_SLACK_M
    fits = missed_m <= tolerance_m
    if not fits.any():
        return None
    i = first + int(np.argmin(np.where(fits, detour_s + 0.5 * missed_m / REFERENCE_MPS, np.inf)))
    turn_penalty = TURN_PENALTY_S if heading_edge == start.edge else 0.0
    leg = shortest_path(graph, metric, start, Place(int(edges[i]), 0.0), space, turn_penalty=turn_penalty)
    rest = path_of(graph, metric, edges[i:], 0.0, ahead.end_fraction)
    return planned(network, wish, [joined(graph, metric, [leg, rest])])[0]


def planned(network: Network, wish: Wish, paths: Sequence[Path]) -> list[Planned]:
    """The paths with what they hold for the walker."""
    scores = score_routes(network.graph, network.costs, paths, [wish.taste])
    return [
        Planned(
            path,
            path.length_m,
            path.duration_s,
            path.impedance,
            scores.exposures(i),
            wish.taste,
            network.costs.version,
        )
        for i, path in enumerate(paths)
    ]


def remaining(
    network: Network,
    taste: Mapping[str, float],
    edges: I32,
    index: int,
    fraction: float,
    end_fraction: float = 1.0,
) -> Remaining:
    """What is left of a route for a walker on its `index`-th edge, at `fraction` of it.

    The last edge is walked up to end_fraction. Raises BadInput for a taste that cannot be used.
    """
    ahead = edges[index:]
    if len(ahead) == 0 or (len(ahead) == 1 and fraction >= end_fraction):
        return Remaining(0.0, 0.0, 0.0)
    path = path_of(network.graph, metric_of(network, taste), ahead, fraction, end_fraction)
    return Remaining(path.length_m, path.duration_s, path.impedance)


def snap(graph: Graph, lat: float, lon: float, radius_m: float = 100.0) -> Place:
    """The place on the graph nearest to a point in degrees.

    Raises NoCandidate where none lies within radius_m, BadInput for a point off the Earth.
    """
    near = nearest_edges(graph, lat, lon, radius_m, 1)
    if not near:
        raise NoCandidate(
            f"there is no way within {radius_m:.0f} m of lat {lat:.6f}, lon {lon:.6f}; "
            "choose a place nearer to a street or path of this map"
        )
    return Place(near[0].edge, near[0].fraction)


def end_of(wish: Wish) -> Place:
    """Where the wish ends; raises BadInput for a loop without an amount and a way without a destination."""
    if wish.kind == "loop":
        if wish.length_m is None and wish.duration_s is None:
            raise BadInput("a loop needs a wanted length_m or duration_s, and this wish has neither")
        return wish.home
    if wish.dest is None:
        raise BadInput("a route of kind 'to' needs a destination, and this wish has none")
    return wish.dest


def _left(wish: Wish, walked_m: float, walked_s: float | None) -> tuple[float | None, float | None]:
    """(length_m, duration_s) still wanted: at most one of them, never below 1."""
    if wish.duration_s is not None:
        spent = walked_m / REFERENCE_MPS if walked_s is None else walked_s
        return None, max(1.0, wish.duration_s - spent)
    if wish.length_m is not None:
        return max(1.0, wish.length_m - walked_m), None
    return None, None


def _way_to(
    graph: Graph,
    metric: Metric,
    start: Place,
    end: Place,
    space: SearchSpace,
    avoid_edges: I32 | None,
    turn_penalty: float,
) -> Path:
    if avoid_edges is None or len(avoid_edges) == 0:
        return shortest_path(graph, metric, start, end, space, turn_penalty=turn_penalty)
    np.copyto(space.scratch, metric.impedance)
    space.scratch[both_ways(graph, avoid_edges)] *= np.float32(AVOID_PENALTY)
    avoiding = dearer(metric, space.scratch)
    path = shortest_path(graph, avoiding, start, end, space, turn_penalty=turn_penalty)
    return path_of(graph, metric, path.edges, path.start_fraction, path.end_fraction)
