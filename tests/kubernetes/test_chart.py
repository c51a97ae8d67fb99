"""The chart says what the service says: settings, topics, rights, ports, rules; and nobody is root."""

from __future__ import annotations

import json
import re
import runpy
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cli.main import COMMANDS
from streams.kafka.access import declared_rights
from streams.kafka.topics import declared_topics
from streams.local.services import PROJECT
from streams.settings import SECRETS, Settings
from tests.kubernetes.chart import (
    ALL,
    CHART,
    LEAST,
    environment,
    merged,
    of_kind,
    ours,
    pods,
    render,
    template,
)


def test_its_lists_are_those_of_the_service() -> None:
    declare = runpy.run_path(str(PROJECT / "compose" / "helm" / "declare.py"))
    for name in ("topics", "rights"):
        written = (CHART / "files" / f"{name}.yaml").read_text()
        assert written == declare["text_of"](declare[name]()), "run `make chart`"


@pytest.mark.parametrize(("partitions", "group", "replication"), [(12, "flaneur", 3), (5, "another", 1)])
def test_topics_are_those_of_the_service(partitions: int, group: str, replication: int, folder: Path) -> None:
    own = {"partitions": partitions, "group": group, "replication": replication}
    topics = of_kind(render(merged(ALL, {"kafka": own}), folder), "KafkaTopic")
    declared = declared_topics(Settings(partitions=partitions, group=group))
    assert set(topics) == {spec.name for spec in declared}
    for spec in declared:
        found = topics[spec.name]["spec"]
        assert found["topicName"] == spec.name
        assert found["partitions"] == spec.partitions
        assert found["replicas"] == replication
        durable = {"min.insync.replicas": "2"} if replication >= 3 else {}
        assert found["config"] == spec.config() | durable
        assert topics[spec.name]["metadata"]["labels"]["strimzi.io/cluster"] == "main"
        assert topics[spec.name]["metadata"]["namespace"] == "kafka"


def test_users_may_what_the_service_declares(everything: list[dict[str, Any]]) -> None:
    users = of_kind(everything, "KafkaUser")
    assert set(users) == {"city-worker", "city-gateway", "city-feeds", "city-admin"}
    declared = declared_rights(Settings(partitions=12))
    for service in ("worker", "gateway", "feeds"):
        found = {
            (
                acl["resource"]["type"],
                acl["resource"]["name"],
                re.sub("(?<=[a-z])([A-Z])", r"_\1", one).lower(),
            )
            for acl in users[f"city-{service}"]["spec"]["authorization"]["acls"]
            for one in acl["operations"]
        }
        assert found == {tuple(right) for right in declared[service]}


def test_every_variable_is_a_setting(everything: list[dict[str, Any]], least: list[dict[str, Any]]) -> None:
    known = {one.name.upper() for one in fields(Settings)} | {f"{name.upper()}_FILE" for name in SECRETS}
    seen = set()
    for resources in (everything, least):
        for _, container in ours(resources):
            names = [one["name"] for one in container["env"]]
            assert len(names) == len(set(names))
            seen |= set(names)
    assert seen - known == set()
    assert {"WORKER_ID", "KAFKA_PASSWORD_FILE", "GATEWAY_TOKEN_KEYS_FILE", "DRAIN_S"} <= seen


def test_processes_would_take_their_settings(everything: list[dict[str, Any]], tmp_path: Path) -> None:
    for _, container in ours(everything):
        told = environment(container)
        for name in [name for name in told if name.endswith("_FILE") and name != "KAFKA_CA_FILE"]:
            (tmp_path / name).write_text("word")
            told[name] = str(tmp_path / name)
        settings = Settings.from_env(told)
        assert settings.bootstrap == "main-kafka-bootstrap.kafka:9093"
        assert (settings.partitions, settings.replication) == (12, 3)
        assert settings.kafka_security_protocol == "SASL_SSL"


def test_command_lines_are_understood(everything: list[dict[str, Any]], least: list[dict[str, Any]]) -> None:
    seen = set()
    for resources in (everything, least):
        for _, container in ours(resources):
            name, *arguments = container["args"]
            command = import_module(COMMANDS[name][0]).command
            command.make_context(name, arguments, parent=click.Context(click.Group("flaneur")))
            seen.add(name)
    assert seen == {"worker", "gateway", "feed", "topics"}


def test_nobody_is_root_and_nothing_can_be_written(
    everything: list[dict[str, Any]], least: list[dict[str, Any]]
) -> None:
    for name, pod in [*pods(everything), *pods(least)]:
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for name, container in [*ours(everything), *ours(least)]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]


def test_every_mount_has_its_volume(everything: list[dict[str, Any]], least: list[dict[str, Any]]) -> None:
    for name, pod in [*pods(everything), *pods(least)]:
        volumes = {one["name"] for one in pod["spec"]["volumes"]}
        mounts = {one["name"] for c in pod["spec"]["containers"] for one in c.get("volumeMounts", [])}
        assert mounts == volumes, name
        mine = [c for c in pod["spec"]["containers"] if c.get("command") == ["flaneur"]]
        for container in mine:
            paths = [Path(one["mountPath"]) for one in container["volumeMounts"]]
            for variable, value in environment(container).items():
                if variable.endswith(("_FILE", "_TLS_CERT", "_TLS_KEY")):
                    assert any(Path(value).is_relative_to(path) for path in paths), (name, variable)


def test_selectors_and_ports_meet(everything: list[dict[str, Any]]) -> None:
    made = [pod for _, pod in pods(everything)]

    def chosen(labels: dict[str, str]) -> list[dict[str, Any]]:
        return [pod for pod in made if labels.items() <= pod["metadata"]["labels"].items()]

    def names_of(pod: dict[str, Any]) -> set[str]:
        return {port["name"] for c in pod["spec"]["containers"] for port in c.get("ports", [])}

    services = of_kind(everything, "Service")
    for service in services.values():
        found = chosen(service["spec"]["selector"])
        assert found
        for port in service["spec"]["ports"]:
            assert all(port["targetPort"] in names_of(pod) for pod in found)
    for policy in of_kind(everything, "NetworkPolicy").values():
        found = chosen(policy["spec"]["podSelector"]["matchLabels"])
        assert found
        assert all(policy["spec"]["ingress"][0]["ports"][0]["port"] in names_of(pod) for pod in found)
    for budget in of_kind(everything, "PodDisruptionBudget").values():
        assert chosen(budget["spec"]["selector"]["matchLabels"])
    for monitor in of_kind(everything, "ServiceMonitor").values():
        labels = monitor["spec"]["selector"]["matchLabels"]
        (watched,) = [s for s in services.values() if labels.items() <= s["metadata"]["labels"].items()]
        ports = {port["name"] for port in watched["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports
    for name, pod in pods(everything):
        for container in pod["spec"]["containers"]:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe in container:
                    assert container[probe]["httpGet"]["port"] in names_of(pod), name
    jobs = {monitor["metadata"]["labels"]["app.kubernetes.io/component"] for monitor in
            of_kind(everything, "ServiceMonitor").values()}  # fmt: skip
    assert jobs == {"worker", "gateway", "feeds"}


def test_workers_are_scaled_by_how_long_walkers_wait(everything: list[dict[str, Any]], folder: Path) -> None:
    scaled = of_kind(everything, "ScaledObject")["city-worker"]["spec"]
    assert scaled["maxReplicaCount"] == 12  # 99 were wanted, of 12 partitions
    assert "replicas" not in of_kind(everything, "StatefulSet")["city-worker"]["spec"]
    lag, cores = scaled["triggers"]
    assert "flaneur_consumer_lag_seconds" in lag["metadata"]["query"]
    assert lag["metricType"] == "Value"  # that of all workers together does not grow with their number
    assert cores["metricType"] == "AverageValue"
    down = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] >= 300
    few = render(merged(ALL, {"kafka": {"partitions": 1}}), folder)
    scaled = of_kind(few, "ScaledObject")["city-worker"]["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (1, 1)


def test_a_worker_has_the_time_to_hand_over(everything: list[dict[str, Any]]) -> None:
    spec = of_kind(everything, "StatefulSet")["city-worker"]["spec"]["template"]["spec"]
    told = environment(spec["containers"][0])
    assert spec["terminationGracePeriodSeconds"] > float(told["DRAIN_S"])
    assert told["WORKER_ID"] == "$(metadata.name)"


def test_rules_and_dashboards_are_those_of_the_project(everything: list[dict[str, Any]]) -> None:
    rules = {
        f"city-{file.stem}": yaml.safe_load(file.read_text())
        for file in (PROJECT / "compose" / "prometheus" / "rules").glob("*.yaml")
    }
    found = of_kind(everything, "PrometheusRule")
    assert {name: one["spec"] for name, one in found.items()} == rules
    assert rules
    maps = of_kind(everything, "ConfigMap")
    files = list((PROJECT / "compose" / "grafana" / "dashboards").glob("*.json"))
    assert {name for one in maps.values() for name in one["data"]} == {file.name for file in files}
    assert files
    for file in files:
        (told,) = [one["data"][file.name] for one in maps.values() if file.name in one["data"]]
        assert json.loads(told) == json.loads(file.read_text())
        assert len(told) < 900_000  # a config map holds a megabyte


def test_secrets_are_mounted_and_never_told(everything: list[dict[str, Any]]) -> None:
    for name, container in ours(everything):
        for secret in SECRETS:
            assert secret.upper() not in environment(container), (name, secret)
    assert of_kind(everything, "Secret") == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kafka": {"bootstrap": ""}}, "kafka.bootstrap: where are the brokers?"),
        ({"gateway": {"existingSecret": ""}}, "gateway.existingSecret: a secret with token-keys"),
        ({"redis": {"existingSecret": ""}}, "redis.url or redis.existingSecret"),
        ({"keda": {"enabled": True}}, "keda.prometheus: the address of a Prometheus"),
        ({"kafka": {"topics": "strimzi"}}, "kafka.strimzi.cluster: the name of the Kafka resource"),
        ({"worker": {"replicas": 30}}, "worker.replicas is 30, but kafka.partitions 24"),
        ({"worker": {"replica": 3}}, "replica"),
        ({"kafka": {"securityProtocol": "SSH"}}, "securityProtocol"),
        ({"worker": {"settings": {"checkpoint": 1}}}, "checkpoint"),
    ],
)
def test_what_is_missing_or_wrong_is_said(values: dict[str, Any], said: str, folder: Path) -> None:
    done = template(merged(LEAST, values), folder)
    assert done.returncode != 0
    assert said in done.stderr


def test_every_value_is_known_to_the_schema_and_explained() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(values: dict[str, Any], schema: dict[str, Any], where: str) -> None:
        properties = schema.get("properties")
        if properties is None:
            return
        assert values.keys() == properties.keys() - {"global", "claims"}, where
        for key, value in values.items():
            if isinstance(value, dict) and value:
                compare(value, properties[key], f"{where}.{key}")

    compare(values, schema, "")


def test_what_is_not_wanted_is_not_there(least: list[dict[str, Any]]) -> None:
    kinds = {one["kind"] for one in least}
    assert kinds == {"Service", "StatefulSet", "Deployment", "Job", "PodDisruptionBudget", "NetworkPolicy"}
    job = of_kind(least, "Job")["city-topics"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
