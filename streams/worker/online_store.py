"""The online store: the newest features of every walker and cell in Redis, one packed value each.

Keys: `walker:<device>` (models.features.pack_features), `cell:<h3>`, `edge:<way/from/to>` and `crowd:` before
either (the EdgeCondition as JSON). Written behind the stream: a Redis that is away costs freshness, never a
fix.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping

import redis.asyncio
from redis.exceptions import RedisError

from models.records import CROWD_PREFIX
from streams.telemetry import metrics

log = logging.getLogger(__name__)

TTL_S = 24 * 3600
TIMEOUT_S = 2.0
_SLICE = 500
#: one command and one answer for a whole slice: on its own each costs the client 40 µs; no value: delete
_WRITE = """
for i, key in ipairs(KEYS) do
    local value = ARGV[i + 1]
    if value == '' then
        redis.call('DEL', key)
    else
        redis.call('SET', key, value, 'EX', ARGV[1])
    end
end
"""


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
        self._write = self._redis.register_script(_WRITE)
        self._waiting: dict[bytes, bytes | None] = {}
        self._down = False

    def put(self, values: Mapping[bytes, bytes] | Mapping[bytes, bytes | None]) -> None:
        """Values to write at the next flush, None to delete; a newer one replaces an older one."""
        self._waiting.update(values)

    async def flush(self) -> None:
        """Write what waits. What cannot be written is kept for the next time, and counted."""
        values, self._waiting = self._waiting, {}
        started, asked_at = time.perf_counter(), time.time()
        items = list(values.items())
        try:
            for start in range(0, len(items), _SLICE):
                keys, packed = zip(*items[start : start + _SLICE], strict=True)
                await self._write(keys, (TTL_S, *(value or b"" for value in packed)))
                await asyncio.sleep(0)
        except (RedisError, OSError) as error:
            metrics.ONLINE_STORE_ERRORS.inc()
            if not self._down:
                log.warning("the online store cannot be written, features wait: %s", error)
            self._down = True
            self._waiting = values | self._waiting
            metrics.ONLINE_STORE_WAITING.set(len(self._waiting))
            return
        self._down = False
        metrics.ONLINE_STORE_WAITING.set(0)
        metrics.ONLINE_STORE_SECONDS.observe(time.perf_counter() - started)
        metrics.ONLINE_STORE_TS.set(asked_at)
        for kind, count in Counter(key[: key.index(b":")] for key in values).items():
            metrics.ONLINE_STORE_KEYS.labels(kind.decode()).inc(count)

    async def close(self) -> None:
        await self._redis.aclose()
