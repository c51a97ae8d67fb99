"""What a process tells Prometheus: histograms by block, the disk, counters that are there from the start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Histogram

from streams.telemetry import metrics
from streams.telemetry.block_histogram import BlockHistogram

BUCKETS = (0.5, 1.0, 2.5)


def test_a_block_counts_as_its_values_would_singly() -> None:
    values = np.array([0.0, 0.5, 0.50001, 1.0, 1.2, 2.5, 2.6, 400.0])
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    block = BlockHistogram("age_seconds", "Age", BUCKETS, ours)
    single = Histogram("age_seconds", "Age", buckets=BUCKETS, registry=theirs)
    for part in (values[:3], values[3:], values[:0]):
        block.observe_all(part)
    for value in values.tolist():
        single.observe(value)

    def samples(registry: CollectorRegistry) -> dict[str, float]:
        return {
            f"{sample.name}{sample.labels}": sample.value
            for family in registry.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        }

    assert samples(ours) == pytest.approx(samples(theirs))
    assert ours.get_sample_value("age_seconds_bucket", {"le": "1.0"}) == 4


def test_the_disk_of_a_folder_is_told(tmp_path: Path) -> None:
    metrics._watch_disk("")
    metrics._watch_disk(str(tmp_path))
    free = REGISTRY.get_sample_value("flaneur_disk_free_bytes", {"folder": str(tmp_path)})
    size = REGISTRY.get_sample_value("flaneur_disk_bytes", {"folder": str(tmp_path)})
    assert free is not None
    assert size is not None
    assert 0 < free < size
    assert REGISTRY.get_sample_value("flaneur_disk_bytes", {"folder": ""}) is None


def test_counters_that_alerts_watch_are_there_before_anything_happens() -> None:
    reasons = {"topic": "gps-fixes", "reason": "not_json"}
    assert REGISTRY.get_sample_value("flaneur_dead_letters_total", reasons) is not None
    for name in ("holes_found", "holes_healed", "offsets_lost"):
        assert REGISTRY.get_sample_value(f"flaneur_{name}_total", {"topic": "traffic-reports"}) is not None
    for name in ("decisions_total", "route_updates_total", "search_seconds_count"):
        assert REGISTRY.get_sample_value(f"flaneur_{name}", {"reason": "off_route"}) is not None
    assert REGISTRY.get_sample_value("flaneur_replan_gain_count", {"reason": "better"}) is not None
