"""Starts services of the compose files without Docker: by their own command lines and environments.

The paths of containers are mapped to folders here, their ports and names to free ports on loopback.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streams.local.processes import any_port
from streams.local.services import PROJECT, run_folder
from streams.local.tools import find_java, find_redis
from tests.broker.own_process import wait_for
from tests.compose.files import COMPOSE, dockerfile, read

HEALTHY_WITHIN_S = 120.0
END_WITHIN_S = 60.0
IMAGE = "flaneur"
ENDED_WELL = {"kafka": 128 + signal.SIGTERM}  # Java's way to say that it ended because it was told to


def make_secrets(folder: Path) -> Path:
    """What compose/make-secrets.sh makes."""
    done = subprocess.run(
        ["sh", COMPOSE / "make-secrets.sh", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


class Running:
    """One service that runs."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name, self.process, self.log = name, process, log

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def end(self) -> int:
        """SIGTERM, as Docker sends it; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} does not end when it is told to:\n{self.tail()}") from None


class Native:
    """A deployment of one form; `folder` takes its data, `graph` is what the graph's volume would hold."""

    def __init__(self, form: str, folder: Path, graph: Path, **variables: str) -> None:
        self.services: dict[str, Any] = read(form, variables)["services"]
        self.folder = folder
        names = ("kafka", "redis", "worker", "gateway", "feeds", "controller")
        self.port = {name: any_port() for name in names}
        self.bootstrap = f"127.0.0.1:{self.port['kafka']}"
        self.secrets = folder / "secrets"
        self.mapping = {
            "/dev/tcp/127.0.0.1/9092": f"/dev/tcp/127.0.0.1/{self.port['kafka']}",
            "0.0.0.0:9092": self.bootstrap,
            "kafka:9092": self.bootstrap,
            "127.0.0.1:9093": f"127.0.0.1:{self.port['controller']}",
            "redis:6379": f"127.0.0.1:{self.port['redis']}",
            "0.0.0.0": "127.0.0.1",
            "/run/secrets": str(self.secrets),
            "/etc/flaneur": str(folder / "broker"),
            "/var/lib/kafka/data": str(folder / "kafka"),
            "/var/lib/flaneur/graph": str(graph),
            "/var/lib/flaneur": str(graph.parent),
            "/data": str(folder / "redis"),
            "/feeds": str(folder / "feeds"),
            "/extracts": str(folder / "extracts"),
        }
        folder.mkdir()
        make_secrets(self.secrets)
        for name in ("redis_url", "redis_tls_url"):
            self._rewrite(self.secrets / name, self.secrets / name)
        for name in ("broker", "redis", "feeds", "extracts"):
            (folder / name).mkdir(parents=True)
        for file in (COMPOSE / "broker").iterdir():
            self._rewrite(file, folder / "broker" / file.name)
        self.running: list[Running] = []

    def here(self, text: str, service: str = "") -> str:
        """A path, address or command of a container as it is here."""
        ports = {"worker": "9464", "feeds": "9464", "gateway": "8080", "redis": "6379"}
        mapping = dict(self.mapping)
        if port := ports.get(service):
            if text == port:
                return str(self.port[service])
            mapping[f"127.0.0.1:{port}"] = f"127.0.0.1:{self.port[service]}"
            mapping[f"port {port}"] = f"port {self.port[service]}"
        # in one pass: what was put in may hold what is looked for next
        longest_first = sorted(mapping, key=len, reverse=True)
        found = re.compile("|".join(map(re.escape, longest_first)))
        return found.sub(lambda match: mapping[match[0]], text)

    def _rewrite(self, source: Path, target: Path) -> None:
        text = self.here(source.read_text())
        target.unlink(missing_ok=True)
        target.write_text(text)

    def environment(self, name: str) -> dict[str, str]:
        """Only what the container would have, and what this machine's programs need to be found."""
        theirs = dict(self.services[name].get("environment", {}))
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # as /app/.venv/bin is on the image's
        ours = {"PATH": path, "HOME": str(self.folder), "PYTHONPATH": str(PROJECT)}
        if self.is_ours(name):
            image = dockerfile()["env"]
            theirs = {key: image[key] for key in image.keys() - {"PATH", "NUMBA_CACHE_DIR"}} | theirs
            ours["FLANEUR_RUN_DIR"] = str(self.folder / "no-run")  # a run of this checkout is none of its
        if name == "kafka":
            java = find_java()
            assert java is not None
            del theirs["KAFKA_HEAP"]
            ours |= {
                "PATH": f"{java.parent}:{ours['PATH']}",
                "KAFKA_LIBRARIES": str(run_folder().broker_libraries),
                "KAFKA_SECRETS": str(self.secrets),
                "KAFKA_WORK": str(self.folder),
                "KAFKA_HEAP": "-Xms128m -Xmx512m -XX:TieredStopAtLevel=1",
            }
        return ours | {key: self.here(str(value), name) for key, value in theirs.items()}

    def is_ours(self, name: str) -> bool:
        return str(self.services[name]["image"]).startswith(f"{IMAGE}:")

    def command(self, name: str) -> list[str]:
        service = self.services[name]
        entry = service.get("entrypoint") or (dockerfile()["entrypoint"] if self.is_ours(name) else [])
        return [self._program(self.here(one, name)) for one in [*entry, *service.get("command", [])]]

    def _program(self, word: str) -> str:
        beside = Path(sys.executable).parent
        return {
            "flaneur": str(beside / "flaneur"),
            "python": sys.executable,
            "redis-server": str(find_redis()),
        }.get(word, word)

    def start(self, name: str, log: Path | None = None, **changed: str) -> Running:
        """Start a service; `changed`: what its environment has in place of the compose file's values."""
        log = log or self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(name),
                # what the image has in /app is this checkout
                cwd=PROJECT if self.is_ours(name) else self.folder,
                env=self.environment(name) | changed,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        running = Running(name, process, log)
        self.running.append(running)
        return running

    def run(self, name: str) -> str:
        """A service that ends by itself, and must end well; what it said."""
        running = self.start(name)
        self.running.remove(running)
        code = running.process.wait(HEALTHY_WITHIN_S)
        assert code == 0, f"{name} ended with {code}:\n{running.tail()}"
        return running.log.read_text()

    def is_healthy(self, name: str) -> bool:
        """What the service's own health command says."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        words = [self._program(self.here(word, name)) for word in words]
        if name == "redis":  # its client has to be told another port than the usual one
            words = [word.replace("redis-cli", f"redis-cli -p {self.port['redis']}") for word in words]
        command = ["sh", "-c", words[0]] if kind == "CMD-SHELL" else words
        environment = self.environment(name)
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0

    def wait_healthy(self, *running: Running) -> None:
        for one in running:

            def healthy(one: Running = one) -> bool:
                code = one.process.poll()
                assert code is None, f"{one.name} ended with {code}:\n{one.tail()}"
                return self.is_healthy(one.name)

            wait_for(healthy, HEALTHY_WITHIN_S, lambda one=one: f"{one.name} is not healthy:\n{one.tail()}")

    def end(self) -> Mapping[str, int]:
        """End everything, the last one started first; each one's exit code."""
        codes = {}
        while self.running:
            one = self.running.pop()
            codes[one.name] = one.end()
        return codes
