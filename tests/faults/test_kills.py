"""kill -9 of a worker at every stage of its work."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from tests.faults import scenarios
from tests.faults.day import Day

Recovered = Callable[[float], None]


@pytest.mark.parametrize(
    "stage",
    [
        "in_block",
        "in_checkpoint",
        pytest.param("before_offsets", marks=pytest.mark.long),
        "before_commit",
        "stored_unsent",
        pytest.param("sent", marks=pytest.mark.long),
    ],
)
def test_killed_at_work(day: Day, recovered: Recovered, stage: str, seed: int) -> None:
    call = random.Random(f"{seed} {stage}").randint(1, 2)
    killed = scenarios.kill_at(day, stage, call)
    day.verify()
    recovered(killed)


@pytest.mark.long
def test_killed_when_a_checkpoint_is_not_answered(day: Day, recovered: Recovered) -> None:
    killed = scenarios.lose_checkpoint(day)
    day.verify()
    recovered(killed)


@pytest.mark.parametrize("stage", ["recovering", pytest.param("opening", marks=pytest.mark.long)])
def test_killed_while_it_recovers(day: Day, recovered: Recovered, stage: str, seed: int) -> None:
    worker = day.disturbed.worker()
    worker.arm("in_block")
    day.walk()
    killed = worker.wait_killed("in_block")
    worker.arm(stage, "kill", random.Random(f"{seed} {stage}").randint(1, 3))
    day.restart()
    worker.wait_killed(stage)
    day.restart()
    day.verify()
    recovered(killed)


@pytest.mark.parametrize("stage", ["handing_over", pytest.param("handed_over", marks=pytest.mark.long)])
def test_killed_while_another_joins(day: Day, recovered: Recovered, stage: str) -> None:
    one, two = day.disturbed.worker(), day.disturbed.worker("two")
    one.arm(stage)
    day.walk(seconds=4.0)
    two.start()
    killed = one.wait_killed(stage)
    day.restart()
    day.verify()
    recovered(killed)
    assert two.stop() == 0


@pytest.mark.long
def test_killed_while_it_opens_what_another_left(day: Day, recovered: Recovered) -> None:
    one, two = day.disturbed.worker(), day.disturbed.worker("two")
    two.start().wait_ready(1)
    one.arm("opening")
    day.walk(seconds=4.0)
    assert two.stop() == 0
    killed = one.wait_killed("opening")
    one.start()
    day.verify()
    recovered(killed)


@pytest.mark.long
def test_killed_with_requests_under_way(day: Day, recovered: Recovered) -> None:
    one = day.disturbed.worker()
    one.arm("stored_unsent", "kill", 4)
    day.ask()
    killed = one.wait_killed("stored_unsent")
    day.restart()
    day.wait_told("requested")
    day.walk()
    day.verify()
    recovered(killed)


def test_kill_nine_at_random_moments(day: Day, recovered: Recovered, seed: int, long: bool) -> None:
    moments = random.Random(seed)
    one = day.disturbed.worker()
    day.walk(seconds=20.0 if long else 4.0)
    for _ in range(5 if long else 2):
        time.sleep(moments.uniform(0.2, 4.0 if long else 1.5))
        one.kill()
        killed = time.monotonic()
        day.restart()
    day.verify()
    recovered(killed)
