"""Brings up what one machine needs, from the broker to Prometheus, and takes it down again."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace

import psutil

from cli.bundled_graph import ensure_graph
from geo.errors import Unavailable
from streams.kafka.topics import WALKERS_TABLE, ensure_topics
from streams.local.processes import (
    LocalProcess,
    RunFolder,
    RunState,
    choose_port,
    is_running,
    last_lines,
    spawn,
    stop,
)
from streams.local.prometheus import Target, start_prometheus, wait_for_prometheus
from streams.local.services import (
    broker_answers,
    redis_answers,
    run_folder,
    start_broker,
    start_redis,
    wait_for_broker,
    wait_for_redis,
)
from streams.local.tools import find_prometheus
from streams.settings import Settings
from streams.telemetry.scrape import scrape

METRICS_PORT = 9464
GATEWAY_PORT = 8080
GATEWAY = "gateway"
PROMETHEUS = "prometheus"
WATCHER = "up"  # the process that started the others
# the first worker on a machine compiles every kernel before it asks for partitions
WORKER_WITHIN_S = 300.0
GATEWAY_WITHIN_S = 60.0
# a worker that is in doubt about its state ends, to be started again by whoever watches over it: here by us
RESTARTS = 10

Say = Callable[[str], None]


def addresses_here() -> dict[str, str]:
    """BOOTSTRAP, REDIS_URL and METRICS_PORT of what runs in this run folder; empty if nothing does."""
    folder = run_folder()
    if not folder.state_file.is_file():
        return {}
    state = folder.load()
    found = {}
    if state.bootstrap and state.find("kafka"):
        found["BOOTSTRAP"] = state.bootstrap
    if state.redis_url and state.find("redis") and not os.environ.get("REDIS_URL_FILE"):
        found["REDIS_URL"] = state.redis_url
    if (worker := state.find("worker-0")) and worker.port:
        found["METRICS_PORT"] = str(worker.port)
    return found


def given_redis(settings: Settings) -> str | None:
    """The URL of a Redis that somebody has, by REDIS_URL or REDIS_URL_FILE; None where nobody named one."""
    named = os.environ.get("REDIS_URL") or os.environ.get("REDIS_URL_FILE")
    return settings.redis_url if named else None


def this_process() -> LocalProcess:
    """The running command itself, for `flaneur down` to find."""
    return LocalProcess(WATCHER, os.getpid(), " ".join(psutil.Process().cmdline()), os.getcwd())


@dataclass(frozen=True)
class Wanted:
    """What to start; a port of None is the usual one or the next that is free, `keep` keeps earlier data."""

    kafka_port: int | None = None
    redis_port: int | None = None
    workers: int = 1
    keep: bool = False
    gateway_port: int | None = None
    prometheus_port: int | None = None


class Stack:
    """Everything that one run started, in order; each is written down before anything waits for it."""

    def __init__(self, folder: RunFolder, wanted: Wanted, say: Say) -> None:
        self.folder = folder
        self.wanted = wanted
        self.say = say
        settings = Settings.from_env()
        # the logs lie in files, and who reads those is a person
        log_format = "text" if settings.log_format == "auto" else settings.log_format
        self.settings = replace(
            settings,
            graph_dir=_graph_dir(folder),
            data_dir=settings.data_dir or str(folder.path),
            log_format=log_format,
        )
        self.state = RunState()
        self._restarts = 0

    def start(self) -> Settings:
        """Start all of it and wait until the workers own every partition; the settings they run with."""
        left_over = self.folder.load()
        if left_over.running():
            self.say("stopping what an earlier run left behind")
            stop_all(self.folder, left_over, self.say)
        self._started(this_process())
        self._start_services()
        created = ensure_topics(self.settings)
        self.say(f"topics: {len(created)} created" if created else "topics: all there")
        if _is_bundled(self.settings, self.folder):
            ensure_graph(self.folder, self.say)
        gateway = self._start_gateway()
        self._start_workers()
        self._wait_for_gateway(gateway)
        self._start_prometheus()
        return self.settings

    def stop(self) -> None:
        """Stop what was started, the last one first: workers checkpoint into a broker that is still there."""
        stop_all(self.folder, self.state, self.say)

    def workers(self) -> list[LocalProcess]:
        """The workers of this run, alive or not."""
        return [process for process in self.state.processes if process.name.startswith("worker-")]

    def gateway(self) -> LocalProcess | None:
        """The gateway of this run, alive or not."""
        return next((process for process in self.state.processes if process.name == GATEWAY), None)

    def prometheus(self) -> LocalProcess | None:
        """The Prometheus of this run, alive or not; None where it is not installed."""
        return next((process for process in self.state.processes if process.name == PROMETHEUS), None)

    def check(self, restart: bool = False) -> None:
        """A worker or gateway that has ended is started again (`restart`), or a reason for Unavailable."""
        gateway = self.gateway()
        for process in [*self.workers(), *([gateway] if gateway else [])]:
            if is_running(process):
                continue
            log = self.folder.logs / f"{process.name}.log"
            if not restart or self._restarts == RESTARTS:
                raise Unavailable(f"{process.name} has ended; the end of {log}:\n{last_lines(log, 12)}")
            self._restarts += 1
            ended = log.with_suffix(f".{self._restarts}.log")
            log.replace(ended)
            self.say(f"{process.name} has ended ({ended} says why), starting it again")
            if process is gateway:
                self._start_gateway(process.port)
            else:
                self._start_worker(int(process.name.removeprefix("worker-")), process.port)

    def _started(self, process: LocalProcess) -> LocalProcess:
        self.state = self.state.with_process(process)
        self.folder.save(self.state)
        return process

    def _start_services(self) -> None:
        bootstrap, redis_url = os.environ.get("BOOTSTRAP"), given_redis(self.settings)
        broker = redis = None
        if bootstrap:
            self.say(f"broker: yours at {bootstrap}")
            if not broker_answers(self.settings, 10.0):
                raise Unavailable(
                    f"no broker answers at {bootstrap}: start it, or unset BOOTSTRAP to get one here"
                )
        else:
            self._clear("kafka")
            # ours is for this machine, whatever others want
            self.settings = replace(self.settings, kafka_security_protocol="PLAINTEXT")
            broker = self._started(start_broker(self.folder, port=self.wanted.kafka_port))
        if redis_url:
            self.say("Redis: yours, named by REDIS_URL")
            if not redis_answers(redis_url, 10.0):
                raise Unavailable(
                    "no Redis answers at REDIS_URL: start it, or unset REDIS_URL to get one here"
                )
        else:
            self._clear("redis")
            redis = self._started(start_redis(self.folder, port=self.wanted.redis_port))
        if redis is not None:
            redis_url = wait_for_redis(redis, self.folder)
            self.say(f"Redis: {redis_url}")
        if broker is not None:
            bootstrap = wait_for_broker(broker, self.folder)
            self.say(f"broker: {bootstrap}")
        self.state = replace(self.state, bootstrap=bootstrap, redis_url=redis_url)
        self.folder.save(self.state)
        self.settings = replace(self.settings, bootstrap=bootstrap or "", redis_url=redis_url or "")

    def _clear(self, name: str) -> None:
        """Begin with an empty service: the day would otherwise meet its own walkers of the run before."""
        if not self.wanted.keep:
            shutil.rmtree(self.folder.path / name, ignore_errors=True)

    def _start_workers(self) -> None:
        for index in range(self.wanted.workers):
            self._start_worker(index)
        self.say("worker: starting (the very first start compiles its kernels, which takes a minute or two)")
        give_up = time.monotonic() + WORKER_WITHIN_S
        while self._partitions_owned() < self.settings.partitions:
            self.check()
            if time.monotonic() > give_up:
                raise Unavailable(
                    f"the worker took no partitions in {WORKER_WITHIN_S:.0f} s: see {self.folder.logs}"
                )
            time.sleep(0.2)
        for worker in self.workers():
            self.say(f"{worker.name}: metrics at http://127.0.0.1:{worker.port}/metrics")

    def _start_worker(self, index: int, port: int | None = None) -> None:
        name = f"worker-{index}"
        taken = [worker.port or 0 for worker in self.workers()]
        if port is None:
            # one that was chosen a moment ago may not listen yet
            port = choose_port("metrics", max([METRICS_PORT, *(one + 1 for one in taken)]))
        self._spawn(
            name, "worker", port, replace(self.settings, metrics_port=port, worker_id=f"local-{index}")
        )

    def _start_gateway(self, port: int | None = None) -> LocalProcess:
        if port is None:
            port = choose_port("the gateway", GATEWAY_PORT, self.wanted.gateway_port)
        keys = self.settings.gateway_token_keys or f"local:{secrets.token_hex(32)}"
        self.settings = replace(
            self.settings, gateway_token_keys=keys
        )  # one that is started again has the same
        return self._spawn(
            GATEWAY, "gateway", port, replace(self.settings, gateway_port=port, gateway_demo=True)
        )

    def _wait_for_gateway(self, gateway: LocalProcess) -> None:
        give_up = time.monotonic() + GATEWAY_WITHIN_S
        while not _answers(f"http://127.0.0.1:{gateway.port}/readyz"):
            self.check()
            if time.monotonic() > give_up:
                raise Unavailable(
                    f"the gateway did not answer in {GATEWAY_WITHIN_S:.0f} s: see {self.folder.logs}"
                )
            time.sleep(0.1)
        self.say(f"gateway: http://127.0.0.1:{gateway.port}/")

    def _start_prometheus(self) -> None:
        """Record what every process of ours tells, where the program is installed; nothing depends on it."""
        if find_prometheus() is None:
            self.say("Prometheus: not installed, so nothing is recorded (`make setup` says how to have it)")
            return
        self._clear(PROMETHEUS)
        gateway = self.gateway()
        targets = [Target("worker", worker.name, worker.port or 0) for worker in self.workers()]
        targets += [Target("gateway", GATEWAY, gateway.port or 0)] if gateway else []
        process = self._started(start_prometheus(self.folder, targets, port=self.wanted.prometheus_port))
        self.say(f"Prometheus: {wait_for_prometheus(process, self.folder)}/")

    def _spawn(self, name: str, command: str, port: int, settings: Settings) -> LocalProcess:
        """Start one of our own commands with these settings."""
        return self._started(
            spawn(
                name,
                [sys.executable, "-m", "cli.main", command],
                folder=self.folder.path / name,
                log=self.folder.logs / f"{name}.log",
                marker=f"-m cli.main {command}",
                port=port,
                environment=settings.environment(),
            )
        )

    def _partitions_owned(self) -> float:
        owned = 0.0
        for worker in self.workers():
            samples = scrape(worker.port or 0)
            owned += sum(samples.values("flaneur_assigned_partitions", table=WALKERS_TABLE))
        return owned


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def stop_all(folder: RunFolder, state: RunState, say: Say) -> int:
    """Stop every process of a run, the last one started first; how many were running."""
    stopped = 0
    for process in reversed(state.processes):
        if process.name != WATCHER and stop(process):
            say(f"stopped {process.name}")
            stopped += 1
    folder.state_file.unlink(missing_ok=True)
    return stopped


def _graph_dir(folder: RunFolder) -> str:
    given = os.environ.get("GRAPH_DIR")
    return os.path.abspath(given) if given else str(folder.graph)


def _is_bundled(settings: Settings, folder: RunFolder) -> bool:
    return settings.graph_dir == str(folder.graph)
