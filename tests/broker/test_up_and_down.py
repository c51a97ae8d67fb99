"""`flaneur up` and `flaneur down` as a person runs them: real processes, and none of them left at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import psutil
import pytest

from streams.local.processes import LocalProcess, RunFolder, any_port, is_running
from streams.local.services import run_folder

# the first run on a machine compiles every kernel
READY_WITHIN_S = 240.0


@pytest.fixture
def flaneur(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command line with a run folder of the test's own, and the project's graph and libraries."""
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "libs").symlink_to(run_folder().broker_libraries)
    environment = {**os.environ, "FLANEUR_RUN_DIR": str(tmp_path), "GRAPH_DIR": str(run_folder().graph)}
    for name in ("BOOTSTRAP", "REDIS_URL", "METRICS_PORT"):
        environment.pop(name, None)
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        if child.poll() is None:
            child.terminate()
            child.communicate(timeout=120)


def up(flaneur: Callable[..., subprocess.Popen[str]], *arguments: str) -> subprocess.Popen[str]:
    ports = (
        "--kafka-port",
        str(any_port()),
        "--redis-port",
        str(any_port()),
        "--gateway-port",
        str(any_port()),
        "--prometheus-port",
        str(any_port()),
    )
    return flaneur("up", "--no-live", "--walkers", "0", *ports, *arguments)


def wait_for_workers(folder: RunFolder, child: subprocess.Popen[str]) -> tuple[LocalProcess, ...]:
    """Wait until the run says that all is started; the processes that it started."""
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("Prometheus: http"):
            processes = folder.load().running()
            started = {"up", "kafka", "redis", "gateway", "worker-0", "prometheus"}
            assert {one.name for one in processes} == started
            return processes
    raise AssertionError(f"it ended with {child.wait()} before its worker was ready")


def test_once_answers_everything_sums_up_and_leaves_nothing(
    flaneur: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    output, said = up(flaneur, "--once", "--json", "--speed", "600").communicate(timeout=280)
    assert output.count("\n") == 1, said
    summary = orjson.loads(output)
    assert set(summary) == {"fixes", "late", "dead_letters", "updates", "p50_ms", "p99_ms", "seconds"}
    assert summary["fixes"] > 2000
    assert summary["dead_letters"] == 0
    assert summary["late"] == 0
    assert summary["updates"]["requested"] == 1
    assert summary["p50_ms"] <= summary["p99_ms"]
    assert not RunFolder(tmp_path).state_file.exists()
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(one.info["cmdline"])]


def test_a_second_run_is_refused_and_down_stops_the_first(
    flaneur: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    first = up(flaneur)
    processes = wait_for_workers(folder, first)
    second = up(flaneur)
    output, said = second.communicate(timeout=60)
    assert (second.returncode, output) == (2, "")
    assert said.startswith("flaneur: Flaneur already runs in ")
    down = flaneur("down")
    down.communicate(timeout=120)
    assert down.returncode == 0
    first.communicate(timeout=60)
    assert first.returncode == 0  # to stop it is how a person ends it
    assert not [one for one in processes if is_running(one)]
    again = flaneur("down")
    assert "nothing runs here" in again.communicate(timeout=60)[1]
    assert again.returncode == 0


def test_down_cleans_up_after_a_run_that_was_killed(
    flaneur: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    child = up(flaneur)
    wait_for_workers(folder, child)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    left = folder.load().running()
    assert {one.name for one in left} == {"kafka", "redis", "gateway", "worker-0", "prometheus"}
    down = flaneur("down")
    down.communicate(timeout=120)
    assert down.returncode == 0
    assert not [one for one in left if is_running(one)]


def test_ctrl_c_while_starting_leaves_nothing(
    flaneur: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    child = up(flaneur, "--once")
    give_up = time.monotonic() + READY_WITHIN_S
    while folder.load().find("kafka") is None:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    processes = folder.load().running()
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate(timeout=120)
    assert (child.returncode, output) == (130, "")
    assert not [one for one in processes if is_running(one)]
