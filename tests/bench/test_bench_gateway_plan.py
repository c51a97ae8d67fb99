"""What the measurement of planning by request asks, and what it counts."""

from __future__ import annotations

import asyncio

import pytest

from bench.gateway_plan import PlanJob, plan_latencies, wishes
from gateway.planning.requests import RoutesBody
from geo.errors import BadInput, NoRoute
from tests.geo.naive_city import lattice_city

CITY = lattice_city(3)


def test_loops_and_ways_come_in_turn_each_with_a_taste_of_its_own() -> None:
    asked = wishes(CITY, 12, seed=1)
    assert [one.kind for one in asked[:4]] == ["loop", "to", "loop", "to"]
    assert len({str(one.taste) for one in asked}) == 12
    assert all(one.propose == 1 for one in asked)
    assert asked == wishes(CITY, 12, seed=1)


def test_a_request_that_waits_for_another_counts_with_its_waiting() -> None:
    turn = asyncio.Lock()

    async def ask(body: RoutesBody) -> None:
        async with turn:
            await asyncio.sleep(0.02)

    found = asyncio.run(plan_latencies(ask, wishes(CITY, 10, seed=1), rate_per_s=1_000.0))
    assert max(found.plan_ms) > 5 * 20.0  # ten at once, one after the other


def test_what_has_no_way_is_told_and_other_errors_end_it() -> None:
    asked = wishes(CITY, 4, seed=1)

    async def ask(body: RoutesBody) -> None:
        if body.kind == "loop":
            raise NoRoute("none")

    found = asyncio.run(plan_latencies(ask, asked, rate_per_s=1_000.0))
    assert (len(found.plan_ms), found.failed) == (2, 2)

    async def broken(body: RoutesBody) -> None:
        raise BadInput("wrong")

    with pytest.raises(ExceptionGroup):
        asyncio.run(plan_latencies(broken, asked, rate_per_s=1_000.0))


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(BadInput):
        PlanJob(plans=0)
    with pytest.raises(BadInput):
        PlanJob(busy=0.95)
