"""The kernels of the online matcher: candidates, routes between them, and one Viterbi step a fix.

Called through `geo.matching`, which says what the arrays are and checks them. The states of a step are
numbered 2·c + d: candidate c, walked along the direction that the grid lists (d = 0) or against it
(d = 1). State 16 is off the network. Numba freezes globals into its cache, hence the plain numbers:
12 steps, 8 candidates, 16 walking states, 96 nodes a search looks at.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True)
def match_block(graph, state, fixes, params, lag_s, out):  # type: ignore[no-untyped-def]
    """Match the fixes of a block in order of arrival; see `geo.matching.match_fixes`."""
    near = (np.empty(8, np.int32), np.empty(8), np.empty(8))
    score = np.empty(17)
    back = np.empty(17, np.uint8)
    ends = (np.empty(16, np.int32), np.empty(16), np.empty((16, 16)))
    labels = (np.empty(96, np.int32), np.empty(96), np.empty(96, np.uint8))
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
        north, east = _metres(s.last_lat, s.last_lon, lat, lon)
        straight_m = math.sqrt(north * north + east * east)
        fresh = s.steps == 0 or dt > params.gap_s
        if not fresh:
            if dt < params.min_step_s:
                _say_again(graph, s, i, out)
                continue
            if straight_m > params.max_speed_mps * dt + 2.0 * (sigma + s.sigma_m):
                s.jumps += 1
                if s.jumps <= params.jumps:
                    _say_again(graph, s, i, out)
                    out.probability[i] = 0.0
                    continue
                fresh = True
        s.jumps = 0
        count = _find_near(graph, lat, lon, params.reach_m + sigma, near)
        weight = 1.0
        if fresh:
            s.steps = 0
            s.north_mps = 0.0
            s.east_mps = 0.0
            score[:] = 0.0
            score[16] = -params.leave
            back[:] = 16
        else:
            # Smoothed as a vector, so that the errors of a phone that lies still cancel out.
            share = 1.0 - math.exp(-dt / params.velocity_s)
            s.north_mps += share * (north / dt - s.north_mps)
            s.east_mps += share * (east / dt - s.east_mps)
            speed_mps = math.sqrt(s.north_mps * s.north_mps + s.east_mps * s.east_mps)
            # The errors of successive fixes are nearly the same error: each tells only a little more,
            # and hardly anything more while the walker stands.
            moving = min(1.0, max(params.still_weight, speed_mps / params.moving_mps))
            weight = min(1.0, dt / params.error_s * moving)
            _find_routes(graph, s, near[0], count, straight_m + params.detour_m, ends, labels)
            _move(graph, s, near, count, ends[2], (dt, straight_m, speed_mps), params, score, back)
        _see(graph, near, count, sigma, weight, params, score)
        _add_step(s, near, count, score, back)
        s.step_ts[s.head] = fixes.ts[i]
        s.last_ts = fixes.ts[i]
        s.last_lat = lat
        s.last_lon = lon
        s.sigma_m = sigma
        _say_again(graph, s, i, out)
        _settle(graph, s, lag_s, i, out)


@njit(cache=True)
def _metres(lat1, lon1, lat2, lon2):  # type: ignore[no-untyped-def]
    """North and east from the first point to the second, in the plane at the second."""
    deg_m = 6_371_008.8 * math.pi / 180.0
    return (lat2 - lat1) * deg_m, (lon2 - lon1) * deg_m * math.cos(math.radians(lat2))


@njit(cache=True)
def _find_near(graph, lat, lon, radius_m, near):  # type: ignore[no-untyped-def]
    """The 8 nearest streets within radius_m into `near` (edge, fraction, distance), nearest first."""
    edges, fractions, metres = near
    deg_m = 6_371_008.8 * math.pi / 180.0
    scale = deg_m * math.cos(math.radians(lat))
    south = np.int64(math.floor((lat - radius_m / deg_m + 90.0) / 0.0005))
    north = np.int64(math.floor((lat + radius_m / deg_m + 90.0) / 0.0005))
    west = np.int64(math.floor((lon - radius_m / scale + 180.0) / 0.0005))
    east = np.int64(math.floor((lon + radius_m / scale + 180.0) / 0.0005))
    count = 0
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
                if distance_m > radius_m or (count == 8 and distance_m >= metres[7]):
                    continue
                at = min(count, 7)
                # Equal distances (streets that meet here) are kept in the order of their numbers.
                while at > 0 and (
                    metres[at - 1] > distance_m or (metres[at - 1] == distance_m and edges[at - 1] > edge)
                ):
                    edges[at], fractions[at], metres[at] = edges[at - 1], fractions[at - 1], metres[at - 1]
                    at -= 1
                edges[at], fractions[at], metres[at] = edge, fraction, distance_m
                count = min(8, count + 1)
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
def _find_routes(graph, s, edges, count, bound_m, ends, labels):  # type: ignore[no-untyped-def]
    """Shortest ways from the ends of the last step's streets to the ends of the candidates.

    ends: nodes (16,), least metres from a last position to the node (16,), and metres (16, 16) from the
    end 2·c + (0 tail, 1 head) of the last candidate c to that of the new one, inf beyond bound_m.
    """
    nodes, leave_m, route_m = ends
    for c in range(8):
        edge = s.edge[s.head, c]
        for side in range(2):
            a = 2 * c + side
            nodes[a] = -1
            if edge < 0 or max(s.score[2 * c], s.score[2 * c + 1]) < -25.0:
                continue
            nodes[a] = graph.head[edge] if side == 1 else graph.tail[edge]
            fraction = s.fraction[s.head, c] / 65535.0
            leave_m[a] = graph.length_m[edge] * (1.0 - fraction if side == 1 else fraction)
    for a in range(16):
        for b in range(2 * count):
            route_m[a, b] = math.inf
    for a in range(16):
        if nodes[a] < 0 or leave_m[a] > bound_m:
            continue
        least_m = leave_m[a]
        first = True
        for b in range(16):
            if nodes[b] == nodes[a]:
                first &= b >= a or leave_m[b] > bound_m
                least_m = min(least_m, leave_m[b])
        if not first:
            continue  # streets that met there share one search
        found = _search(graph, nodes[a], bound_m - least_m, labels)
        for k in range(found):
            node = labels[0][k]
            for c in range(count):
                if graph.tail[edges[c]] == node:
                    route_m[a, 2 * c] = labels[1][k]
                if graph.head[edges[c]] == node:
                    route_m[a, 2 * c + 1] = labels[1][k]
        for b in range(a + 1, 16):
            if nodes[b] == nodes[a]:
                route_m[b, : 2 * count] = route_m[a, : 2 * count]


@njit(cache=True)
def _search(graph, source, bound_m, labels):  # type: ignore[no-untyped-def]
    """Dijkstra's search from a node up to bound_m; `labels` (node, metres, done); returns their number.

    A few dozen nodes lie within reach, so a plain list is faster than a heap and a map.
    """
    nodes, metres, done = labels
    nodes[0], metres[0], done[0] = source, 0.0, 0
    count = 1
    while True:
        k = -1
        for j in range(count):
            if done[j] == 0 and (k < 0 or metres[j] < metres[k]):
                k = j
        if k < 0:
            return count
        done[k] = 1
        for edge in range(graph.first_out[nodes[k]], graph.first_out[nodes[k] + 1]):
            far_m = metres[k] + graph.length_m[edge]
            if far_m > bound_m:
                continue
            head = graph.head[edge]
            j = 0
            while j < count and nodes[j] != head:
                j += 1
            if j == count:
                if count == 96:
                    continue
                nodes[j], metres[j], done[j] = head, far_m, 0
                count += 1
            elif far_m < metres[j]:
                metres[j] = far_m


@njit(cache=True)
def _move(graph, s, near, count, route_m, motion, params, score, back):  # type: ignore[no-untyped-def]
    """Best score of every state before its fix is looked at, and the state it came from.

    The likelihood of a route falls with its difference from the straight line (Newson and Krumm 2009,
    equation 2). Way made along a state's direction speaks for it, way made against it speaks against it,
    and as errors to and fro cancel out, what remains is the way really made.
    """
    edges, fractions, _ = near
    dt, straight_m, speed_mps = motion
    most_m = params.stride_mps * dt
    pace_gain = params.along * speed_mps * dt
    for j in range(17):
        score[j] = -math.inf
        back[j] = 16
    # off the network: as good as walking on at the present speed along a street
    score[16] = s.score[16] + pace_gain
    for a in range(16):
        if s.edge[s.head, a // 2] >= 0 and s.score[a] - params.leave > score[16]:
            score[16] = s.score[a] - params.leave
            back[16] = a
    for c in range(count):
        edge = edges[c]
        length_m = graph.length_m[edge]
        from_tail_m = fractions[c] * length_m
        for d in range(2):
            b = 2 * c + d
            score[b] = s.score[16] - params.join
            for a in range(16):
                last_edge = s.edge[s.head, a // 2]
                if last_edge < 0 or s.score[a] < -25.0:
                    continue
                last_d = a % 2
                last_length_m = graph.length_m[last_edge]
                last_m = s.fraction[s.head, a // 2] / 65535.0 * last_length_m
                if last_edge == edge:
                    way_m = from_tail_m - last_m if d == 0 else last_m - from_tail_m
                    gain = params.along * min(most_m, max(-most_m, way_m))
                    gain -= abs(abs(way_m) - straight_m) / params.beta_m
                    if last_d != d:
                        gain -= params.turn
                else:
                    # forward: out at the end ahead, in at the end behind; backward the other way round
                    ahead_m = last_length_m - last_m if last_d == 0 else last_m
                    entered_m = from_tail_m if d == 0 else length_m - from_tail_m
                    c2 = 2 * (a // 2)
                    forward_m = ahead_m + route_m[c2 + 1 - last_d, 2 * c + d] + entered_m
                    backward_m = (
                        last_length_m - ahead_m + route_m[c2 + last_d, 2 * c + 1 - d] + length_m - entered_m
                    )
                    gain = -math.inf
                    if forward_m < math.inf:
                        gain = params.along * min(most_m, forward_m)
                        gain -= abs(forward_m - straight_m) / params.beta_m
                    if backward_m < math.inf:
                        other = -params.along * min(most_m, backward_m)
                        other -= abs(backward_m - straight_m) / params.beta_m
                        gain = max(gain, other)
                if s.score[a] + gain > score[b]:
                    score[b] = s.score[a] + gain
                    back[b] = a


@njit(cache=True)
def _see(graph, near, count, sigma, weight, params, score):  # type: ignore[no-untyped-def]
    """Add how likely the fix is from each state: normal in the distance, constant off the network."""
    edges, _, metres = near
    off = max(params.off_m / sigma, params.off_sigmas)
    score[16] -= weight * 0.5 * off * off
    for c in range(count):
        error = metres[c] / sigma
        score[2 * c] -= weight * 0.5 * error * error
        score[2 * c + 1] -= weight * 0.5 * error * error
        if graph.reverse[edges[c]] < 0:
            score[2 * c + 1] = -math.inf
    for b in range(2 * count, 16):
        score[b] = -math.inf


@njit(cache=True)
def _add_step(s, near, count, score, back):  # type: ignore[no-untyped-def]
    """Append a step to the lattice; a full one forgets its oldest."""
    edges, fractions, metres = near
    s.head = (s.head + 1) % 12
    s.steps = min(12, s.steps + 1)
    best = 16
    for j in range(16):
        if score[j] > score[best]:
            best = j
    total = 0.0
    for j in range(17):
        total += math.exp(score[j] - score[best])
    for j in range(17):
        s.score[j] = score[j] - score[best]
        s.back[s.head, j] = back[j]
    for c in range(8):
        s.edge[s.head, c] = edges[c] if c < count else -1
        s.fraction[s.head, c] = np.uint16(math.floor(fractions[c] * 65535.0 + 0.5)) if c < count else 0
    s.best = best
    s.best_probability = 1.0 / total
    s.best_m = math.inf
    if count > 0:
        s.best_m = metres[0] if best == 16 else metres[best // 2]


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
def _say_again(graph, s, i, out):  # type: ignore[no-untyped-def]
    """Where the lattice's newest step says the walker is."""
    out.edge[i], out.fraction[i] = _place(graph, s, s.head, s.best)
    out.probability[i] = s.best_probability
    out.off_network[i] = s.best == 16
    out.distance_m[i] = s.best_m


@njit(cache=True)
def _place(graph, s, step, j):  # type: ignore[no-untyped-def]
    """Directed edge and fraction of a state of a step, -1 and 0 off the network."""
    if j == 16:
        return -1, 0.0
    edge = s.edge[step, j // 2]
    fraction = s.fraction[step, j // 2] / 65535.0
    if j % 2 == 0:
        return edge, fraction
    return graph.reverse[edge], 1.0 - fraction


@njit(cache=True)
def _settle(graph, s, lag_s, i, out):  # type: ignore[no-untyped-def]
    """The newest step that is lag_s old, or else the oldest one of a full lattice, as seen from now."""
    j = s.best
    step = np.int64(s.head)
    for k in range(s.steps):
        if s.last_ts - s.step_ts[step] >= lag_s or k == 11:
            out.settled_edge[i], out.settled_fraction[i] = _place(graph, s, step, j)
            out.settled_ts[i] = s.step_ts[step]
            return
        j = s.back[step, j]
        step = (step + 11) % 12


@njit(cache=True)
def trace_back(graph, s, out_edge, out_fraction, out_ts):  # type: ignore[no-untyped-def]
    """All steps of a lattice, newest first, as its best path sees them; returns their number."""
    j = s.best
    step = np.int64(s.head)
    for k in range(s.steps):
        out_edge[k], out_fraction[k] = _place(graph, s, step, j)
        out_ts[k] = s.step_ts[step]
        j = s.back[step, j]
        step = (step + 11) % 12
    return np.int64(s.steps)
