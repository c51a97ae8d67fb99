"""Why a proposal is good, in words; and the streets it goes by."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from geo.network import Network
from geo.routing.costs import FACTORS, static_costs
from geo.routing.metric import make_metric
from geo.routing.paths import path_of
from geo.routing.search import Place, SearchSpace
from models.routes.planning import Planned, Wish
from models.routes.proposals import Yardstick, propose, yardstick
from models.routes.reasons import breakdown, most_felt, noun, via, why
from tests.geo.asciimap import graph_from_ascii

# the straight way is a main road, the other one leads through a park
GRAPH, AT = graph_from_ascii(
    """
    A-------B-------C-------D
    |                       |
    |                       |
    E-------F-------G-------H
    """,
    metres_per_char=20.0,
    tags={
        "ABCD": {"highway": "primary", "name": "Main Road", "sidewalk": "both"},
        "AE": {"highway": "residential", "name": "Short Lane"},
        "EFGH": {"highway": "footway", "name": "Park Path"},
        "DH": {"highway": "footway"},
    },
)
CALM = dict.fromkeys((factor.name for factor in FACTORS), 0.0)


def path(*places):
    edges = [
        next(e for e in range(GRAPH.edge_count) if (GRAPH.tail[e], GRAPH.head[e]) == (AT[a], AT[b]))
        for a, b in itertools.pairwise(places)
    ]
    metric = make_metric(GRAPH, static_costs(GRAPH), {})
    return path_of(GRAPH, metric, np.array(edges, np.int32), 0.0, 1.0)


def planned(way, taste=None, **exposures):
    return Planned(way, way.length_m, way.duration_s, way.impedance, {**CALM, **exposures}, taste or {}, 0)


QUICK = path("A", "B", "C", "D")
PARK = path("A", "E", "F", "G", "H", "D")


def to_yard(**exposures):
    return Yardstick(QUICK, {**CALM, **exposures})


def test_says_what_is_better_and_what_it_costs():
    longer = round((PARK.duration_s - QUICK.duration_s) / 60)
    assert longer >= 1
    assert why(planned(PARK, noise=0.2, green=0.8, steps=0.02), to_yard(noise=0.9, green=0.1)) == (
        f"Less traffic noise, more greenery than the quickest way; {longer} min longer."
    )


def test_says_what_is_worse_too():
    said = why(planned(PARK, noise=0.2, steps=0.5), to_yard(noise=0.9))
    assert said.startswith("Less traffic noise than the quickest way, though more stairs; ")
    assert (
        why(planned(QUICK, steps=0.5), Yardstick(None, CALM))
        == "Much like the streets around, though more stairs."
    )


def test_things_that_can_be_counted_are_fewer():
    said = why(planned(PARK, green=0.5), to_yard(steps=0.3, noise=0.4))
    assert "less traffic noise" in said.lower()
    assert "fewer stairs" in said


def test_a_taste_turns_what_is_good():
    quiet, loud = planned(PARK, {"noise": -1.0}, noise=0.2), planned(PARK, {"noise": -1.0}, noise=0.9)
    assert "more traffic noise than the streets" in why(loud, Yardstick(None, {**CALM, "noise": 0.5})).lower()
    assert "though less traffic noise" in why(quiet, Yardstick(None, {**CALM, "noise": 0.5}))
    assert (
        why(planned(PARK, {"noise": 0.0}, noise=0.9), Yardstick(None, CALM))
        == "Much like the streets around."
    )


def test_the_quickest_way_is_called_so():
    said = "The quickest way, and none is more pleasant."
    assert why(planned(QUICK, noise=0.9), to_yard(noise=0.9)) == said
    back = int(GRAPH.reverse[QUICK.edges[0]])
    same = replace(QUICK, edges=np.concatenate([[back], QUICK.edges]).astype(np.int32), start_fraction=1.0)
    assert why(planned(same, noise=0.9), to_yard(noise=0.9)) == said  # an end of 0 m is no difference


def test_on_real_factors():
    network = Network(GRAPH, static_costs(GRAPH))
    space = SearchSpace(GRAPH)
    start, end = Place(int(QUICK.edges[0]), 0.0), Place(int(QUICK.edges[-1]), 1.0)
    wish = Wish("to", start, end, None, None, {"noise": 5.0})
    proposals = propose(network, wish, start, count=1, space=space)
    yard = yardstick(network, wish, start, proposals, space=space)
    assert via(GRAPH, proposals[0].path) == via(GRAPH, PARK)
    assert why(proposals[0], yard).startswith("Less traffic noise")
    felt = sum(row.added_s for row in breakdown(proposals[0], yard))
    assert proposals[0].impedance == pytest.approx(proposals[0].duration_s + felt, rel=1e-5)


def test_the_breakdown_has_every_factor_and_the_felt_ones_come_first():
    one, yard = planned(PARK, noise=0.2, green=0.8, unlit=0.9), to_yard(noise=0.9, sights=0.3)
    assert [row.factor for row in breakdown(one, yard)] == [factor.name for factor in FACTORS]
    # 0.5 · 0.9, 0.3 · 0.8, 0.2 · 0.3; unlit has no weight of its own, and the others are not met
    assert [row.factor for row in most_felt(one, yard)] == ["noise", "green", "sights"]


def test_every_factor_can_be_said():
    for factor in FACTORS:
        assert noun(factor.name).strip()
        assert "_" not in noun(factor.name)


def test_streets_in_walking_order_the_longest_ones():
    assert via(GRAPH, PARK) == ["Short Lane", "Park Path"]
    assert via(GRAPH, PARK, most=1) == ["Park Path"]
    assert via(GRAPH, path("D", "H", "G", "F", "E", "A")) == ["Park Path", "Short Lane"]
    assert via(GRAPH, path("D", "H")) == []  # it has no name
    assert via(GRAPH, path("A", "B")) == ["Main Road"]
