"""Starts a peer, waits for its result, and says why a peer cannot run here."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from bench.peers import HERE, KAFKA_STREAMS, PEER_NAMES, PEERS, Peer
from bench.peers.tools import JavaProject, python_with
from geo.errors import BadInput, Unavailable

PROJECT = JavaProject(KAFKA_STREAMS)
TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Outcome:
    """What one peer measured of itself, and the digest of its windows (None where it keeps none)."""

    fixes: int
    wall_s: float
    cpu_s: float
    counted: int
    windows: int | None
    count_squares: int | None
    speed_sum: float | None
    version: str

    @property
    def fixes_per_core_s(self) -> float:
        return self.fixes / self.cpu_s if self.cpu_s > 0 else 0.0

    @property
    def fixes_per_s(self) -> float:
        return self.fixes / self.wall_s if self.wall_s > 0 else 0.0


def choose_peers(names: Iterable[str] | None) -> tuple[Peer, ...]:
    """The peers by name; without names every one that can run here. Raises BadInput for a name unknown."""
    if names is None:
        return tuple(peer for peer in PEERS if why_not(peer) is None)
    wanted = list(names)
    for name in wanted:
        if name not in PEER_NAMES:
            raise BadInput(f"peer {name!r} is unknown: choose from {', '.join(PEER_NAMES)}, or none")
    return tuple(peer for peer in PEERS if peer.name in wanted)


def why_not(peer: Peer) -> str | None:
    """Why the peer cannot run on this machine, in one sentence; None if it can."""
    if not peer.script:
        return PROJECT.why_not(peer.name)
    if python_with(peer.needs) is None:
        return f"{peer.name} needs the Python package {peer.needs}: see docs/benchmarks.md"
    return None


def _java_command(peer: Peer, bootstrap: str, topic: str, warm: int, fixes: int, state_dir: str) -> list[str]:
    PROJECT.build()
    return PROJECT.command(
        "flaneur.bench.Peer", bootstrap, topic, str(warm), str(fixes), state_dir, peer.java_store,
        *peer.java_properties,
    )  # fmt: skip


def run_peer(peer: Peer, bootstrap: str, topic: str, partitions: int, warm: int, fixes: int) -> Outcome:
    """Run one peer over the topic to its end; raises Unavailable when it cannot run or fails."""
    reason = why_not(peer)
    if reason is not None:
        raise Unavailable(reason)
    fixes = min(fixes, peer.most_fixes)
    warm = min(warm, peer.most_fixes // 4)
    with tempfile.TemporaryDirectory(prefix="flaneur-peer-") as scratch:
        if peer.script:
            python = python_with(peer.needs) or sys.executable
            numbers = [str(number) for number in (partitions, warm, fixes)]
            command = [python, str(HERE / peer.script), bootstrap, topic, *numbers]
        else:
            command = _java_command(peer, bootstrap, topic, warm, fixes, scratch)
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent), "TMPDIR": scratch}
        try:
            result = subprocess.run(
                command, capture_output=True, text=True, check=False, env=environment, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{peer.name} was not done after {TIMEOUT_S:.0f} s") from error
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    if not lines:
        last = (result.stderr or result.stdout).strip()[-500:]
        raise Unavailable(f"{peer.name} ended with code {result.returncode} and no result: {last}")
    return _read_outcome(orjson.loads(lines[-1]))


def _read_outcome(line: dict[str, Any]) -> Outcome:
    if "java" in line:
        version = f"{PROJECT.library('kafka-streams')}, Java {line['java']}"
    else:
        version = str(line["version"])
    return Outcome(
        line["fixes"], line["wall_s"], line["cpu_s"], line["counted"],
        line.get("windows"), line.get("count_squares"), line.get("speed_sum"), version,
    )  # fmt: skip
