"""`flaneur bench gateway`: what one gateway process takes in, how soon its subscribers hear, what they cost.

Rates are fixes that Kafka has acknowledged, per second of the gateway's own CPU time (all its threads):
broker, worker and the clients of this benchmark run beside it on the same cores. Planning by request is as
`bench.gateway_plan` measures it over HTTP, the page as `bench.gateway_web` does.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.gateway_heard import HeardJob, heard_s
from bench.gateway_intake import BATCH, SENDERS, bytes_with_idle, send_batches, send_posts, send_singles
from bench.gateway_plan import plan_p99_ms
from bench.gateway_web import TARGETS as WEB_TARGETS
from bench.gateway_web import open_page, program_of_browser
from bench.rig.gateway_process import GatewayProcess, gateway_settings
from bench.rig.session import Session
from bench.rig.worker import worker_settings
from geo.errors import BadInput, Unavailable
from streams.kafka.topics import ensure_topics
from streams.settings import Settings

TARGETS = {
    "ws_batch_fixes_per_core_s": 20_000.0,
    "ws_single_fixes_per_core_s": 3_000.0,
    "fix_to_subscriber_p99_ms": 80.0,
    "idle_5000_subscribers_mib": 300.0,
    "plan_p99_ms": 30.0,
    **WEB_TARGETS,
}

#: (metric, value, unit)
Row = tuple[str, float, str]


@dataclass(frozen=True)
class GatewayJob:
    """How much is sent, how fast, how many only listen, how often is planned and the page opened."""

    batch_fixes: int = 400_000
    single_fixes: int = 40_000
    http_fixes: int = 20_000
    rate_per_s: float = 1_000.0
    duration_s: float = 20.0
    warm_s: float = 10.0
    subscribers: int = 5_000
    plans: int = 300
    pages: int = 5
    partitions: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.batch_fixes, self.single_fixes, self.http_fixes, self.subscribers) < 1:
            raise BadInput("of fixes and subscribers there must be one at least")
        if min(self.plans, self.pages) < 1:
            raise BadInput(f"{self.plans} plans and {self.pages} pages cannot be measured: one at least")
        _ = self.heard

    @property
    def heard(self) -> HeardJob:
        return HeardJob(self.rate_per_s, self.duration_s, self.warm_s, self.seed)


def run_gateway(job: GatewayJob, session: Session) -> None:
    """Measure all of it and report, part by part; raises Unavailable where something does not answer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    base = worker_settings(session.scratch, session.graph_dir, job.partitions)
    ensure_topics(base)
    about: dict[str, object] = {
        "partitions": job.partitions, "seed": job.seed, "rate_per_s": job.rate_per_s,
        "batch": BATCH, "connections": SENDERS, "targets": TARGETS,
    }  # fmt: skip
    parts: tuple[tuple[str, Callable[[GatewayJob, Session, Settings], list[Row]]], ...] = (
        (f"publishing {job.batch_fixes + job.single_fixes + job.http_fixes:,} fixes", _intake),
        (f"{job.subscribers:,} subscribers that only listen", _idle),
        (f"{job.rate_per_s:,.0f} fixes/s, and who hears of them", _heard),
        (f"{job.plans} plans by request", _plans),
        (f"{job.pages} times the page with nothing cached", _page),
    )
    for done, (what, measure) in enumerate(parts):
        session.say(what)
        session.progress(what, done, len(parts))
        session.report(measure(job, session, base), about)
    session.progress("measured", len(parts), len(parts))


def _intake(job: GatewayJob, session: Session, base: Settings) -> list[Row]:
    rows: list[Row] = []
    with GatewayProcess(gateway_settings(base), session.scratch.folder / "gateway.log") as gateway:
        for name, count, send in (
            ("ws_batch_fixes_per_core_s", job.batch_fixes, send_batches),
            ("ws_single_fixes_per_core_s", job.single_fixes, send_singles),
            ("http_fixes_per_core_s", job.http_fixes, send_posts),
        ):
            session.say(f"{name}: {count:,} fixes")
            asyncio.run(send(gateway, count // 10))  # warm
            begun_s = gateway.cpu_s
            asyncio.run(send(gateway, count))
            rows.append((name, count / (gateway.cpu_s - begun_s), "fixes/s"))
    return rows


def _idle(job: GatewayJob, session: Session, base: Settings) -> list[Row]:
    with GatewayProcess(gateway_settings(base), session.scratch.folder / "gateway.log") as gateway:
        taken = asyncio.run(bytes_with_idle(gateway, job.subscribers))
    return [(f"idle_{job.subscribers}_subscribers_mib", taken / 2**20, "MiB")]


def _heard(job: GatewayJob, session: Session, base: Settings) -> list[Row]:
    found_ms = heard_s(job.heard, session, base) * 1000.0
    return [
        ("fix_to_subscriber_updates", float(len(found_ms)), "updates"),
        ("fix_to_subscriber_p50_ms", float(np.percentile(found_ms, 50.0)), "ms"),
        ("fix_to_subscriber_p99_ms", float(np.percentile(found_ms, 99.0)), "ms"),
    ]


def _plans(job: GatewayJob, session: Session, base: Settings) -> list[Row]:
    return [("plan_p99_ms", plan_p99_ms(session, base, job.plans, job.seed), "ms")]


def _page(job: GatewayJob, session: Session, base: Settings) -> list[Row]:
    try:
        program = program_of_browser()
    except Unavailable as error:
        session.warn(f"{' and '.join(WEB_TARGETS)} are not measured: {error}")
        return []
    page = open_page(session, base, program, job.pages)
    return page.rows()
