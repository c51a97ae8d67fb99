"""The kernel of `models.trips.trip`: folds the fixes of a block into their walkers' trips.

Where a walker is along the route follows the fixes smoothly, more slowly the less exact they say they are.
Leaving the route is a sequential test (Page, Continuous Inspection Schemes, 1954): each fix adds a
log-likelihood ratio of "off" against "on" to the evidence, which never falls below 0. Errors of successive
fixes are nearly the same error, so a fix weighs as much as the time since the last one. The smoothed position
comes from a critically damped g-h filter (Brookner, Tracking and Kalman Filtering Made Easy, 1998, section
1.2): one time constant, right for any interval between fixes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# status of a trip
IDLE, ACTIVE, ARRIVED, STOPPED, EXPIRED, ERASED = 0, 1, 2, 3, 4, 5
# decisions; of the ones from REQUESTED on fixes make only WORLD_CHANGED: of who rested meanwhile
NONE, OFF_ROUTE, LATE, ARRIVE, EXPIRE, REQUESTED, DISLIKED, WORLD_CHANGED, BETTER, END = range(10)

# what `resting` says
WALKS, RESTS, RESTS_UNTOLD = 0, 1, 2  # untold: the world changed for them meanwhile

METRES_PER_DEG = 111_195.08  # 6371008.8 m (IUGG mean radius) × π / 180
SAME_M = 1.0  # a matched place so near the route's part of its edge is on the route
TINY_M = 1e-6  # rounding


@njit(cache=True)
def advance_block(trips, routes, geometry, fixes, policy, next_fix, out_decision, out_fix):  # type: ignore[no-untyped-def]
    """See `models.trips.trip.advance_fixes`."""
    for i in range(len(fixes.slot)):
        s = fixes.slot[i]
        if i < next_fix[s] or out_decision[s] != NONE:
            continue
        next_fix[s] = i + 1
        trip = trips[s]
        if not fixes.in_order[i] or trip.status != ACTIVE:
            continue
        ts = fixes.ts[i]
        if ts - max(trip.last_ts, trip.started_ts) > policy.expire_s:
            out_decision[s], out_fix[s] = EXPIRE, i
            continue
        accuracy = fixes.accuracy_m[i]
        if math.isnan(accuracy):
            accuracy = policy.accuracy_m
        dt = _smooth(trip, ts, fixes.lat[i], fixes.lon[i], accuracy, policy)
        if fixes.edge[i] >= 0:
            trip.matched_edge, trip.matched_fraction = fixes.edge[i], fixes.fraction[i]
        untold = trip.resting == RESTS_UNTOLD
        _rest(trip, ts, dt, policy)
        first, count = routes.first[s], routes.size[s]
        decision = _follow(trip, routes, first, count, geometry, fixes, i, dt, accuracy, policy)
        if decision == NONE and untold and trip.resting == WALKS:
            decision = WORLD_CHANGED
        if decision != NONE:
            out_decision[s], out_fix[s] = decision, i


@njit(cache=True)
def _smooth(trip, ts, lat, lon, accuracy, policy):  # type: ignore[no-untyped-def]
    """Fold a position into the walker's smoothed one; returns the seconds since the last, 0 for the first."""
    first = trip.last_ts == 0.0
    dt = 0.0 if first else max(0.0, ts - trip.last_ts)
    if not first:
        _allow_for_jump(trip, lat, lon, dt, accuracy, policy)
    trip.last_ts, trip.last_lat, trip.last_lon = ts, lat, lon
    if first or dt > policy.gap_s:
        if not first:
            _sit_out(trip, dt, lat, lon, policy)
        trip.seen_lat, trip.seen_lon = lat, lon
        trip.north_mps, trip.east_mps, trip.off_evidence = 0.0, 0.0, 0.0
        if first:
            trip.rest_lat, trip.rest_lon, trip.rest_ts = lat, lon, ts
        return dt
    scale = METRES_PER_DEG * math.cos(math.radians(lat))
    theta = math.exp(-dt / policy.smooth_s)
    g, h = 1.0 - theta * theta, (1.0 - theta) * (1.0 - theta)
    north = trip.north_mps * dt
    east = trip.east_mps * dt
    miss_north = (lat - trip.seen_lat) * METRES_PER_DEG - north
    miss_east = (lon - trip.seen_lon) * scale - east
    # one stray fix moves the walker no farther than a bad one could
    miss = math.sqrt(miss_north * miss_north + miss_east * miss_east)
    most = 2.5 * accuracy + 5.0 + policy.speed_max_mps * dt
    if miss > most:
        miss_north *= most / miss
        miss_east *= most / miss
    trip.seen_lat += (north + g * miss_north) / METRES_PER_DEG
    trip.seen_lon += (east + g * miss_east) / scale
    if dt > 0.0:
        trip.north_mps += h / dt * miss_north
        trip.east_mps += h / dt * miss_east
    return dt


@njit(cache=True)
def _allow_for_jump(trip, lat, lon, dt, accuracy, policy):  # type: ignore[no-untyped-def]
    """Nobody leaps: after a jump of the fixes the walker may for a while be as far off as it was long."""
    trip.slack_m *= math.exp(-dt / policy.slack_s)
    jump_m = _apart(trip.last_lat, trip.last_lon, lat, lon)
    if dt <= policy.error_s and jump_m > policy.speed_max_mps * dt + policy.jump_per_accuracy * accuracy:
        trip.slack_m = max(trip.slack_m, jump_m)


@njit(cache=True)
def _sit_out(trip, dt, lat, lon, policy):  # type: ignore[no-untyped-def]
    """A gap in which the walker hardly moved is a pause but for the time that the way takes."""
    moved = _apart(trip.last_lat, trip.last_lon, trip.seen_lat, trip.seen_lon)
    if _apart(lat, lon, trip.rest_lat, trip.rest_lon) > policy.rest_m and moved < policy.slowest_mps * dt:
        trip.paused_s += dt - moved / policy.reference_mps


@njit(cache=True)
def _rest(trip, ts, dt, policy):  # type: ignore[no-untyped-def]
    """Whether the walker stays where they are: near an anchor that follows the drift of a resting phone."""
    away = _apart(trip.seen_lat, trip.seen_lon, trip.rest_lat, trip.rest_lon)
    if away > (policy.rest_m if trip.resting == WALKS else policy.rise_m):
        trip.rest_lat, trip.rest_lon, trip.rest_ts = trip.seen_lat, trip.seen_lon, ts
        trip.resting = WALKS
    elif trip.resting != WALKS:
        trip.paused_s += dt
        weight = 1.0 - math.exp(-dt / policy.drift_s)
        trip.rest_lat += weight * (trip.seen_lat - trip.rest_lat)
        trip.rest_lon += weight * (trip.seen_lon - trip.rest_lon)
    elif ts - trip.rest_ts >= policy.rest_s:
        trip.resting = RESTS
        trip.paused_s += ts - trip.rest_ts


@njit(cache=True)
def _nearest(trip, routes, first, count, geometry, fixes, i, since, accuracy, policy):  # type: ignore[no-untyped-def]
    """Where on the route a fix most likely is, and how far off.

    Returns off_m, at_m, least_m, onward_m, matched_m, same.

    Only near where the walker should be by now: a loop that crosses itself does not jump ahead, and after a
    gap of `since` seconds the walker may be far along. off_m: from the fix to the likeliest place, at_m;
    least_m: to the nearest place of that stretch; onward_m: to the nearest one that is not behind the
    progress; matched_m: from the matched place to that stretch; same: the matched place is on it.
    """
    lat, lon, matched = fixes.lat[i], fixes.lon[i], fixes.edge[i]
    cos_lat = math.cos(math.radians(lat))
    there_lat, there_lon = lat, lon
    if matched >= 0:
        there_lat, there_lon = _point(geometry, matched, fixes.fraction[i])
    lag_s = min(since + policy.along_s + 0.25 * accuracy, policy.gap_s)
    expected = trip.along_m + max(trip.speed_mps, 0.5 * policy.reference_mps) * lag_s
    spread = policy.spread_m + 0.7 * since
    low = trip.along_m - policy.lookback_m
    high = trip.progress_m + policy.lookahead_m + 2.0 * policy.reference_mps * since
    scale = 3.0 + 0.5 * accuracy
    j = trip.route_idx
    while j > 0 and routes.start_m[first + j] > low:
        j -= 1
    cost, off_m, at_m = math.inf, math.inf, trip.along_m
    least_m, onward_m, matched_m, same = math.inf, math.inf, math.inf, False
    while j < count and routes.start_m[first + j] <= high:
        e = routes.edges[first + j]
        off, along = _project_on_route(trip, routes, first + j, geometry, lat, lon, cos_lat)
        least_m = min(least_m, off)
        if along >= trip.progress_m - 10.0:
            onward_m = min(onward_m, off)
        unlikely = (along - expected) / spread
        one = off / scale + math.log(1.0 + unlikely * unlikely)
        if along < trip.progress_m:
            one += min(3.0, 0.2 * (trip.progress_m - along))  # people seldom turn round
        if one < cost:
            cost, off_m, at_m = one, off, along
        if matched >= 0 and not same:
            apart = _project_on_route(trip, routes, first + j, geometry, there_lat, there_lon, cos_lat)[0]
            same = apart <= SAME_M and (matched == e or geometry.reverse[matched] == e)
            matched_m = min(matched_m, apart)
        j += 1
    if least_m > policy.near_sigmas * scale:
        least_m, lost_m = _search_wide(trip, routes, first, count, geometry, lat, lon, least_m, policy)
        if since > policy.lost_s and lost_m >= 0.0:
            off_m, at_m = least_m, lost_m
    if same:
        matched_m = 0.0
    elif matched < 0:
        matched_m = least_m
    return off_m, at_m, least_m, onward_m, matched_m, same


@njit(cache=True)
def _search_wide(trip, routes, first, count, geometry, lat, lon, least_m, policy):  # type: ignore[no-untyped-def]
    """A place nearer than least_m where the walker should not yet be, or no more: (off_m, along_m or -1)."""
    cos_lat = math.cos(math.radians(lat))
    found_m = -1.0
    j = trip.route_idx
    while j > 0 and routes.start_m[first + j] > trip.along_m - policy.wide_m:
        j -= 1
    while j < count and routes.start_m[first + j] <= trip.progress_m + policy.wide_m:
        off, along = _project_on_route(trip, routes, first + j, geometry, lat, lon, cos_lat)
        if off < least_m:
            least_m, found_m = off, along
        j += 1
    return least_m, found_m


@njit(cache=True)
def _follow(trip, routes, first, count, geometry, fixes, i, dt, accuracy, policy):  # type: ignore[no-untyped-def]
    """Move along the route, or gather evidence that it was left; returns a decision."""
    ts = fixes.ts[i]
    since = ts - trip.near_ts if trip.near_ts > 0.0 else 0.0
    off_m, at_m, least_m, onward_m, matched_m, same = _nearest(
        trip, routes, first, count, geometry, fixes, i, since, accuracy, policy
    )
    near = off_m <= policy.near_sigmas * (3.0 + 0.5 * accuracy)
    if near and trip.resting == WALKS:
        _move(trip, routes, first, count, ts, at_m, since, dt, accuracy, policy)
    elif not near and 0.0 < dt <= policy.gap_s:
        trip.walked_m += min(math.hypot(trip.north_mps, trip.east_mps), policy.speed_max_mps) * dt
    still = ts - trip.rest_ts >= policy.still_s
    # the matcher may speak for the route, by its probability; against it the fix itself must
    off_m = least_m - fixes.probability[i] * max(0.0, least_m - matched_m)
    on = fixes.probability[i] if same else 0.0
    evidence = _evidence(trip, off_m, onward_m, on, accuracy, policy)
    if not (still and evidence > 0.0):
        step = evidence * min(dt, policy.error_s) / policy.error_s
        trip.off_evidence = min(max(0.0, trip.off_evidence + step), 1.5 * policy.leave)
    if trip.off_evidence == 0.0 and trip.progress_m >= policy.followed_m:
        trip.reroutes = 0
    return _decide(trip, ts, near, still, policy)


@njit(cache=True)
def _move(trip, routes, first, count, ts, at_m, since, dt, accuracy, policy):  # type: ignore[no-untyped-def]
    """Draw the walker's place along the route towards where a fix is, the less the less exact it is."""
    before = trip.along_m
    if since == 0.0 or since > policy.gap_s:
        trip.along_m = at_m
    else:
        expected = before + trip.speed_mps * dt
        weight = 1.0 - math.exp(-since / (policy.along_s + 0.25 * accuracy))
        trip.along_m = min(max(expected + weight * (at_m - expected), 0.0), trip.route_m)
        speed = (trip.along_m - before) / max(since, 0.1)
        speed = min(max(speed, -2.0), 2.5)
        trip.speed_mps += np.float32((1.0 - math.exp(-dt / policy.speed_s)) * (speed - trip.speed_mps))
    trip.near_ts = ts
    if dt > 0.0:
        pace = min(max(0.0, trip.along_m - trip.progress_m) / dt, 2.5)
        trip.pace_mps += np.float32((1.0 - math.exp(-dt / policy.pace_s)) * (pace - trip.pace_mps))
    if trip.along_m > trip.progress_m:
        trip.walked_m += trip.along_m - trip.progress_m
        trip.progress_m = trip.along_m
        while trip.route_idx + 1 < count and routes.start_m[first + trip.route_idx + 1] <= trip.progress_m:
            trip.route_idx += 1


@njit(cache=True)
def _evidence(trip, off_m, onward_m, on_probability, accuracy, policy):  # type: ignore[no-untyped-def]
    """Log-likelihood ratio of "off the route" against "on it" that a fix gives."""
    sigma = policy.on_m + policy.on_per_accuracy * accuracy
    ratio = max(0.0, off_m - trip.slack_m) / sigma
    evidence = 0.5 * (ratio * ratio - policy.off_sigmas * policy.off_sigmas)
    evidence -= policy.match_weight * on_probability
    back_m = trip.progress_m - trip.along_m
    least_m = policy.back_m + policy.back_per_accuracy * accuracy + policy.back_per_slack * trip.slack_m
    if trip.pace_mps < policy.stood_mps:
        least_m += policy.stood_m
    far_back = back_m > least_m
    if trip.speed_mps < -policy.back_mps and far_back and onward_m > sigma:
        evidence = max(evidence, policy.back_evidence)
    return min(max(evidence, -policy.most_doubt), policy.most_evidence)


@njit(cache=True)
def _decide(trip, ts, near, still, policy):  # type: ignore[no-untyped-def]
    remaining = trip.route_m - trip.progress_m
    if remaining <= (policy.arrive_still_m if still and near else policy.arrive_m):
        return ARRIVE
    if trip.off_evidence >= policy.leave:
        wait_s = policy.reroute_min_s * 2.0 ** min(trip.reroutes, policy.reroute_doublings)
        if ts - trip.rerouted_ts >= wait_s:
            trip.rerouted_ts = ts
            trip.reroutes += 1
            return OFF_ROUTE
    elif near and not still and trip.wanted_s > 0.0:
        eta = ts + trip.route_s * remaining / max(trip.route_m, 1.0)
        promised = trip.started_ts + trip.wanted_s + trip.paused_s
        if eta > promised + policy.late_slack_s and ts - trip.late_ts > policy.late_again_s:
            trip.late_ts = ts
            return LATE
    return NONE


@njit(cache=True)
def _apart(lat1, lon1, lat2, lon2):  # type: ignore[no-untyped-def]
    """Metres between two points that are near each other."""
    dx = (lon2 - lon1) * math.cos(math.radians(lat1))
    return math.sqrt(dx * dx + (lat2 - lat1) * (lat2 - lat1)) * METRES_PER_DEG


@njit(cache=True)
def _point(geometry, edge, fraction):  # type: ignore[no-untyped-def]
    """Latitude and longitude of a place on an edge, by the length of its shape in degrees."""
    begin, end = geometry.shape_first[edge], geometry.shape_first[edge + 1] - 1
    lat, lon = geometry.shape_lat, geometry.shape_lon
    scale = math.cos(math.radians(lat[begin]))
    total = 0.0
    for p in range(begin, end):
        total += math.hypot((lon[p + 1] - lon[p]) * scale, lat[p + 1] - lat[p])
    left = fraction * total
    for p in range(begin, end):
        length = math.hypot((lon[p + 1] - lon[p]) * scale, lat[p + 1] - lat[p])
        if left <= length and length > 0.0:
            share = left / length
            return lat[p] + share * (lat[p + 1] - lat[p]), lon[p] + share * (lon[p + 1] - lon[p])
        left -= length
    return lat[end], lon[end]


@njit(cache=True)
def _project_on_route(trip, routes, j, geometry, lat, lon, cos_lat):  # type: ignore[no-untyped-def]
    """Metres from a point to the part of an edge that is on the route, and where along the route that is.

    The first and the last edge are on it in part: whoever walks off along the rest has left.
    """
    edge = routes.edges[j]
    start_m, length_m = routes.start_m[j], geometry.length_m[edge]
    low, high = 0.0, 1.0
    if length_m > 0.0:
        low = min(max(-start_m / length_m, 0.0), 1.0)
        high = min(max((trip.route_m - start_m) / length_m, low), 1.0)
    off_m, fraction = _project(geometry, edge, low, high, lat, lon, cos_lat)
    return off_m, min(max(start_m + fraction * length_m, 0.0), trip.route_m)


@njit(cache=True)
def _project(geometry, edge, low, high, lat, lon, cos_lat):  # type: ignore[no-untyped-def]
    """Metres from a point to the part low..high of an edge's shape, and where on the edge that is: 0..1."""
    begin, end = geometry.shape_first[edge], geometry.shape_first[edge + 1] - 1
    from_m, to_m = 0.0, math.inf
    if low > 0.0 or high < 1.0:
        total = 0.0
        for p in range(begin, end):
            total += _segment(geometry, p, lat, lon, cos_lat)[4]
        from_m, to_m = low * total, high * total
    best, best_along, along = math.inf, from_m, 0.0
    for p in range(begin, end):
        ax, ay, dx, dy, segment = _segment(geometry, p, lat, lon, cos_lat)
        if along <= to_m + TINY_M and along + segment >= from_m - TINY_M:
            t = 0.0
            if segment > 0.0:
                t = -(ax * dx + ay * dy) / (segment * segment)
                t = max(min(t, (to_m - along) / segment), (from_m - along) / segment)
                t = min(1.0, max(0.0, t))
            distance = math.hypot(ax + t * dx, ay + t * dy)
            if distance < best:
                best, best_along = distance, along + t * segment
        along += segment
    if along > 0.0:
        best_along = min(1.0, best_along / along)
    return best, best_along


@njit(cache=True)
def _segment(geometry, p, lat, lon, cos_lat):  # type: ignore[no-untyped-def]
    """A segment of a shape, metres from a point: where it begins (east, north), its way, its length."""
    ax = (geometry.shape_lon[p] - lon) * cos_lat * METRES_PER_DEG
    ay = (geometry.shape_lat[p] - lat) * METRES_PER_DEG
    dx = (geometry.shape_lon[p + 1] - geometry.shape_lon[p]) * cos_lat * METRES_PER_DEG
    dy = (geometry.shape_lat[p + 1] - geometry.shape_lat[p]) * METRES_PER_DEG
    return ax, ay, dx, dy, math.hypot(dx, dy)
