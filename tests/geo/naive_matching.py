"""The online matcher in plain Python: every edge is a candidate, every route is searched in full."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from geo.graph import Graph
from geo.matching import MatchParams

DEG_M = 6_371_008.8 * math.pi / 180.0
OFF = -1


class State(NamedTuple):
    score: float
    back: int  # index into the step before, None at the first
    edge: int  # directed, OFF
    fraction: float
    mps: float


class Answer(NamedTuple):
    edge: int
    fraction: float
    probability: float
    off_network: int
    settled_edge: int
    settled_fraction: float
    settled_ts: float


def f32(value: float) -> float:
    return float(np.float32(value))


@dataclass
class Step:
    ts: float
    states: list[State]
    best: int


class NaiveMatcher:
    """One walker; `add` takes a fix that is in order and says what the kernel should say."""

    def __init__(self, graph: Graph, params: MatchParams = MatchParams(), lag_s: float = 10.0) -> None:  # noqa: B008
        self.graph, self.params, self.lag_s = graph, params, lag_s
        self.steps: list[Step] = []
        self.last: tuple[float, float, float, float] | None = None  # ts, lat, lon, sigma
        self.jumps = 0
        self.said = (OFF, 0.0, 0.0)

    def add(self, ts: float, lat: float, lon: float, accuracy_m: float = math.nan) -> Answer:
        p = self.params
        sigma = p.sigma_m
        if not math.isnan(accuracy_m):
            sigma = min(max(f32(accuracy_m), p.sigma_min_m), p.sigma_max_m)
        fresh = not self.steps or self.last is None or ts - self.last[0] > p.gap_s
        if not fresh and self.last:
            last_ts, last_lat, last_lon, last_sigma = self.last
            dt = ts - last_ts
            if dt < p.min_step_s:
                return self._answer(False)
            moved_m = math.hypot(
                (lat - last_lat) * DEG_M, (lon - last_lon) * DEG_M * math.cos(math.radians(lat))
            )
            if moved_m > p.max_speed_mps * dt + 2 * (sigma + f32(last_sigma)):
                self.jumps += 1
                if self.jumps <= p.jumps:
                    return self._answer(False)._replace(probability=0.0)
                fresh = True
        self.jumps = 0
        streets = self._candidates(lat, lon, p.reach_m + sigma, [] if fresh else self.steps[-1].states)
        if fresh:
            self.steps = []
            variance = sigma * sigma
            self.covariance = np.diag([f32(p.follow * sigma * sigma), f32(p.first_spread_mps**2)])
            new = {OFF: [State(-p.leave, 10, OFF, 0.0, p.first_mps)]}
            self._enter(new, streets, 0.0, p.first_mps)
        else:
            variance = sigma * sigma * max(1.0, p.error_s / dt)
            new = self._moves(streets, dt, variance, sigma)
        chosen = []
        for edge, offers in new.items():
            best = offers[0]
            for offer in offers[1:]:
                if offer.score > best.score:
                    best = offer
            away_m = max(p.off_m, p.off_sigmas * sigma) if edge == OFF else streets[self._listed(edge)][1]
            chosen.append(best._replace(score=best.score - 0.5 * away_m * away_m / variance))
        off = next(s for s in chosen if s.edge == OFF)
        walking = sorted((s for s in chosen if s.edge != OFF), key=lambda s: -s.score)
        best = walking[0] if walking and walking[0].score > off.score else off
        probability = 1.0 / sum(math.exp(s.score - best.score) for s in chosen)
        kept = [
            s._replace(
                score=f32(s.score - best.score),
                fraction=math.floor(min(1.0, max(0.0, s.fraction)) * 65535 + 0.5) / 65535,
                mps=f32(s.mps),
            )
            for s in [*walking[:10], off]
        ]
        self.steps = [*self.steps, Step(ts, kept, len(kept) - 1 if best is off else 0)][-11:]
        self.last = (ts, lat, lon, sigma)
        here = kept[self.steps[-1].best]
        self.said = (here.edge, here.fraction, probability)
        return self._answer(True)

    def _answer(self, settle: bool) -> Answer:
        edge, fraction, probability = self.said
        settled: tuple[int, float, float] = (-1, 0.0, math.nan)
        if settle:
            at = self.steps[-1].best
            for k, step in enumerate(reversed(self.steps)):
                state = step.states[at]
                if self.steps[-1].ts - step.ts >= self.lag_s or k == 10:
                    settled = (state.edge, state.fraction, step.ts)
                    break
                at = state.back
        return Answer(edge, fraction, probability, int(edge == OFF), *settled)

    def _listed(self, edge: int) -> int:
        back = int(self.graph.reverse[edge])
        return back if 0 <= back < edge else edge

    def _candidates(
        self, lat: float, lon: float, radius_m: float, last: list[State]
    ) -> dict[int, tuple[float, float]]:
        """Listed edge → (fraction, distance): the last step's, then the nearest."""
        g = self.graph
        live = [s.edge for s in last if s.edge != OFF and s.score > -self.params.beam]
        streets = {self._listed(edge): self._project(self._listed(edge), lat, lon) for edge in live}
        near = []
        for edge in range(g.edge_count):
            if self._listed(edge) == edge and edge not in streets:
                fraction, away_m = self._project(edge, lat, lon)
                if away_m <= radius_m:
                    near.append((away_m, edge, fraction))
        for away_m, edge, fraction in sorted(near)[: 24 - len(streets)]:
            streets[edge] = (fraction, away_m)
        return streets

    def _project(self, edge: int, lat: float, lon: float) -> tuple[float, float]:
        g = self.graph
        scale = DEG_M * math.cos(math.radians(lat))
        first, last = g.shape_first[edge], g.shape_first[edge + 1]
        xy = [((g.shape_lon[p] - lon) * scale, (g.shape_lat[p] - lat) * DEG_M) for p in range(first, last)]
        best2, along, done = math.inf, 0.0, 0.0
        for (ax, ay), (bx, by) in pairwise(xy):
            dx, dy = bx - ax, by - ay
            length2 = dx * dx + dy * dy
            t = min(1.0, max(0.0, -(ax * dx + ay * dy) / length2)) if length2 > 0 else 0.0
            away2 = (ax + t * dx) * (ax + t * dx) + (ay + t * dy) * (ay + t * dy)
            if away2 < best2:
                best2, along = away2, done + t * math.sqrt(length2)
            done += math.sqrt(length2)
        return float(min(1.0, along / done)), float(math.sqrt(best2))

    def _directions(self, street: int) -> list[int]:
        back = int(self.graph.reverse[street])
        return [street] if back < 0 else [street, back]

    def _along(self, edge: int, streets: dict[int, tuple[float, float]]) -> float:
        """Where the fix is seen, as a fraction of the directed edge."""
        fraction = streets[self._listed(edge)][0]
        return fraction if self._listed(edge) == edge else 1.0 - fraction

    def _enter(
        self, new: dict[int, list[State]], streets: dict[int, tuple[float, float]], score: float, mps: float
    ) -> None:
        for street in streets:
            for edge in self._directions(street):
                new.setdefault(edge, []).append(State(score, 10, edge, self._along(edge, streets), mps))

    def _moves(
        self, streets: dict[int, tuple[float, float]], dt: float, variance: float, sigma: float
    ) -> dict[int, list[State]]:
        p, g = self.params, self.graph
        states = self.steps[-1].states
        off = states[-1]
        off_at = len(states) - 1
        new: dict[int, list[State]] = {OFF: [State(off.score, off_at, OFF, 0.0, off.mps)]}
        live = [(a, s) for a, s in enumerate(states[:-1]) if s.score > -p.beam]
        new[OFF] += [State(s.score - p.leave, a, OFF, 0.0, s.mps) for a, s in live]
        if off.score > -p.beam:
            self._enter(new, streets, off.score - p.join, off.mps)
            for offers in new.values():
                offers[:] = [o._replace(back=off_at) if o.back == 10 else o for o in offers]
        # Kalman filter of (way, pace), in matrices
        move = np.array([[1.0, dt], [0.0, 1.0]])
        unrest = p.unrest_mps2**2 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        before = move @ self.covariance @ move.T + unrest
        gain = before[:, 0] / (before[0, 0] + p.follow * sigma * sigma)
        self.covariance = (before - np.outer(gain, before[0])).astype(np.float32).astype(float)
        spread2, share, pace_share = float(before[0, 0]), float(gain[0]), float(gain[1])

        def go(a: int, score: float, mps: float, edge: int, seen_m: float, low_m: float) -> None:
            length_m = float(g.length_m[edge])
            due_m = mps * dt
            way_m = min(low_m + length_m, max(low_m, due_m + share * (seen_m - due_m)))
            score -= 0.5 * ((way_m - due_m) ** 2 / spread2 + (seen_m - way_m) ** 2 / variance)
            pace = min(5.0, max(0.0, mps + pace_share * (seen_m - due_m)))
            new.setdefault(edge, []).append(State(score, a, edge, (way_m - low_m) / length_m, pace))

        for a, s in live:
            back = int(g.reverse[s.edge])
            length_m = float(g.length_m[s.edge])
            at_m = s.fraction * length_m
            most_m = s.mps * dt + p.ways * math.sqrt(spread2)
            seen_m = self._along(s.edge, streets) * length_m
            go(a, s.score, s.mps, s.edge, seen_m - at_m, -at_m)
            if back >= 0:
                go(a, s.score - p.turn, s.mps, back, at_m - seen_m, at_m - length_m)
            for turned, node, end_m in ((0, g.head[s.edge], length_m - at_m), (1, g.tail[s.edge], at_m)):
                if turned and back < 0:
                    continue
                metres = self._reach(int(node))
                for street in streets:
                    for edge in self._directions(street):
                        tail = int(g.tail[edge])
                        if edge in (s.edge, back) or end_m + metres.get(tail, math.inf) > most_m:
                            continue
                        low_m = end_m + metres[tail]
                        seen = low_m + self._along(edge, streets) * float(g.length_m[edge])
                        go(a, s.score - turned * p.turn, s.mps, edge, seen, low_m)
        return new

    def _reach(self, source: int) -> dict[int, float]:
        g = self.graph
        metres: dict[int, float] = {}
        queue = [(0.0, source)]
        while queue:
            so_far_m, node = heapq.heappop(queue)
            if node in metres:
                continue
            metres[node] = so_far_m
            for edge in range(g.first_out[node], g.first_out[node + 1]):
                heapq.heappush(queue, (so_far_m + float(g.length_m[edge]), int(g.head[edge])))
        return metres
