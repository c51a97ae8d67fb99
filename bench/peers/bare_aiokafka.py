"""Peer: nothing but aiokafka and orjson, every fix parsed and counted (the floor of what Faust stands on)."""

from __future__ import annotations

import asyncio

import aiokafka
import orjson

from bench.peers.meter import Job, Meter


async def main() -> None:
    job = Job.read()
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=job.bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=4 << 20
    )
    await consumer.start()
    tps = [aiokafka.TopicPartition(job.topic, partition) for partition in range(job.partitions)]
    consumer.assign(tps)
    await consumer.seek_to_beginning(*tps)
    meter = Meter(job.warm, job.fixes)
    speed = 0.0
    done = False
    while not done:
        batches = await consumer.getmany(timeout_ms=1000, max_records=20_000)
        for batch in batches.values():
            for record in batch:
                speed += orjson.loads(record.value)["speed_mps"]
        done = meter.add(sum(map(len, batches.values())))
    await consumer.stop()
    meter.report(version=f"aiokafka {aiokafka.__version__}", speed=str(round(speed, 3)))


asyncio.run(main())
