"""The peers of `flaneur bench match`: other map matchers, each handed whole traces in a process of its own.

The job is a JSON object: `folder` for whatever the peer builds, `extract` (the OSM file), `options` of the
variant, `traces` (ts, lat, lon, accuracy_m), and for those without a map of their own `graph` (points of
all edges). A peer prints `answers`, one list a trace with for each fix null or `[lat, lon, way]` (way null
where it is not told) or the number of an edge of ours, `cpu_s` of matching alone, and its `version`.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bench.matching.fixes import KnownFixes
from bench.matching.online import Answers
from bench.peers import HERE
from bench.peers.tools import python_with
from geo.errors import BadInput, Unavailable
from geo.graph import Graph
from geo.grid import Snap, nearest_edges

TIMEOUT_S = 1_800.0


@dataclass(frozen=True)
class MatchingPeer:
    """Another map matcher, given whole traces."""

    name: str
    what: str  # said beside its figures
    script: str
    needs: str  # the module that must be importable
    needs_extract: bool = True
    options: Mapping[str, object] = field(default_factory=dict)
    most_walks: int = 1_000


MATCHING_PEERS: tuple[MatchingPeer, ...] = (
    MatchingPeer(
        "meili", "Valhalla's Meili, trace_attributes, as it is set", "valhalla_match.py", "valhalla"
    ),
    MatchingPeer(
        "meili-tuned",
        "Valhalla's Meili, trace_attributes, told the error",
        "valhalla_match.py",
        "valhalla",
        options={"tuned": True},
    ),
    MatchingPeer("osrm", "OSRM match, foot profile, told the error", "osrm_match.py", "osrm"),
    MatchingPeer(
        "leuven",
        "LeuvenMapMatching, DistanceMatcher on our streets, told the error",
        "leuven_match.py",
        "leuvenmapmatching",
        needs_extract=False,
        most_walks=2,
    ),
)


def choose_matching_peers(names: Iterable[str] | None, has_extract: bool) -> tuple[MatchingPeer, ...]:
    """The peers by name; without names every one that can run here.

    Raises BadInput for a name unknown and for a peer that needs an extract where none was given.
    """
    if names is None:
        return tuple(
            peer
            for peer in MATCHING_PEERS
            if why_not(peer) is None and (has_extract or not peer.needs_extract)
        )
    by_name = {peer.name: peer for peer in MATCHING_PEERS}
    chosen = []
    for name in names:
        if name not in by_name:
            raise BadInput(f"peer {name!r} is unknown: choose from {', '.join(by_name)}, or none")
        if by_name[name].needs_extract and not has_extract:
            raise BadInput(f"{name} makes a graph of its own: name the OSM extract with --extract")
        chosen.append(by_name[name])
    return tuple(chosen)


def why_not(peer: MatchingPeer) -> str | None:
    """Why the peer cannot run on this machine, in one sentence; None if it can."""
    if python_with(peer.needs) is None:
        return f"{peer.name} needs the Python package {peer.needs}: see docs/benchmarks.md"
    return None


@dataclass(frozen=True)
class PeerResult:
    """What a peer answered, and what that cost."""

    answers: list[Answers]
    cpu_s: float
    version: str


def run_matching_peer(
    peer: MatchingPeer,
    graph: Graph,
    extract: str | None,
    walks: Sequence[KnownFixes],
    sigma_m: float,
    folder: str,
) -> PeerResult:
    """Let a peer match the fixes; raises Unavailable when it cannot run or fails.

    `folder` keeps what it builds of the extract, so that it is built once.
    """
    reason = why_not(peer)
    if reason is not None:
        raise Unavailable(reason)
    job = {
        "folder": folder,
        "extract": extract,
        "options": {**peer.options, "sigma_m": sigma_m},
        "traces": [
            {
                "ts": fixes.ts.tolist(),
                "lat": fixes.lat.tolist(),
                "lon": fixes.lon.tolist(),
                "accuracy_m": fixes.accuracy_m.tolist(),
            }
            for fixes in walks
        ],
        "graph": None if peer.needs_extract else _streets(graph, walks),
    }
    result = _run(peer, job)
    answers = [
        _on_our_streets(graph, told, len(fixes)) for told, fixes in zip(result["answers"], walks, strict=True)
    ]
    return PeerResult(answers, float(result["cpu_s"]), str(result["version"]))


def _run(peer: MatchingPeer, job: Mapping[str, object]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="flaneur-peer-") as scratch:
        path, answer = Path(scratch) / "job.json", Path(scratch) / "answer.json"
        path.write_bytes(orjson.dumps({**job, "answer": str(answer)}))
        command = [str(python_with(peer.needs)), str(HERE / peer.script), str(path)]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env=environment, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{peer.name} was not done after {TIMEOUT_S:.0f} s") from error
        if done.returncode != 0 or not answer.exists():
            last = (done.stderr or done.stdout).strip()[-500:]
            raise Unavailable(f"{peer.name} ended with code {done.returncode} and no result: {last}")
        result: dict[str, Any] = orjson.loads(answer.read_bytes())
        return result


def _streets(graph: Graph, walks: Sequence[KnownFixes]) -> dict[str, object]:
    """The edges near the walks, with their points."""
    lat = np.concatenate([fixes.lat for fixes in walks])
    lon = np.concatenate([fixes.lon for fixes in walks])
    shape_lat, shape_lon = np.asarray(graph.shape_lat), np.asarray(graph.shape_lon)
    margin = 0.003
    inside = (shape_lat > lat.min() - margin) & (shape_lat < lat.max() + margin)
    inside &= (shape_lon > lon.min() - 2 * margin) & (shape_lon < lon.max() + 2 * margin)
    edges = np.unique(np.repeat(np.arange(graph.edge_count), np.diff(graph.shape_first))[inside])
    shapes = [slice(graph.shape_first[edge], graph.shape_first[edge + 1]) for edge in edges]
    return {
        "edge": edges.tolist(),
        "tail": graph.tail[edges].tolist(),
        "head": graph.head[edges].tolist(),
        "lat": [shape_lat[shape].tolist() for shape in shapes],
        "lon": [shape_lon[shape].tolist() for shape in shapes],
    }


def _on_our_streets(graph: Graph, told: Sequence[Any], count: int) -> Answers:
    """A peer's answers as edges of ours: the nearest one of the same OSM way, or else of any way.

    Directions are not told by all of them: the edge is the one that the grid lists.
    """
    edge, fraction = np.full(count, -1, np.int32), np.zeros(count)
    for i, answer in enumerate(told):
        if isinstance(answer, int):
            edge[i] = answer
        elif answer is not None:
            lat, lon, way = answer
            near = nearest_edges(graph, lat, lon, 30.0, 64)
            snap = _same_way(graph, near, way)
            if snap is not None:
                edge[i], fraction[i] = snap.edge, snap.fraction
    return Answers(edge, fraction, edge < 0, np.full(count, np.nan))


def _same_way(graph: Graph, near: Sequence[Snap], way: int | None) -> Snap | None:
    same = [snap for snap in near if way is not None and int(graph.way[snap.edge]) == way]
    found = same or list(near)
    return found[0] if found else None
