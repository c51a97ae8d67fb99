"""Sees every alert become pending, fire and end, in a real Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from geo.errors import FlaneurError
from streams.telemetry.prometheus import Prometheus

LOOK_S = 0.2
_RANK = {"": 0, "pending": 1, "firing": 2}


@dataclass(frozen=True)
class Change:
    """An alert's state from a moment of the monotonic clock on: "", "pending" or "firing", of any labels."""

    at: float
    alert: str
    state: str


class Watch:
    """Looks several times a second, on a thread of its own, from `start` to `stop`."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self._now: dict[str, str] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, name="alerts", daemon=True)
        self.changes: list[Change] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def active(self) -> dict[str, str]:
        """Which alerts are pending or firing now."""
        return {alert: state for alert, state in self._now.items() if state}

    def first(self, alert: str, state: str, since: float) -> float | None:
        """When it first came into that state after a moment."""
        return next(
            (c.at for c in self.changes if c.alert == alert and c.state == state and c.at >= since), None
        )

    def last_end(self, alert: str, since: float) -> float | None:
        """When it last ended since a moment; None if it has not."""
        return next(
            (c.at for c in reversed(self.changes) if c.alert == alert and c.at >= since and not c.state), None
        )

    def wait_firing(self, alert: str, since: float, within_s: float) -> None:
        self._wait(
            lambda: self.first(alert, "firing", since) is not None,
            within_s,
            f"{alert} does not fire",
        )

    def wait_ended(self, alerts: Collection[str], within_s: float) -> None:
        self._wait(
            lambda: not self.active().keys() & set(alerts),
            within_s,
            f"{', '.join(alerts)} should have ended",
        )

    def _wait(self, condition: Callable[[], bool], within_s: float, why: str) -> None:
        give_up = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < give_up, f"{why} within {within_s:.0f} s; active: {self.active()}"
            time.sleep(LOOK_S)

    def _look(self) -> None:
        while not self._ending.wait(LOOK_S):
            try:
                found = self._prometheus.alerts()
            except FlaneurError:
                continue
            states: dict[str, str] = {}
            for alert, state, _ in found:
                states[alert] = max(state, states.get(alert, ""), key=_RANK.__getitem__)
            at = time.monotonic()
            for alert in states.keys() | self._now.keys():
                state = states.get(alert, "")
                if state != self._now.get(alert, ""):
                    self.changes.append(Change(at, alert, state))
            self._now = states
