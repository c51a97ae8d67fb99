"""`flaneur bench forecast`: errors on a file of the caller's, beside persistence and profile."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from bench.forecast import csv_series, forecast_errors
from geo.errors import BadInput
from models.world.forecast import HORIZONS
from tests.bench.altona import bench

DAYS = 4


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """A count every half hour at two stations, busy at noon; one line is no number, one is negative."""
    lines = ["when,station,count"]
    for k in range(DAYS * 48):
        at = f"2024-05-{6 + k // 48:02d}T{k % 48 // 2:02d}:{30 * (k % 2):02d}:00Z"
        for station, most in (("a", 100.0), ("b", 10.0)):
            lines.append(f"{at},{station},{most * (1.0 - math.cos(2.0 * math.pi * (k % 48) / 48.0)):.2f}")
    lines += ["2024-05-10T00:00:00Z,a,NA", "2024-05-10T00:00:00Z,a,-5"]
    file = tmp_path / "counts.csv"
    file.write_text("\n".join(lines))
    return file


def test_errors_are_told_beside_both_peers(counts: Path) -> None:
    done = bench("forecast", str(counts), "--time", "when", "--value", "count", "--by", "station", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["metric"], line["peer"]) for line in lines] == [
        ("mae", "persistence"), ("mae", "profile"), ("covered_share", None),
    ] * len(HORIZONS)  # fmt: skip
    assert {line["horizon_s"] for line in lines} == {3600.0, 10_800.0}
    assert {line["series"] for line in lines} == {2}
    assert all(line["ratio"] < 1.0 for line in lines if line["peer"] == "persistence")
    assert all(line["compared"] == 2 * (DAYS * 48 - line["horizon_s"] / 1800.0) for line in lines)


def test_nothing_is_forecast_from_what_is_not_there(counts: Path) -> None:
    done = bench("forecast", str(counts), "--time", "when", "--value", "people")
    assert done.returncode == 2
    assert "no column people; it has when, station, count" in done.stderr
    assert bench("forecast", str(counts)).returncode == 2
    with pytest.raises(BadInput, match="too short"):
        forecast_errors({0: {0: 1.0}, 1: {0: 2.0}})
    assert csv_series(counts, "when", "station", None) == {}
