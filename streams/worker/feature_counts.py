"""Counts how often each feature is told, and how often it is unknown: by block or by second, never by fix."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

import numpy as np

from geo.graph import F32
from models.features import CELL_FEATURES, EDGE_FEATURES, WALKER_FEATURES
from models.records import CROWD_PREFIX, EdgeCondition
from streams.telemetry import metrics

_TOLD = {
    "walker": tuple(feature.name for feature in WALKER_FEATURES),
    "cell": tuple(feature.name for feature in CELL_FEATURES),
    "edge": tuple(feature.name for feature in EDGE_FEATURES),
    "crowd": ("walkers_300s", "walkers_900s", "walkers_at_once", "pace_ratio"),
}
for _entity, _names in _TOLD.items():
    for _name in _names:
        metrics.FEATURE_VALUES.labels(_entity, _name)
        metrics.FEATURE_NULLS.labels(_entity, _name)


def count_walker_features(values: F32) -> None:
    """Count what is written of walkers: (walkers, WALKER_FEATURES), nan where a value is unknown."""
    if len(values):
        nulls = np.count_nonzero(np.isnan(values), axis=0).tolist()
        for name, unknown in zip(_TOLD["walker"], nulls, strict=True):
            _count("walker", name, len(values), unknown)


def count_condition_features(conditions: Iterable[EdgeCondition]) -> None:
    """Count what is told of cells and stretches; a condition that tells nothing is one that has ended."""
    told: Counter[tuple[str, str]] = Counter()
    unknown: Counter[tuple[str, str]] = Counter()
    for condition in conditions:
        if condition.key.startswith(CROWD_PREFIX):
            entity = "crowd"
        else:
            entity = "edge" if "/" in condition.key else "cell"
        empty = [getattr(condition, name) is None for name in _TOLD[entity]]
        if all(empty):
            continue
        for name, is_null in zip(_TOLD[entity], empty, strict=True):
            told[entity, name] += 1
            unknown[entity, name] += is_null
    for (entity, name), count in told.items():
        _count(entity, name, count, unknown[entity, name])


def _count(entity: str, feature: str, told: int, unknown: int) -> None:
    metrics.FEATURE_VALUES.labels(entity, feature).inc(told)
    metrics.FEATURE_NULLS.labels(entity, feature).inc(unknown)
    if told > unknown:
        metrics.FEATURE_TS.labels(entity, feature).set(time.time())
