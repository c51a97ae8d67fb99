"""What a benchmark prints: one figure with its peer's beside it, and what describes the run."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import orjson

VERSIONS_OF = ("aiokafka", "confluent-kafka", "faust-streaming", "numba", "numpy", "orjson")


@dataclass(frozen=True)
class Figure:
    """One line of a benchmark's output. `ratio` is ours to the peer's, None without a peer."""

    bench: str
    metric: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    about: Mapping[str, object] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        if not self.peer_value:
            return None
        return self.value / self.peer_value

    def to_json(self) -> str:
        """One JSON object on one line; floats keep the digits that a measurement has."""
        line = {
            "bench": self.bench,
            "metric": self.metric,
            "value": _short(self.value),
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": _short(self.peer_value),
            "ratio": _short(self.ratio),
            **self.about,
        }
        return orjson.dumps(line).decode()


Emit = Callable[[Figure], None]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}") if abs(value) < 1e5 else float(round(value))


def describe_machine() -> dict[str, object]:
    """Cores, processor, load and versions: without them a figure says nothing."""
    versions = {"python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "cores": os.cpu_count(),
        "cpu_model": cpu_model(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as the operating system tells it, else its architecture."""
    try:
        for line in cpuinfo.read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # macOS has no such file
    return platform.processor() or platform.machine()
