"""kill -9 while a change of the world is told: nobody who is concerned is forgotten."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults import scenarios
from tests.faults.day import Day

Recovered = Callable[[float], None]


def test_killed_when_the_world_changes(make_day: Callable[..., Day], recovered: Recovered) -> None:
    day = make_day()
    try:
        day.quiet.worker().start()
        day.disturbed.worker().start().wait_ready()
        day.begin()
        killed = scenarios.close_street(day)
        day.verify()
        recovered(killed)
    finally:
        day.join()
        day.stop()
