"""Real gateway processes, and devices that talk to them, for the tests."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from streams.local.processes import any_port
from streams.settings import Settings
from tests.broker.own_process import OwnProcess

TOKEN_KEYS = "test:" + "k" * 32
_ANY_CERTIFICATE = ssl.create_default_context()
_ANY_CERTIFICATE.check_hostname = False
_ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


class GatewayProcess(OwnProcess):
    """One `flaneur gateway`."""

    what = "gateway"

    def __init__(self, settings: Settings, folder: Path, name: str = "gateway-0", **changed: Any) -> None:
        own: dict[str, Any] = {
            "gateway_token_keys": TOKEN_KEYS, "gateway_port": any_port(), "gateway_planners": 0,
        }  # fmt: skip
        super().__init__(replace(settings, **(own | changed)), folder, name)

    @property
    def url(self) -> str:
        scheme = "https" if self.settings.gateway_tls_cert else "http"
        return f"{scheme}://127.0.0.1:{self.settings.gateway_port}"

    def is_ready(self) -> bool:
        try:
            return ask(f"{self.url}/readyz").status == 200
        except OSError:
            return False


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
