"""A scratch broker (and Redis) of the benchmark's own, topics on it, and fixes preloaded into them.

Nothing of a running deployment is touched: both listen on ports of their own, keep their data in a
temporary folder, and are stopped and removed at the end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Producer

from bench.rig.fixes import Walk, encode_tick, walk_ticks
from geo.errors import Unavailable
from streams.local.processes import RunFolder, stop
from streams.local.services import run_folder, start_broker, start_redis, wait_for_broker, wait_for_redis
from streams.telemetry.tracing import Headers

#: Away from the usual ports, so that a deployment started meanwhile does not find them taken.
SCRATCH_BROKER_PORT = 19_092
SCRATCH_REDIS_PORT = 16_379

Say = Callable[[str], None]


@dataclass(frozen=True)
class Scratch:
    """Where the scratch services listen, and the folder that goes away with them."""

    bootstrap: str
    redis_url: str
    folder: Path
    broker_pid: int


@contextmanager
def scratch_services() -> Iterator[Scratch]:
    """Run a broker and a Redis for the length of a with block; raises Unavailable if either cannot start."""
    with ExitStack() as stack:
        name = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="flaneur-bench-", ignore_cleanup_errors=True)
        )
        folder = RunFolder(Path(name))
        libraries = run_folder().broker_libraries
        broker = start_broker(folder, usual_port=SCRATCH_BROKER_PORT, libraries=libraries)
        stack.callback(stop, broker)
        redis = start_redis(folder, usual_port=SCRATCH_REDIS_PORT)
        stack.callback(stop, redis)
        addresses = wait_for_broker(broker, folder), wait_for_redis(redis, folder)
        yield Scratch(*addresses, Path(name), broker.pid)


def fixes_producer(bootstrap: str, linger_ms: float = 50.0) -> Producer:
    """A producer that keys as every other client of the topics does (Kafka's own murmur2)."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
        }
    )


def send_all(
    producer: Producer,
    topic: str,
    pairs: Iterable[tuple[str, bytes]],
    headers: Callable[[], Headers | None] = lambda: None,
) -> int:
    """Send (key, value) pairs as fast as the queue takes them, without waiting for delivery; their number."""
    count = 0
    for key, value in pairs:
        while True:
            try:
                producer.produce(topic, value, key, headers=headers())
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
    producer.poll(0)
    return count


def flush(producer: Producer) -> None:
    """Wait until everything was taken by the broker; raises Unavailable when something was not."""
    left = producer.flush(120)
    if left:
        raise Unavailable(f"{left} messages were not taken by the broker within 120 s")


def preload(
    bootstrap: str,
    topic: str,
    walk: Walk,
    fixes: int,
    say: Say | None = None,
    headers: Callable[[], Headers | None] = lambda: None,
) -> int:
    """Put at least `fixes` fixes of the walk into the topic, in the order of their time; how many it were.

    headers: called for each message.
    """
    devices = walk.devices()
    ticks = -(-fixes // len(devices))
    producer = fixes_producer(bootstrap)
    sent = 0
    for number, tick in enumerate(walk_ticks(walk, ticks)):
        sent += send_all(producer, topic, zip(devices, encode_tick(devices, tick), strict=True), headers)
        if say is not None and number % 20 == 0:
            say(f"preloading {topic}: {sent:,} of {fixes:,} fixes")
    flush(producer)
    return sent
