"""`flaneur worker` with faults that are armed while it runs.

    python -m tests.faults.injected_worker FOLDER [MUTANT]

A file in FOLDER named after a stage arms it: `kill 2` lets one call pass and strikes at the second. The file
of a stage that was struck is renamed to `<stage>.struck`. Nothing in the worker knows of this: methods are
wrapped before it starts. MUTANT takes one of its mechanisms away (`tests.faults.mutants`).
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from streams.kafka.topics import GPS_FIXES, ROUTE_UPDATES, WALKERS_TABLE
from streams.transport.blocks import BlockConsumer
from streams.worker import checkpoints, shards
from streams.worker.checkpoints import CheckpointTable
from streams.worker.crowd_shard import CrowdShard
from streams.worker.shards import Outcome, Shards
from streams.worker.walker_shard import WalkerShard
from tests.faults.mutants import MUTANTS

_calls: dict[str, int] = {}
ARMS = Path(sys.argv[1]) if __name__ == "__main__" else Path()


def strikes(stage: str) -> bool:
    """Whether the fault of this stage happens now; kills or stops the process if that is the fault."""
    arm = ARMS / stage
    try:
        action, at = arm.read_text().split()
    except (OSError, ValueError):
        _calls.pop(stage, None)
        return False
    _calls[stage] = _calls.get(stage, 0) + 1
    if _calls[stage] < int(at):
        return False
    arm.rename(ARMS / f"{stage}.struck")
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    return True


def before(owner: Any, name: str, stage: str, when: Callable[..., bool] = lambda *_: True) -> None:
    """Strike before a method runs; for coroutines too."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **options: Any) -> Any:
        if when(*args):
            strikes(stage)
        return original(*args, **options)

    setattr(owner, name, wrapped)


def after(owner: Any, name: str, stage: str, when: Callable[..., bool] = lambda *_: True) -> None:
    """Strike when a coroutine method has run."""
    original = getattr(owner, name)

    @functools.wraps(original)
    async def wrapped(*args: Any, **options: Any) -> Any:
        result = await original(*args, **options)
        if when(*args):
            strikes(stage)
        return result

    setattr(owner, name, wrapped)


def _walkers(self: Shards, *_: Any) -> bool:
    return self.table.name == WALKERS_TABLE


def _wrap_stages() -> None:
    process = WalkerShard.process

    def in_block(self: WalkerShard, block: Any) -> Any:
        outcome = process(self, block)
        if block.topic == GPS_FIXES:
            strikes("in_block")
        return outcome

    WalkerShard.process = in_block  # type: ignore[method-assign]
    before(BlockConsumer, "checkpointed", "before_commit", lambda self, tp, *_: tp.topic == GPS_FIXES)
    before(Shards, "_store_offsets", "before_offsets", _walkers)
    after(Shards, "_recover", "opening", _walkers)
    before(Shards, "_store", "storing", _walkers)
    before(Shards, "hand_over", "handing_over", lambda self, lost: _walkers(self) and bool(self.owned))
    after(Shards, "hand_over", "handed_over", lambda self, lost: _walkers(self) and bool(lost))
    _wrap_reading()
    _wrap_writing()
    _wrap_sending()
    _wrap_taking()


def _wrap_reading() -> None:
    read = checkpoints.read_checkpoint

    def recovering(
        settings: Any, table: str, partition: int, topics: Iterable[str], on_message: Callable[[], None]
    ) -> Any:
        def tell() -> None:
            on_message()
            if table == WALKERS_TABLE:
                strikes("recovering")

        return read(settings, table, partition, topics, tell)

    checkpoints.read_checkpoint = recovering  # type: ignore[assignment]


def _wrap_writing() -> None:
    write = CheckpointTable.write

    async def in_checkpoint(self: CheckpointTable, partition: int, buckets: Any, offsets: Any) -> Any:
        if self.name == WALKERS_TABLE:
            whole = [name for name in buckets if name.isdecimal()]
            if len(whole) > 1 and (ARMS / "in_checkpoint").exists():
                some = {name: buckets[name] for name in whole[: len(whole) // 2]}
                await asyncio.gather(*await write(self, partition, some, None))
                strikes("in_checkpoint")
            gone = (ARMS / "checkpoint_lost.struck").exists()
            if offsets is not None and (gone or strikes("checkpoint_lost")):
                # the broker never gets it, nor any later one, and never says so
                return [asyncio.get_running_loop().create_future()]
        sent = await write(self, partition, buckets, offsets)
        if self.name == WALKERS_TABLE and (ARMS / "after_write").exists():
            await asyncio.gather(*sent)
            strikes("after_write")
        return sent

    CheckpointTable.write = in_checkpoint  # type: ignore[method-assign]


def _wrap_sending() -> None:
    send = getattr(shards, "send")  # noqa: B009

    async def sending(app: Any, messages: Any) -> Any:
        updates = any(message.topic == ROUTE_UPDATES for message in messages)
        if updates:
            strikes("stored_unsent")
        sent = await send(app, messages)
        if updates and (ARMS / "sent").exists():
            await asyncio.gather(*sent)
            strikes("sent")
        return sent

    setattr(shards, "send", sending)  # noqa: B010


def _wrap_taking() -> None:
    take = Shards.take

    async def lost_block(self: Shards, block: Any) -> None:
        # as Faust now and then does around a rebalance
        if not (block.topic == GPS_FIXES and strikes("lost_block")):
            await take(self, block)

    Shards.take = lost_block  # type: ignore[method-assign]


def _still_crowd() -> None:
    """What the crowd does to costs depends on when passages come: two runs could not be compared."""
    CrowdShard.tick = lambda self: Outcome()  # type: ignore[method-assign]


def _wrap_clock() -> None:
    """The wall clock is as many seconds off as the file `clock` says; it jumps when that changes."""
    real = time.time
    known = [0.0, -1.0]  # skew, and when it was looked up

    def skewed() -> float:
        now = time.monotonic()
        if now - known[1] > 0.1:
            try:
                known[:] = [float((ARMS / "clock").read_text()), now]
            except (OSError, ValueError):
                known[:] = [0.0, now]
        return real() + known[0]

    time.time = skewed


if __name__ == "__main__":
    os.environ.setdefault("FAUST_LOOP", "uvloop")
    sys.modules["tests.faults.injected_worker"] = sys.modules["__main__"]
    _wrap_clock()
    _still_crowd()
    _wrap_stages()
    for mutant in sys.argv[2:]:
        MUTANTS[mutant]()
    sys.argv[1:] = []
    from streams.run_worker import run

    run()
