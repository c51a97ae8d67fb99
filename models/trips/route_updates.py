"""The update that a client gets: the new tail of its route, why it changed, and what changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from geo.graph import Graph
from geo.network import Network
from geo.polyline import encode6
from geo.routing.costs import COLUMN, DYNAMIC_FACTORS
from geo.routing.scoring import score_routes
from geo.routing.search import Path, path_coordinates
from models.records import RouteUpdate
from models.routes.planning import Planned
from models.trips import trip as trips
from models.trips.live_route import taste_of
from models.trips.walker_state import WalkerState
from models.trips.wording import message_for

NOTABLE_S = 1.0  # felt: a cause that the new way spares less of is none


def trip_id(state: WalkerState, partition: int, s: int) -> str:
    """The id of a walker's trip: where its request stands."""
    return f"{partition}-{int(state.trips['request_offset'][s])}"


def route_update(
    state: WalkerState,
    partition: int,
    s: int,
    graph: Graph,
    planned: Planned,
    decision: int,
    ts: float,
    *,
    gain: float | None = None,
    change: dict[str, Any] | None = None,
) -> RouteUpdate:
    """The update for a walker who has just been put on a new route, with the version that the trip has."""
    trip = state.trips[s]
    lat, lon = path_coordinates(graph, planned.path)
    reason = trips.REASONS[decision]
    return RouteUpdate(
        device=state.devices[s].decode(),
        trip=trip_id(state, partition, s),
        version=int(trip["version"]),
        ts=ts,
        reason=reason,
        fix_ts=float(trip["last_ts"]) or None,
        keep_m=float(trip["base_m"]),
        geometry=encode6(lat, lon),
        length_m=planned.length_m,
        duration_s=planned.duration_s,
        eta=ts + planned.duration_s,
        score={name: value for name, value in planned.exposures.items() if value > 0.0005},
        gain=gain,
        message=message_for(reason, change),
        change=change,
    )


def end_update(state: WalkerState, partition: int, s: int, decision: int, ts: float) -> RouteUpdate:
    """The last update of a trip."""
    trip = state.trips[s]
    reason = trips.REASONS[decision]
    return RouteUpdate(
        device=state.devices[s].decode(),
        trip=trip_id(state, partition, s),
        version=int(trip["version"]),
        ts=ts,
        reason=reason,
        fix_ts=float(trip["last_ts"]) or None,
        keep_m=float(trip["base_m"] + trip["progress_m"]),
        eta=ts,
        message=message_for(reason),
    )


def change_of(before: Path, planned: Planned) -> dict[str, Any]:
    """By how much the new way is longer than what was left of the old one."""
    return {
        "length_m": planned.length_m - before.length_m,
        "duration_s": planned.duration_s - before.duration_s,
    }


def cause_of(
    network: Network, before: Path, planned: Planned, weights: np.ndarray[Any, Any]
) -> dict[str, Any]:
    """What about the world the new way spares the walker most, and how far ahead that was on the old one.

    weights: (K,) of the trip. Empty where it is none of the things that change.
    """
    graph, costs = network.graph, network.costs
    ahead_m = np.concatenate([[0.0], np.cumsum(graph.length_m[before.edges].astype(np.float64))])
    ahead_m = np.maximum(ahead_m - before.start_fraction * ahead_m[1], 0.0)
    closed = np.flatnonzero(costs.closed[before.edges])
    if len(closed):
        return {"cause": "closed", "ahead_m": float(ahead_m[closed[0]])}
    scores = score_routes(graph, costs, [before, planned.path], [taste_of(weights)])
    spared = scores.added_s[0, 0] - scores.added_s[1, 0]
    name = max(DYNAMIC_FACTORS, key=lambda name: spared[COLUMN[name]])
    if spared[COLUMN[name]] < NOTABLE_S:
        return {}
    met = costs.factor_rows(before.edges)[:, COLUMN[name]]
    return {"cause": name, "ahead_m": float(ahead_m[int(np.argmax(met >= 0.5 * met.max()))])}
