"""`flaneur bench` from the command line: a broker, a worker, figures, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil


def test_stream_measures_the_worker_on_a_preloaded_topic() -> None:
    command = [sys.executable, "-m", "cli.main", "bench", "stream", "--json", "--peers", "none"]
    numbers = ["--fixes", "1800000", "--warm", "200000", "--devices", "3000"]
    done = subprocess.run([*command, *numbers], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["metric"] for line in lines] == ["fixes_per_core_s", "fixes_per_s"]
    for line in lines:
        assert line["bench"] == "stream"
        assert line["value"] > 0
        assert 900_000 <= line["fixes"] <= 1_803_000  # everybody sends in every second that begins
        assert line["cpu_model"]
    left = [
        child
        for child in psutil.Process().children(recursive=True)
        # one that has ended and only waits to be reaped has no command line, and is not left
        if child.status() != psutil.STATUS_ZOMBIE and "flaneur-bench" in " ".join(child.cmdline())
    ]
    assert left == []


def test_a_plot_needs_block_sizes_and_they_must_be_numbers(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "bench", "stream", "--plot", str(tmp_path / "plot.svg")]
    for more, sentence in (
        ([], "--plot draws the figures of --block-sizes: say which sizes"),
        (["--block-sizes", "1,many"], "--block-sizes '1,many' is no list of whole numbers"),
    ):
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 2
        assert done.stderr.strip() == f"flaneur: {sentence}"


def test_what_cannot_be_measured_is_one_sentence() -> None:
    command = [sys.executable, "-m", "cli.main", "bench", "stream", "--fixes", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert done.stderr.strip() == "flaneur: fixes is 0, it must be 1 or more"
