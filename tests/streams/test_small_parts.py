"""The event clock, the watchdog, settings, sealed checkpoint values."""

from __future__ import annotations

import time

import pytest

from geo.errors import BadInput, BadRecord
from streams.settings import Settings
from streams.worker.checkpoints import seal, unseal
from streams.worker.event_clock import EventClock
from streams.worker.watchdog import Watchdog


def test_the_clock_follows_reports_and_ignores_old_and_future_ones() -> None:
    clock = EventClock()
    assert abs(clock.now() - time.time()) < 1.0
    clock.observe(1_000_000.0)
    assert abs(clock.now() - 1_000_000.0) < 1.0
    clock.observe(999_000.0)
    clock.observe(time.time() + 10_000.0)
    assert abs(clock.now() - 1_000_000.0) < 1.0
    clock.observe(1_000_500.0)
    assert abs(clock.now() - 1_000_500.0) < 1.0


def test_the_watchdog_tells_idle_from_stuck() -> None:
    dog = Watchdog(30.0)
    now = time.monotonic()
    dog.tell(0, 0, 10)
    assert dog.verdict(now + 5) is None
    dog.tell(7, 0, 10)
    assert dog.verdict(time.monotonic() + 29) is None
    assert "loop has stood still" in (dog.verdict(time.monotonic() + 31) or "")
    dog._told_at = time.monotonic() + 1000  # the loop lives, the position does not move
    assert "7 messages wait" in (dog.verdict(time.monotonic() + 31) or "")
    dog.tell(7, 0, 11)
    assert dog.verdict(time.monotonic() + 5) is None
    dog.tell(0, 2, 11)
    dog._told_at = time.monotonic() + 1000
    assert "2 partitions" in (dog.verdict(time.monotonic() + 31) or "")


def test_settings_come_from_the_environment_and_say_what_is_wrong() -> None:
    settings = Settings.from_env({"PARTITIONS": "8", "INGEST_ONLY": "yes", "CHECKPOINT_S": "0.5"})
    assert (settings.partitions, settings.ingest_only, settings.checkpoint_s) == (8, True, 0.5)
    for environ in ({"PARTITIONS": "many"}, {"PARTITIONS": "0"}, {"INGEST_ONLY": "perhaps"}):
        with pytest.raises(BadInput, match=next(iter(environ))):
            Settings.from_env(environ)


def test_a_damaged_checkpoint_is_never_taken_for_a_good_one() -> None:
    value = seal(b"state" * 100)
    assert unseal("k", value) == b"state" * 100
    for i in range(0, len(value), 3):
        broken = bytearray(value)
        broken[i] ^= 1
        with pytest.raises(BadRecord):
            unseal("k", bytes(broken))
    with pytest.raises(BadRecord):
        unseal("k", b"")
