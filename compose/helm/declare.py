"""Writes what the chart must know of Kafka from where the service declares it: topics, and services' rights.

Run from the project's folder (`make chart`) after a change of `streams/kafka/topics.py` or `access.py`; tests
fail where the files are older. Names and partitions are templates that Helm fills in from its values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from streams.kafka.access import declared_rights
from streams.kafka.topics import declared_topics
from streams.settings import Settings

FILES = Path(__file__).parent / "flaneur" / "files"
HEAD = "# Written by compose/helm/declare.py: change streams/kafka/ instead, then run `make chart`.\n"
GROUP = "{{ .Values.kafka.group }}"
MANY, PARTITIONS = 1_000_003, "{{ .Values.kafka.partitions }}"
SETTINGS = Settings(group=GROUP, partitions=MANY)


def topics() -> dict[str, Any]:
    """As KafkaTopic resources have them."""
    return {
        "topics": [
            {
                "name": spec.name,
                "partitions": PARTITIONS if spec.partitions == MANY else spec.partitions,
                "config": spec.config(),
            }
            for spec in declared_topics(SETTINGS)
        ]
    }


def rights() -> dict[str, list[dict[str, Any]]]:
    """As KafkaUser resources have them, by service; and of who creates the topics."""
    found = {user: list(those) for user, those in declared_rights(SETTINGS).items() if user != "demo"}
    told = {
        user: _by_resource((right.on, right.name, right.may) for right in those)
        for user, those in found.items()
    }
    may = ("create", "describe", "describe_configs")
    told["admin"] = _by_resource(
        ("topic", spec.name, one) for spec in declared_topics(SETTINGS) for one in may
    )
    return told


def _by_resource(rights: Any) -> list[dict[str, Any]]:
    operations: dict[tuple[str, str], list[str]] = {}
    for on, name, may in rights:
        operations.setdefault((on, name), []).append(may.title().replace("_", ""))
    return [{"type": on, "name": name, "operations": may} for (on, name), may in operations.items()]


def text_of(values: dict[str, Any]) -> str:
    return HEAD + yaml.safe_dump(values, sort_keys=False, width=110)


if __name__ == "__main__":
    (FILES / "topics.yaml").write_text(text_of(topics()))
    (FILES / "rights.yaml").write_text(text_of(rights()))
