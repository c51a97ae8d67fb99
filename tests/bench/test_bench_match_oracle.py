"""The oracle beside a naive twin, and beside what it claims: the error's memory, its chances."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from bench.matching.fixes import KnownFixes, Setting, record
from bench.matching.lattice import CELL_M, SQUARE_M, STEP_S, Lattice, Links, build_lattice, edge_bearings
from bench.matching.oracle import Oracle, count_habits, own_habits, posterior
from bench.matching.score import judged, same_street, score
from bench.matching.walks import KnownWalk, known_walks
from geo.geodesy import to_local
from geo.graph import F64, Graph, open_graph
from streams.demo.learned import load_learned

ERROR, PACE = load_learned()


@pytest.fixture(scope="module")
def graph(graph_dir: str) -> Graph:
    return open_graph(graph_dir)


@pytest.fixture(scope="module")
def walks(graph: Graph) -> list[KnownWalk]:
    return known_walks(graph, PACE, 4, 400.0, 9)


def a_lattice(graph: Graph, walks: list[KnownWalk], number: int, reach_m: float) -> Lattice:
    bearing = edge_bearings(graph)
    habits = count_habits(graph, bearing, walks)
    return build_lattice(graph, bearing, walks[number], own_habits(walks[number], habits), reach_m)


def spread(links: Links, mass: F64, backward: bool) -> F64:
    """One step of all states, every transition by itself."""
    out = np.zeros(len(mass))
    from_ = np.repeat(np.arange(len(mass)), np.diff(links.first))
    one, other = (links.to, from_) if backward else (from_, links.to)
    np.add.at(out, other, mass[one] * links.share)
    return out


def naive_posterior(lattice: Lattice, fixes: KnownFixes, sigma_m: float, off_share: float) -> F64:
    """(fixes, 2 S) probabilities with white error: forward and backward over all states, nothing given up."""
    x, y = to_local(fixes.lat, fixes.lon, lattice.lat0, lattice.lon0)
    grain = np.where(lattice.edge < 0, SQUARE_M, CELL_M) ** 2 / 12.0
    variance = np.tile(sigma_m**2 + grain, 2)

    def seen(i: int) -> F64:
        square = np.tile((lattice.x - x[i]) ** 2 + (lattice.y - y[i]) ** 2, 2)
        fit: F64 = np.exp(-0.5 * square / variance) / variance
        return fit

    near = np.hypot(lattice.x - x[0], lattice.y - y[0]) < max(40.0, 4.0 * sigma_m)
    on = np.where(near, lattice.weight, 0.0)
    off = near & (lattice.edge < 0)
    prior = on + off * off_share / (1 - off_share) * on.sum() / max(1, off.sum())
    ahead = [np.concatenate((0.85 * prior, 0.15 * prior)) * seen(0)]
    steps = [max(1, round(float(b - a) / STEP_S)) for a, b in pairwise(fixes.ts)]
    for i, count in enumerate(steps, start=1):
        mass = spread(lattice.rare, ahead[-1] / ahead[-1].sum(), False)
        for _ in range(count):
            mass = spread(lattice.move, mass, False)
        ahead.append(mass * seen(i))
    behind = [np.ones(len(prior) * 2)]
    for i in range(len(steps), 0, -1):
        mass = behind[0] * seen(i)
        for _ in range(steps[i - 1]):
            mass = spread(lattice.move, mass, True)
        mass = spread(lattice.rare, mass, True)
        behind.insert(0, mass / mass.max())
    joint = np.array(ahead) * np.array(behind)
    result: F64 = joint / joint.sum(axis=1, keepdims=True)
    return result


@pytest.mark.parametrize(("number", "interval_s"), [(0, 1.0), (1, 3.0), (2, 3.0)])
def test_the_oracle_and_its_naive_twin_agree(
    graph: Graph, walks: list[KnownWalk], number: int, interval_s: float
) -> None:
    setting = Setting(5.0, interval_s, "white")
    fixes = record(walks[number], setting, ERROR, 4)
    part = slice(0, int(60 / interval_s))
    truth = walks[number].at(fixes.ts[part])
    fixes = KnownFixes(fixes.ts[part], fixes.lat[part], fixes.lon[part], fixes.accuracy_m[part], truth)
    lattice = a_lattice(graph, walks, number, 60.0)
    told = posterior(graph, lattice, fixes, setting, ERROR, 0.1)
    all_states = naive_posterior(lattice, fixes, 5.0, 0.1)
    reverse = np.asarray(graph.reverse)[lattice.edge]
    street = np.tile(
        np.where((lattice.edge < 0) | (reverse < 0), lattice.edge, np.minimum(lattice.edge, reverse)), 2
    )
    for i in range(len(fixes)):
        names, of = np.unique(street, return_inverse=True)
        mass = np.bincount(of, all_states[i])
        best = int(names[np.argmax(mass)])
        back = int(graph.reverse[told.edge[i]]) if told.edge[i] >= 0 else -1
        assert told.probability[i] == pytest.approx(mass.max(), abs=2e-3)
        if np.sort(mass)[-2] < mass.max() - 0.01:
            assert best in (told.edge[i], back)


def test_no_mass_is_made_or_lost(graph: Graph, walks: list[KnownWalk]) -> None:
    lattice = a_lattice(graph, walks, 0, 60.0)
    for links in (lattice.move, lattice.rare):
        shares = np.add.reduceat(links.share.astype(np.float64), links.first[:-1])
        assert shares == pytest.approx(1.0, abs=1e-5)
        assert links.share.min() >= 0.0


def test_cells_follow_the_streets(graph: Graph, walks: list[KnownWalk]) -> None:
    lattice = a_lattice(graph, walks, 0, 60.0)
    cells = lattice.edge >= 0
    from_ = np.repeat(np.arange(2 * len(cells)), np.diff(lattice.move.first))
    inside = (from_ < cells.sum()) & (lattice.move.to < cells.sum())
    one, other = from_[inside], lattice.move.to[inside]
    far_m = np.hypot(lattice.x[one] - lattice.x[other], lattice.y[one] - lattice.y[other])
    assert far_m.max() < 8.0  # past a few edges shorter than a step
    assert np.quantile(far_m, 0.95) < 2.0


def test_more_error_or_fewer_fixes_never_help_it(graph: Graph, walks: list[KnownWalk]) -> None:
    oracle = Oracle(graph, walks, ERROR)

    def accuracy(sigma_m: float, interval_s: float) -> float:
        setting = Setting(sigma_m, interval_s, "white")
        fixes = [record(walk, setting, ERROR, n) for n, walk in enumerate(walks)]
        counts = [judged(graph, one, sigma_m) for one in fixes]
        return score(graph, fixes, oracle.answers(fixes, setting), counts).edge_accuracy

    best, often, seldom, worst = (
        accuracy(2.0, 1.0),
        accuracy(5.0, 1.0),
        accuracy(5.0, 5.0),
        accuracy(15.0, 5.0),
    )
    assert best > 0.93
    assert best > often > seldom > worst


def test_knowing_the_memory_of_the_error_helps(graph: Graph, walks: list[KnownWalk]) -> None:
    real, white = Setting(8.0, 1.0, "real"), Setting(8.0, 1.0, "white")
    error = replace(ERROR, jumps_per_hour=0.0)
    oracle = Oracle(graph, walks, error)
    fixes = [record(walk, real, error, n) for n, walk in enumerate(walks)]
    right = []
    for setting in (real, white):
        answers = oracle.answers(fixes, setting)
        same = [
            same_street(graph, said.edge, one.truth.edge)[~one.truth.off_network]
            for said, one in zip(answers, fixes, strict=True)
        ]
        right.append(float(np.concatenate(same).mean()))
    assert right[0] > right[1] + 0.02


def test_who_sees_less_of_the_future_is_right_less_often(graph: Graph, walks: list[KnownWalk]) -> None:
    oracle = Oracle(graph, walks[:2], ERROR)
    setting = Setting(8.0, 2.0, "white")
    fixes = [record(walk, setting, ERROR, n) for n, walk in enumerate(walks[:2])]
    whole = oracle.answers(fixes, setting)
    right = {"whole": 0, "ten seconds": 0, "none": 0}
    for name, lag_s in (("ten seconds", 10.0), ("none", 0.0)):
        for one, (index, said) in zip(fixes, oracle.with_lag(fixes, setting, lag_s, 20), strict=True):
            right[name] += int(same_street(graph, said.edge, one.truth.edge[index]).sum())
    for one, said in zip(fixes, whole, strict=True):
        index = np.arange(10, len(one), 20)
        right["whole"] += int(same_street(graph, said.edge[index], one.truth.edge[index]).sum())
    assert right["none"] < right["ten seconds"] <= right["whole"]
