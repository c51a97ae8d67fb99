"""Where simulated walkers go: one polyline a walker, and every walker's position at a moment.

Pure and seeded: the same arguments give the same walk, on every machine. Positions of all walkers are
found at once by one search in the running length of all polylines, laid end to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geo.errors import BadInput
from geo.graph import F64, I64, Graph

METRES_PER_DEGREE = 111_195.0  # of latitude, on a sphere of 6,371,009 m
CENTRE = (60.1699, 24.9384)  # Helsinki, for walks without a graph
LEG_M = 80.0  # of a walk without a graph: straight until the next turn


@dataclass(frozen=True)
class Tracks:
    """D polylines of P points in all; a track's points are `first[d] .. first[d+1]`."""

    first: I64  # (D+1,)
    lat: F64  # (P,) degrees
    lon: F64  # (P,)
    run_m: F64  # (P,) length walked since the first point of the first track, never falling

    @property
    def count(self) -> int:
        return len(self.first) - 1

    def length_m(self) -> F64:
        """(D,) the length of every track."""
        return self.run_m[self.first[1:] - 1] - self.run_m[self.first[:-1]]

    def at(self, walked_m: F64) -> tuple[F64, F64, F64]:
        """Latitude, longitude and bearing in degrees after `walked_m` (D,), at most to the end."""
        low = self.first[:-1]
        high = self.first[1:] - 2  # the last segment of every track begins here
        reached_m = np.minimum(self.run_m[low] + walked_m, self.run_m[high + 1])
        segment = np.clip(np.searchsorted(self.run_m, reached_m, side="right") - 1, low, high)
        span_m = np.maximum(self.run_m[segment + 1] - self.run_m[segment], 1e-9)
        share = np.clip((reached_m - self.run_m[segment]) / span_m, 0.0, 1.0)
        step_lat = self.lat[segment + 1] - self.lat[segment]
        step_lon = self.lon[segment + 1] - self.lon[segment]
        lat = self.lat[segment] + share * step_lat
        lon = self.lon[segment] + share * step_lon
        bearing = np.degrees(np.arctan2(step_lon * np.cos(np.radians(lat)), step_lat)) % 360.0
        return lat, lon, bearing


def join_tracks(polylines: Sequence[tuple[F64, F64]]) -> Tracks:
    """Tracks from one (lat, lon) pair of arrays a walker; raises BadInput if one has under two points."""
    sizes = np.array([len(lat) for lat, _ in polylines], np.int64)
    if len(sizes) == 0 or int(sizes.min()) < 2:
        raise BadInput("every walker needs a track of two points or more")
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    lat = np.concatenate([lat for lat, _ in polylines]).astype(np.float64)
    lon = np.concatenate([lon for _, lon in polylines]).astype(np.float64)
    step_m = np.zeros(len(lat))
    step_m[1:] = METRES_PER_DEGREE * np.hypot(np.diff(lat), np.diff(lon) * np.cos(np.radians(lat[1:])))
    step_m[first[1:-1]] = 0.0  # from one walker's end to the next one's start nobody walks
    return Tracks(first, lat, lon, np.cumsum(step_m))


def wander(walkers: int, length_m: float, seed: int) -> Tracks:
    """Walks without a map: straight legs with turns, spread over a few kilometres."""
    draw = np.random.default_rng(seed)
    legs = max(2, int(np.ceil(length_m / LEG_M)) + 1)
    bearing = np.cumsum(draw.normal(0.0, 0.6, (walkers, legs)), axis=1)
    bearing += draw.uniform(0.0, 2 * np.pi, (walkers, 1))
    stretch = LEG_M / METRES_PER_DEGREE
    lat = CENTRE[0] + draw.uniform(-0.02, 0.02, (walkers, 1)) + np.cumsum(stretch * np.cos(bearing), axis=1)
    shrink = np.cos(np.radians(CENTRE[0]))
    lon = CENTRE[1] + draw.uniform(-0.04, 0.04, (walkers, 1))
    lon = lon + np.cumsum(stretch * np.sin(bearing) / shrink, axis=1)
    return join_tracks([(lat[walker], lon[walker]) for walker in range(walkers)])


def walk_streets(graph: Graph, walkers: int, length_m: float, seed: int) -> Tracks:
    """Walks along the graph's streets, at every junction any way but back (back only at a dead end).

    Raises BadInput for a graph without edges.
    """
    if graph.edge_count == 0:
        raise BadInput("the graph has no edges to walk on")
    draw = np.random.default_rng(seed)
    starts = graph.tail[draw.integers(0, graph.edge_count, walkers)]
    return join_tracks([stroll_from(graph, int(node), length_m, draw) for node in starts])


def stroll_from(graph: Graph, node: int, length_m: float, draw: np.random.Generator) -> tuple[F64, F64]:
    """Latitudes and longitudes of one such walk; it ends early in a one-way dead end."""
    edges: list[int] = []
    walked_m = 0.0
    while walked_m < length_m:
        ways = np.arange(graph.first_out[node], graph.first_out[node + 1])
        onward = ways[ways != graph.reverse[edges[-1]]] if edges else ways
        if len(onward) == 0:
            onward = ways
        if len(onward) == 0:
            break
        edge = int(onward[draw.integers(len(onward))])
        edges.append(edge)
        node = int(graph.head[edge])
        walked_m += max(float(graph.length_m[edge]), 0.1)
    pieces = [slice(graph.shape_first[edge], graph.shape_first[edge + 1]) for edge in edges]
    if not pieces:
        return graph.node_lat[[node, node]], graph.node_lon[[node, node]]
    lat = np.concatenate([graph.shape_lat[piece] for piece in pieces])
    lon = np.concatenate([graph.shape_lon[piece] for piece in pieces])
    return lat, lon
