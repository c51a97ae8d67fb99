"""What a deployment looks like from outside: lag, checkpoints, versions. Reads, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from geo.cities import open_cities
from geo.errors import FlaneurError
from streams.kafka.connection import client_options, unavailable
from streams.kafka.topics import (
    CELL_TOPICS,
    DEVICE_TOPICS,
    EDGE_CONDITIONS,
    REPORT_TOPICS,
    admin_client,
    declared_topics,
)
from streams.settings import Settings
from streams.telemetry.scrape import scrape_address

# of each worker's metrics, without their prefix
_SHOWN = ("fixes_total", "walkers", "active_trips", "conditions_version", "rebalances_total")


@dataclass(frozen=True)
class PartitionLag:
    """How far a partition has been worked through."""

    topic: str
    partition: int
    committed: int | None  # next offset behind the newest checkpoint
    end: int

    @property
    def lag(self) -> int:
        return self.end - (self.committed or 0)


@dataclass
class Status:
    """One look at everything."""

    bootstrap: str
    partitions: list[PartitionLag] = field(default_factory=list)
    checkpoints: dict[str, float] = field(default_factory=dict)  # "table/partition" -> delivered at
    graph: dict[str, object] = field(default_factory=dict)
    conditions_version: int = 0  # messages in edge-conditions so far
    workers: dict[str, dict[str, float]] = field(default_factory=dict)  # address -> a few of its metrics


def read_status(settings: Settings, metrics_addresses: list[str]) -> Status:
    """Look at the broker, the graph directory and the workers; raises Unavailable without a broker."""
    status = Status(settings.bootstrap)
    status.partitions = list(_lags(settings))
    status.conditions_version = _end(settings, EDGE_CONDITIONS)
    try:
        graphs = [city.graph for city in open_cities(settings.graph_path)]
        status.graph = {
            "directory": settings.graph_dir,
            "checksum": " ".join(str(graph.meta.get("checksum")) for graph in graphs),
            "nodes": sum(graph.node_count for graph in graphs),
            "edges": sum(graph.edge_count for graph in graphs),
        }
    except FlaneurError as error:
        status.graph = {"directory": settings.graph_dir, "problem": str(error)}
    for address in metrics_addresses:
        samples = scrape_address(address)
        if not samples.series:
            continue
        status.workers[address] = {name: samples.total(f"flaneur_{name}") for name in _SHOWN}
        for labels, value in samples.series.get("flaneur_checkpoint_timestamp_seconds", []):
            status.checkpoints[f"{labels['table']}/{labels['partition']}"] = value
    return status


def _consumer(settings: Settings) -> Consumer:
    return Consumer({**client_options(settings), "group.id": "flaneur-status"})


def _end(settings: Settings, topic: str) -> int:
    consumer = _consumer(settings)
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1])
    except KafkaException as error:
        cannot = f"{topic} cannot be read at {settings.bootstrap}: {error}"
        raise unavailable(settings, error, cannot) from error
    finally:
        consumer.close()


def _lags(settings: Settings) -> Iterator[PartitionLag]:
    wanted = [
        TopicPartition(spec.name, p)
        for spec in declared_topics(settings)
        if spec.name in DEVICE_TOPICS + REPORT_TOPICS + CELL_TOPICS
        for p in range(spec.partitions)
    ]
    admin = admin_client(settings)
    consumer = _consumer(settings)
    try:
        request = [ConsumerGroupTopicPartitions(settings.group, wanted)]
        found = admin.list_consumer_group_offsets(request)[settings.group].result(timeout=15)
        for one in found.topic_partitions:
            end = consumer.get_watermark_offsets(one, timeout=10)[1]
            yield PartitionLag(one.topic, one.partition, one.offset if one.offset >= 0 else None, int(end))
    except (KafkaException, TimeoutError) as error:
        raise unavailable(
            settings, error, f"no broker answers at {settings.bootstrap}: {error}; see `flaneur doctor`"
        ) from error
    finally:
        consumer.close()
