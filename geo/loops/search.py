"""Loops for one question (place, home, metric, amount), step by step as `geo.loops.loops` asks for them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from geo.geodesy import to_local
from geo.graph import F64, I32, Graph
from geo.loops.doubles import double_loops
from geo.loops.memory import room_of
from geo.loops.pairs import best_pairs, turning_points
from geo.loops.trees import Climbed, Ends, Streets, grow_tree, slot_amounts
from geo.loops.vias import RINGS, SECTORS, Vias, choose_vias, climb_vias
from geo.loops.ways import (
    Drafts,
    Manners,
    choose_different,
    rate_drafts,
    unpack_pairs,
)
from geo.routing.metric import Metric, customized
from geo.routing.paths import path_of, stretches
from geo.routing.search import Path, Place, SearchSpace, first_piece_cost

REPEAT_COST = 1.5  # the share of a loop on known ground makes it dearer by this many times the share
NEAR_COST = 1.0  # the share that passes close by where the loop has been does, too
MAX_OVERLAP = 0.6  # of two loops that are offered together, on the metres of the later one
SPURS = 1.5  # how much longer than wanted a loop may be before its spurs are cut
DIRECTIONS = 12  # in which loops are looked for
REACH = 1.1  # of the wanted amount: the most pleasant way there and home is not the shortest
SINGLE_ERRORS = (0.4, 0.8)  # relative, of a loop that others are put to; the second if the first gives none

Array = TypeVar("Array", bound=NDArray[np.generic])


@dataclass(frozen=True, slots=True)
class Amount:
    """The wanted amount: metres, or seconds if `is_duration`."""

    wanted: float
    is_duration: bool

    def of(self, path: Path) -> float:
        return path.duration_s if self.is_duration else path.length_m

    def error(self, path: Path) -> float:
        """Relative, never negative."""
        return abs(self.of(path) / self.wanted - 1.0)


class LoopSearch:
    """The ways from `place` to all nodes and from all nodes to `home`, and loops made of them.

    searched: the metric that legs are best under; metric: the one that loops are rated by.
    """

    def __init__(
        self,
        graph: Graph,
        metric: Metric,
        searched: Metric,
        place: Place,
        home: Place,
        space: SearchSpace,
        amount: Amount,
        avoided: I32,
        turn_penalty: float,
    ) -> None:
        self.graph, self.metric, self.place, self.home, self.amount = graph, metric, place, home, amount
        self.room = room = room_of(graph, space)
        room.memory.number[0] += 1
        number = int(room.memory.number[0])
        room.memory.avoided[stretches(graph, avoided)] = number
        values = graph.duration_s if amount.is_duration else graph.length_m
        weights = customized(graph, searched).weights
        assert weights is not None
        slot_amounts(graph.hierarchy, _fixed(weights.via), _fixed(values), room.slot_amount)
        self.climbed = Climbed(
            graph.hierarchy, _fixed(weights.weight), _fixed(weights.via), _fixed(room.slot_amount)
        )
        self.begins, out = _ends(graph, searched, place, values, False, turn_penalty)
        self.ends, home_ends = _ends(graph, searched, home, values, True, 0.0)
        grow_tree(self.climbed, out, 0, room.out)
        grow_tree(self.climbed, home_ends, 1, room.home)
        a, b = graph.tail[place.edge], graph.tail[home.edge]
        middle = (graph.node_lat[a] + graph.node_lat[b]) / 2, (graph.node_lon[a] + graph.node_lon[b]) / 2
        x, y = to_local(graph.node_lat, graph.node_lon, float(middle[0]), float(middle[1]))
        self.streets = Streets(
            _fixed(graph.tail), _fixed(graph.head), _fixed(graph.reverse),
            _fixed(graph.length_m), _fixed(graph.duration_s), _fixed(metric.impedance), _fixed(values),
            x, y,
        )  # fmt: skip
        back = int(graph.reverse[place.edge]) if turn_penalty else -1
        self.manners = Manners(number, back, turn_penalty, REPEAT_COST, NEAR_COST)
        self.both_orders = place != home or turn_penalty != 0.0

    def through_vias(
        self,
        vias: int,
        per_direction: int,
        band: tuple[float, float],
        error: float,
        seed: int,
        *,
        spread: bool = False,
    ) -> Drafts:
        """Loops off the wanted amount by no more than `error` (relative): the best of each direction.

        vias: how many nodes are tried in pairs; band: (low, high) of what it takes to go there and home, as
        shares of the wanted amount; spread: over bearings and distances, else they are drawn without regard.
        """
        return self._through(self.amount, vias, per_direction, band, error, seed, spread)

    def _through(
        self,
        of: Amount,
        vias: int,
        per_direction: int,
        band: tuple[float, float],
        error: float,
        seed: int,
        spread: bool,
    ) -> Drafts:
        wanted, room = of.wanted, self.room
        chosen = room.vias(vias)
        low, high = band[0] * wanted, band[1] * wanted
        per_bin = vias // (SECTORS * RINGS) + 1 if spread else vias
        count = choose_vias(room.via_at, self.streets, room.out, room.home, low, high, per_bin, seed, chosen)
        climb_vias(self.climbed, room.depth, chosen, count)
        pair = np.empty((DIRECTIONS, per_direction, 2), np.int32)
        rating = np.empty((DIRECTIONS, per_direction))
        window = ((1.0 - error) * wanted, (1.0 + error) * wanted, SPURS * (1.0 + error) * wanted)
        best_pairs(
            self.climbed, self.streets, chosen, count, room.depth, room.out, room.home,
            window, self.both_orders, room.memory.stack, pair, rating,
        )  # fmt: skip
        return self._unpacked(chosen, pair[rating < np.inf], cut=True)

    def rounds(
        self, parts: int, turns: int, vias: int, per_direction: int, error: float, seed: int, most: int = 100
    ) -> Drafts:
        """Up to `2 ** turns` loops in a row, as `through_vias`; none where place and home differ.

        parts: a single one is about as long as the wanted amount has it in so many parts.
        """
        if self.place != self.home:
            return draft_of([])
        wanted = self.amount.wanted
        single = Amount(wanted / parts, self.amount.is_duration)
        for off in SINGLE_ERRORS:
            drafts = self._through(single, vias, per_direction, (0.0, 1.0 + off), off, seed, True)
            for turn in range(1, turns):
                some = min(wanted / 2, wanted * 2**turn / parts)
                drafts = all_of([drafts, self._doubled(drafts, some, off / 4, most)])
            drafts = self._doubled(drafts, wanted, error, most)
            if len(drafts.start):
                break
        return drafts

    def _doubled(self, drafts: Drafts, wanted: float, error: float, most: int) -> Drafts:
        amount, rating = self._rated(drafts)
        low, high = (1.0 - error) * wanted, (1.0 + error) * wanted
        doubles: Drafts = double_loops(self.streets, drafts, amount, rating, low, high, most)
        return doubles

    def there_and_back(self, error: float, most: int = 8) -> Drafts:
        """Ways to a node and from there home over what may be the same ground, as `through_vias`."""
        wanted, room = self.amount.wanted, self.room
        low, high = (1.0 - error) * wanted, (1.0 + error) * wanted
        chosen = room.vias(most)
        count = turning_points(room.out, room.home, low, high, chosen.rank)
        pairs = np.repeat(np.arange(count, dtype=np.int32), 2).reshape(-1, 2)
        return self._unpacked(chosen, pairs, cut=False)

    def far_points(self, most: int) -> list[int]:
        """Nodes about half the wanted amount away, in all directions."""
        chosen, wanted = self.room.vias(most), self.amount.wanted
        low, high = 0.2 * wanted, 1.4 * wanted
        count = choose_vias(
            self.room.via_at, self.streets, self.room.out, self.room.home, low, high, 1, 0, chosen
        )
        nodes: list[int] = self.room.via_at[chosen.rank[:count]].tolist()
        return nodes

    def out_of_reach(self) -> I32:
        """Edges that no loop of the wanted amount can pass."""
        out, home = self.room.out, self.room.home
        near = out.amount + home.amount <= REACH * self.amount.wanted
        near &= np.isfinite(out.impedance + home.impedance)
        edges: I32 = np.flatnonzero(~near[self.graph.hierarchy.rank[self.graph.tail]]).astype(np.int32)
        return edges

    def best(self, drafts: Drafts, count: int, error: float) -> list[Path]:
        """The best of the drafts that differ, and are off the wanted amount by no more than `error`."""
        amount, rating = self._rated(drafts)
        good = np.flatnonzero((np.abs(amount / self.amount.wanted - 1.0) <= error) & (rating < np.inf))
        order = good[np.argsort(rating[good], kind="stable")].astype(np.int32)
        chosen = np.empty(count, np.int32)
        found = choose_different(self.streets, drafts, order, MAX_OVERLAP, self.room.memory, chosen)
        return [self._path(drafts, i) for i in chosen[:found].tolist()]

    def nearest(self, drafts: Drafts) -> list[Path]:
        """The one draft whose amount is nearest to what is wanted, if there is any."""
        amount, rating = self._rated(drafts)
        if not (rating < np.inf).any():
            return []
        off = np.where(rating < np.inf, np.abs(amount - self.amount.wanted), np.inf)
        return [self._path(drafts, int(off.argmin()))]

    def _rated(self, drafts: Drafts) -> tuple[F64, F64]:
        amount, rating = np.empty(len(drafts.start)), np.empty(len(drafts.start))
        rate_drafts(self.streets, drafts, self.manners, self.room.memory, amount, rating)
        return amount, rating

    def _unpacked(self, vias: Vias, pairs: I32, cut: bool) -> Drafts:
        room = self.room
        drafts: Drafts = unpack_pairs(
            self.climbed, self.streets.reverse, vias, room.depth, room.out, room.home, pairs,
            self.begins, self.ends, room.memory, cut,
        )  # fmt: skip
        return drafts

    def _path(self, drafts: Drafts, i: int) -> Path:
        edges = drafts.edge[drafts.first[i] : drafts.first[i + 1]].copy()
        return path_of(self.graph, self.metric, edges, float(drafts.start[i]), float(drafts.end[i]))


def draft_of(paths: list[Path]) -> Drafts:
    """Paths that were found elsewhere, as drafts."""
    first = np.zeros(len(paths) + 1, np.int64)
    np.cumsum([len(path.edges) for path in paths], out=first[1:])
    return Drafts(
        first,
        np.concatenate([np.empty(0, np.int32), *(path.edges for path in paths)]),
        np.array([path.start_fraction for path in paths], np.float64),
        np.array([path.end_fraction for path in paths], np.float64),
    )


def all_of(parts: list[Drafts]) -> Drafts:
    """The drafts of all parts, in their order."""
    first = np.zeros(sum(len(part.start) for part in parts) + 1, np.int64)
    np.cumsum(np.concatenate([np.diff(part.first) for part in parts]), out=first[1:])
    edge, start, end = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("edge", "start", "end")
    )
    return Drafts(first, edge, start, end)


def _ends(
    graph: Graph, metric: Metric, place: Place, values: NDArray[np.float32], arriving: bool, penalty: float
) -> tuple[Ends, tuple[tuple[int, float, float], ...]]:
    """The place's two directions, and (node, impedance, amount) at their other ends."""
    edges, fractions, reached = [place.edge] * 2, [place.fraction] * 2, []
    back = int(graph.reverse[place.edge])
    if back >= 0:
        edges[1], fractions[1] = back, 1.0 - place.fraction
    for i, (edge, at) in enumerate(zip(edges, fractions, strict=True)):
        if i == 1 and back < 0:
            cost = math.inf
        elif arriving:
            cost = at * float(metric.impedance[edge]) if at > 0.0 else 0.0
        else:
            cost = first_piece_cost(graph, metric, edge, at, 1.0) + i * penalty
        node = graph.tail[edge] if arriving else graph.head[edge]
        share = at if arriving else 1.0 - at
        reached.append((int(node), cost, share * float(values[edge])))
    return Ends(np.array(edges, np.int32), np.array(fractions)), tuple(reached)


def _fixed(array: Array) -> Array:
    """The array as it cannot be written: else every kernel is compiled for both kinds."""
    view = array.view()
    view.setflags(write=False)
    return view
