"""The Faust application of a worker: topics, tables, and what runs beside the agents.

`flaneur worker` runs it, and `faust -A streams.app worker` as well: importing this module reads the settings
from the environment; the agents that use it are in `agents`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from dataclasses import replace
from typing import Any

from faust.types import TP

from geo.network import Network
from streams.kafka.topics import (
    CELL_TOPICS,
    CONDITIONS_TABLE,
    CROWD_TABLE,
    DEVICE_TOPICS,
    RATINGS,
    REPORT_TOPICS,
    ROUTE_REQUESTS,
    WALKERS_TABLE,
)
from streams.settings import Settings
from streams.telemetry import metrics
from streams.telemetry.health import HEALTH
from streams.transport.blocks import BlockScheduler, BlockSchema, use_blocks
from streams.worker.checkpoints import CheckpointTable
from streams.worker.condition_shard import ConditionShard
from streams.worker.credentials import faust_credentials
from streams.worker.crowd_shard import CrowdShard
from streams.worker.draining import DrainingApp
from streams.worker.leaving import leave
from streams.worker.network_service import NetworkService
from streams.worker.online_store import OnlineStore, walker_key
from streams.worker.shards import Shards
from streams.worker.walker_shard import WalkerShard
from streams.worker.watchdog import Watchdog

CONDITIONS_TICK_S = 2.0
FORGET_TICK_S = 10.0
HEARTBEAT_S = 0.5

settings = Settings.from_env()

app = DrainingApp(
    settings.group,
    broker=[f"kafka://{address}" for address in settings.bootstrap.split(",")],
    broker_credentials=faust_credentials(settings),
    store="memory://",  # no table is Faust's: see streams.worker.checkpoints
    datadir=os.path.join(tempfile.gettempdir(), f"flaneur-{settings.instance_id}"),  # stays empty
    autodiscover=["agents"],
    processing_guarantee="at_least_once",
    topic_partitions=settings.partitions,
    topic_disable_leader=True,
    topic_allow_declare=False,
    web_enabled=False,
    ConsumerScheduler=BlockScheduler,
    consumer_auto_offset_reset="earliest",
    consumer_group_instance_id=settings.worker_id or None,
    consumer_max_fetch_size=1024 * 1024,  # of a partition; larger ones hold the next fetch up
    broker_session_timeout=settings.session_timeout_s,
    # who stays hears of another one's leaving in the answer to a heartbeat
    broker_heartbeat_interval=min(HEARTBEAT_S, settings.session_timeout_s / 4),
    broker_rebalance_timeout=30.0,
    broker_request_timeout=30.0,
    broker_commit_interval=1.0,
    producer_acks=-1,
    producer_linger=0.0,  # what is decided is sent at once; more goes together while a request is under way
    producer_max_request_size=32 * 1024 * 1024,
    producer_request_timeout=30.0,
    stream_buffer_maxsize=16,  # blocks
    stream_recovery_delay=0.0,
    stream_wait_empty=False,
)
app.drain_s, app.leave_group = settings.drain_s, settings.leave_on_stop
use_blocks(app, settings.bootstrap, settings.max_block_fixes)

topic = {
    name: app.topic(name, schema=BlockSchema(), allow_empty=True)
    for name in DEVICE_TOPICS + REPORT_TOPICS + CELL_TOPICS
}

networks = NetworkService(settings)
walkers = Shards(
    app, settings, CheckpointTable(app, settings, WALKERS_TABLE, DEVICE_TOPICS), DEVICE_TOPICS,
    lambda partition: WalkerShard(partition, settings, networks), networks.ready,
    frozenset({ROUTE_REQUESTS, RATINGS}),
)  # fmt: skip
conditions = Shards(
    app, settings, CheckpointTable(app, settings, CONDITIONS_TABLE, REPORT_TOPICS), REPORT_TOPICS,
    lambda partition: ConditionShard(networks.cities), networks.ready,
)  # fmt: skip
crowd = Shards(  # what is lost of it is a quarter of an hour's: no reason to stand still
    app, replace(settings, accept_loss=True), CheckpointTable(app, settings, CROWD_TABLE, CELL_TOPICS),
    CELL_TOPICS, lambda partition: CrowdShard(), networks.ready,
)  # fmt: skip
ALL_SHARDS = (walkers, conditions, crowd)
online_store = OnlineStore(settings.redis_url)
watchdog = Watchdog(settings.watchdog_s)


SERVED_AT_ONCE = 32  # walkers whom a change of the world concerns: fixes wait meanwhile
OBSERVING_REST = 9.0  # times what some passages took: nobody waits for them, and a minute's come at once


async def _tell_walkers(news: dict[int, Network]) -> None:
    """Everybody whose way ahead got worse gets another one: a few of each partition in turn.

    Fixes are taken in between.
    """
    version = networks.version
    for partition, owned in list(walkers.owned.items()):
        async with owned.lock:
            assert isinstance(owned.shard, WalkerShard)
            if walkers.owned.get(partition) is owned:
                for city, new in news.items():
                    outcome = owned.shard.begin_change(city, new, networks.as_of)
                    await walkers.emit(owned, partition, outcome)
    left = dict(walkers.owned)
    while left:
        for partition, owned in list(left.items()):
            async with owned.lock:
                shard = owned.shard
                assert isinstance(shard, WalkerShard)
                if walkers.owned.get(partition) is not owned:
                    del left[partition]
                    continue
                if shard.waiting:
                    await walkers.emit(owned, partition, shard.serve(SERVED_AT_ONCE))
                if not shard.waiting:
                    shard.checked(version)
                    del left[partition]


networks.listen(_tell_walkers)


_paused_at: float | None = None  # when partitions were last taken away, until they are open again


@app.on_partitions_revoked.connect
async def _hand_over(sender: Any, /, *args: Any, **_: Any) -> None:
    global _paused_at
    revoked: set[TP] = args[0]
    _paused_at = time.monotonic() if revoked else None
    try:
        await walkers.hand_over({tp.partition for tp in revoked if tp.topic in DEVICE_TOPICS})
        await conditions.hand_over({tp.partition for tp in revoked if tp.topic in REPORT_TOPICS})
        await crowd.hand_over({tp.partition for tp in revoked if tp.topic in CELL_TOPICS})
    except Exception as error:
        leave(error)


async def _drain() -> None:
    await _flush_online_store()
    for shards in ALL_SHARDS:
        await shards.drain()


app.hand_over = _drain


@app.on_partitions_assigned.connect
async def _open(sender: Any, /, *args: Any, **_: Any) -> None:
    assigned: set[TP] = args[0]
    for shards in ALL_SHARDS:
        shards.assign({tp.partition for tp in assigned if tp.topic == shards.topics[0]})
        _background(_open_assigned(shards))


async def _open_assigned(shards: Shards) -> None:
    global _paused_at
    await shards.open_assigned()
    if shards is not walkers:
        return
    if _paused_at is not None:
        metrics.REBALANCE_PAUSE_SECONDS.observe(time.monotonic() - _paused_at)
        _paused_at = None
    # those that stay through a rebalance have not heard of news meanwhile, nor those whose worker ended
    await _tell_walkers(networks.open())


_tasks: set[asyncio.Future[None]] = set()


def _background(work: Any) -> None:
    """The rebalance must not wait for it: opening reads a changelog, and waits for the conditions."""
    task = asyncio.ensure_future(_guarded(work))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _guarded(work: Any) -> None:
    """Run a coroutine for which there is no going on after an error."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        leave(error)


@app.task
async def _follow_conditions() -> None:
    await _guarded(networks.follow())


@app.task
async def _keep_checkpoints() -> None:
    await _guarded(_every(settings.checkpoint_s, _checkpoint))


async def _checkpoint() -> None:
    if app.rebalancing:
        return
    for shards in ALL_SHARDS:
        await shards.checkpoint_all()


@app.task
async def _keep_conditions() -> None:
    await _guarded(_every(CONDITIONS_TICK_S, _tick_conditions))


async def _tick_conditions() -> None:
    for partition, owned in list(conditions.owned.items()):
        async with owned.lock:
            if conditions.owned.get(partition) is owned:
                assert isinstance(owned.shard, ConditionShard)
                await conditions.emit(owned, partition, owned.shard.tick())
                online_store.put(owned.shard.online_values())

    for partition, owned in list(crowd.owned.items()):
        async with owned.lock:
            if crowd.owned.get(partition) is owned:
                assert isinstance(owned.shard, CrowdShard)
                await crowd.emit(owned, partition, owned.shard.tick())
                online_store.put(owned.shard.online_values())


@app.task
async def _keep_observing() -> None:
    await _guarded(_every(settings.observe_s, _observe))


async def _observe() -> None:
    if app.rebalancing:
        return
    for partition, owned in list(walkers.owned.items()):
        assert isinstance(owned.shard, WalkerShard)
        started = time.perf_counter()
        for part in owned.shard.observe():
            took_s = time.perf_counter() - started
            async with owned.lock:
                if walkers.owned.get(partition) is not owned:
                    break
                await walkers.emit(owned, partition, part)
            await asyncio.sleep(OBSERVING_REST * took_s)
            started = time.perf_counter()


@app.task
async def _keep_forgetting() -> None:
    await _guarded(_every(min(FORGET_TICK_S, settings.forget_s / 4.0), _forget_gone))


async def _forget_gone() -> None:
    for partition, owned in list(walkers.owned.items()):
        async with owned.lock:
            if walkers.owned.get(partition) is owned:
                assert isinstance(owned.shard, WalkerShard)
                now_s = time.monotonic()
                await walkers.emit(owned, partition, owned.shard.expire_silent(now_s))
                gone = owned.shard.forget_gone(now_s, settings.forget_s)
                online_store.put(dict.fromkeys(map(walker_key, gone)))
                metrics.WALKERS_FORGOTTEN.inc(len(gone))


@app.task
async def _keep_online_store() -> None:
    await _guarded(_every(settings.online_store_s, _flush_online_store))


async def _flush_online_store() -> None:
    for owned in list(walkers.owned.values()):
        assert isinstance(owned.shard, WalkerShard)
        online_store.put(owned.shard.online_values())
        await asyncio.sleep(0)
    await online_store.flush()


@app.task
async def _keep_lease() -> None:
    """Nothing else is awaited here: only a loop that stands still lets the lease run out."""
    while not app.should_stop:
        for shards in ALL_SHARDS:
            shards.renew_lease()
        await asyncio.sleep(0.25)


@app.task
async def _report() -> None:
    """Lag and gauges, several times a second; feeds the watchdog."""
    metrics.serve(settings)
    for table, partitions in (
        (WALKERS_TABLE, settings.partitions), (CONDITIONS_TABLE, 1), (CROWD_TABLE, settings.partitions)
    ):  # fmt: skip
        metrics.PARTITIONS_ALL.labels(table).set(partitions)
    watchdog.start()
    HEALTH.start(watchdog.missed, _why_not_ready)
    while not app.should_stop:
        for shards in ALL_SHARDS:
            await shards.heal_silence()
            shards.count_holes()
        lag = sum(shards.measure_lag() for shards in ALL_SHARDS)
        unopened = sum(shards.unopened for shards in ALL_SHARDS)
        watchdog.tell(lag, unopened, sum(shards.progress for shards in ALL_SHARDS))
        held = [
            owned.shard.walking for owned in walkers.owned.values() if isinstance(owned.shard, WalkerShard)
        ]
        metrics.WALKERS.set(sum(len(walking.state) for walking in held))
        metrics.ACTIVE_TRIPS.set(sum(walking.state.active_count() for walking in held))
        networks.gauges.tell_walkers(walking.state for walking in held)
        await asyncio.sleep(0.25)


def _why_not_ready() -> str | None:
    """Why nobody may count on this worker; it may well be ready without any partition, as a reserve."""
    if app.draining:
        return "it hands over its partitions and ends"
    if not all(shards.joined for shards in ALL_SHARDS):
        return "the group has not given it partitions yet"
    unopened = sum(shards.unopened for shards in ALL_SHARDS)
    if unopened:
        return f"{unopened} of its partitions are not open yet"
    return networks.why_not_current()


async def _every(interval_s: float, work: Any) -> None:
    while not app.should_stop:
        started = time.monotonic()
        await work()
        await asyncio.sleep(max(0.01, interval_s - (time.monotonic() - started)))
