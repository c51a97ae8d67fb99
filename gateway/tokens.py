"""Short-lived tokens (JWT, HS256) that say which device somebody is.

Several keys may be in use: the first signs, all are accepted, so that keys change unnoticed.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict

import jwt

from geo.errors import BadInput
from streams.settings import Settings

ALGORITHM = "HS256"
AUDIENCE = "flaneur"
MIN_SECRET_BYTES = 32  # RFC 7518, 3.2
LEEWAY_S = 5.0
REMEMBERED = 50_000


class Tokens:
    """Signs and reads tokens."""

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput for keys that cannot be used."""
        self._lifetime_s = settings.gateway_token_s
        self._keys = _keys(settings)
        self._signing = next(iter(self._keys))
        # to verify takes longer than all else of a request, and the same token comes again and again
        self._read: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def sign(self, device: str) -> tuple[str, float]:
        """A token for a device, and when it expires."""
        now = time.time()
        expires = now + self._lifetime_s
        claims = {"sub": device, "aud": AUDIENCE, "iat": int(now), "exp": int(expires)}
        key = self._keys[self._signing]
        return jwt.encode(claims, key, ALGORITHM, headers={"kid": self._signing}), float(int(expires))

    def device(self, token: str) -> str | None:
        """Whose token it is; None for one that is forged, expired or signed by a key no longer in use."""
        known = self._read.get(token)
        if known is None:
            known = self._verified(token)
            if known is None:
                return None
            self._read[token] = known
            if len(self._read) > REMEMBERED:
                self._read.popitem(last=False)
        device, expires = known
        if expires + LEEWAY_S >= time.time():
            return device
        del self._read[token]
        return None

    def _verified(self, token: str) -> tuple[str, float] | None:
        """Device and end of a token that is good now."""
        try:
            key = self._keys[str(jwt.get_unverified_header(token).get("kid"))]
            claims = jwt.decode(
                token, key, [ALGORITHM], audience=AUDIENCE, leeway=LEEWAY_S,
                options={"require": ["sub", "exp", "aud"]},
            )  # fmt: skip
        except (jwt.InvalidTokenError, KeyError):
            return None
        return str(claims["sub"]), float(claims["exp"])


def _keys(settings: Settings) -> dict[str, bytes]:
    """The keys by name, the signing one first."""
    keys: dict[str, bytes] = {}
    for one in filter(None, settings.gateway_token_keys.split(",")):
        name, _, secret = one.strip().partition(":")
        if not name or len(secret.encode()) < MIN_SECRET_BYTES:
            raise BadInput(
                f"GATEWAY_TOKEN_KEYS has a key {name!r} with a secret of {len(secret)} characters:"
                f" it must be name:secret, the secret of {MIN_SECRET_BYTES} or more"
            )
        keys[name] = secret.encode()
    if not keys and settings.gateway_demo:
        return {"demo": secrets.token_bytes(MIN_SECRET_BYTES)}
    if not keys:
        raise BadInput(
            "GATEWAY_TOKEN_KEYS is not set: give it a name and a secret, 2026a:$(openssl rand -hex 32),"
            " the same for every gateway"
        )
    return keys
