"""Loops that pass places somebody wants to see.

The order of the places is the one with the least impedance; there are few, so all orders are tried. What the
loop then lacks of the wanted amount is walked between two of the stops, each pair of neighbours in turn.
Where a place lies in a dead end, the way there is walked back: somebody wants to see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations

import numpy as np

from geo.errors import BadInput
from geo.graph import I32, Graph
from geo.loops.loops import loop_remainder, wanted_amount
from geo.loops.search import MAX_OVERLAP, Amount
from geo.routing.metric import Metric, customized
from geo.routing.paths import joined, node_place, shared_m, walked_twice_m
from geo.routing.search import Path, Place, SearchSpace, checked_place, shortest_path

MOST_PLACES = 6
REPEAT_COST = 2.0  # each share of a loop that is walked twice makes it dearer by this many times the share


def loops_through(
    graph: Graph,
    metric: Metric,
    start: Place,
    places: Sequence[Place],
    space: SearchSpace,
    *,
    length_m: float | None = None,
    duration_s: float | None = None,
    count: int = 3,
    tolerance: float = 0.05,
    seed: int = 0,
) -> list[Path]:
    """Up to `count` loops from `start` back to it that pass a junction beside each of the places.

    As `loops`; where the round of the places is already as long as wanted, or longer, it is the only one.
    Raises NoRoute, and BadInput for a bad place or amount, for no place and for more than 6.
    """
    if not 1 <= len(places) <= MOST_PLACES:
        raise BadInput(f"a loop can pass 1 to {MOST_PLACES} places, not {len(places)}")
    amount = wanted_amount(length_m, duration_s)
    metric = customized(graph, metric)
    stops = [checked_place(graph, start), *(_junction(graph, place) for place in places)]
    legs = _least_round(graph, metric, stops, space)
    total = sum(map(amount.of, legs))
    if total >= amount.wanted * (1.0 - tolerance):
        return [joined(graph, metric, legs, cut=False)]
    found = []
    for gap, leg in enumerate(legs):
        others = legs[:gap] + legs[gap + 1 :]
        rest = amount.wanted - (total - amount.of(leg))
        for longer in loop_remainder(
            graph,
            metric,
            _begin(leg),
            _end(leg),
            space,
            length_m=None if amount.is_duration else rest,
            duration_s=rest if amount.is_duration else None,
            count=count,
            tolerance=tolerance * amount.wanted / rest,
            seed=seed + gap,
            avoid_edges=_edges(others),
        ):
            found.append(joined(graph, metric, [*legs[:gap], longer, *legs[gap + 1 :]], cut=False))
    return _best(graph, found, amount, count, tolerance)


def _junction(graph: Graph, place: Place) -> Place:
    """The junction at the nearer end of the place's stretch."""
    edge = checked_place(graph, place).edge
    return node_place(graph, int(graph.tail[edge] if place.fraction < 0.5 else graph.head[edge]))


def _least_round(graph: Graph, metric: Metric, stops: list[Place], space: SearchSpace) -> list[Path]:
    """The legs from the first stop by all others and back, in the order with the least impedance."""
    count = len(stops)
    between = {
        (a, b): shortest_path(graph, metric, stops[a], stops[b], space)
        for a in range(count)
        for b in range(count)
        if a != b
    }
    rounds = ([0, *order, 0] for order in permutations(range(1, count)))
    best = min(rounds, key=lambda order: sum(between[pair].impedance for pair in pairwise(order)))
    return [between[pair] for pair in pairwise(best)]


def _begin(leg: Path) -> Place:
    return Place(int(leg.edges[0]), leg.start_fraction)


def _end(leg: Path) -> Place:
    return Place(int(leg.edges[-1]), leg.end_fraction)


def _edges(legs: Sequence[Path]) -> I32:
    return np.concatenate([np.empty(0, np.int32), *(leg.edges for leg in legs)]).astype(np.int32)


def _best(graph: Graph, found: list[Path], amount: Amount, count: int, tolerance: float) -> list[Path]:
    """The pleasant ones within the tolerance that differ, or else the one that comes nearest."""

    def cost(path: Path) -> float:
        repeated = walked_twice_m(graph, path) / path.length_m
        return path.impedance / path.duration_s * (1.0 + REPEAT_COST * repeated)

    good = [path for path in found if amount.error(path) <= tolerance]
    if not good:
        return [min(found, key=amount.error)]
    kept: list[Path] = []
    for path in sorted(good, key=cost):
        if all(shared_m(graph, path, other) <= MAX_OVERLAP * path.length_m for other in kept):
            kept.append(path)
        if len(kept) == count:
            break
    return kept
