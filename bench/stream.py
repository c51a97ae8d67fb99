"""`flaneur bench stream`: fixes in, windows kept, through Kafka and Faust; and the peers at the same job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.fixes import WALKING_MPS, Walk
from bench.peers import Peer
from bench.peers.run import run_peer
from bench.scratch import preload
from bench.session import Session
from bench.tracks import wander
from bench.worker import Sample, Worker, worker_settings
from geo.errors import BadInput, Unavailable
from streams.topics import GPS_FIXES, ensure_topics

START_S = 1_750_000_020.0  # event time of the first fix, the start of a 60 s window
TAKE_WITHIN_S = 900.0


@dataclass(frozen=True)
class StreamJob:
    """How much to send: `warm` fixes that are not measured, then `fixes` that are."""

    fixes: int = 1_000_000
    warm: int = 1_000_000
    devices: int = 5_000
    partitions: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("fixes", "devices", "partitions"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}, it must be 1 or more")


def stream_walk(job: StreamJob) -> Walk:
    """Everybody wanders: windows do not care where the streets are."""
    ticks = -(-(job.fixes + job.warm) // job.devices)
    return Walk(wander(job.devices, 1.5 * WALKING_MPS * ticks + 20.0, job.seed), START_S, job.seed)


def run_stream(job: StreamJob, peers: Sequence[Peer], session: Session) -> None:
    """Preload, measure the worker, measure every peer on the same topic, and report."""
    bootstrap = session.scratch.bootstrap
    settings = worker_settings(session.scratch, session.graph_dir, job.partitions, ingest_only=True)
    ensure_topics(settings)
    sent = preload(bootstrap, GPS_FIXES, stream_walk(job), job.warm + job.fixes, session.say)
    session.say("measuring flaneur")
    worker = Worker(settings, session.scratch.folder / "worker.log")
    first, last, stored = measure_worker(worker, job.warm, sent)
    about: dict[str, object] = {
        "fixes": last.fixes - first.fixes,
        "warm": first.fixes,
        "devices": job.devices,
        "partitions": job.partitions,
        "seed": job.seed,
    }
    figures = rates(first, last, stored)
    session.report(figures, about)
    for peer in peers:
        session.say(f"measuring {peer.name}")
        try:
            outcome = run_peer(peer, bootstrap, GPS_FIXES, job.partitions, job.warm, job.fixes)
        except Unavailable as error:
            session.warn(str(error))
            continue
        theirs = {"peer_is": peer.what, "peer_version": outcome.version, "peer_fixes": outcome.fixes}
        session.report(
            figures, {**about, **theirs}, peer.name, (outcome.fixes_per_core_s, outcome.fixes_per_s)
        )


def measure_worker(worker: Worker, warm: int, sent: int) -> tuple[Sample, Sample, Sample]:
    """Let a worker take everything: the samples after the warm-up, after the last fix, and once it is stored.

    Start-up and compilation come before the first sample; writing the last checkpoint is before the third.
    """
    worker.start()
    try:
        first = worker.wait_for_fixes(max(warm, 1), TAKE_WITHIN_S)
        last = worker.wait_for_fixes(sent, TAKE_WITHIN_S)
        stored = worker.wait_for_checkpoint()
    finally:
        worker.stop()
    if last.fixes - first.fixes < (sent - warm) / 2:
        raise BadInput(
            f"{first.fixes:,} of {sent:,} fixes were gone at the first look, {warm:,} should have been:"
            " ask for more with --fixes, they pass too quickly to be measured"
        )
    return first, last, stored


def rates(first: Sample, last: Sample, stored: Sample) -> list[tuple[str, float, str]]:
    """Fixes per second of CPU time, the last checkpoint's included, and per second on the clock."""
    fixes = last.fixes - first.fixes
    return [
        ("fixes_per_core_s", fixes / max(stored.cpu_s - first.cpu_s, 1e-9), "fixes/s"),
        ("fixes_per_s", fixes / max(last.wall_s - first.wall_s, 1e-9), "fixes/s"),
    ]
