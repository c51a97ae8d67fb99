"""The walk graph: directed edges in memory-mapped arrays, one directory a graph.

A graph is made by `geo.osm_import` from one or several OSM extracts (several cities that do not
touch are one graph with several components) and is never changed afterwards: what changes
(weather, traffic, closures) lives in `geo.costs.Costs`, built aside and swapped whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Graph:
    """N nodes, M directed edges sorted by tail, P shape points, C H3 cells, S static factors.

    A node is a junction or an end of walkable OSM ways; an edge is the stretch of *one* way between
    two of them. Every two-way stretch is two edges, each the `reverse` of the other.
    """

    node_lat: F64  # (N,) degrees, WGS 84
    node_lon: F64  # (N,)
    node_osm: I64  # (N,) OSM node ids
    first_out: I32  # (N+1,) edges of node n: first_out[n] .. first_out[n+1]
    tail: I32  # (M,)
    head: I32  # (M,)
    reverse: I32  # (M,) the same stretch walked the other way, -1 where that is not allowed
    length_m: F32  # (M,)
    duration_s: F32  # (M,) honest walking time at the reference pace (Tobler's slope, surface)
    way: I64  # (M,) OSM way id
    name: I32  # (M,) index into `names`, -1 unnamed
    road_class: U8  # (M,) see geo.osm_import.ROAD_CLASSES
    shape_first: I64  # (M+1,) shape points of edge e: shape_first[e] .. shape_first[e+1], ends included
    shape_lat: F64  # (P,)
    shape_lon: F64  # (P,)
    cell: I32  # (M,) index of the H3 cell (resolution 9) that holds the edge's middle
    cell_h3: U64  # (C,)
    cell_lat: F64  # (C,) the cell's centre
    cell_lon: F64  # (C,)
    static_factors: F32  # (M, S) columns in the order of geo.costs.STATIC_FACTORS, each 0..1
    component: I32  # (M,) which connected component the edge belongs to
    # spatial index, see geo.grid
    grid_key: I64  # (G,) sorted keys of the occupied squares
    grid_first: I64  # (G+1,)
    grid_edge: I32  # (E,) edges that pass through the square
    names: tuple[str, ...]
    meta: dict[str, object]  # version, checksum, sources, created, counts

    @property
    def node_count(self) -> int:
        return len(self.node_lat)

    @property
    def edge_count(self) -> int:
        return len(self.head)
