"""Several proposals for a wish: enough, different, as long as wanted, never over what is closed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput, NoRoute
from geo.network import Network
from geo.routing.costs import COLUMN, FACTOR_NAMES, INDIFFERENT, static_costs
from geo.routing.paths import both_ways, shared_m
from geo.routing.search import Place, SearchSpace
from models.routes.planning import Wish, plan
from models.routes.proposals import network_at, propose, yardstick
from tests.geo.asciimap import graph_from_ascii
from tests.geo.naive_city import lattice_city
from tests.geo.naive_search import assert_walkable

CITY = lattice_city(3)
NETWORK = Network(CITY, static_costs(CITY))
SPACE = SearchSpace(CITY)
HOME = Place(int(CITY.first_out[20 * 40 + 20]), 0.4)
AWAY = Place(int(CITY.first_out[30 * 40 + 9]), 0.7)
TO = Wish("to", HOME, AWAY, None, None, {})
LOOP = Wish("loop", HOME, None, 3000.0, None, {})
NOON, MIDNIGHT = (
    1_750_000_000.0 - 1_750_000_000.0 % 86_400 + 43_200,
    1_750_000_000.0 - 1_750_000_000.0 % 86_400,
)


def edges_within(node, rows, columns):
    """Edges that begin in a block of the lattice around a node."""
    row, column = divmod(node, 40)
    tail_row, tail_column = CITY.tail // 40, CITY.tail % 40
    return np.flatnonzero((abs(tail_row - row) <= rows) & (abs(tail_column - column) <= columns)).astype(
        np.int32
    )


@pytest.mark.parametrize("wish", [TO, LOOP, Wish("loop", HOME, None, None, 2400.0, {"green": -2.0})])
def test_the_first_proposal_is_the_plan_and_the_others_differ(wish):
    proposals = propose(NETWORK, wish, HOME, count=3, space=SPACE)
    assert len(proposals) == 3
    best = plan(NETWORK, wish, HOME, space=SPACE)
    assert proposals[0].path.edges.tolist() == best.path.edges.tolist()
    # `plan` may have searched otherwise, so its sums may differ in the last digits
    assert proposals[0].impedance == pytest.approx(best.impedance)
    assert proposals[0].exposures == pytest.approx(best.exposures)
    assert (proposals[0].taste, proposals[0].version) == (best.taste, best.version)
    for i, one in enumerate(proposals):
        assert_walkable(CITY, one.path, HOME, AWAY if wish.kind == "to" else HOME)
        assert all(shared_m(CITY, one.path, other.path) < 0.75 * one.length_m for other in proposals[:i])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_at_most_so_many(count):
    assert 1 <= len(propose(NETWORK, TO, HOME, count=count, space=SPACE)) <= count
    assert 1 <= len(propose(NETWORK, LOOP, HOME, count=count, space=SPACE)) <= count


def test_loops_are_as_long_as_wanted():
    rng = np.random.default_rng(5)
    for _ in range(10):
        start = Place(int(CITY.first_out[int(rng.integers(12, 28)) * 40 + int(rng.integers(12, 28))]), 0.5)
        wanted = float(rng.uniform(1500, 4000))
        for one in propose(NETWORK, Wish("loop", start, None, wanted, None, {}), start, space=SPACE):
            assert one.length_m == pytest.approx(wanted, rel=0.05)
        for one in propose(NETWORK, Wish("loop", start, None, 9.0, wanted, {}), start, space=SPACE):
            assert one.duration_s == pytest.approx(wanted, rel=0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_is_closed_is_never_used(seed):
    rng = np.random.default_rng(seed)
    closed = rng.choice(CITY.edge_count, CITY.edge_count // 10, replace=False).astype(np.int32)
    shut = both_ways(CITY, closed)
    network = network_at(CITY, NOON, closed)
    for wish in (TO, Wish("loop", HOME, None, 2000.0, None, {})):
        try:
            proposals = propose(network, wish, HOME, count=2, space=SPACE)
        except NoRoute:
            continue
        for one in proposals:
            assert not np.isin(one.path.edges[1:], shut).any()  # the first may be left from its midst
            assert np.isfinite(one.impedance)


def test_disliked_edges_are_mostly_left_and_cost_what_they_cost():
    first = propose(NETWORK, TO, HOME, count=1, space=SPACE)[0]
    again = propose(NETWORK, TO, HOME, count=2, avoid_edges=first.path.edges, space=SPACE)
    assert shared_m(CITY, again[0].path, first.path) < 0.5 * again[0].length_m
    assert again[0].impedance >= first.impedance * (1 - 1e-9)
    assert again[0].impedance == pytest.approx(
        plan(NETWORK, TO, HOME, avoid_edges=first.path.edges, space=SPACE).impedance
    )


def test_another_seed_gives_other_loops_and_the_same_seed_the_same():
    edges = [
        [one.path.edges.tolist() for one in propose(NETWORK, LOOP, HOME, seed=seed, space=SPACE)]
        for seed in (0, 0, 1)
    ]
    assert edges[0] == edges[1] != edges[2]


def test_a_loop_that_the_streets_cannot_give_is_refused_with_what_they_can():
    graph, at = graph_from_ascii("A---B---C\n|       |\n|       |\nD-------E")
    start = Place(int(graph.first_out[at["A"]]), 0.0)
    network = Network(graph, static_costs(graph))
    (one,) = propose(
        network, Wish("loop", start, None, 220.0, None, {}), start, count=1, space=SearchSpace(graph)
    )
    assert one.length_m == pytest.approx(220.0, rel=0.05)  # once round
    for wanted in (5_000.0, 20.0):
        with pytest.raises(NoRoute, match=rf"no (way|loop) of {wanted:,.0f} m "):
            propose(network, Wish("loop", start, None, wanted, None, {}), start, space=SearchSpace(graph))
    with pytest.raises(NoRoute, match=r"no way of 120 min from here, the nearest to it has \d+ min"):
        propose(network, Wish("loop", start, None, None, 7200.0, {}), start, space=SearchSpace(graph))


def test_a_destination_further_than_wanted_is_reached_all_the_same():
    (one,) = propose(NETWORK, Wish("to", HOME, AWAY, 100.0, None, {}), HOME, space=SPACE)
    assert one.length_m > 1000.0


@pytest.mark.parametrize(
    ("wish", "count"),
    [
        (Wish("loop", HOME, None, None, None, {}), 3),
        (Wish("to", HOME, None, None, None, {}), 3),
        (TO, 0),
        (Wish("to", HOME, AWAY, None, None, {"greeen": 1.0}), 3),
        (Wish("to", HOME, AWAY, None, None, {"green": float("nan")}), 3),
        (Wish("loop", HOME, None, float("nan"), None, {}), 3),
        (Wish("loop", HOME, None, -5.0, None, {}), 3),
        (Wish("to", HOME, Place(CITY.edge_count, 0.5), None, None, {}), 3),
    ],
)
def test_what_cannot_be_understood_is_refused(wish, count):
    with pytest.raises(BadInput):
        propose(NETWORK, wish, HOME, count=count, space=SPACE)


def test_nothing_leads_out_of_a_closed_block():
    ring = np.setdiff1d(edges_within(20 * 40 + 20, 3, 3), edges_within(20 * 40 + 20, 2, 2))
    with pytest.raises(NoRoute):
        propose(network_at(CITY, NOON, ring), TO, HOME, space=SPACE)


def test_it_is_as_dark_as_the_sun_says_and_else_calm():
    # cells of real places, as those of the made-up city lie on the equator
    graph, _ = graph_from_ascii("A----B----C", tags={"AB": {"highway": "footway", "lit": "no"}})
    factors = [network_at(graph, ts, np.zeros(0, np.int32)).costs.factor_rows() for ts in (NOON, MIDNIGHT)]
    dark, unlit = COLUMN["dark"], COLUMN["unlit"]
    assert (factors[0][:, dark] == 0.0).all()
    assert factors[1][:, dark].max() > 0.4  # a northern summer night is not quite dark
    assert (factors[1][:, dark] <= factors[1][:, unlit]).all()
    dynamic = [COLUMN[name] for name in ("traffic", "rain", "wind", "heat", "aqi", "crowd")]
    assert not factors[1][:, dynamic].any()


def test_closures_close_both_ways_and_the_version_is_the_callers():
    edge = HOME.edge
    costs = network_at(CITY, NOON, np.array([edge], np.int32), version=7).costs
    assert np.flatnonzero(costs.closed).tolist() == both_ways(CITY, np.array([edge], np.int32)).tolist()
    assert costs.version == 7
    with pytest.raises(BadInput):
        network_at(CITY, NOON, np.array([CITY.edge_count], np.int32))


def test_ways_are_compared_with_the_quickest():
    proposals = propose(NETWORK, TO, HOME, space=SPACE)
    yard = yardstick(NETWORK, TO, HOME, proposals, space=SPACE)
    assert_walkable(CITY, yard.path, HOME, AWAY)
    assert all(yard.path.duration_s <= one.duration_s * (1 + 1e-9) for one in proposals)
    assert all(proposals[0].impedance <= one.impedance for one in proposals)
    assert yard.path.impedance == pytest.approx(yard.path.duration_s)
    same = propose(NETWORK, Wish("to", HOME, AWAY, None, None, INDIFFERENT), HOME, count=1, space=SPACE)[0]
    assert dict(yard.exposures) == pytest.approx(dict(same.exposures))


def test_loops_are_compared_with_the_streets_around():
    proposals = propose(NETWORK, LOOP, HOME, space=SPACE)
    yard = yardstick(NETWORK, LOOP, HOME, proposals, space=SPACE)
    assert yard.path is None
    nodes = {int(n) for one in proposals for e in one.path.edges for n in (CITY.tail[e], CITY.head[e])}
    lat, lon = CITY.node_lat[list(nodes)], CITY.node_lon[list(nodes)]
    spent = dict.fromkeys(FACTOR_NAMES, 0.0)
    total = 0.0
    for e in range(CITY.edge_count):
        y, x = CITY.node_lat[CITY.tail[e]], CITY.node_lon[CITY.tail[e]]
        if lat.min() <= y <= lat.max() and lon.min() <= x <= lon.max():
            total += CITY.duration_s[e]
            for name in FACTOR_NAMES[: CITY.static_factors.shape[1]]:
                spent[name] += CITY.duration_s[e] * CITY.static_factors[e, COLUMN[name]]
    # the ends of the loops lie amid an edge, so the box may be a stretch larger
    assert dict(yard.exposures) == pytest.approx({k: v / total for k, v in spent.items()}, abs=0.02)
