"""A whole service to drill with, its broker on a small disk, walkers and Prometheus included."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import orjson

from streams.kafka.topics import ensure_topics
from streams.local.processes import LocalProcess, any_port, stop
from streams.local.prometheus import Target, start_prometheus, wait_for_prometheus, write_targets
from streams.local.services import PROJECT
from streams.settings import Settings
from streams.telemetry.prometheus import Prometheus
from streams.worker.warmup import warm_up
from tests.alerts.rule_files import shorten
from tests.alerts.small_disk import SmallDisk, small_disk
from tests.alerts.watching import Watch
from tests.broker.deployment import Worker
from tests.broker.drawn import City, draw
from tests.broker.gateways import Device, GatewayProcess
from tests.broker.own_process import OwnProcess, wait_for
from tests.faults.machine import Machine

FACTOR = 60  # windows of the rules are so many times shorter: an hour is a minute
DISK_MIB = 512
WALKERS = 4
PUBLISH_S = 0.1  # between two fixes of a walker
REPORT_S = 2.0  # between two versions of the feed's document
DOCUMENT = PROJECT / "data" / "feeds" / "wzdx" / "scenario4_detour_linestring_example.geojson"


class Feed(OwnProcess):
    """`flaneur feed --follow` on a document that its publisher changes all the time."""

    what = "feed"

    def __init__(self, settings: Settings, folder: Path, at: tuple[float, float]) -> None:
        super().__init__(settings, folder, "feed")
        self.document = folder / "works.geojson"
        self._at = at
        self.publish()

    def command(self) -> list[str]:
        flaneur, _ = super().command()
        lat, lon = self._at
        return [flaneur, "feed", "wzdx", str(self.document), "--follow", "--move-to", f"{lat},{lon}"]

    def is_ready(self) -> bool:
        return True

    def publish(self) -> None:
        """A new version of the document, as whoever publishes it would write."""
        raw = orjson.loads(DOCUMENT.read_bytes())
        for feature in raw["features"]:
            feature["properties"]["core_details"]["update_date"] = datetime.now(UTC).isoformat()
        aside = self.document.with_suffix(".part")
        aside.write_bytes(orjson.dumps(raw))
        aside.replace(self.document)


@dataclass(frozen=True)
class Case:
    """An alert that a cause must have set off; moments of the monotonic clock.

    `ended` is when what was broken was ready again, `over` when the alert ended (None: not looked at yet).
    """

    alert: str
    cause: str
    begun: float
    ended: float
    over: float | None


class Service:
    """All processes; what a drill stops, it starts again by these methods."""

    def __init__(self, folder: Path, machine: Machine, disk: SmallDisk, city: City) -> None:
        self.folder, self.machine, self.disk, self.city = folder, machine, disk, city
        self.settings = Settings(
            bootstrap=machine.bootstrap,
            redis_url=machine.redis_url,
            graph_dir=str(city.folder),
            data_dir=str(disk.at),
            group="drill",
            partitions=2,
            session_timeout_s=6.0,  # the least that the broker allows
            gateway_requests_per_s=1e6,
            gateway_token_s=86_400.0,
            gateway_ack_s=1.0,
        )
        self.worker = Worker(self.settings, folder, "worker-0")
        self.second = Worker(self.settings, folder, "worker-1")
        self.gateway = GatewayProcess(self.settings, folder)
        self.feed = Feed(self.settings, folder, city.places["F"])
        self.cases: list[Case] = []
        self.prometheus = Prometheus("")
        self.watch = Watch(self.prometheus)
        self._prometheus: LocalProcess | None = None
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> Self:
        self.machine.start_redis()
        self.machine.start_broker()
        ensure_topics(self.settings)
        self.worker.start().wait_ready()
        self.gateway.start().wait_ready()
        self.feed.start()
        devices = [Device(self.gateway) for _ in range(WALKERS)]
        walks = [(self._walk, device, number) for number, device in enumerate(devices)]
        for work, *arguments in [*walks, (self._publish,)]:
            thread = threading.Thread(target=work, args=arguments, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._start_prometheus()
        return self

    def stop(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()
        if self._prometheus is not None:
            self.watch.stop()
            stop(self._prometheus)
        for process in (self.feed, self.gateway, self.worker, self.second):
            if process.process is not None and process.process.poll() is None:
                process.process.send_signal(signal.SIGCONT)
                process.kill()
        self.machine.stop()

    def scrape(self, *workers: Worker) -> None:
        """Tell Prometheus which workers there are, and of the gateway."""
        write_targets(self.machine.folder, self._targets(*workers))

    def _targets(self, *workers: Worker) -> list[Target]:
        found = [Target("worker", one.settings.worker_id, one.settings.metrics_port) for one in workers]
        return [*found, Target("gateway", "gateway-0", self.gateway.settings.gateway_port)]

    def start_again(self) -> None:
        """Start what has ended, as whoever runs it would, and wait until all of it is ready."""
        for process in (self.worker, self.gateway, self.feed):
            if process.process is None or process.process.poll() is not None:
                process.start()
            process.wait_ready()

    def signal_worker(self, number: int) -> None:
        assert self.worker.process is not None
        os.kill(self.worker.process.pid, number)

    def _start_prometheus(self) -> None:
        rules = self.folder / "rules"
        shorten(rules, FACTOR)
        folder = self.machine.folder
        targets = self._targets(self.worker)
        self._prometheus = start_prometheus(folder, targets, port=any_port(), scrape_s=1, rules=rules)
        self.prometheus = Prometheus(wait_for_prometheus(self._prometheus, folder))
        seen = "flaneur:answers:rate1h > 0 and on () flaneur:conditions_old:bool"
        wait_for(lambda: bool(self.prometheus.now(seen)), 60, "Prometheus does not see all processes")
        self.watch = Watch(self.prometheus)
        self.watch.start()

    def _walk(self, device: Device, number: int) -> None:
        """Publish where one is, whatever is answered; back and forth on the middle street."""
        there = self.city.walk(device.id, "EFGH", noise_m=3.0, seed=number)
        way = there + there[::-1]
        turn = 0
        while not self._ending.wait(PUBLISH_S):
            at = way[turn % len(way)]
            try:
                device.ask("POST", "/v1/fixes", {"ts": time.time(), "lat": at.lat, "lon": at.lon})
            except OSError:
                pass  # no gateway at the moment
            turn += 1

    def _publish(self) -> None:
        while not self._ending.wait(REPORT_S):
            self.feed.publish()


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    """The service, running and watched."""
    city = draw(folder / "graph")
    warm_up(city.graph)  # no worker here should have to wait for the compiler
    machine = Machine(folder)
    with small_disk(folder, machine.folder.path / "kafka", DISK_MIB) as disk:
        one = Service(folder, machine, disk, city)
        try:
            yield one.start()
        finally:
            one.stop()
