"""Proposals for a wish, each clearly different from those before it and from what is to be avoided.

Nothing is remembered: what is to be avoided comes along with the request, as ids that hold the ways
themselves (`models.routes.proposal_ids`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gateway.planning.requests import Proposal, Proposals, RoutesBody
from geo.cities import Cities, City
from geo.errors import NoRoute
from geo.graph import I32, Graph
from geo.network import Network
from geo.polyline import encode6
from geo.routing.paths import shares, stretches
from geo.routing.search import Path, SearchSpace
from models.routes.exports import Described, describe
from models.routes.planning import Planned, Wish, snap
from models.routes.proposal_ids import proposal_id, proposed_way
from models.routes.proposals import propose, yardstick
from models.routes.reason_phrases import LANGUAGES, phrase, reasons_of
from models.trips.live_route import SNAP_M

MOST_OVERLAP = 0.6  # of a proposal's length on any one way that is to be avoided
LAST_RESORT = 0.85  # where there is nothing that overlaps less
TRIES = 3  # seeds of loops, one after the other, until enough are different
SPARE = 2  # so many more are made where some will be too much like what is to be avoided


class _Fresh(NamedTuple):
    overlap: float
    planned: Planned


def proposals_for(
    network: Network, city: City, cities: Cities, body: RoutesBody, space: SearchSpace
) -> Proposals:
    """Up to body.propose proposals; raises BadInput, NoCandidate, and NoRoute where nothing is new."""
    avoided = [way.edges for way in (proposed_way(cities, text) for text in body.avoid) if way.city is city]
    wish = wish_of(network.graph, body)
    count = body.propose or 1
    fresh = _different(network, wish, count, avoided, space)
    yard = yardstick(network, wish, wish.home, [one.planned for one in fresh], space=space)
    described = describe(network.graph, [one.planned for one in fresh], yard)
    found = [
        _proposal(network.graph, city, one, fresh[i].overlap, body.taste or {})
        for i, one in enumerate(described)
    ]
    return Proposals(found, network.costs.version)


def wish_of(graph: Graph, body: RoutesBody) -> Wish:
    """The wish on the graph; raises NoCandidate where no street is near."""
    home = snap(graph, body.lat, body.lon, SNAP_M)
    dest = None
    if body.kind == "to":
        assert body.dest_lat is not None
        assert body.dest_lon is not None
        dest = snap(graph, body.dest_lat, body.dest_lon, SNAP_M)
    length_m = body.length_m if body.duration_s is None else None
    return Wish(body.kind, home, dest, length_m, body.duration_s, body.taste or {})


def overlap_of(graph: Graph, path: Path, avoided: I32) -> float:
    """Which share of a path's length lies on stretches of another, 0..1."""
    walked_m = shares(path) * graph.length_m[path.edges]
    common = np.isin(stretches(graph, path.edges), stretches(graph, avoided))
    return float(walked_m[common].sum() / max(float(walked_m.sum()), 1e-9))


def _different(
    network: Network, wish: Wish, count: int, avoided: Sequence[I32], space: SearchSpace
) -> list[_Fresh]:
    if not avoided:
        return [_Fresh(0.0, one) for one in propose(network, wish, wish.home, count=count, space=space)]
    together = np.unique(np.concatenate(avoided)).astype(np.int32)
    graph, kept, others = network.graph, list[_Fresh](), list[_Fresh]()
    for seed in range(TRIES if wish.length_m or wish.duration_s else 1):
        made = propose(
            network, wish, wish.home, count=count + SPARE, avoid_edges=together, seed=seed, space=space
        )
        for planned in made:
            overlap = max(overlap_of(graph, planned.path, edges) for edges in avoided)
            known = [one.planned.path.edges for one in kept]
            if any(overlap_of(graph, planned.path, edges) > MOST_OVERLAP for edges in known):
                continue
            (kept if overlap <= MOST_OVERLAP else others).append(_Fresh(overlap, planned))
        if len(kept) >= count:
            break
    if kept:
        return kept[:count]
    least = min(others, key=lambda one: one.overlap)
    if least.overlap > LAST_RESORT:
        raise NoRoute(
            "there is no way that is clearly different from those to be avoided; "
            "ask for another length or start elsewhere"
        )
    return [least]


def _proposal(graph: Graph, city: City, one: Described, overlap: float, taste: object) -> Proposal:
    planned, path = one.planned, one.planned.path
    reasons = reasons_of(planned, one.yard)
    return Proposal(
        id=proposal_id(graph, city.checksum, path.edges, path.start_fraction, path.end_fraction),
        geometry=encode6(one.lat, one.lon),
        length_m=round(planned.length_m, 1),
        duration_s=round(planned.duration_s, 1),
        felt_s=round(planned.impedance, 1),
        overlap=round(overlap, 3),
        scores={name: round(value, 3) for name, value in planned.exposures.items()},
        usual={name: round(value, 3) for name, value in one.yard.exposures.items()},
        reasons=[reason.code for reason in reasons],
        words={language: [phrase(reason, language) for reason in reasons] for language in LANGUAGES},
        via=list(one.via),
    )
