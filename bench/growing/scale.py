"""`flaneur bench scale`: what a walker costs, on one worker and on two, and what many walkers would.

Walkers without trips send a fix a second each, then as many with trips beside them; a second worker joins,
shares the load, and leaves. What each of them took more than before is what the capacity model
(`bench.growing.capacity`) multiplies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace

from confluent_kafka import Consumer, TopicPartition

from bench.growing.capacity import Assumptions, Capacity, Demand, Measured, capacity
from bench.growing.load import (
    LOOK_S,
    Load,
    Look,
    Took,
    behind_s,
    between,
    longest_gap_s,
    metrics_of,
    read,
)
from bench.growing.units import Units, measure_units
from bench.rig.fixes import WALKING_MPS, Walk
from bench.rig.scratch import preload
from bench.rig.session import Session
from bench.rig.tracks import walk_streets
from bench.rig.walkers import Listener, ask_for_routes, draw_pairs, follow_routes, routes_of
from bench.rig.worker import Worker, worker_settings
from geo.errors import BadInput, Unavailable
from streams.kafka.topics import CELL_OBSERVATIONS, GPS_FIXES, ROUTE_UPDATES, WALKERS_TABLE, ensure_topics
from streams.local.processes import any_port

IDLE_S = 10.0
SETTLE_S = 3.0
CALM_S = 2.0  # with nothing waiting: the rebalance is over
REBALANCED_WITHIN_S = 180.0
ANSWER_WITHIN_S = 300.0
LONGEST_S = 400.0  # that anybody walks
WARM_TICKS = 20
STRAY_SHARE = 0.02
IN_TIME_S = 0.5  # of the load may wait
WALKERS_A_CLUSTER = 1_000_000
OWNED = f'flaneur_assigned_partitions{{table="{WALKERS_TABLE}"}}'


@dataclass(frozen=True)
class ScaleJob:
    """So many walkers without trips, as many with; how long each state is watched; what to extrapolate to."""

    devices: int = 4_000
    seconds: float = 60.0
    apart_m: float = 700.0  # of a walker's start and destination
    partitions: int = 8
    seed: int = 1
    demands: tuple[Demand, ...] = ()
    assumed: Assumptions = field(default_factory=Assumptions)

    def __post_init__(self) -> None:
        if self.devices < 10 or self.seconds <= 0 or self.partitions < 2:
            raise BadInput("10 walkers, a moment and 2 partitions are needed at least")


@dataclass(frozen=True)
class Rebalance:
    """What a worker's coming or going did to those who walk."""

    pause_s: float  # as the worker that stays tells it, of all rebalances together
    rebalances: float
    gap_s: float  # nobody's fixes were taken
    behind_s: float  # more than IN_TIME_S of the load waited


@dataclass(frozen=True)
class Run:
    """Everything that was seen."""

    idle: Took
    plain: Took
    both: Took
    shared: Took  # the same load on two workers
    joined: Rebalance
    left: Rebalance
    fullest_partition: float  # its fixes by those of the mean one


def run_scale(job: ScaleJob, session: Session) -> None:
    """Measure, report, and extrapolate to what was asked for."""
    units = measure_units(session.graph, session.graph_dir)
    run = _run(job, session)
    measured = measured_of(run, units, job.devices)
    about: dict[str, object] = {
        "devices": 2 * job.devices,
        "trips": job.devices,
        "partitions": job.partitions,
        "seconds": job.seconds,
        "graph_edges": session.graph.edge_count,
        "seed": job.seed,
    }
    one, two = net_cpu_s(run.both, run.idle), net_cpu_s(run.shared, run.idle)
    for workers, took, cpu_s in ((1, run.both, one), (2, run.shared, two)):
        figures = [
            ("cpu_us_per_fix", cpu_s * 1e6, "µs"),
            ("broker_cpu_us_per_fix", _broker_s(took, run.idle) * 1e6, "µs"),
            ("core_share", sum(took.cpu_s) / len(took.cpu_s) / took.seconds, ""),
            ("fixes_per_s", took.all_fixes / took.seconds, "fixes/s"),
        ]
        session.report(figures, {**about, "workers": workers})
    session.report(
        [
            ("scaling_efficiency", one / two, ""),
            ("worker_share", max(run.shared.fixes) / run.shared.all_fixes, ""),
            ("fullest_partition", run.fullest_partition, ""),
            ("bytes_per_fix_in", measured.fix_bytes, "B"),
            ("update_bytes_per_fix", measured.update_bytes, "B"),
            ("observation_bytes_per_fix", measured.observation_bytes, "B"),
            ("idle_cpu_ms_per_s", measured.idle_cpu_share * 1e3, "ms/s"),
            ("worker_mib", measured.worker_bytes / 2**20, "MiB"),
            ("bytes_per_city", units.city_bytes, "B"),
            ("bytes_per_city_and_taste", units.metric_bytes, "B"),
            ("condition_us", units.condition_cpu_s * 1e6, "µs"),
            ("condition_us_per_city", units.condition_city_cpu_s * 1e6, "µs"),
            ("costs_ms_per_city", units.costs_cpu_s * 1e3, "ms"),
            ("assign_ns_per_partition_and_worker", units.assign_cpu_s * 1e9, "ns"),
        ],
        about,
    )
    for trip, cpu, log, memory in (
        ("no", measured.fix_cpu_s, measured.changelog_bytes, measured.walker_bytes),
        ("yes", measured.trip_fix_cpu_s, measured.trip_changelog_bytes, measured.trip_walker_bytes),
    ):
        figures = [
            ("cpu_us_per_fix_of", cpu * 1e6, "µs"),
            ("changelog_bytes_per_fix", log, "B"),
            ("bytes_per_walker", memory, "B"),
        ]
        session.report(figures, {**about, "trip": trip})
    for what, seen in (("join", run.joined), ("leave", run.left)):
        figures = [
            ("rebalance_pause_s", seen.pause_s, "s"),
            ("rebalance_gap_s", seen.gap_s, "s"),
            ("rebalance_behind_s", seen.behind_s, "s"),
        ]
        session.report(figures, {**about, "rebalance": what, "rebalances": seen.rebalances})
    for demand in job.demands:
        for needed in capacities(measured, demand, job.assumed):
            _report_capacity(session, demand, job.assumed, needed)


def capacities(measured: Measured, demand: Demand, assumed: Assumptions) -> Iterator[Capacity]:
    """In one cluster; for very many walkers also in several, each with its own cities."""
    yield capacity(measured, demand, assumed)
    clusters = -(-demand.walkers // WALKERS_A_CLUSTER)
    if clusters > 1:
        yield capacity(measured, demand, assumed, clusters)


UNITS = {
    "worker_memory_gb": "GB", "network_in_gbit_s": "Gbit/s", "network_out_gbit_s": "Gbit/s", "disk_tb": "TB",
    "recovery_mb": "MB", "assign_s": "s", "money_compute": "$/month", "money_disk": "$/month",
    "money_traffic": "$/month", "money": "$/month",
}  # fmt: skip


def _report_capacity(session: Session, demand: Demand, assumed: Assumptions, needed: Capacity) -> None:
    values = {**asdict(needed), "money": needed.money}
    limits = values.pop("limits")
    clusters = values.pop("clusters")
    about: dict[str, object] = {
        "walkers": demand.walkers,
        "clusters": clusters,
        "limits": limits,
        "demand": asdict(demand),
        "assumed": asdict(assumed),
    }
    session.report(
        [("needed_" + name, float(value), UNITS.get(name, "")) for name, value in values.items()], about
    )


# ---- from what was seen to what one costs


def net_cpu_s(took: Took, idle: Took) -> float:
    """CPU seconds of a fix, all workers together, without what they take when nobody walks."""
    return (sum(took.cpu_s) - len(took.cpu_s) * _idle_share(idle) * took.seconds) / took.all_fixes


def _idle_share(idle: Took) -> float:
    return sum(idle.cpu_s) / idle.seconds


def _broker_s(took: Took, idle: Took) -> float:
    return (took.broker_cpu_s - idle.broker_cpu_s / idle.seconds * took.seconds) / took.all_fixes


def measured_of(run: Run, units: Units, devices: int) -> Measured:
    """What walkers of each kind cost: those with trips by what all cost together without the others."""
    plain_cpu_s = net_cpu_s(run.plain, run.idle)
    plain_log = run.plain.changelog_bytes / run.plain.all_fixes
    everybody = run.both.all_fixes
    return Measured(
        fix_cpu_s=plain_cpu_s,
        trip_fix_cpu_s=max(0.0, 2.0 * net_cpu_s(run.both, run.idle) - plain_cpu_s),
        idle_cpu_share=_idle_share(run.idle),
        broker_fix_cpu_s=_broker_s(run.shared, run.idle),  # by then the broker is compiled
        fix_bytes=run.both.log_bytes[GPS_FIXES] / everybody,
        update_bytes=run.both.log_bytes[ROUTE_UPDATES] / everybody,
        observation_bytes=run.both.log_bytes[CELL_OBSERVATIONS] / everybody,
        changelog_bytes=plain_log,
        trip_changelog_bytes=max(0.0, 2.0 * run.both.changelog_bytes / everybody - plain_log),
        worker_bytes=float(run.idle.own_bytes),
        walker_bytes=max(0.0, (run.plain.own_bytes - run.idle.own_bytes) / devices),
        trip_walker_bytes=max(0.0, (run.both.own_bytes - run.plain.own_bytes) / devices),
        city_bytes=units.city_bytes,
        metric_bytes=units.metric_bytes,
        condition_cpu_s=units.condition_cpu_s,
        condition_city_cpu_s=units.condition_city_cpu_s,
        condition_bytes=units.condition_bytes,
        costs_cpu_s=units.costs_cpu_s,
        assign_cpu_s=units.assign_cpu_s,
    )


# ---- the run


def _run(job: ScaleJob, session: Session) -> Run:
    scratch, graph, say = session.scratch, session.graph, session.say
    settings = worker_settings(scratch, session.graph_dir, job.partitions)
    ensure_topics(settings)
    first = Worker(settings, scratch.folder / "worker.log")
    second = Worker(
        replace(settings, worker_id="bench-1", metrics_port=any_port()), scratch.folder / "second.log"
    )

    def watch(workers: Sequence[Worker], seconds: float) -> Took:
        time.sleep(SETTLE_S)
        began = read(workers, scratch)
        time.sleep(seconds)
        return between(began, read(workers, scratch))

    with Listener(scratch.bootstrap, job.partitions) as listener, first, ExitStack() as stack:
        stack.callback(second.stop)
        warmed = _warm_up(job, session, listener, first)
        say("nobody walks")
        idle = watch([first], IDLE_S)
        tracks = walk_streets(graph, job.devices, 1.5 * WALKING_MPS * LONGEST_S, job.seed)
        names = tuple(f"p{number:06d}" for number in range(job.devices))
        strollers = Walk(tracks, float(int(time.time())), job.seed, names=names)
        with Load(scratch.bootstrap, strollers) as load:
            say(f"{job.devices:,} walkers without trips")
            plain = watch([first], job.seconds)
            walk = _with_trips(job, session, listener)
            with Load(scratch.bootstrap, walk) as other:
                loads = (load, other)
                say(f"and {job.devices:,} with trips")
                before = _ends(scratch.bootstrap, job.partitions)
                both = watch([first], job.seconds)
                say("a second worker joins")
                joined = _rebalance(job, (first, second), loads, warmed, 2)
                shared = watch([first, second], job.seconds)
                say("and leaves")
                left = _rebalance(job, (first, second), loads, warmed, 1)
                ends = _ends(scratch.bootstrap, job.partitions)
    taken = [end - begin for begin, end in zip(before, ends, strict=True)]
    return Run(idle, plain, both, shared, joined, left, max(taken) * len(taken) / sum(taken))


def _warm_up(job: ScaleJob, session: Session, listener: Listener, worker: Worker) -> int:
    """A few walkers open the city and let everything be loaded; their fixes."""
    few = max(10, job.devices // 20)
    tracks = walk_streets(session.graph, few, 1.5 * WALKING_MPS * WARM_TICKS, job.seed + 1)
    names = tuple(f"w{number:06d}" for number in range(few))
    walk = Walk(tracks, float(int(time.time()) - WARM_TICKS), job.seed, names=names)
    wishes = draw_pairs(session.graph, few, job.apart_m, job.seed + 1)
    ask_for_routes(session.scratch.bootstrap, names, wishes, walk.start_s - 1.0)
    routes_of(listener, names, ANSWER_WITHIN_S)
    sent = preload(session.scratch.bootstrap, GPS_FIXES, walk, few * WARM_TICKS)
    worker.wait_for_fixes(sent, ANSWER_WITHIN_S)
    return sent


def _with_trips(job: ScaleJob, session: Session, listener: Listener) -> Walk:
    """Walkers who asked for a way, were answered, and will follow it."""
    devices = [f"t{number:06d}" for number in range(job.devices)]
    wishes = draw_pairs(session.graph, job.devices, job.apart_m, job.seed)
    ask_for_routes(session.scratch.bootstrap, devices, wishes, time.time())
    routes = routes_of(listener, devices, ANSWER_WITHIN_S)
    tracks = follow_routes(session.graph, list(routes.values()), STRAY_SHARE, job.apart_m, job.seed)
    return Walk(tracks, float(int(time.time())), job.seed, names=tuple(routes))


def _rebalance(
    job: ScaleJob,
    workers: tuple[Worker, Worker],
    loads: Sequence[Load],
    warmed: int,
    wanted: int,
) -> Rebalance:
    """Let the second worker come or go, and look on until both do as they should and nothing waits."""
    first, second = workers
    change = second.start if wanted == 2 else second.stop
    pauses = _pauses(first)
    few = IN_TIME_S * sum(load.per_s for load in loads)
    looks: list[Look] = []
    others = 0.0  # of the second worker, as it last said
    calm_since: float | None = None
    with _meanwhile(change) as changed:
        give_up = time.monotonic() + REBALANCED_WITHIN_S
        while calm_since is None or time.monotonic() - calm_since < CALM_S:
            if time.monotonic() > give_up:
                raise Unavailable(f"the load was not taken in time within {REBALANCED_WITHIN_S:.0f} s")
            one, two = first.metrics(), _metrics_if_there(second)
            now_s, sent = time.perf_counter(), warmed + sum(load.sent for load in loads)
            if one is None:
                continue
            others = max(others, (two or {}).get("flaneur_fixes_total", 0.0))
            looks.append(Look(now_s, sent, one.get("flaneur_fixes_total", 0.0) + others))
            shares = [metrics.get(OWNED, 0.0) for metrics in (one, two) if metrics is not None]
            done = changed.is_set() and len(shares) == wanted
            done = done and sum(shares) == job.partitions and all(shares)
            if not (done and sent - looks[-1].taken <= few):
                calm_since = None
            elif calm_since is None:
                calm_since = time.monotonic()
            time.sleep(LOOK_S)
    after = _pauses(first)
    return Rebalance(after[0] - pauses[0], after[1] - pauses[1], longest_gap_s(looks), behind_s(looks, few))


@contextmanager
def _meanwhile(work: Callable[[], object]) -> Iterator[threading.Event]:
    """`work` in a thread; what is given is set once it is done."""
    done = threading.Event()

    def run() -> None:
        work()
        done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield done
    thread.join()


def _metrics_if_there(worker: Worker) -> dict[str, float] | None:
    try:
        return worker.metrics()
    except Unavailable:
        return None  # it has not started, or has gone


def _pauses(worker: Worker) -> tuple[float, float]:
    metrics = metrics_of(worker)
    name = "flaneur_rebalance_pause_seconds"
    return metrics.get(f"{name}_sum", 0.0), metrics.get(f"{name}_count", 0.0)


def _ends(bootstrap: str, partitions: int) -> list[int]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-ends"})
    try:
        return [
            consumer.get_watermark_offsets(TopicPartition(GPS_FIXES, partition), timeout=30)[1]
            for partition in range(partitions)
        ]
    finally:
        consumer.close()
