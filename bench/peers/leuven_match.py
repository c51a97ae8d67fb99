"""Peer: LeuvenMapMatching over whole traces, on our own streets; match_meter.py describes the job."""

# mypy: disable-error-code="import-not-found"
# it lives in a virtual environment of its own, where the type checker does not look

from __future__ import annotations

import math
from importlib.metadata import version
from itertools import pairwise
from typing import Any

from leuvenmapmatching.map.inmem import InMemMap
from leuvenmapmatching.matcher.distance import DistanceMatcher

from bench.peers.match_meter import MatchJob, Trace


def main() -> None:
    job = MatchJob.read()
    graph = job.graph
    lat0, lon0 = job.traces[0].lat[0], job.traces[0].lon[0]
    scale = 111_195.0 * math.cos(math.radians(lat0))

    def metres(lat: float, lon: float) -> tuple[float, float]:
        return (lat - lat0) * 111_195.0, (lon - lon0) * scale

    streets = InMemMap("streets", use_latlon=False, index_edges=True, use_rtree=True)
    edge_of: dict[tuple[int, int], int] = {}
    inner = 1 << 40
    for edge, tail, head, lats, lons in zip(*(graph[name] for name in graph), strict=True):
        nodes = [tail, *(inner + k for k in range(len(lats) - 2)), head]
        inner += len(lats)
        for node, lat, lon in zip(nodes, lats, lons, strict=True):
            streets.add_node(node, metres(lat, lon))
        for one, other in pairwise(nodes):
            if one != other:
                streets.add_edge(one, other)
                edge_of[(one, other)] = edge
    sigma_m = float(job.options["sigma_m"])

    def match(trace: Trace) -> list[Any]:
        matcher = DistanceMatcher(
            streets,
            max_dist=max(30.0, 4.0 * sigma_m),
            max_dist_init=max(50.0, 6.0 * sigma_m),
            obs_noise=sigma_m,
            obs_noise_ne=2.0 * sigma_m,
            dist_noise=2.0 * sigma_m,
            non_emitting_states=True,
            max_lattice_width=20,
            avoid_goingback=False,
        )
        path = [metres(lat, lon) for lat, lon in zip(trace.lat, trace.lon, strict=True)]
        matcher.match(path)
        found: list[Any] = [None] * len(path)
        for state in matcher.lattice_best:
            if state.obs_ne == 0:
                found[state.obs] = edge_of.get((state.edge_m.l1, state.edge_m.l2))
        return found

    job.match_all(match, f"leuvenmapmatching {version('leuvenmapmatching')}")


main()
