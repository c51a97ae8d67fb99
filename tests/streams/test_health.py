"""`/health/live` and `/health/ready`, beside the metrics, over HTTP."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from streams.settings import Settings
from streams.telemetry.health import Beat, Health, serve_http
from streams.worker.network_service import SILENT_S, NetworkService


class Process:
    """A process that is as `stuck` and `unready` say."""

    stuck: str | None = None
    unready: str | None = None

    def __init__(self) -> None:
        self.health = Health()
        self.server = serve_http("127.0.0.1", 0, self.health)

    def begin(self) -> None:
        self.health.start(lambda: self.stuck, lambda: self.unready)

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.server.server_port}{path}", timeout=5
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def verdict(self, what: str) -> tuple[int, dict[str, str | None]]:
        code, text = self.ask(f"/health/{what}")
        return code, json.loads(text)


@pytest.fixture
def process() -> Iterator[Process]:
    one = Process()
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_a_process_that_prepares_lives_and_is_not_ready(process: Process) -> None:
    assert process.verdict("live") == (200, {"status": "ok", "why": None})
    code, told = process.verdict("ready")
    assert (code, told["status"]) == (503, "not ready")
    assert "not begun" in str(told["why"])


def test_what_checks_say_is_answered(process: Process) -> None:
    process.begin()
    assert process.verdict("ready")[0] == process.verdict("live")[0] == 200
    process.unready = "2 of its partitions are not open yet"
    assert process.verdict("ready") == (503, {"status": "not ready", "why": process.unready})
    assert process.verdict("live")[0] == 200
    process.stuck = "the event loop has stood still for 31 s"
    assert process.verdict("live") == (503, {"status": "stuck", "why": process.stuck})
    assert process.verdict("ready")[1]["why"] == process.stuck


def test_metrics_are_where_they_were(process: Process) -> None:
    code, text = process.ask("/metrics")
    assert code == 200
    assert "python_info" in text


def test_a_beat_is_missed_after_a_while() -> None:
    beat = Beat("its files were last looked at", 60.0)
    assert beat.missed() is None
    beat._at -= 61.0
    assert beat.missed() == "its files were last looked at 61 s ago"
    beat.now()
    assert beat.missed() is None


def test_a_worker_is_not_ready_while_the_broker_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = NetworkService(Settings())
    assert networks.why_not_current() == "the conditions have not been read yet"
    networks.ready.set()
    assert networks.why_not_current() is not None
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    networks._answered_at = now - SILENT_S + 1.0
    assert networks.why_not_current() is None
    networks._answered_at = now - SILENT_S - 1.0
    assert networks.why_not_current() == f"the broker has not answered for {SILENT_S + 1.0:.0f} s"
