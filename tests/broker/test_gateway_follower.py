"""A gateway's reader of a topic: it can be asked whether it has read all, while it reads."""

from __future__ import annotations

import asyncio

from confluent_kafka import Producer

from gateway.follower import Follower
from streams.kafka.topics import DEVICES
from streams.settings import Settings

WITHIN_S = 30.0


def test_it_catches_up_with_what_others_wrote(settings: Settings) -> None:
    async def test() -> None:
        came: list[bytes | None] = []
        follower = Follower(settings, DEVICES, lambda batch: came.extend(one.value for one in batch))
        await follower.start()
        producer = Producer({"bootstrap.servers": settings.bootstrap})
        for value in (b"{}", None):
            producer.produce(DEVICES, value, b"device")
            producer.flush()
            async with asyncio.timeout(WITHIN_S):
                await follower.catch_up()
            assert came[-1] == value
        assert len(came) == 2
        await follower.close()

    asyncio.run(test())
