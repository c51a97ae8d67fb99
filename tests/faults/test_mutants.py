"""Each mechanism is taken away once, and the invariants must show it: tests that can fail."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.faults import scenarios
from tests.faults.day import Day, Violation
from tests.faults.mutants import MUTANTS

EXPOSED_BY: dict[str, Callable[[Day], float]] = {
    "no_continuity_check": scenarios.lose_block,
    "no_skip": partial(scenarios.kill_at, stage="in_checkpoint"),
    "checkpoint_before_await": scenarios.lose_checkpoint,
    "commit_early": scenarios.lose_checkpoint,
    "no_resend": partial(scenarios.kill_at, stage="stored_unsent"),
    "no_write_ahead": scenarios.close_street,
    "no_lease_check": scenarios.sleep_through_session,
}
SHORT = ()


def expose(day: Day, scenario: Callable[[Day], float]) -> None:
    scenario(day)
    day.verify()


def test_every_mutant_is_tried() -> None:
    assert EXPOSED_BY.keys() == MUTANTS.keys()


@pytest.mark.parametrize(
    "mutant", [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in EXPOSED_BY]
)
def test_a_worker_without_a_mechanism_is_found_out(make_day: Callable[..., Day], mutant: str) -> None:
    day = make_day()
    day.patience_s = 20.0
    try:
        day.quiet.worker().start()
        day.disturbed.worker(mutant=mutant).start().wait_ready()
        day.begin()
        with pytest.raises(Violation) as found:
            expose(day, EXPOSED_BY[mutant])
        print(f"{mutant}: {str(found.value).splitlines()[0]}")
    finally:
        day.join()
        day.stop()
