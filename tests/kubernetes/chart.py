"""The chart, rendered by real Helm, and what the tests ask of what it renders."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from streams.local.services import PROJECT, run_folder

CHART = PROJECT / "compose" / "helm" / "flaneur"
HELMS = ("3", "4")

#: The least that must be set.
LEAST: dict[str, Any] = {
    "kafka": {"bootstrap": "kafka:9093"},
    "redis": {"existingSecret": "redis"},
    "gateway": {"existingSecret": "gateway"},
}
#: Everything that can be had.
ALL: dict[str, Any] = {
    "kafka": {
        "bootstrap": "main-kafka-bootstrap.kafka:9093",
        "partitions": 12,
        "caSecret": {"name": "main-cluster-ca-cert"},
        "topics": "strimzi",
        "strimzi": {"cluster": "main", "namespace": "kafka", "users": True},
    },
    "redis": {"existingSecret": "redis"},
    "graph": {"existingClaim": "graph"},
    "worker": {"settings": {"CHECKPOINT_S": 2}, "podAnnotations": {"a/b": "c"}},
    "gateway": {
        "existingSecret": "gateway",
        "operatorKey": True,
        "tlsSecret": "gateway-tls",
        "origins": ["https://walk.example"],
        "ingress": {"enabled": True, "className": "nginx", "host": "walk.example", "tlsSecret": "walk-tls"},
    },
    "keda": {"enabled": True, "prometheus": "http://prometheus-operated.monitoring:9090", "maxReplicas": 99},
    "feeds": {
        "list": {
            "roadworks": {
                "format": "wzdx",
                "path": "feed.geojson",
                "volume": {"emptyDir": {}},
                "containers": [{"name": "fetch", "image": "fetcher:1"}],
            },
            "weather": {
                "format": "met-norway",
                "volume": {"persistentVolumeClaim": {"claimName": "weather"}},
                "options": ["--speed=0"],
            },
        }
    },
    "monitoring": {
        "serviceMonitors": True, "rules": True, "dashboards": True, "labels": {"release": "prometheus"},
    },
}  # fmt: skip


def helm(*arguments: str | Path, major: str = HELMS[0]) -> subprocess.CompletedProcess[str]:
    """Run Helm; AssertionError with what to do if it is not there."""
    program = run_folder().path / "helm" / f"helm-{major}"
    assert program.exists(), f"{program} is missing: run `make helm`"
    command = [program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def render(values: Mapping[str, Any], folder: Path, major: str = HELMS[0]) -> list[dict[str, Any]]:
    """All resources of a release `city` in the namespace `walks` with these values."""
    done = template(values, folder, major)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def template(
    values: Mapping[str, Any], folder: Path, major: str = HELMS[0]
) -> subprocess.CompletedProcess[str]:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(dict(values)))
    return helm("template", "city", CHART, "--namespace", "walks", "--values", file, major=major)


def merged(*values: Mapping[str, Any]) -> dict[str, Any]:
    """Later values over earlier ones, deeply, as Helm does it."""
    result: dict[str, Any] = {}
    for one in values:
        for key, value in one.items():
            both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
            result[key] = merged(result[key], value) if both else value
    return result


def of_kind(resources: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """By name."""
    return {one["metadata"]["name"]: one for one in resources if one["kind"] == kind}


def pods(resources: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of whatever makes pods, and the pods that it makes."""
    for one in resources:
        if one["kind"] in ("StatefulSet", "Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]


def ours(resources: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The containers that run `flaneur`."""
    for name, pod in pods(resources):
        for container in pod["spec"]["containers"]:
            if container.get("command") == ["flaneur"]:
                yield name, container


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """A container's variables; what is read from the pod is `$(field)`."""
    return {
        one["name"]: one["value"] if "value" in one else f"$({one['valueFrom']['fieldRef']['fieldPath']})"
        for one in container["env"]
    }
