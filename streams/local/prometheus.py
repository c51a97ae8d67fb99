"""Runs a Prometheus on this machine, on loopback only, that scrapes the processes started beside it."""

from __future__ import annotations

import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import orjson

from geo.errors import Unavailable
from streams.local.processes import LocalProcess, RunFolder, choose_port, spawn
from streams.local.services import PROJECT, START_WITHIN_S, wait_until_ready
from streams.local.tools import find_prometheus

PROMETHEUS_PORT = 9090
SCRAPE_S = 5
KEPT = "15d"
RULES = PROJECT / "compose" / "prometheus" / "rules"


@dataclass(frozen=True, slots=True)
class Target:
    """A process with metrics: which kind (`worker`, `gateway`), which one of them, where."""

    job: str
    instance: str
    port: int


def start_prometheus(
    folder: RunFolder,
    targets: Sequence[Target],
    *,
    port: int | None = None,
    usual_port: int = PROMETHEUS_PORT,
    scrape_s: int = SCRAPE_S,
    rules: Path = RULES,
) -> LocalProcess:
    """Start Prometheus and return without waiting for it; `wait_for_prometheus` does.

    `port` is demanded, `usual_port` only preferred; `rules` is a folder of rule files. Raises Unavailable if
    the program or a port is missing.
    """
    program = find_prometheus()
    if program is None:
        raise Unavailable("no prometheus on this machine: run `make setup`, or install it")
    chosen = choose_port("Prometheus", usual_port, port)
    data = folder.path / "prometheus"
    write_targets(folder, targets)
    settings = data / "prometheus.yaml"
    template = Template((PROJECT / "compose" / "prometheus" / "local.yaml").read_text())
    settings.write_text(
        template.substitute(
            scrape_s=scrape_s, port=chosen, rules=rules / "*.yaml", targets=_targets_file(folder)
        )
    )
    command = [str(program), f"--config.file={settings}", f"--storage.tsdb.path={data / 'tsdb'}"]
    command += [f"--storage.tsdb.retention.time={KEPT}", f"--web.listen-address=127.0.0.1:{chosen}"]
    return spawn(
        "prometheus",
        command,
        folder=data,
        log=folder.logs / "prometheus.log",
        marker=f"--config.file={settings}",
        port=chosen,
    )


def write_targets(folder: RunFolder, targets: Sequence[Target]) -> None:
    """Tell the Prometheus of that folder whom to scrape; it notices by itself."""
    groups = [
        {
            "targets": [f"127.0.0.1:{one.port}"],
            "labels": {"job": one.job, "instance": one.instance},
        }
        for one in targets
    ]
    file = _targets_file(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(".part")
    aside.write_bytes(orjson.dumps(groups))
    aside.replace(file)


def wait_for_prometheus(process: LocalProcess, folder: RunFolder, within_s: float = START_WITHIN_S) -> str:
    """Wait until a Prometheus that we started is ready; its address."""
    address = f"http://127.0.0.1:{process.port}"

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/-/ready", timeout=2.0) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    wait_until_ready(process, ready, folder.logs / "prometheus.log", within_s)
    return address


def _targets_file(folder: RunFolder) -> Path:
    return folder.path / "prometheus" / "targets.json"
