"""`flaneur bench pipeline`: match, features, trip and decision for walkers who each follow a route.

The worker first answers everybody's request; the fixes then go along the very routes that it proposed (a
small share of the walkers strays from them), are preloaded while no worker runs, and are then measured.
"""

from __future__ import annotations

from collections import Counter

from bench.rig.fixes import WALKING_MPS, Walk
from bench.rig.recorded import recorded_tracks
from bench.rig.scratch import preload
from bench.rig.session import Session
from bench.rig.walkers import Listener, ask_for_routes, draw_pairs, follow_routes, routes_of, ways_along
from bench.rig.worker import Worker, worker_settings
from bench.stream import StreamJob, measure_worker, rates
from streams.kafka.topics import GPS_FIXES, ensure_topics

START_S = 1_750_000_020.0
STRAY_SHARE = 0.02
ANSWER_WITHIN_S = 300.0


def run_pipeline(job: StreamJob, session: Session) -> None:
    """Plan everybody's route, walk them, and report."""
    graph, scratch = session.graph, session.scratch
    settings = worker_settings(scratch, session.graph_dir, job.partitions)
    ensure_topics(settings)
    walked_m = WALKING_MPS * (job.fixes + job.warm) / job.devices
    devices = [f"d{walker:06d}" for walker in range(job.devices)]
    recorded = recorded_tracks(job.traces, job.devices, walked_m, job.seed) if job.traces else None
    wishes = (
        draw_pairs(graph, job.devices, max(1.3 * walked_m, 300.0), job.seed)
        if recorded is None
        else ways_along(recorded)
    )
    log = scratch.folder / "worker.log"
    session.say(f"asking for {job.devices:,} routes")
    with Listener(scratch.bootstrap, job.partitions) as listener, Worker(settings, log):
        ask_for_routes(scratch.bootstrap, devices, wishes, START_S - 1.0)
        routes = routes_of(listener, devices, ANSWER_WITHIN_S)
    if recorded is None:  # who got no route stays at home
        tracks = follow_routes(graph, list(routes.values()), STRAY_SHARE, walked_m, job.seed)
        walk = Walk(tracks, START_S, job.seed, names=tuple(routes))
    else:
        walk = Walk(recorded, START_S, job.seed, names=tuple(devices))
    sent = preload(scratch.bootstrap, GPS_FIXES, walk, job.warm + job.fixes, session.say)
    session.say("measuring flaneur")
    with Listener(scratch.bootstrap, job.partitions) as listener:
        run = measure_worker(Worker(settings, log), job.warm, sent)
    reasons = Counter(update.reason for update in listener.heard if update.reason != "requested")
    about: dict[str, object] = {
        "fixes": run.fixes,
        "warm": run.first.fixes,
        "devices": len(walk.devices()),
        "partitions": job.partitions,
        "seed": job.seed,
        "graph_edges": graph.edge_count,
        "stray_share": STRAY_SHARE if recorded is None else None,
        "traces": list(job.traces),
        "updates": dict(reasons),
    }
    session.report(rates(run), about)
