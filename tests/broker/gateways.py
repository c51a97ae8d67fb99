"""Real gateway processes, and devices that talk to them, for the tests."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from streams.local.processes import any_port
from streams.settings import Settings
from tests.broker.deployment import wait_for

READY_WITHIN_S = 60.0
TOKEN_KEYS = "test:" + "k" * 32
_ANY_CERTIFICATE = ssl.create_default_context()
_ANY_CERTIFICATE.check_hostname = False
_ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


class GatewayProcess:
    """One `flaneur gateway` process; its log is in `log`."""

    def __init__(self, settings: Settings, folder: Path, name: str = "gateway-0", **changed: Any) -> None:
        self.settings = replace(
            settings,
            **(
                {"gateway_token_keys": TOKEN_KEYS, "gateway_port": any_port(), "gateway_planners": 0}
                | changed
            ),
        )
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        scheme = "https" if self.settings.gateway_tls_cert else "http"
        return f"{scheme}://127.0.0.1:{self.settings.gateway_port}"

    def start(self) -> GatewayProcess:
        names = [name for name in Settings.__dataclass_fields__ if name.startswith("gateway_")]
        names += ["bootstrap", "redis_url", "graph_dir", "group", "partitions"]
        env = os.environ | {name.upper(): str(getattr(self.settings, name)) for name in names}
        with self.log.open("ab") as log:
            command = [str(Path(sys.executable).parent / "flaneur"), "gateway"]
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        return self

    def wait_ready(self) -> GatewayProcess:
        def ready() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.tail()}")
            try:
                return ask(f"{self.url}/readyz").status == 200
            except OSError:
                return False

        wait_for(ready, READY_WITHIN_S, self.tail)
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
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def ask(url: str, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    """One request; an error's answer is an answer as well."""
    data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30, context=_ANY_CERTIFICATE) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())


class Device:
    """A device that registered at a gateway."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        told = ask(f"{gateway.url}/v1/devices", "POST", {}).json
        self.id, self.token, self.key = told["device"], told["token"], told["key"]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        signed = {"Authorization": f"Bearer {self.token}"} | headers
        return ask(self.gateway.url + path, method, body, signed)
