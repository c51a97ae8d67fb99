"""`flaneur bench stream`: fixes in, windows kept, through Kafka and Faust; and the peers at the same job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.peers import Peer
from bench.peers.run import Outcome, run_peer
from bench.rig.fixes import WALKING_MPS, Walk
from bench.rig.recorded import recorded_tracks
from bench.rig.scratch import preload
from bench.rig.session import Session
from bench.rig.tracks import wander
from bench.rig.worker import Sample, Worker, worker_settings
from geo.errors import BadInput, Unavailable
from streams.kafka.topics import GPS_FIXES, ensure_topics
from streams.local.processes import any_port
from streams.settings import Settings

START_S = 1_750_000_020.0  # event time of the first fix, the start of a 60 s window
TAKE_WITHIN_S = 900.0
KAFKA_STREAMS = "kafka-streams"
BEST = "kafka-streams-best"


@dataclass(frozen=True)
class StreamJob:
    """How much to send: `warm` fixes that are not measured, then `fixes` that are, `runs` times."""

    fixes: int = 1_000_000
    warm: int = 1_000_000
    devices: int = 5_000
    partitions: int = 4
    seed: int = 1
    runs: int = 1
    traces: tuple[str, ...] = ()  # files with recorded walks

    def __post_init__(self) -> None:
        for name in ("fixes", "devices", "partitions", "runs"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}, it must be 1 or more")


@dataclass(frozen=True)
class Run:
    """One run of a worker: the samples after the warm-up, after the last fix, and once it is stored."""

    first: Sample
    last: Sample
    stored: Sample

    @property
    def fixes(self) -> int:
        return self.last.fixes - self.first.fixes


def stream_walk(job: StreamJob) -> Walk:
    """Everybody wanders, or walks as recorded: windows do not care where the streets are."""
    length_m = 1.5 * WALKING_MPS * -(-(job.fixes + job.warm) // job.devices) + 20.0
    tracks = (
        recorded_tracks(job.traces, job.devices, length_m, job.seed)
        if job.traces
        else wander(job.devices, length_m, job.seed)
    )
    return Walk(tracks, START_S, job.seed)


def preload_stream(job: StreamJob, session: Session) -> tuple[Settings, int]:
    """Settings of a worker that only ingests, and how many fixes wait for it."""
    settings = worker_settings(session.scratch, session.graph_dir, job.partitions, ingest_only=True)
    ensure_topics(settings)
    bootstrap = session.scratch.bootstrap
    sent = preload(bootstrap, GPS_FIXES, stream_walk(job), job.warm + job.fixes, session.say)
    return settings, sent


def run_stream(job: StreamJob, peers: Sequence[Peer], session: Session) -> None:
    """Preload, then measure the worker and every peer on the same topic, in turns; report the medians."""
    settings, sent = preload_stream(job, session)
    ours: list[Run] = []
    theirs: dict[str, list[Outcome]] = {}
    for number in range(job.runs):
        session.say(f"measuring flaneur, {number + 1} of {job.runs}")
        ours.append(measure_afresh(settings, f"run{number}", session, job.warm, sent))
        for peer in peers:
            session.say(f"measuring {peer.name}, {number + 1} of {job.runs}")
            try:
                outcome = run_peer(
                    peer, session.scratch.bootstrap, GPS_FIXES, job.partitions, job.warm, job.fixes
                )
            except Unavailable as error:
                session.warn(str(error))
                continue
            theirs.setdefault(peer.name, []).append(outcome)
    _report(job, ours, {peer.name: peer for peer in peers}, theirs, session)


def measure_afresh(settings: Settings, name: str, session: Session, warm: int, sent: int) -> Run:
    """Let a worker without any state take everything, in a consumer group of this name."""
    fresh = replace(settings, group=f"{settings.group}-{name}", metrics_port=any_port())
    ensure_topics(fresh)
    return measure_worker(Worker(fresh, session.scratch.folder / "worker.log"), warm, sent)


def measure_worker(worker: Worker, warm: int, sent: int) -> Run:
    """Let a worker take everything.

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
    return Run(first, last, stored)


def rates(run: Run) -> list[tuple[str, float, str]]:
    """Fixes per second of CPU time, the last checkpoint's included, and per second on the clock."""
    return [
        ("fixes_per_core_s", run.fixes / max(run.stored.cpu_s - run.first.cpu_s, 1e-9), "fixes/s"),
        ("fixes_per_s", run.fixes / max(run.last.wall_s - run.first.wall_s, 1e-9), "fixes/s"),
    ]


def median_rates(runs: Sequence[Run]) -> list[tuple[str, float, str]]:
    """`rates`, of several runs the median of each."""
    columns = zip(*(rates(run) for run in runs), strict=True)
    return [(column[0][0], median(value for _, value, _ in column), column[0][2]) for column in columns]


def _report(
    job: StreamJob,
    ours: Sequence[Run],
    peers: Mapping[str, Peer],
    theirs: Mapping[str, list[Outcome]],
    session: Session,
) -> None:
    about: dict[str, object] = {
        "fixes": round(median(run.fixes for run in ours)),
        "warm": round(median(run.first.fixes for run in ours)),
        "devices": job.devices,
        "partitions": job.partitions,
        "seed": job.seed,
        "runs": job.runs,
        "traces": list(job.traces),
        "fixes_per_core_s_of_runs": [round(rates(run)[0][1]) for run in ours],
    }
    figures = median_rates(ours)
    session.report(figures, about)
    medians = {
        name: (
            median(outcome.fixes_per_core_s for outcome in outcomes),
            median(outcome.fixes_per_s for outcome in outcomes),
        )
        for name, outcomes in theirs.items()
    }
    for name, values in medians.items():
        outcomes = theirs[name]
        what = {
            "peer_is": peers[name].what,
            "peer_version": outcomes[0].version,
            "peer_fixes": outcomes[0].fixes,
            "peer_fixes_per_core_s_of_runs": [round(outcome.fixes_per_core_s) for outcome in outcomes],
        }
        session.report(figures, {**about, **what}, name, values)
    best = max(
        (name for name in medians if name.startswith(KAFKA_STREAMS)),
        key=lambda name: medians[name][0],
        default=None,
    )
    if best is not None:
        what = {"peer_is": f"per CPU second the best configuration of Kafka Streams: {best}"}
        session.report(figures, {**about, **what}, BEST, medians[best])
