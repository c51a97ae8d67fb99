"""Walks whose truth is known: where somebody really was on the graph, or beside it, at every moment.

A walk goes from place to place by the best way of a drawn taste, as people do who have somewhere to go. Now
and then the walker turns round amid a street and goes back a little, or crosses a place where the graph has
no street: straight from one street to another, through parks, squares, courtyards (and blocks: the graph
does not know houses). Pace, its variation and the stops are those of the real walks
(`models.simulation.walkers`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.rig.draws import edges_of_largest_component, random_tastes
from geo.errors import BadInput, NoRoute
from geo.geodesy import haversine_m
from geo.graph import F64, I32, Graph
from geo.grid import nearest_edges
from geo.routing.costs import static_costs
from geo.routing.metric import Metric, customized, make_metric
from geo.routing.search import Path, Place, SearchSpace, shortest_path
from models.simulation.walkers import Pace, walk

NEAREST_LEG_M, FARTHEST_LEG_M = 150.0, 700.0
TURN_SHARE, CROSSING_SHARE = 0.2, 0.35  # of the legs
BACK_M = 20.0, 120.0
CROSSING_M = 60.0, 200.0
CLEAR_M, WELL_CLEAR_M = 10.0, 20.0  # a crossing leads so far from every street mostly, and in its middle
_TRIES, _TASTES = 3_000, 4


@dataclass(frozen=True)
class Piece:
    """A stretch of a walk: a part of a directed edge, or a straight line off the network (edge -1)."""

    edge: int
    start: float  # fraction of the edge's length
    end: float
    lat: F64  # (k,) degrees, both ends included
    lon: F64

    @cached_property
    def length_m(self) -> float:
        return float(haversine_m(self.lat[:-1], self.lon[:-1], self.lat[1:], self.lon[1:]).sum())


@dataclass(frozen=True)
class Truth:
    """Where the walker truly was at n moments."""

    ts: F64
    lat: F64
    lon: F64
    edge: I32  # directed, -1 off the network
    fraction: F64  # of the edge's length

    @property
    def off_network(self) -> NDArray[np.bool_]:
        return self.edge < 0


@dataclass(frozen=True)
class KnownWalk:
    """One walk, known every second."""

    pieces: tuple[Piece, ...]
    ts: F64  # (n,) whole seconds from 0
    along_m: F64
    lat: F64
    lon: F64

    @cached_property
    def begin_m(self) -> F64:
        """(pieces + 1,) metres walked before each piece."""
        return np.concatenate(([0.0], np.cumsum([piece.length_m for piece in self.pieces])))

    @property
    def length_m(self) -> float:
        return float(self.begin_m[-1])

    def at(self, ts: F64) -> Truth:
        """The truth at these moments, between the first and the last second of the walk."""
        along = np.interp(ts, self.ts, self.along_m)
        number = np.clip(np.searchsorted(self.begin_m, along, side="right") - 1, 0, len(self.pieces) - 1)
        share = (along - self.begin_m[number]) / np.maximum(np.diff(self.begin_m)[number], 1e-9)
        start = np.array([piece.start for piece in self.pieces])[number]
        end = np.array([piece.end for piece in self.pieces])[number]
        edge = np.array([piece.edge for piece in self.pieces], np.int32)[number]
        lat, lon = np.interp(ts, self.ts, self.lat), np.interp(ts, self.ts, self.lon)
        return Truth(ts, lat, lon, edge, start + np.clip(share, 0.0, 1.0) * (end - start))


def known_walks(graph: Graph, pace: Pace, count: int, length_m: float, seed: int) -> list[KnownWalk]:
    """`count` walks of at least `length_m`; the same seed gives the same walks.

    Raises BadInput for no walks and for a graph on which nobody gets that far.
    """
    if count < 1:
        raise BadInput(f"walks is {count}, it must be 1 or more")
    rng = np.random.default_rng(seed)
    planner = _Planner(graph, rng)
    walks = []
    for number in range(count):
        pieces = planner.plan(length_m)
        lat = np.concatenate([pieces[0].lat[:1], *(piece.lat[1:] for piece in pieces)])
        lon = np.concatenate([pieces[0].lon[:1], *(piece.lon[1:] for piece in pieces)])
        walked = walk(lat, lon, pace, seed * 10_007 + number)
        whole = slice(0, len(walked.ts) - 1)  # the last moment is no whole second
        walks.append(
            KnownWalk(
                tuple(pieces), walked.ts[whole], walked.along_m[whole], walked.lat[whole], walked.lon[whole]
            )
        )
    return walks


class _Planner:
    """Draws the ways of walks on one graph."""

    def __init__(self, graph: Graph, rng: np.random.Generator) -> None:
        self.graph = graph
        self.rng = rng
        self.space = SearchSpace(graph)
        costs = static_costs(graph)
        tastes = [{}, *random_tastes(_TASTES - 1, int(rng.integers(1 << 31)))]
        self.metrics = [customized(graph, make_metric(graph, costs, taste)) for taste in tastes]
        self.edges = edges_of_largest_component(graph)
        length = np.asarray(graph.length_m)[self.edges].astype(np.float64)
        self.weight = length / length.sum()
        points = [point_at(graph, int(edge), 0.5) for edge in self.edges]
        self.lat, self.lon = np.array(points).T
        self.crossings = self._find_crossings()

    def plan(self, length_m: float) -> list[Piece]:
        """The pieces of one walk."""
        metric = self.metrics[int(self.rng.integers(len(self.metrics)))]
        edge = int(self.rng.choice(self.edges, p=self.weight))
        pieces: list[Piece] = []
        here = Place(edge, float(self.rng.random()))
        used: set[int] = set()
        walked_m = 0.0
        for _ in range(_TRIES):
            if walked_m >= length_m:
                return pieces
            leg = self._leg(metric, here, used)
            leg = [piece for piece in leg if piece.length_m > 0]
            if leg:
                pieces += leg
                walked_m += sum(piece.length_m for piece in leg)
                here = Place(leg[-1].edge, leg[-1].end)
                if here.edge < 0:
                    here = self._landing
        raise BadInput(f"no walk of {length_m:.0f} m was found on the graph: use a larger one")

    def _leg(self, metric: Metric, here: Place, used: set[int]) -> list[Piece]:
        lat, lon = point_at(self.graph, here.edge, here.fraction)
        if len(self.crossings) and self.rng.random() < CROSSING_SHARE:
            starts = np.array([begin for begin, _, _ in self.crossings])
            far_m = haversine_m(lat, lon, self.start_lat, self.start_lon)
            far_m[list(used)] = np.inf
            number = int(np.argmin(far_m))
            if far_m[number] < FARTHEST_LEG_M:
                used.add(number)
                _, self._landing, straight = self.crossings[number]
                way = self._way(metric, here, starts[number])
                return [*way, straight] if way else []
        far_m = haversine_m(lat, lon, self.lat, self.lon)
        near = np.flatnonzero((far_m > NEAREST_LEG_M) & (far_m < FARTHEST_LEG_M))
        if len(near) == 0:
            near = np.arange(len(self.edges))
        there = Place(int(self.edges[int(self.rng.choice(near))]), float(self.rng.random()))
        way = self._way(metric, here, there)
        return self._turn(way) if self.rng.random() < TURN_SHARE else way

    def _way(self, metric: Metric, here: Place, there: Place) -> list[Piece]:
        try:
            path = shortest_path(self.graph, metric, here, there, self.space)
        except NoRoute:
            return []
        return path_pieces(self.graph, path)

    def _turn(self, way: list[Piece]) -> list[Piece]:
        """Go a part of the way, then turn and go back some metres."""
        if not way:
            return way
        ahead = way[: int(self.rng.integers(len(way))) + 1]
        last = ahead[-1]
        stop = last.start + float(self.rng.random()) * (last.end - last.start)
        ahead[-1] = edge_piece(self.graph, last.edge, last.start, stop)
        left_m = float(self.rng.uniform(*BACK_M))
        back: list[Piece] = []
        for piece in reversed(ahead):
            reverse = int(self.graph.reverse[piece.edge])
            if left_m <= 0 or reverse < 0:
                break
            share = min(1.0, left_m / max(piece.length_m, 1e-9))
            end = piece.end - share * (piece.end - piece.start)
            back.append(edge_piece(self.graph, reverse, 1.0 - piece.end, 1.0 - end))
            left_m -= piece.length_m
        return ahead + back

    def _find_crossings(self) -> list[tuple[Place, Place, Piece]]:
        """Straight lines from street to street that keep off all others for the most part."""
        found = []
        for edge in self.rng.choice(self.edges, _TRIES, p=self.weight):
            begin = Place(int(edge), float(self.rng.random()))
            lat, lon = point_at(self.graph, begin.edge, begin.fraction)
            angle, far_m = self.rng.uniform(0, 2 * np.pi), self.rng.uniform(*CROSSING_M)
            shift = np.degrees(far_m / 6_371_008.8)
            there = nearest_edges(
                self.graph,
                lat + shift * np.cos(angle),
                lon + shift * np.sin(angle) / np.cos(np.radians(lat)),
                25.0,
                1,
            )
            if not there or not self._clear((lat, lon), (there[0].lat, there[0].lon)):
                continue
            line = np.array([[lat, lon], [there[0].lat, there[0].lon]])
            piece = Piece(-1, 0.0, 0.0, line[:, 0], line[:, 1])
            found.append((begin, Place(there[0].edge, there[0].fraction), piece))
        self.start_lat = np.array([piece.lat[0] for _, _, piece in found])
        self.start_lon = np.array([piece.lon[0] for _, _, piece in found])
        return found

    def _clear(self, begin: tuple[float, float], end: tuple[float, float]) -> bool:
        middle = self._at_share(begin, end, 0.5)
        if nearest_edges(self.graph, *middle, WELL_CLEAR_M, 1):
            return False
        shares = np.linspace(0.1, 0.9, 9)
        clear = [not nearest_edges(self.graph, *self._at_share(begin, end, s), CLEAR_M, 1) for s in shares]
        return float(np.mean(clear)) >= 0.7

    @staticmethod
    def _at_share(begin: tuple[float, float], end: tuple[float, float], share: float) -> tuple[float, float]:
        return begin[0] + share * (end[0] - begin[0]), begin[1] + share * (end[1] - begin[1])


def path_pieces(graph: Graph, path: Path) -> list[Piece]:
    """The pieces of a path, its first and last edge as far as they are walked."""
    edges = path.edges.tolist()
    last = len(edges) - 1
    return [
        edge_piece(
            graph, edge, path.start_fraction if k == 0 else 0.0, path.end_fraction if k == last else 1.0
        )
        for k, edge in enumerate(edges)
    ]


def edge_piece(graph: Graph, edge: int, start: float, end: float) -> Piece:
    """The part of an edge between two fractions of its length, start <= end."""
    lat, lon, run = _shape(graph, edge)
    inside = (run > start * run[-1]) & (run < end * run[-1])
    at = np.concatenate(([start * run[-1]], run[inside], [end * run[-1]]))
    return Piece(edge, start, end, np.interp(at, run, lat), np.interp(at, run, lon))


def point_at(graph: Graph, edge: int, fraction: float) -> tuple[float, float]:
    """Latitude and longitude of a place on an edge."""
    lat, lon, run = _shape(graph, edge)
    at = fraction * run[-1]
    return float(np.interp(at, run, lat)), float(np.interp(at, run, lon))


def _shape(graph: Graph, edge: int) -> tuple[F64, F64, F64]:
    """Points of an edge, and metres from its tail to each."""
    first, last = graph.shape_first[edge], graph.shape_first[edge + 1]
    lat, lon = np.asarray(graph.shape_lat[first:last]), np.asarray(graph.shape_lon[first:last])
    return lat, lon, np.append(0.0, np.cumsum(haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])))
