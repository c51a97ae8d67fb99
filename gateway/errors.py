"""What a handler raises when a request cannot be answered; `gateway.middleware` turns it into an answer."""

from __future__ import annotations

import math

from geo.errors import FlaneurError


class Refused(FlaneurError):
    """A request that is refused; the text is one sentence for the person at the other end."""

    status = 400

    def headers(self) -> dict[str, str]:
        """What the answer says besides."""
        return {}


class NotSignedIn(Refused):
    """No token, no key, or none that is good."""

    status = 401

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="flaneur"'}


class NotAllowed(Refused):
    """Signed in, but this is for others."""

    status = 403


class NotFound(Refused):
    """There is no such thing, or it is not this device's."""

    status = 404


class Conflict(Refused):
    """It does not fit what is there now."""

    status = 409


class TooLarge(Refused):
    """A body or a message larger than is taken."""

    status = 413


class Invalid(Refused):
    """Well-formed, but a value makes no sense."""

    status = 422


class TooMany(Refused):
    """More than the device's limits allow."""

    status = 429

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"too much at once: come again in {math.ceil(retry_after_s)} s")
        self.retry_after_s = retry_after_s

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(max(1, math.ceil(self.retry_after_s)))}
