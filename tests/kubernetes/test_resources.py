"""What Helm renders is what Kubernetes, KEDA, Strimzi and the Prometheus operator take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.kubernetes.chart import ALL, CHART, HELMS, LEAST, helm, merged, of_kind, render

OLDEST, NEWEST = "1.30.0", "1.37.0"  # of Kubernetes
THEIRS = yaml.safe_load((Path(__file__).parent / "resources.yaml").read_text())

PLAIN = merged(LEAST, {"kafka": {"securityProtocol": "PLAINTEXT"}, "networkPolicies": {"enabled": False}})
TOPICS_BY_OLD_STRIMZI = merged(ALL, {"kafka": {"strimzi": {"apiVersion": "v1beta2"}}})


def problem(resource: dict[str, Any]) -> str | None:
    """Why nobody would take this resource; None if it is as it must be."""
    schema = THEIRS.get(f"{resource['apiVersion']} {resource['kind']}")
    try:
        if schema is None:
            for version in (OLDEST, NEWEST):
                kubernetes_validate.validate(resource, version, strict=True)
            return None
        known = {"apiVersion", "kind", "metadata", "spec"}
        assert resource.keys() <= known, resource.keys() - known
        for part, wanted in (("metadata", {"$ref": "#/$defs/metadata"}), ("spec", schema)):
            jsonschema.validate(resource[part], {"$defs": THEIRS["$defs"], "allOf": [wanted]})
    except (kubernetes_validate.ValidationError, jsonschema.ValidationError) as error:
        return f"{resource['kind']} {resource['metadata']['name']}: {error.message}"
    return None


@pytest.mark.parametrize(
    "values", [LEAST, PLAIN, ALL, TOPICS_BY_OLD_STRIMZI], ids=["least", "plain", "all", "old"]
)
def test_every_resource_is_valid(values: dict[str, Any], folder: Path) -> None:
    resources = render(values, folder)
    assert [why for one in resources if (why := problem(one)) is not None] == []
    names = [(one["kind"], one["metadata"]["name"]) for one in resources]
    assert len(names) == len(set(names))


def test_slips_of_the_pen_are_noticed(everything: list[dict[str, Any]]) -> None:
    worker = merged(of_kind(everything, "StatefulSet")["city-worker"], {"spec": {"replica": 2}})
    assert "replica" in str(problem(worker))
    scaled = merged(of_kind(everything, "ScaledObject")["city-worker"], {"spec": {"maxReplicaCounts": 2}})
    assert "maxReplicaCounts" in str(problem(scaled))
    user = of_kind(everything, "KafkaUser")["city-worker"]
    acls = [{**user["spec"]["authorization"]["acls"][0], "operations": ["Reed"]}]
    assert "Reed" in str(problem(merged(user, {"spec": {"authorization": {"acls": acls}}})))


@pytest.mark.parametrize("major", HELMS)
def test_helm_finds_nothing_to_say(major: str, folder: Path) -> None:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(ALL))
    done = helm("lint", "--strict", CHART, "--values", file, major=major)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout


def test_both_helms_render_the_same(everything: list[dict[str, Any]], folder: Path) -> None:
    other = render(ALL, folder, HELMS[1])
    key = lambda one: (one["kind"], one["metadata"]["name"])  # noqa: E731
    assert sorted(other, key=key) == sorted(everything, key=key)


def test_a_package_holds_what_it_links_to(folder: Path, everything: list[dict[str, Any]]) -> None:
    done = helm("package", CHART, "--destination", folder)
    assert done.returncode == 0, done.stderr
    (package,) = folder.glob("*.tgz")
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(ALL))
    done = helm("template", "city", package, "--namespace", "walks", "--values", file)
    assert done.returncode == 0, done.stderr
    assert list(filter(None, yaml.safe_load_all(done.stdout))) == everything
