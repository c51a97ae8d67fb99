"""`flaneur bench checkpoint`: what checkpoints of many active walkers cost a worker's event loop.

The worker's own checkpoints (`streams.worker.shards`) run here in the loop of this process, into a
changelog on the scratch broker: so the CPU time of everything that the loop did for them can be told, its
producer's part included, and of the longest piece of it in which nothing else could run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import faust
import numpy as np
from aiokafka import AIOKafkaProducer
from faust.types import TP
from prometheus_client import REGISTRY

from bench.rig.fixes import Tick, Walk, encode_tick, walk_ticks
from bench.rig.session import Session
from bench.rig.tracks import walk_streets
from bench.rig.worker import worker_settings
from geo.errors import BadInput
from geo.graph import Graph
from geo.network import Network, OnlyNetwork
from geo.routing.costs import static_costs
from models.bytes_column import BytesColumn
from streams.kafka.topics import DEVICE_TOPICS, WALKERS_TABLE, ensure_topics
from streams.settings import Settings
from streams.transport.blocks import BlockConsumer
from streams.worker.checkpoints import CheckpointTable
from streams.worker.shards import Shards
from streams.worker.walker_shard import WalkerShard

STEP_S = 20.0  # of event time between two fixes of a walker: their windows fill sooner
TRACKS = 500  # that differ
ROUTE_EDGES = 100
MAX_REQUEST_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class CheckpointJob:
    """All of `devices` walkers have moved before each of `rounds` checkpoints, one a second."""

    devices: int = 100_000
    rounds: int = 5
    ticks: int = 5  # fixes of each walker before that
    partitions: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.devices, self.rounds, self.ticks) < 1:
            raise BadInput("devices, rounds and ticks must be 1 or more")


def run_checkpoint(job: CheckpointJob, session: Session) -> None:
    """Fill the state, checkpoint it again and again, and report medians."""
    settings = worker_settings(session.scratch, session.graph_dir, job.partitions)
    settings = replace(settings, session_timeout_s=3600.0)  # nobody else wants the partitions
    ensure_topics(settings)
    session.say(f"filling the state of {job.devices:,} walkers")
    shards = [_filled(job, settings, session.graph, partition) for partition in range(job.partitions)]
    found = asyncio.run(_measure(job, settings, shards))
    about: dict[str, object] = {
        "devices": job.devices,
        "partitions": job.partitions,
        "buckets": settings.buckets,
        "rounds": job.rounds,
        "seed": job.seed,
    }
    units = {"loop_ms": "ms", "longest_slice_ms": "ms", "took_s": "s", "cpu_ms": "ms", "mib": "MiB"}
    median = {name: float(np.median([one[name] for one in found])) for name in units}
    # a checkpoint that takes longer than a second holds the next one up
    per_s = [one["loop_ms"] / max(1.0, one["took_s"]) for one in found]
    session.report(
        [
            ("checkpoint_loop_ms_per_s", float(np.median(per_s)), "ms/s"),
            ("checkpoint_longest_slice_ms", max(one["longest_slice_ms"] for one in found), "ms"),
            *((f"checkpoint_{name}", median[name], units[name]) for name in ("loop_ms", "cpu_ms", "took_s")),
            ("checkpoint_mib", median["mib"], "MiB"),
        ],
        about,
    )


def _filled(job: CheckpointJob, settings: Settings, graph: Graph, partition: int) -> WalkerShard:
    """A partition whose walkers have windows, matches, and routes."""
    shard = WalkerShard(partition, settings, OnlyNetwork(Network(graph, static_costs(graph))))
    names = [f"d{partition}-{walker:06d}" for walker in range(-(-job.devices // job.partitions))]
    tracks = walk_streets(graph, TRACKS, 1.4 * STEP_S * job.ticks, job.seed + partition)
    done = 0
    for tick in walk_ticks(Walk(tracks, 1_750_000_000.0, job.seed, step_s=STEP_S), job.ticks):
        values = encode_tick(names, _repeated(tick, len(names)))
        shard.walking.take_fixes(BytesColumn.of(values), np.arange(done, done + len(values)))
        done += len(values)
    draw = np.random.default_rng(job.seed)
    start_m = np.arange(ROUTE_EDGES, dtype=np.float64) * 20.0
    for slot in range(len(names)):
        first = int(draw.integers(graph.edge_count))
        edges = (np.arange(first, first + ROUTE_EDGES) % graph.edge_count).astype(np.int32)
        shard.walking.state.set_route(slot, edges, start_m)
    return shard


def _repeated(tick: Tick, walkers: int) -> Tick:
    columns = (tick.lat, tick.lon, tick.speed_mps, tick.accuracy_m)
    return Tick(tick.ts_s, *(np.resize(column, walkers) for column in columns))


class _App:
    """What a `Shards` asks of Faust's application to store checkpoints."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self.consumer = _Commits()

    async def maybe_start_producer(self) -> Any:
        return self

    async def send(self, topic: str, key: bytes, value: bytes, partition: int, *_: object) -> Any:
        return await self._producer.send(topic, value, key, partition)


class _Commits(BlockConsumer):
    """Takes what may be committed, and has no input."""

    def __init__(self) -> None:
        self._checkpointed = {}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, 0)


async def _measure(
    job: CheckpointJob, settings: Settings, filled: list[WalkerShard]
) -> list[dict[str, float]]:
    found = []
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap, acks="all", max_request_size=MAX_REQUEST_BYTES
    )
    async with producer:
        app = cast(faust.App, _App(producer))
        table = CheckpointTable(app, settings, WALKERS_TABLE, DEVICE_TOPICS)
        ready = asyncio.Event()
        ready.set()
        shards = Shards(app, settings, table, DEVICE_TOPICS, lambda partition: filled[partition], ready)
        shards.assign(range(job.partitions))
        await shards.open_assigned()
        with _longest_callback() as longest_s:
            for _ in range(job.rounds):
                for shard in filled:
                    shard.walking.dirty[:] = True
                await asyncio.sleep(0)
                longest_s()
                began = time.perf_counter(), time.thread_time(), time.process_time(), _written()
                await shards.checkpoint_all()
                took_s = time.perf_counter() - began[0]
                found.append(
                    {
                        "loop_ms": (time.thread_time() - began[1]) * 1000.0,
                        "longest_slice_ms": longest_s() * 1000.0,
                        "took_s": took_s,
                        "cpu_ms": (time.process_time() - began[2]) * 1000.0,
                        "mib": (_written() - began[3]) / 2**20,
                    }
                )
                await asyncio.sleep(max(0.0, settings.checkpoint_s - took_s))
    return found


def _written() -> float:
    """Bytes that went into changelogs so far."""
    return REGISTRY.get_sample_value("flaneur_checkpoint_bytes_total") or 0.0


@contextmanager
def _longest_callback() -> Iterator[Callable[[], float]]:
    """CPU seconds of the longest callback of asyncio's loop since the last call of what it gives."""
    handle: Any = asyncio.Handle
    run = handle._run
    longest = 0.0

    def timed(self: asyncio.Handle) -> None:
        nonlocal longest
        began = time.thread_time()
        run(self)
        longest = max(longest, time.thread_time() - began)

    def taken() -> float:
        nonlocal longest
        last, longest = longest, 0.0
        return last

    handle._run = timed
    try:
        yield taken
    finally:
        handle._run = run
