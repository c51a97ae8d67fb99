"""Benchmarks of what follows a walker: matching."""

from __future__ import annotations

import click

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
    seed: int,
    as_json: bool,
) -> None:
    """How right and how fast the online matcher is, on walks whose truth is known.

    \b
    Examples:
      flaneur bench match --graph helsinki --graph porto --json
      flaneur bench match --graph graph --sigma-m 5 --interval-s 1 --noise real
    """
    from bench.match import MatchJob, run_match
    from bench.match_fixes import Setting
    from streams.settings import Settings

    settings = [
        Setting(sigma, interval, noise) for noise in noises for sigma in sigmas_m for interval in intervals_s
    ]
    job = MatchJob(
        graph_dirs or (Settings.from_env().graph_dir,), settings, walks, length_m, fixes, seed, oracle
    )
    measure_with("match", as_json, lambda session: run_match(job, session))


COMMANDS = (match,)
