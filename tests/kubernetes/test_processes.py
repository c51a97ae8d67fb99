"""What a pod would run, run here: the chart's command lines and variables, its probes, and SIGTERM."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from streams.kafka.topics import check_topics
from streams.local.processes import any_port
from streams.local.services import PROJECT
from streams.settings import Settings
from tests.broker.conftest import clear_topics
from tests.broker.drawn import draw
from tests.broker.own_process import wait_for
from tests.kubernetes.chart import environment, of_kind, pods, render

FEED = PROJECT / "data" / "feeds" / "wzdx" / "scenario1_simple_linestring_example.geojson"
READY_WITHIN_S = 90.0


class Pod:
    """The first container of a pod, as a process here: ports and mounted folders are this machine's."""

    def __init__(self, name: str, pod: dict[str, Any], folder: Path, mounts: dict[str, Path]) -> None:
        self.container = pod["spec"]["containers"][0]
        self.log = folder / f"{name}.log"
        ports = {port["name"]: port["containerPort"] for port in self.container.get("ports", [])}
        self.ports = {port: any_port() for port in ports}
        moved = {str(was): str(self.ports[port]) for port, was in ports.items()}
        told = {
            variable: moved.get(value, value) if variable.endswith("_PORT") else _here(value, mounts)
            for variable, value in environment(self.container).items()
        }
        told = {variable: value.replace("$(metadata.name)", name) for variable, value in told.items()}
        arguments = [_here(one, mounts) for one in self.container["args"]]
        for was, port in moved.items():
            arguments = [one.replace(f"-port={was}", f"-port={port}") for one in arguments]
        flaneur = Path(sys.executable).parent / self.container["command"][0]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [flaneur, *arguments], env=os.environ | told, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def probe(self, which: str) -> int:
        """The status that the kubelet would see; 0 while nobody listens."""
        asked = self.container[which]["httpGet"]
        try:
            url = f"http://127.0.0.1:{self.ports[asked['port']]}{asked['path']}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait_for(self, which: str) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return self.probe(which) == 200

        wait_for(answers, READY_WITHIN_S, lambda: f"{which}: {self.probe(which)}\n{self.log.read_text()}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(45)


def _here(text: str, mounts: dict[str, Path]) -> str:
    for path, folder in mounts.items():
        if text == path or text.startswith(path + "/"):
            return str(folder) + text.removeprefix(path)
    return text


@pytest.fixture
def mounts(tmp_path: Path) -> dict[str, Path]:
    """The folders that volumes would be mounted at."""
    city = draw(tmp_path / "lib" / "graph")
    feed, gateway, redis = tmp_path / "feed", tmp_path / "gateway", tmp_path / "redis"
    for folder in (feed, gateway, redis):
        folder.mkdir()
    shutil.copy(FEED, feed / "feed.geojson")
    (gateway / "token-keys").write_text("test:" + "k" * 64)
    return {
        "/var/lib/flaneur": city.folder.parent,
        "/feed": feed,
        "/run/secrets/gateway": gateway,
        "/run/secrets/redis": redis,
    }


@pytest.fixture
def running(services: Any, tmp_path: Path, mounts: dict[str, Path]) -> Iterator[dict[str, Pod]]:
    """Every process of the chart, the topics' job first; what is left is killed at the end."""
    admin = AdminClient({"bootstrap.servers": services.bootstrap, "log_level": 0})
    clear_topics(admin)
    (mounts["/run/secrets/redis"] / "url").write_text(services.redis_url)
    values = {
        "kafka": {
            "bootstrap": services.bootstrap, "group": "chart", "partitions": 2, "replication": 1,
            "securityProtocol": "PLAINTEXT",
        },
        "redis": {"existingSecret": "redis"},
        "gateway": {"existingSecret": "gateway"},
        "feeds": {"list": {"works": {"format": "wzdx", "path": "feed.geojson", "volume": {"emptyDir": {}}}}},
    }  # fmt: skip
    resources = render(values, tmp_path)
    made = dict(pods(resources))
    job = Pod("city-topics", of_kind(resources, "Job")["city-topics"]["spec"]["template"], tmp_path, mounts)
    assert job.process.wait(60) == 0, job.log.read_text()
    check_topics(Settings(bootstrap=services.bootstrap, group="chart", partitions=2))
    started: dict[str, Pod] = {}
    try:
        for name in ("city-worker", "city-gateway", "city-feed-works"):
            started[name] = Pod(name, made[name], tmp_path, mounts)
        yield started
    finally:
        for pod in started.values():
            pod.process.kill()
            pod.process.wait()


def test_every_process_starts_answers_its_probes_and_ends(running: dict[str, Pod]) -> None:
    for pod in running.values():
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            pod.wait_for(probe)
    for name, pod in running.items():
        assert pod.end() == 0, (name, pod.log.read_text())
