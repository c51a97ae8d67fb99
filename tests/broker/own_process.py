"""A `flaneur` process that a test starts: ready, killed, stopped, and what it said last."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self

from streams.settings import Settings

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0


class OwnProcess:
    """One process with these settings in its environment; its log is in `log`."""

    what: str  # the subcommand

    def __init__(self, settings: Settings, folder: Path, name: str) -> None:
        self.settings = settings
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        return [str(Path(sys.executable).parent / "flaneur"), self.what]

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> Self:
        told = self.settings.environment()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), env=os.environ | told, stdout=log, stderr=log)
        return self

    def wait_ready(self) -> Self:
        self.wait(self.is_ready)
        return self

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait(self, ready: Callable[[], bool]) -> None:
        """Until it is so; AssertionError with the end of the log if the process ends or it takes too long."""

        def there() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"the {self.what} ended with {self.process.returncode}:\n{self.tail()}")
            return ready()

        wait_for(there, READY_WITHIN_S, lambda: f"the {self.what} is not ready:\n{self.tail()}")


def wait_for(condition: Callable[[], bool], within_s: float, why: Callable[[], str] | str = "") -> None:
    """Poll until true; AssertionError with `why` when it takes longer."""
    give_up = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(why if isinstance(why, str) else why())
        time.sleep(0.05)


def health(port: int, what: str) -> tuple[int, dict[str, str | None]]:
    """What a process answers at /health/`what`: the status and why; 0 while it does not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/{what}", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
    except OSError:
        return 0, {}


def health_is(port: int, what: str, status: int) -> bool:
    return health(port, what)[0] == status
