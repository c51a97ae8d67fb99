"""The Prometheus that runs beside Flaneur: real, on loopback, scraping what it is told to, with our rules."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client import CollectorRegistry, Counter, start_http_server

from geo.errors import BadInput, Unavailable
from streams.local.processes import LocalProcess, RunFolder, any_port, stop
from streams.local.prometheus import (
    Target,
    start_prometheus,
    wait_for_prometheus,
    write_targets,
)
from streams.local.services import PROJECT
from streams.local.tools import find_promtool
from streams.telemetry.prometheus import Prometheus
from tests.broker.deployment import wait_for

RULE = """
groups:
  - name: test
    rules:
      - record: flaneur:test_seen:sum
        expr: sum(flaneur_test_seen_total)
      - alert: TestSeen
        expr: flaneur:test_seen:sum > 2
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Prometheus, RunFolder, LocalProcess]]:
    """A Prometheus that scrapes every second, whom nobody has told of any process yet."""
    folder = RunFolder(tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "test.yaml").write_text(RULE)
    process = start_prometheus(folder, [], port=any_port(), scrape_s=1, rules=tmp_path / "rules")
    try:
        yield Prometheus(wait_for_prometheus(process, folder)), folder, process
    finally:
        assert stop(process)


def test_it_scrapes_whom_it_is_told_of_and_follows_the_rules(
    running: tuple[Prometheus, RunFolder, LocalProcess],
) -> None:
    prometheus, folder, process = running
    registry = CollectorRegistry()
    seen = Counter("flaneur_test_seen", "Things", registry=registry)
    server, _ = start_http_server(0, "127.0.0.1", registry=registry)
    try:
        seen.inc(3)
        write_targets(folder, [Target("worker", "worker-0", server.server_port)])
        wait_for(lambda: bool(prometheus.now("flaneur_test_seen_total")), 20)
        (series,) = prometheus.now("flaneur_test_seen_total")
        assert series.last == 3
        assert (series.labels["job"], series.labels["instance"]) == ("worker", "worker-0")
        assert prometheus.label_values("instance", "flaneur_test_seen_total") == ["worker-0"]
        assert prometheus.targets()["worker/worker-0"] == "up"
        wait_for(lambda: bool(prometheus.alerts()), 20)
        assert prometheus.alerts()[0][:2] == ("TestSeen", "firing")
        (recorded,) = prometheus.now("flaneur:test_seen:sum")
        assert recorded.last == 3
        end_s = recorded.points[0][0]
        (while_,) = prometheus.over("vector(7)", end_s - 10, end_s, 5)
        assert [value for _, value in while_.points] == [7, 7, 7]
        with pytest.raises(BadInput, match="parse error"):
            prometheus.now("sum(")
    finally:
        server.shutdown()
        server.server_close()
    listening = [
        one.laddr.ip
        for one in psutil.Process(process.pid).net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_nobody_answers() -> None:
    with pytest.raises(Unavailable, match="no Prometheus answers"):
        Prometheus(f"http://127.0.0.1:{any_port()}").now("up")


def test_the_deployments_configuration_is_valid() -> None:
    promtool = find_promtool()
    assert promtool is not None
    file = PROJECT / "compose" / "prometheus" / "prometheus.yaml"
    done = subprocess.run([promtool, "check", "config", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
