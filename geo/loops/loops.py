"""Loops of a wanted length or duration, and ways home that still have some to walk.

A loop leads from the place to one via node, to another, and home; each leg is a way of least impedance. One
to all over the hierarchy gives the first and the last leg of every node, and what they amount to. So
thousands of pairs of vias are told by the amount of their loop, and only the best of every direction are
looked at edge by edge. Of those the pleasant, short-of-repetition and different ones are kept. (Gemsa, Pajor,
Wagner, Zündorf, "Efficient computation of jogging routes", SEA 2013, take two vias, too, and show how good
such loops can be.) Where that gives nothing good, the way back is searched on a metric on which the way out
is dearer, and two smaller loops are put together; where there are no loops, the way back is the way out.
"""

from __future__ import annotations

import math

import numpy as np

from geo.errors import BadInput, NoRoute
from geo.graph import F32, I32, Graph
from geo.loops.search import Amount, LoopSearch, all_of, draft_of
from geo.loops.ways import Drafts
from geo.routing.metric import Metric, customized, dearer
from geo.routing.paths import both_ways, joined, node_place, path_of, walked_twice_m
from geo.routing.search import Path, Place, SearchSpace, checked_place, shortest_path

AVOID_PENALTY = 4.0  # what is to be avoided is dearer by this
WALKED_PENALTY = 4.0  # so is the way out, for a way back that is searched by itself
BAND = (0.35, 0.92)  # there and home again, as a share of the wanted amount, of the vias that are tried first
VIAS, PER_DIRECTION = 80, 6
MORE_VIAS, MORE_PER_DIRECTION = 116, 12  # where that is not enough
REPEATS_MUCH = 0.2  # of its length
FAR_POINTS = 8
MORE_ROUNDS = ((4, 2), (4, 3))  # parts and turns, on a small island
FURTHER_OFF = (0.2, 0.5, 1e6)  # relative errors that are looked for, one after the other, where nothing fits
BLENDS = 4


def loops(
    graph: Graph,
    metric: Metric,
    start: Place,
    space: SearchSpace,
    *,
    length_m: float | None = None,
    duration_s: float | None = None,
    count: int = 3,
    tolerance: float = 0.05,
    seed: int = 0,
    avoid_edges: I32 | None = None,
) -> list[Path]:
    """Up to `count` loops from `start` back to it, the best first, none much like another.

    Exactly one of length_m and duration_s is wanted; loops outside of `tolerance` (relative) come only
    where there are none within. `seed` chooses the vias; the same arguments give the same loops.
    `avoid_edges` are made dearer both ways, as if walked before.
    Raises NoRoute where no loop leads anywhere, BadInput for a bad place or amount.
    """
    return loop_remainder(
        graph,
        metric,
        start,
        start,
        space,
        length_m=length_m,
        duration_s=duration_s,
        count=count,
        tolerance=tolerance,
        seed=seed,
        avoid_edges=avoid_edges,
    )


def loop_remainder(
    graph: Graph,
    metric: Metric,
    place: Place,
    home: Place,
    space: SearchSpace,
    *,
    length_m: float | None = None,
    duration_s: float | None = None,
    count: int = 3,
    tolerance: float = 0.05,
    seed: int = 0,
    avoid_edges: I32 | None = None,
    turn_penalty: float = 0.0,
) -> list[Path]:
    """Up to `count` ways from `place` to `home` of the wanted length or duration; otherwise as `loops`.

    Where the best way home is as long as wanted, it is the only one; where it is longer, the best that is
    not; where all are longer, the best way home. `turn_penalty` is held against setting out over the reverse
    of the place's edge, as in `shortest_path`.
    """
    amount = wanted_amount(length_m, duration_s)
    metric = customized(graph, metric)
    direct = None
    if checked_place(graph, place) != home:
        direct = shortest_path(graph, metric, place, home, space, turn_penalty=turn_penalty)
        if amount.error(direct) <= tolerance:
            return [direct]
        if amount.of(direct) > amount.wanted:
            return [_shortened(graph, metric, place, home, space, amount, tolerance, turn_penalty) or direct]
    avoided = np.empty(0, np.int32) if avoid_edges is None else both_ways(graph, np.asarray(avoid_edges))
    searched = metric
    if len(avoided):
        values = metric.impedance.copy()
        values[avoided] *= np.float32(AVOID_PENALTY)
        searched = customized(graph, Metric(values))
    search = LoopSearch(graph, metric, searched, place, home, space, amount, avoided, turn_penalty)
    band = BAND if direct is None else _band_beyond(amount.of(direct) / amount.wanted)
    seeds = np.random.default_rng(seed).integers(2**31, size=3).tolist()
    drafts = search.through_vias(VIAS, PER_DIRECTION, band, tolerance, seeds[0], spread=True)
    found = search.best(drafts, count, tolerance)
    if len(found) == count:
        return found
    effort = MORE_VIAS, MORE_PER_DIRECTION
    drafts = all_of([drafts, search.through_vias(*effort, (0.0, 1.0 + tolerance), tolerance, seeds[1])])
    found = search.best(drafts, count, tolerance)
    if _repeats_much(graph, found):
        drafts = all_of([drafts, search.rounds(2, 1, VIAS, MORE_PER_DIRECTION, tolerance, seeds[2])])
        found = search.best(drafts, count, tolerance)
    if _repeats_much(graph, found):
        drafts = all_of([drafts, _ways_back(search, searched, space)])
        found = search.best(drafts, count, tolerance)
    if not found:
        found = search.best(search.there_and_back(tolerance), count, tolerance)
    for parts, turns in MORE_ROUNDS:
        if found:
            break
        found = search.best(
            search.rounds(parts, turns, VIAS, MORE_PER_DIRECTION, tolerance, seeds[2]), count, tolerance
        )
    for error in FURTHER_OFF:
        if found:
            break
        drafts = search.through_vias(VIAS, MORE_PER_DIRECTION, (0.0, 1.0 + error), error, seeds[0])
        found = search.nearest(drafts)
    if direct is not None and not (found and amount.error(found[0]) < amount.error(direct)):
        found = [direct]
    if not found:
        raise NoRoute(
            f"no loop of {amount.wanted:.0f} {'s' if amount.is_duration else 'm'} leads from edge "
            f"{place.edge} anywhere on foot; ask for another length or start elsewhere"
        )
    return found


def wanted_amount(length_m: float | None, duration_s: float | None) -> Amount:
    """The one that is given; raises BadInput for both or neither, and for what is not positive."""
    if (length_m is None) == (duration_s is None):
        raise BadInput("a loop needs either length_m or duration_s, and not both")
    amount = length_m if length_m is not None else duration_s
    if amount is None or not 0.0 < amount < math.inf:
        raise BadInput(f"a loop of {amount} cannot be walked; the length or duration must be positive")
    return Amount(amount, length_m is None)


def _band_beyond(direct: float) -> tuple[float, float]:
    """The band for a way home that takes this share of the wanted amount."""
    low, high = BAND
    return direct + low * (1.0 - direct), direct + high * (1.0 - direct)


def _repeats_much(graph: Graph, found: list[Path]) -> bool:
    """Whether the best loop, if any, walks so much twice that other kinds of loops are worth a search."""
    return not found or walked_twice_m(graph, found[0]) > REPEATS_MUCH * found[0].length_m


def _ways_back(search: LoopSearch, searched: Metric, space: SearchSpace) -> Drafts:
    """Loops whose way back is not the best one, but one that keeps off the way out."""
    graph, metric, place, home = search.graph, search.metric, search.place, search.home
    paths = []
    values = searched.impedance.copy()
    values[search.out_of_reach()] = np.inf
    for node in search.far_points(FAR_POINTS):
        via = node_place(graph, node)
        try:
            out = shortest_path(graph, searched, place, via, space, turn_penalty=search.manners.turn_penalty)
            np.copyto(space.scratch, values)
            space.scratch[both_ways(graph, out.edges)] *= np.float32(WALKED_PENALTY)
            back = shortest_path(graph, dearer(searched, space.scratch), via, home, space)
        except NoRoute:
            continue
        paths.append(joined(graph, metric, [out, back]))
    return draft_of(paths)


def _shortened(
    graph: Graph,
    metric: Metric,
    place: Place,
    home: Place,
    space: SearchSpace,
    amount: Amount,
    tolerance: float,
    turn_penalty: float,
) -> Path | None:
    """A pleasant way home that is not longer than wanted, None where even the shortest is.

    Between the pleasant way and the short one lie those of blended metrics: Lagrange's relaxation, as each is
    the most pleasant of its amount.
    """
    values = graph.duration_s if amount.is_duration else graph.length_m
    open_ = np.isfinite(metric.impedance)
    per_unit = float(metric.impedance[open_].sum(dtype=np.float64)) / max(float(values[open_].sum()), 1e-9)

    def blended(share: float) -> Path:
        mixed: F32 = metric.impedance.copy()
        mixed[open_] *= np.float32(1.0 - share)
        mixed[open_] += np.float32(share * per_unit) * values[open_]
        blend = customized(graph, Metric(mixed))
        path = shortest_path(graph, blend, place, home, space, turn_penalty=turn_penalty)
        return path_of(graph, metric, path.edges, path.start_fraction, path.end_fraction)

    most = (1.0 + tolerance) * amount.wanted
    best = blended(1.0)
    if amount.of(best) > most:
        return None
    low, high = 0.0, 1.0
    for _ in range(BLENDS):
        middle = (low + high) / 2
        path = blended(middle)
        if amount.of(path) <= most:
            best, high = path, middle
        else:
            low = middle
    return best
