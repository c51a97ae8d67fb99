"""`flaneur bench`: measures the stream and the routing, with the peers in the same run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from cli.bench_session import measure, measure_on_graph, measure_with, progress_bar


@click.group("bench")
def command() -> None:
    """Measure how fast fixes become updates, how a killed worker recovers, how fast and well ways are found.

    stream, pipeline, latency and recovery start a scratch broker and a scratch Redis and remove them at the
    end; the others need a graph only. Nothing that runs on this machine is touched, but whatever else runs
    here makes the figures worse.

    \b
    Examples:
      flaneur bench stream --peers confluent,kafka-streams-tuned
      flaneur bench pipeline --devices 5000 --fixes 1000000
      flaneur bench latency --json
      flaneur bench recovery --devices 100000
      flaneur bench route --graph graph --extract city.osm.pbf --json
      flaneur bench conditions --graph graph
      flaneur bench loops --graph graph
      flaneur bench score --graph .run/graph --pairs 1000
    """


def _common(function: Callable[..., None]) -> Callable[..., None]:
    """The options that every benchmark has."""
    for option in (
        click.option("--seed", type=int, default=1, show_default=True, help="Of the walks."),
        click.option("--graph", "graph_dir", metavar="DIR", help="Graph directory (default: GRAPH_DIR)."),
        click.option("--partitions", type=int, default=4, show_default=True, help="Of every topic."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure."),
    ):
        function = option(function)
    return function


@command.command("stream")
@_common
@click.option("--fixes", type=int, default=1_000_000, show_default=True, help="To be measured.")
@click.option("--warm", type=int, help="Fixes taken before that (default: as many).")
@click.option("--devices", type=int, default=5_000, show_default=True)
@click.option("--peers", metavar="A,B|none", help="Peers in the same run (default: all that can run here).")
def stream(
    as_json: bool,
    partitions: int,
    graph_dir: str | None,
    seed: int,
    fixes: int,
    warm: int | None,
    devices: int,
    peers: str | None,
) -> None:
    """Fixes in, windows kept: per second of CPU time and on the clock, and the peers' figures."""
    from bench.peers.run import choose_peers
    from bench.stream import StreamJob, run_stream

    chosen = () if peers == "none" else choose_peers(None if peers is None else peers.split(","))
    job = StreamJob(fixes, fixes if warm is None else warm, devices, partitions, seed)
    measure("stream", as_json, graph_dir, lambda session: run_stream(job, chosen, session))


@command.command("pipeline")
@_common
@click.option("--fixes", type=int, default=1_000_000, show_default=True, help="To be measured.")
@click.option("--warm", type=int, default=100_000, show_default=True, help="Fixes taken before that.")
@click.option("--devices", type=int, default=5_000, show_default=True, help="Each on a route of its own.")
def pipeline(
    as_json: bool, partitions: int, graph_dir: str | None, seed: int, fixes: int, warm: int, devices: int
) -> None:
    """The whole way of a fix: match, features, trip, decision; walkers follow the routes they were given."""
    from bench.pipeline import run_pipeline
    from bench.stream import StreamJob

    job = StreamJob(fixes, warm, devices, partitions, seed)
    measure("pipeline", as_json, graph_dir, lambda session: run_pipeline(job, session))


@command.command("latency")
@_common
@click.option("--rate", type=float, default=1_000.0, show_default=True, help="Fixes a second.")
@click.option("--seconds", type=float, default=30.0, show_default=True, help="To be measured.")
def latency(
    as_json: bool, partitions: int, graph_dir: str | None, seed: int, rate: float, seconds: float
) -> None:
    """From producing a fix to having the route update that it caused, at a steady rate."""
    from bench.latency import LatencyJob, run_latency

    job = LatencyJob(rate, seconds, partitions=partitions, seed=seed)
    measure("latency", as_json, graph_dir, lambda session: run_latency(job, session))


@command.command("recovery")
@_common
@click.option("--devices", type=int, default=100_000, show_default=True, help="Walkers with state.")
@click.option("--fixes", type=int, default=200_000, show_default=True, help="That make their state.")
def recovery(
    as_json: bool, partitions: int, graph_dir: str | None, seed: int, devices: int, fixes: int
) -> None:
    """Kill a worker under load with kill -9 and start it again: how long, what was lost, what came twice."""
    from bench.recovery import RecoveryJob, run_recovery

    job = RecoveryJob(devices, fixes, partitions=partitions, seed=seed)
    measure("recovery", as_json, graph_dir, lambda session: run_recovery(job, session))


@command.command("score")
@click.option(
    "--graph",
    "graph_dirs",
    multiple=True,
    metavar="DIR",
    help="Graph directory (default: GRAPH_DIR); again for more of them.",
)
@click.option("--pairs", type=int, default=1_000, show_default=True, help="Places 0.5 to 3 km apart.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the pairs.")
@click.option(
    "--taste", "tastes", multiple=True, metavar="NAME=W,...", help="Weights other than the default."
)
@click.option("--plot", metavar="FILE", help="Scale all weights instead, and draw that as SVG.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure.")
def score(
    graph_dirs: tuple[str, ...],
    pairs: int,
    seed: int,
    tastes: tuple[str, ...],
    plot: str | None,
    as_json: bool,
) -> None:
    """How pleasant a taste's ways are beside the shortest ones, and how many routes are scored a second.

    \b
    Examples:
      flaneur bench score --pairs 1000 --json
      flaneur bench score --taste noise=2,green=-0.7
      flaneur bench score --graph porto --graph monaco --plot docs/pleasantness.svg
    """
    from bench.score import ScoreJob, run_score, trade_off
    from bench.score_plot import draw_trade_off
    from cli.plan_options import taste
    from cli.whole_file import write_whole
    from geo.graph import open_graph
    from streams.settings import Settings

    job = ScoreJob(pairs, seed, taste(tastes))
    directories = graph_dirs or (Settings.from_env().graph_dir,)
    if plot is None:
        for directory in directories:
            measure_on_graph("score", as_json, directory, lambda session: run_score(job, session))
        return
    with progress_bar() as progress:
        curves = {Path(name).name.title(): trade_off(job, open_graph(name), progress) for name in directories}
    write_whole(Path(plot), draw_trade_off(curves))


def _on_graph(function: Callable[..., None]) -> Callable[..., None]:
    """The options of the benchmarks that need a graph only."""
    for option in (
        click.option("--seed", type=int, default=1, show_default=True, help="Of what is drawn."),
        click.option("--graph", "graph_dir", metavar="DIR", help="Graph directory (default: GRAPH_DIR)."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure."),
    ):
        function = option(function)
    return function


@command.command("route")
@_on_graph
@click.option("--pairs", type=int, default=10_000, show_default=True, help="Of places, drawn at random.")
@click.option(
    "--extract", type=click.Path(exists=True, dir_okay=False), help="The graph's OSM file, for some peers."
)
@click.option("--peers", metavar="A,B|none", help="Peers in the same run (default: all that can run here).")
def route(
    as_json: bool, graph_dir: str | None, seed: int, pairs: int, extract: str | None, peers: str | None
) -> None:
    """Paths with their scores a second, for an archetype and for any taste; costs that are not Dijkstra's."""
    from bench.peers.routing import choose_routing_peers
    from bench.route import PEERS, RouteJob, run_route

    chosen = choose_routing_peers(_names(peers), PEERS, extract is not None)
    job = RouteJob(pairs, seed, extract)
    measure_on_graph("route", as_json, graph_dir, lambda session: run_route(job, chosen, session))


@command.command("conditions")
@_on_graph
@click.option("--changes", type=int, default=1_000, show_default=True, help="Closures, and as many rains.")
@click.option("--peers", metavar="A,B|none", help="Peers in the same run (default: all that can run here).")
def conditions(as_json: bool, graph_dir: str | None, seed: int, changes: int, peers: str | None) -> None:
    """What a new graph, a new taste, a closure, rain and re-scoring 10,000 routes take; bytes a node."""
    from bench.conditions import PEERS, ConditionsJob, run_conditions
    from bench.peers.routing import choose_routing_peers

    chosen = choose_routing_peers(_names(peers), PEERS, False)
    job = ConditionsJob(changes, seed)
    measure_on_graph("conditions", as_json, graph_dir, lambda session: run_conditions(job, chosen, session))


@command.command("loops")
@_on_graph
@click.option("--pairs", type=int, default=200, show_default=True, help="Loops of each length: their starts.")
@click.option(
    "--length-m",
    "lengths_m",
    type=float,
    multiple=True,
    default=(2_000.0, 4_000.0, 6_000.0, 10_000.0),
    show_default=True,
    help="Wanted; again for more of them.",
)
@click.option(
    "--taste", "tastes", multiple=True, metavar="NAME=W,...", help="Weights other than the default."
)
@click.option(
    "--extract", type=click.Path(exists=True, dir_okay=False), help="The graph's OSM file, for the peer."
)
@click.option(
    "--peers", metavar="graphhopper|none", help="Peers in the same run (default: if it can run here)."
)
def loops(
    as_json: bool,
    graph_dir: str | None,
    seed: int,
    pairs: int,
    lengths_m: tuple[float, ...],
    tastes: tuple[str, ...],
    extract: str | None,
    peers: str | None,
) -> None:
    """How near loops come to the wanted length, how much they walk twice, how long three of them take.

    \b
    Examples:
      flaneur bench loops --graph graph --length-m 2000 --length-m 4000 --json
      flaneur bench loops --graph graph --extract city.osm.pbf --peers graphhopper
    """
    from bench.loops import PEERS, LoopsJob, run_loops
    from bench.peers.routing import choose_routing_peers
    from cli.plan_options import taste

    chosen = choose_routing_peers(_names(peers), PEERS, extract is not None)
    job = LoopsJob(pairs, seed, lengths_m, taste(tastes), extract)
    measure_on_graph("loops", as_json, graph_dir, lambda session: run_loops(job, chosen, session))


@command.command("growth")
@click.argument("sources", nargs=-1, required=True, metavar="DIR|FILE...", type=click.Path(exists=True))
@click.option(
    "--mosaic",
    type=int,
    default=3,
    show_default=True,
    help="Copies of the largest graph, in rows and columns.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of what is drawn.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure.")
def growth(sources: tuple[str, ...], mosaic: int, seed: int, as_json: bool) -> None:
    """How everything grows: over graphs and extracts, pieces of the largest, and mosaics of its copies.

    \b
    Examples:
      flaneur bench growth village-graph town-graph city-graph
      flaneur bench growth data/osm/*/*.osm.pbf --json
    """
    from bench.growth import GrowthJob, run_growth

    job = GrowthJob(sources, mosaic, seed)
    measure_with("growth", as_json, lambda session: run_growth(job, session))


def _names(peers: str | None) -> list[str] | None:
    """The peers that were asked for, None for all that can run."""
    if peers is None:
        return None
    return [] if peers == "none" else peers.split(",")
