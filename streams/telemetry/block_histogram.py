"""A Prometheus histogram that takes a block's values in one call: prometheus_client's takes them singly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from geo.graph import F64


class BlockHistogram(Collector):
    """Counts values up to and including each of `buckets` (rising; +Inf is added), and their sum.

    Registers itself under `name`, and takes values on one thread while another collects.
    """

    def __init__(
        self, name: str, about: str, buckets: Sequence[float], registry: CollectorRegistry = REGISTRY
    ) -> None:
        self._name, self._about = name, about
        self._bounds = np.array(buckets)
        self._les = [*map(floatToGoString, buckets), "+Inf"]
        self._told = (np.zeros(len(self._les), np.int64), 0.0)  # replaced whole: the other thread reads it
        registry.register(self)

    def observe_all(self, values: F64) -> None:
        """Add values, (n,) of the metric's unit."""
        counts, total = self._told
        bucket = np.searchsorted(self._bounds, values, side="left")
        self._told = (counts + np.bincount(bucket, minlength=len(counts)), total + float(values.sum()))

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """What Prometheus is told: each bucket contains those below."""
        counts, total = self._told
        contained = np.cumsum(counts).tolist()
        yield HistogramMetricFamily(
            self._name, self._about, buckets=list(zip(self._les, contained, strict=True)), sum_value=total
        )
