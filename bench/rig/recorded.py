"""Recorded walks as the tracks of simulated walkers: other walks for the benchmarks of the stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.rig.tracks import Tracks, join_tracks, walk_streets
from geo.errors import BadInput
from geo.graph import Graph
from streams.traces import read_traces


def recorded_tracks(paths: Sequence[str], walkers: int, length_m: float, seed: int) -> Tracks:
    """A track of `length_m` or more for every walker: along a recorded way, to and fro as often as it takes.

    Walkers take the traces of all files in turns, and begin anywhere on them. Raises BadInput for files
    in which nobody gets from one place to another.
    """
    traces = [trace for path in paths for trace in read_traces(path)]
    ways = [(trace.lat, trace.lon) for trace in traces if np.ptp(trace.lat) + np.ptp(trace.lon) > 0.0]
    if not ways:
        raise BadInput(f"nobody walks anywhere in {', '.join(paths)}")
    draw = np.random.default_rng(seed)
    lengths_m = join_tracks(ways).length_m()
    polylines = []
    for walker in range(walkers):
        lat, lon = ways[walker % len(ways)]
        round_trip = np.concatenate([np.arange(len(lat)), np.arange(len(lat) - 2, 0, -1)])
        rounds = int(np.ceil(length_m / (2.0 * lengths_m[walker % len(ways)]))) + 1
        points = np.tile(round_trip, rounds)[int(draw.integers(len(lat))) :]
        polylines.append((lat[points], lon[points]))
    return join_tracks(polylines)


def walks(graph: Graph, traces: Sequence[str], walkers: int, length_m: float, seed: int) -> Tracks:
    """Tracks as recorded in these files, or along the graph's streets if there are none."""
    if traces:
        return recorded_tracks(traces, walkers, length_m, seed)
    return walk_streets(graph, walkers, length_m, seed)
