"""How soon the subscribers of a gateway hear: from sending a fix to having the update that it caused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import orjson
from aiohttp import WSMsgType

from bench.gateway_intake import CONNECTED_AT_ONCE, SETTLE_S
from bench.latency import (
    BACK_M,
    FEWEST_UPDATES,
    STEP_S,
    WALKED_M,
    latencies_s,
    one_after_another_s,
    ways_back,
)
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
from bench.rig.worker import Worker
from geo.errors import BadInput, Unavailable
from geo.graph import F64
from streams.settings import Settings


@dataclass(frozen=True)
class HeardJob:
    """So many fixes a second, one a walker, for so long after warming up."""

    rate_per_s: float
    duration_s: float
    warm_s: float
    seed: int

    def __post_init__(self) -> None:
        if self.rate_per_s <= 0 or self.duration_s <= 0:
            raise BadInput(f"a rate of {self.rate_per_s} fixes/s for {self.duration_s} s cannot be sent")


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


def heard_s(job: HeardJob, session: Session, base: Settings) -> F64:
    """(updates,) s from sending a fix to having the update that it caused, worker and broker beside it."""
    settings = gateway_settings(base)
    folder = session.scratch.folder
    count = max(1, round(job.rate_per_s))
    tracks = walks(session.graph, (), count, BACK_M + WALKED_M, job.seed)
    with (
        Listener(session.scratch.bootstrap, base.partitions) as listener,
        Worker(base, folder / "worker.log"),
        GatewayProcess(settings, folder / "gateway.log") as gateway,
    ):
        phones = asyncio.run(_registered(gateway.url, count))
        ticks = int(job.warm_s + job.duration_s)
        start_s = float(int(time.time()) - int((STEP_S - 1.0) * ticks))  # so that they end in the present
        names = tuple(phone.device for phone in phones)
        walk = Walk(tracks, start_s, job.seed, step_s=STEP_S, begin_m=BACK_M, names=names)
        walk = replace(walk, stand_s=one_after_another_s(walk, ticks))
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
