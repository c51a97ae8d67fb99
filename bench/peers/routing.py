"""The peers of the routing benchmarks: each a process of its own that reads one job and prints one result.

The job is a JSON object: `folder` for whatever the peer builds, and what it needs of `extract` (the OSM
file), `graph` (tail, head, lat, lon, weight_ms), `node_pairs`, `place_pairs` (lat, lon, lat, lon), `closures`
and `rains` (lists of edges), `loops` (lengths_m, starts, tries), and how many `seconds` to measure.
`bench.peers.routing_meter` reads it in Python, the class in `graphhopper/` in Java.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.peers import HERE
from bench.peers.tools import JavaProject, python_with
from geo.errors import BadInput, Unavailable

GRAPHHOPPER = JavaProject(HERE / "graphhopper")
TIMEOUT_S = 900.0


@dataclass(frozen=True)
class RoutingPeer:
    """Another router."""

    name: str
    what: str  # said beside its figures
    script: str  # beside this file; "" for the Java project
    needs: str = ""  # the module that must be importable
    needs_extract: bool = False  # it makes a graph of its own from the OSM extract


ROUTING_PEERS: tuple[RoutingPeer, ...] = (
    RoutingPeer("routingkit", "RoutingKit CCH, same graph and impedances", "routingkit.py", "pyroutingkit"),
    RoutingPeer("igraph", "Dijkstra in C, same graph and impedances", "igraph_dijkstra.py", "igraph"),
    RoutingPeer("valhalla", "pedestrian costing, same extract", "valhalla_routes.py", "valhalla", True),
    RoutingPeer("graphhopper", "foot, same extract", "", needs_extract=True),
)


def choose_routing_peers(
    names: Iterable[str] | None, available: Iterable[str], has_extract: bool
) -> tuple[RoutingPeer, ...]:
    """The peers by name, of the `available` ones; without names every one that can run here.

    Raises BadInput for a name unknown and for a peer that needs the extract where none was given.
    """
    usable = [peer for peer in ROUTING_PEERS if peer.name in set(available)]
    if names is None:
        return tuple(
            peer for peer in usable if why_not(peer) is None and (has_extract or not peer.needs_extract)
        )
    chosen = []
    for name in names:
        found = [peer for peer in usable if peer.name == name]
        if not found:
            raise BadInput(
                f"peer {name!r} is unknown: choose from {', '.join(peer.name for peer in usable)}, or none"
            )
        if found[0].needs_extract and not has_extract:
            raise BadInput(f"{name} makes a graph of its own: name the OSM extract with --extract")
        chosen += found
    return tuple(chosen)


def why_not(peer: RoutingPeer) -> str | None:
    """Why the peer cannot run on this machine, in one sentence; None if it can."""
    if not peer.script:
        return GRAPHHOPPER.why_not(peer.name)
    if python_with(peer.needs) is None:
        return f"{peer.name} needs the Python package {peer.needs}: see docs/benchmarks.md"
    return None


def run_routing_peer(peer: RoutingPeer, job: Mapping[str, object]) -> dict[str, Any]:
    """What the peer reports of the job; raises Unavailable when it cannot run or fails."""
    reason = why_not(peer)
    if reason is not None:
        raise Unavailable(reason)
    with tempfile.TemporaryDirectory(prefix="flaneur-peer-") as folder:
        path = Path(folder) / "job.json"
        path.write_bytes(orjson.dumps({**job, "folder": folder}))
        if peer.script:
            command = [str(python_with(peer.needs)), str(HERE / peer.script), str(path)]
        else:
            GRAPHHOPPER.build()
            command = GRAPHHOPPER.command("flaneur.bench.RoutingPeer", str(path))
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env=environment, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{peer.name} was not done after {TIMEOUT_S:.0f} s") from error
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        last = (done.stderr or done.stdout).strip()[-500:]
        raise Unavailable(f"{peer.name} ended with code {done.returncode} and no result: {last}")
    result: dict[str, Any] = orjson.loads(lines[-1])
    return result
