"""The online store: the newest features of every walker and cell in Redis, one packed value each.

Keys: `walker:<device>` (models.features.pack_features), `cell:<h3>`, `edge:<way/from/to>` and `crowd:` before
either (the EdgeCondition as JSON). Written behind the stream: a Redis that is away costs freshness, never a
fix.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import redis.asyncio
from redis.exceptions import RedisError

from models.records import CROWD_PREFIX
from streams import metrics

log = logging.getLogger(__name__)

TTL_S = 24 * 3600
_SLICE = 500
TIMEOUT_S = 2.0


def walker_key(device: bytes) -> bytes:
    return b"walker:" + device


def condition_key(key: str) -> bytes:
    if key.startswith(CROWD_PREFIX):
        return key.encode()
    return (f"edge:{key}" if "/" in key else f"cell:{key}").encode()


class OnlineStore:
    """Writes many values at once; gathers those of one round in `put`, sends them in `flush`."""

    def __init__(self, url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._waiting: dict[bytes, bytes | None] = {}
        self._down = False

    def put(self, values: Mapping[bytes, bytes] | Mapping[bytes, bytes | None]) -> None:
        """Values to write at the next flush, None to delete; a newer one replaces an older one."""
        self._waiting.update(values)

    async def flush(self) -> None:
        """Write what waits. What cannot be written is kept for the next time, and counted."""
        values, self._waiting = self._waiting, {}
        items = list(values.items())
        try:
            for start in range(0, len(items), _SLICE):
                pipeline = self._redis.pipeline(transaction=False)
                for key, value in items[start : start + _SLICE]:
                    if value is None:
                        pipeline.delete(key)
                    else:
                        pipeline.set(key, value, ex=TTL_S)
                await pipeline.execute()
                await asyncio.sleep(0)
        except (RedisError, OSError) as error:
            metrics.ONLINE_STORE_ERRORS.inc()
            if not self._down:
                log.warning("the online store cannot be written, features wait: %s", error)
            self._down = True
            self._waiting = values | self._waiting
            return
        self._down = False
        for key in values:
            metrics.ONLINE_STORE_KEYS.labels(key.split(b":", 1)[0].decode()).inc()

    async def close(self) -> None:
        await self._redis.aclose()
