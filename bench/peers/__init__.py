"""The peers: other ways to do the same job, each in a process of its own, all measured alike.

Every peer gets `BOOTSTRAP TOPIC PARTITIONS WARM FIXES` and ends with the JSON line of `bench.peers.meter`.
This file only uses the standard library, because the peers' own interpreter imports it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
KAFKA_STREAMS = HERE / "kafka_streams"
ONE_GIGABYTE = ("statestore.cache.max.bytes=1073741824", "max.poll.records=10000")


@dataclass(frozen=True)
class Peer:
    """One peer in one configuration."""

    name: str
    what: str  # said in tables
    script: str  # beside this file; "" for the Java project
    needs: str = ""  # the module that must be importable
    most_fixes: int = 10**9  # slow peers are stopped early: their rate does not depend on the number
    java_store: str = ""
    java_properties: tuple[str, ...] = ()


PEERS: tuple[Peer, ...] = (
    Peer("confluent", "bare confluent-kafka and orjson, parse only", "bare_confluent.py", "confluent_kafka"),
    Peer("aiokafka", "bare aiokafka and orjson, parse only", "bare_aiokafka.py", "aiokafka"),
    Peer("faust", "stock Faust, one event at a time, windowed table", "stock_faust.py", "faust", 60_000),
    Peer("quix", "Quix Streams, tumbling window", "quix.py", "quixstreams", 200_000),
    Peer("bytewax", "Bytewax, tumbling window", "bytewax_windows.py", "bytewax", 400_000),
    Peer("kafka-streams", "Kafka Streams, tumbling window, as it comes", "", java_store="rocksdb"),
    Peer(
        "kafka-streams-tuned",
        "Kafka Streams, tumbling window, 2 threads, 1 GB cache",
        "",
        java_store="rocksdb",
        java_properties=("num.stream.threads=2", *ONE_GIGABYTE),
    ),
    Peer(
        "kafka-streams-memory",
        "Kafka Streams, tumbling window, 1 thread, 1 GB cache, store in memory",
        "",
        java_store="memory",
        java_properties=ONE_GIGABYTE,
    ),
)  # fmt: skip

PEER_NAMES = tuple(peer.name for peer in PEERS)
