"""Workers that lack one mechanism each: the tests must notice every one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faust.types import TP

from streams.worker import shards
from streams.worker.shards import Shards
from streams.worker.walker_shard import WalkerShard


def checkpoint_before_await() -> None:
    """A checkpoint counts when it was handed to the producer, not when the broker has it."""

    async def trust(_: Any) -> None:
        return None

    setattr(shards, "confirm", trust)  # noqa: B010


def commit_early() -> None:
    """Offsets are committed when a block was processed, whether or not a checkpoint contains it."""
    process = Shards._process

    async def and_commit(self: Shards, owned: Any, block: Any) -> bool:
        done = await process(self, owned, block)
        self._consumer.checkpointed(TP(block.topic, block.partition), block.next_offset)
        return done

    Shards._process = and_commit  # type: ignore[method-assign]


def no_continuity_check() -> None:
    """A block is taken wherever it begins."""

    async def whole(self: Shards, owned: Any, block: Any) -> Any:
        return block

    Shards._contiguous = whole  # type: ignore[method-assign]


def no_skip() -> None:
    """What a walker's state contains beyond the partition's offsets is folded in again."""
    load = WalkerShard.load

    def forgetful(self: WalkerShard, buckets: Any) -> None:
        load(self, buckets)
        self.walking.state.contained[:] = 0

    WalkerShard.load = forgetful  # type: ignore[method-assign]


def no_write_ahead() -> None:
    """Updates are sent before what they follow from is stored."""
    outcome = WalkerShard._outcome

    def at_once(self: WalkerShard, step: Any, block: Any) -> Any:
        made = outcome(self, step, block)
        made.write_ahead.clear()
        return made

    WalkerShard._outcome = at_once  # type: ignore[method-assign]


def no_resend() -> None:
    """Updates that were stored and perhaps not sent are not sent when a partition is opened."""
    WalkerShard.recovered = lambda self: []  # type: ignore[method-assign]


def no_lease_check() -> None:
    """A process that stood still for longer than its session writes on."""
    Shards._check_lease = lambda self: None  # type: ignore[method-assign]


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (
        checkpoint_before_await, commit_early, no_continuity_check, no_skip, no_write_ahead,
        no_resend, no_lease_check,
    )
}  # fmt: skip
