"""What the checkpoints say at the end: every walker's own count of fixes, read from the changelog."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from geo.errors import BadInput, Unavailable
from models.trips.walker_state import WalkerState
from streams.kafka.topics import DEVICE_TOPICS, GPS_FIXES, WALKERS_TABLE
from streams.settings import Settings
from streams.worker.ahead import holds_walkers
from streams.worker.checkpoints import read_checkpoint

NO_GRAPHS = ()  # routes are of no interest here, so no graph is needed


def fixes_not_contained(settings: Settings) -> int:
    """Messages of `gps-fixes` behind the offsets that the checkpoints say they contain."""
    consumer = Consumer({"bootstrap.servers": settings.bootstrap, "group.id": "bench-ends"})
    left = 0
    try:
        for partition in range(settings.partitions):
            offsets = read_checkpoint(settings, WALKERS_TABLE, partition).offsets
            _, end = consumer.get_watermark_offsets(TopicPartition(GPS_FIXES, partition), timeout=30)
            left += end - (offsets or {}).get(GPS_FIXES, 0)
    except KafkaException as error:
        raise Unavailable(f"the ends of {GPS_FIXES} could not be read: {error}") from error
    finally:
        consumer.close()
    return left


def wait_until_contained(settings: Settings, within_s: float) -> None:
    """Wait until the checkpoints contain every fix in the topic; raises Unavailable after `within_s`.

    A worker's own idea of its lag would not do: it is as old as its last fetch.
    """
    give_up = time.monotonic() + within_s
    while (left := fixes_not_contained(settings)) > 0:
        if time.monotonic() > give_up:
            raise Unavailable(f"{left:,} fixes were in no checkpoint after {within_s:.0f} s")
        time.sleep(0.5)


def fixes_by_device(settings: Settings) -> dict[str, int]:
    """Fixes that every walker's windows count, whether accepted, late or repeated.

    Raises BadInput for a damaged checkpoint.
    """
    counts: dict[str, int] = {}
    for partition in range(settings.partitions):
        state = WalkerState(settings.buckets, NO_GRAPHS, DEVICE_TOPICS)
        found = read_checkpoint(settings, WALKERS_TABLE, partition)
        if (flaw := found.flaw()) is not None:
            raise BadInput(f"the checkpoint of {WALKERS_TABLE}/{partition} is not whole: {flaw}")
        for name, data in found.buckets.items():
            if holds_walkers(name):
                state.load(name, data)
        windows = state.windows[: len(state)]
        totals = windows["accepted"].astype(int) + windows["late"] + windows["duplicates"]
        for device, count in zip(state.devices, totals.tolist(), strict=True):
            counts[device.decode()] = counts.get(device.decode(), 0) + count
    return counts
