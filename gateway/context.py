"""What the handlers of one gateway process share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.devices import Devices
from gateway.limits import Limits
from gateway.producer import Producer
from gateway.tokens import Tokens
from gateway.trips import Trips
from streams.settings import Settings


@dataclass(frozen=True)
class Gateway:
    """One process: nothing in it that cannot be made again from the topics."""

    settings: Settings
    producer: Producer
    devices: Devices
    tokens: Tokens
    limits: Limits
    trips: Trips
    open: set[Callable[[], None]] = field(default_factory=set)  # what ends each connection that stays open


GATEWAY = web.AppKey("gateway", Gateway)


def gateway_of(request: web.Request) -> Gateway:
    """The process that answers this request."""
    return request.app[GATEWAY]
