"""Graphs of other sizes from one that is there: pieces cut out of it, and mosaics of its copies.

They are for measuring how routing grows: they have everything that searches read, and no shapes, no squares.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from geo.geodesy import haversine_m
from geo.graph import I32, Graph
from geo.pace import REFERENCE_MPS


def cut(graph: Graph, share: float) -> Graph:
    """About this share of the nodes: those of the square in the middle, as far as they hang together."""
    lat, lon = graph.node_lat, graph.node_lon
    east = np.cos(np.radians(lat.mean()))
    middle_lat, middle_lon = np.median(lat), np.median(lon)
    apart = np.maximum(np.abs(lat - middle_lat), np.abs(lon - middle_lon) * east)
    inside = apart <= np.quantile(apart, share)
    kept = _hanging_together(graph, inside)
    return _part(graph, kept)


def mosaic(graph: Graph, columns: int) -> Graph:
    """columns × columns copies, each joined to the next by as many streets as cross the middle of one."""
    north = np.ptp(graph.node_lat) * 1.001
    east = np.ptp(graph.node_lon) * 1.001
    count, copies = graph.node_count, columns * columns
    row, column = np.divmod(np.arange(copies), columns)
    lat = (graph.node_lat[None, :] + row[:, None] * north).ravel()
    lon = (graph.node_lon[None, :] + column[:, None] * east).ravel()
    shift = (np.arange(copies) * count)[:, None]
    tail = (graph.tail[None, :] + shift).ravel()
    head = (graph.head[None, :] + shift).ravel()
    pairs = _seams(graph, columns)
    source = np.tile(np.arange(graph.edge_count), copies)  # which edge each is a copy of
    joined_tail = np.concatenate([tail, pairs[:, 0], pairs[:, 1]])
    joined_head = np.concatenate([head, pairs[:, 1], pairs[:, 0]])
    source = np.concatenate([source, np.zeros(2 * len(pairs), np.int64)])
    offset = (np.arange(copies) * graph.edge_count)[:, None]
    back = np.where(graph.reverse >= 0, graph.reverse[None, :] + offset, -1)
    first_seam = copies * graph.edge_count
    seams = first_seam + np.arange(len(pairs))
    reverse = np.concatenate([back.ravel(), seams + len(pairs), seams])
    length_m = graph.length_m[source].copy()
    length_m[first_seam:] = haversine_m(
        lat[joined_tail[first_seam:]], lon[joined_tail[first_seam:]],
        lat[joined_head[first_seam:]], lon[joined_head[first_seam:]],
    )  # fmt: skip
    duration_s = graph.duration_s[source].copy()
    duration_s[first_seam:] = length_m[first_seam:] / REFERENCE_MPS
    node_source = np.tile(np.arange(count), copies)
    return _arranged(
        graph, node_source, source, joined_tail, joined_head, reverse,
        node_lat=lat, node_lon=lon, length_m=length_m, duration_s=duration_s,
    )  # fmt: skip


def _seams(graph: Graph, columns: int) -> I32:
    """(S, 2) nodes of neighbouring copies that a street joins, both ways."""
    ahead: list[np.ndarray[Any, Any]] = []
    for across, along, step in (
        (graph.node_lon, graph.node_lat, 1),
        (graph.node_lat, graph.node_lon, columns),
    ):
        middle = np.median(across)
        crossing = 1 + int(np.sum((across[graph.tail] < middle) & (across[graph.head] >= middle)))
        order = np.argsort(across, kind="stable")
        first, last = order[:crossing], order[-crossing:]
        first = first[np.argsort(along[first], kind="stable")]
        last = last[np.argsort(along[last], kind="stable")]
        for copy in range(columns * columns):
            is_last = copy % columns == columns - 1 if step == 1 else copy // columns == columns - 1
            if not is_last:
                here, there = copy * graph.node_count, (copy + step) * graph.node_count
                ahead.append(np.stack([last + here, first + there], axis=1))
    pairs: I32 = np.concatenate(ahead).astype(np.int32) if ahead else np.empty((0, 2), np.int32)
    return pairs


def _part(graph: Graph, kept: np.ndarray[Any, np.dtype[np.bool_]]) -> Graph:
    """The graph of the kept nodes."""
    number = np.cumsum(kept) - 1
    edges = np.flatnonzero(kept[graph.tail] & kept[graph.head])
    edge_number = np.full(graph.edge_count + 1, -1)
    edge_number[edges] = np.arange(len(edges))
    return _arranged(
        graph, np.flatnonzero(kept), edges, number[graph.tail[edges]], number[graph.head[edges]],
        edge_number[graph.reverse[edges]],
    )  # fmt: skip


def _arranged(
    graph: Graph,
    node_source: np.ndarray[Any, Any],
    edge_source: np.ndarray[Any, Any],
    tail: np.ndarray[Any, Any],
    head: np.ndarray[Any, Any],
    reverse: np.ndarray[Any, Any],
    **own: np.ndarray[Any, Any],
) -> Graph:
    """A graph whose arrays are rows of those of `graph`, with the edges sorted by their tail."""
    order = np.argsort(tail, kind="stable")
    place = np.empty(len(order) + 1, np.int64)
    place[order] = np.arange(len(order))
    place[-1] = -1
    arrays: dict[str, Any] = {}
    for field in fields(graph):
        array = getattr(graph, field.name)
        if not isinstance(array, np.ndarray):
            continue
        if len(array) == graph.edge_count:
            arrays[field.name] = array[edge_source[order]]
        elif len(array) == graph.node_count:
            arrays[field.name] = array[node_source]
    count = len(node_source)
    arrays |= {name: array[order] if len(array) == len(order) else array for name, array in own.items()}
    arrays |= {
        "tail": tail[order].astype(np.int32),
        "head": head[order].astype(np.int32),
        "reverse": place[reverse[order]].astype(np.int32),
        "first_out": np.searchsorted(tail[order], np.arange(count + 1)).astype(np.int32),
        "component": np.zeros(len(order), np.int32),
        "shape_first": np.zeros(len(order) + 1, np.int64),
        **{name: getattr(graph, name)[:0] for name in ("shape_lat", "shape_lon", "grid_key", "grid_edge")},
        "grid_first": np.zeros(1, np.int64),
    }
    return replace(graph, **arrays)


def _hanging_together(
    graph: Graph, inside: np.ndarray[Any, np.dtype[np.bool_]]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The largest set of the nodes inside that edges between them join."""
    inner = inside[graph.tail] & inside[graph.head]
    tail, head = graph.tail[inner], graph.head[inner]
    label = np.arange(graph.node_count)
    while True:
        least = label.copy()
        np.minimum.at(least, tail, label[head])
        np.minimum.at(least, head, label[tail])
        least = least[least]
        if np.array_equal(least, label):
            break
        label = least
    largest = np.bincount(label[inside], minlength=graph.node_count).argmax()
    together: np.ndarray[Any, np.dtype[np.bool_]] = inside & (label == largest)
    return together
