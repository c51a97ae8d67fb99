"""From passages to records for `cell-observations`: by cell, and with pseudonyms instead of devices.

A walker's pseudonym is a keyed BLAKE2b hash of the device. The key is drawn at random for the walker's
partition and never leaves its changelog; day (UTC) and cell go into the hash as well, so the same walker is
somebody else in the next cell and on the next day: without the key nothing leads to the device, nor from one
cell's passages to another's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.geodesy import METRES_PER_DEG
from geo.graph import I32, Graph
from models.records import CellObservation
from models.world.condition_places import cell_key

DAY_S = 86_400
AT_ONCE = 500  # passages in a record
CELL_REACH_M = 400.0  # who is farther from the middle of every cell is in none


def in_cells(graph: Graph, passages: NDArray[Any]) -> tuple[NDArray[Any], I32]:
    """Passages (n,) of geo.passages.PASSAGE, cell after cell and in their own order there; the cell of each.

    Those that are in no cell, or on another graph, are left out.
    """
    # who has come from another city since may have passages of its graph
    passages = passages[passages["edge"] < graph.edge_count]
    edges = passages["edge"]
    cells = graph.cell[_stretch(graph, edges)]
    off = np.flatnonzero(edges < 0)
    cells[off] = _nearest_cells(graph, passages["lat"][off], passages["lon"][off])
    order = np.argsort(cells, kind="stable")
    order = order[cells[order] >= 0]
    return passages[order], cells[order]


def cell_observations(
    graph: Graph, passages: NDArray[Any], cells: I32, devices: Sequence[bytes], key: bytes
) -> list[CellObservation]:
    """Passages as `in_cells` orders them, or some of them, as records.

    devices: by slot. key: the partition's, 16 to 64 random bytes.
    """
    if not len(passages):
        return []
    columns = _columns(graph, passages)
    starts = np.flatnonzero(np.append(-1, cells[:-1]) != cells).tolist()
    found = []
    for first, end in zip(starts, [*starts[1:], len(passages)], strict=True):
        name = cell_key(int(graph.cell_h3[cells[first]]))
        for at in range(first, end, AT_ONCE):
            found.append(_record(name, columns, slice(at, min(at + AT_ONCE, end)), devices, key))
    return found


class _Columns(NamedTuple):
    """What is told of n passages, as lists."""

    slot: list[int]
    edge: list[str]  # empty off the network
    ts: list[float]
    walked_m: list[float]
    seconds: list[float]
    expected_s: list[float]


def _columns(graph: Graph, rows: NDArray[Any]) -> _Columns:
    edges: I32 = rows["edge"]
    on = np.maximum(edges, 0)
    walked_m = np.where(edges < 0, 0.0, rows["walked_m"].astype(np.float64))
    expected_s = walked_m / graph.length_m[on] * graph.duration_s[on]
    both = _stretch(graph, edges)
    ids = zip(
        edges.tolist(), graph.way[both].tolist(), graph.node_osm[graph.tail[both]].tolist(),
        graph.node_osm[graph.head[both]].tolist(), strict=True,
    )  # fmt: skip
    return _Columns(
        rows["slot"].tolist(),
        ["" if edge < 0 else f"{way}/{tail}/{head}" for edge, way, tail, head in ids],
        rows["ts"].tolist(),
        np.round(walked_m, 1).tolist(),
        np.round(rows["seconds"].astype(np.float64), 1).tolist(),
        np.round(expected_s, 1).tolist(),
    )


def _stretch(graph: Graph, edges: I32) -> I32:
    """The edge that stands for each edge's stretch, as in edge-conditions: 0 off the network."""
    on = np.maximum(edges, 0)
    back = graph.reverse[on]
    stretch: I32 = np.where((back >= 0) & (back < on), back, on)
    return stretch


def _record(
    cell: str, columns: _Columns, part: slice, devices: Sequence[bytes], key: bytes
) -> CellObservation:
    ts = columns.ts[part]
    edges = columns.edge[part]
    index = {name: i for i, name in enumerate(dict.fromkeys(name for name in edges if name))}
    index[""] = -1
    return CellObservation(
        cell=cell,
        ts=max(ts),
        edges=list(index)[:-1],
        walkers=[
            pseudonym(devices[slot], key, at, cell) for slot, at in zip(columns.slot[part], ts, strict=True)
        ],
        edge=[index[name] for name in edges],
        end_ts=ts,
        walked_m=columns.walked_m[part],
        seconds=columns.seconds[part],
        expected_s=columns.expected_s[part],
    )


def pseudonym(device: bytes, key: bytes, ts: float, cell: str) -> int:
    """48 bits that stand for a device in one cell on one day."""
    day = int(ts // DAY_S).to_bytes(4, "little", signed=True)
    digest = hashlib.blake2b(device, digest_size=6, key=key, salt=cell.encode(), person=day).digest()
    return int.from_bytes(digest, "little")


def _nearest_cells(graph: Graph, lat: NDArray[Any], lon: NDArray[Any]) -> I32:
    """The cell whose middle is nearest to each place, -1 where none is within CELL_REACH_M."""
    found = np.full(len(lat), -1, np.int32)
    for i in range(len(lat)):
        north = graph.cell_lat - float(lat[i])
        east = (graph.cell_lon - float(lon[i])) * np.cos(np.radians(float(lat[i])))
        square = north * north + east * east
        nearest = int(np.argmin(square))
        if square[nearest] <= (CELL_REACH_M / METRES_PER_DEG) ** 2:
            found[i] = nearest
    return found
