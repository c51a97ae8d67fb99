"""`flaneur bench loops`: loops of wanted lengths from random places, three at a time, and GraphHopper's.

What is timed is all that a new walker's wish takes: the impedances of their taste, the weights of the
hierarchy, three loops. A place in a dead end is left and reached over the same ground: that is told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from bench.peers.round_trips import GRAPHHOPPER, RoundTrips, measure_round_trips
from bench.peers.routing import RoutingPeer
from bench.rig.draws import random_pairs
from bench.rig.graph_run import describe_run
from bench.rig.session import GraphSession
from bench.rig.timing import Samples, percentile
from bench.score import ScoreJob
from bench.score import random_pairs as pairs_apart
from geo.errors import BadInput, NoRoute, Unavailable
from geo.graph import Graph
from geo.loops.loops import loops
from geo.routing.alternatives import alternatives
from geo.routing.costs import Costs, static_costs
from geo.routing.metric import Metric, customized, make_metric
from geo.routing.paths import shared_m, walked_twice_m
from geo.routing.search import Path, Place, SearchSpace, impedances_from, path_coordinates
from models.routes.proposals import MISSED_SHARE

PEERS = (GRAPHHOPPER.name,)
LENGTHS_M = (2_000.0, 4_000.0, 6_000.0, 10_000.0)
COUNT = 3
TOLERANCE = 0.05
WARMING = 20  # loops before those that are measured
ALTERNATIVE_PAIRS = 200

Figures = list[tuple[str, float, str]]


@dataclass(frozen=True)
class LoopsJob:
    """`starts` are drawn with `seed`; raises BadInput for what cannot be measured."""

    starts: int = 200
    seed: int = 1
    lengths_m: tuple[float, ...] = LENGTHS_M
    taste: Mapping[str, float] = field(default_factory=dict)
    extract: str | None = None  # the OSM file of the graph, for GraphHopper

    def __post_init__(self) -> None:
        for length_m in self.lengths_m:
            if not 0.0 < length_m < float("inf"):
                raise BadInput(f"a loop of {length_m} m cannot be walked; the length must be positive")


@dataclass
class Answers:
    """What came of one wanted length."""

    length_m: float
    best: list[Path | None] = field(default_factory=list)
    together: list[list[Path]] = field(default_factory=list)
    whole: Samples = field(default_factory=Samples)  # with the metric
    search: Samples = field(default_factory=Samples)  # without


def run_loops(job: LoopsJob, peers: Sequence[RoutingPeer], session: GraphSession) -> None:
    """Measure every length, let GraphHopper measure, and report."""
    graph, costs = session.graph, static_costs(session.graph)
    about = describe_run(session, job.seed) | {"starts": job.starts, "taste": dict(job.taste)}
    starts = [start for start, _ in random_pairs(graph, job.starts, job.seed)]
    dead_end_m = dead_ends(graph, starts)
    space, reported = SearchSpace(graph), {}
    for length_m in job.lengths_m:
        for start in starts[:WARMING]:
            _loops(graph, make_metric(graph, costs, job.taste), start, space, length_m)
        answers = Answers(length_m)
        for done, start in enumerate(starts):
            session.progress(f"loops of {length_m:.0f} m", done, len(starts))
            _ask(graph, costs, job.taste, start, space, answers)
        figures = summed_up(graph, answers, dead_end_m)
        reported[length_m] = figures
        session.report(figures, about | {"length_m": length_m, "core_share": answers.whole.core_share})
    session.report(_measure_alternatives(job, graph, costs, space), about)
    if peers:
        _report_peer(job, starts, reported, about, session)


def _loops(graph: Graph, metric: Metric, start: Place, space: SearchSpace, length_m: float) -> list[Path]:
    try:
        return loops(graph, metric, start, space, length_m=length_m, count=COUNT, tolerance=TOLERANCE)
    except NoRoute:
        return []


def _ask(
    graph: Graph, costs: Costs, taste: Mapping[str, float], start: Place, space: SearchSpace, answers: Answers
) -> None:
    found = answers.whole.measure(
        lambda: _loops(graph, make_metric(graph, costs, taste), start, space, answers.length_m)
    )
    metric = customized(graph, make_metric(graph, costs, taste))
    answers.search.measure(lambda: _loops(graph, metric, start, space, answers.length_m))
    answers.best.append(found[0] if found else None)
    answers.together.append(found)


def summed_up(graph: Graph, answers: Answers, dead_end_m: Sequence[float]) -> Figures:
    """The figures of one length; those of what was walked are of the best loop from every start."""
    wanted, count = answers.length_m, len(answers.best)
    off = [abs(path.length_m / wanted - 1.0) if path else float("inf") for path in answers.best]
    twice, avoidable = [], []
    for path, stub_m in zip(answers.best, dead_end_m, strict=True):
        if path is not None:
            again_m = walked_twice_m(graph, path)
            twice.append(again_m / path.length_m)
            avoidable.append(max(0.0, again_m - stub_m) / path.length_m)
    shared = [
        shared_m(graph, path, other) / path.length_m
        for found in answers.together
        for i, path in enumerate(found)
        for other in found[:i]
    ]
    return [
        ("within_5pct_share", sum(error <= TOLERANCE for error in off) / count, "share"),
        ("walked_twice_median", median(twice or [0.0]), "share"),
        ("failure_share", sum(error > MISSED_SHARE for error in off) / count, "share"),
        ("three_loops_p99_ms", 1000.0 * answers.whole.p99_s, "ms"),
        ("three_loops_ms", 1000.0 * answers.whole.median_s, "ms"),
        ("without_metric_p99_ms", 1000.0 * answers.search.p99_s, "ms"),
        ("walked_twice_p95", percentile(twice or [0.0], 95.0), "share"),
        ("avoidable_twice_median", median(avoidable or [0.0]), "share"),
        ("three_found_share", sum(len(found) == COUNT for found in answers.together) / count, "share"),
        ("overlap_median", median(shared or [0.0]), "share"),
    ]


def dead_ends(graph: Graph, starts: Sequence[Place]) -> list[float]:
    """(n,) metres from each start to where there is more than one way to go on."""
    space, metres = SearchSpace(graph), customized(graph, Metric(np.array(graph.length_m)))
    found = []
    for start in starts:
        if space.core[graph.tail[start.edge]] and space.core[graph.head[start.edge]]:
            found.append(0.0)
        else:
            away_m = impedances_from(graph, metres, start, space)[space.core]
            found.append(float(away_m.min(initial=np.inf)))
    return found


def _measure_alternatives(job: LoopsJob, graph: Graph, costs: Costs, space: SearchSpace) -> Figures:
    pairs = pairs_apart(graph, ScoreJob(ALTERNATIVE_PAIRS, job.seed))
    metric = customized(graph, make_metric(graph, costs, job.taste))
    for start, end in pairs[:WARMING]:
        alternatives(graph, metric, start, end, space, count=COUNT)
    samples, found = Samples(), 0
    for start, end in pairs:
        ways = samples.measure(lambda s=start, e=end: alternatives(graph, metric, s, e, space, count=COUNT))  # type: ignore[misc]
        found += len(ways) == COUNT
    return [
        ("alternatives_ms", 1000.0 * samples.median_s, "ms"),
        ("three_alternatives_share", found / len(pairs), "share"),
    ]


def _report_peer(
    job: LoopsJob,
    starts: Sequence[Place],
    reported: Mapping[float, Figures],
    about: dict[str, object],
    session: GraphSession,
) -> None:
    """A line for each figure that GraphHopper's round trips have too."""
    assert job.extract is not None
    session.progress(f"measuring {GRAPHHOPPER.name}", 0, 1)
    try:
        version, trips = measure_round_trips(
            job.extract, job.lengths_m, [_position(session.graph, start) for start in starts]
        )
    except Unavailable as error:
        session.warn(str(error))
        return
    theirs = {"peer_is": GRAPHHOPPER.what, "peer_version": version}
    for trip in trips:
        values = peer_values(trip)
        ours = [figure for figure in reported[trip.length_m] if figure[0] in values]
        more = {
            "length_m": trip.length_m,
            "peer_length_error_median": trip.length_error_median,
            "peer_best_of_five_error_median": trip.best_of_five_error_median,
        }
        session.report(
            ours,
            about | theirs | more,
            GRAPHHOPPER.name,
            [values[name] for name, _, _ in ours],
        )


def peer_values(trip: RoundTrips) -> dict[str, float]:
    """By metric of ours."""
    return {
        "within_5pct_share": trip.within_5pct_share,
        "walked_twice_median": trip.walked_twice_median,
        "failure_share": trip.failure_share,
        "three_loops_p99_ms": trip.three_loops_p99_ms,
        "walked_twice_p95": trip.walked_twice_p95,
    }


def _position(graph: Graph, place: Place) -> tuple[float, float]:
    edge = np.array([place.edge], np.int32)
    lat, lon = path_coordinates(graph, Path(edge, place.fraction, place.fraction, 0.0, 0.0, 0.0))
    return float(lat[0]), float(lon[0])
