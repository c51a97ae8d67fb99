"""The kernels of the online matcher: candidates, ways between them, and one Viterbi step a fix.

Called through `geo.matching`, which says what the arrays are and checks them. A step holds up to 10
states, each a directed edge and how far along it the walker is, and state 10, off the network. While a
new step is made there are up to 24 candidate streets; their states are numbered 2·c + d, along the
direction that the grid lists (d = 0) or against it (d = 1), and 48 is off the network. Numba freezes
globals into its cache, hence the plain numbers; a lattice holds 11 steps.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True)
def match_block(graph, state, fixes, params, lag_s, out):  # type: ignore[no-untyped-def]
    """Match the fixes of a block in order of arrival; see `geo.matching.match_fixes`."""
    near = (np.empty(24, np.int32), np.empty(24), np.empty(24))
    new = (np.empty(49), np.empty(49, np.uint8), np.empty(49), np.empty(49))  # score, back, along_m, mps
    room = (
        np.empty(20, np.int32),  # nodes at the ends of the last step's edges, -1 out of reach
        np.empty(20),  # metres to them
        np.empty(96, np.int32),  # nodes a search has seen
        np.empty(96),  # metres to them
        np.empty(96, np.uint8),  # settled
        np.empty(256, np.int32),  # hash table of their places in this list
        np.empty(20, np.int32),  # the ends that are at the searched node
    )
    for i in range(len(fixes.slot)):
        _say_nothing(i, out)
        if fixes.kind[i] != 0:
            continue
        s = state[fixes.slot[i]]
        lat, lon = fixes.lat[i], fixes.lon[i]
        sigma = params.sigma_m
        if not math.isnan(fixes.accuracy_m[i]):
            sigma = min(max(fixes.accuracy_m[i], params.sigma_min_m), params.sigma_max_m)
        dt = fixes.ts[i] - s.last_ts
        fresh = s.steps == 0 or dt > params.gap_s
        if not fresh:
            if dt < params.min_step_s:
                _say_again(s, i, out)
                continue
            north, east = _metres(s.last_lat, s.last_lon, lat, lon)
            reach_m = params.max_speed_mps * dt + 2.0 * (sigma + s.sigma_m)
            if north * north + east * east > reach_m * reach_m:
                s.jumps += 1
                if s.jumps <= params.jumps:
                    _say_again(s, i, out)
                    out.probability[i] = 0.0
                    continue
                fresh = True
        s.jumps = 0
        kept = 0 if fresh else _keep_near(graph, s, lat, lon, params, near)
        count = _find_near(graph, lat, lon, params.reach_m + sigma, kept, near)
        # The errors of successive fixes are nearly the same error, so each tells only a little more.
        variance = sigma * sigma
        if fresh:
            s.steps = 0
            s.way_m2 = params.follow * sigma * sigma
            s.way_pace_m2ps = 0.0
            s.pace_m2ps2 = params.first_spread_mps * params.first_spread_mps
            new[0][48], new[1][48], new[3][48] = -params.leave, 10, params.first_mps
            _start(graph, near, count, 0.0, params.first_mps, new)
        else:
            variance *= max(1.0, params.error_s / dt)
            _move(graph, s, near, count, dt, sigma, variance, params, new, room)
        _see(graph, near, count, sigma, variance, params, new[0])
        _add_step(graph, s, near, count, new)
        s.step_ts[s.head] = fixes.ts[i]
        s.last_ts = fixes.ts[i]
        s.last_lat = lat
        s.last_lon = lon
        s.sigma_m = sigma
        _say_again(s, i, out)
        _settle(s, lag_s, i, out)


@njit(cache=True)
def _metres(lat1, lon1, lat2, lon2):  # type: ignore[no-untyped-def]
    """North and east from the first point to the second, in the plane at the second."""
    deg_m = 6_371_008.8 * math.pi / 180.0
    return (lat2 - lat1) * deg_m, (lon2 - lon1) * deg_m * math.cos(math.radians(lat2))


@njit(cache=True)
def _keep_near(graph, s, lat, lon, params, near):  # type: ignore[no-untyped-def]
    """The streets of the last step stay candidates, however far off one stray fix is."""
    edges, fractions, metres = near
    deg_m = 6_371_008.8 * math.pi / 180.0
    scale = deg_m * math.cos(math.radians(lat))
    count = 0
    for a in range(10):
        edge = s.edge[s.head, a]
        if edge < 0 or s.score[a] <= -params.beam:
            continue
        back = graph.reverse[edge]
        if 0 <= back < edge:
            edge = back
        known = False
        for c in range(count):
            known |= edges[c] == edge
        if not known:
            edges[count] = edge
            fractions[count], metres[count] = _project(graph, edge, lat, lon, deg_m, scale)
            count += 1
    return count


@njit(cache=True)
def _find_near(graph, lat, lon, radius_m, kept, near):  # type: ignore[no-untyped-def]
    """Add the nearest streets within radius_m to the first `kept` ones of `near`, 24 in all.

    near: edges, fractions, distances in metres. The added ones are sorted, nearest first.
    """
    edges, fractions, metres = near
    deg_m = 6_371_008.8 * math.pi / 180.0
    scale = deg_m * math.cos(math.radians(lat))
    south = np.int64(math.floor((lat - radius_m / deg_m + 90.0) / 0.0005))
    north = np.int64(math.floor((lat + radius_m / deg_m + 90.0) / 0.0005))
    west = np.int64(math.floor((lon - radius_m / scale + 180.0) / 0.0005))
    east = np.int64(math.floor((lon + radius_m / scale + 180.0) / 0.0005))
    count = kept
    for row in range(south, north + 1):
        last_key = (row << 32) | east
        square = np.searchsorted(graph.grid_key, (row << 32) | west)
        while square < len(graph.grid_key) and graph.grid_key[square] <= last_key:
            for k in range(graph.grid_first[square], graph.grid_first[square + 1]):
                edge = graph.grid_edge[k]
                known = False
                for c in range(count):
                    known |= edges[c] == edge
                if known:
                    continue
                fraction, distance_m = _project(graph, edge, lat, lon, deg_m, scale)
                if distance_m > radius_m or (count == 24 and distance_m >= metres[23]):
                    continue
                at = min(count, 23)
                # Equal distances (streets that meet here) are kept in the order of their numbers.
                while at > kept and (
                    metres[at - 1] > distance_m or (metres[at - 1] == distance_m and edges[at - 1] > edge)
                ):
                    edges[at], fractions[at], metres[at] = edges[at - 1], fractions[at - 1], metres[at - 1]
                    at -= 1
                edges[at], fractions[at], metres[at] = edge, fraction, distance_m
                count = min(24, count + 1)
            square += 1
    return count


@njit(cache=True)
def _project(graph, edge, lat, lon, deg_m, scale):  # type: ignore[no-untyped-def]
    """Fraction of the edge's length nearest to a point, and the distance to it in metres."""
    best2 = math.inf
    along = 0.0
    done = 0.0
    first = graph.shape_first[edge]
    last = graph.shape_first[edge + 1] - 1
    ax = (graph.shape_lon[first] - lon) * scale
    ay = (graph.shape_lat[first] - lat) * deg_m
    for p in range(first, last):
        bx = (graph.shape_lon[p + 1] - lon) * scale
        by = (graph.shape_lat[p + 1] - lat) * deg_m
        dx, dy = bx - ax, by - ay
        length2 = dx * dx + dy * dy
        t = 0.0
        if length2 > 0.0:
            t = min(1.0, max(0.0, -(ax * dx + ay * dy) / length2))
        x, y = ax + t * dx, ay + t * dy
        length = math.sqrt(length2)
        if x * x + y * y < best2:
            best2 = x * x + y * y
            along = done + t * length
        done += length
        ax, ay = bx, by
    return (min(1.0, along / done) if done > 0.0 else 0.0), math.sqrt(best2)


@njit(cache=True)
def _start(graph, near, count, base, mps, new):  # type: ignore[no-untyped-def]
    """Enter every candidate, in both directions, where the fix is."""
    for c in range(count):
        length_m = graph.length_m[near[0][c]]
        for d in range(2):
            new[0][2 * c + d] = base
            new[1][2 * c + d] = 10
            new[2][2 * c + d] = length_m * (near[1][c] if d == 0 else 1.0 - near[1][c])
            new[3][2 * c + d] = mps


@njit(cache=True)
def _move(graph, s, near, count, dt, sigma, variance, params, new, room):  # type: ignore[no-untyped-def]
    """Best score of every state before its distance is looked at, and the state it came from."""
    score, back, _, mps = new
    ends, end_m = room[0], room[1]
    score[:] = -math.inf
    score[48] = s.score[10]
    back[48] = 10
    mps[48] = s.mps[10]
    for a in range(10):
        if s.score[a] > -params.beam and s.score[a] - params.leave > score[48]:
            score[48] = s.score[a] - params.leave
            back[48] = a
            mps[48] = s.mps[a]
    if s.score[10] > -params.beam:
        _start(graph, near, count, s.score[10] - params.join, s.mps[10], new)
    motion = _foresee(s, dt, sigma, variance, params)
    reach_m = params.ways * math.sqrt(motion[3])
    fastest_m = 0.0
    for a in range(10):
        ends[2 * a] = ends[2 * a + 1] = -1
        edge = s.edge[s.head, a]
        if edge < 0 or s.score[a] <= -params.beam:
            continue
        last_m = graph.length_m[edge] * (s.fraction[s.head, a] / 65535.0)
        _move_within(graph, s, a, last_m, near, count, motion, params, new)
        way_m = s.mps[a] * dt + reach_m
        fastest_m = max(fastest_m, way_m)
        end_m[2 * a] = last_m
        end_m[2 * a + 1] = graph.length_m[edge] - last_m
        if end_m[2 * a] <= way_m and graph.reverse[edge] >= 0:
            ends[2 * a] = graph.tail[edge]
        if end_m[2 * a + 1] <= way_m:
            ends[2 * a + 1] = graph.head[edge]
    for end in range(20):
        node = ends[end]
        least_m = math.inf
        for other in range(19, -1, -1):
            if ends[other] == node:
                # infinite when it was searched from already
                least_m = min(least_m, end_m[other]) if other >= end else math.inf
        if node >= 0 and least_m < math.inf:
            _search(graph, node, fastest_m - least_m, room)
            _move_across(graph, s, node, near, count, motion, params, new, room)


@njit(cache=True)
def _foresee(s, dt, sigma, variance, params):  # type: ignore[no-untyped-def]
    """One step of the Kalman filter of way and pace: dt, gains of both, variance of the way, of the fix.

    The gains depend on times and accuracies only, so all states of a walker share them.
    """
    unrest = params.unrest_mps2 * params.unrest_mps2 * dt
    way = s.way_m2 + dt * (2.0 * s.way_pace_m2ps + dt * (s.pace_m2ps2 + unrest / 3.0))
    way_pace = s.way_pace_m2ps + dt * (s.pace_m2ps2 + unrest / 2.0)
    pace = s.pace_m2ps2 + unrest
    total = way + params.follow * sigma * sigma
    s.way_m2 = way * (1.0 - way / total)
    s.way_pace_m2ps = way_pace * (1.0 - way / total)
    s.pace_m2ps2 = pace - way_pace * way_pace / total
    return dt, way / total, way_pace / total, way, variance


@njit(cache=True)
def _go(a, b, base, mps, seen_m, low_m, high_m, motion, new):  # type: ignore[no-untyped-def]
    """Offer the state a as the predecessor of b.

    Metres are counted along the way from where a is. A walker is expected to go on at the present pace,
    the fix is seen at seen_m, and b's edge spans low_m to high_m: the walker is put between the two by
    `_foresee`, and the score falls with what both are off.
    """
    score, back, along_m, new_mps = new
    dt, share, pace_share, way_m2, variance = motion
    due_m = mps * dt
    way_m = min(high_m, max(low_m, due_m + share * (seen_m - due_m)))
    base -= 0.5 * ((way_m - due_m) ** 2 / way_m2 + (seen_m - way_m) ** 2 / variance)
    if base > score[b]:
        score[b] = base
        back[b] = a
        along_m[b] = way_m - low_m
        new_mps[b] = min(5.0, max(0.0, mps + pace_share * (seen_m - due_m)))


@njit(cache=True)
def _move_within(graph, s, a, last_m, near, count, motion, params, new):  # type: ignore[no-untyped-def]
    """Stay on the edge of the last state a, in the same direction or turned round."""
    edge = s.edge[s.head, a]
    back = graph.reverse[edge]
    length_m = graph.length_m[edge]
    for c in range(count):
        if near[0][c] == edge or near[0][c] == back:
            d = 0 if near[0][c] == edge else 1
            seen_m = length_m * (near[1][c] if d == 0 else 1.0 - near[1][c]) - last_m
            _go(a, 2 * c + d, s.score[a], s.mps[a], seen_m, -last_m, length_m - last_m, motion, new)
            if back >= 0:
                base = s.score[a] - params.turn
                _go(a, 2 * c + 1 - d, base, s.mps[a], -seen_m, last_m - length_m, last_m, motion, new)


@njit(cache=True)
def _move_across(graph, s, node, near, count, motion, params, new, room):  # type: ignore[no-untyped-def]
    """From the last states whose edge ends at `node`, where a search was made, into other streets."""
    ends, end_m, here = room[0], room[1], room[6]
    most_m = params.ways * math.sqrt(motion[3])
    ends_here = 0
    for end in range(20):
        if ends[end] == node:
            here[ends_here] = end
            ends_here += 1
    for c in range(count):
        edge = near[0][c]
        back = graph.reverse[edge]
        length_m = graph.length_m[edge]
        for d in range(2):
            k = _find_label(graph.tail[edge] if d == 0 else graph.head[edge], room)
            if k < 0 or (d == 1 and back < 0):
                continue
            inner_m = length_m * (near[1][c] if d == 0 else 1.0 - near[1][c])
            for end in here[:ends_here]:
                a = end // 2
                if s.edge[s.head, a] in (edge, back):
                    continue
                low_m = end_m[end] + room[3][k]
                if low_m > s.mps[a] * motion[0] + most_m:
                    continue
                base = s.score[a] - (params.turn if end % 2 == 0 else 0.0)
                _go(a, 2 * c + d, base, s.mps[a], low_m + inner_m, low_m, low_m + length_m, motion, new)


@njit(cache=True)
def _search(graph, source, bound_m, room):  # type: ignore[no-untyped-def]
    """Dijkstra's search from a node up to bound_m over a few dozen nodes: a list beats a heap here."""
    nodes, metres, done, table = room[2:6]
    table[:] = -1
    nodes[0], metres[0], done[0] = source, 0.0, 0
    table[source & 255] = 0
    count = 1
    while True:
        k = -1
        for j in range(count):
            if done[j] == 0 and (k < 0 or metres[j] < metres[k]):
                k = j
        if k < 0:
            return
        done[k] = 1
        for edge in range(graph.first_out[nodes[k]], graph.first_out[nodes[k] + 1]):
            far_m = metres[k] + graph.length_m[edge]
            if far_m > bound_m:
                continue
            head = graph.head[edge]
            slot = head & 255
            while table[slot] >= 0 and nodes[table[slot]] != head:
                slot = (slot + 1) & 255
            j = table[slot]
            if j >= 0:
                metres[j] = min(metres[j], far_m)
            elif count < 96:
                nodes[count], metres[count], done[count] = head, far_m, 0
                table[slot] = count
                count += 1


@njit(cache=True)
def _find_label(node, room):  # type: ignore[no-untyped-def]
    nodes, table = room[2], room[5]
    slot = node & 255
    while table[slot] >= 0 and nodes[table[slot]] != node:
        slot = (slot + 1) & 255
    return table[slot]


@njit(cache=True)
def _see(graph, near, count, sigma, variance, params, score):  # type: ignore[no-untyped-def]
    """Add how likely the fix is from each state: normal in the distance, constant off the network."""
    edges, _, metres = near
    off_m = max(params.off_m, params.off_sigmas * sigma)
    score[48] -= 0.5 * off_m * off_m / variance
    for c in range(count):
        score[2 * c] -= 0.5 * metres[c] * metres[c] / variance
        score[2 * c + 1] -= 0.5 * metres[c] * metres[c] / variance
        if graph.reverse[edges[c]] < 0:
            score[2 * c + 1] = -math.inf


@njit(cache=True)
def _add_step(graph, s, near, count, new):  # type: ignore[no-untyped-def]
    """Append a step with the 10 most likely states to the lattice; a full one forgets its oldest."""
    score, back, along_m, mps = new
    s.head = (s.head + 1) % 11
    s.steps = min(11, s.steps + 1)
    best = 48
    for b in range(2 * count):
        if score[b] > score[best]:
            best = b
    top = score[best]
    total = math.exp(score[48] - top)
    for b in range(2 * count):
        total += math.exp(score[b] - top)
    s.best = 10 if best == 48 else 0
    s.best_m = near[2][best // 2] if best < 48 else (near[2][:count].min() if count > 0 else math.inf)
    s.best_probability = 1.0 / total
    s.score[10] = score[48] - top
    s.mps[10] = mps[48]
    s.back[s.head, 10] = back[48]
    for k in range(10):
        b = -1
        for j in range(2 * count):
            if score[j] > (score[b] if b >= 0 else -math.inf):
                b = j
        if b < 0:
            s.edge[s.head, k] = -1
            s.score[k] = -math.inf
            continue
        edge = near[0][b // 2]
        share = along_m[b] / graph.length_m[edge] if graph.length_m[edge] > 0.0 else 0.0
        s.edge[s.head, k] = edge if b % 2 == 0 else graph.reverse[edge]
        s.fraction[s.head, k] = np.uint16(math.floor(min(1.0, max(0.0, share)) * 65535.0 + 0.5))
        s.back[s.head, k] = back[b]
        s.score[k] = score[b] - top
        s.mps[k] = mps[b]
        score[b] = -math.inf


@njit(cache=True)
def _say_nothing(i, out):  # type: ignore[no-untyped-def]
    out.edge[i] = -1
    out.fraction[i] = 0.0
    out.probability[i] = 0.0
    out.off_network[i] = 0
    out.distance_m[i] = math.nan
    out.settled_edge[i] = -1
    out.settled_fraction[i] = 0.0
    out.settled_ts[i] = math.nan


@njit(cache=True)
def _say_again(s, i, out):  # type: ignore[no-untyped-def]
    """Where the lattice's newest step says the walker is."""
    out.edge[i], out.fraction[i] = _place(s, s.head, s.best)
    out.probability[i] = s.best_probability
    out.off_network[i] = s.best == 10
    out.distance_m[i] = s.best_m


@njit(cache=True)
def _place(s, step, j):  # type: ignore[no-untyped-def]
    """Directed edge and fraction of a state of a step, -1 and 0 off the network."""
    if j == 10:
        return -1, 0.0
    return s.edge[step, j], s.fraction[step, j] / 65535.0


@njit(cache=True)
def _settle(s, lag_s, i, out):  # type: ignore[no-untyped-def]
    """The newest step that is lag_s old, or else the oldest one of a full lattice, as seen from now."""
    j = s.best
    step = np.int64(s.head)
    for k in range(s.steps):
        if s.last_ts - s.step_ts[step] >= lag_s or k == 10:
            out.settled_edge[i], out.settled_fraction[i] = _place(s, step, j)
            out.settled_ts[i] = s.step_ts[step]
            return
        j = s.back[step, j]
        step = (step + 10) % 11


@njit(cache=True)
def trace_back(s, out_edge, out_fraction, out_ts):  # type: ignore[no-untyped-def]
    """All steps of a lattice, newest first, as its best path sees them; returns their number."""
    j = s.best
    step = np.int64(s.head)
    for k in range(s.steps):
        out_edge[k], out_fraction[k] = _place(s, step, j)
        out_ts[k] = s.step_ts[step]
        j = s.back[step, j]
        step = (step + 10) % 11
    return np.int64(s.steps)


@njit(cache=True)
def distance_to(graph, edge, lat, lon):  # type: ignore[no-untyped-def]
    """Metres from a point to an edge."""
    deg_m = 6_371_008.8 * math.pi / 180.0
    return _project(graph, edge, lat, lon, deg_m, deg_m * math.cos(math.radians(lat)))[1]
