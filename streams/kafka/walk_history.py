"""Reads back from the topics what happened to one walker: fixes, route updates and the closures of the time.

Only the partitions that a device's key leads to are read, each from its beginning to where it ends now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from geo.errors import BadInput, BadRecord
from models.records import EdgeCondition, Fix, RouteUpdate, decode, decode_fixes
from streams.kafka.topic_reader import Message, TopicReader
from streams.kafka.topics import EDGE_CONDITIONS, GPS_FIXES, ROUTE_UPDATES
from streams.settings import Settings

R = TypeVar("R")


@dataclass(frozen=True)
class WalkHistory:
    """What the topics still hold of one device."""

    device: str
    fixes: tuple[Fix, ...]  # by event time, each once
    updates: tuple[RouteUpdate, ...]  # as they came, repeated ones included
    closures: tuple[EdgeCondition, ...]  # everywhere, as they came


def read_history(settings: Settings, device: str) -> WalkHistory:
    """The history of `device`.

    Raises BadInput where no route update tells of it, Unavailable where the broker or a topic is not there.
    What cannot be decoded is left out: it is in dead-letters.
    """
    key = device.encode()
    with TopicReader(settings) as topics:
        updates = []
        for message in topics.messages(ROUTE_UPDATES, key):
            if message.key == key:
                updates += _readable(RouteUpdate, message)
        if not updates:
            raise BadInput(
                f"{ROUTE_UPDATES} at {settings.bootstrap} holds nothing of device {device!r}: is the name"
                " right, and did the device ask for a route?"
            )
        fixes: dict[float, Fix] = {}
        for message in topics.messages(GPS_FIXES, key):
            if message.key == key and message.value is not None:
                for fix in decode_fixes(message.value)[0]:
                    if fix.device == device:
                        fixes.setdefault(fix.ts, fix)
        closures = [
            condition
            for message in topics.messages(EDGE_CONDITIONS)
            for condition in _readable(EdgeCondition, message)
            if condition.closed
        ]
    ordered = tuple(fixes[ts] for ts in sorted(fixes))
    return WalkHistory(device, ordered, tuple(updates), tuple(closures))


def _readable(kind: type[R], message: Message) -> list[R]:
    if message.value is None:
        return []
    try:
        return [decode(kind, message.value)]
    except BadRecord:
        return []
