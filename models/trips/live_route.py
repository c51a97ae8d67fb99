"""The route a walker is on: the wish behind it, what is left of it, and putting another in its place.

A trip is one element of `WalkerState.trips`; its route lies in the state's arena.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from geo.geodesy import from_local
from geo.graph import F32, Graph
from geo.routing.costs import FACTOR_NAMES
from geo.routing.search import Path, Place
from models.routes.planning import Planned, Wish, snap
from models.trips import trip as trips
from models.trips.trip import Policy
from models.trips.walker_state import WalkerState

SNAP_M = 150.0  # as far from a street may be who wants a route

Trip = NDArray[np.void] | np.void


def taste_of(weights: F32) -> dict[str, float]:
    """The weights that the walker gave, by factor."""
    return {
        name: float(weight)
        for name, weight in zip(FACTOR_NAMES, weights, strict=True)
        if not math.isnan(weight)
    }


def wish_of(trip: Trip) -> Wish:
    """What the walker asked for when the trip began."""
    dest = None
    if trip["kind"] == trips.KIND_TO:
        dest = Place(int(trip["dest_edge"]), float(trip["dest_fraction"]))
    return Wish(
        kind="to" if dest is not None else "loop",
        home=Place(int(trip["home_edge"]), float(trip["home_fraction"])),
        dest=dest,
        length_m=float(trip["wanted_m"]) or None,
        duration_s=float(trip["wanted_s"]) or None,
        taste=taste_of(trip["taste"]),
    )


def remaining_s(trip: Trip) -> float:
    """Honest walking time of what is left of the route."""
    left = max(0.0, float(trip["route_m"] - trip["progress_m"]))
    return float(trip["route_s"]) * left / max(float(trip["route_m"]), 1.0)


def ahead_of(state: WalkerState, graph: Graph, s: int, from_m: float | None = None) -> Path:
    """What is left of a walker's route, from their progress or another place; impedance unknown (nan)."""
    trip = state.trips[s]
    at_m = float(trip["progress_m"]) if from_m is None else from_m
    edges = state.route_edges(s)
    j, fraction = place_along(state, graph, s, at_m)
    left_m = max(0.0, float(trip["route_m"]) - at_m)
    left_s = float(trip["route_s"]) * left_m / max(float(trip["route_m"]), 1.0)
    return Path(edges[j:], fraction, float(trip["end_fraction"]), left_m, left_s, math.nan)


def place_along(state: WalkerState, graph: Graph, s: int, at_m: float) -> tuple[int, float]:
    """Index of the route's edge that many metres along it, and the fraction of that edge."""
    routes = state.routes()
    first, size = int(routes.first[s]), int(routes.size[s])
    starts = routes.start_m[first : first + size]
    j = int(np.clip(np.searchsorted(starts, at_m, side="right") - 1, 0, size - 1))
    length = max(float(graph.length_m[routes.edges[first + j]]), 1e-6)
    return j, min(1.0, max(0.0, (at_m - float(starts[j])) / length))


def predicted_m(trip: Trip, policy: Policy) -> float:
    """How far along their route the walker will be when an update arrives, if they stay on it."""
    walks = trip["resting"] == trips.WALKS
    ahead_m = max(0.0, float(trip["speed_mps"])) * policy.reaction_s if walks else 0.0
    return min(float(trip["progress_m"]) + ahead_m, float(trip["route_m"]))


def predicted_off_route(state: WalkerState, graph: Graph, policy: Policy, s: int) -> Place:
    """Where a walker who left their route will be when an update arrives.

    Raises NoCandidate far from every street.
    """
    trip = state.trips[s]
    north_m, east_m = (float(trip[name]) * policy.reaction_s for name in ("north_mps", "east_mps"))
    edge = int(trip["matched_edge"])
    if edge >= 0:
        length = float(graph.length_m[edge])
        fraction = float(trip["matched_fraction"]) + math.hypot(north_m, east_m) / max(length, 1.0)
        return Place(edge, min(1.0, fraction))
    lat, lon = float(trip["seen_lat"]), float(trip["seen_lon"])
    x, y = from_local(east_m, north_m, lat, lon)
    return snap(graph, float(x), float(y), SNAP_M)


def take_route(state: WalkerState, graph: Graph, s: int, planned: Planned, keep_m: float) -> None:
    """Put a walker on a new route that begins at `keep_m` of the one the client has."""
    edges = planned.path.edges
    lengths = graph.length_m[edges].astype(np.float64)
    start_m = np.concatenate([[0.0], np.cumsum(lengths[:-1])]) - planned.path.start_fraction * lengths[0]
    state.set_route(s, edges, start_m)
    trip = state.trips[s]
    trip["progress_m"] = 0.0
    trip["along_m"] = 0.0
    trip["route_idx"] = 0
    trip["route_m"] = planned.length_m
    trip["route_s"] = planned.duration_s
    trip["start_fraction"] = planned.path.start_fraction
    trip["end_fraction"] = planned.path.end_fraction
    trip["base_m"] = keep_m
    trip["off_evidence"] = 0.0
    trip["near_ts"] = trip["last_ts"]
    trip["liked"] = 0
