"""Plays timed records into Kafka at the pace of their event times."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from geo.errors import BadInput, Unavailable
from streams.demo.fleet import Timed
from streams.kafka.connection import client_options, unavailable
from streams.settings import Settings

ANSWER_S = 10.0
DELIVERY_S = 30.0
#: How long a wait for the next record may go without looking at the stop event and the callbacks.
_NAP_S = 0.1
_PROGRESS_S = 0.2


@dataclass(frozen=True)
class PlaySummary:
    """What became of the records: sent = delivered + failed; `stopped` when it ended before they did."""

    sent: int
    delivered: int
    failed: int
    seconds: float
    stopped: bool
    first_failure: str | None = None
    by_topic: dict[str, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Delivered records per second of wall clock."""
        return self.delivered / self.seconds if self.seconds > 0 else 0.0


def parse_speed(text: str) -> float:
    """How many seconds of event time pass in one of wall clock: a number above 0, or `max` for inf."""
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0:
        raise BadInput(f"the speed is {text!r}, it must be a number above 0 or max")
    return speed


def play(
    records: Iterable[Timed],
    settings: Settings,
    speed: float = 1.0,
    stop: threading.Event | None = None,
    progress: Callable[[int], None] | None = None,
) -> PlaySummary:
    """Publish `records` (in event-time order) at `speed` times the pace of their event times; inf: at once.

    Returns once everything sent is acknowledged or has failed, or soon after `stop` is set. `progress` is
    told now and then how many were sent. Raises Unavailable when no broker answers, BadInput for a topic
    that the broker does not have.
    """
    return _Player(settings, stop or threading.Event()).play(records, speed, progress)


class _Player:
    """One run of `play`: the producer and what it has said about deliveries."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._bootstrap = settings.bootstrap
        self._stop = stop
        self._delivered: Counter[str] = Counter()
        self._failed = 0
        self._first_failure: str | None = None
        self._producer = Producer(
            {
                **client_options(settings),
                "enable.idempotence": True,
                "acks": "all",
                # the murmur2 of Kafka's own clients: workers expect a device where the gateway puts it
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "batch.num.messages": 10_000,
                "queue.buffering.max.messages": 200_000,
                "delivery.timeout.ms": int(DELIVERY_S * 1000),
            }
        )
        try:
            self._topics = set(self._producer.list_topics(timeout=ANSWER_S).topics)
        except KafkaException as error:
            raise unavailable(
                settings,
                error,
                f"no broker answers at {settings.bootstrap}: start one with `flaneur up`, or set BOOTSTRAP",
            ) from error

    def play(
        self, records: Iterable[Timed], speed: float, progress: Callable[[int], None] | None
    ) -> PlaySummary:
        began = time.monotonic()
        first_ts: float | None = None
        sent, told = 0, began
        for record in records:
            if first_ts is None:
                first_ts = record.ts
            if not self._wait_until(began + (record.ts - first_ts) / speed):
                break
            self._send(record)
            sent += 1
            now = time.monotonic()
            if now - told >= _PROGRESS_S:
                told = now
                if progress is not None:
                    progress(sent)
        left = self._producer.flush(DELIVERY_S)
        if progress is not None:
            progress(sent)
        if left:
            self._note_failure(f"not acknowledged within {DELIVERY_S:.0f} s", left)
        return PlaySummary(
            sent=sent,
            delivered=self._delivered.total(),
            failed=self._failed,
            seconds=time.monotonic() - began,
            stopped=self._stop.is_set(),
            first_failure=self._first_failure,
            by_topic=dict(self._delivered),
        )

    def _wait_until(self, due: float) -> bool:
        """Serve the callbacks until the monotonic clock says `due`; False when it was stopped."""
        while not self._stop.is_set():
            left = due - time.monotonic()
            if left <= 0:
                self._producer.poll(0)
                return True
            self._producer.poll(min(left, _NAP_S))
        return False

    def _send(self, record: Timed) -> None:
        if record.topic not in self._topics:
            raise BadInput(
                f"topic {record.topic} is missing at {self._bootstrap}: run `flaneur topics --create`"
            )
        while True:
            try:
                # no timestamp: the broker deletes by it, and a walk of last year would be gone at once
                self._producer.produce(record.topic, record.value, record.key, on_delivery=self._on_delivery)
                return
            except BufferError:
                self._producer.poll(_NAP_S)
            except KafkaException as error:
                raise Unavailable(f"the producer refused a record: {error}") from error

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._delivered[message.topic() or ""] += 1
        else:
            self._note_failure(error.str(), 1)

    def _note_failure(self, reason: str, count: int) -> None:
        self._failed += count
        self._first_failure = self._first_failure or reason
