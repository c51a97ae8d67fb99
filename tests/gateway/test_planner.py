"""The planner itself: proposals that are different, words for them, and ids that any other gateway knows."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from gateway.planning.planner import Planner
from gateway.planning.proposing import MOST_OVERLAP
from gateway.planning.requests import Proposals, RoutesBody
from geo.cities import Cities
from geo.errors import BadInput, NoCandidate, NoRoute
from geo.network import Network, OnlyNetwork
from geo.polyline import decode6
from geo.routing.costs import FACTOR_NAMES, static_costs
from geo.routing.paths import stretches
from models.routes.proposal_ids import proposed_way
from models.routes.reason_phrases import LANGUAGES, Reason, phrase
from tests.gateway.calm import CalmNetworks
from tests.geo.asciimap import graph_from_ascii

LAT, LON = 55.6839, 12.5713
LOOP = {"kind": "loop", "lat": LAT, "lon": LON, "length_m": 3000}
DEST = 55.6761, 12.5683
TO = {"kind": "to", "lat": LAT, "lon": LON, "dest_lat": DEST[0], "dest_lon": DEST[1]}

Ask = Callable[..., Proposals]


@pytest.fixture
def asked(copenhagen: Cities) -> Ask:
    """Asks a planner of its own each time: nothing is remembered from one to the next."""

    def ask(wish: dict[str, object], **more: object) -> Proposals:
        body = msgspec.convert(wish | {"propose": 3} | more, RoutesBody)
        return Planner(CalmNetworks(copenhagen)).propose(body)

    return ask


@pytest.mark.parametrize("wish", [LOOP, TO, LOOP | {"length_m": None, "duration_s": 2400}])
def test_proposals_begin_where_they_should_and_say_why(asked: Ask, wish: dict[str, object]) -> None:
    found = asked(wish).proposals
    assert len(found) == 3
    assert len({one.id for one in found}) == 3
    for one in found:
        lat, lon = decode6(one.geometry)
        assert math.dist((lat[0], lon[0]), (LAT, LON)) < 0.001
        end = DEST if wish["kind"] == "to" else (LAT, LON)
        assert math.dist((lat[-1], lon[-1]), end) < 0.001
        assert one.reasons
        assert set(one.words) == {"en", "ru"}
        assert all(len(words) == len(one.reasons) for words in one.words.values())
        assert set(one.scores) == set(one.usual) == set(FACTOR_NAMES)
        assert len(one.id) <= 128


@pytest.mark.parametrize("wish", [LOOP, TO])
def test_what_is_disliked_leads_to_something_clearly_different(
    asked: Ask, copenhagen: Cities, wish: dict[str, object]
) -> None:
    graph = copenhagen[0].graph
    shown: list[str] = []
    for _ in range(4):
        (one,) = asked(wish, propose=1, avoid=shown).proposals
        way = proposed_way(copenhagen, one.id)
        for before in shown:
            common = np.isin(
                stretches(graph, way.edges), stretches(graph, proposed_way(copenhagen, before).edges)
            )
            shared_m = float(graph.length_m[way.edges][common].sum())
            assert shared_m <= (MOST_OVERLAP + 0.02) * one.length_m + 50.0
        shown.append(one.id)
    assert len(set(shown)) == 4


def test_where_there_is_one_way_only_nothing_different_is_made_up() -> None:
    graph, at = graph_from_ascii("A----B----C----D")
    networks = OnlyNetwork(Network(graph, static_costs(graph)))
    (lat, lon), (dest_lat, dest_lon) = (
        (float(graph.node_lat[at[p]]), float(graph.node_lon[at[p]])) for p in "AD"
    )
    body = RoutesBody("to", lat, lon, dest_lat, dest_lon, propose=1)
    (one,) = Planner(networks).propose(body).proposals
    with pytest.raises(NoRoute, match="clearly different"):
        Planner(networks).propose(msgspec.structs.replace(body, avoid=[one.id]))


def test_taste_counts(asked: Ask) -> None:
    noisy, quiet = asked(LOOP, taste={"noise": -3}), asked(LOOP, taste={"noise": 8})
    assert quiet.proposals[0].scores["noise"] < noisy.proposals[0].scores["noise"]


def test_what_cannot_be_planned_is_said(asked: Ask) -> None:
    with pytest.raises(NoCandidate, match="outside of the maps"):
        asked(LOOP | {"lat": -33.0})
    with pytest.raises(BadInput, match="no factor"):
        asked(LOOP, taste={"speed": 1})
    with pytest.raises(BadInput, match="no proposal's id"):
        asked(LOOP, avoid=["x"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "swim"}, "kind"),
        ({"lat": 91}, "lat"),
        ({"length_m": None}, "duration_s or a length_m"),
        ({"kind": "to"}, "dest_lat"),
        ({"propose": 11}, "<= 10"),
        ({"taste": {"noise": 11}}, "taste"),
    ],
)
def test_a_wrong_body_is_refused_by_its_schema(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert(LOOP | wrong, RoutesBody)


def test_there_are_words_for_every_reason_in_every_language() -> None:
    for language in LANGUAGES:
        for factor in FACTOR_NAMES:
            for code in (f"less_{factor}", f"more_{factor}", f"but_more_{factor}"):
                assert phrase(Reason(code, factor), language)
        assert "7" in phrase(Reason("longer", minutes=7), language)
        assert phrase(Reason("quickest"), language)
        assert phrase(Reason("alike", than="streets_around"), language)
