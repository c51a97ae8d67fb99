"""What benchmarks compute from what they saw, and what they print."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.latency import latencies_s
from bench.peers import PEER_NAMES
from bench.peers.meter import Meter
from bench.peers.run import choose_peers
from bench.recovery import compare_counts, count_doubles
from bench.rig.pacing import moment
from bench.rig.report import Figure, cpu_model
from bench.rig.walkers import Heard
from bench.rig.worker import Sample, read_metrics
from bench.stream import Run, median_rates, rates
from geo.errors import BadInput


def heard(
    version: int, *, at_s: float = 0.0, fix_ts: float = 1.0, reason: str = "off_route", value: bytes = b"x"
) -> Heard:
    return Heard(at_s, "d1", "0-7", version, reason, fix_ts, None, value)


def test_a_figure_is_one_json_object_with_the_peer_beside_it() -> None:
    line = Figure(
        "stream", "fixes_per_core_s", 500_000.4, "fixes/s", "faust", 4_000.0, {"cores": 2}
    ).to_json()
    assert "\n" not in line
    assert json.loads(line) == {
        "bench": "stream",
        "metric": "fixes_per_core_s",
        "value": 500_000.0,
        "unit": "fixes/s",
        "peer": "faust",
        "peer_value": 4_000.0,
        "ratio": 125.0,
        "cores": 2,
    }


def test_without_a_peer_there_is_no_ratio() -> None:
    line = json.loads(Figure("latency", "fix_to_update_p99_ms", 12.3456789, "ms").to_json())
    assert (line["value"], line["peer"], line["ratio"]) == (12.346, None, None)


def test_the_processor_has_a_name(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert cpu_model(cpuinfo) == "Some CPU @ 2 GHz"
    assert cpu_model(tmp_path / "absent")


def test_prometheus_text_is_read_with_its_labels() -> None:
    text = (
        "# HELP flaneur_fixes_total Fixes\n"
        "flaneur_fixes_total 1.5e+06\n"
        'flaneur_consumer_lag_messages{partition="0",topic="gps-fixes"} 7.0\n'
        "python_info 1.0\n"
    )
    assert read_metrics(text) == {
        "flaneur_fixes_total": 1_500_000.0,
        'flaneur_consumer_lag_messages{partition="0",topic="gps-fixes"}': 7.0,
    }


def test_rates_charge_the_last_checkpoint_to_cpu_but_not_to_the_clock() -> None:
    first = Sample(10.0, 5.0, 1_000, 0, 0.0)
    last = Sample(12.0, 6.5, 3_000, 0, 0.0)
    stored = Sample(13.0, 7.0, 3_000, 0, 0.0)
    assert rates(Run(first, last, stored)) == [
        ("fixes_per_core_s", 1_000.0, "fixes/s"),
        ("fixes_per_s", 1_000.0, "fixes/s"),
    ]


def test_of_several_runs_each_figure_has_its_own_median() -> None:
    def run(cpu_s: float, wall_s: float) -> Run:
        first = Sample(0.0, 0.0, 0, 0, 0.0)
        return Run(first, Sample(wall_s, cpu_s, 1_000, 0, 0.0), Sample(wall_s, cpu_s, 1_000, 0, 0.0))

    assert median_rates([run(1.0, 4.0), run(2.0, 1.0), run(4.0, 2.0)]) == [
        ("fixes_per_core_s", 500.0, "fixes/s"),
        ("fixes_per_s", 500.0, "fixes/s"),
    ]


def test_latency_counts_each_update_once_and_only_those_that_a_fix_caused() -> None:
    sent_at_s = {moment("d1", 1.0): 100.0, moment("d1", 2.0): 200.0}
    updates = [
        heard(1, at_s=100.02),
        heard(1, at_s=100.5),  # repeated
        heard(2, at_s=200.03, fix_ts=2.0),
        heard(3, at_s=200.9, fix_ts=2.0, reason="world_changed"),
        heard(4, at_s=200.9, fix_ts=9.0),  # not sent by us
    ]
    np.testing.assert_allclose(latencies_s(sent_at_s, updates, 0.0), [0.02, 0.03])
    np.testing.assert_allclose(latencies_s(sent_at_s, updates, 150.0), [0.03])


def test_doubles_are_told_before_and_after_dropping_repeated_ids() -> None:
    once = [heard(1), heard(2, fix_ts=2.0)]
    assert count_doubles(once) == count_doubles([])
    doubles = count_doubles([*once, heard(1), heard(2, fix_ts=2.0, value=b"y"), heard(9)])
    assert (doubles.repeated_ids, doubles.conflicting, doubles.visible) == (2, 1, 1)


def test_lost_and_doubly_counted_fixes_do_not_cancel_out() -> None:
    assert compare_counts({"a": 5, "b": 5}, {"a": 4, "b": 6}) == (1, 1)
    assert compare_counts({"a": 5}, {"a": 5}) == (0, 0)
    assert compare_counts({"a": 5}, {}) == (5, 0)


def test_a_meter_leaves_out_the_warm_up() -> None:
    meter = Meter(warm=10, fixes=20)
    assert [meter.add(8) for _ in range(4)] == [False, False, False, True]
    assert [mark[0] for mark in meter.marks] == [16, 32]


def test_an_unknown_peer_is_named_with_those_that_exist() -> None:
    with pytest.raises(BadInput, match=r"'flink' is unknown: choose from .*kafka-streams"):
        choose_peers(["flink"])
    assert len(set(PEER_NAMES)) == len(PEER_NAMES)
