"""Draws one walk as SVG: streets, what was walked, every route the client had and why it changed, closures.

Pure: arrays in, text out; the same walk gives the same bytes. Times are shown in UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from geo.errors import BadInput
from geo.geodesy import haversine_m, to_local
from geo.graph import F64, I32, Graph
from models.routes.client_route import ClientRoute, first_metres, without_first_metres
from models.svg import FONT, INK, RED, badge, cross, half_width, path_data, plain, text
from models.trips.wording import message_for

WIDTH = 900
_MAP_HEIGHTS = 420, 680
_EDGE_PX = 14  # white around everything
_MARGIN_M = 60.0
_SAME_PLACE_M = 40.0
_CROSSES_PX = 60.0
# told apart also by the colour-blind (after Okabe and Ito), dark enough on white; red is kept for closures
_COLOURS = ("#0072b2", "#d97a00", "#008a63", "#b4459a", "#6a4c1f", "#5b50c8", "#7d7d00", "#16306b")
_GREY, _STREET = "#666666", "#cccccc"
# a 14 px letter, on the wide side: words must not run into each other, whatever the font
_CHAR_PX, _BOLD_PX = 7.6, 8.3
_Taken = tuple[float, float, float]  # x, y and half the width of what is there already, in pixels
_WHAT = {
    "requested": "first route",
    "off_route": "off route",
    "world_changed": "world changed",
    "late": "late",
    "better": "a better way",
    "disliked": "disliked",
    "arrived": "arrived",
    "ended": "ended",
}


@dataclass(frozen=True, eq=False)
class Stage:
    """A route for as long as it held; updates that came one after the other in one place are one stage."""

    first: int  # numbers of the updates, counted from 1
    last: int
    start_ts: float  # when the first of them came
    route: ClientRoute  # after the last of them
    followed: tuple[F64, F64]  # (n,) lat, lon of the tail up to where the next one took over
    dropped: tuple[F64, F64]  # of the tail behind that

    @property
    def number(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"

    @property
    def has_tail(self) -> bool:
        return self.route.tail_first < len(self.route.lat)


def stages(routes: Sequence[ClientRoute]) -> list[Stage]:
    """Fold updates with one reason that begin within 40 m of each other; cut every tail where it was left."""
    groups: list[tuple[int, int]] = []
    for i, route in enumerate(routes):
        if groups and _same_place(routes[groups[-1][0]], route):
            groups[-1] = groups[-1][0], i
        else:
            groups.append((i, i))
    found = []
    for k, (first, last) in enumerate(groups):
        route = routes[last]
        after = groups[k + 1][0] if k + 1 < len(groups) else None
        tail = route.lat[route.tail_first :], route.lon[route.tail_first :]
        followed, dropped = tail, (np.zeros(0), np.zeros(0))
        if after is not None:
            left_m = routes[after].update.keep_m - _length_m(
                route.lat[: route.tail_first], route.lon[: route.tail_first]
            )
            followed = first_metres(*tail, max(0.0, left_m))
            dropped = without_first_metres(*tail, max(0.0, left_m))
        found.append(Stage(first + 1, last + 1, routes[first].update.ts, route, followed, dropped))
    return found


def draw_walk(
    graph: Graph,
    device: str,
    fix_ts: F64,
    fix_lat: F64,
    fix_lon: F64,
    routes: Sequence[ClientRoute],
    closed: I32,
) -> str:
    """The SVG of one trip: fixes (n,) in order of time, the client's routes, the edges closed meanwhile.

    Raises BadInput where neither a fix nor a route says where it was.
    """
    lat = np.concatenate([fix_lat, *(route.lat for route in routes)])
    lon = np.concatenate([fix_lon, *(route.lon for route in routes)])
    if not len(lat):
        raise BadInput(f"neither a fix nor a route says where {device} was, so there is nothing to draw")
    plan = _Plan(lat, lon)
    shown = stages(routes)
    legend = _Legend(plan.top + plan.height + 16)
    near_closed = [edge for edge in closed.tolist() if plan.sees(*_shape(graph, edge))]
    taken: list[_Taken] = []
    layers = [
        *_streets(graph, plan),
        *_routes(shown, plan),
        *_walked(fix_lat, fix_lon, plan),
        *_closures(graph, near_closed, plan, taken),
        *_badges(shown, fix_lat, fix_lon, plan, taken),
    ]
    key = legend.rows(shown, len(fix_lat) > 0, len(near_closed))
    height = legend.y + _EDGE_PX
    ts = fix_ts if len(fix_ts) else np.array([route.update.ts for route in routes])
    title = f"{device}, {datetime.fromtimestamp(ts[0], UTC):%-d %B %Y}"
    walked = (
        f"walked {_metres(_length_m(fix_lat, fix_lon))} in {(ts[-1] - ts[0]) / 60:.0f} min; "
        if len(fix_ts)
        else ""
    )
    subtitle = f"{walked}{len(routes)} route update{'s' if len(routes) != 1 else ''}; times are UTC"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
            f'height="{height:.0f}" role="img" {FONT}>',
            f"<title>{plain(title)}: {plain(subtitle)}</title>",
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
            text(_EDGE_PX, 28, title, size=18, weight="bold"),
            text(_EDGE_PX, 49, subtitle, fill=_GREY),
            f'<clipPath id="map"><rect x="{_EDGE_PX}" y="{plan.top}" width="{plan.width}" '
            f'height="{plan.height:.0f}"/></clipPath>',
            '<g clip-path="url(#map)" fill="none" stroke-linecap="round" stroke-linejoin="round">',
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fafafa"/>',
            *layers,
            "</g>",
            *_scale_bar(plan),
            *key,
            "</svg>\n",
        ]
    )


class _Plan:
    """Where a place on earth lies on the picture."""

    def __init__(self, lat: F64, lon: F64) -> None:
        self.width, self.top = WIDTH - 2 * _EDGE_PX, 62
        self._lat0, self._lon0 = float(lat.min() + lat.max()) / 2, float(lon.min() + lon.max()) / 2
        x, y = to_local(lat, lon, self._lat0, self._lon0)
        across, up = float(np.ptp(x)) + 2 * _MARGIN_M, float(np.ptp(y)) + 2 * _MARGIN_M
        low, high = _MAP_HEIGHTS
        self.height = min(max(self.width * up / across, low), high)
        self.px_per_m = min(self.width / across, self.height / up)

    def at(self, lat: F64, lon: F64) -> tuple[F64, F64]:
        """(n,) pixels to the right and down."""
        x, y = to_local(lat, lon, self._lat0, self._lon0)
        return _EDGE_PX + self.width / 2 + x * self.px_per_m, self.top + self.height / 2 - y * self.px_per_m

    def sees(self, lat: F64, lon: F64) -> bool:
        x, y = self.at(lat, lon)
        right, bottom = _EDGE_PX + self.width, self.top + self.height
        return bool(x.max() >= _EDGE_PX and x.min() <= right and y.max() >= self.top and y.min() <= bottom)


def _streets(graph: Graph, plan: _Plan) -> list[str]:
    """All stretches in sight as one path, each of a two-way pair once."""
    x, y = plan.at(graph.node_lat, graph.node_lon)
    far = 300 * plan.px_per_m  # an edge may cross the picture with both ends outside
    inside = (x > -far) & (x < WIDTH + far) & (y > plan.top - far) & (y < plan.top + plan.height + far)
    once = (graph.reverse < 0) | (np.arange(graph.edge_count) < graph.reverse)
    edges = np.flatnonzero(once & (inside[graph.tail] | inside[graph.head])).tolist()
    lines = (_shape(graph, edge) for edge in edges)
    d = "".join(path_data(*plan.at(*line)) for line in lines if plan.sees(*line))
    return [f'<path d="{d}" stroke="{_STREET}" stroke-width="1.6"/>'] if d else []


def _routes(shown: Sequence[Stage], plan: _Plan) -> list[str]:
    """What was proposed and not walked pale and dashed, beneath what was followed."""
    dropped, followed = [], []
    for i, stage in enumerate(shown):
        colour = _colour(shown, i)
        if len(stage.dropped[0]) > 1:
            d = path_data(*plan.at(*stage.dropped))
            dropped.append(
                f'<path d="{d}" stroke="{colour}" stroke-width="2.4" stroke-dasharray="7 6" opacity="0.6"/>'
            )
        if len(stage.followed[0]) > 1:
            d = path_data(*plan.at(*stage.followed))
            followed.append(f'<path d="{d}" stroke="#ffffff" stroke-width="8"/>')
            followed.append(f'<path d="{d}" stroke="{colour}" stroke-width="5"/>')
    return dropped + followed


def _walked(lat: F64, lon: F64, plan: _Plan) -> list[str]:
    if not len(lat):
        return []
    x, y = plan.at(lat, lon)
    kept = [0]
    for i in range(1, len(x)):  # fixes a metre apart would melt into a line, and make a large file
        if math.hypot(x[i] - x[kept[-1]], y[i] - y[kept[-1]]) >= 5.0:
            kept.append(i)
    d = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x[kept], y[kept], strict=True))
    return [
        f'<path d="{d}" stroke="#ffffff" stroke-width="4.6"/>',
        f'<path d="{d}" stroke="{INK}" stroke-width="3"/>',
    ]


def _closures(graph: Graph, edges: Sequence[int], plan: _Plan, taken: list[_Taken]) -> list[str]:
    """Closed edges in red; a cross on each that is not close to the cross of another."""
    lines, crosses = [], []
    for edge in edges:
        x, y = plan.at(*_shape(graph, edge))
        lines.append(f'<path d="{path_data(x, y)}" stroke="{RED}" stroke-width="4"/>')
        done = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        mx, my = (float(np.interp(done[-1] / 2, done, pixels)) for pixels in (x, y))
        if all(math.hypot(mx - a, my - b) > _CROSSES_PX for a, b, _ in taken):
            taken.append((mx, my, 10.0))
            crosses.append(cross(mx, my))
    return lines + crosses


def _badges(
    shown: Sequence[Stage], fix_lat: F64, fix_lon: F64, plan: _Plan, taken: list[_Taken]
) -> list[str]:
    """Start and end of the walk, and at the begin of every tail its number, none upon another."""
    marks: list[str] = []
    ends = fix_lat, fix_lon
    if not len(fix_lat):
        planned = next(stage.route for stage in shown if stage.has_tail)
        ends = planned.lat, planned.lon
    (x0, x1), (y0, y1) = plan.at(ends[0][[0, -1]], ends[1][[0, -1]])
    for x, y, word, fill in ((x1, y1, "end", INK), (x0, y0, "start", "#ffffff")):
        marks.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{fill}" stroke="{INK}" stroke-width="2.5"/>'
        )
        lx, ly = _free(taken, x, y, len(word) * 4.6, plan)
        marks.append(text(lx, ly + 5, word, weight="bold", anchor="middle", halo=True))
    for i, stage in enumerate(shown):
        if not stage.has_tail:
            continue
        first = stage.route.tail_first
        (x,), (y,) = plan.at(stage.route.lat[first : first + 1], stage.route.lon[first : first + 1])
        lx, ly = _free(taken, x, y, half_width(stage.number), plan)
        marks.append(f'<path d="M{x:.1f} {y:.1f}L{lx:.1f} {ly:.1f}" stroke="{INK}" stroke-width="1.2"/>')
        marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{INK}"/>')
        marks.append(badge(lx, ly, stage.number, _colour(shown, i)))
    return marks


def _free(taken: list[_Taken], x: float, y: float, half: float, plan: _Plan) -> tuple[float, float]:
    """The nearest place around a point for something that wide that is not taken; takes it."""
    for reach in range(24, 240, 12):
        for turn in range(12):
            angle = math.radians(30.0 * turn - 60.0)
            at_x, at_y = x + (reach + half / 2) * math.cos(angle), y + reach * math.sin(angle)
            inside = _EDGE_PX + half + 4 < at_x < WIDTH - _EDGE_PX - half - 4
            inside = inside and plan.top + 14 < at_y < plan.top + plan.height - 34
            clear = all(abs(at_x - a) > half + b + 3 or abs(at_y - c) > 24 for a, c, b in taken)
            if inside and clear:
                taken.append((at_x, at_y, half))
                return at_x, at_y
    return x, y


class _Legend:
    """The rows beneath the map, from `y` on downwards."""

    def __init__(self, top: float) -> None:
        self.y = top

    def rows(self, shown: Sequence[Stage], walked: bool, closed: int) -> list[str]:
        marks = self._key(walked, closed, any(len(stage.dropped[0]) > 1 for stage in shown))
        left = _EDGE_PX + 2 * max((half_width(stage.number) for stage in shown), default=0.0) + 10
        whats = [_what(stage) for stage in shown]
        beside = left + max(map(len, whats), default=0) * _BOLD_PX + 10
        for i, (stage, what) in enumerate(zip(shown, whats, strict=True)):
            update = stage.route.update
            marks.append(
                badge(_EDGE_PX + half_width(stage.number), self.y + 9, stage.number, _colour(shown, i))
            )
            marks.append(text(left, self.y + 14, what, weight="bold"))
            right: float = WIDTH - _EDGE_PX
            if stage.has_tail:
                ahead = f"{_metres(update.length_m)}, {update.duration_s / 60:.0f} min to go"
                marks.append(text(right, self.y + 14, ahead, fill=_GREY, anchor="end"))
                right -= len(ahead) * _CHAR_PX
            sentence = update.message or message_for(update.reason)
            lines = list(_wrapped(sentence, int((right - beside) / _CHAR_PX)))
            marks += [text(beside, self.y + 14 + 19 * k, line) for k, line in enumerate(lines)]
            self.y += 26 + 19 * max(0, len(lines) - 1)
        return marks

    def _key(self, walked: bool, closed: int, dropped: bool) -> list[str]:
        """One row that says what each kind of line is."""
        x, y = float(_EDGE_PX), self.y + 6.0
        marks: list[str] = []

        def item(mark: str, words: str) -> None:
            nonlocal x
            marks.append(mark)
            marks.append(text(x + 42, y + 5, words, fill=_GREY))
            x += 42 + len(words) * _CHAR_PX + 18

        line = f'fill="none" stroke-linecap="round" stroke="{_GREY}"'
        if walked:
            dots = "".join(f"M{x + 3 + 7 * i:.0f} {y:.0f}h0" for i in range(5))
            item(f'<path d="{dots}" {line.replace(_GREY, INK)} stroke-width="3"/>', "walked (GPS)")
        item(f'<path d="M{x + 2:.0f} {y:.0f}h30" {line} stroke-width="5"/>', "route while it held")
        if dropped:
            dash = f'{line} stroke-width="2.4" stroke-dasharray="7 6"'
            item(f'<path d="M{x + 2:.0f} {y:.0f}h30" {dash}/>', "rest of it, replaced")
        if closed:
            item(cross(x + 16, y), "closed street")
        self.y += 30
        return marks


def _scale_bar(plan: _Plan) -> list[str]:
    """At the map's lower left: a round length of at most 160 px; at its right the source."""
    steps = [m * 10**k for k in range(5) for m in (1, 2, 5)]
    length_m = max((m for m in steps if m * plan.px_per_m <= 160), default=1)
    x, y = _EDGE_PX + 12, plan.top + plan.height - 12
    px = length_m * plan.px_per_m
    source = "© OpenStreetMap contributors"
    return [
        f'<path d="M{x} {y - 6:.1f}v6h{px:.1f}v-6" fill="none" stroke="{INK}" stroke-width="2"/>',
        text(x + px + 8, y + 1, _metres(length_m), size=13, halo=True),
        text(WIDTH - _EDGE_PX - 8, y + 1, source, size=12, fill=_GREY, anchor="end", halo=True),
    ]


def _shape(graph: Graph, edge: int) -> tuple[F64, F64]:
    a, b = int(graph.shape_first[edge]), int(graph.shape_first[edge + 1])
    return graph.shape_lat[a:b], graph.shape_lon[a:b]


def _length_m(lat: F64, lon: F64) -> float:
    return float(haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:]).sum())


def _same_place(a: ClientRoute, b: ClientRoute) -> bool:
    """Whether two updates have one reason and their tails begin in one place."""
    if a.update.reason != b.update.reason or min(len(a.lat) - a.tail_first, len(b.lat) - b.tail_first) < 1:
        return False
    i, j = a.tail_first, b.tail_first
    return float(haversine_m(a.lat[i], a.lon[i], b.lat[j], b.lon[j])) <= _SAME_PLACE_M


def _colour(shown: Sequence[Stage], i: int) -> str:
    return _COLOURS[i % len(_COLOURS)] if shown[i].has_tail else INK


def _what(stage: Stage) -> str:
    reason = stage.route.update.reason
    times = stage.last - stage.first + 1
    return f"{_clock(stage.start_ts)}  {_WHAT[reason]}" + (f" × {times}" if times > 1 else "")


def _clock(ts: float) -> str:
    return f"{datetime.fromtimestamp(ts, UTC):%H:%M:%S}"


def _metres(length_m: float) -> str:
    return f"{length_m:.0f} m" if length_m < 1000 else f"{length_m / 1000:.2f} km"


def _wrapped(words: str, most: int) -> Iterable[str]:
    line = ""
    for word in words.split():
        if line and len(line) + 1 + len(word) > most:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    if line:
        yield line
