"""The same walks in two deployments, one disturbed and one left alone; and what must be equal in the end."""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from geo.errors import Unavailable
from models.records import DeadLetter, EdgeCondition, Fix, RouteRequest, RouteUpdate, decode, encode
from models.world.condition_places import cell_key
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import (
    DEAD_LETTERS,
    DEVICE_TOPICS,
    EDGE_CONDITIONS,
    GPS_FIXES,
    ROUTE_REQUESTS,
    ROUTE_UPDATES,
    WALKERS_TABLE,
    ensure_topics,
)
from streams.settings import Settings
from streams.worker.checkpoints import read_checkpoint
from tests.broker.deployment import Phone, Worker, stored_walkers, wait_for
from tests.broker.drawn import T0, City

SESSION_S = 6.0  # the least that the broker allows
PATIENCE_S = 120.0
WALKERS = 10  # of each leg
BURSTS = 8
HOUR_S = 3600.0
# asked for → walked: some follow their route, some leave it, some come near its end
WALKS = [
    ("E", "H", "EFGH"),
    ("A", "D", "ABFJK"),
    ("I", "L", "IJFBC"),
    ("D", "A", "DCGKJ"),
    ("L", "E", "LKGFE"),
]


class Violation(AssertionError):
    """An invariant that does not hold."""


class InjectedWorker(Worker):
    """A worker in which faults can be armed; see `tests.faults.injected_worker`."""

    def __init__(self, settings: Settings, folder: Path, worker_id: str, mutant: str | None = None) -> None:
        super().__init__(settings, folder, worker_id)
        self.arms = folder / f"{worker_id}.arms"
        self.arms.mkdir(exist_ok=True)
        self.mutant = mutant

    def command(self) -> list[str]:
        mutants = [self.mutant] if self.mutant else []
        return [sys.executable, "-m", "tests.faults.injected_worker", str(self.arms), *mutants]

    def arm(self, stage: str, action: str = "kill", call: int = 1) -> None:
        (self.arms / f"{stage}.struck").unlink(missing_ok=True)
        aside = self.arms / "aside"
        aside.write_text(f"{action} {call}")
        aside.rename(self.arms / stage)

    def accept_loss(self) -> None:
        self.settings = replace(self.settings, accept_loss=True)

    def disarm(self) -> None:
        for arm in self.arms.iterdir():
            arm.unlink()

    def wait_struck(self, stage: str, within_s: float = PATIENCE_S) -> float:
        """Wait until the fault has happened; returns when that was noticed."""
        there = self.arms / f"{stage}.struck"
        wait_for(there.exists, within_s, lambda: f"{stage} was never reached:\n{self.tail()}")
        return time.monotonic()

    def wait_killed(self, stage: str, within_s: float = PATIENCE_S) -> float:
        at = self.wait_struck(stage, within_s)
        assert self.process is not None
        assert self.process.wait(10) == -signal.SIGKILL
        return at

    def stop(self) -> int:
        """SIGTERM, for good: it is not started again."""
        code = super().stop()
        self.process = None
        return code

    def leave(self) -> None:
        """Kill it for good, whatever it is doing."""
        if self.process is not None:
            self.kill()
            self.process = None

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)


@dataclass
class Deployment:
    """Workers of one group on one broker, and what was sent to them."""

    settings: Settings
    folder: Path
    workers: dict[str, InjectedWorker] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)  # fixes by device, acknowledged by the broker

    def prepare(self, city: City) -> None:
        """Create the topics, and let the workers' clock start in the morning: no dusk falls in between."""
        ensure_topics(self.settings)
        morning = EdgeCondition(key=cell_key(int(city.graph.cell_h3[0])), ts=T0, version=0, expires=T0)
        Phone(self.settings).send(EDGE_CONDITIONS, morning.key, morning)

    def worker(self, name: str = "one", mutant: str | None = None) -> InjectedWorker:
        if name not in self.workers:
            self.workers[name] = InjectedWorker(self.settings, self.folder, name, mutant)
        return self.workers[name]

    def start_again(self) -> None:
        """Start every worker that has ended, as whoever runs them would."""
        for worker in self.workers.values():
            if worker.process is not None and worker.ended:
                worker.start()

    def ask(self, requests: list[RouteRequest]) -> None:
        phone = Phone(self.settings)
        for request in requests:
            phone.queue(ROUTE_REQUESTS, request.device, encode(request))
        phone.flush()

    def walk(self, fixes: list[Fix], seconds: float) -> None:
        """Publish in bursts, in an order that is the same everywhere."""
        phone = Phone(self.settings)
        size = -(-len(fixes) // BURSTS)
        for start in range(0, len(fixes), size):
            for fix in fixes[start : start + size]:
                phone.queue(GPS_FIXES, fix.device, encode(fix))
            phone.flush(2 * PATIENCE_S)
            self.sent.update(fix.device for fix in fixes[start : start + size])
            time.sleep(seconds / BURSTS)

    def updates(self, prefix: str) -> list[RouteUpdate]:
        """All updates of these devices in the order in which they were sent, repeated ones included."""
        with TopicReader(self.settings) as reader:
            return [
                decode(RouteUpdate, message.value)
                for message in reader.messages(ROUTE_UPDATES)
                if message.value is not None and (message.key or b"").startswith(prefix.encode())
            ]

    def letters(self) -> list[DeadLetter]:
        with TopicReader(self.settings) as reader:
            return [decode(DeadLetter, m.value) for m in reader.messages(DEAD_LETTERS) if m.value]

    def waiting(self) -> int:
        """Messages that no checkpoint contains."""
        waiting = 0
        with TopicReader(self.settings) as reader:
            for partition in range(self.settings.partitions):
                offsets = read_checkpoint(self.settings, WALKERS_TABLE, partition).offsets or {}
                for topic in DEVICE_TOPICS:
                    waiting += reader.bounds(topic, partition)[1] - offsets.get(topic, 0)
        return waiting

    def wait_contained(self, within_s: float) -> None:
        """Wait until checkpoints contain everything that was sent; workers that end are started again."""

        def contained() -> bool:
            self.start_again()
            try:
                return self.waiting() <= 0
            except (KafkaException, Unavailable):
                return False

        give_up = time.monotonic() + within_s
        while not contained():
            if time.monotonic() > give_up:
                tails = "\n".join(worker.tail(15) for worker in self.workers.values())
                raise Violation(
                    f"{self.waiting()} messages are in no checkpoint after {within_s:.0f} s:\n{tails}"
                )
            time.sleep(0.2)

    def stop(self) -> None:
        for worker in self.workers.values():
            if not worker.ended:
                worker.signal(signal.SIGCONT)
                worker.stop()


@dataclass
class Leg:
    """Some walkers' requests and fixes."""

    prefix: str
    requests: list[RouteRequest]
    fixes: list[Fix]


def make_leg(city: City, number: int) -> Leg:
    """Walks with noise; fixes come late, twice, out of order, and two phones' clocks are an hour off."""
    prefix = f"leg{number:03d}-"
    requests: list[RouteRequest] = []
    fixes: list[tuple[float, Fix]] = []
    for k in range(WALKERS):
        start, end, way = WALKS[k % len(WALKS)]
        device = f"{prefix}{k:02d}"
        off_s = {3: HOUR_S, 4: -HOUR_S}.get(k, 0.0)
        (lat, lon), (dest_lat, dest_lon) = city.places[start], city.places[end]
        requests.append(
            RouteRequest(
                device=device, request=f"r{k}", ts=T0 + off_s, kind="to", lat=lat, lon=lon,
                dest_lat=dest_lat, dest_lon=dest_lon,
            )
        )  # fmt: skip
        walk = city.walk(device, way, noise_m=4.0, seed=k)
        walk += walk[10::50]  # sent again
        fixes += [(fix.ts, replace_ts(fix, fix.ts + off_s)) for fix in walk]
    fixes.sort(key=lambda pair: (pair[0], pair[1].device))
    ordered = [fix for _, fix in fixes]
    shuffled = random.Random(number)
    for i in range(0, len(ordered) - 40, 97):
        j = i + shuffled.randrange(1, 30)
        ordered[i], ordered[j] = ordered[j], ordered[i]
    return Leg(prefix, requests, ordered)


def replace_ts(fix: Fix, ts: float) -> Fix:
    return Fix(device=fix.device, ts=ts, lat=fix.lat, lon=fix.lon, accuracy_m=fix.accuracy_m)


class Day:
    """Legs of walks, each sent to both deployments; what came of each is compared when it is over."""

    def __init__(self, city: City, disturbed: Deployment, quiet: Deployment) -> None:
        self.city, self.disturbed, self.quiet = city, disturbed, quiet
        self.number = 0
        self.leg = Leg("", [], [])
        self.patience_s = PATIENCE_S
        self._walking: list[threading.Thread] = []

    def begin(self) -> None:
        """Ask for the next leg's routes, and wait until there are answers."""
        self.ask()
        self.wait_told("requested")

    def ask(self) -> None:
        self.number += 1
        self.leg = make_leg(self.city, self.number)
        for deployment in (self.disturbed, self.quiet):
            deployment.ask(self.leg.requests)

    def wait_told(self, reason: str) -> None:
        """Wait until the same walkers have an update for that reason in both deployments, and some have."""

        def told(one: Deployment) -> set[str]:
            return {update.device for update in one.updates(self.leg.prefix) if update.reason == reason}

        def all_told() -> bool:
            wanted = told(self.quiet)
            enough = len(wanted) == len(self.leg.requests) if reason == "requested" else bool(wanted)
            return enough and told(self.disturbed) >= wanted

        give_up = time.monotonic() + self.patience_s
        while not all_told():
            if time.monotonic() > give_up:
                missing = told(self.quiet) - told(self.disturbed)
                tail = self.disturbed.worker().tail()
                raise Violation(f"nobody told {', '.join(missing) or 'anyone'}: {reason}\n{tail}")
            time.sleep(0.1)

    def restart(self) -> None:
        """Start the workers that were killed; what they had committed must be in checkpoints."""
        if found := list(self._commits()):
            raise Violation("\n".join(found))
        self.disturbed.start_again()

    def walk(self, seconds: float = 1.0) -> None:
        """Begin to send the fixes of the leg to both; `verify` waits for the end."""
        for deployment in (self.disturbed, self.quiet):
            thread = threading.Thread(target=deployment.walk, args=(self.leg.fixes, seconds))
            thread.start()
            self._walking.append(thread)

    def stop(self) -> None:
        self.disturbed.stop()
        self.quiet.stop()

    def join(self) -> None:
        while self._walking:
            self._walking.pop().join()

    def verify(self) -> None:
        """Every invariant, once everything is in checkpoints; raises Violation."""
        self.join()
        self.disturbed.wait_contained(self.patience_s)
        self.quiet.wait_contained(PATIENCE_S)
        found = [*self._counts(), *self._commits(), *self._updates(), *self._state()]
        found += [f"a dead letter: {letter.reason}" for letter in self.disturbed.letters()]
        if found:
            raise Violation("\n".join(found[:20]))

    def _counts(self) -> Iterator[str]:
        walkers = stored_walkers(self.disturbed.settings, self.city.checksum)
        for device, sent in self.disturbed.sent.items():
            state = walkers.get(device)
            counted = 0 if state is None else state["fixes"] + state["late"] + state["duplicates"]
            if counted != sent:
                yield f"{device}: {sent} fixes were acknowledged, its state counts {counted}"

    def _commits(self) -> Iterator[str]:
        settings = self.disturbed.settings
        for partition in range(settings.partitions):
            flaw = read_checkpoint(settings, WALKERS_TABLE, partition, DEVICE_TOPICS).flaw()
            if flaw is not None:
                yield f"the checkpoint of partition {partition}: {flaw}"

    def _updates(self) -> Iterator[str]:
        seen: dict[tuple[str, str, int], RouteUpdate] = {}
        newest: dict[tuple[str, str], int] = {}
        for update in self.disturbed.updates(self.leg.prefix):
            key = (update.device, update.trip, update.version)
            if seen.setdefault(key, update) != update:
                yield f"{key}: one id, two contents"
            elif seen[key] is update:
                if update.version <= newest.get(key[:2], 0):
                    yield f"{key} comes after version {newest[key[:2]]}"
                newest[key[:2]] = update.version
        wanted = {(u.device, u.trip, u.version): u for u in self.quiet.updates(self.leg.prefix)}
        for key in wanted.keys() | seen.keys():
            if key not in seen:
                yield f"{key} ({wanted[key].reason}) is missing"
            elif key not in wanted:
                yield f"{key} ({seen[key].reason}) is one too many"
            elif wanted[key] != seen[key]:
                yield f"{key} differs from the quiet run's"

    def _state(self) -> Iterator[str]:
        there, here = (
            stored_walkers(deployment.settings, self.city.checksum)
            for deployment in (self.quiet, self.disturbed)
        )
        for device in (request.device for request in self.leg.requests):
            yield from differences(device, there.get(device, {}), here.get(device, {}))


def differences(device: str, wanted: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    """Which parts of a walker's state differ."""
    for part in wanted.keys() | found.keys():
        a, b = wanted.get(part), found.get(part)
        if part != "trip":
            if a != b:
                yield f"{device}: the state's {part} differ"
            continue
        if a is None or b is None:
            yield f"{device} is in one of the two only"
            continue
        for name in a.dtype.names:
            if repr(a[name].tolist()) != repr(b[name].tolist()):
                yield f"{device}: the trip's {name} is {b[name]}, in the quiet run {a[name]}"


def deployment(bootstrap: str, redis_url: str, city: City, folder: Path, partitions: int) -> Deployment:
    """One with fresh topics; its group's name is in the changelogs'."""
    folder.mkdir(parents=True)
    settings = Settings(
        bootstrap=bootstrap,
        redis_url=redis_url,
        group=f"faults-{random.randrange(1 << 32):08x}",
        partitions=partitions,
        graph_dir=str(city.folder),
        session_timeout_s=SESSION_S,
        # nothing is told of crowds: when the world changes by them depends on the clock
        observe_s=3_600.0,
    )
    made = Deployment(settings, folder)
    made.prepare(city)
    return made
