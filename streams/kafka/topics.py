"""The topics: declared once, created and checked by `ensure_topics`, never made by accident."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from geo.errors import BadInput, Unavailable
from streams.kafka.connection import client_options, unavailable
from streams.settings import Settings

T = TypeVar("T")
DAY_MS = 24 * 3600 * 1000
LISTED_WITHIN_S = 10.0

GPS_FIXES = "gps-fixes"
ROUTE_REQUESTS = "route-requests"
RATINGS = "ratings"
TRAFFIC_REPORTS = "traffic-reports"
WEATHER_REPORTS = "weather-reports"
CELL_OBSERVATIONS = "cell-observations"
EDGE_CONDITIONS = "edge-conditions"
ROUTE_UPDATES = "route-updates"
DEAD_LETTERS = "dead-letters"
DEVICES = "devices"

#: Topics keyed by device: the same number of partitions, so that one worker has all of a walker.
DEVICE_TOPICS = (GPS_FIXES, ROUTE_REQUESTS, RATINGS)
#: Reports about the world are few: one partition, so that one worker sees a street from every source.
REPORT_TOPICS = (TRAFFIC_REPORTS, WEATHER_REPORTS)
#: What walkers tell of cells, keyed by cell: as many partitions as those keyed by device.
CELL_TOPICS = (CELL_OBSERVATIONS,)

WALKERS_TABLE = "walkers"
CONDITIONS_TABLE = "conditions"
CROWD_TABLE = "crowd"


@dataclass(frozen=True)
class TopicSpec:
    """A topic as it must be: partitions and the configuration that matters."""

    name: str
    partitions: int
    cleanup: str  # "delete" or "compact"
    retention_ms: int | None = None
    max_message_bytes: int = 1_048_588

    def config(self) -> dict[str, str]:
        values = {"cleanup.policy": self.cleanup, "max.message.bytes": str(self.max_message_bytes)}
        if self.retention_ms is not None:
            values["retention.ms"] = str(self.retention_ms)
        if self.cleanup == "compact":
            # changelogs are rewritten every second: compact them early, so that recovery stays short
            values |= {
                "min.cleanable.dirty.ratio": "0.1",
                "segment.bytes": str(64 * 1024 * 1024),
                "segment.ms": "600000",
                "delete.retention.ms": "600000",
            }
        return values


def changelog_topic(settings: Settings, table: str) -> str:
    """The name Faust gives to a table's changelog."""
    return f"{settings.group}-{table}-changelog"


def declared_topics(settings: Settings) -> tuple[TopicSpec, ...]:
    """Every topic that a deployment has."""
    n = settings.partitions
    large = 16 * 1024 * 1024
    taken = 4 * 1024 * 1024  # a value that is too large for us becomes a dead letter, not a producer's error
    return (
        TopicSpec(GPS_FIXES, n, "delete", DAY_MS, taken),
        TopicSpec(ROUTE_REQUESTS, n, "delete", 7 * DAY_MS, taken),
        TopicSpec(RATINGS, n, "delete", 7 * DAY_MS, taken),
        TopicSpec(TRAFFIC_REPORTS, 1, "delete", 7 * DAY_MS, taken),
        TopicSpec(WEATHER_REPORTS, 1, "delete", 7 * DAY_MS, taken),
        TopicSpec(CELL_OBSERVATIONS, n, "delete", DAY_MS // 4),
        TopicSpec(EDGE_CONDITIONS, 1, "compact"),
        TopicSpec(ROUTE_UPDATES, n, "delete", DAY_MS),
        TopicSpec(DEAD_LETTERS, 1, "delete", 7 * DAY_MS, 2 * large),
        TopicSpec(DEVICES, 1, "compact"),
        TopicSpec(changelog_topic(settings, WALKERS_TABLE), n, "compact", None, large),
        TopicSpec(changelog_topic(settings, CONDITIONS_TABLE), 1, "compact", None, large),
        TopicSpec(changelog_topic(settings, CROWD_TABLE), n, "compact", None, large),
    )


def admin_client(settings: Settings) -> AdminClient:
    """An admin client that does not fill the log while the broker is away."""
    return AdminClient({**client_options(settings), "socket.timeout.ms": 10_000})


def _result(future: Future[T], what: str, settings: Settings) -> T:
    try:
        return future.result(timeout=30)
    except (KafkaException, TimeoutError) as error:
        raise unavailable(settings, error, f"{what} failed at {settings.bootstrap}: {error}") from error


def _list_partitions(admin: AdminClient, settings: Settings) -> dict[str, int]:
    try:
        metadata = admin.list_topics(timeout=10)
    except KafkaException as error:
        raise unavailable(
            settings,
            error,
            f"no broker answers at {settings.bootstrap}: start one with `flaneur up`, or set BOOTSTRAP",
        ) from error
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def ensure_topics(settings: Settings, say: Callable[[str], None] | None = None) -> list[str]:
    """Create the topics that are missing and check the ones that are there.

    Returns the names of those created. Raises BadInput when one that exists has another number of
    partitions or another cleanup policy than declared, Unavailable when the broker does not answer.
    """
    admin = admin_client(settings)
    present = _list_partitions(admin, settings)
    specs = declared_topics(settings)
    missing = [spec for spec in specs if spec.name not in present]
    if missing:
        created = admin.create_topics(
            [
                NewTopic(
                    spec.name,
                    num_partitions=spec.partitions,
                    replication_factor=settings.replication,
                    config=spec.config(),
                )
                for spec in missing
            ]
        )
        for name, future in created.items():
            try:
                _result(future, f"creating topic {name}", settings)
            except Unavailable as error:
                # two workers may start at once: the other one's topic is as good
                if "TOPIC_ALREADY_EXISTS" not in str(error):
                    raise
            if say is not None:
                say(f"created topic {name}")
        _wait_until_listed({spec.name for spec in missing}, admin, settings)
    check_topics(settings, admin)
    return [spec.name for spec in missing]


def _wait_until_listed(names: set[str], admin: AdminClient, settings: Settings) -> None:
    """A broker may tell of a topic a moment after it said that it was created."""
    give_up = time.monotonic() + LISTED_WITHIN_S
    while not names <= _list_partitions(admin, settings).keys() and time.monotonic() < give_up:
        time.sleep(0.05)


def check_topics(settings: Settings, admin: AdminClient | None = None) -> None:
    """Raise BadInput when a topic is missing or is not as declared; says which, and what to do."""
    admin = admin or admin_client(settings)
    present = _list_partitions(admin, settings)
    specs = declared_topics(settings)
    for spec in specs:
        have = present.get(spec.name)
        if have is None:
            raise BadInput(f"topic {spec.name} is missing: run `flaneur topics --create`")
        if have != spec.partitions:
            raise BadInput(
                f"topic {spec.name} has {have} partitions, {spec.partitions} are needed: set PARTITIONS to"
                f" match, or delete the topic and run `flaneur topics --create`"
            )
    resources = [ConfigResource(ResourceType.TOPIC, spec.name) for spec in specs]
    described = admin.describe_configs(resources)
    for resource, future in described.items():
        config = _result(future, f"reading the configuration of {resource.name}", settings)
        spec = next(spec for spec in specs if spec.name == resource.name)
        policy = config["cleanup.policy"].value
        if policy != spec.cleanup:
            raise BadInput(
                f"topic {spec.name} has cleanup.policy={policy}, it must be {spec.cleanup}: change it with"
                f" kafka-configs --alter --add-config cleanup.policy={spec.cleanup}"
            )
