"""The trip of one walker as a state machine: fixes in, progress and decisions out.

State lives in one element of a `TRIP_STATE` array per walker. `advance_fixes` folds a block of matched
fixes into many trips at once; time is always the fix's own. It decides nothing that needs a search: where
one is needed it stops that walker, says why, and is called again once the new route is in place. So the
result does not depend on where a block begins or ends.

A fix is *on the route* when its matched edge is one of the route's edges near the walker's progress, or when
it lies within a tolerance of them (sidewalks run in parallel a few metres apart). Progress only grows, and
is searched for only near where it was, so a loop that crosses itself does not jump ahead. Leaving needs
several fixes over several seconds (hysteresis), coming back needs one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.graph import Graph
from geo.routing.costs import FACTORS

# status
IDLE, ACTIVE, ARRIVED, STOPPED = 0, 1, 2, 3
# decisions; the ones from REQUESTED on are not made by fixes
NONE, OFF_ROUTE, LATE, ARRIVE, REQUESTED, DISLIKED, WORLD_CHANGED, BETTER, END = range(9)
REASONS = (
    "none", "off_route", "late", "arrived", "requested", "disliked", "world_changed", "better", "ended",
)  # fmt: skip

KIND_LOOP, KIND_TO = 0, 1

TRIP_STATE = np.dtype(
    [
        ("request_offset", np.int64),  # the trip's id, with the partition
        ("version", np.int64),  # of the newest update
        ("started_ts", np.float64),
        ("last_ts", np.float64),  # event time of the newest fix folded in
        ("last_lat", np.float64),
        ("last_lon", np.float64),
        ("off_since_ts", np.float64),  # 0: on the route
        ("rerouted_ts", np.float64),
        ("late_ts", np.float64),
        ("switched_ts", np.float64),  # when a change of the world last moved the route
        ("progress_m", np.float64),  # along the stored route
        ("route_m", np.float64),  # length of the stored route
        ("route_s", np.float64),  # its honest duration
        ("base_m", np.float64),  # where the stored route begins on the route the client has
        ("walked_m", np.float64),
        ("wanted_m", np.float64),  # 0: not asked for
        ("wanted_s", np.float64),  # 0: not asked for
        ("home_edge", np.int32),
        ("dest_edge", np.int32),
        ("home_fraction", np.float32),
        ("dest_fraction", np.float32),
        ("start_fraction", np.float32),
        ("end_fraction", np.float32),
        ("speed_mps", np.float32),  # smoothed speed along the route
        ("route_idx", np.int32),  # index of the edge that holds the progress
        ("matched_edge", np.int32),
        ("matched_fraction", np.float32),
        ("off_count", np.int32),
        ("reroutes", np.int32),  # in a row, without having followed the new route
        ("status", np.uint8),
        ("kind", np.uint8),
        ("taste", np.float32, (len(FACTORS),)),  # nan: the factor's default weight
    ],
    align=True,
)


class Policy(NamedTuple):
    """When a trip is off its route, late or there. Lengths in metres, times in seconds."""

    tolerance_m: float = 20.0
    accuracy_factor: float = 1.5  # tolerance grows to this many times the fix's own accuracy
    tolerance_max_m: float = 45.0
    off_route_s: float = 8.0
    off_route_fixes: int = 3
    reroute_min_s: float = 10.0  # doubled with each reroute that the walker does not follow
    reroute_doublings: int = 4
    followed_m: float = 30.0  # who walks so far along a new route follows it
    lookback_m: float = 30.0
    lookahead_m: float = 60.0
    speed_max_mps: float = 4.0
    arrive_m: float = 15.0
    late_slack_s: float = 120.0
    late_again_s: float = 300.0
    reference_mps: float = 1.35
    reaction_s: float = 3.0
    worse_share: float = 0.01  # a change of the world is looked into when it costs at least so much
    gain_margin: float = 0.05  # and answered when another way is better by so much
    again_s: float = 300.0  # within that time of the last such answer only
    again_margin: float = 0.25  # when it is better by so much: no flip-flop


class RouteGeometry(NamedTuple):
    """The arrays of a graph that a route is followed on."""

    shape_first: NDArray[np.int64]
    shape_lat: NDArray[np.float64]
    shape_lon: NDArray[np.float64]
    length_m: NDArray[np.float32]
    reverse: NDArray[np.int32]


def route_geometry(graph: Graph) -> RouteGeometry:
    """The arrays of `graph` that `advance_fixes` reads."""
    return RouteGeometry(graph.shape_first, graph.shape_lat, graph.shape_lon, graph.length_m, graph.reverse)


class Routes(NamedTuple):
    """All walkers' routes end to end: walker s has edges first[s] .. first[s] + size[s]."""

    first: NDArray[np.int64]  # (slots,)
    size: NDArray[np.int32]  # (slots,)
    edges: NDArray[np.int32]  # (arena,)
    start_m: NDArray[np.float64]  # (arena,) where the edge begins along the route; < 0 for the first


class MatchedFixes(NamedTuple):
    """The columns of a block of fixes, matched; all of length n."""

    slot: NDArray[np.int32]
    in_order: NDArray[np.bool_]
    ts: NDArray[np.float64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]  # nan unknown
    edge: NDArray[np.int32]  # -1 off the network
    fraction: NDArray[np.float32]


METRES_PER_DEG = 111_195.08  # 6371008.8 m (IUGG mean radius) × π / 180


@njit(cache=True)
def _project(
    geometry: RouteGeometry, edge: int, lat: float, lon: float, cos_lat: float
) -> tuple[float, float]:
    """Distance in metres from the point to an edge's shape, and where on it: 0..1 of its length."""
    first = geometry.shape_first[edge]
    last = geometry.shape_first[edge + 1] - 1
    best = math.inf
    best_along = 0.0
    along = 0.0
    for p in range(first, last):
        ax = (geometry.shape_lon[p] - lon) * cos_lat * METRES_PER_DEG
        ay = (geometry.shape_lat[p] - lat) * METRES_PER_DEG
        bx = (geometry.shape_lon[p + 1] - lon) * cos_lat * METRES_PER_DEG
        by = (geometry.shape_lat[p + 1] - lat) * METRES_PER_DEG
        dx = bx - ax
        dy = by - ay
        segment = math.sqrt(dx * dx + dy * dy)
        t = 0.0
        if segment > 0.0:
            t = -(ax * dx + ay * dy) / (segment * segment)
            t = min(1.0, max(0.0, t))
        x = ax + t * dx
        y = ay + t * dy
        distance = math.sqrt(x * x + y * y)
        if distance < best:
            best = distance
            best_along = along + t * segment
        along += segment
    if along > 0.0:
        best_along = min(1.0, best_along / along)
    return best, best_along


@njit(cache=True)
def advance_fixes(
    trips: NDArray[np.void],
    routes: Routes,
    geometry: RouteGeometry,
    fixes: MatchedFixes,
    policy: Policy,
    next_fix: NDArray[np.int64],
    out_decision: NDArray[np.uint8],
    out_fix: NDArray[np.int64],
) -> None:
    """Fold the fixes of a block into their walkers' trips, in order, until a walker needs a search.

    `next_fix` (slots,): each walker's fixes from that index on are folded, and it moves behind them; the
    fixes of a walker who needs a search wait for the next call.
    `out_decision`, `out_fix` (slots,): why, and the index of the fix (or NONE and -1).
    """
    n = len(fixes.slot)
    for i in range(n):
        s = fixes.slot[i]
        if i < next_fix[s] or out_decision[s] != NONE:
            continue
        next_fix[s] = i + 1
        if not fixes.in_order[i]:
            continue
        trip = trips[s]
        if trip.status != ACTIVE:
            continue
        ts = fixes.ts[i]
        dt = max(0.0, min(60.0, ts - trip.last_ts)) if trip.last_ts > 0.0 else 0.0
        lat = fixes.lat[i]
        lon = fixes.lon[i]
        cos_lat = math.cos(lat * math.pi / 180.0)
        accuracy = fixes.accuracy_m[i]
        if math.isnan(accuracy):
            accuracy = 10.0
        tolerance = max(policy.tolerance_m, policy.accuracy_factor * accuracy)
        tolerance = min(tolerance, policy.tolerance_max_m)

        # where along the route: only near the last progress, and as far as one can have walked since
        first = routes.first[s]
        count = routes.size[s]
        window_from = trip.progress_m - policy.lookback_m
        window_to = trip.progress_m + policy.lookahead_m + policy.speed_max_mps * dt
        j = trip.route_idx
        while j > 0 and routes.start_m[first + j] > window_from:
            j -= 1
        best = math.inf
        best_cost = math.inf
        best_m = trip.progress_m
        best_j = trip.route_idx
        on_edge = False
        matched = fixes.edge[i]
        while j < count and routes.start_m[first + j] <= window_to:
            e = routes.edges[first + j]
            distance, fraction = _project(geometry, e, lat, lon, cos_lat)
            at_m = routes.start_m[first + j] + fraction * geometry.length_m[e]
            at_m = min(max(at_m, 0.0), trip.route_m)
            same = matched >= 0 and (matched == e or geometry.reverse[matched] == e)
            cost = distance + 0.1 * abs(at_m - trip.progress_m) - (5.0 if same else 0.0)
            if cost < best_cost:
                best_cost = cost
                best = distance
                best_m = at_m
                best_j = j
                on_edge = same
            j += 1

        on_route = best <= tolerance or (on_edge and best <= policy.tolerance_max_m)
        if matched >= 0:
            trip.matched_edge = matched
            trip.matched_fraction = fixes.fraction[i]
        moved = 0.0
        if trip.last_ts > 0.0:
            dx = (lon - trip.last_lon) * cos_lat * METRES_PER_DEG
            dy = (lat - trip.last_lat) * METRES_PER_DEG
            moved = min(math.sqrt(dx * dx + dy * dy), policy.speed_max_mps * dt)
        trip.last_ts = ts
        trip.last_lat = lat
        trip.last_lon = lon

        if on_route:
            gained = best_m - trip.progress_m
            if gained > 0.0:
                trip.progress_m = best_m
                trip.route_idx = best_j
                trip.walked_m += gained
            if dt > 0.0:
                weight = 1.0 - math.exp(-dt / 20.0)
                speed = min(max(gained, 0.0) / dt, policy.speed_max_mps)
                trip.speed_mps += np.float32(weight * (speed - trip.speed_mps))
            trip.off_since_ts = 0.0
            trip.off_count = 0
            if trip.progress_m >= policy.followed_m:
                trip.reroutes = 0
            remaining = trip.route_m - trip.progress_m
            if remaining <= policy.arrive_m:
                out_decision[s] = ARRIVE
            elif trip.wanted_s > 0.0:
                eta = ts + trip.route_s * remaining / max(trip.route_m, 1.0)
                promised = trip.started_ts + trip.wanted_s
                if eta > promised + policy.late_slack_s and ts - trip.late_ts > policy.late_again_s:
                    trip.late_ts = ts
                    out_decision[s] = LATE
        else:
            trip.walked_m += moved
            if trip.off_since_ts == 0.0:
                trip.off_since_ts = ts
            trip.off_count += 1
            if (
                trip.off_count >= policy.off_route_fixes
                and ts - trip.off_since_ts >= policy.off_route_s
                and ts - trip.rerouted_ts
                >= policy.reroute_min_s * 2.0 ** min(trip.reroutes, policy.reroute_doublings)
            ):
                trip.rerouted_ts = ts
                trip.reroutes += 1
                out_decision[s] = OFF_ROUTE
        if out_decision[s] != NONE:
            out_fix[s] = i
