"""What must hold in every graph: shapes that fit together, indices in range, reverse an involution."""

from __future__ import annotations

import numpy as np

from geo.errors import BadGraph
from geo.graph import Graph
from geo.routing.hierarchy import Hierarchy, build_hierarchy


def check_graph(graph: Graph, *, deep: bool = True) -> None:
    """Raise BadGraph for the first invariant that `graph` breaks.

    Without `deep` only lengths are compared (instant, reads no page of a memory-mapped array).
    """
    _check_lengths(graph)
    if deep:
        _check_topology(graph)
        _check_shapes(graph)
        _check_values(graph)


def check_hierarchy(graph: Graph, hierarchy: Hierarchy, *, deep: bool) -> None:
    """Raise BadGraph where it is not the graph's; `deep`: unless contracting the nodes gives just this."""
    arcs, triangles = len(hierarchy.head), len(hierarchy.low_arc)
    expected = {
        "rank": graph.node_count, "first_up": graph.node_count + 1, "first_triangle": arcs + 1,
        "high_arc": triangles, "slot_of_edge": graph.edge_count, "first_edge": 2 * arcs + 1,
    }  # fmt: skip
    for name, length in expected.items():
        found = len(getattr(hierarchy, name))
        _require(found == length, f"hierarchy_{name} has {found} entries, expected {length}")
    if deep:
        ranks = np.asarray(hierarchy.rank)
        _require(np.array_equal(np.sort(ranks), np.arange(graph.node_count)), "hierarchy_rank is no order")
        for name, again in build_hierarchy(graph, ranks)._asdict().items():
            _require(np.array_equal(getattr(hierarchy, name), again), f"hierarchy_{name} is another graph's")


def _require(holds: bool | np.bool, what: str) -> None:
    if not holds:
        raise BadGraph(f"the graph is damaged: {what}; import it again")


def _check_lengths(graph: Graph) -> None:
    nodes, edges, points, cells = (
        len(graph.node_lat), len(graph.head), len(graph.shape_lat), len(graph.cell_h3),
    )  # fmt: skip
    expected = {
        "node_lon": nodes, "node_osm": nodes, "first_out": nodes + 1, "tail": edges, "reverse": edges,
        "length_m": edges, "duration_s": edges, "way": edges, "name": edges, "road_class": edges,
        "shape_first": edges + 1, "shape_lon": points, "cell": edges, "cell_lat": cells,
        "cell_lon": cells, "static_factors": edges, "component": edges, "hours": edges,
        "grid_first": len(graph.grid_key) + 1,
    }  # fmt: skip
    for name, count in expected.items():
        found = len(getattr(graph, name))
        _require(found == count, f"{name} has {found} elements where {count} are expected")
    _require(edges > 0, "it has no edges")
    _require(graph.static_factors.ndim == 2, "static_factors is not a table")


def _check_topology(graph: Graph) -> None:
    nodes, edges = graph.node_count, graph.edge_count
    _require(graph.first_out[0] == 0 and graph.first_out[-1] == edges, "first_out does not span the edges")
    degrees = np.diff(graph.first_out)
    _require(bool((degrees >= 0).all()), "first_out is not sorted")
    _require(
        np.array_equal(np.repeat(np.arange(nodes, dtype=np.int32), degrees), graph.tail),
        "tail and first_out disagree",
    )
    _require(_within(graph.head, 0, nodes), "head points at no node")
    _require(_within(graph.reverse, -1, edges), "reverse points at no edge")
    two_way = np.flatnonzero(graph.reverse >= 0)
    back = graph.reverse[two_way]
    _require(np.array_equal(graph.reverse[back], two_way), "reverse is not an involution")
    _require(
        np.array_equal(graph.tail[back], graph.head[two_way])
        and np.array_equal(graph.way[back], graph.way[two_way]),
        "an edge and its reverse do not join the same nodes",
    )
    _require(_within(graph.name, -1, len(graph.names)), "name points at no name")
    _require(_within(graph.hours, -1, len(graph.rules)), "hours points at no rule")
    _require(_within(graph.cell, 0, len(graph.cell_h3)), "cell points at no cell")
    _require(_within(graph.grid_edge, 0, edges), "grid_edge points at no edge")
    _require(bool((np.diff(graph.grid_key) > 0).all()), "grid_key is not sorted")
    _require(
        graph.grid_first[0] == 0
        and graph.grid_first[-1] == len(graph.grid_edge)
        and bool((np.diff(graph.grid_first) > 0).all()),
        "grid_first does not span grid_edge",
    )


def _check_shapes(graph: Graph) -> None:
    first = graph.shape_first
    _require(
        first[0] == 0 and first[-1] == len(graph.shape_lat), "shape_first does not span the shape points"
    )
    _require(bool((np.diff(first) >= 2).all()), "an edge has fewer than two shape points")
    for end, nodes in ((first[:-1], graph.tail), (first[1:] - 1, graph.head)):
        _require(
            np.array_equal(graph.shape_lat[end], graph.node_lat[nodes])
            and np.array_equal(graph.shape_lon[end], graph.node_lon[nodes]),
            "an edge's shape does not end at its nodes",
        )


def _check_values(graph: Graph) -> None:
    for name, bound in (("shape_lat", 90.0), ("shape_lon", 180.0), ("node_lat", 90.0), ("node_lon", 180.0)):
        values = getattr(graph, name)
        _require(bool((np.abs(values) <= bound).all()), f"{name} is out of range")
    for name in ("length_m", "duration_s"):
        values = getattr(graph, name)
        _require(bool((np.isfinite(values) & (values > 0)).all()), f"{name} is not positive everywhere")
    factors = graph.static_factors
    _require(bool(((factors >= 0) & (factors <= 1)).all()), "a static factor is outside 0..1")


def _within(values: np.ndarray[tuple[int], np.dtype[np.int32]], low: int, high: int) -> bool:
    return len(values) == 0 or bool(values.min() >= low and values.max() < high)
