"""From stretches to a graph's arrays: one or two directed edges each, sorted by tail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from geo.graph import F32, F64, I32, I64, U64, Graph, Rule
from geo.grid import build_grid
from geo.osm.climbs import Climbs
from geo.osm.foot_access import CLASS_CODE
from geo.osm.stretches import Bools, Stretches, WalkableWay
from geo.pace import walking_s


def assemble(
    ways: Sequence[WalkableWay],
    stretches: Stretches,
    slopes: Climbs,
    factors: F32,
    hours: I32,
    rules: tuple[Rule, ...],
    cells: tuple[I32, U64, F64, F64],
    meta: dict[str, object],
) -> Graph:
    """The graph over `stretches` (L of them, nodes already numbered).

    `factors` (L, S); `hours` (L,) index into `rules`; `cells`: the H3 cell of each stretch (L,) and the
    cells' ids, latitudes and longitudes (C,).
    """
    forward = np.array([way.forward for way in ways], np.bool)[stretches.way]
    backward = np.array([way.backward for way in ways], np.bool)[stretches.way]
    there, back = np.flatnonzero(forward), np.flatnonzero(backward)
    row = np.concatenate([there, back])
    flipped = np.concatenate([np.zeros(len(there), np.bool), np.ones(len(back), np.bool)])
    tail = np.where(flipped, stretches.end[row], stretches.start[row])
    head = np.where(flipped, stretches.start[row], stretches.end[row])
    order = np.lexsort((row, head, tail))
    row, flipped, tail, head = row[order], flipped[order], tail[order], head[order]
    edge_of = np.full((2, len(stretches.way)), -1, np.int32)
    edge_of[flipped.astype(np.int64), row] = np.arange(len(row), dtype=np.int32)
    reverse = edge_of[1 - flipped.astype(np.int64), row]
    shape_first, points = _oriented_points(stretches.shape_first, row, flipped)
    shape_lat, shape_lon = stretches.shape_lat[points], stretches.shape_lon[points]
    names = sorted({way.tags["name"] for way in ways if way.tags.get("name")})
    name_code = {name: code for code, name in enumerate(names)}
    way_name = np.array([name_code.get(way.tags.get("name", ""), -1) for way in ways], np.int32)
    way_class = np.array([CLASS_CODE[way.road_class] for way in ways], np.uint8)
    seconds = _walking_times(ways, stretches, slopes)
    way = stretches.way[row]
    grid_key, grid_first, grid_edge = build_grid(reverse, shape_first, shape_lat, shape_lon)
    cell, cell_h3, cell_lat, cell_lon = cells
    degrees = np.bincount(tail, minlength=len(stretches.node_osm))
    return Graph(
        node_lat=stretches.node_lat, node_lon=stretches.node_lon, node_osm=stretches.node_osm,
        first_out=np.concatenate([[0], np.cumsum(degrees)]).astype(np.int32),
        tail=tail.astype(np.int32), head=head.astype(np.int32), reverse=reverse,
        length_m=stretches.length_m[row].astype(np.float32),
        duration_s=seconds[flipped.astype(np.int64), row],
        way=np.array([w.way for w in ways], np.int64)[way], name=way_name[way], road_class=way_class[way],
        shape_first=shape_first, shape_lat=shape_lat, shape_lon=shape_lon,
        cell=cell[row], cell_h3=cell_h3, cell_lat=cell_lat, cell_lon=cell_lon,
        static_factors=np.ascontiguousarray(factors[row]), component=stretches.component[row],
        hours=hours[row], rules=rules,
        grid_key=grid_key, grid_first=grid_first, grid_edge=grid_edge, names=tuple(names), meta=meta,
    )  # fmt: skip


def _walking_times(ways: Sequence[WalkableWay], stretches: Stretches, slopes: Climbs) -> F32:
    """(2, L) seconds along the stretches' own direction, and against it."""
    seconds = np.empty((2, len(stretches.way)), np.float32)
    columns = (stretches.way, stretches.length_m, slopes.forward, slopes.backward)
    for i, (index, length, forward, backward) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        tags, road_class = ways[index].tags, ways[index].road_class
        seconds[0, i] = walking_s(length, tags, road_class, forward)
        seconds[1, i] = walking_s(length, tags, road_class, backward)
    return seconds


def _oriented_points(stretch_first: I64, row: I64, flipped: Bools) -> tuple[I64, I64]:
    """Where each edge's shape starts (M+1,), and which stretch point each of its points is (P,)."""
    counts = np.diff(stretch_first)[row]
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    along = np.arange(first[-1]) - np.repeat(first[:-1], counts)
    start, count, turn = (np.repeat(v, counts) for v in (stretch_first[row], counts, flipped))
    return first, start + np.where(turn, count - 1 - along, along)


def to_cells(cell_ids: U64, centre: Callable[[int], tuple[float, float]]) -> tuple[I32, U64, F64, F64]:
    """Number the H3 cells of the stretches (L,): index (L,), and the cells' ids and centres (C,)."""
    unique, index = np.unique(cell_ids, return_inverse=True)
    centres = np.array([centre(int(cell)) for cell in unique], np.float64).reshape(-1, 2)
    return index.astype(np.int32), unique, centres[:, 0], centres[:, 1]
