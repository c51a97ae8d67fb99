"""Peer: nothing but confluent-kafka and orjson, every fix parsed (the floor of any Python consumer).

Tuned as its table in docs/benchmarks.md says: a deep local queue, and no pause between two fetches.
"""

from __future__ import annotations

import orjson
from confluent_kafka import Consumer, TopicPartition, __version__

from bench.peers.meter import Job, Meter


def main() -> None:
    job = Job.read()
    consumer = Consumer(
        {
            "bootstrap.servers": job.bootstrap,
            "group.id": "peer-bare-confluent",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": 1_000_000,
        }
    )
    consumer.assign([TopicPartition(job.topic, partition, 0) for partition in range(job.partitions)])
    meter = Meter(job.warm, job.fixes)
    speed = 0.0
    done = False
    while not done:
        messages = consumer.consume(10_000, timeout=1.0)
        for message in messages:
            speed += orjson.loads(message.value() or b"")["speed_mps"]
        done = meter.add(len(messages))
    consumer.close()
    meter.report(version=f"confluent-kafka {__version__}", speed=str(round(speed, 3)))


main()
