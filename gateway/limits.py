"""Token buckets: how much one device, or one address, may do over time and at once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from gateway.errors import TooMany
from streams.settings import Settings

REMEMBERED = 200_000  # buckets; the one not used for the longest time is forgotten first: it is full again


class Buckets:
    """A bucket a key, holding `burst`, refilled at `per_s`."""

    def __init__(self, per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key → left, as of

    def take(self, key: str, amount: float = 1.0) -> None:
        """Take from a bucket; raises TooMany if it does not hold that much."""
        now = self._clock()
        left, at = self._left.get(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        if left < amount:
            raise TooMany((amount - left) / self._per_s)
        self._left[key] = (left - amount, now)
        self._left.move_to_end(key)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)


class Limits:
    """The buckets of one process."""

    def __init__(self, settings: Settings) -> None:
        self.requests = Buckets(settings.gateway_requests_per_s, settings.gateway_request_burst)
        self.fixes = Buckets(settings.gateway_fixes_per_s, settings.gateway_fix_burst)
        self.registrations = Buckets(
            settings.gateway_registrations_per_s, settings.gateway_registration_burst
        )
