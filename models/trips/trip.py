"""The trip of one walker as a state machine: fixes in, progress and decisions out.

State lives in one element of a `TRIP_STATE` array per walker. `advance_fixes` folds a block of matched
fixes into many trips at once; time is always the fix's own. It decides nothing that needs a search: where
one is needed it stops that walker, says why, and is called again once the new route is in place. So the
result does not depend on where a block begins or ends. docs/replanning.md draws the states.

Progress only grows. How far a walker is along the route is searched for only near where they should be by
now, so a loop that crosses itself does not jump ahead. That the route was left is decided from the distance
to it, what the matcher says and how sure it is, the direction of walking, and time; standing still is no
evidence. Who stays in one place rests: time and distance stand still for them, whatever their phone's drift,
and what changes meanwhile is answered when they walk on (WORLD_CHANGED).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.graph import Graph
from geo.routing.costs import FACTORS
from models.trips.trip_kernels import (
    ACTIVE,
    ARRIVE,
    ARRIVED,
    BETTER,
    DISLIKED,
    END,
    ERASED,
    EXPIRE,
    EXPIRED,
    IDLE,
    LATE,
    NONE,
    OFF_ROUTE,
    REQUESTED,
    RESTS,
    RESTS_UNTOLD,
    STOPPED,
    WALKS,
    WORLD_CHANGED,
    advance_block,
)

__all__ = [
    "ACTIVE",
    "ARRIVE",
    "ARRIVED",
    "BETTER",
    "DISLIKED",
    "END",
    "ERASED",
    "EXPIRE",
    "EXPIRED",
    "IDLE",
    "KIND_LOOP",
    "KIND_TO",
    "LATE",
    "NONE",
    "OFF_ROUTE",
    "REASONS",
    "REQUESTED",
    "RESTS",
    "RESTS_UNTOLD",
    "STOPPED",
    "TRIP_STATE",
    "WALKS",
    "WORLD_CHANGED",
    "MatchedFixes",
    "Policy",
    "RouteGeometry",
    "Routes",
    "advance_fixes",
    "route_geometry",
]

# by decision
REASONS = (
    "none", "off_route", "late", "arrived", "expired",
    "requested", "disliked", "world_changed", "better", "ended",
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
        ("seen_lat", np.float64),  # the smoothed position
        ("seen_lon", np.float64),
        ("rest_lat", np.float64),  # the walker has been near here
        ("rest_lon", np.float64),
        ("rest_ts", np.float64),  # since then
        ("paused_s", np.float64),  # time that does not count
        ("near_ts", np.float64),  # of the last fix near the route
        ("rerouted_ts", np.float64),
        ("late_ts", np.float64),
        ("switched_ts", np.float64),  # when a change of the world last moved the route
        ("looked_ts", np.float64),  # when a better one was last looked for
        ("progress_m", np.float64),  # along the stored route; it only grows
        ("along_m", np.float64),  # where the walker is along it, smoothed; falls when they walk back
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
        ("speed_mps", np.float32),  # smoothed speed along the route, negative when walking back
        ("pace_mps", np.float32),  # how fast the progress grew of late
        ("north_mps", np.float32),  # smoothed velocity
        ("east_mps", np.float32),
        ("slack_m", np.float32),  # how far off a jump may have led the fixes
        ("off_evidence", np.float32),  # that the route was left: log-likelihood ratio, 0 on the route
        ("route_idx", np.int32),  # index of the edge that holds the progress
        ("matched_edge", np.int32),
        ("matched_fraction", np.float32),
        ("left_edge", np.int32),  # amid the stretch that the last change of the world moved the route off, -1
        ("reroutes", np.int32),  # in a row, without having followed the new route
        ("status", np.uint8),
        ("kind", np.uint8),
        ("resting", np.uint8),  # WALKS, RESTS, RESTS_UNTOLD
        ("liked", np.uint8),  # the route that they have
        ("taste", np.float32, (len(FACTORS),)),  # nan: the factor's default weight
    ],
    align=True,
)


class Policy(NamedTuple):
    """When a trip is off its route, late or there. Lengths in metres, times in seconds."""

    # along the route
    gap_s: float = 60.0  # after such a gap in the fixes nothing is concluded from what was before
    accuracy_m: float = 10.0  # of a fix that does not say
    near_sigmas: float = 1.8  # a fix farther from the route makes no progress
    along_s: float = 3.5  # time constant of progress, more with the fix's own accuracy
    speed_s: float = 15.0  # time constant of the speed along the route
    spread_m: float = 28.0  # how sure it is where along the route the walker should be by now
    lookback_m: float = 35.0
    lookahead_m: float = 50.0
    wide_m: float = 150.0  # who is not where they should be is looked for so far around,
    lost_s: float = 15.0  # and after so long found there
    speed_max_mps: float = 4.0
    jump_per_accuracy: float = 0.3  # fixes farther apart than one walks and this share of the accuracy jump
    slack_s: float = 180.0  # time constant with which a jump is forgotten
    reference_mps: float = 1.35
    reaction_s: float = 3.0  # from a fix until the walker knows what follows from it
    # off the route: evidence as a log-likelihood ratio; fitted on simulated walks with the error of real ones
    on_m: float = 4.0  # standard deviation of the distance to the route, of who is on it,
    on_per_accuracy: float = 0.48  # more by this many times the fix's own accuracy
    off_sigmas: float = 2.2  # from so many of them on a distance speaks for having left
    match_weight: float = 0.5  # of the matcher's word that the walker is on the route, times its probability
    back_mps: float = 0.5  # who walks back faster than this
    back_m: float = 22.0  # and has come so far back,
    back_per_accuracy: float = 0.35  # and this many times the fix's own accuracy,
    back_per_slack: float = 0.7  # and this share of what a jump may have led the fixes back,
    back_evidence: float = 2.5  # has turned round
    stood_m: float = 40.0  # farther by this for who had been standing: their phone's drift looks the same;
    stood_mps: float = 0.6  # who came on more slowly than that of late stood,
    pace_s: float = 45.0  # by an average with this time constant
    most_evidence: float = 2.0  # of one fix, for
    most_doubt: float = 2.5  # and against having left
    error_s: float = 5.0  # fixes so far apart err independently
    leave: float = 1.8  # evidence that the route was left
    reroute_min_s: float = 10.0  # doubled with each reroute that the walker does not follow
    reroute_doublings: int = 4
    followed_m: float = 30.0  # who walks so far along a new route follows it
    # standing still
    smooth_s: float = 8.0  # time constant of the smoothed position
    rest_m: float = 15.0  # who stays within so much
    still_s: float = 25.0  # for so long stands still: no evidence of leaving;
    rest_s: float = 60.0  # for so long rests: time does not count
    rise_m: float = 25.0  # who rests and comes so far away walks on
    drift_s: float = 120.0  # time constant with which a resting phone's drift is followed
    slowest_mps: float = 0.3  # slower over a gap in the fixes was a rest
    # the end
    arrive_m: float = 15.0
    arrive_still_m: float = 40.0  # who stands still so near is there
    late_slack_s: float = 120.0
    late_again_s: float = 300.0
    expire_s: float = 4 * 3600.0  # a trip without a fix for so long is over
    # changes of the world, see `models.trips.world_change`
    worse_share: float = 0.01  # a change is looked into when it costs at least so much
    gain_margin: float = 0.05  # and answered when another way is better by so much,
    gain_s: float = 15.0  # and by as many seconds felt
    better_margin: float = 0.15  # the route got no worse, but another one got better
    liked_margin: float = 0.25  # the walker said that they like the route
    again_s: float = 300.0  # within that time of the last such answer only
    again_margin: float = 0.25  # when it is better by so much,
    return_margin: float = 0.5  # and by so much where it leads back to what was left: no flip-flop
    look_again_s: float = 120.0  # how often a better way is looked for at most,
    look_most: int = 64  # and for how many walkers after one change


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
    probability: NDArray[np.float32]


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
    advance_block(trips, routes, geometry, fixes, policy, next_fix, out_decision, out_fix)
