"""Follows what a run sends and what comes back: when a fix went out, when its update came in."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # documented, not in its __all__

from geo.errors import BadRecord, Unavailable
from models.records import RouteUpdate, decode
from streams.demo.fleet import Timed
from streams.kafka.connection import client_options, unavailable
from streams.kafka.topics import GPS_FIXES, ROUTE_REQUESTS, ROUTE_UPDATES, admin_client
from streams.settings import Settings
from streams.telemetry.scrape import Samples

# an update can only be timed while its fix is remembered; at 1,000 fixes/s that is eight minutes
REMEMBERED = 500_000
# what these answer is not the walker's last fix but something that happened elsewhere
NOT_CAUSED_BY_A_FIX = frozenset({"world_changed", "disliked"})
_ANSWER_S = 10.0
_NAP_S = 0.2


class Watch:
    """A consumer of route-updates on a thread of its own, and the times at which fixes were sent."""

    def __init__(self, settings: Settings) -> None:
        self.updates: Counter[str] = Counter()
        self.latencies_s: list[float] = []
        self.sent: Counter[str] = Counter()
        self._sent_at: OrderedDict[tuple[str, float], float] = OrderedDict()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._consumer = Consumer(
            {
                **client_options(settings),
                "group.id": "flaneur-up",
                "enable.auto.commit": False,
            }
        )
        # asked by a client of its own: a question to the consumer waits behind its long poll for messages
        self._admin = admin_client(settings)
        self._next = self._go_to_end(settings)
        self._thread = threading.Thread(target=self._follow, name="watch", daemon=True)
        self._thread.start()

    def noting(self, records: Iterable[Timed]) -> Iterator[Timed]:
        """The same records; when the next one is asked for, the one before has just been sent."""
        for record in records:
            yield record
            self.sent[record.topic] += 1
            if record.topic in (GPS_FIXES, ROUTE_REQUESTS):
                self._sent_at[record.key.decode(), round(record.ts, 3)] = time.perf_counter()
                if len(self._sent_at) > REMEMBERED:
                    self._sent_at.popitem(last=False)

    def has_read_all(self) -> bool:
        """Whether every update that the broker has now was read."""
        ends = self._ends(list(self._next))
        return all(self._next[partition] >= end for partition, end in ends.items())

    def check(self) -> None:
        """Raise what ended the thread, if something did."""
        if self._failure is not None:
            raise Unavailable(f"route-updates can no longer be read: {self._failure}") from self._failure

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _go_to_end(self, settings: Settings) -> dict[int, int]:
        """Begin behind the updates of earlier runs."""
        try:
            metadata = self._consumer.list_topics(ROUTE_UPDATES, timeout=_ANSWER_S)
            ends = self._ends(list(metadata.topics[ROUTE_UPDATES].partitions))
            self._consumer.assign([TopicPartition(ROUTE_UPDATES, one, end) for one, end in ends.items()])
        except KafkaException as error:
            raise unavailable(
                settings, error, f"route-updates cannot be read at {settings.bootstrap}: {error}"
            ) from error
        return ends

    def _ends(self, partitions: list[int]) -> dict[int, int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the client leaves it without annotations
        asked = {TopicPartition(ROUTE_UPDATES, one): latest for one in partitions}
        try:
            answers = self._admin.list_offsets(asked, request_timeout=_ANSWER_S)
            return {one.partition: future.result(_ANSWER_S).offset for one, future in answers.items()}
        except (KafkaException, TimeoutError) as error:
            raise Unavailable(f"the broker does not tell the end of {ROUTE_UPDATES}: {error}") from error

    def _follow(self) -> None:
        try:
            while not self._stop.is_set():
                message = self._consumer.poll(_NAP_S)
                if message is None:
                    continue
                if (error := message.error()) is not None:
                    if error.fatal():
                        raise KafkaException(error)
                    continue  # the client reconnects by itself
                came_in = time.perf_counter()
                self._note(message.value() or b"", came_in)
                self._next[message.partition() or 0] = (message.offset() or 0) + 1
        except BaseException as failure:  # told to the main thread, which stops the run
            self._failure = failure

    def _note(self, value: bytes, came_in: float) -> None:
        try:
            update = decode(RouteUpdate, value)
        except BadRecord:
            self.updates["unreadable"] += 1
            return
        self.updates[update.reason] += 1
        if update.fix_ts is None or update.reason in NOT_CAUSED_BY_A_FIX:
            return
        sent = self._sent_at.get((update.device, round(update.fix_ts, 3)))
        if sent is not None:
            self.latencies_s.append(came_in - sent)


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment, as its workers count it; latencies as the watch measured them."""

    seconds: float
    fixes: int
    late: int
    duplicates: int
    dead_letters: dict[str, int]
    updates: dict[str, int]
    walkers: int
    trips: int
    lag: int
    conditions_version: int
    p50_ms: float | None
    p99_ms: float | None

    def summary(self) -> dict[str, object]:
        """What a script reads at the end of a run."""
        return {
            "fixes": self.fixes,
            "late": self.late,
            "dead_letters": sum(self.dead_letters.values()),
            "updates": self.updates,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "seconds": round(self.seconds, 3),
        }


def snapshot(samples: Samples, watch: Watch, seconds: float) -> Snapshot:
    """Put together what the workers count and what the watch measured."""
    return Snapshot(
        seconds=seconds,
        fixes=int(samples.total("flaneur_fixes_total")),
        late=int(samples.total("flaneur_fixes_late_total")),
        duplicates=int(samples.total("flaneur_fixes_duplicate_total")),
        dead_letters=samples.by("flaneur_dead_letters_total", "reason"),
        updates=samples.by("flaneur_route_updates_total", "reason"),
        walkers=int(samples.total("flaneur_walkers")),
        trips=int(samples.total("flaneur_active_trips")),
        lag=int(samples.total("flaneur_consumer_lag_messages")),
        conditions_version=int(max(samples.values("flaneur_conditions_version"), default=0)),
        p50_ms=percentile_ms(watch.latencies_s, 0.50),
        p99_ms=percentile_ms(watch.latencies_s, 0.99),
    )


def percentile_ms(seconds: Sequence[float], part: float) -> float | None:
    """The smallest value that at least `part` of all do not exceed (nearest rank), in ms; None of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    return round(1000.0 * ordered[max(0, math.ceil(part * len(ordered)) - 1)], 3)
