"""Planner processes over a real broker: the conditions of now, a bounded queue, one that is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import psutil
import pytest

from gateway.planning.pool import PlannerPool
from gateway.planning.requests import Directions, Point, Propose, RoutesBody
from geo.errors import NoRoute, Unavailable
from models.records import EdgeCondition
from streams.kafka.topics import EDGE_CONDITIONS
from streams.settings import Settings
from tests.broker.deployment import Phone
from tests.broker.drawn import City

WITHIN_S = 60.0


@asynccontextmanager
async def planners(settings: Settings, city: City, **changed: Any) -> AsyncIterator[PlannerPool]:
    pool = PlannerPool(replace(settings, graph_dir=str(city.folder), **changed))
    await pool.start()
    try:
        async with asyncio.timeout(WITHIN_S):
            await pool.wait_ready()
        yield pool
    finally:
        await pool.close()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def along(city: City, *places: str) -> Directions:
    return Directions([Point(*city.places[p]) for p in places], [True] * len(places), taste={"noise": 0.0})


async def length_m(pool: PlannerPool, asked: Directions) -> float:
    return float(orjson.loads(await pool.ask(asked))["routes"][0]["distance"])


def children() -> list[int]:
    return [
        process.pid
        for process in psutil.Process().children()
        if process.status() != psutil.STATUS_ZOMBIE and "gateway.planning.worker" in process.cmdline()
    ]


def closure(city: City, tail: str, head: str) -> EdgeCondition:
    graph = city.graph
    for edge in range(graph.edge_count):
        ends = [
            (float(graph.node_lat[n]), float(graph.node_lon[n])) for n in (graph.tail[edge], graph.head[edge])
        ]
        if ends == [city.places[tail], city.places[head]]:
            osm = (graph.way[edge], graph.node_osm[graph.tail[edge]], graph.node_osm[graph.head[edge]])
            key = "/".join(str(int(value)) for value in osm)
            return EdgeCondition(key=key, ts=1.0, version=1, expires=9e10, closed=True)
    raise AssertionError(f"{tail}-{head} is not drawn")


def test_a_closure_is_planned_round_as_soon_as_it_is_known(settings: Settings, city: City) -> None:
    async def test() -> None:
        async with planners(settings, city) as pool:
            straight = await length_m(pool, along(city, "E", "H"))
            condition = closure(city, "F", "G")
            Phone(settings).send(EDGE_CONDITIONS, condition.key, condition)
            async with asyncio.timeout(WITHIN_S):
                while await length_m(pool, along(city, "E", "H")) < straight + 50.0:
                    await asyncio.sleep(0.05)

    run(test)


def test_who_waits_too_long_is_told_at_once(settings: Settings, city: City) -> None:
    async def test() -> None:
        async with planners(settings, city, gateway_planner_queue=3) as pool:
            asked = [pool.ask(along(city, "A", "L")) for _ in range(40)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            refused = [one for one in answers if isinstance(one, Unavailable)]
            assert len(answers) - len(refused) == 3
            assert all(isinstance(one, bytes | Unavailable) for one in answers)
            assert await length_m(pool, along(city, "A", "L")) > 0.0

    run(test)


def test_a_planner_that_is_killed_is_replaced(settings: Settings, city: City) -> None:
    async def test() -> None:
        async with planners(settings, city) as pool:
            before = children()
            asked = [asyncio.ensure_future(pool.ask(along(city, "A", "L"))) for _ in range(3)]
            os.kill(before[0], signal.SIGKILL)
            for one in asked:
                try:
                    await one
                except Unavailable:
                    pass
            async with asyncio.timeout(WITHIN_S):
                while children() == before or not pool.is_ready:
                    await asyncio.sleep(0.05)
            assert await length_m(pool, along(city, "A", "L")) > 0.0
        assert children() == []

    run(test)


def test_errors_come_through_as_what_they_are(settings: Settings, city: City) -> None:
    async def test() -> None:
        async with planners(settings, city, gateway_planners=2) as pool:
            lat, lon = city.places["A"]
            with pytest.raises(NoRoute, match="there is no way of 20,000 m"):
                await pool.ask(Propose(RoutesBody("loop", lat, lon, length_m=20_000.0, propose=1)))
            assert len(children()) == 2

    run(test)
