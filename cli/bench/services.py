"""Benchmarks that start a scratch broker and a scratch Redis: what the running service does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.bench.options import on_services, on_walks
from cli.bench.session import measure
from geo.errors import BadInput

if TYPE_CHECKING:
    from bench.rig.session import Session
    from bench.stream import StreamJob


@click.command("stream")
@on_services
@on_walks
@click.option("--fixes", type=int, default=1_000_000, show_default=True, help="To be measured.")
@click.option("--warm", type=int, help="Fixes taken before that (default: as many).")
@click.option("--devices", type=int, default=5_000, show_default=True)
@click.option("--runs", type=int, default=1, show_default=True, help="Of which the medians are reported.")
@click.option("--peers", metavar="A,B|none", help="Peers in the same run (default: all that can run here).")
@click.option("--block-sizes", metavar="N,N,...", help="Instead: blocks of at most so many messages.")
@click.option("--plot", metavar="FILE", help="Draw the figures of --block-sizes as SVG.")
def stream(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    traces: tuple[str, ...],
    fixes: int,
    warm: int | None,
    devices: int,
    runs: int,
    peers: str | None,
    block_sizes: str | None,
    plot: str | None,
) -> None:
    """Fixes in, windows kept: per second of CPU time and on the clock, and the peers' figures.

    \b
    Examples:
      flaneur bench stream --runs 5 --peers kafka-streams-memory,quix --json
      flaneur bench stream --block-sizes 1,10,100,1000,8192 --plot docs/throughput.svg
    """
    from bench.peers.run import choose_peers
    from bench.stream import StreamJob, run_stream

    job = StreamJob(fixes, fixes if warm is None else warm, devices, partitions, seed, runs, traces)
    if block_sizes is not None:
        _by_block_size(job, block_sizes, plot, as_json, graph_dir)
        return
    if plot is not None:
        raise BadInput("--plot draws the figures of --block-sizes: say which sizes")
    chosen = () if peers == "none" else choose_peers(None if peers is None else peers.split(","))
    measure("stream", as_json, graph_dir, lambda session: run_stream(job, chosen, session))


def _by_block_size(
    job: StreamJob, block_sizes: str, plot: str | None, as_json: bool, graph_dir: str | None
) -> None:
    from bench.block_sizes import SizeFigure, run_block_sizes
    from bench.throughput_plot import draw_throughput
    from cli.whole_file import write_whole

    try:
        sizes = [int(size) for size in block_sizes.split(",")]
    except ValueError as error:
        raise BadInput(f"--block-sizes {block_sizes!r} is no list of whole numbers") from error
    found: list[SizeFigure] = []
    measure("stream", as_json, graph_dir, lambda session: found.extend(run_block_sizes(job, sizes, session)))
    if plot is not None:
        write_whole(Path(plot), draw_throughput(found))


@click.command("pipeline")
@on_services
@on_walks
@click.option("--fixes", type=int, default=1_000_000, show_default=True, help="To be measured.")
@click.option("--warm", type=int, default=100_000, show_default=True, help="Fixes taken before that.")
@click.option("--devices", type=int, default=5_000, show_default=True, help="Each on a route of its own.")
def pipeline(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    traces: tuple[str, ...],
    fixes: int,
    warm: int,
    devices: int,
) -> None:
    """The whole way of a fix: match, features, trip, decision; walkers follow the routes they were given."""
    from bench.pipeline import run_pipeline
    from bench.stream import StreamJob

    job = StreamJob(fixes, warm, devices, partitions, seed, traces=traces)
    measure("pipeline", as_json, graph_dir, lambda session: run_pipeline(job, session))


@click.command("latency")
@on_services
@on_walks
@click.option("--rate", type=float, default=1_000.0, show_default=True, help="Fixes a second.")
@click.option("--rates", metavar="A,B,...", help="Several rates, one after the other.")
@click.option("--seconds", type=float, default=30.0, show_default=True, help="To be measured.")
@click.option("--plot", metavar="FILE", help="Also draw latency against rate as SVG.")
def latency(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    traces: tuple[str, ...],
    rate: float,
    rates: str | None,
    seconds: float,
    plot: str | None,
) -> None:
    """From producing a fix to having the route update that it caused, at a steady rate.

    \b
    Examples:
      flaneur bench latency --rate 20000 --json
      flaneur bench latency --rates 1000,5000,20000 --plot docs/latency.svg
    """
    from bench.latency import LatencyJob, parse_rates, run_latency
    from bench.latency_plot import Load, draw_latencies
    from cli.whole_file import write_whole

    loads: list[Load] = []
    for one in [rate] if rates is None else parse_rates(rates):
        job = LatencyJob(one, seconds, partitions=partitions, seed=seed, traces=traces)

        def run(session: Session, job: LatencyJob = job) -> None:
            loads.append(run_latency(job, session))

        measure("latency", as_json, graph_dir, run)
    if plot is not None:
        write_whole(Path(plot), draw_latencies(loads))


@click.command("checkpoint")
@on_services
@click.option("--devices", type=int, default=100_000, show_default=True, help="Walkers who all move.")
@click.option("--rounds", type=int, default=5, show_default=True, help="Checkpoints, one a second.")
def checkpoint(
    as_json: bool, partitions: int, graph_dir: str | None, seed: int, devices: int, rounds: int
) -> None:
    """What a checkpoint of many active walkers takes of a worker's event loop, and its longest piece."""
    from bench.checkpoint import CheckpointJob, run_checkpoint

    job = CheckpointJob(devices, rounds, partitions=partitions, seed=seed)
    measure("checkpoint", as_json, graph_dir, lambda session: run_checkpoint(job, session))


@click.command("recovery")
@on_services
@on_walks
@click.option("--devices", type=int, default=100_000, show_default=True, help="Walkers with state.")
@click.option("--fixes", type=int, default=200_000, show_default=True, help="That make their state.")
def recovery(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    traces: tuple[str, ...],
    devices: int,
    fixes: int,
) -> None:
    """Kill a worker under load with kill -9 and start it again: how long, what was lost, what came twice."""
    from bench.recovery import RecoveryJob, run_recovery

    job = RecoveryJob(devices, fixes, partitions=partitions, seed=seed, traces=traces)
    measure("recovery", as_json, graph_dir, lambda session: run_recovery(job, session))


@click.command("drain")
@on_services
@on_walks
@click.option(
    "--walkers", type=int, default=1_000, show_default=True, help="With trips, a fix a second each."
)
def drain(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    traces: tuple[str, ...],
    walkers: int,
) -> None:
    """Tell one of two workers to end: how long that takes, how long walkers wait, what is lost."""
    from bench.drain import DrainJob, run_drain

    job = DrainJob(walkers, partitions, seed, traces)
    measure("drain", as_json, graph_dir, lambda session: run_drain(job, session))


@click.command("world-change")
@on_services
@click.option("--walkers", type=int, default=10_000, show_default=True, help="On their routes.")
@click.option("--rate", type=float, default=1_000.0, show_default=True, help="Fixes a second, of all.")
@click.option("--closures", type=int, default=5, show_default=True)
@click.option("--fronts", type=int, default=5, show_default=True, help="Of rain.")
@click.option("--apart-m", type=float, default=2_000.0, show_default=True, help="Of start and destination.")
def world_change(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    walkers: int,
    rate: float,
    closures: int,
    fronts: int,
    apart_m: float,
) -> None:
    """From producing a report of a closure or of rain to the last route update that it leads to."""
    from bench.world_change import WorldChangeJob, run_world_change

    job = WorldChangeJob(walkers, rate, closures, fronts, apart_m, partitions, seed)
    measure("world-change", as_json, graph_dir, lambda session: run_world_change(job, session))


@click.command("soak")
@on_services
@click.option("--minutes", type=float, default=10.0, show_default=True, help="A quarter of it to warm up.")
@click.option("--rate", type=float, default=1_000.0, show_default=True, help="Fixes a second.")
def soak(
    as_json: bool, partitions: int, graph_dir: str | None, seed: int, minutes: float, rate: float
) -> None:
    """Walkers come and go at a steady rate: what the worker's memory does, and whether it forgets them."""
    from bench.soak import SoakJob, run_soak

    job = SoakJob(minutes, rate, partitions, seed)
    measure("soak", as_json, graph_dir, lambda session: run_soak(job, session))


@click.command("scale")
@on_services
@click.option("--devices", type=int, default=4_000, show_default=True, help="Without trips; as many with.")
@click.option(
    "--seconds", type=float, default=60.0, show_default=True, help="Of each state, at a fix a second."
)
@click.option("--walkers", type=int, multiple=True, help="Extrapolate to so many; may be given repeatedly.")
@click.option("--assume", metavar="NAME=VALUE", multiple=True, help="Another demand or assumption.")
def scale(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    devices: int,
    seconds: float,
    walkers: tuple[int, ...],
    assume: tuple[str, ...],
) -> None:
    """What a walker costs on one worker and on two, what rebalances do, and what many walkers would need.

    \b
    Examples:
      flaneur bench scale --json
      flaneur bench scale --walkers 1000000 --walkers 100000000 --assume trip_share=0.2
    """
    from bench.growing.capacity import Assumptions, Demand
    from bench.growing.capacity import assume as assuming
    from bench.growing.scale import ScaleJob, run_scale

    one, assumed = assuming(assume, Demand(1), Assumptions())
    demands = tuple(replace(one, walkers=count) for count in walkers)
    job = ScaleJob(devices, seconds, partitions=partitions, seed=seed, demands=demands, assumed=assumed)
    measure("scale", as_json, graph_dir, lambda session: run_scale(job, session))


@click.command("gateway")
@on_services
@click.option("--batch-fixes", type=int, default=400_000, show_default=True, help="WebSocket, 100 a message.")
@click.option("--single-fixes", type=int, default=40_000, show_default=True, help="WebSocket, one by one.")
@click.option("--http-fixes", type=int, default=20_000, show_default=True, help="Over HTTP, one by one.")
@click.option(
    "--rate", type=float, default=1_000.0, show_default=True, help="Fixes a second, to be heard of."
)
@click.option("--seconds", type=float, default=20.0, show_default=True, help="Of that.")
@click.option("--subscribers", type=int, default=5_000, show_default=True, help="That only listen.")
@click.option("--plans", type=int, default=300, show_default=True, help="By request.")
@click.option("--pages", type=int, default=5, show_default=True, help="How often the web app is opened.")
def gateway(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    batch_fixes: int,
    single_fixes: int,
    http_fixes: int,
    rate: float,
    seconds: float,
    subscribers: int,
    plans: int,
    pages: int,
) -> None:
    """What a gateway takes in per second of its CPU time, how soon subscribers hear, what they cost; a plan
    by request; and the web app in a real browser, where there is Chromium.

    \b
    Examples:
      flaneur bench gateway --json
      flaneur bench gateway --subscribers 20000 --rate 2000
    """
    from bench.gateway import GatewayJob, run_gateway

    job = GatewayJob(
        batch_fixes, single_fixes, http_fixes, rate, seconds, subscribers=subscribers, plans=plans,
        pages=pages, partitions=partitions, seed=seed,
    )  # fmt: skip
    measure("gateway", as_json, graph_dir, lambda session: run_gateway(job, session))


@click.command("tracing")
@on_services
@click.option("--fixes", type=int, default=600_000, show_default=True, help="To be measured.")
@click.option("--warm", type=int, default=200_000, show_default=True, help="Fixes taken before that.")
@click.option("--devices", type=int, default=5_000, show_default=True)
@click.option("--runs", type=int, default=3, show_default=True, help="Of which the medians are reported.")
def tracing(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    fixes: int,
    warm: int,
    devices: int,
    runs: int,
) -> None:
    """What tracing costs a worker: off, 1 % and all of the fixes traced, in turns; spans are collected."""
    from bench.stream import StreamJob
    from bench.tracing import run_tracing

    job = StreamJob(fixes, warm, devices, partitions, seed, runs)
    measure("tracing", as_json, graph_dir, lambda session: run_tracing(job, session))


COMMANDS = (
    *(stream, pipeline, latency, checkpoint, recovery, drain, world_change, soak, scale, gateway, tracing),
)
