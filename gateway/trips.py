"""The trips under way, as route-updates tells of them, and who follows them.

Every gateway reads the topic as far back as a trip may last, so a fresh one knows the trips as well as any
other. Nothing here is kept anywhere else. Memory is bounded: so many updates a trip, so many trips, and trips
that ended a while ago are forgotten.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from gateway import metrics
from gateway.follower import Follower
from streams.kafka.topic_reader import Message, partition_of
from streams.kafka.topics import ROUTE_UPDATES
from streams.settings import Settings

MOST_TRIPS = 200_000
UPDATES_KEPT = 64  # of a trip
ENDED_KEPT_S = 900.0
SWEEP_S = 30.0
LIVE_S = 60.0  # older updates are history that is read at the start
END_REASONS = frozenset({"arrived", "ended", "expired"})


class _Head(msgspec.Struct):
    """What must be known of an update to hand it on; the rest stays bytes."""

    device: str
    trip: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """One update: its id (where it lies in the topic), and the record as it is on the wire."""

    partition: int
    offset: int
    trip: str
    version: int
    reason: str
    at_s: float  # broker's time
    record: bytes
    context: str | None = None  # the context of the trace that led to it

    @property
    def id(self) -> str:
        return f"{self.partition}-{self.offset}"

    @property
    def ended(self) -> bool:
        """Whether it is the trip's last."""
        return self.reason in END_REASONS


@dataclass(slots=True)
class Trip:
    """One trip: its newest updates, the last one last."""

    device: str
    trip: str
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=UPDATES_KEPT))
    whole: bool = True  # whether the first update is among them

    @property
    def last(self) -> Event:
        return self.events[-1]

    @property
    def ended(self) -> bool:
        return self.last.ended


#: Told of an update, or (None) that the device was erased; it must return at once.
Listener = Callable[[Event | None], None]


class Trips:
    """All trips that this process knows."""

    def __init__(self, settings: Settings) -> None:
        self._partitions = settings.partitions
        self._history_s = settings.gateway_history_s
        self._trips: OrderedDict[str, Trip] = OrderedDict()  # the last to change comes last
        self._of_device: dict[str, list[str]] = {}  # trips of a device, the newest last
        self._listeners: dict[str, set[Listener]] = {}
        self._watchers: set[Callable[[str, Event], None]] = set()
        self._follower = Follower(settings, ROUTE_UPDATES, self.take, since_s=settings.gateway_history_s)
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when what lies in the topic was read; raises Unavailable."""
        await self._follower.start()
        self._sweeping = asyncio.create_task(self._sweep_on())

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._follower.close()

    def __len__(self) -> int:
        return len(self._trips)

    # ---- what there is

    def find(self, device: str, trip: str) -> Trip | None:
        """A trip of that device."""
        found = self._trips.get(trip)
        return found if found is not None and found.device == device else None

    async def wait_for(self, device: str, trip: str, within_s: float) -> Trip | None:
        """A trip of that device, which may just have been asked for; None if it does not begin."""
        if trip in self._trips or not self._can_be(device, trip):
            return self.find(device, trip)
        give_up = asyncio.get_running_loop().time() + within_s
        while (found := self.find(device, trip)) is None:
            arrived = asyncio.Event()
            listener = _setting(arrived)
            self.listen(device, listener)
            try:
                async with asyncio.timeout_at(give_up):
                    await arrived.wait()
            except TimeoutError:
                return None
            finally:
                self.unlisten(device, listener)
        return found

    def current(self, device: str) -> Trip | None:
        """The device's trip that is under way."""
        for trip in reversed(self._of_device.get(device, [])):
            found = self._trips[trip]
            return None if found.ended else found
        return None

    def under_way(self) -> Iterator[Trip]:
        """All trips that have not ended."""
        return (trip for trip in self._trips.values() if not trip.ended)

    def missed(self, device: str, last_id: str, trip: str | None = None) -> list[Event] | None:
        """What came for a device (on one trip) after the event with that id; None if it is not known."""
        partition, _, offset = last_id.partition("-")
        if not (partition.isdecimal() and offset.isdecimal()):
            return None
        found: list[Event] = []
        complete = False
        for name in self._of_device.get(device, []):
            if trip in (None, name):
                events = self._trips[name].events
                complete = complete or any(event.id == last_id for event in events)
                found += [event for event in events if event.offset > int(offset)]
        return found if complete else None

    # ---- who follows

    def listen(self, device: str, listener: Listener) -> None:
        """Tell a listener of every update for a device."""
        self._listeners.setdefault(device, set()).add(listener)

    def unlisten(self, device: str, listener: Listener) -> None:
        listeners = self._listeners.get(device)
        if listeners is not None:
            listeners.discard(listener)
            if not listeners:
                del self._listeners[device]

    def watch(self, watcher: Callable[[str, Event], None]) -> None:
        """Tell a watcher of every update for anybody."""
        self._watchers.add(watcher)

    def unwatch(self, watcher: Callable[[str, Event], None]) -> None:
        self._watchers.discard(watcher)

    # ---- what comes

    def take(self, messages: Sequence[Message]) -> None:
        """Take updates from the topic in, and hand on those that are new."""
        now = time.time()
        for message in messages:
            if message.value is None:
                continue
            try:
                head = _head.decode(message.value)
            except msgspec.DecodeError:
                continue  # nothing that a worker writes
            event = Event(
                message.partition, message.offset, head.trip, head.version, head.reason, message.at_s,
                message.value, message.context,
            )  # fmt: skip
            if self._keep(head.device, event):
                metrics.UPDATES.inc()
                if now - message.at_s < LIVE_S:
                    metrics.UPDATE_AGE.observe(max(0.0, now - message.at_s))
                for listener in tuple(self._listeners.get(head.device, ())):
                    listener(event)
                for watcher in tuple(self._watchers):
                    watcher(head.device, event)

    def forget(self, device: str) -> None:
        """Nothing is known of a device any more."""
        for trip in self._of_device.pop(device, []):
            del self._trips[trip]
        for listener in tuple(self._listeners.get(device, ())):
            listener(None)

    def _keep(self, device: str, event: Event) -> bool:
        """Whether the update is new."""
        trip = self._trips.get(event.trip)
        if trip is None:
            trip = self._trips[event.trip] = Trip(device, event.trip, whole=event.reason == "requested")
            self._of_device.setdefault(device, []).append(event.trip)
            if len(self._trips) > MOST_TRIPS:
                self._drop(next(iter(self._trips)))
        elif event.version <= trip.last.version:
            return False
        if len(trip.events) == UPDATES_KEPT:
            trip.whole = False
        trip.events.append(event)
        self._trips.move_to_end(event.trip)
        return True

    def _drop(self, trip: str) -> None:
        device = self._trips.pop(trip).device
        left = self._of_device[device]
        left.remove(trip)
        if not left:
            del self._of_device[device]

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep(time.time())

    def sweep(self, now: float) -> None:
        """Forget trips that ended a while ago, or of which nothing was heard for too long."""
        for name, trip in list(self._trips.items()):
            age_s = now - trip.last.at_s
            if age_s > self._history_s or (trip.ended and age_s > ENDED_KEPT_S):
                self._drop(name)

    def _can_be(self, device: str, trip: str) -> bool:
        """Whether a trip of that id can be this device's at all: it begins with the device's partition."""
        partition = trip.partition("-")[0]
        return partition == str(partition_of(device.encode(), self._partitions))


def _setting(event: asyncio.Event) -> Listener:
    return lambda _: event.set()


_head = msgspec.json.Decoder(_Head)
