"""How pleasant ways are beside the shortest: the figures, against plain sums, and the picture."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from bench.rig.report import Figure
from bench.rig.session import GraphSession
from bench.score import (
    SCALES,
    Change,
    ScoreJob,
    compare,
    many_routes,
    random_pairs,
    run_score,
    trade_off,
    ways,
)
from bench.score_plot import draw_trade_off
from geo.errors import BadInput
from geo.geodesy import haversine_m
from geo.graph import Graph
from geo.routing.costs import COLUMN, weights
from geo.routing.search import Path
from tests.geo.naive_city import lattice_city
from tests.geo.naive_search import walk_cost

CITY = lattice_city(5)
JOB = ScoreJob(pairs=40, seed=7)


def unseen(what: str, done: int, total: int) -> None:
    assert 0 <= done < total


def naive_mean(graph: Graph, name: str, paths: list[Path], *, dose: bool = False) -> float:
    values = []
    for path in paths:
        seconds = walk_cost(graph, graph.duration_s, path)
        felt = walk_cost(graph, graph.duration_s * graph.static_factors[:, COLUMN[name]].astype(float), path)
        values.append(felt if dose else felt / seconds)
    return sum(values) / len(values)


def test_pairs_are_as_far_apart_as_asked_and_the_same_again() -> None:
    pairs = random_pairs(CITY, JOB)
    assert len(pairs) == 40
    assert pairs == random_pairs(CITY, JOB)
    assert pairs != random_pairs(CITY, ScoreJob(pairs=40, seed=8))
    for start, end in pairs:
        a, b = CITY.tail[start.edge], CITY.tail[end.edge]
        apart = haversine_m(CITY.node_lat[a], CITY.node_lon[a], CITY.node_lat[b], CITY.node_lon[b])
        assert 500.0 <= apart <= 3_000.0
    with pytest.raises(BadInput, match="found 0 pairs of 40"):
        random_pairs(CITY, replace(JOB, least_m=90_000.0, most_m=99_000.0))
    with pytest.raises(BadInput, match="pairs is 0"):
        ScoreJob(pairs=0)
    with pytest.raises(BadInput, match="nose"):
        ScoreJob(taste={"nose": 1.0})


def test_figures_are_those_of_the_default_taste(monkeypatch: pytest.MonkeyPatch) -> None:
    # it would hold for the whole suite
    monkeypatch.setattr("bench.rig.graph_run.pin_to_one_core", lambda: None)
    figures: list[Figure] = []
    session = GraphSession("score", {"cores": 2}, figures.append, print, print, unseen, "a city", CITY)
    run_score(JOB, session)
    by_name = {figure.metric: figure.value for figure in figures}
    assert {"noise_exposure_change", "green_exposure_change", "length_change"} <= set(by_name)
    assert [figure.about["tastes"] for figure in figures if figure.metric == "routes_per_s"] == [1, 4]
    assert {"impedance_ms", "costs_ms", "close_ms", "changed_edges_ms"} <= set(by_name)
    assert by_name["length_change"] > 0.0
    curve = {change.scale: change for change in trade_off(JOB, CITY, unseen)}
    assert tuple(curve) == SCALES
    assert by_name["noise_exposure_change"] == curve[1.0].noise
    assert by_name["noise_level_change"] == curve[1.0].noise_db


def test_a_change_is_that_of_the_means() -> None:
    shortest, pleasant = ways(CITY, random_pairs(CITY, JOB), (None, weights({})), unseen)
    change = compare(CITY, 1.0, shortest, pleasant)
    for name, got, dose in (
        ("noise", change.noise, False),
        ("noise", change.noise_dose, True),
        ("green", change.green, False),
        ("green", change.green_dose, True),
    ):
        before, after = (naive_mean(CITY, name, paths, dose=dose) for paths in (shortest, pleasant))
        assert got == pytest.approx(after / before - 1.0, abs=1e-6)
    lengths = [sum(walk_cost(CITY, CITY.length_m, path) for path in paths) for paths in (shortest, pleasant)]
    assert change.length == pytest.approx(lengths[1] / lengths[0] - 1.0, abs=1e-6)
    for short, nice in zip(shortest, pleasant, strict=True):
        assert short.length_m <= nice.length_m * (1 + 1e-6)


def test_stronger_weights_lead_further_from_the_shortest_way() -> None:
    changes = trade_off(ScoreJob(pairs=60), CITY, unseen)
    lengths = [change.length for change in changes]
    assert all(a <= b + 1e-3 for a, b in itertools.pairwise(lengths))
    assert changes[-1].length > changes[0].length >= 0.0


def test_routes_to_be_scored_are_pieces_of_the_ways() -> None:
    edges = np.arange(250, dtype=np.int32)
    routes = many_routes([Path(edges, 0.0, 1.0, 1.0, 1.0, 1.0), Path(edges[:30], 0.0, 1.0, 1.0, 1.0, 1.0)], 1)
    sizes = np.diff(routes.first)
    assert len(sizes) == 10_000
    assert set(sizes.tolist()) == {100, 30}
    assert (np.diff(routes.edges[: sizes[0]]) == 1).all()


def test_the_picture_shows_every_city_and_the_default_as_a_ring() -> None:
    change = Change(1.0, 0.06, 0.06, -0.13, -0.1, -3.0, 0.4, 0.5)
    curve = [replace(change, scale=0.5, length=0.03), change, replace(change, scale=2.0, length=0.5)]
    picture = draw_trade_off({"Porto & Gaia": curve, "Monaco": curve})
    root = ElementTree.fromstring(picture)
    words = "".join(root.itertext())
    assert "Porto & Gaia" in words
    rings = re.findall(r'r="6" fill="#ffffff"', picture)
    assert len(rings) == 4, "two cities in two panels"
    assert picture.count("<circle") == 8, "what lies beyond the panel is left out"
    assert picture == draw_trade_off({"Porto & Gaia": curve, "Monaco": curve})
