"""Plans for wishes: first proposals, dislikes and reroutes."""

import math
from dataclasses import replace

import numpy as np
import pytest

from geo.errors import BadInput, NoCandidate, NoRoute
from geo.network import Network
from geo.routing.costs import static_costs, with_closed
from geo.routing.metric import customized, make_metric
from geo.routing.paths import shared_m
from geo.routing.search import Place, SearchSpace, shortest_path
from models.routes.planning import Wish, plan, remaining, snap
from models.routes.taste_metrics import metric_of, searchable_metric_of
from tests.geo.asciimap import graph_from_ascii
from tests.geo.naive_city import lattice_city
from tests.geo.naive_search import assert_walkable

CITY = lattice_city(3)
NETWORK = Network(CITY, static_costs(CITY))
SPACE = SearchSpace(CITY)
HOME = Place(int(CITY.first_out[20 * 40 + 20]), 0.4)
AWAY = Place(int(CITY.first_out[26 * 40 + 12]), 0.7)


def loop_of(length_m=None, duration_s=None, taste=None):
    return Wish("loop", HOME, None, length_m, duration_s, taste or {})


def test_first_loop_has_its_length_and_its_scores():
    planned = plan(NETWORK, loop_of(3000.0), HOME, space=SPACE)
    assert_walkable(CITY, planned.path, HOME, HOME)
    assert planned.length_m == planned.path.length_m == pytest.approx(3000.0, rel=0.05)
    assert planned.duration_s == planned.path.duration_s
    assert planned.version == 0
    assert all(0 <= value <= 1 for value in planned.exposures.values())
    assert planned.exposures["rain"] == 0.0 < planned.exposures["noise"]


def test_reroute_of_a_loop_keeps_what_is_left_and_ends_at_home():
    planned = plan(NETWORK, loop_of(4000.0), AWAY, walked_m=1500.0, space=SPACE)
    assert_walkable(CITY, planned.path, AWAY, HOME)
    assert planned.length_m == pytest.approx(2500.0, rel=0.05)


def test_reroute_of_a_timed_loop_keeps_its_end():
    planned = plan(NETWORK, loop_of(duration_s=3600.0), AWAY, walked_m=900.0, walked_s=1200.0, space=SPACE)
    assert planned.duration_s == pytest.approx(2400.0, rel=0.05)
    guessed = plan(NETWORK, loop_of(duration_s=3600.0), AWAY, walked_m=1350.0, space=SPACE)
    assert guessed.duration_s == pytest.approx(2600.0, rel=0.05)


def test_loop_walked_up_leads_home_the_best_way():
    planned = plan(NETWORK, loop_of(1000.0), AWAY, walked_m=5000.0, space=SPACE)
    best = shortest_path(CITY, make_metric(CITY, NETWORK.costs, {}), AWAY, HOME, SPACE)
    assert planned.path.edges.tolist() == best.edges.tolist()


def test_destination_is_reached_the_best_way_or_in_the_wanted_time():
    best = plan(NETWORK, Wish("to", HOME, AWAY, None, None, {}), HOME, space=SPACE)
    assert_walkable(CITY, best.path, HOME, AWAY)
    assert best.impedance == pytest.approx(
        shortest_path(CITY, make_metric(CITY, NETWORK.costs, {}), HOME, AWAY, SPACE).impedance
    )
    longer = plan(NETWORK, Wish("to", HOME, AWAY, None, 2 * best.duration_s, {}), HOME, space=SPACE)
    assert longer.duration_s == pytest.approx(2 * best.duration_s, rel=0.05)
    assert_walkable(CITY, longer.path, HOME, AWAY)


@pytest.mark.parametrize("wish", [Wish("to", HOME, AWAY, None, None, {}), loop_of(3000.0)])
def test_disliked_route_is_mostly_left(wish):
    first = plan(NETWORK, wish, HOME, space=SPACE)
    second = plan(NETWORK, wish, HOME, avoid_edges=first.path.edges, space=SPACE)
    assert shared_m(CITY, second.path, first.path) < 0.5 * second.length_m
    assert second.impedance == pytest.approx(
        remaining(
            NETWORK, {}, second.path.edges, 0, second.path.start_fraction, second.path.end_fraction
        ).impedance
    )


def test_taste_changes_the_impedance_and_never_the_time():
    wish = Wish("to", HOME, AWAY, None, None, {"noise": 5.0})
    planned = plan(NETWORK, wish, HOME, space=SPACE)
    plain = plan(NETWORK, Wish("to", HOME, AWAY, None, None, {}), HOME, space=SPACE)
    assert planned.exposures["noise"] <= plain.exposures["noise"]
    left = remaining(
        NETWORK, {}, planned.path.edges, 0, planned.path.start_fraction, planned.path.end_fraction
    )
    assert left.duration_s == pytest.approx(planned.duration_s)
    assert left.impedance < planned.impedance


def test_heading_makes_turning_round_harder():
    graph, at = graph_from_ascii(
        """
        A----B----C
        |    |    |
        D----E----F
        """
    )
    network, space = Network(graph, static_costs(graph)), SearchSpace(graph)

    def edge(a, b):
        pairs = zip(graph.tail, graph.head, strict=True)
        return list(pairs).index((at[a], at[b]))

    on_bc, east = Place(edge("B", "C"), 0.48), edge("B", "C")
    wish = Wish("to", on_bc, Place(edge("E", "F"), 0.5), None, None, {})
    free = plan(network, wish, on_bc, space=space)
    assert free.path.edges[0] == graph.reverse[east]
    for start in (on_bc, Place(int(graph.reverse[east]), 0.52)):
        held = plan(network, wish, start, heading_edge=east, space=space)
        assert held.path.edges[0] == east
        assert held.impedance == pytest.approx(held.duration_s / free.duration_s * free.impedance, rel=0.01)


def test_remaining_of_a_route():
    planned = plan(NETWORK, Wish("to", HOME, AWAY, None, None, {}), HOME, space=SPACE)
    edges, end = planned.path.edges, planned.path.end_fraction
    whole = remaining(NETWORK, {}, edges, 0, planned.path.start_fraction, end)
    assert whole == pytest.approx((planned.length_m, planned.duration_s, planned.impedance))
    later = remaining(NETWORK, {}, edges, 3, 0.5, end)
    assert 0 < later.length_m < whole.length_m
    assert remaining(NETWORK, {}, edges, len(edges), 0.0, end) == (0.0, 0.0, 0.0)
    assert remaining(NETWORK, {}, edges, len(edges) - 1, 1.0, end) == (0.0, 0.0, 0.0)
    closed = np.zeros(CITY.edge_count, bool)
    closed[edges[4]] = True
    shut = Network(CITY, replace(NETWORK.costs, version=1, closed=closed))
    assert remaining(shut, {}, edges, 3, 0.5, end).impedance == math.inf
    assert remaining(shut, {}, edges, 4, 0.0, end).impedance == math.inf
    assert remaining(shut, {}, edges, 4, 0.5, end).impedance < math.inf


def test_a_closure_gives_another_way_or_none():
    wish = Wish("to", HOME, AWAY, None, None, {})
    first = plan(NETWORK, wish, HOME, space=SPACE)
    closed = np.zeros(CITY.edge_count, bool)
    closed[first.path.edges[3]] = True
    around = plan(Network(CITY, replace(NETWORK.costs, version=1, closed=closed)), wish, HOME, space=SPACE)
    assert not closed[around.path.edges].any()
    assert around.version == 1
    with pytest.raises(NoRoute):
        plan(Network(CITY, replace(NETWORK.costs, version=2, closed=~closed)), wish, HOME, space=SPACE)


def test_metric_is_kept_for_the_same_costs_and_made_anew_for_others():
    assert metric_of(NETWORK, {"noise": 1.0}) is metric_of(NETWORK, {"noise": 1.0})
    assert metric_of(NETWORK, {"noise": 1.0}) is not metric_of(NETWORK, {"noise": 2.0})
    twin = Network(CITY, static_costs(CITY))
    assert metric_of(twin, {"noise": 1.0}) is not metric_of(NETWORK, {"noise": 1.0})


def test_metric_that_is_kept_follows_the_costs_as_one_made_anew_would():
    shut = with_closed(CITY, NETWORK.costs, 1, np.array([3, 40], np.int32), True)
    for costs in (NETWORK.costs, shut, NETWORK.costs):
        kept = searchable_metric_of(Network(CITY, costs), {"noise": 1.0})
        anew = customized(CITY, make_metric(CITY, costs, {"noise": 1.0}))
        np.testing.assert_array_equal(kept.impedance, anew.impedance)
        np.testing.assert_array_equal(kept.weights.weight, anew.weights.weight)
        np.testing.assert_array_equal(kept.weights.via, anew.weights.via)


@pytest.mark.parametrize(
    "wish",
    [
        Wish("loop", HOME, None, None, None, {}),
        Wish("to", HOME, None, None, None, {}),
        Wish("to", HOME, AWAY, None, None, {"joy": 1.0}),
        Wish("to", HOME, Place(-3, 0.0), None, None, {}),
    ],
)
def test_wish_that_makes_no_sense_is_refused(wish):
    with pytest.raises(BadInput):
        plan(NETWORK, wish, HOME, space=SPACE)


def test_snap_finds_the_nearest_place_or_says_what_is_wrong():
    graph, at = graph_from_ascii("A----B")
    lat, lon = float(graph.node_lat[at["A"]]), float(graph.node_lon[at["A"]])
    place = snap(graph, lat + 0.0002, lon)
    tail = graph.tail[place.edge] == at["A"]
    assert place.fraction == pytest.approx(0.0 if tail else 1.0, abs=1e-6)
    with pytest.raises(NoCandidate, match="within 100 m of lat"):
        snap(graph, lat + 0.01, lon)
    with pytest.raises(BadInput):
        snap(graph, 91.0, lon)
