"""Benchmarks of what follows a walker: matching, and how calmly they are guided."""

from __future__ import annotations

from pathlib import Path

import click

from cli.bench.options import names
from cli.bench.session import measure_with


@click.command("match")
@click.option(
    "--graph",
    "graph_dirs",
    multiple=True,
    metavar="DIR",
    help="Graph directory (default: GRAPH_DIR); again for more of them.",
)
@click.option("--walks", type=int, default=20, show_default=True, help="Drawn on each graph.")
@click.option("--length-m", type=float, default=1_200.0, show_default=True, help="Of a walk, at least.")
@click.option(
    "--sigma-m", "sigmas_m", type=float, multiple=True, default=(5.0, 10.0), show_default=True,
    help="Error of a fix, north and east; again for more of them.",
)  # fmt: skip
@click.option(
    "--interval-s", "intervals_s", type=float, multiple=True, default=(1.0, 3.0), show_default=True,
    help="Between two fixes; again for more of them.",
)  # fmt: skip
@click.option(
    "--noise", "noises", multiple=True, default=("white", "real"), show_default=True,
    help="white, or real: as fitted on real tracks.",
)  # fmt: skip
@click.option(
    "--fixes", type=int, default=100_000, show_default=True, help="Matched for the speed; 0 for none."
)
@click.option("--oracle/--no-oracle", default=True, show_default=True, help="Beside the best possible.")
@click.option(
    "--in-time-every", type=int, default=0, help="Ask the oracle with our lag too, of one in N fixes."
)
@click.option(
    "--traces",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Match this recorded trace instead; again for more of them.",
)
@click.option(
    "--extract",
    "extracts",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="The OSM file of each graph, for some peers; as often as --graph.",
)
@click.option("--peers", metavar="A,B|none", help="Peers in the same run (default: all that can run here).")
@click.option("--peer-walks", type=int, default=5, show_default=True, help="So many walks for the peers.")
@click.option("--plot", metavar="FILE", help="Draw how reliable the probabilities are, as SVG.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the walks and their errors.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure.")
def match(
    graph_dirs: tuple[str, ...],
    walks: int,
    length_m: float,
    sigmas_m: tuple[float, ...],
    intervals_s: tuple[float, ...],
    noises: tuple[str, ...],
    fixes: int,
    oracle: bool,
    in_time_every: int,
    traces: tuple[Path, ...],
    extracts: tuple[str, ...],
    peers: str | None,
    peer_walks: int,
    plot: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """How right and how fast the online matcher is, on walks whose truth is known.

    \b
    Examples:
      flaneur bench match --graph helsinki --graph porto --json
      flaneur bench match --graph graph --sigma-m 5 --interval-s 1 --noise real --peers none
      flaneur bench match --graph graph --extract city.osm.pbf --peers meili,osrm
      flaneur bench match --graph altona --traces data/traces/altona/altona_walk.json
    """
    from bench.matching.calibration import Reliability, draw_reliability
    from bench.matching.fixes import Setting
    from bench.matching.match import MatchJob, run_match
    from bench.peers.matching import choose_matching_peers
    from cli.whole_file import write_whole
    from streams.settings import Settings

    settings = [
        Setting(sigma, interval, noise) for noise in noises for sigma in sigmas_m for interval in intervals_s
    ]
    directories = graph_dirs or (Settings.from_env().graph_dir,)
    job = MatchJob(
        directories,
        settings,
        walks,
        length_m,
        fixes,
        seed,
        oracle,
        extracts,
        peer_walks,
        in_time_every,
        traces,
    )
    chosen = choose_matching_peers(names(peers), bool(extracts))
    curves: dict[str, Reliability] = {}
    measure_with("match", as_json, lambda session: curves.update(run_match(job, chosen, session)))
    if plot is not None:
        write_whole(Path(plot), draw_reliability(curves))


@click.command("calm")
@click.option(
    "--graph",
    "graph_dirs",
    multiple=True,
    metavar="DIR",
    help="Graph directory (default: GRAPH_DIR); again for more of them.",
)
@click.option(
    "--traces", type=click.Path(exists=True), multiple=True, metavar="PATH",
    help="Recorded walks: each is led along what it was matched to.",
)  # fmt: skip
@click.option("--walkers", type=int, default=60, show_default=True, help="Drawn on each graph.")
@click.option("--sigma-m", type=float, default=10.0, show_default=True, help="Error, north and east.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the walkers and their errors.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure.")
def calm(
    graph_dirs: tuple[str, ...],
    traces: tuple[str, ...],
    walkers: int,
    sigma_m: float,
    seed: int,
    as_json: bool,
) -> None:
    """Whether walkers are left in peace, and how soon it is seen that they left their route.

    \b
    Examples:
      flaneur bench calm --graph helsinki --graph porto --json
      flaneur bench calm --graph altona --traces data/traces/altona --walkers 20
    """
    from bench.calm import CalmJob, run_calm
    from streams.settings import Settings

    job = CalmJob(graph_dirs or (Settings.from_env().graph_dir,), walkers, sigma_m, seed, traces)
    measure_with("calm", as_json, lambda session: run_calm(job, session))


COMMANDS = (match, calm)
