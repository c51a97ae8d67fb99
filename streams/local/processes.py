"""Starts, recognises and stops the processes that run Flaneur on one machine, and remembers them in a file.

A process is only ever signalled when its command line and its working directory are those that were written
down for it: a number in a file may long belong to somebody else's program.
"""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil

from geo.errors import Unavailable

PORTS_TRIED = 200
_COMMAND_LINE_LOOKS = 50


@dataclass(frozen=True, slots=True)
class LocalProcess:
    """One process of ours: `marker` is a part of its command line, `folder` its working directory."""

    name: str
    pid: int
    marker: str
    folder: str
    port: int | None = None


@dataclass(frozen=True, slots=True)
class RunState:
    """What runs here now; kept in `state.json` of the run folder so that any other command can find it."""

    bootstrap: str | None = None
    redis_url: str | None = None
    processes: tuple[LocalProcess, ...] = ()

    def find(self, name: str) -> LocalProcess | None:
        """The process of that name, if it is running and ours."""
        return next((p for p in self.processes if p.name == name and is_running(p)), None)

    def running(self) -> tuple[LocalProcess, ...]:
        """All processes written down that are running and ours, in the order in which they started."""
        return tuple(p for p in self.processes if is_running(p))

    def with_process(self, process: LocalProcess) -> RunState:
        """The same with this process in the place of any other of its name."""
        others = tuple(p for p in self.processes if p.name != process.name)
        return dataclasses.replace(self, processes=(*others, process))


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where everything that can be made again is kept: data, logs, the graph, the broker's libraries."""

    path: Path

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def logs(self) -> Path:
        return self.path / "log"

    @property
    def broker_libraries(self) -> Path:
        return self.path / "broker" / "libs"

    @property
    def graph(self) -> Path:
        return self.path / "graph"

    def load(self) -> RunState:
        """What was written down last; nothing if there is no file or it cannot be read."""
        try:
            raw = orjson.loads(self.state_file.read_bytes())
            processes = tuple(LocalProcess(**process) for process in raw["processes"])
            return RunState(raw["bootstrap"], raw["redis_url"], processes)
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return RunState()

    def save(self, state: RunState) -> None:
        """Write down what runs, whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        aside = self.state_file.with_suffix(f".{os.getpid()}.part")
        aside.write_bytes(orjson.dumps(state, option=orjson.OPT_INDENT_2))
        aside.replace(self.state_file)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Yields whether this process is the only one that may start things here; the lock dies with it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise
                yield False
                return
            yield True


def is_running(process: LocalProcess) -> bool:
    """Whether that process lives and is the one that was written down."""
    try:
        found = psutil.Process(process.pid)
        for _ in range(_COMMAND_LINE_LOOKS):
            if found.status() == psutil.STATUS_ZOMBIE:
                return False
            # empty for a moment while a program is being loaded, and while Redis rewrites its own
            if command_line := " ".join(found.cmdline()).strip():
                return process.marker in command_line and Path(found.cwd()) == Path(process.folder)
            time.sleep(0.01)
        return False
    except (psutil.Error, OSError):
        return False  # gone, or somebody else's that we may not even look at


def has_ended(process: LocalProcess) -> bool:
    """Whether a child that was started a moment ago has ended; Redis rewrites its command line meanwhile."""
    try:
        return bool(psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def spawn(
    name: str,
    command: Sequence[str],
    *,
    folder: Path,
    log: Path,
    marker: str,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> LocalProcess:
    """Start a program in the background, its output in a log file of its own.

    It gets a session of its own, so that Ctrl-C in the terminal reaches only us and we stop things in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=None if environment is None else {**os.environ, **environment},
        )
    # psutil reaps it when we stop it; Popen would warn about a child that it believes to be alive
    child.returncode = 0
    return LocalProcess(name, child.pid, marker, str(folder.resolve()), port)


def stop(process: LocalProcess, grace_s: float = 20.0) -> bool:
    """Ask a process of ours to end, end it after `grace_s` if it does not; False if it wasn't running."""
    if not is_running(process):
        _reap(process.pid)
        return False
    found = psutil.Process(process.pid)
    for asked in (signal.SIGTERM, signal.SIGKILL):
        try:
            found.send_signal(asked)  # psutil compares the start time first, so a reused number is safe
        except psutil.NoSuchProcess:
            return True
        if _ends(process, grace_s):
            return True
    raise Unavailable(
        f"{process.name} (process {process.pid}) does not end even when killed: see what holds it"
    )


def _ends(process: LocalProcess, within_s: float) -> bool:
    """Whether it ends in that time; a zombie counts, for in a container nobody may ever reap an orphan."""
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up:
        _reap(process.pid)
        if has_ended(process):
            return True
        time.sleep(0.02)
    return False


def _reap(pid: int) -> None:
    """Take note of the end of a child that died by itself, so that it does not linger as a zombie."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # not a child of this process


def last_lines(log: Path, count: int = 5) -> str:
    """The end of a log file, for the error message of a program that did not start."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-count:])


def is_free(port: int) -> bool:
    """Whether nothing listens on that port of this machine's loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        # connections that ended a moment ago would otherwise make the port look taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def any_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def choose_port(service: str, usual: int, demanded: int | None = None) -> int:
    """The port for a service: the demanded one or an error, else the usual one or the next that is free."""
    if demanded is not None:
        if not is_free(demanded):
            raise Unavailable(
                f"port {demanded} for {service} is taken: stop what listens there, or ask for another"
            )
        return demanded
    for port in range(usual, usual + PORTS_TRIED):
        if is_free(port):
            return port
    raise Unavailable(
        f"no free port for {service} between {usual} and {usual + PORTS_TRIED - 1}: name one that is"
    )
