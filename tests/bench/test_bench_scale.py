"""`flaneur bench scale`: the capacity model by hand, what is made of readings, and one small run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.growing.capacity import HOURS_A_MONTH, Assumptions, Demand, Measured, assume, capacity
from bench.growing.load import Look, Reading, behind_s, between, longest_gap_s
from bench.growing.scale import capacities, net_cpu_s
from geo.errors import BadInput
from models.routes.taste_metrics import KEPT
from tests.bench.altona import bench

MEASURED = Measured(
    fix_cpu_s=10e-6, trip_fix_cpu_s=30e-6, idle_cpu_share=0.02, broker_fix_cpu_s=4e-6,
    fix_bytes=100.0, update_bytes=10.0, observation_bytes=5.0,
    changelog_bytes=500.0, trip_changelog_bytes=1_500.0,
    worker_bytes=200e6, walker_bytes=2_000.0, trip_walker_bytes=4_000.0,
    city_bytes=1e6, metric_bytes=3e6,
    condition_cpu_s=10e-6, condition_city_cpu_s=5e-6, condition_bytes=200.0, costs_cpu_s=1e-3,
    assign_cpu_s=1e-7,
)  # fmt: skip
DEMAND = Demand(1_000_000, trip_share=0.25, walkers_per_city=100_000, conditions_per_s=2.0, changes_per_s=0.1)
ASSUMED = Assumptions(partitions_per_worker=4, retention_h=1.0, observations_h=1.0, broker_disk_tb=4.0)


def test_a_million_walkers_by_hand() -> None:
    needed = capacity(MEASURED, DEMAND, ASSUMED)
    assert needed.cities == 10
    # 10 cities: 20 conditions/s of 10 + 10 × 5 µs; 1 change/s that renews all 10 at 1 ms
    assert needed.news_share == pytest.approx(20 * 60e-6 + 10e-3)
    # 1,000,000 × (0.75 × 10 + 0.25 × 30 µs) = 15 cores; of a worker 0.5 − 0.02 − 0.0112 = 0.4688 is free
    assert needed.workers == 32
    assert needed.partitions == 128
    # seven topics of 128 partitions, six of one, three copies
    assert needed.replicas == 3 * (7 * 128 + 6)
    # 32 × (200 MB + 10 × 1 MB + metrics) + 1,000,000 × 2,500 B
    assert needed.worker_memory_gb == pytest.approx(32 * (0.210 + KEPT * 0.003) + 2.5)
    # 115 MB/s of messages, 1,000,000 × 750 B of changelog, 20 × 200 B of conditions; three copies
    produced = 115e6 + 750e6 + 4e3
    assert needed.network_in_gbit_s == pytest.approx(8e-9 * 3 * produced)
    assert needed.network_out_gbit_s == pytest.approx(8e-9 * (2 * produced + 115e6 + 32 * 4e3))
    assert needed.disk_tb == pytest.approx(3 * (115e6 * 3600 + 2 * 750e6) / 1e12)
    assert needed.recovery_mb == pytest.approx(750 / 128)
    # what is written: 2.6 GB/s by 250 MB/s
    assert needed.brokers == 11
    assert needed.assign_s == pytest.approx(128 * 32 * 1e-7)
    compute = (32 + 11 * 8) * 0.04 + (needed.worker_memory_gb + 11 * 32) * 0.005
    assert needed.money_compute == pytest.approx(compute * HOURS_A_MONTH)
    assert needed.money_disk == pytest.approx(needed.disk_tb * 1000 * 0.08)
    gigabytes = (needed.network_in_gbit_s + needed.network_out_gbit_s) / 8 * 3600 * HOURS_A_MONTH
    assert needed.money_traffic == pytest.approx(gigabytes * 0.01 * 2 / 3)
    assert needed.money == needed.money_compute + needed.money_disk + needed.money_traffic
    assert needed.limits == ()


def test_what_bounds_the_brokers_is_the_scarcest() -> None:
    def brokers(**changed: float) -> int:
        return capacity(MEASURED, DEMAND, replace(ASSUMED, **changed)).brokers  # type: ignore[arg-type]  # numbers

    assert brokers(broker_write_mb_s=1e9, broker_network_mb_s=1e9) == 3  # 12 cores of 8 × 0.5
    assert brokers(broker_write_mb_s=1e9, broker_network_mb_s=100.0) == 26
    assert brokers(broker_disk_tb=0.01) == 125
    assert brokers(replicas_per_broker=50) == 55


def test_very_many_in_one_cluster_cross_limits_that_regions_do_not() -> None:
    one, many = capacities(MEASURED, replace(DEMAND, walkers=100_000_000), ASSUMED)
    assert (one.clusters, many.clusters) == (1, 100)
    assert [text.split()[0] for text in one.limits] == ["news", "252,102"]
    assert many.limits == ()
    assert many.workers == 100 * capacity(MEASURED, DEMAND, ASSUMED).workers
    assert many.news_share < 0.02 < 1.0 < one.news_share


@given(st.integers(1, 50_000_000), st.integers(1, 50_000_000), st.floats(0.0, 1.0))
def test_more_walkers_never_need_less(few: int, more: int, trip_share: float) -> None:
    demand = replace(DEMAND, trip_share=trip_share, conditions_per_s=0.0, changes_per_s=0.0)
    less = capacity(MEASURED, replace(demand, walkers=min(few, more)), ASSUMED)
    greater = capacity(MEASURED, replace(demand, walkers=max(few, more)), ASSUMED)
    for name in (
        "workers",
        "brokers",
        "partitions",
        "worker_memory_gb",
        "disk_tb",
        "network_in_gbit_s",
        "money",
    ):
        assert getattr(less, name) <= getattr(greater, name), name


def test_assumptions_are_named_or_refused() -> None:
    demand, assumed = assume(("trip_share=0.1", "replication=2"), DEMAND, ASSUMED)
    assert (demand.trip_share, assumed.replication) == (0.1, 2)
    assert (demand.walkers, assumed.utilisation) == (DEMAND.walkers, ASSUMED.utilisation)
    with pytest.raises(BadInput, match="'luck' is no assumption"):
        assume(("luck=1",), DEMAND, ASSUMED)
    with pytest.raises(BadInput, match="number"):
        assume(("replication=many",), DEMAND, ASSUMED)
    with pytest.raises(BadInput, match="utilisation"):
        assume(("utilisation=0",), DEMAND, ASSUMED)
    with pytest.raises(BadInput, match="walkers"):
        Demand(0)


def reading(at_s: float, fixes: tuple[float, ...], cpu_s: tuple[float, ...]) -> Reading:
    return Reading(at_s, fixes, cpu_s, (7,) * len(fixes), 10.0 * at_s, at_s / 2, {"gps-fixes": int(at_s)})


def test_a_fix_is_not_charged_what_idle_workers_take() -> None:
    idle = between(reading(0.0, (5.0,), (1.0,)), reading(10.0, (5.0,), (1.5,)))  # a twentieth of a core
    took = between(reading(0.0, (0.0, 10.0), (0.0, 3.0)), reading(20.0, (600.0, 410.0), (4.0, 7.0)))
    assert took.all_fixes == 1_000.0
    assert net_cpu_s(took, idle) == pytest.approx((8.0 - 2 * 0.05 * 20.0) / 1_000)
    assert (took.changelog_bytes, took.broker_cpu_s, took.own_bytes) == (200.0, 10.0, 14)


def test_gaps_and_backlogs_are_seen_from_outside() -> None:
    taken = [0, 10, 20, 20, 20, 20, 45, 60, 80, 90]
    looks = [Look(float(at), 10.0 * at, float(count)) for at, count in enumerate(taken)]
    assert longest_gap_s(looks) == 3.0  # from the third to the sixth
    assert behind_s(looks, 5.0) == 6.0  # 30 wait at most; none at 2, none at 8
    assert behind_s(looks, 25.0) == 2.0
    assert behind_s(looks[:3], 5.0) == 0.0
    assert behind_s(looks[:5], 5.0) == 2.0  # and it has not ended


def test_two_workers_share_what_one_had(graph_dir: str) -> None:
    numbers = ["--devices", "100", "--seconds", "3", "--walkers", "1000000", "--partitions", "4"]
    done = bench("scale", "--graph", graph_dir, *numbers, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    values = {
        (line["metric"], line.get("workers") or line.get("trip") or line.get("rebalance")): line["value"]
        for line in lines
    }
    for workers in (1, 2):
        assert values["cpu_us_per_fix", workers] > 0.0
    assert 0.5 <= values["worker_share", None] < 0.9
    assert 80.0 < values["bytes_per_fix_in", None] < 300.0
    assert values["changelog_bytes_per_fix", "no"] > 0.0
    assert values["rebalance_pause_s", "join"] > 0.0
    assert values["needed_workers", None] >= 2
    # what they say depends on how busy this machine is; tests of the capacity model say what they must be
    assert all(isinstance(line["limits"], list) for line in lines if line["metric"].startswith("needed_"))
