"""Stretches: walkable OSM ways cut where they meet, joined into components, and measured."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geo.geodesy import haversine_m
from geo.graph import F64, I32, I64

Bools = NDArray[np.bool]

MIN_COMPONENT_EDGES = 200
MIN_COMPONENT_SHARE = 0.05
MAX_EDGES_PER_NODE = 3  # streets have fewer; lines across squares must not make a crumb look like a town


@dataclass(frozen=True, slots=True)
class WalkableWay:
    """One OSM way that people may walk; `runs` are its OSM nodes, in pieces where some are missing."""

    way: int
    source: int  # which of the imported files
    runs: list[list[int]]
    forward: bool
    backward: bool
    road_class: str
    tags: Mapping[str, str]
    rules: tuple[str, ...] = ()  # when it is open, see geo.osm.timed_access


@dataclass(frozen=True, slots=True)
class Stretches:
    """L stretches of ways between two nodes, before they become one or two directed edges each."""

    way: I32  # (L,) index into the list of ways
    start: I32  # (L,) node
    end: I32  # (L,) node
    node_osm: I64  # (N,)
    node_lat: F64  # (N,)
    node_lon: F64  # (N,)
    shape_first: I64  # (L+1,)
    shape_lat: F64  # (P,)
    shape_lon: F64  # (P,)
    length_m: F64  # (L,)
    component: I32  # (L,) 0 is the largest


def split_ways(
    ways: Sequence[WalkableWay],
    position: Mapping[int, tuple[float, float]],
    stops: Container[int],
    keep: Container[int] = frozenset(),
) -> Stretches:
    """Cut `ways` at the nodes where they meet or end, at `keep`, and apart at `stops`.

    `position`: latitude and longitude of every OSM node in degrees.
    """
    uses: dict[int, int] = {}
    for way in ways:
        for run in way.runs:
            for ref in run:
                uses[ref] = uses.get(ref, 0) + 1
            for ref in (run[0], run[-1]):
                uses[ref] += 1
    node_of: dict[int, int] = {}
    node_osm: list[int] = []

    def node(ref: int) -> int:
        if ref in stops:  # each stretch has its own end here, so nobody walks through
            node_osm.append(ref)
            return len(node_osm) - 1
        if ref not in node_of:
            node_of[ref] = len(node_osm)
            node_osm.append(ref)
        return node_of[ref]

    way_index: list[int] = []
    ends: list[tuple[int, int]] = []
    shape_refs: list[int] = []
    shape_first = [0]
    for index, way in enumerate(ways):
        cuts = [
            [i for i, ref in enumerate(run) if uses[ref] > 1 or ref in stops or ref in keep]
            for run in way.runs
        ]
        for run, first, last in _unambiguous(way.runs, cuts):
            way_index.append(index)
            ends.append((node(run[first]), node(run[last])))
            shape_refs.extend(run[first : last + 1])
            shape_first.append(len(shape_refs))
    return _measure(way_index, ends, node_osm, shape_refs, shape_first, position)


def _unambiguous(runs: list[list[int]], cuts: list[list[int]]) -> Iterator[tuple[list[int], int, int]]:
    """Pieces of a way's runs between `cuts` of which no two join the same nodes, nor one a node with itself.

    So (way, from, to) names one edge. A ring that touches other ways once becomes three pieces, one
    that touches them twice has one half cut again; what goes back over itself is left out.
    """
    pieces = [
        (run, first, last) for run, places in zip(runs, cuts, strict=True) for first, last in pairwise(places)
    ]
    seen: set[tuple[int, int]] = set()
    # pieces of one segment cannot be cut, so they come first and the longer ones give way
    for run, first, last in sorted(pieces, key=lambda piece: piece[2] - piece[1] > 1):
        bounds = [first, last]
        if run[first] == run[last]:
            third = (last - first) // 3
            bounds = [first, first + third, last - third, last] if third else [first, first + 1]
        elif last - first > 1 and _pair(run, first, last) in seen:
            bounds = [first, (first + last) // 2, last]
        for a, b in pairwise(bounds):
            if _pair(run, a, b) not in seen:
                seen.add(_pair(run, a, b))
                yield run, a, b


def _pair(run: list[int], a: int, b: int) -> tuple[int, int]:
    return (run[a], run[b]) if run[a] < run[b] else (run[b], run[a])


def _measure(
    way_index: list[int],
    ends: list[tuple[int, int]],
    node_osm: list[int],
    shape_refs: list[int],
    shape_first: list[int],
    position: Mapping[int, tuple[float, float]],
) -> Stretches:
    shape = np.array([position[ref] for ref in shape_refs], np.float64).reshape(-1, 2)
    nodes = np.array([position[ref] for ref in node_osm], np.float64).reshape(-1, 2)
    first = np.array(shape_first, np.int64)
    start, end = np.array(ends, np.int32).reshape(-1, 2).T
    return Stretches(
        way=np.array(way_index, np.int32),
        start=start,
        end=end,
        node_osm=np.array(node_osm, np.int64),
        node_lat=nodes[:, 0],
        node_lon=nodes[:, 1],
        shape_first=first,
        shape_lat=shape[:, 0],
        shape_lon=shape[:, 1],
        length_m=_lengths(first, shape[:, 0], shape[:, 1]),
        component=_components(len(node_osm), start, end),
    )


def _lengths(first: I64, lat: F64, lon: F64) -> F64:
    steps = np.zeros(len(lat) + 1)
    if len(lat) > 1:
        steps[1:-1] = haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    steps[first[:-1]] = 0.0  # from the last point of one stretch to the first of the next
    total = np.cumsum(steps)
    # two mapped nodes may share one place; an edge of no length would divide by zero later
    lengths: F64 = np.maximum(total[first[1:] - 1] - total[first[:-1]], 0.01)
    return lengths


def _components(node_count: int, start: I32, end: I32) -> I32:
    """Connected components (one-way stretches count both ways), numbered by size, largest first."""
    parent = list(range(node_count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in zip(start.tolist(), end.tolist(), strict=True):
        parent[root(a)] = root(b)
    roots = np.array([root(node) for node in start.tolist()], np.int64)
    _, label, count = np.unique(roots, return_inverse=True, return_counts=True)
    rank = np.empty(len(count), np.int32)
    rank[np.argsort(-count, kind="stable")] = np.arange(len(count), dtype=np.int32)
    return rank[label]


def main_components(stretches: Stretches, ways: Sequence[WalkableWay]) -> Bools:
    """(L,) whether a stretch belongs to a component worth keeping.

    That is one with at least MIN_COMPONENT_EDGES directed edges (MAX_EDGES_PER_NODE of a node count), or
    MIN_COMPONENT_SHARE of those of the largest component with ways of the same file: the others are crumbs
    at an extract's border, behind a private gate, or pavements mapped as areas that nothing leads to.
    """
    if len(stretches.way) == 0:
        return np.zeros(0, np.bool)
    directions = np.array([way.forward + way.backward for way in ways])[stretches.way]
    component_of = np.zeros(len(stretches.node_osm), np.int64)
    component_of[stretches.start] = component_of[stretches.end] = stretches.component
    nodes = np.bincount(component_of, minlength=int(stretches.component.max()) + 1)
    size = np.minimum(np.bincount(stretches.component, directions), MAX_EDGES_PER_NODE * nodes)
    source = np.array([way.source for way in ways])[stretches.way]
    largest = np.zeros(source.max() + 1)
    np.maximum.at(largest, source, size[stretches.component])
    # where files overlap, a component is measured by the most demanding of them
    wanted = np.zeros(len(size))
    np.maximum.at(wanted, stretches.component, MIN_COMPONENT_SHARE * largest[source])
    kept = (size >= MIN_COMPONENT_EDGES) | (size >= wanted)
    return kept[stretches.component]


def take_stretches(stretches: Stretches, chosen: Bools) -> Stretches:
    """Only the `chosen` (L,) stretches, their nodes renumbered along a space-filling curve."""
    rows = np.flatnonzero(chosen)
    counts = np.diff(stretches.shape_first)[rows]
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    points = np.repeat(stretches.shape_first[rows] - first[:-1], counts) + np.arange(first[-1])
    used = np.unique(np.concatenate([stretches.start[rows], stretches.end[rows]]))
    # neighbours in space become neighbours in memory: a search touches fewer pages
    used = used[np.argsort(_morton(stretches.node_lat[used], stretches.node_lon[used]), kind="stable")]
    new = np.empty(len(stretches.node_osm), np.int32)
    new[used] = np.arange(len(used), dtype=np.int32)
    _, component = np.unique(stretches.component[rows], return_inverse=True)
    return Stretches(
        way=stretches.way[rows],
        start=new[stretches.start[rows]],
        end=new[stretches.end[rows]],
        node_osm=stretches.node_osm[used],
        node_lat=stretches.node_lat[used],
        node_lon=stretches.node_lon[used],
        shape_first=first,
        shape_lat=stretches.shape_lat[points],
        shape_lon=stretches.shape_lon[points],
        length_m=stretches.length_m[rows],
        component=component.astype(np.int32),
    )


def _morton(lat: F64, lon: F64) -> I64:
    """Place on the Z-order curve (Morton 1966) over steps of 0.0001 degrees."""
    row, column = np.floor((lat + 90) * 1e4).astype(np.int64), np.floor((lon + 180) * 1e4).astype(np.int64)
    code = np.zeros(len(lat), np.int64)
    for bit in range(22):
        code |= ((column >> bit) & 1) << (2 * bit) | ((row >> bit) & 1) << (2 * bit + 1)
    return code


def mileage(stretches: Stretches) -> F64:
    """(P,) metres walked when all stretches are walked one after the other, with 1 m between two."""
    lat, lon = stretches.shape_lat, stretches.shape_lon
    steps = np.zeros(len(lat))
    steps[1:] = haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    steps[stretches.shape_first[:-1]] = 1.0
    return np.cumsum(steps)


def points_at(stretches: Stretches, done: F64, row: I64, fraction: F64) -> tuple[F64, F64]:
    """Latitudes and longitudes (K,) at `fraction` of the length of the stretches `row`, both (K,).

    `done` is their `mileage`.
    """
    start, end = done[stretches.shape_first[row]], done[stretches.shape_first[row + 1] - 1]
    at = start + fraction * (end - start)
    return np.interp(at, done, stretches.shape_lat), np.interp(at, done, stretches.shape_lon)
