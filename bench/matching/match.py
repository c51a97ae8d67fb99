"""`flaneur bench match`: walks whose truth is known, found again by the online matcher.

Every walk is recorded in every setting: error, interval, noise. All walkers' fixes go through the matcher
as one stream, with the longest lag of whole intervals that is at most 10 s. The oracle
(`bench.matching.oracle`) and the peers get the same fixes.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.matching.calibration import Reliability, reliability
from bench.matching.fixes import KnownFixes, Setting, record
from bench.matching.online import LAG_S, Answers, fixes_per_core_s, lag_of, match_walks
from bench.matching.oracle import Oracle
from bench.matching.score import Mask, judged, score
from bench.matching.traces import lies_on, read_real, trace_figures
from bench.matching.walks import KnownWalk, known_walks
from bench.peers.matching import MatchingPeer, run_matching_peer
from bench.rig.graph_run import CLOCK
from bench.rig.session import Reporter
from bench.rig.timing import pin_to_one_core
from geo.errors import BadInput, Unavailable
from geo.graph import Graph, open_graph
from models.simulation.gps_error import GpsError
from streams.demo.learned import load_learned

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
    extracts: Sequence[str] = ()  # the OSM files of the graphs, in their order, for the peers
    peer_walks: int = 5  # of the walks, the first
    in_time_every: int = 0  # of so many fixes one is asked of the oracle without full look-ahead, 0 none
    traces: Sequence[Path] = ()  # recorded ones; then known walks are left out

    def __post_init__(self) -> None:
        if self.walks < 1 or self.peer_walks < 1:
            raise BadInput(f"walks is {min(self.walks, self.peer_walks)}, it must be 1 or more")
        if not 100.0 <= self.length_m <= 20_000.0:
            raise BadInput(f"length_m is {self.length_m}, it must be 100 to 20,000")
        if self.extracts and len(self.extracts) != len(self.graph_dirs):
            raise BadInput(f"{len(self.graph_dirs)} graphs need as many extracts, not {len(self.extracts)}")


def run_match(job: MatchJob, peers: Sequence[MatchingPeer], reporter: Reporter) -> dict[str, Reliability]:
    """Measure on one graph after the other, and report each setting as soon as it is done.

    Returns how reliable the settled answers' probabilities are (where there are none, those at once).
    """
    if job.traces:
        match_traces(job, reporter)
        return {}
    core = pin_to_one_core()
    error, pace = load_learned()
    curves: dict[str, Reliability] = {}
    for number, graph_dir in enumerate(job.graph_dirs):
        graph, city = open_graph(graph_dir), _city(graph_dir)
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
        extract = job.extracts[number] if job.extracts else None
        with tempfile.TemporaryDirectory(prefix="flaneur-peers-") as folder:
            for done, setting in enumerate(job.settings):
                reporter.progress(f"matching in {city}", done, len(job.settings))
                run = _Run(job, graph, walks, setting, error, about, reporter)
                curves |= run.measure()
                if oracle is not None:
                    run.ask_oracle(oracle)
                if oracle is not None and job.in_time_every:
                    run.ask_oracle_in_time(oracle, job.in_time_every)
                for peer in peers:
                    run.ask_peer(peer, extract, folder)
    return curves


def match_traces(job: MatchJob, reporter: Reporter) -> None:
    """Report every recorded trace on every graph that it lies on."""
    traces = read_real(job.traces)
    used: set[str] = set()
    for graph_dir in job.graph_dirs:
        graph = open_graph(graph_dir)
        for trace in traces:
            if lies_on(graph, trace):
                used.add(trace.name)
                about: dict[str, object] = {
                    "city": _city(graph_dir),
                    "trace": trace.name,
                    "fixes": len(trace.fixes),
                    "lag_s": LAG_S,
                }
                reporter.report(trace_figures(graph, trace, LAG_S), about)
    for trace in traces:
        if trace.name not in used:
            reporter.warn(f"{trace.name} lies on none of the graphs")


def _city(graph_dir: str) -> str:
    return Path(graph_dir).resolve().name


class _Run:
    """One setting on one graph."""

    def __init__(
        self,
        job: MatchJob,
        graph: Graph,
        walks: Sequence[KnownWalk],
        setting: Setting,
        error: GpsError,
        about: dict[str, object],
        reporter: Reporter,
    ) -> None:
        self.job, self.graph, self.setting, self.reporter = job, graph, setting, reporter
        self.fixes: list[KnownFixes] = [
            record(walk, setting, error, job.seed * 10_007 + n) for n, walk in enumerate(walks)
        ]
        self.counts: list[Mask] = [judged(graph, one, setting.sigma_m) for one in self.fixes]
        self.lag_s = lag_of(setting.interval_s)
        self.best: list[Answers] = []  # the oracle's
        self.matched = match_walks(graph, self.fixes, self.lag_s)
        self.about = about | setting.about() | {"lag_s": self.lag_s, "fixes": sum(map(len, self.fixes))}

    def measure(self) -> dict[str, Reliability]:
        """Report the online matcher; returns how reliable its probabilities are."""
        graph, fixes, counts = self.graph, self.fixes, self.counts
        answers, first = [one.settled for one in self.matched], [one.at_once for one in self.matched]
        settled, at_once = score(graph, fixes, answers, counts), score(graph, fixes, first, counts)
        if self.job.fixes:
            speed = fixes_per_core_s(graph, fixes, self.lag_s, WALKERS, self.job.fixes)
            self.reporter.report([("fixes_per_core_s", speed, "fixes/s")], self.about)
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
        curves = {"": reliability(fixes, answers, counts), "_at_once": reliability(fixes, first, counts)}
        figures += [
            (f"calibration_error{when}", curve.error, "mean distance of probability and share")
            for when, curve in curves.items()
            if curve is not None
        ]
        known = [figure for figure in figures if not math.isnan(figure[1])]  # no F1 where nobody was off
        self.reporter.report(known, self.about | {"not_judged_share": round(settled.not_judged_share, 4)})
        name = (
            f"{self.about['city']}, {self.setting.sigma_m:g} m, {self.setting.interval_s:g} s, "
            f"{self.setting.noise}"
        )
        best = curves[""] or curves["_at_once"]
        return {} if best is None else {name: best}

    def ask_oracle(self, oracle: Oracle) -> None:
        """Report the matcher's edge accuracy beside the oracle's."""
        settled = score(self.graph, self.fixes, [one.settled for one in self.matched], self.counts)
        self.best = oracle.answers(self.fixes, self.setting)
        best = score(self.graph, self.fixes, self.best, self.counts)
        self.reporter.report(
            [("oracle_ratio", settled.edge_accuracy / best.edge_accuracy, "of the oracle's edge accuracy")],
            self.about | {"oracle": {name: round(value, 4) for name, value in vars(best).items()}},
        )

    def ask_oracle_in_time(self, oracle: Oracle, every: int) -> None:
        """Report the matcher beside the oracle that looks no further ahead than the matcher may.

        And that one beside the oracle with full look-ahead, at the same fixes: the most this lag allows.
        """
        found = oracle.with_lag(self.fixes, self.setting, self.lag_s, every)
        chosen = [index for index, _ in found]
        fixes = [one.at(index) for one, index in zip(self.fixes, chosen, strict=True)]
        counts = [one[index] for one, index in zip(self.counts, chosen, strict=True)]
        ours = [one.settled.at(index) for one, index in zip(self.matched, chosen, strict=True)]
        full = [one.at(index) for one, index in zip(self.best, chosen, strict=True)]
        a = score(self.graph, fixes, ours, counts).edge_accuracy
        b = score(self.graph, fixes, [said for _, said in found], counts).edge_accuracy
        bound = b / score(self.graph, fixes, full, counts).edge_accuracy
        self.reporter.report(
            [
                ("oracle_in_time_ratio", a / b, "of its edge accuracy with the same lag"),
                ("oracle_lag_bound", bound, "of its edge accuracy without a lag"),
            ],
            self.about | {"fixes": sum(map(len, fixes)), "oracle_in_time_edge_accuracy": round(b, 4)},
        )

    def ask_peer(self, peer: MatchingPeer, extract: str | None, folder: str) -> None:
        """Report ours and the peer's figures of the first walks."""
        few = min(self.job.peer_walks, peer.most_walks, len(self.fixes))
        fixes, counts = self.fixes[:few], self.counts[:few]
        try:
            theirs = run_matching_peer(peer, self.graph, extract, fixes, self.setting.sigma_m, folder)
        except Unavailable as error:
            self.reporter.warn(str(error))
            return
        a = score(self.graph, fixes, [one.settled for one in self.matched[:few]], counts)
        b = score(self.graph, fixes, theirs.answers, counts)
        count = sum(map(len, fixes))
        speed = fixes_per_core_s(self.graph, fixes, self.lag_s, WALKERS, self.job.fixes or 20_000)
        self.reporter.report(
            [
                ("edge_accuracy", a.edge_accuracy, "share"),
                ("corridor_accuracy", a.corridor_accuracy, "share"),
                ("fixes_per_core_s", speed, "fixes/s"),
            ],
            self.about
            | {"walks": few, "fixes": count, "peer_what": peer.what, "peer_version": theirs.version},
            peer.name,
            [b.edge_accuracy, b.corridor_accuracy, count / max(theirs.cpu_s, 1e-9)],
        )
