"""What every peer of the matching benchmark reads and writes. Only the standard library is used here."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Trace:
    """n fixes in order of time."""

    ts: list[float]
    lat: list[float]
    lon: list[float]
    accuracy_m: list[float]


@dataclass(frozen=True)
class MatchJob:
    """What a peer is asked to do, see `bench.peers.matching`."""

    folder: Path
    extract: str
    options: dict[str, Any]
    traces: list[Trace]
    graph: dict[str, list[Any]]
    answer: Path

    @staticmethod
    def read() -> MatchJob:
        job = json.loads(Path(sys.argv[1]).read_bytes())
        traces = [Trace(**trace) for trace in job["traces"]]
        extract = str(job["extract"])
        return MatchJob(
            Path(job["folder"]), extract, job["options"], traces, job["graph"], Path(job["answer"])
        )

    def match_all(self, match: Callable[[Trace], list[Any]], version: str) -> None:
        """Match every trace, and write what was answered and the CPU time that it took."""
        began = time.process_time()
        answers = [match(trace) for trace in self.traces]
        cpu_s = time.process_time() - began
        self.answer.write_text(json.dumps({"answers": answers, "cpu_s": cpu_s, "version": version}))
