"""Limits, tokens, and the outbox of a slow subscriber."""

from __future__ import annotations

import asyncio
import time

import jwt
import pytest

from gateway.errors import TooMany
from gateway.limits import Buckets
from gateway.outbox import MOST_WAITING, Outbox
from gateway.tokens import ALGORITHM, AUDIENCE, Tokens
from geo.errors import BadInput
from streams.settings import Settings

OLD, NEW = "old:" + "o" * 32, "new:" + "n" * 32


def test_a_bucket_refills_over_time() -> None:
    now = [0.0]
    buckets = Buckets(per_s=2.0, burst=10.0, clock=lambda: now[0])
    buckets.take("a", 10)
    buckets.take("b", 10)  # each has its own
    with pytest.raises(TooMany) as refused:
        buckets.take("a", 4)
    assert refused.value.retry_after_s == pytest.approx(2.0)
    assert refused.value.headers() == {"Retry-After": "2"}
    now[0] = 2.0
    buckets.take("a", 4)
    now[0] = 1e6
    buckets.take("a", 10)
    with pytest.raises(TooMany):
        buckets.take("a", 1)


def tokens(keys: str) -> Tokens:
    return Tokens(Settings(gateway_token_keys=keys))


def test_keys_are_changed_without_anybody_noticing() -> None:
    before, during, after = tokens(OLD), tokens(f"{NEW},{OLD}"), tokens(NEW)
    old, _ = before.sign("anna")
    new, expires = during.sign("anna")
    assert expires == pytest.approx(time.time() + 900, abs=5)
    assert during.device(old) == during.device(new) == after.device(new) == "anna"
    assert after.device(old) is None
    assert before.device(new) is None


def test_a_forged_token_is_nobodys() -> None:
    signer = tokens(NEW)
    good, _ = signer.sign("anna")
    head, body, mark = good.split(".")
    claims = {"sub": "anna", "aud": AUDIENCE, "exp": int(time.time()) + 60}
    key = "n" * 32
    forged = [
        f"{head}.{body}.{mark[:-4]}AAAA",
        f"{head}.{body}.",
        "a.b.c",
        jwt.encode(claims, "", "none", headers={"kid": "new"}),
        jwt.encode(claims, "x" * 32, ALGORITHM, headers={"kid": "new"}),
        jwt.encode(claims, key, ALGORITHM),  # of which key?
        jwt.encode(claims | {"exp": int(time.time()) - 60}, key, ALGORITHM, headers={"kid": "new"}),
        jwt.encode(claims | {"aud": "else"}, key, ALGORITHM, headers={"kid": "new"}),
        jwt.encode({"sub": "anna", "aud": AUDIENCE}, key, ALGORITHM, headers={"kid": "new"}),
    ]
    assert [signer.device(token) for token in forged] == [None] * len(forged)
    assert signer.device(jwt.encode(claims, key, ALGORITHM, headers={"kid": "new"})) == "anna"


@pytest.mark.parametrize("keys", ["", "short:secret", ":" + "k" * 32, "nameless"])
def test_keys_that_protect_nothing_are_refused(keys: str) -> None:
    with pytest.raises(BadInput, match="GATEWAY_TOKEN_KEYS"):
        tokens(keys)


def test_who_reads_too_slowly_is_cut_off_and_the_others_are_not() -> None:
    async def send() -> None:
        cut: list[str] = []
        written: list[bytes] = []
        never = asyncio.Event()

        async def stuck(message: bytes) -> None:
            await never.wait()

        async def quick(message: bytes) -> None:
            written.append(message)

        slow = Outbox(stuck, lambda: cut.append("slow"))
        fast = Outbox(quick, lambda: cut.append("fast"))
        for number in range(MOST_WAITING + 10):
            slow.put(b"%d" % number)
            fast.put(b"%d" % number)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await fast.drained()
        assert cut == ["slow"]
        assert slow.closed
        assert written == [b"%d" % number for number in range(MOST_WAITING + 10)]

    asyncio.run(send())
