"""`flaneur bench gateway`: what one gateway process takes in, how soon its subscribers hear, what they cost.

Rates are fixes that Kafka has acknowledged, per second of the gateway's own CPU time (all its threads):
broker, worker and the clients of this benchmark run beside it on the same cores.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np
import orjson
from aiohttp import WSMsgType

from bench.gateway_plan import plan_p99_ms
from bench.latency import BACK_M, FEWEST_UPDATES, STEP_S, WALKED_M, latencies_s, ways_back
from bench.rig.fixes import Tick, Walk, walk_ticks
from bench.rig.gateway_process import (
    GatewayProcess,
    Phone,
    connect,
    gateway_settings,
    in_turns,
    register,
    session,
)
from bench.rig.pacing import Moment, moment
from bench.rig.recorded import walks
from bench.rig.session import Session
from bench.rig.walkers import Heard, Listener, ask_for_routes, routes_of
from bench.rig.worker import Worker, worker_settings
from geo.errors import BadInput, Unavailable
from streams.kafka.topics import ensure_topics

SENDERS = 20  # connections that publish
UNANSWERED = 16  # messages of each that may be under way
BATCH = 100
CONNECTED_AT_ONCE = 100
SETTLE_S = 3.0
TARGETS = {
    "ws_batch_fixes_per_core_s": 20_000.0,
    "ws_single_fixes_per_core_s": 3_000.0,
    "fix_to_subscriber_p99_ms": 80.0,
    "idle_5000_subscribers_mib": 300.0,
    "plan_p99_ms": 30.0,
}


@dataclass(frozen=True)
class GatewayJob:
    """How much is sent, how fast, and how many only listen."""

    batch_fixes: int = 400_000
    single_fixes: int = 40_000
    http_fixes: int = 20_000
    rate_per_s: float = 1_000.0
    duration_s: float = 20.0
    warm_s: float = 10.0
    subscribers: int = 5_000
    plans: int = 300
    partitions: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.batch_fixes, self.single_fixes, self.http_fixes, self.subscribers) < 1:
            raise BadInput("of fixes and subscribers there must be one at least")
        if self.rate_per_s <= 0 or self.duration_s <= 0:
            raise BadInput(f"a rate of {self.rate_per_s} fixes/s for {self.duration_s} s cannot be sent")


def run_gateway(job: GatewayJob, session: Session) -> None:
    """Measure all of it and report; raises Unavailable where something does not answer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    base = worker_settings(session.scratch, session.graph_dir, job.partitions)
    ensure_topics(base)
    settings = gateway_settings(base)
    folder = session.scratch.folder
    found: dict[str, tuple[float, str]] = {}
    with GatewayProcess(settings, folder / "gateway.log") as gateway:
        for name, count, send in (
            ("ws_batch_fixes_per_core_s", job.batch_fixes, _batches),
            ("ws_single_fixes_per_core_s", job.single_fixes, _singles),
            ("http_fixes_per_core_s", job.http_fixes, _posts),
        ):
            session.say(f"{name}: {count:,} fixes")
            asyncio.run(send(gateway, count // 10))  # warm
            begun_s = gateway.cpu_s
            asyncio.run(send(gateway, count))
            found[name] = count / (gateway.cpu_s - begun_s), "fixes/s"
    with GatewayProcess(settings, folder / "gateway.log") as gateway:
        session.say(f"{job.subscribers:,} subscribers that only listen")
        bytes_ = asyncio.run(_idle(gateway, job.subscribers))
        found[f"idle_{job.subscribers}_subscribers_mib"] = bytes_ / 2**20, "MiB"
    latency = _latency(job, session, base)
    session.say(f"{job.plans} plans by request")
    found["plan_p99_ms"] = plan_p99_ms(session, base, job.plans, job.seed), "ms"
    about: dict[str, object] = {
        "partitions": job.partitions, "seed": job.seed, "rate_per_s": job.rate_per_s,
        "updates": len(latency), "batch": BATCH, "connections": SENDERS, "targets": TARGETS,
    }  # fmt: skip
    found["fix_to_subscriber_p50_ms"] = float(np.percentile(latency, 50.0)) * 1000.0, "ms"
    found["fix_to_subscriber_p99_ms"] = float(np.percentile(latency, 99.0)) * 1000.0, "ms"
    session.report([(name, value, unit) for name, (value, unit) in found.items()], about)


# ---- how much it takes


def _fix(ts: float, number: int) -> dict[str, float]:
    along = (number % 5_000) * 1e-5
    return {
        "ts": round(ts, 3),
        "lat": round(55.67 + along, 6),
        "lon": 12.57,
        "accuracy_m": 5.2,
        "speed_mps": 1.4,
    }


async def _batches(gateway: GatewayProcess, count: int) -> None:
    await _stream_all(gateway, count, BATCH)


async def _singles(gateway: GatewayProcess, count: int) -> None:
    await _stream_all(gateway, count, 1)


async def _stream_all(gateway: GatewayProcess, count: int, batch: int) -> None:
    messages = max(1, count // (SENDERS * batch))
    now = time.time() - 3_600.0
    texts = [
        orjson.dumps({"seq": seq, "fixes": [_fix(now + seq * batch + k, seq + k) for k in range(batch)]})
        for seq in range(messages)
    ]

    async def send(phone: Phone) -> None:
        socket = await connect(client, gateway.url, phone)
        acknowledged = 0
        for seq, text in enumerate(texts):
            await socket.send_frame(text, WSMsgType.TEXT)
            if seq - acknowledged >= UNANSWERED:
                acknowledged += await _acknowledged(socket)
        while acknowledged < messages:
            acknowledged += await _acknowledged(socket)
        await socket.close()

    async with session() as client:
        phones = await register(client, gateway.url, SENDERS)
        await asyncio.gather(*(send(phone) for phone in phones))


async def _acknowledged(socket: aiohttp.ClientWebSocketResponse) -> int:
    message = await socket.receive()
    if message.type != WSMsgType.TEXT or not message.data.startswith('{"ack"'):
        raise Unavailable(f"the gateway answered {message.data!r} instead of acknowledging")
    return 1


async def _posts(gateway: GatewayProcess, count: int) -> None:
    now = time.time() - 3_600.0
    each = count // SENDERS

    async def post(phone: Phone) -> None:
        headers = {"Authorization": f"Bearer {phone.token}"}
        for number in range(each):
            body = orjson.dumps(_fix(now + number, number))
            async with client.post(f"{gateway.url}/v1/fixes", data=body, headers=headers) as answer:
                if answer.status != 202:
                    raise Unavailable(f"the gateway answered {answer.status}: {await answer.text()}")

    async with session() as client:
        phones = await register(client, gateway.url, SENDERS)
        await asyncio.gather(*(post(phone) for phone in phones))


async def _idle(gateway: GatewayProcess, count: int) -> int:
    """The gateway's memory with so many open streams."""
    async with session() as client:
        phones = await register(client, gateway.url, count)

        async def one(phone: Phone) -> aiohttp.ClientWebSocketResponse:
            return await connect(client, gateway.url, phone)

        sockets = await in_turns(one, phones, CONNECTED_AT_ONCE)
        await asyncio.sleep(SETTLE_S)
        taken = gateway.own_bytes
        await asyncio.gather(*(socket.close() for socket in sockets))
    return taken


# ---- how soon subscribers hear


@dataclass
class _Walkers:
    """Phones that send a fix a second each, and hear what comes of it on the same connection."""

    sent_at_s: dict[Moment, float] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)

    async def walk(self, url: str, phones: list[Phone], ticks: list[Tick], begun: Callable[[], None]) -> None:
        async with session() as client:

            async def one(phone: Phone) -> aiohttp.ClientWebSocketResponse:
                socket = await connect(client, url, phone)
                await socket.send_str('{"resume":"none"}')
                return socket

            sockets = await in_turns(one, phones, CONNECTED_AT_ONCE)
            listening = [asyncio.create_task(self._listen(socket)) for socket in sockets]
            await asyncio.sleep(SETTLE_S)
            begun()
            due_s = time.perf_counter()
            for tick in ticks:
                for k, (phone, socket) in enumerate(zip(phones, sockets, strict=True)):
                    if (left_s := due_s - time.perf_counter()) > 0.0:
                        await asyncio.sleep(left_s)
                    due_s += 1.0 / len(phones)
                    await self._send(phone, socket, tick, k)
            await asyncio.sleep(SETTLE_S)
            for task in listening:
                if task.done():
                    task.result()  # raises what ended it
                task.cancel()
            await asyncio.gather(*(socket.close() for socket in sockets))

    async def _send(self, phone: Phone, socket: aiohttp.ClientWebSocketResponse, tick: Tick, k: int) -> None:
        fix = {
            "ts": round(tick.ts_s, 3),
            "lat": round(float(tick.lat[k]), 6), "lon": round(float(tick.lon[k]), 6),
            "accuracy_m": float(tick.accuracy_m[k]), "speed_mps": float(tick.speed_mps[k]),
        }  # fmt: skip
        text = orjson.dumps({"seq": len(self.sent_at_s), "fixes": [fix]})
        self.sent_at_s[moment(phone.device, tick.ts_s)] = time.perf_counter()
        await socket.send_frame(text, WSMsgType.TEXT)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            at_s = time.perf_counter()
            if message.data.startswith('{"error"'):
                raise Unavailable(f"the gateway answered {message.data}")
            if not message.data.startswith('{"update"'):
                continue
            update: dict[str, Any] = orjson.loads(message.data)["update"]
            self.heard.append(
                Heard(
                    at_s, update["device"], update["trip"], update["version"], update["reason"],
                    update.get("fix_ts"), None, b"",
                )
            )  # fmt: skip


def _latency(job: GatewayJob, session: Session, base: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds from sending a fix to having the update that it caused, worker and broker beside it."""
    settings = gateway_settings(base)
    folder = session.scratch.folder
    count = max(1, round(job.rate_per_s))
    tracks = walks(session.graph, (), count, BACK_M + WALKED_M, job.seed)
    with (
        Listener(session.scratch.bootstrap, job.partitions) as listener,
        Worker(base, folder / "worker.log"),
        GatewayProcess(settings, folder / "gateway.log") as gateway,
    ):
        phones = asyncio.run(_registered(gateway.url, count))
        ticks = int(job.warm_s + job.duration_s)
        start_s = float(int(time.time()) - int((STEP_S - 1.0) * ticks))  # so that they end in the present
        names = tuple(phone.device for phone in phones)
        walk = Walk(tracks, start_s, job.seed, step_s=STEP_S, begin_m=BACK_M, names=names)
        session.say(f"asking for {count:,} routes")
        ask_for_routes(session.scratch.bootstrap, walk.devices(), ways_back(tracks), start_s - 1.0)
        routes_of(listener, walk.devices(), 300.0)
        session.say(f"sending {job.rate_per_s:,.0f} fixes/s for {ticks} s")
        walkers, begun_s = _Walkers(), list[float]()
        asyncio.run(
            walkers.walk(
                gateway.url,
                phones,
                list(walk_ticks(walk, ticks)),
                lambda: begun_s.append(time.perf_counter()),
            )
        )
    found = latencies_s(walkers.sent_at_s, walkers.heard, begun_s[0] + job.warm_s)
    enough = min(FEWEST_UPDATES, int(job.rate_per_s * job.duration_s / 30.0))
    if len(found) < enough:
        raise Unavailable(
            f"{len(walkers.sent_at_s):,} fixes caused {len(found)} updates, {enough} are needed"
        )
    return found


async def _registered(url: str, count: int) -> list[Phone]:
    async with session() as client:
        return await register(client, url, count)
