"""A broker and a Redis of these tests' own: they are killed, starved of disk, and started again."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import psutil

from streams.local.processes import LocalProcess, RunFolder, any_port, choose_port, is_free, stop
from streams.local.services import (
    run_folder,
    start_broker,
    start_redis,
    wait_for_broker,
    wait_for_redis,
)
from tests.broker.deployment import wait_for

QUICK_JVM = ("-Xms128m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class Machine:
    """Keeps its ports and its data from one start to the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = RunFolder(folder)
        # not one that the system gives to clients: while nobody listens, one could connect to itself there
        self.broker_port = choose_port("the broker", random.randrange(20_000, 30_000))
        self.redis_port = any_port()
        self._broker: LocalProcess | None = None
        self._redis: LocalProcess | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.broker_port}"

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def broker_data(self) -> Path:
        return self.folder.path / "kafka" / "log"

    def start_broker(self) -> None:
        """Start the broker and wait until it answers."""
        self._broker = start_broker(
            self.folder,
            port=self.broker_port,
            libraries=run_folder().broker_libraries,
            jvm_options=QUICK_JVM,
        )
        wait_for_broker(self._broker, self.folder)

    def kill_broker(self) -> None:
        """kill -9, and wait until the process is gone."""
        assert self._broker is not None
        _kill(self._broker.pid)
        # its threads end one after the other, and the sockets with the last
        wait_for(lambda: is_free(self.broker_port), 20, "the broker's port stays taken")

    def limit_broker_files(self, size: int) -> None:
        """No file of the broker may grow beyond `size` bytes from now on: writing fails as on a full disk."""
        assert self._broker is not None
        psutil.Process(self._broker.pid).rlimit(psutil.RLIMIT_FSIZE, (size, size))

    @property
    def broker_runs(self) -> bool:
        return self._broker is not None and not _gone(self._broker.pid)

    def start_redis(self) -> None:
        self._redis = start_redis(self.folder, port=self.redis_port)
        wait_for_redis(self._redis, self.folder)

    def kill_redis(self) -> None:
        assert self._redis is not None
        _kill(self._redis.pid)

    def stop(self) -> None:
        for process in (self._redis, self._broker):
            if process is not None:
                stop(process)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: _gone(pid), 20, f"process {pid} does not end")


def _gone(pid: int) -> bool:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # reaped before
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
