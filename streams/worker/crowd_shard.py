"""The crowd agent behind its topic: cell-observations to `models.world.crowd`, what it tells out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from geo.errors import BadRecord
from models.records import CellObservation, EdgeCondition, decode, encode
from models.world.crowd import Crowd, Withdrawn
from streams.kafka.topics import EDGE_CONDITIONS
from streams.telemetry import metrics
from streams.transport.block import Block
from streams.worker.delivery import Outgoing, dead_letter
from streams.worker.event_clock import EventClock
from streams.worker.feature_counts import count_condition_features
from streams.worker.online_store import condition_key
from streams.worker.shards import Outcome

AHEAD_S = 60.0  # a phone whose clock is further ahead than this must not make time pass for all


class CrowdShard:
    """Implements `streams.worker.shards.Shard` for cell-observations; a bucket is one cell."""

    def __init__(self) -> None:
        self._crowd = Crowd()
        self._clock = EventClock()
        self._online: dict[bytes, bytes | None] = {}

    def load(self, buckets: Mapping[str, bytes]) -> None:
        for name, data in buckets.items():
            self._crowd.load(name, data)
        self._observe(self._crowd.newest_ts)

    def recovered(self) -> list[Outgoing]:
        return []  # everything is told anew

    def process(self, block: Block) -> Outcome:
        outcome = Outcome()
        latest_ts = time.time() + AHEAD_S
        records = []
        for offset, key, value in zip(block.offsets.tolist(), block.keys, block.values, strict=True):
            if value is None:
                continue
            try:
                record = decode(CellObservation, value)
            except BadRecord as error:
                outcome.messages.append(
                    dead_letter(block.topic, block.partition, offset, key, value, error.reason, error.detail)
                )
                continue
            records.append(record)
        metrics.PASSAGES_FOLDED.inc(self._crowd.fold(records, latest_ts))
        self._observe(self._crowd.newest_ts)
        return outcome

    def _observe(self, ts: float) -> None:
        if ts > 0.0:
            self._clock.observe(ts)

    def tick(self) -> Outcome:
        """What is to be told of places, or no longer, since another minute has passed."""
        outcome = Outcome()
        if not self._clock.started:
            return outcome  # the wall clock may be years off a recorded day
        changed = self._crowd.changed(self._clock.now())
        count_condition_features(one for one in changed if isinstance(one, EdgeCondition))
        for one in changed:
            value = None if isinstance(one, Withdrawn) else encode(one)
            outcome.messages.append(Outgoing(EDGE_CONDITIONS, one.key.encode(), value))
            self._online[condition_key(one.key)] = value
            metrics.CONDITIONS_SENT.labels("crowd").inc()
        if outcome.messages:
            # what was told must be known after a crash, so that it can be withdrawn
            outcome.write_ahead = self._crowd.dirty_cells()
            for ahead, error in self._crowd.forecast_errors().items():
                metrics.FORECAST_ERROR.labels("walkers_at_once", ahead).set(error)
        return outcome

    def online_values(self) -> dict[bytes, bytes | None]:
        """What was told since the last call, as the online store keeps it; None: withdrawn."""
        values, self._online = self._online, {}
        return values

    def dirty(self) -> set[str]:
        return self._crowd.dirty_cells()

    def pack(self, name: str, positions: Mapping[str, int]) -> bytes | None:
        return self._crowd.pack(name)

    def stored(self, names: Iterable[str]) -> None:
        self._crowd.saved(names)

    def sent(self) -> None:
        """Nothing is kept for sending again."""

    def checkpointed(self) -> None:
        """Nothing is kept for it."""
