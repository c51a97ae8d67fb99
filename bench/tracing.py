"""`flaneur bench tracing`: what it costs a worker that some fixes, or all of them, are traced.

Walkers on the streets of the graph, without trips: their fixes are matched and kept in windows. The same
fixes are preloaded with a trace context in the headers of none, of one in a hundred or of all, in turns, and
a fresh worker takes them, with a collector beside it that takes the spans.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

from confluent_kafka.admin import AdminClient

from bench.rig.collector import Collector
from bench.rig.fixes import WALKING_MPS, Walk
from bench.rig.scratch import preload
from bench.rig.session import Session
from bench.rig.tracks import walk_streets
from bench.rig.worker import worker_settings
from bench.stream import START_S, Run, StreamJob, measure_afresh, rates
from geo.errors import Unavailable
from streams.kafka.topics import GPS_FIXES, ensure_topics
from streams.settings import Settings
from streams.telemetry.tracing import TRACEPARENT, Headers

GONE_WITHIN_S = 30.0


@dataclass(frozen=True)
class Mode:
    """A share of the fixes that has a trace context, and whether the worker makes spans for them."""

    name: str
    share: float
    on: bool


MODES = (
    Mode("off", 0.0, False),
    Mode("on_nothing_traced", 0.0, True),
    Mode("off_all_have_headers", 1.0, False),
    Mode("one_in_100_traced", 0.01, True),
    Mode("all_traced", 1.0, True),
)


def run_tracing(job: StreamJob, session: Session) -> None:
    """Measure every mode `runs` times, in turns, and report the medians beside those with tracing off."""
    settings = worker_settings(session.scratch, session.graph_dir, job.partitions)
    length_m = 1.5 * WALKING_MPS * -(-(job.fixes + job.warm) // job.devices) + 20.0
    walk = Walk(walk_streets(session.graph, job.devices, length_m, job.seed), START_S, job.seed)
    found: dict[str, list[Run]] = {mode.name: [] for mode in MODES}
    spans: dict[str, int] = {}
    for number in range(job.runs):
        for mode in MODES:
            _empty(settings)
            bootstrap = session.scratch.bootstrap
            sent = preload(
                bootstrap, GPS_FIXES, walk, job.warm + job.fixes, session.say, contexts(mode.share, job.seed)
            )
            session.say(f"measuring {mode.name}, {number + 1} of {job.runs}")
            with Collector(keep=False) as collector:
                own = replace(settings, trace_sample_ratio=float(mode.on), trace_endpoint=collector.endpoint)
                run = measure_afresh(own, f"{mode.name}{number}", session, job.warm, sent)
                found[mode.name].append(run)
                spans[mode.name] = collector.count
    off = median(rates(run)[0][1] for run in found["off"])
    for mode in MODES:
        of_runs = [rates(run)[0][1] for run in found[mode.name]]
        about: dict[str, object] = {
            "mode": mode.name,
            "fixes": round(median(run.fixes for run in found[mode.name])),
            "warm": job.warm,
            "devices": job.devices,
            "partitions": job.partitions,
            "seed": job.seed,
            "runs": job.runs,
            "graph_edges": session.graph.edge_count,
            "spans_collected": spans[mode.name],
            "fixes_per_core_s_of_runs": [round(rate) for rate in of_runs],
        }
        figures = [
            (f"{mode.name}_fixes_per_core_s", median(of_runs), "fixes/s"),
            (f"{mode.name}_cost_share", 1.0 - median(of_runs) / off, ""),
        ]
        session.report(figures, about)


def contexts(share: float, seed: int) -> Callable[[], Headers | None]:
    """The headers of message after message: a trace context of its own for so many of them."""
    if share == 0.0:
        return lambda: None
    draw = random.Random(seed)

    def headers() -> Headers | None:
        if draw.random() >= share:
            return None
        context = f"00-{draw.getrandbits(128) | 1:032x}-{draw.getrandbits(64) | 1:016x}-01"
        return [(TRACEPARENT, context.encode())]

    return headers


def _empty(settings: Settings) -> None:
    """Begin with an empty topic: the fixes of the mode before are in it."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap, "log_level": 0})
    give_up = time.monotonic() + GONE_WITHIN_S
    while GPS_FIXES in admin.list_topics(timeout=10).topics:
        for deleted in admin.delete_topics([GPS_FIXES]).values():
            deleted.exception(timeout=20)
        if time.monotonic() > give_up:
            raise Unavailable(f"{GPS_FIXES} does not go away")
        time.sleep(0.1)
    ensure_topics(settings)
