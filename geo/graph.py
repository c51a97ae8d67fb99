"""The walk graph: directed edges in memory-mapped arrays, one directory a graph.

A graph is made by `geo.osm.importer` from one or several OSM extracts (several cities that do not
touch are one graph with several components) and is never changed afterwards: what changes
(weather, traffic, closures) lives in `geo.routing.costs.Costs`, built aside and swapped whole.
`geo.graph_files` keeps a graph in a directory; `open_graph` and `save_graph` are here for short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geo.errors import BadInput

if TYPE_CHECKING:
    from geo.routing.hierarchy import Hierarchy

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Rule:
    """Opening hours of edges around a place: `texts` must all allow it, see geo.osm.timed_access."""

    texts: tuple[str, ...]
    lat: float
    lon: float
    time_zone: str  # IANA name


@dataclass(frozen=True, eq=False)  # two graphs are the same only if they are one object
class Graph:
    """N nodes, M directed edges sorted by tail, P shape points, C H3 cells, S static factors.

    A node is a junction or an end of walkable OSM ways; an edge is the stretch of *one* way between
    two of them. Every two-way stretch is two edges, each the `reverse` of the other.
    """

    node_lat: F64  # (N,) degrees, WGS 84
    node_lon: F64  # (N,)
    node_osm: I64  # (N,) OSM node ids (an id stands twice where a barrier cuts the way in two)
    first_out: I32  # (N+1,) edges of node n: first_out[n] .. first_out[n+1]
    tail: I32  # (M,)
    head: I32  # (M,)
    reverse: I32  # (M,) the same stretch walked the other way, -1 where that is not allowed
    length_m: F32  # (M,)
    duration_s: F32  # (M,) honest walking time at the reference pace (Tobler's slope, surface)
    way: I64  # (M,) OSM way id
    name: I32  # (M,) index into `names`, -1 unnamed
    road_class: U8  # (M,) see geo.osm.foot_access.ROAD_CLASSES
    shape_first: I64  # (M+1,) shape points of edge e: shape_first[e] .. shape_first[e+1], ends included
    shape_lat: F64  # (P,)
    shape_lon: F64  # (P,)
    cell: I32  # (M,) index of the H3 cell (resolution 9) that holds the edge's middle
    cell_h3: U64  # (C,)
    cell_lat: F64  # (C,) the cell's centre
    cell_lon: F64  # (C,)
    hours: I32  # (M,) index into `rules`, -1 always open
    static_factors: F32  # (M, S) columns in the order of geo.routing.costs.STATIC_FACTORS, each 0..1
    component: I32  # (M,) which connected component the edge belongs to
    # spatial index, see geo.grid
    grid_key: I64  # (G,) sorted keys of the occupied squares
    grid_first: I64  # (G+1,)
    grid_edge: I32  # (E,) edges that pass through the square
    names: tuple[str, ...]
    rules: tuple[Rule, ...]
    meta: dict[str, object]  # version, checksum, sources, counts: see docs/graph.md

    @property
    def node_count(self) -> int:
        return len(self.node_lat)

    @property
    def edge_count(self) -> int:
        return len(self.head)

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """What searches climb; see `geo.routing.hierarchy`."""
        from geo.routing.hierarchy import build_hierarchy

        return build_hierarchy(self)

    @cached_property
    def edges_by_way(self) -> I32:
        """(M,) edges sorted by OSM way id, for looking edges up by their id."""
        return np.argsort(self.way, kind="stable").astype(np.int32)

    @cached_property
    def way_sorted(self) -> I64:
        """(M,) OSM way ids of `edges_by_way`."""
        return self.way[self.edges_by_way]


def edge_index(graph: Graph, way: int, from_node: int, to_node: int) -> int:
    """The edge of OSM way `way` that leads from OSM node `from_node` to `to_node`.

    Raises BadInput where the graph has no such edge.
    """
    first, last = np.searchsorted(graph.way_sorted, [way, way + 1])
    for edge in graph.edges_by_way[first:last]:
        tail, head = graph.tail[edge], graph.head[edge]
        if graph.node_osm[tail] == from_node and graph.node_osm[head] == to_node:
            return int(edge)
    raise BadInput(
        f"the graph has no edge {way}/{from_node}/{to_node} (way/from/to, OSM ids); "
        "was it made from another extract?"
    )


def edge_id(graph: Graph, edge: int) -> str:
    """The name of an edge that outlives an import: "way/from/to" in OSM ids."""
    tail, head = graph.tail[edge], graph.head[edge]
    return f"{int(graph.way[edge])}/{int(graph.node_osm[tail])}/{int(graph.node_osm[head])}"


def edge_of_id(graph: Graph, text: str) -> int:
    """The edge that `edge_id` calls `text`; raises BadInput where there is none."""
    parts = text.split("/")
    try:
        way, from_node, to_node = (int(part) for part in parts)
    except ValueError:
        raise BadInput(f"{text!r} is not an edge id; expected way/from/to in OSM ids") from None
    return edge_index(graph, way, from_node, to_node)


def open_graph(directory: str | Path, *, verify: bool = False) -> Graph:
    """The graph in `directory`, memory-mapped; see `geo.graph_files.read_graph`."""
    from geo.graph_files import read_graph

    return read_graph(Path(directory), verify=verify)


def save_graph(directory: str | Path, graph: Graph, also: Callable[[Path], None] | None = None) -> Graph:
    """Write `graph` to `directory` whole or not at all; see `geo.graph_files.write_graph`."""
    from geo.graph_files import write_graph

    return write_graph(Path(directory), graph, also)
