"""How pleasant the ways of the default taste are beside the shortest ones, and how fast routes are scored.

Exposure is the mean of a factor over the walking time of a route; a dose is that mean times the duration.
Changes are those of the mean over all pairs, so that a pair without any green counts as the others do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.rig.graph_run import describe_run
from bench.rig.session import GraphSession
from bench.rig.timing import repeated
from geo.errors import BadInput
from geo.geodesy import haversine_m
from geo.graph import F32, F64, I64, Graph
from geo.routing.cost_kernels import Routes
from geo.routing.costs import (
    COLUMN,
    DYNAMIC_FACTORS,
    FACTORS,
    MAX_WEIGHT,
    apply_conditions,
    changed_edges,
    impedance,
    static_costs,
    weights,
    with_closed,
)
from geo.routing.metric import Metric, customized, make_metric
from geo.routing.scoring import RouteScores, score_routes
from geo.routing.search import Path, Place, SearchSpace, shortest_path

SCALES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
LOUD_DB = FACTORS[COLUMN["noise"]].high - FACTORS[COLUMN["noise"]].low
_REPEATS = 15
_ROUTES, _ROUTE_EDGES = 10_000, 100
_MOST_TRIES = 200  # a pair


@dataclass(frozen=True)
class ScoreJob:
    """What is measured; raises BadInput for numbers that cannot be."""

    pairs: int = 1_000
    seed: int = 1
    taste: Mapping[str, float] = field(default_factory=dict)  # what differs from the default weights
    least_m: float = 500.0  # between the ends of a pair, as the crow flies
    most_m: float = 3_000.0

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise BadInput(f"pairs is {self.pairs}, it must be 1 or more")
        weights(self.taste)


@dataclass(frozen=True)
class Change:
    """Ways of one taste beside the shortest ones between the same places, each as a share of the latter's."""

    scale: float  # of all weights
    length: float
    duration: float
    noise: float  # exposure
    noise_dose: float
    noise_db: float  # dB(A), of the mean level
    green: float
    green_dose: float


def run_score(job: ScoreJob, session: GraphSession) -> None:
    """Report the changes under the job's taste, and how many routes a second are scored."""
    pairs = random_pairs(session.graph, job)
    shortest, pleasant = ways(session.graph, pairs, (None, weights(job.taste)), session.progress)
    about = {
        **describe_run(session, job.seed),
        "taste": dict(job.taste),
        "pairs": job.pairs,
        "least_m": job.least_m,
        "most_m": job.most_m,
    }
    change = compare(session.graph, 1.0, shortest, pleasant)
    session.report(
        [
            ("noise_exposure_change", change.noise, "share"),
            ("noise_dose_change", change.noise_dose, "share"),
            ("noise_level_change", change.noise_db, "dB(A)"),
            ("green_exposure_change", change.green, "share"),
            ("green_dose_change", change.green_dose, "share"),
            ("length_change", change.length, "share"),
            ("duration_change", change.duration, "share"),
        ],
        about,
    )
    _report_costs(job, session, about)
    routes = many_routes(pleasant, job.seed)
    edges = round(len(routes.edges) / _ROUTES, 1)
    costs = static_costs(session.graph)
    for tastes in (1, 4):
        rows = np.repeat(weights(job.taste)[None], tastes, axis=0)
        took = repeated(lambda rows=rows: score_routes(session.graph, costs, routes, rows), _REPEATS)  # type: ignore[misc]
        figure = ("routes_per_s", _ROUTES / took.median_s, "1/s")
        session.report([figure], {**about, "tastes": tastes, "edges_per_route": edges,
                                  "core_share": took.core_share})  # fmt: skip


def _report_costs(job: ScoreJob, session: GraphSession, about: dict[str, object]) -> None:
    """What a version of the costs takes: to make, to compare with another, to weigh for one taste."""
    graph, row = session.graph, weights(job.taste)
    values = np.zeros((len(graph.cell_h3), len(DYNAMIC_FACTORS)), np.float32)
    none, one = np.empty(0, np.int32), np.zeros(1, np.int32)
    calm, shut = (apply_conditions(graph, 1, values, {}, edges, night=False) for edges in (none, one))
    jobs: tuple[tuple[str, Callable[[], object]], ...] = (
        ("impedance_ms", lambda: impedance(graph, calm, row)),
        ("costs_ms", lambda: apply_conditions(graph, 1, values, {}, one, night=False)),
        ("close_ms", lambda: with_closed(graph, calm, 1, one, closed=True)),
        ("changed_edges_ms", lambda: changed_edges(calm, shut)),
    )
    for metric, run in jobs:
        took = repeated(run, _REPEATS)
        session.report([(metric, 1e3 * took.median_s, "ms")], {**about, "core_share": took.core_share})


def trade_off(job: ScoreJob, graph: Graph, progress: Callable[[str, int, int], None]) -> list[Change]:
    """The changes as all weights are scaled by SCALES."""
    pairs = random_pairs(graph, job)
    rows = [np.clip(weights(job.taste) * np.float32(scale), -MAX_WEIGHT, MAX_WEIGHT) for scale in SCALES]
    found = ways(graph, pairs, (None, *rows), progress)
    shortest = next(found)
    return [compare(graph, scale, shortest, paths) for scale, paths in zip(SCALES, found, strict=True)]


def random_pairs(graph: Graph, job: ScoreJob) -> list[tuple[Place, Place]]:
    """Pairs of one component, so far apart; all metres of the streets are equally likely.

    Raises BadInput where the graph is too small for them.
    """
    rng = np.random.default_rng(job.seed)
    ends = np.cumsum(graph.length_m, dtype=np.float64)
    pairs: list[tuple[Place, Place]] = []
    for _ in range(job.pairs * _MOST_TRIES):
        if len(pairs) == job.pairs:
            break
        start, end = _edges_at(ends, rng.random(2))
        if graph.component[start] == graph.component[end] and (
            job.least_m <= _between_m(graph, start, end) <= job.most_m
        ):
            pairs.append((Place(start, 0.5), Place(end, 0.5)))
    if len(pairs) < job.pairs:
        raise BadInput(
            f"this graph has few places {job.least_m:.0f} to {job.most_m:.0f} m apart: found {len(pairs)} "
            f"pairs of {job.pairs}; ask for fewer, or measure on a larger extract"
        )
    return pairs


def ways(
    graph: Graph,
    pairs: Sequence[tuple[Place, Place]],
    tastes: Sequence[F32 | None],
    progress: Callable[[str, int, int], None],
) -> Iterator[list[Path]]:
    """For each taste (K,) the best way of every pair; None: the shortest in metres."""
    space, costs = SearchSpace(graph), static_costs(graph)
    for number, taste in enumerate(tastes):
        shortest = Metric(np.array(graph.length_m))
        metric = customized(graph, shortest if taste is None else make_metric(graph, costs, taste))
        paths = []
        for done, (start, end) in enumerate(pairs):
            if done % 100 == 0:
                progress("ways", number * len(pairs) + done, len(tastes) * len(pairs))
            paths.append(shortest_path(graph, metric, start, end, space))
        yield paths


def compare(graph: Graph, scale: float, shortest: Sequence[Path], pleasant: Sequence[Path]) -> Change:
    """What the pleasant ways give and cost beside the shortest ones."""
    costs = static_costs(graph)
    before, after = (score_routes(graph, costs, paths, [{}]) for paths in (shortest, pleasant))
    noise = [_exposure(scores, "noise") for scores in (before, after)]
    green = [_exposure(scores, "green") for scores in (before, after)]
    seconds = before.duration_s, after.duration_s
    return Change(
        scale,
        _change(before.length_m, after.length_m),
        _change(*seconds),
        _change(*noise),
        _change(noise[0] * seconds[0], noise[1] * seconds[1]),
        LOUD_DB * float(noise[1].mean() - noise[0].mean()),
        _change(*green),
        _change(green[0] * seconds[0], green[1] * seconds[1]),
    )


def many_routes(paths: Sequence[Path], seed: int) -> Routes:
    """10,000 pieces of up to 100 edges of these paths."""
    rng = np.random.default_rng(seed)
    pieces = []
    for number in rng.integers(len(paths), size=_ROUTES).tolist():
        edges = paths[number].edges
        begin = int(rng.integers(max(1, len(edges) - _ROUTE_EDGES + 1)))
        pieces.append(edges[begin : begin + _ROUTE_EDGES])
    first: I64 = np.zeros(_ROUTES + 1, np.int64)
    np.cumsum([len(piece) for piece in pieces], out=first[1:])
    return Routes(first, np.concatenate(pieces), np.zeros(_ROUTES), np.ones(_ROUTES))


def _edges_at(ends: F64, shares: F64) -> tuple[int, int]:
    start, end = np.searchsorted(ends, shares * ends[-1], side="right").tolist()
    return min(start, len(ends) - 1), min(end, len(ends) - 1)


def _between_m(graph: Graph, start: int, end: int) -> float:
    a, b = graph.tail[start], graph.tail[end]
    return float(haversine_m(graph.node_lat[a], graph.node_lon[a], graph.node_lat[b], graph.node_lon[b]))


def _exposure(scores: RouteScores, factor: str) -> F64:
    return scores.exposure[:, COLUMN[factor]]


def _change(before: F64 | F32, after: F64 | F32) -> float:
    return float(after.mean() / before.mean() - 1.0) if before.mean() > 0.0 else 0.0
