"""`flaneur bench gateway-plan`: one proposal by request, and where planning had best be done.

Requests come at a steady rate whether or not those before are answered, so that waiting counts.
`plan_p99_ms` is what a client sees of a whole gateway. Compared are a process beside an event loop (as the
gateway does it), a thread in it, the loop itself, and a worker over Kafka; but for the last the loop has work
of its own, as with phones that publish, and how late it comes to that is the other half of the comparison.
What a plan takes of one core is told besides: that alone does not suffer from what else runs on the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from bench.rig.draws import random_tastes
from bench.rig.gateway_process import GatewayProcess, gateway_settings, register
from bench.rig.gateway_process import session as client_session
from bench.rig.scratch import fixes_producer, flush
from bench.rig.session import Session
from bench.rig.timing import Samples, percentile
from bench.rig.walkers import Listener, draw_pairs
from bench.rig.worker import Worker, worker_settings
from gateway.planning.planner import Planner
from gateway.planning.pool import PlannerPool
from gateway.planning.requests import Propose, RoutesBody
from geo.errors import BadInput, NoCandidate, NoRoute, Unavailable
from geo.graph import Graph
from models.records import RouteRequest, encode
from streams.kafka.topics import ROUTE_REQUESTS, ensure_topics
from streams.settings import Settings
from streams.worker.network_service import NetworkService

APART_M = 1_500.0
LOOPS_M = (2_000.0, 3_000.0, 5_000.0)
BURST_S = 0.002  # of the event loop's own work
WARM = 20
ANSWER_WITHIN_S = 120.0  # the first start on a machine compiles every kernel

Ask = Callable[[RoutesBody], Awaitable[object]]


@dataclass(frozen=True)
class PlanJob:
    """So many requests at a rate; `busy` is the share of the event loop's time that other work takes."""

    plans: int = 500
    rate_per_s: float = 20.0
    busy: float = 0.4
    seed: int = 1
    partitions: int = 4

    def __post_init__(self) -> None:
        if self.plans < 1 or self.rate_per_s <= 0 or not 0.0 <= self.busy < 0.9:
            raise BadInput(f"{self.plans} plans at {self.rate_per_s}/s beside {self.busy} cannot be measured")


@dataclass
class Latencies:
    """Of the requests, from when each was due; and of the event loop's own work."""

    plan_ms: list[float]
    loop_ms: list[float]
    failed: int = 0


def wishes(graph: Graph, count: int, seed: int) -> list[RoutesBody]:
    """Loops and ways in turn, each with a taste of its own: no metric is known before."""
    pairs = draw_pairs(graph, count, APART_M, seed)
    tastes = random_tastes(count, seed)
    return [
        RoutesBody("to", pair.lat, pair.lon, pair.dest_lat, pair.dest_lon, taste=taste, propose=1)
        if i % 2
        else RoutesBody(
            "loop", pair.lat, pair.lon, length_m=LOOPS_M[i // 2 % len(LOOPS_M)], taste=taste, propose=1
        )
        for i, (pair, taste) in enumerate(zip(pairs, tastes, strict=True))
    ]


async def plan_latencies(ask: Ask, asked: list[RoutesBody], rate_per_s: float) -> Latencies:
    """Ask at a steady rate; what has no way on the graph is not counted, other errors are raised."""
    found = Latencies([], [])

    async def one(body: RoutesBody, due_s: float) -> None:
        try:
            await ask(body)
        except (NoRoute, NoCandidate):
            found.failed += 1
            return
        found.plan_ms.append(1000.0 * (time.perf_counter() - due_s))

    begun_s = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for i, body in enumerate(asked):
            due_s = begun_s + i / rate_per_s
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            group.create_task(one(body, due_s))
    return found


def run_gateway_plan(job: PlanJob, session: Session) -> None:
    """Measure every host of the planner, and report."""
    base = worker_settings(session.scratch, session.graph_dir, job.partitions)
    ensure_topics(base)
    asked = wishes(session.graph, job.plans + WARM, job.seed)
    about: dict[str, object] = {
        "plans": job.plans, "rate_per_s": job.rate_per_s, "busy": job.busy, "seed": job.seed,
        "nodes": session.graph.node_count,
    }  # fmt: skip
    session.say("planning alone")
    _report_cpu(session, asyncio.run(_measure_cpu(base, asked)), about)
    session.say("planning over HTTP")
    _report(session, "", asyncio.run(_over_http(job, session, base, asked)), about)
    for name, host in (("process_", in_process), ("thread_", in_thread), ("loop_", in_loop)):
        session.say(f"planning in a {name.removesuffix('_')}")
        _report(session, name, asyncio.run(_measure(job, base, host, asked)), about)
    session.say("planning in a worker over Kafka")
    with Worker(base, session.scratch.folder / "worker.log"):
        _report(session, "kafka_", over_kafka(job, base, asked), about)


async def _measure_cpu(settings: Settings, asked: list[RoutesBody]) -> Samples:
    """One plan after the other with nothing beside it."""
    samples = Samples()
    async with _planner(settings) as planner:
        for i, body in enumerate(asked):
            job = partial(planner.answer, Propose(body))
            with contextlib.suppress(NoRoute, NoCandidate):
                _ = job() if i < WARM else samples.measure(job)
    return samples


def _report_cpu(session: Session, samples: Samples, about: dict[str, object]) -> None:
    figures = [
        ("plan_cpu_p50_ms", 1000.0 * samples.median_s, "ms"),
        ("plan_cpu_p99_ms", 1000.0 * samples.p99_s, "ms"),
    ]
    session.report(figures, about | {"answered": len(samples.cpu_s), "core_share": samples.core_share})


Host = Callable[[Settings], contextlib.AbstractAsyncContextManager[Ask]]


def plan_p99_ms(session: Session, settings: Settings, plans: int, seed: int) -> float:
    """Of one proposal by request, over HTTP, at PlanJob's rate."""
    job = PlanJob(plans, seed=seed)
    asked = wishes(session.graph, plans + WARM, seed)
    return percentile(asyncio.run(_over_http(job, session, settings, asked)).plan_ms, 99.0)


async def _over_http(
    job: PlanJob, session: Session, settings: Settings, asked: list[RoutesBody]
) -> Latencies:
    own = replace(gateway_settings(settings), gateway_planners=1)
    with GatewayProcess(own, session.scratch.folder / "gateway.log") as gateway:
        async with client_session() as client:
            (phone,) = await register(client, gateway.url, 1)
            headers = {"Authorization": f"Bearer {phone.token}"}

            async def ask(body: RoutesBody) -> None:
                data = msgspec.json.encode(body)
                async with client.post(f"{gateway.url}/v1/routes", data=data, headers=headers) as answer:
                    text = await answer.text()
                    if answer.status == 422:
                        raise NoRoute(text)
                    if answer.status != 200:
                        raise Unavailable(f"the gateway answered {answer.status}: {text}")

            await _first(ask, asked[0])
            await plan_latencies(ask, asked[:WARM], job.rate_per_s)
            return await plan_latencies(ask, asked[WARM:], job.rate_per_s)


async def _first(ask: Ask, body: RoutesBody) -> None:
    """Ask until somebody plans."""
    give_up_s = time.monotonic() + ANSWER_WITHIN_S
    while True:
        try:
            await ask(body)
        except Unavailable:
            if time.monotonic() > give_up_s:
                raise
            await asyncio.sleep(0.2)
        except NoRoute:
            return
        else:
            return


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncIterator[Ask]:
    """As the gateway does it."""
    pool = PlannerPool(replace(settings, gateway_planner_queue=10_000))
    await pool.start()
    try:
        await pool.wait_ready()
        yield lambda body: pool.ask(Propose(body))
    finally:
        await pool.close()


@asynccontextmanager
async def in_thread(settings: Settings) -> AsyncIterator[Ask]:
    """One thread, since a planner is not for two at once."""
    async with _planner(settings) as planner:
        with ThreadPoolExecutor(1) as thread:
            loop = asyncio.get_running_loop()
            yield lambda body: loop.run_in_executor(thread, planner.answer, Propose(body))


@asynccontextmanager
async def in_loop(settings: Settings) -> AsyncIterator[Ask]:
    """The event loop stands still meanwhile."""

    async def ask(body: RoutesBody) -> object:
        return planner.answer(Propose(body))

    async with _planner(settings) as planner:
        yield ask


@asynccontextmanager
async def _planner(settings: Settings) -> AsyncIterator[Planner]:
    service = NetworkService(settings)
    following = asyncio.create_task(service.follow())
    try:
        await service.ready.wait()
        yield Planner(service)
    finally:
        following.cancel()


async def _measure(job: PlanJob, settings: Settings, host: Host, asked: list[RoutesBody]) -> Latencies:
    async with host(settings) as ask:
        await plan_latencies(ask, asked[:WARM], job.rate_per_s)
        late_ms: list[float] = []
        working = asyncio.create_task(_work(job.busy, late_ms))
        found = await plan_latencies(ask, asked[WARM:], job.rate_per_s)
        working.cancel()
        found.loop_ms = late_ms
        return found


async def _work(busy: float, late_ms: list[float]) -> None:
    """The event loop's own work: bursts of it, and how late each began."""
    pause_s = BURST_S * (1.0 - busy) / busy if busy else BURST_S
    while True:
        due_s = time.perf_counter() + pause_s
        await asyncio.sleep(pause_s)
        late_ms.append(1000.0 * (time.perf_counter() - due_s))
        until_s = time.perf_counter() + (BURST_S if busy else 0.0)
        while time.perf_counter() < until_s:
            pass


def over_kafka(job: PlanJob, settings: Settings, asked: list[RoutesBody]) -> Latencies:
    """A request record in, the route update of a worker out; each by a walker of their own."""
    producer = fixes_producer(settings.bootstrap, linger_ms=0.0)
    due_s: dict[str, float] = {}
    with Listener(settings.bootstrap, settings.partitions) as listener:
        begun_s = time.perf_counter()
        for i, body in enumerate(asked):
            device = f"walker-{i}"
            due_s[device] = begun_s + i / job.rate_per_s
            time.sleep(max(0.0, due_s[device] - time.perf_counter()))
            record = RouteRequest(
                device=device, request=f"r{i}", ts=time.time(), kind=body.kind, lat=body.lat, lon=body.lon,
                dest_lat=body.dest_lat, dest_lon=body.dest_lon, length_m=body.length_m, taste=body.taste,
            )  # fmt: skip
            producer.produce(ROUTE_REQUESTS, encode(record), device.encode())
            producer.poll(0)
        flush(producer)
        listener.wait(lambda heard: len({one.device for one in heard}) >= len(asked), 5.0)
        heard = {one.device: one.at_s for one in listener.heard if one.reason == "requested"}
    measured = [name for name in due_s if int(name.removeprefix("walker-")) >= WARM and name in heard]
    return Latencies([1000.0 * (heard[n] - due_s[n]) for n in measured], [], job.plans - len(measured))


def _report(session: Session, name: str, found: Latencies, about: dict[str, object]) -> None:
    if len(found.plan_ms) < 0.8 * (len(found.plan_ms) + found.failed):
        raise Unavailable(f"{found.failed} of the requests had no answer: use a larger graph")
    figures = [
        (f"{name}plan_p50_ms", percentile(found.plan_ms, 50.0), "ms"),
        (f"{name}plan_p99_ms", percentile(found.plan_ms, 99.0), "ms"),
    ]
    if found.loop_ms:
        figures.append((f"{name}loop_late_p99_ms", percentile(found.loop_ms, 99.0), "ms"))
    session.report(figures, about | {"answered": len(found.plan_ms)})
