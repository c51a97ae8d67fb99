"""The gateway under measurement: a process of its own, and clients that talk to it as phones do."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import orjson
import psutil

from bench.rig.memory import own_bytes
from geo.errors import Unavailable
from streams.local.processes import any_port, last_lines
from streams.settings import Settings

T = TypeVar("T")
R = TypeVar("R")
READY_WITHIN_S = 120.0
STOP_WITHIN_S = 30.0
REGISTERED_AT_ONCE = 64
WITHOUT_LIMITS: dict[str, Any] = dict.fromkeys(
    (
        *("gateway_requests_per_s", "gateway_request_burst", "gateway_fixes_per_s", "gateway_fix_burst"),
        *("gateway_registrations_per_s", "gateway_registration_burst"),
    ),
    10**9,
)


def gateway_settings(settings: Settings) -> Settings:
    """Those of a gateway beside the same broker, without limits and without planners."""
    own = {"gateway_port": any_port(), "gateway_token_keys": "bench:" + os.urandom(32).hex()}
    values = {one.name: getattr(settings, one.name) for one in fields(settings)}
    return Settings(**(values | WITHOUT_LIMITS | own | {"gateway_planners": 0, "gateway_token_s": 86_400.0}))


class GatewayProcess:
    """One gateway; `with` starts it, waits until it answers, and stops it at the end."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings = settings
        self.log = log

    def __enter__(self) -> GatewayProcess:
        environment = {**os.environ, **self.settings.environment()}
        command = (sys.executable, "-m", "cli.main", "gateway")
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )
        self._process = psutil.Process(self._child.pid)
        give_up = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self._child.poll() is not None or time.monotonic() > give_up:
                self.__exit__()
                raise Unavailable(
                    f"the gateway does not answer; the end of {self.log}:\n{last_lines(self.log)}"
                )
            time.sleep(0.1)
        return self

    def __exit__(self, *error: object) -> None:
        self._child.terminate()
        try:
            self._child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.gateway_port}"

    @property
    def cpu_s(self) -> float:
        """CPU time that the process has used, all threads."""
        cpu = self._process.cpu_times()
        return float(cpu.user + cpu.system)

    @property
    def own_bytes(self) -> int:
        """Resident memory without mapped files."""
        return own_bytes(self._child.pid)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@dataclass(frozen=True)
class Phone:
    """A device that is registered."""

    device: str
    token: str


async def register(client: aiohttp.ClientSession, url: str, count: int) -> list[Phone]:
    """So many new devices."""

    async def one(_: int) -> Phone:
        async with client.post(f"{url}/v1/devices") as answer:
            told = orjson.loads(await answer.read())
            return Phone(told["device"], told["token"])

    return await in_turns(one, range(count), REGISTERED_AT_ONCE)


async def in_turns(work: Callable[[T], Awaitable[R]], items: Sequence[T], at_once: int) -> list[R]:
    """Do the work for each item, at most `at_once` at a time; results in the order of the items."""
    found: list[R] = []
    for first in range(0, len(items), at_once):
        found += await asyncio.gather(*(work(item) for item in items[first : first + at_once]))
    return found


def session() -> aiohttp.ClientSession:
    """A client with as many connections as are asked for."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def connect(client: aiohttp.ClientSession, url: str, phone: Phone) -> aiohttp.ClientWebSocketResponse:
    """A phone's stream."""
    return await client.ws_connect(f"{url}/v1/stream?token={phone.token}", compress=0)
