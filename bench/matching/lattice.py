"""Where the oracle looks for a walker: cells along all streets near the walk, and squares between them.

A state is a street cell of about a metre with the direction of its edge, or a square of three metres with
one of eight directions, either moving or standing. Time goes in half seconds. In each a moving walker goes
on to the next cell or stays, such that the mean pace is right; that spreads about as much as paces vary. At
a junction every way but back may be taken, the straighter ones rather.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.matching.walks import KnownWalk
from geo.geodesy import to_local
from geo.graph import F64, I32, I64, Graph

CELL_M, SQUARE_M, TILE_M = 1.0, 3.0, 30.0
STEP_S = 0.5
LOOK_M = 10.0  # over which a direction is told
EIGHT = np.array([[0, 1], [1, 1], [1, 0], [1, -1], [0, -1], [-1, -1], [-1, 0], [-1, 1]])  # east, north


@dataclass(frozen=True)
class Habits:
    """How the walkers really behave: rates a second, of those in the state that is left."""

    pace_mps: float
    stop: float
    start: float  # of those who stand
    turn: float
    leave: float
    join: float  # of those in a square that a street passes
    straight: float  # a way that bends by b degrees at a junction is chosen exp(-straight b) as often
    bend: float = 0.3  # off the network, by 45 degrees: a straight line across squares is a zigzag


@dataclass(frozen=True)
class Links:
    """Transitions out of n states: those of state s are first[s] .. first[s + 1]."""

    first: I64
    to: I32
    share: NDArray[np.float32]


@dataclass(frozen=True)
class Lattice:
    """The states near one walk: S moving ones, cells first, and from S on the same ones standing."""

    lat0: float
    lon0: float
    x: F64  # (S,) metres east of lat0, lon0
    y: F64
    edge: I32  # (S,) directed, -1 off the network
    fraction: F64  # (S,)
    weight: F64  # (S,) metres of street, 0 off the network
    move: Links  # (2 S,) in half a second
    rare: Links  # (2 S,) in a second: turning round, leaving and joining the network


def build_lattice(
    graph: Graph, bearing: Bearings, walk: KnownWalk, habits: Habits, reach_m: float
) -> Lattice:
    """All states within about `reach_m` of where the walker ever is."""
    lat0, lon0 = float(walk.lat[0]), float(walk.lon[0])
    tiles = _tiles_near(*to_local(walk.lat, walk.lon, lat0, lon0), reach_m)
    cells = _street_cells(graph, lat0, lon0, tiles)
    squares, number = _squares(tiles)
    c, s = len(cells.edge), len(cells.edge) + 8 * len(squares)
    middle = (squares + 0.5) * SQUARE_M
    inside = _numbers(np.floor(np.column_stack((cells.x, cells.y)) / SQUARE_M).astype(np.int64), number)
    move, rare = _Pairs(), _Pairs()
    _link_cells(graph, bearing, cells, habits, inside, move, rare)
    _link_squares(squares, number, habits, inside, move, rare)
    moving = np.arange(s)
    move.add(moving, moving + s, habits.stop * STEP_S)
    move.add(moving + s, moving, habits.start * STEP_S)
    return Lattice(
        lat0,
        lon0,
        np.concatenate((cells.x, np.repeat(middle[:, 0], 8))),
        np.concatenate((cells.y, np.repeat(middle[:, 1], 8))),
        np.concatenate((cells.edge, np.full(s - c, -1, np.int32))),
        np.concatenate((cells.fraction, np.zeros(s - c))),
        np.concatenate((cells.length_m, np.zeros(s - c))),
        move.links(2 * s),
        rare.links(2 * s),
    )


@dataclass(frozen=True)
class _Cells:
    """Cells of directed edges, in the order of edges and along them."""

    edge: I32
    fraction: F64
    length_m: F64
    x: F64
    y: F64
    first: dict[int, int]  # an edge's first cell; all of an edge is here, or nothing
    count: dict[int, int]


class _Pairs:
    """Transitions as they are found."""

    def __init__(self) -> None:
        self.from_: list[NDArray[np.int64]] = []
        self.to: list[NDArray[np.int64]] = []
        self.share: list[F64] = []

    def add(self, from_: NDArray[np.int64], to: NDArray[np.int64], share: float | F64) -> None:
        """Of the mass in `from_`, that share goes to `to`; a target of -1 is dropped."""
        real = to >= 0
        self.from_.append(from_[real])
        self.to.append(to[real])
        self.share.append(np.broadcast_to(np.asarray(share, np.float64), from_.shape)[real])

    def links(self, states: int) -> Links:
        """As one table; whatever does not go anywhere stays."""
        from_, to = np.concatenate(self.from_), np.concatenate(self.to)
        share = np.concatenate(self.share)
        every = np.arange(states)
        stays = np.maximum(0.0, 1.0 - np.bincount(from_, share, states))
        from_, to = np.concatenate((every, from_)), np.concatenate((every, to))
        share = np.concatenate((stays, share))
        order = np.argsort(from_, kind="stable")
        first = np.concatenate(([0], np.cumsum(np.bincount(from_, minlength=states))))
        return Links(first.astype(np.int64), to[order].astype(np.int32), share[order].astype(np.float32))


def _tiles_near(x: F64, y: F64, reach_m: float) -> set[tuple[int, int]]:
    span = int(np.ceil(reach_m / TILE_M))
    here = np.unique(np.floor(np.column_stack((x, y)) / TILE_M).astype(np.int64), axis=0)
    grid = np.mgrid[-span : span + 1, -span : span + 1].reshape(2, -1).T
    near = np.unique((here[:, None, :] + grid[None, :, :]).reshape(-1, 2), axis=0)
    return set(map(tuple, near.tolist()))


def _street_cells(graph: Graph, lat0: float, lon0: float, tiles: set[tuple[int, int]]) -> _Cells:
    x, y = to_local(graph.shape_lat, graph.shape_lon, lat0, lon0)
    tile = np.floor(np.column_stack((x, y)) / TILE_M).astype(np.int64)
    box = np.array(sorted(tiles))
    low, high = box.min(axis=0) - 2, box.max(axis=0) + 2
    owner = np.repeat(np.arange(graph.edge_count), np.diff(graph.shape_first))
    edges = np.unique(owner[((tile >= low) & (tile <= high)).all(axis=1)])
    columns: list[list[F64]] = [[], [], [], [], []]
    first: dict[int, int] = {}
    count: dict[int, int] = {}
    total = 0
    for edge in edges.tolist():
        shape = slice(graph.shape_first[edge], graph.shape_first[edge + 1])
        ex, ey = x[shape], y[shape]
        run = np.append(0.0, np.cumsum(np.hypot(np.diff(ex), np.diff(ey))))
        n = max(1, round(float(run[-1]) / CELL_M))
        at = (np.arange(n) + 0.5) / n
        cx, cy = np.interp(at * run[-1], run, ex), np.interp(at * run[-1], run, ey)
        inside = [
            (int(a), int(b)) in tiles
            for a, b in zip(np.floor(cx / TILE_M), np.floor(cy / TILE_M), strict=True)
        ]
        if not any(inside):
            continue
        length = np.full(n, max(float(run[-1]) / n, 0.05))
        for column, values in zip(columns, (np.full(n, float(edge)), at, length, cx, cy), strict=True):
            column.append(values)
        first[edge], count[edge] = total, n
        total += n
    joined = [np.concatenate(column) if column else np.zeros(0) for column in columns]
    edge_of, fraction, length_m, cell_x, cell_y = joined
    return _Cells(edge_of.astype(np.int32), fraction, length_m, cell_x, cell_y, first, count)


def _squares(tiles: set[tuple[int, int]]) -> tuple[NDArray[np.int64], dict[tuple[int, int], int]]:
    per = round(TILE_M / SQUARE_M)
    grid = np.mgrid[0:per, 0:per].reshape(2, -1).T
    squares = (np.array(sorted(tiles))[:, None, :] * per + grid[None, :, :]).reshape(-1, 2)
    return squares, {pair: k for k, pair in enumerate(map(tuple, squares.tolist()))}


def _numbers(squares: NDArray[np.int64], number: dict[tuple[int, int], int]) -> NDArray[np.int64]:
    return np.array([number.get((a, b), -1) for a, b in squares.tolist()], np.int64)


def _link_cells(
    graph: Graph,
    bearing: Bearings,
    cells: _Cells,
    habits: Habits,
    inside: NDArray[np.int64],
    move: _Pairs,
    rare: _Pairs,
) -> None:
    c = len(cells.edge)
    every = np.arange(c)
    moved = np.minimum(habits.pace_mps * STEP_S / cells.length_m, 1.0 - habits.stop * STEP_S)
    last = np.zeros(c, np.bool_)
    turned = np.full(c, -1, np.int64)
    from_, to, share = [], [], []
    for edge, begin in cells.first.items():
        n = cells.count[edge]
        last[begin + n - 1] = True
        back = int(graph.reverse[edge])
        if back in cells.first:
            turned[begin : begin + n] = cells.first[back] + np.arange(n)[::-1]
        for way, part in _entered(graph, bearing, edge, habits, 1.0, 4):
            if way in cells.first:
                from_.append(begin + n - 1)
                to.append(cells.first[way])
                share.append(moved[begin + n - 1] * part)
    along = every[~last]
    move.add(along, along + 1, moved[along])
    move.add(np.array(from_, np.int64), np.array(to, np.int64), np.array(share))
    rare.add(every, turned, habits.turn)
    for direction in range(8):
        rare.add(every, np.where(inside >= 0, c + 8 * inside + direction, -1), habits.leave / 8)


def _entered(
    graph: Graph, bearing: Bearings, edge: int, habits: Habits, share: float, depth: int
) -> list[tuple[int, float]]:
    """Edges that are entered at the end of one, and how likely; those shorter than a step may be passed."""
    found = []
    ways, chances = ways_on(graph, bearing, edge, habits.straight)
    for way, chance in zip(ways, chances.tolist(), strict=True):
        passed = 0.0
        if depth > 0:
            passed = max(0.0, 1.0 - float(graph.length_m[way]) / (habits.pace_mps * STEP_S))
        if passed > 0.0:
            found += _entered(graph, bearing, way, habits, share * chance * passed, depth - 1)
        found.append((way, share * chance * (1.0 - passed)))
    return found


@dataclass(frozen=True)
class Bearings:
    """Of every edge, degrees clockwise from north, over its first and its last LOOK_M."""

    out: F64
    into: F64


def edge_bearings(graph: Graph) -> Bearings:
    """The bearings at both ends of all edges."""
    bearings = Bearings(np.empty(graph.edge_count), np.empty(graph.edge_count))
    x, y = to_local(graph.shape_lat, graph.shape_lon, float(graph.shape_lat[0]), float(graph.shape_lon[0]))
    _look_along(np.asarray(graph.shape_first), x, y, LOOK_M, bearings.out)
    first = len(x) - np.asarray(graph.shape_first)[::-1]
    _look_along(first, x[::-1].copy(), y[::-1].copy(), LOOK_M, bearings.into)
    return Bearings(bearings.out, (bearings.into[::-1] + 180.0) % 360.0)


@njit(cache=True)
def _look_along(first, x, y, look_m, out):  # type: ignore[no-untyped-def]
    """Of every line the bearing from its first point to the one look_m along it, or its last."""
    for line in range(len(first) - 1):
        begin = first[line]
        left_m = look_m
        east = north = 0.0
        for p in range(begin, first[line + 1] - 1):
            dx, dy = x[p + 1] - x[p], y[p + 1] - y[p]
            length_m = np.hypot(dx, dy)
            share = min(1.0, left_m / length_m) if length_m > 0.0 else 1.0
            east += share * dx
            north += share * dy
            left_m -= length_m
            if left_m <= 0.0:
                break
        out[line] = np.degrees(np.arctan2(east, north)) % 360.0


def ways_on(graph: Graph, bearing: Bearings, edge: int, straight: float) -> tuple[list[int], F64]:
    """What may follow an edge (its reverse only where nothing else does), and how likely each is."""
    head, back = int(graph.head[edge]), int(graph.reverse[edge])
    ways = range(int(graph.first_out[head]), int(graph.first_out[head + 1]))
    onward = [way for way in ways if way != back] or list(ways)
    bend_deg = np.abs((bearing.out[onward] - bearing.into[edge] + 180.0) % 360.0 - 180.0)
    chance: F64 = np.exp(-straight * bend_deg)
    return onward, chance / chance.sum()


def _link_squares(
    squares: NDArray[np.int64],
    number: dict[tuple[int, int], int],
    habits: Habits,
    inside: NDArray[np.int64],
    move: _Pairs,
    rare: _Pairs,
) -> None:
    c = len(inside)
    every = np.arange(len(squares))
    for direction, (east, north) in enumerate(EIGHT.tolist()):
        here = c + 8 * every + direction
        beside = _numbers(squares + np.array([east, north]), number)
        share = habits.pace_mps * STEP_S / (SQUARE_M * np.hypot(east, north))
        move.add(here, np.where(beside >= 0, c + 8 * beside + direction, -1), float(share))
        for other in ((direction + 1) % 8, (direction - 1) % 8):
            rare.add(here, c + 8 * every + other, habits.bend / 2)
        cells = np.flatnonzero(inside >= 0)
        crowd = np.bincount(inside[cells], minlength=len(squares))
        rare.add(c + 8 * inside[cells] + direction, cells, habits.join / crowd[inside[cells]])
