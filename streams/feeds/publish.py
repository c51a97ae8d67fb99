"""Sending what a feed said to Kafka: reports to their topics, problems to the dead letters."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import TracebackType

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from geo.errors import Unavailable
from models.records import DeadLetter, TrafficReport, encode
from streams.feeds.common import Problem, Report
from streams.kafka.connection import client_options, unavailable
from streams.kafka.topics import DEAD_LETTERS, TRAFFIC_REPORTS, WEATHER_REPORTS
from streams.settings import Settings

MAX_REASON_BYTES = 1024
DELIVERY_S = 30
CONNECT_S = 5.0


def topic_of(report: Report) -> str:
    return TRAFFIC_REPORTS if isinstance(report, TrafficReport) else WEATHER_REPORTS


def dead_letter(problem: Problem, topic: str) -> DeadLetter:
    """A problem as a record; partition and offset are 0, as it never was in the topic it was meant for."""
    reason = f"{problem.reason} at {problem.position}"
    if problem.detail:
        reason += f": {problem.detail}"
    printable = "".join(c if c.isprintable() else " " for c in reason)
    return DeadLetter(
        topic=topic,
        partition=0,
        offset=0,
        reason=printable.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore"),
        value_b64=base64.b64encode(problem.raw).decode(),
    )


@dataclass(slots=True)
class Sent:
    """What went out."""

    reports: int = 0
    withdrawn: int = 0
    problems: int = 0


class Publisher:
    """An idempotent producer: every message is acknowledged by all replicas, once, in order.

    Use as a context manager; leaving it waits for the acknowledgements. Raises Unavailable when the broker
    does not answer or refuses a message.
    """

    def __init__(self, settings: Settings) -> None:
        self._bootstrap = settings.bootstrap
        self._failure: str | None = None
        try:
            self._producer = Producer(
                {
                    **client_options(settings),
                    "enable.idempotence": True,
                    "acks": "all",
                    "partitioner": "murmur2_random",  # Kafka's own: the key decides as for every other client
                    "compression.type": "lz4",
                    "linger.ms": 5,
                    "delivery.timeout.ms": DELIVERY_S * 1000,
                }
            )
            self._producer.list_topics(timeout=CONNECT_S)  # says at once that nobody is there
        except KafkaException as error:
            raise unavailable(
                settings,
                error,
                f"no broker answers at {settings.bootstrap} ({error.args[0].str()}): start one with"
                " `flaneur up`, or give --bootstrap",
            ) from error

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()

    def send(self, report: Report) -> None:
        """One report, keyed by its source."""
        self._produce(topic_of(report), report.source.encode(), encode(report))

    def send_problem(self, problem: Problem, topic: str, source: str) -> None:
        """One problem to the dead letters, keyed by the feed's source; `topic` is where it had belonged."""
        self._produce(DEAD_LETTERS, source.encode(), encode(dead_letter(problem, topic)))

    def answers(self) -> bool:
        """Whether the broker answers now."""
        try:
            self._producer.list_topics(timeout=CONNECT_S)
        except KafkaException:
            return False
        return True

    def flush(self) -> None:
        """Return when everything was acknowledged; raises Unavailable otherwise."""
        left = self._producer.flush(DELIVERY_S + 5)
        if self._failure is None and left:
            self._failure = f"{left} messages were not acknowledged within {DELIVERY_S} s"
        self._check()

    def _produce(self, topic: str, key: bytes, value: bytes) -> None:
        self._check()
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise Unavailable(f"the broker at {self._bootstrap} refused a message: {error}") from error
        self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = f"{message.topic()}: {error.str()}"

    def _check(self) -> None:
        if self._failure is not None:
            raise Unavailable(
                f"the broker at {self._bootstrap} did not take the reports ({self._failure}):"
                " `flaneur topics` says whether the topics are as they should be"
            )


class Changes:
    """What is new in a feed since it was last looked at, for feeds that are polled.

    A report that was sent with the same content is not sent again; an event that has gone from the feed is
    withdrawn: it ends now. (A snapshot feed simply leaves out what is over.) Nothing is withdrawn because of
    a document that could not be read whole.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[tuple[str, float | None], tuple[bytes, Report]]] = {}

    def of(
        self, document: str, reports: Iterable[Report], now: float, whole: bool = True
    ) -> tuple[list[Report], list[Report]]:
        """Reports to send for a document (its name) as it is now: new or changed ones, and withdrawals."""
        before = self._known.get(document, {})
        after: dict[tuple[str, float | None], tuple[bytes, Report]] = {}
        fresh = []
        for report in reports:
            key = (report.source, None if isinstance(report, TrafficReport) else report.valid_from)
            packed = encode(report)
            after[key] = (packed, report)
            if key not in before or before[key][0] != packed:
                fresh.append(report)
        if not whole:
            self._known[document] = before | after
            return fresh, []
        self._known[document] = after
        gone = [report for key, (_, report) in before.items() if key not in after]
        return fresh, [ended for report in gone if (ended := withdrawn(report, now)) is not None]


def withdrawn(report: Report, now: float) -> Report | None:
    """The report as ended now; None for what needs no end: weather, flows, and what is already over."""
    if not isinstance(report, TrafficReport) or report.kind in ("flow", "air"):
        return None
    if report.valid_to is not None and report.valid_to <= now:
        return None
    start = report.ts if report.valid_from is None else report.valid_from
    return replace(report, ts=max(now, report.ts), valid_from=min(start, now), valid_to=now)


def send_paced(
    publisher: Publisher,
    reports: Iterable[Report],
    speed: float,
    sleep: Callable[[float], None],
    done: Callable[[int], None],
) -> int:
    """Send reports in the order of their `ts`, `speed` times as fast as they came about (0: at once).

    `sleep` waits, `done` is told after each report how many are sent. Returns their number.
    """
    ordered = sorted(reports, key=lambda report: report.ts)
    last: float | None = None
    for i, report in enumerate(ordered, start=1):
        if speed > 0.0 and last is not None and report.ts > last:
            publisher.flush()  # what is due has arrived before the pause, not after it
            sleep((report.ts - last) / speed)
        last = report.ts
        publisher.send(report)
        done(i)
    return len(ordered)
