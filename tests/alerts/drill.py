"""Every alert of an objective, and most of the others, provoked for real: `make test-alerts`.

A real service with a real Prometheus and the deployment's rules, whose windows are sixty times shorter
(`tests.alerts.rule_files.shorten`); the limits are as they are. Each cause is real:
processes are stopped and killed, a disk is full, offsets are deleted. An alert must be seen firing, and ended
once the cause is gone. Not part of `make test`: it takes some twenty minutes and the right to mount a disk.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import OFFSET_END, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from models.records import Rating, encode
from streams.kafka.topics import GPS_FIXES, RATINGS
from tests.alerts.rule_files import read_rules
from tests.alerts.service import FACTOR, Case, Service, service
from tests.broker.deployment import Phone, wait_for

pytestmark = pytest.mark.timeout(1800)
FIRES_WITHIN_S = 60.0
ENDS_WITHIN_S = 120.0
SLOW_ENDS_WITHIN_S = 6 * 3600 / FACTOR + 60.0  # the shorter window of the slowest burn rate
OLD_S = 300.0  # conditions may be
SLOW = ("AnswersLateSlowly", "ConditionsOldSlowly")
FOR_S = {rule.name: rule.for_s for rule in read_rules() if rule.is_alert}


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("drill")) as started:
        yield started


def provoke(
    one: Service,
    cause: str,
    alerts: tuple[str, ...],
    begin: Callable[[], object],
    end: Callable[[], object],
    within_s: float = FIRES_WITHIN_S,
) -> None:
    """Let the cause begin, see all alerts fire, end it, see them end (slow ones: `test_everything_ends`)."""
    watch = one.watch
    watch.wait_ended(alerts, SLOW_ENDS_WITHIN_S)
    begun = time.monotonic()
    begin()
    for alert in alerts:
        watch.wait_firing(alert, begun, within_s)
        if FOR_S[alert]:
            assert watch.first(alert, "pending", begun) is not None, f"{alert} was never pending"
    end()
    ended = time.monotonic()
    watch.wait_ended([alert for alert in alerts if alert not in SLOW], ENDS_WITHIN_S)
    for alert in alerts:
        over = None if alert in SLOW else watch.last_end(alert, begun)
        one.cases.append(Case(alert, cause, begun, ended, over))


def test_all_is_well_and_nothing_is_said(one: Service) -> None:
    one.watch.wait_ended(FOR_S, FIRES_WITHIN_S)  # the first looks come before the first figures
    begun = time.monotonic()
    time.sleep(20.0)  # what should not happen cannot be waited for
    assert [change for change in one.watch.changes if change.at > begun] == []
    values = one.prometheus.now("flaneur:partitions_unowned")
    assert {value.labels["table"]: value.last for value in values} == {
        "walkers": 0,
        "conditions": 0,
        "crowd": 0,
    }
    for recorded in ("flaneur:answers_late:ratio_rate5m", "flaneur:conditions_old:ratio5m"):
        (ratio,) = one.prometheus.now(recorded)
        assert ratio.last < 0.01
    (fixes,) = one.prometheus.now("flaneur:answers:rate1h")
    assert fixes.last > 1


def test_a_worker_that_stands_still_most_of_the_time(one: Service) -> None:
    """SIGSTOP and SIGCONT in turn, never for as long as its session lasts."""

    def stumble() -> None:
        for _ in range(6):
            one.signal_worker(signal.SIGSTOP)
            time.sleep(3.0)
            one.signal_worker(signal.SIGCONT)
            time.sleep(1.0)

    provoke(one, "worker stopped 3 s of 4", ("AnswersLate", "AnswersLateSlowly"), stumble, lambda: None)


def test_the_feed_stops(one: Service) -> None:
    def end() -> None:
        one.feed.start()

    provoke(
        one,
        "feed killed",
        ("TrafficFeedSilent", "ConditionsOld", "ConditionsOldSlowly"),
        one.feed.kill,
        end,
        OLD_S + FIRES_WITHIN_S,
    )


def test_a_hole_that_cannot_be_healed(one: Service) -> None:
    """A foreign writer's transaction: its end takes an offset, and no message ever comes from there."""
    rating = encode(Rating(device="nobody", proposal="none", ts=time.time(), verdict="like"))

    def begin() -> None:
        foreign = Producer({"bootstrap.servers": one.settings.bootstrap, "transactional.id": "foreign"})
        foreign.init_transactions()
        foreign.begin_transaction()
        foreign.produce(RATINGS, rating, "nobody", partition=0)
        foreign.commit_transaction()

    def end() -> None:
        writer = Producer({"bootstrap.servers": one.settings.bootstrap})
        writer.produce(RATINGS, rating, "nobody", partition=0)
        assert writer.flush(20) == 0

    provoke(one, "an offset without a message", ("HoleUnhealed",), begin, end)


def test_the_only_worker_is_killed(one: Service) -> None:
    alerts = ("NoWorker", "ProcessDown")
    provoke(one, "worker killed", alerts, one.worker.kill, one.start_again)


def test_what_a_worker_has_not_seen_is_deleted(one: Service) -> None:
    admin = AdminClient({"bootstrap.servers": one.settings.bootstrap, "log_level": 0})

    def begin() -> None:
        one.worker.kill()
        time.sleep(2.0)  # some fixes come that nobody takes
        ends = [TopicPartition(GPS_FIXES, p, OFFSET_END) for p in range(one.settings.partitions)]
        for future in admin.delete_records(ends).values():
            future.result(20)
        one.start_again()

    provoke(one, "offsets deleted while it was away", ("MessagesLost",), begin, lambda: None)


def test_a_worker_stops(one: Service) -> None:
    provoke(
        one,
        "worker stopped (SIGSTOP)",
        ("NoWorker", "ProcessDown"),
        lambda: one.signal_worker(signal.SIGSTOP),
        lambda: (one.worker.kill(), one.start_again()),
    )


def test_one_of_two_workers_is_killed(one: Service) -> None:
    one.second.start().wait_ready(1)
    one.worker.wait(lambda: one.worker.is_ready(1))
    one.scrape(one.worker, one.second)
    wait_for(lambda: len(one.prometheus.now('up{job="worker"} == 1')) == 2, 30)
    try:
        provoke(one, "one of two workers killed", ("PartitionsUnowned",), one.second.kill, lambda: None)
    finally:
        one.scrape(one.worker)


def test_redis_is_away(one: Service) -> None:
    machine = one.machine
    provoke(one, "Redis killed", ("OnlineStoreErrors",), machine.kill_redis, machine.start_redis)


def test_the_gateway_is_away(one: Service) -> None:
    provoke(one, "gateway killed", ("NoGateway", "ProcessDown"), one.gateway.kill, one.start_again)


def test_what_comes_cannot_be_used(one: Service) -> None:
    phone = Phone(one.settings)

    def begin() -> None:
        for _ in range(100):
            phone.send(GPS_FIXES, "nobody", b"{", b"[1")
            time.sleep(0.1)

    provoke(one, "a foreign writer's nonsense", ("DeadLettersRising",), begin, lambda: None)


def test_the_broker_is_killed(one: Service) -> None:
    def end() -> None:
        one.machine.start_broker()
        one.start_again()

    provoke(one, "broker killed", ("BrokerSilent", "GatewayErrors"), one.machine.kill_broker, end, 120.0)


def test_the_disk_is_full_and_the_broker_ends(one: Service) -> None:
    provoke(
        one,
        "disk filled up to 4 %",
        ("DiskFilling", "DiskAlmostFull"),
        lambda: one.disk.fill(0.04),
        one.disk.empty,
    )

    def fill() -> None:
        one.disk.fill()
        wait_for(lambda: not one.machine.broker_runs, 120, "the broker runs on without any room")

    def end() -> None:
        one.disk.empty()
        one.machine.start_broker()
        one.start_again()

    provoke(one, "disk full, the broker ends", ("BrokerSilent",), fill, end, 120.0)


def test_everything_ends(one: Service, request: pytest.FixtureRequest) -> None:
    try:
        one.watch.wait_ended(FOR_S, SLOW_ENDS_WITHIN_S)
    finally:
        for case in one.cases:
            fired = one.watch.first(case.alert, "firing", case.begun)
            over = case.over or one.watch.first(case.alert, "", case.ended)
            figures = (case.alert, case.cause, _from(case.begun, fired), _from(case.ended, over))
            request.node.user_properties.append(("drill", figures))


def _from(moment: float, until: float | None) -> float | None:
    return None if until is None else max(0.0, until - moment)
