"""Known walks, what is recorded of them, and how a matcher's answers are judged."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from bench.matching.calibration import draw_reliability, reliability
from bench.matching.fixes import NOISES, KnownFixes, Setting, record
from bench.matching.online import Answers, lag_of, match_walks
from bench.matching.score import f1, judged, score
from bench.matching.traces import agreement, lies_on, read_real
from bench.matching.walks import KnownWalk, Piece, known_walks, point_at
from bench.peers.matching import MATCHING_PEERS, MatchingPeer, run_matching_peer, why_not
from geo.errors import Unavailable
from geo.geodesy import haversine_m
from geo.graph import Graph, open_graph
from geo.grid import nearest_edges
from streams.demo.learned import load_learned
from tests.bench.altona import ALTONA, bench

ERROR, PACE = load_learned()
DATA = Path(__file__).parents[2] / "data" / "traces"


@pytest.fixture(scope="module")
def graph(graph_dir: str) -> Graph:
    return open_graph(graph_dir)


@pytest.fixture(scope="module")
def walks(graph: Graph) -> list[KnownWalk]:
    return known_walks(graph, PACE, 8, 900.0, 5)


def test_the_truth_lies_where_the_walker_is(graph: Graph, walks: list[KnownWalk]) -> None:
    for walk in walks:
        truth = walk.at(walk.ts)
        for i in np.flatnonzero(~truth.off_network):
            lat, lon = point_at(graph, int(truth.edge[i]), float(truth.fraction[i]))
            assert float(haversine_m(lat, lon, truth.lat[i], truth.lon[i])) < 0.01


def test_nobody_jumps_and_nobody_flies(graph: Graph, walks: list[KnownWalk]) -> None:
    for walk in walks:
        step_m = haversine_m(walk.lat[:-1], walk.lon[:-1], walk.lat[1:], walk.lon[1:])
        assert step_m.max() < 4.0
        for one, other in zip(walk.pieces, walk.pieces[1:], strict=False):
            assert float(haversine_m(one.lat[-1], one.lon[-1], other.lat[0], other.lon[0])) < 0.5
            if one.edge >= 0 and other.edge >= 0 and one.end > 1 - 1e-9 and other.start < 1e-9:
                assert graph.head[one.edge] == graph.tail[other.edge]


def test_walks_turn_stand_and_leave_the_network(graph: Graph, walks: list[KnownWalk]) -> None:
    pairs = [pair for walk in walks for pair in zip(walk.pieces, walk.pieces[1:], strict=False)]
    turned = [one for one, other in pairs if one.edge >= 0 and graph.reverse[one.edge] == other.edge]
    off = np.concatenate([walk.at(walk.ts).off_network for walk in walks])
    standing = np.concatenate([np.diff(walk.along_m) == 0 for walk in walks])
    assert turned
    assert 0.02 < off.mean() < 0.4
    assert 0.0 < standing.mean() < 0.4


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("sigma_m", [5.0, 10.0])
def test_fixes_err_as_much_as_they_should(noise: str, sigma_m: float) -> None:
    ts = np.arange(20_000.0)
    edge = Piece(0, 0.0, 1.0, np.array([60.0, 60.0]), np.array([25.0, 25.1]))
    somebody_standing = KnownWalk((edge,), ts, ts * 0.0, ts * 0.0 + 60.0, ts * 0.0 + 25.0)
    steady = replace(ERROR, jumps_per_hour=0.0, gaps_per_hour=0.0)
    square = []
    for seed in range(20):
        fixes = record(somebody_standing, Setting(sigma_m, 3.0, noise), steady, seed)
        assert np.diff(fixes.ts) == pytest.approx(3.0)
        square.append(haversine_m(fixes.lat, fixes.lon, 60.0, 25.0) ** 2)
    rms_m = float(np.sqrt(np.concatenate(square).mean() / 2))
    assert rms_m == pytest.approx(sigma_m, rel=0.01 if noise == "white" else 0.1)


def test_the_same_seed_gives_the_same_fixes(graph: Graph, walks: list[KnownWalk]) -> None:
    again = known_walks(graph, PACE, 2, 900.0, 5)
    for noise in NOISES:
        setting = Setting(5.0, 1.0, noise)
        for one, other in zip(walks, again, strict=False):
            a, b = record(one, setting, ERROR, 3), record(other, setting, ERROR, 3)
            assert np.array_equal(a.lat, b.lat)
            assert np.array_equal(a.truth.edge, b.truth.edge)


def true_answers(fixes: KnownFixes) -> Answers:
    truth = fixes.truth
    return Answers(truth.edge, truth.fraction, truth.off_network, np.ones(len(fixes)))


def test_the_truth_scores_full_marks_and_its_reverse_all_but_direction(
    graph: Graph, walks: list[KnownWalk]
) -> None:
    fixes = [record(walk, Setting(5.0, 1.0, "white"), ERROR, 1) for walk in walks]
    counts = [judged(graph, one, 5.0) for one in fixes]
    full = score(graph, fixes, [true_answers(one) for one in fixes], counts)
    assert full.edge_accuracy == full.directed_accuracy == full.corridor_accuracy == 1.0
    assert full.off_network_f1 == full.off_network_f1_strict == 1.0
    assert full.median_error_m < 0.01 < 4.0 < full.raw_median_error_m
    turned = []
    for one in fixes:
        back = np.asarray(graph.reverse)[np.maximum(one.truth.edge, 0)]
        edge = np.where(one.truth.edge >= 0, back, -1).astype(np.int32)
        turned.append(Answers(edge, 1.0 - one.truth.fraction, edge < 0, np.ones(len(one))))
    half = score(graph, fixes, turned, counts)
    assert half.edge_accuracy == half.corridor_accuracy == 1.0
    assert half.directed_accuracy == 0.0


def test_a_matcher_that_knows_nothing_scores_nothing(graph: Graph, walks: list[KnownWalk]) -> None:
    fixes = [record(walk, Setting(5.0, 1.0, "white"), ERROR, 1) for walk in walks]
    counts = [judged(graph, one, 5.0) for one in fixes]
    nothing = [
        Answers(
            np.full(len(one), -1, np.int32),
            np.zeros(len(one)),
            np.zeros(len(one), np.bool_),
            np.ones(len(one)),
        )
        for one in fixes
    ]
    none = score(graph, fixes, nothing, counts)
    assert none.edge_accuracy == none.corridor_accuracy == none.off_network_f1 == 0.0
    assert none.median_error_m == none.raw_median_error_m


def test_fixes_that_nobody_can_tell_are_not_judged(graph: Graph, walks: list[KnownWalk]) -> None:
    for walk in walks:
        fixes = record(walk, Setting(5.0, 1.0, "white"), ERROR, 1)
        counts = judged(graph, fixes, 5.0)
        assert counts[~fixes.truth.off_network].all()
        for i in np.flatnonzero(fixes.truth.off_network):
            near = nearest_edges(graph, float(fixes.truth.lat[i]), float(fixes.truth.lon[i]), 10.0, 1)
            assert counts[i] == (not near)


def test_f1_is_the_harmonic_mean() -> None:
    truly = np.array([True, True, True, False, False])
    said = np.array([True, True, False, True, False])
    assert f1(truly, said) == pytest.approx(2 / 3)
    assert f1(truly, truly) == 1.0


def test_answers_come_back_in_the_order_of_the_fixes(graph: Graph, walks: list[KnownWalk]) -> None:
    fixes = [record(walk, Setting(1.0, 1.0, "white"), ERROR, 1) for walk in walks]
    counts = [judged(graph, one, 1.0) for one in fixes]
    together = match_walks(graph, fixes, 10.0)
    for number, one in enumerate(fixes):
        alone = match_walks(graph, [one], 10.0)[0]
        assert np.array_equal(alone.settled.edge, together[number].settled.edge)
        assert np.array_equal(alone.at_once.edge, together[number].at_once.edge)
    assert score(graph, fixes, [one.settled for one in together], counts).edge_accuracy > 0.9


def test_lags_are_whole_intervals_within_ten_seconds() -> None:
    assert [lag_of(interval) for interval in (1.0, 3.0, 4.0, 10.0, 15.0)] == [10.0, 9.0, 8.0, 10.0, 15.0]


def test_the_command_reports_every_setting(graph_dir: str) -> None:
    done = bench(
        "match", "--graph", graph_dir, "--walks", "3", "--length-m", "600", "--fixes", "2000",
        "--sigma-m", "5", "--json", "--peers", "none",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    by_metric: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in map(json.loads, done.stdout.splitlines()):
        by_metric[line["metric"]].append(line)
    for metric in (
        "fixes_per_core_s",
        "edge_accuracy",
        "corridor_accuracy",
        "median_error_m",
        "off_network_f1",
    ):
        settings = {(line["sigma_m"], line["interval_s"], line["noise"]) for line in by_metric[metric]}
        assert settings == {(5.0, interval, noise) for interval in (1.0, 3.0) for noise in NOISES}
        assert {line["city"] for line in by_metric[metric]} == {"altona"}
    assert all(0.3 < line["value"] <= 1.0 for line in by_metric["edge_accuracy"])
    for line in by_metric["oracle_ratio"]:
        assert line["oracle"]["edge_accuracy"] > 0.7
        assert 0.4 < line["value"] < 1.05


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--walks", "0"), "walks is 0, it must be 1 or more"),
        (("--noise", "pink"), "noise is 'pink', it must be one of white, real"),
        (("--interval-s", "0"), "sigma 5.0 m every 0.0 s cannot be"),
        (("--peers", "meili"), "meili makes a graph of its own: name the OSM extract with --extract"),
        (("--peers", "graphite"), "peer 'graphite' is unknown: choose from meili, meili-tuned, osrm, leuven"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    graph_dir: str, arguments: tuple[str, ...], sentence: str
) -> None:
    done = bench("match", "--graph", graph_dir, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"flaneur: {sentence}")
    assert len(done.stderr.splitlines()) == 1


def test_a_matcher_that_knows_how_often_it_is_right_is_calibrated(
    graph: Graph, walks: list[KnownWalk]
) -> None:
    fixes = [record(walk, Setting(5.0, 1.0, "white"), ERROR, 1) for walk in walks]
    counts = [judged(graph, one, 5.0) for one in fixes]
    rng = np.random.default_rng(3)
    honest, boasting = [], []
    for one in fixes:
        chance = rng.uniform(0.3, 1.0, len(one))
        right = rng.random(len(one)) < chance
        edge = np.where(right, one.truth.edge, (one.truth.edge + 7) % graph.edge_count).astype(np.int32)
        honest.append(Answers(edge, one.truth.fraction, edge < 0, chance))
        boasting.append(Answers(edge, one.truth.fraction, edge < 0, np.ones(len(one))))
    good, bad = reliability(fixes, honest, counts), reliability(fixes, boasting, counts)
    assert good is not None
    assert bad is not None
    assert good.error < 0.03 < 0.3 < bad.error
    drawing = draw_reliability({"honest": good, "boasting & loud": bad})
    assert ElementTree.fromstring(drawing).tag.endswith("svg")
    assert drawing == draw_reliability({"honest": good, "boasting & loud": bad})


def test_recorded_traces_are_matched_where_they_lie(graph_dir: str) -> None:
    trace, elsewhere = DATA / "altona" / "altona_walk.json", DATA / "dc-run" / "run.gpx"
    done = bench(
        "match", "--graph", graph_dir, "--traces", str(trace), "--traces", str(elsewhere), "--json"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = {line["metric"]: line["value"] for line in map(json.loads, done.stdout.splitlines())}
    assert values["on_network_share"] > 0.8
    assert values["median_distance_m"] < 4.0
    assert "lies on none of the graphs" in done.stderr


def test_a_line_is_expected_of_a_test_of_itineros(graph: Graph) -> None:
    (test,) = read_real([DATA / "itinero" / "test9.json"])
    assert test.expected is not None
    assert len(test.fixes) > 50
    assert not lies_on(graph, test)
    assert np.diff(test.fixes.ts).max() <= 5.0 + 1e-9
    on_it = Answers(
        np.full(len(test.fixes), -1, np.int32), np.zeros(len(test.fixes)),
        np.ones(len(test.fixes), np.bool_), np.ones(len(test.fixes)),
    )  # fmt: skip
    covered, right = agreement(graph, on_it, test)
    assert covered > 0.9
    assert right > 0.9


@pytest.mark.parametrize("peer", MATCHING_PEERS, ids=lambda peer: peer.name)
def test_peers_find_what_was_hardly_disturbed(
    graph: Graph, walks: list[KnownWalk], peer: MatchingPeer, tmp_path: Path
) -> None:
    fixes = [record(walks[0], Setting(1.0, 5.0, "white"), ERROR, 1)]
    if (
        why_not(peer) is not None
    ):  # nothing of a peer is installed here: that must be said, with what is needed
        with pytest.raises(Unavailable, match=f"{peer.name} needs the Python package {peer.needs}"):
            run_matching_peer(peer, graph, str(ALTONA), fixes, 1.0, str(tmp_path))
        return
    told = run_matching_peer(peer, graph, str(ALTONA), fixes, 1.0, str(tmp_path))
    counts = [judged(graph, one, 1.0) for one in fixes]
    assert score(graph, fixes, told.answers, counts).edge_accuracy > 0.6
    assert told.cpu_s > 0
