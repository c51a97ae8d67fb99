"""An id of a proposal holds its way: what comes out is what went in, and nothing else is taken for one."""

import base64
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cities import one_city
from geo.errors import BadInput
from models.routes.proposal_ids import proposal_id, proposed_way
from tests.geo.asciimap import graph_from_ascii
from tests.geo.naive_city import lattice_city
from tests.geo.walked import wander

CITY = lattice_city(seed=4, side=20)
CITIES = one_city(CITY)


def id_of(path, graph=CITY, checksum=0):
    return proposal_id(graph, checksum, path.edges, path.start_fraction, path.end_fraction)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 300))
def test_the_way_comes_back(seed, count):
    path = wander(CITY, np.random.default_rng(seed), count)
    way = proposed_way(CITIES, id_of(path))
    assert way.edges.tolist() == path.edges.tolist()
    assert way.start_fraction == pytest.approx(path.start_fraction, abs=1e-4)
    assert way.end_fraction == pytest.approx(path.end_fraction, abs=1e-4)
    assert way.city is CITIES[0]


def test_a_way_into_a_dead_end_and_back_comes_back():
    graph, at = graph_from_ascii("A-----B-----C-----D")
    to = {(int(graph.tail[e]), int(graph.head[e])): e for e in range(graph.edge_count)}
    places = [at[p] for p in "ABCDCBA"]
    edges = np.array([to[pair] for pair in itertools.pairwise(places)], np.int32)
    way = proposed_way(one_city(graph), proposal_id(graph, 0, edges, 0.0, 1.0))
    assert way.edges.tolist() == edges.tolist()


def test_an_id_says_each_junction_in_little_more_than_a_bit():
    path = wander(CITY, np.random.default_rng(3), 400)
    text = id_of(path)
    assert len(text) <= 20 + 400 * 1.9 / 6
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_another_map_is_told():
    path = wander(CITY, np.random.default_rng(1), 5)
    with pytest.raises(BadInput, match="another version of the map"):
        proposed_way(CITIES, id_of(path, checksum=7))


def test_what_was_shortened_or_lengthened_is_no_id():
    good = id_of(wander(CITY, np.random.default_rng(1), 60))
    for wrong in (good[:-2], good[:10], good + "AA", ""):
        with pytest.raises(BadInput, match="no proposal's id"):
            proposed_way(CITIES, wrong)


@settings(deadline=None)
@given(
    st.one_of(
        st.text(max_size=60), st.binary(max_size=60).map(lambda b: base64.urlsafe_b64encode(b).decode())
    )
)
def test_whatever_is_sent_is_refused_or_a_way_of_the_graph(text):
    try:
        way = proposed_way(CITIES, text)
    except BadInput:
        return
    assert (CITY.head[way.edges[:-1]] == CITY.tail[way.edges[1:]]).all()


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=40), st.integers(0, CITY.edge_count - 1), st.integers(0, 70))
def test_an_invented_way_is_connected(choices, first, count):
    head = bytes(4) + first.to_bytes(4, "big") + bytes(4) + count.to_bytes(2, "big")
    text = base64.urlsafe_b64encode(head + choices).decode().rstrip("=")
    try:
        way = proposed_way(CITIES, text)
    except BadInput:
        return
    assert (CITY.head[way.edges[:-1]] == CITY.tail[way.edges[1:]]).all()
