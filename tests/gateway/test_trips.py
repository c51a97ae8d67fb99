"""Which trips a gateway knows, what a follower missed, and when it forgets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson
import pytest

from gateway.trips import ENDED_KEPT_S, UPDATES_KEPT, Event, Trips
from streams.kafka.topic_reader import Message, partition_of
from streams.settings import Settings

PARTITIONS = 4
NOW = 1_800_000_000.0


def message(device: str, trip: str, version: int, offset: int, reason: str = "off_route") -> Message:
    record = {"device": device, "trip": trip, "version": version, "reason": reason, "ts": NOW}
    return Message(0, offset, NOW, device.encode(), orjson.dumps(record))


def with_trips(work: Callable[[Trips], Awaitable[None]]) -> None:
    """Trips of a process that has read nothing: no broker is asked before `start`."""

    async def run() -> None:
        await work(Trips(Settings(partitions=PARTITIONS)))

    asyncio.run(run())


def trip_of(device: str, offset: int = 1) -> str:
    return f"{partition_of(device.encode(), PARTITIONS)}-{offset}"


def test_repeated_updates_are_told_once_and_only_to_whom_they_are_for() -> None:
    async def work(trips: Trips) -> None:
        anna: list[Event | None] = []
        otto: list[Event | None] = []
        trips.listen("anna", anna.append)
        trips.listen("otto", otto.append)
        trip = trip_of("anna")
        trips.take([message("anna", trip, 1, 10, "requested"), message("anna", trip, 1, 11, "requested")])
        trips.take([message("anna", trip, 7, 12), message("anna", trip, 3, 13)])
        assert [event.version for event in anna if event] == [1, 7]
        assert otto == []
        assert trips.find("otto", trip) is None
        assert await trips.wait_for("otto", trip, 60.0) is None  # at once: it is known to be anna's
        current = trips.current("anna")
        assert current is not None
        assert current.last.id == "0-12"

    with_trips(work)


def test_what_was_missed_is_told_or_that_it_is_not_known() -> None:
    async def work(trips: Trips) -> None:
        trip = trip_of("anna")
        trips.take([message("anna", trip, n, 100 + n) for n in range(1, 6)])
        missed = trips.missed("anna", "0-103")
        assert missed is not None
        assert [event.offset for event in missed] == [104, 105]
        assert trips.missed("anna", "0-105") == []
        for unknown in ("0-99", "1-103", "none", "", "0-", "-1"):
            assert trips.missed("anna", unknown) is None
        assert trips.missed("otto", "0-103") is None
        trips.take([message("anna", trip, n, 100 + n) for n in range(6, UPDATES_KEPT + 20)])
        assert trips.missed("anna", "0-103") is None  # it is no longer kept: the state must be told

    with_trips(work)


def test_trips_that_ended_or_fell_silent_are_forgotten() -> None:
    async def work(trips: Trips) -> None:
        ended, silent = trip_of("anna"), trip_of("otto", 2)
        trips.take([message("anna", ended, 1, 1), message("anna", ended, 2, 2, "arrived")])
        trips.take([message("otto", silent, 1, 3)])
        assert trips.current("anna") is None
        assert trips.find("anna", ended) is not None
        trips.sweep(NOW + ENDED_KEPT_S + 1)
        assert trips.find("anna", ended) is None
        assert trips.find("otto", silent) is not None
        trips.sweep(NOW + Settings().gateway_history_s + 1)
        assert len(trips) == 0

    with_trips(work)


def test_the_erased_are_told_and_forgotten() -> None:
    async def work(trips: Trips) -> None:
        told: list[Event | None] = []
        trips.listen("anna", told.append)
        trips.take([message("anna", trip_of("anna"), 1, 1)])
        trips.forget("anna")
        assert told[-1] is None
        assert trips.find("anna", trip_of("anna")) is None
        assert trips.missed("anna", "0-1") is None

    with_trips(work)


def test_a_trip_that_can_be_nobody_elses_is_waited_for() -> None:
    async def work(trips: Trips) -> None:
        trip = trip_of("anna", 9)
        waiting = asyncio.create_task(trips.wait_for("anna", trip, 60.0))
        await asyncio.sleep(0)
        trips.take([message("anna", trip, 1, 1, "requested")])
        found = await waiting
        assert found is not None
        assert found.whole
        other = (partition_of(b"anna", PARTITIONS) + 1) % PARTITIONS
        assert await trips.wait_for("anna", f"{other}-9", 60.0) is None

    with_trips(work)


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"device":"a"}', b"\xff"])
def test_what_no_worker_writes_is_passed_over(value: bytes) -> None:
    async def work(trips: Trips) -> None:
        trips.take([Message(0, 1, NOW, b"a", value)])
        assert len(trips) == 0

    with_trips(work)
