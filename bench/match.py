"""`flaneur bench match`: walks whose truth is known, found again by the online matcher.

Every walk is recorded in every setting: error, interval, noise. All walkers' fixes go through the matcher
as one stream, with the longest lag of whole intervals that is at most 10 s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.graph_run import CLOCK
from bench.match_fixes import Setting, record
from bench.match_online import fixes_per_core_s, lag_of, match_walks
from bench.match_oracle import Oracle
from bench.match_score import judged, score
from bench.match_walks import KnownWalk, known_walks
from bench.session import Reporter
from bench.timing import pin_to_one_core
from geo.errors import BadInput
from geo.graph import Graph, open_graph
from models.gps_error import GpsError
from streams.learned import load_learned

WALKERS = 2_000  # whose fixes are matched for the speed


@dataclass(frozen=True)
class MatchJob:
    """What is measured, on each graph; raises BadInput for numbers that cannot be."""

    graph_dirs: Sequence[str]
    settings: Sequence[Setting]
    walks: int = 20
    length_m: float = 1_200.0
    fixes: int = 100_000  # for the speed, 0 for none
    seed: int = 1
    oracle: bool = True

    def __post_init__(self) -> None:
        if self.walks < 1:
            raise BadInput(f"walks is {self.walks}, it must be 1 or more")
        if not 100.0 <= self.length_m <= 20_000.0:
            raise BadInput(f"length_m is {self.length_m}, it must be 100 to 20,000")


def run_match(job: MatchJob, reporter: Reporter) -> None:
    """Measure on one graph after the other, and report each setting as soon as it is done."""
    core = pin_to_one_core()
    error, pace = load_learned()
    for graph_dir in job.graph_dirs:
        graph = open_graph(graph_dir)
        city = Path(graph_dir).resolve().name
        reporter.progress(f"drawing walks in {city}", 0, len(job.settings))
        walks = known_walks(graph, pace, job.walks, job.length_m, job.seed)
        about: dict[str, object] = {
            "city": city,
            "walks": len(walks),
            "km": round(sum(walk.length_m for walk in walks) / 1000.0, 1),
            "seed": job.seed,
            "clock": CLOCK,
            "pinned_to_core": core,
        }
        oracle = Oracle(graph, walks, error) if job.oracle else None
        for number, setting in enumerate(job.settings):
            reporter.progress(f"matching in {city}", number, len(job.settings))
            _measure(job, graph, walks, setting, oracle, error, about, reporter)


def _measure(
    job: MatchJob,
    graph: Graph,
    walks: Sequence[KnownWalk],
    setting: Setting,
    oracle: Oracle | None,
    error: GpsError,
    about: dict[str, object],
    reporter: Reporter,
) -> None:
    fixes = [record(walk, setting, error, job.seed * 10_007 + n) for n, walk in enumerate(walks)]
    counts = [judged(graph, one, setting.sigma_m) for one in fixes]
    lag_s = lag_of(setting.interval_s)
    matched = match_walks(graph, fixes, lag_s)
    settled = score(graph, fixes, [one.settled for one in matched], counts)
    at_once = score(graph, fixes, [one.at_once for one in matched], counts)
    about = about | setting.about() | {"lag_s": lag_s, "fixes": sum(len(one) for one in fixes)}
    if job.fixes:
        speed = fixes_per_core_s(graph, fixes, lag_s, WALKERS, job.fixes)
        reporter.report([("fixes_per_core_s", speed, "fixes/s")], about)
    figures = [
        ("edge_accuracy", settled.edge_accuracy, "share"),
        ("edge_accuracy_at_once", at_once.edge_accuracy, "share"),
        ("directed_accuracy", settled.directed_accuracy, "share"),
        ("corridor_accuracy", settled.corridor_accuracy, "share"),
        ("median_error_m", settled.median_error_m, "m"),
        ("median_error_ratio", settled.median_error_m / settled.raw_median_error_m, "of the fixes'"),
        ("off_network_f1", settled.off_network_f1, "F1"),
        ("off_network_f1_strict", settled.off_network_f1_strict, "F1"),
    ]
    known = [figure for figure in figures if not math.isnan(figure[1])]  # no F1 where nobody was off
    reporter.report(known, about | {"not_judged_share": round(settled.not_judged_share, 4)})
    if oracle is not None:
        best = score(graph, fixes, oracle.answers(fixes, setting), counts)
        reporter.report(
            [("oracle_ratio", settled.edge_accuracy / best.edge_accuracy, "of the oracle's edge accuracy")],
            about | {"oracle": {name: round(value, 4) for name, value in vars(best).items()}},
        )
