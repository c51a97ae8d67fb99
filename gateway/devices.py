"""Which devices there are, and the hashes of their keys: a compacted topic that every gateway reads whole.

A device's key (the device's id, a dot, 256 random bits: so a plain hash cannot be reversed) is long-lived and
can be revoked; it is shown once and only its hash is kept. A tombstone erases the device.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable, Sequence

import msgspec

from gateway.follower import Follower
from gateway.producer import Producer
from streams.kafka.topic_reader import Message
from streams.kafka.topics import DEVICES
from streams.settings import Settings

log = logging.getLogger(__name__)

ID_BYTES = 12
KEY_BYTES = 32
CATCH_UP_S = 2.0


class DeviceRecord(msgspec.Struct, frozen=True):
    """What the topic holds of a device."""

    device: str
    created_ts: float
    key_hash: str | None = None  # hexadecimal SHA-256; None: revoked


class Devices:
    """The registry as one process sees it."""

    def __init__(self, settings: Settings, producer: Producer, erased: Callable[[str], None]) -> None:
        """erased: told of every device that is erased, here or at another gateway."""
        self._erased = erased
        self._producer = producer
        self._known: dict[str, bytes] = {}  # device → hash of its key, empty where it was revoked
        self._follower = Follower(settings, DEVICES, self._take)

    async def start(self) -> None:
        """Return when all devices are known; raises Unavailable."""
        await self._follower.start()

    async def close(self) -> None:
        await self._follower.close()

    def __len__(self) -> int:
        return len(self._known)

    async def register(self) -> tuple[str, str]:
        """A new device and its key, once Kafka has it; raises Unavailable."""
        device = secrets.token_urlsafe(ID_BYTES)
        return device, await self.new_key(device)

    async def new_key(self, device: str) -> str:
        """Another key for a device; the one before is no longer good."""
        key = f"{device}.{secrets.token_urlsafe(KEY_BYTES)}"
        await self._store(device, _hash(key))
        return key

    async def revoke_key(self, device: str) -> None:
        """The device's key is no longer good."""
        await self._store(device, b"")

    async def erase(self, device: str) -> None:
        """The device is gone, with its tokens."""
        await self._producer.send(DEVICES, device.encode(), None)
        self._known.pop(device, None)
        self._erased(device)

    async def exists(self, device: str) -> bool:
        """Whether that device is registered: perhaps a moment ago, at another gateway."""
        if device not in self._known:
            await self._catch_up()
        return device in self._known

    async def has_key(self, device: str, key: str) -> bool:
        """Whether that is the device's key."""
        if not await self.exists(device):
            return False
        return hmac.compare_digest(self._known.get(device, b""), _hash(key))

    async def _store(self, device: str, key_hash: bytes) -> None:
        record = DeviceRecord(device, time.time(), key_hash.hex() or None)
        await self._producer.send(DEVICES, device.encode(), msgspec.json.encode(record))
        self._known[device] = key_hash

    async def _catch_up(self) -> None:
        try:
            await asyncio.wait_for(self._follower.catch_up(), CATCH_UP_S)
        except TimeoutError:
            log.warning("devices cannot be read at the moment")

    def _take(self, messages: Sequence[Message]) -> None:
        for message in messages:
            device = (message.key or b"").decode(errors="replace")
            if message.value is None:
                self._known.pop(device, None)
                self._erased(device)
                continue
            try:
                record = msgspec.json.decode(message.value, type=DeviceRecord)
                self._known[device] = bytes.fromhex(record.key_hash or "")
            except (msgspec.DecodeError, ValueError) as error:
                log.warning("a device's record cannot be read: %s", error)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
