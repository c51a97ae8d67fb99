"""Benchmarks that need a graph only: routing."""

from __future__ import annotations

from pathlib import Path

import click

from cli.bench.options import names, on_graph
from cli.bench.session import measure_on_graph, measure_with, progress_bar


@click.command("route")
@on_graph
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

    chosen = choose_routing_peers(names(peers), PEERS, extract is not None)
    job = RouteJob(pairs, seed, extract)
    measure_on_graph("route", as_json, graph_dir, lambda session: run_route(job, chosen, session))


@click.command("conditions")
@on_graph
@click.option("--changes", type=int, default=1_000, show_default=True, help="Closures, and as many rains.")
@click.option("--peers", metavar="A,B|none", help="Peers in the same run (default: all that can run here).")
def conditions(as_json: bool, graph_dir: str | None, seed: int, changes: int, peers: str | None) -> None:
    """What a new graph, a new taste, a closure, rain and re-scoring 10,000 routes take; bytes a node."""
    from bench.conditions import PEERS, ConditionsJob, run_conditions
    from bench.peers.routing import choose_routing_peers

    chosen = choose_routing_peers(names(peers), PEERS, False)
    job = ConditionsJob(changes, seed)
    measure_on_graph("conditions", as_json, graph_dir, lambda session: run_conditions(job, chosen, session))


@click.command("loops")
@on_graph
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

    chosen = choose_routing_peers(names(peers), PEERS, extract is not None)
    job = LoopsJob(pairs, seed, lengths_m, taste(tastes), extract)
    measure_on_graph("loops", as_json, graph_dir, lambda session: run_loops(job, chosen, session))


@click.command("score")
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


@click.command("growth")
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
    from bench.growing.growth import GrowthJob, run_growth

    job = GrowthJob(sources, mosaic, seed)
    measure_with("growth", as_json, lambda session: run_growth(job, session))


COMMANDS = (route, conditions, loops, score, growth)
