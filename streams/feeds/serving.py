"""What a feed that goes on tells whoever runs it: metrics of its own, whether it lives and is ready."""

from __future__ import annotations

import time

from prometheus_client import Counter, Gauge

from geo.errors import Unavailable
from streams.feeds.publish import Publisher
from streams.settings import Settings
from streams.telemetry.health import HEALTH, Beat, serve_http

# of these a worker's process tells nothing, nor this one of a worker's
SENT = Counter("flaneur_feed_sent", "Reports sent, withdrawals included", ["source"])
PROBLEMS = Counter("flaneur_feed_problems", "Values of a feed that cannot be used", ["source"])
READ_TS = Gauge(
    "flaneur_feed_read_timestamp_seconds", "When the feed's files were last looked at", ["source"]
)

STUCK_S = 60.0
ASK_S = 10.0
SILENT_S = 3 * ASK_S
NAP_S = 5.0


class FeedHealth:
    """Lives as long as it looks at its files; is ready once all was sent and while the broker answers."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._looked = Beat("its files were last looked at", STUCK_S)
        self._answered = Beat("the broker last answered", SILENT_S)
        self._sent_all = False
        self._asked_at = 0.0

    def serve(self, settings: Settings, port: int) -> None:
        """Serve it at METRICS_HOST; raises Unavailable if the port is taken."""
        HEALTH.start(self._looked.missed, self._why_not_ready)
        try:
            serve_http(settings.metrics_host, port, HEALTH)
        except OSError as error:
            raise Unavailable(
                f"metrics cannot be served at {settings.metrics_host}:{port}: {error.strerror}"
            ) from error

    def sleep(self, seconds: float) -> None:
        """Wait; a feed that is sent at its own pace is not stuck."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            self._looked.now()
            time.sleep(min(left, NAP_S))

    def looked(self, publisher: Publisher) -> None:
        """The files have been looked at, and what was new is acknowledged; now and then ask the broker."""
        self._sent_all = True
        self._looked.now()
        READ_TS.labels(self._source).set(time.time())
        if time.monotonic() - self._asked_at > ASK_S:
            self._asked_at = time.monotonic()
            if publisher.answers():
                self._answered.now()

    def count(self, reports: int, problems: int) -> None:
        SENT.labels(self._source).inc(reports)
        PROBLEMS.labels(self._source).inc(problems)

    def _why_not_ready(self) -> str | None:
        return self._answered.missed() if self._sent_all else "not everything has been sent yet"
