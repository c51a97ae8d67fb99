"""Reads a worker's Prometheus metrics."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

# by name, then one entry for each set of labels
_Series = dict[str, list[tuple[Mapping[str, str], float]]]


@dataclass(frozen=True)
class Samples:
    """The samples of one or more workers at one moment."""

    series: _Series = field(default_factory=dict)

    def values(self, name: str, **labels: str) -> list[float]:
        """The values of one metric that carry these labels."""
        return [value for have, value in self.series.get(name, []) if labels.items() <= have.items()]

    def total(self, name: str, **labels: str) -> float:
        """Their sum; 0 if there are none."""
        return sum(self.values(name, **labels))

    def by(self, name: str, label: str) -> dict[str, int]:
        """Sums by the values of one label, without those that are 0."""
        sums: dict[str, float] = {}
        for have, value in self.series.get(name, []):
            sums[have.get(label, "")] = sums.get(have.get(label, ""), 0.0) + value
        return {key: int(value) for key, value in sorted(sums.items()) if value}


def scrape(port: int, timeout_s: float = 3.0) -> Samples:
    """What the worker at that port of this machine exposes; nothing while it does not answer."""
    return scrape_address(f"127.0.0.1:{port}", timeout_s)


def scrape_address(address: str, timeout_s: float = 3.0) -> Samples:
    """What the worker at `host:port` exposes; nothing while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=timeout_s) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return Samples()
    return read_samples(text)


def scrape_all(ports: Iterable[int]) -> Samples:
    """The samples of several workers together."""
    together: _Series = {}
    for port in ports:
        for name, entries in scrape(port).series.items():
            together.setdefault(name, []).extend(entries)
    return Samples(together)


def read_samples(text: str) -> Samples:
    """Samples from Prometheus's text format."""
    series: _Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series.setdefault(sample.name, []).append((sample.labels, sample.value))
    return Samples(series)
