"""The drawing of the map page: streets, what is green or by water, closures, and every route, as inline SVG.

The unit is half a metre, x to the east and y to the south of the middle. Lines keep their width in pixels
at any zoom (`models.pictures.map_assets`), and so do marks, which are scaled by --u, the units of a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.geodesy import to_local
from geo.graph import F64, I32, Graph
from geo.osm.foot_access import CLASS_CODE, ROAD_CLASSES
from geo.routing.costs import STATIC_FACTORS
from geo.routing.paths import stretches
from geo.routing.search import path_coordinates
from models.routes.exports import Described
from models.svg import plain

UNITS_PER_M = 2.0
_COLOURS = 6  # --r1 .. --r6 of the style
_MARGIN = 0.12  # of the routes' extent, around them
_AROUND = 0.5  # streets are drawn so much further, for who moves the map
_LEAST_M = 250.0
_SHOWN_FROM = 0.5  # of a factor: the surroundings are called green, or by water
_GROUND_M = {"green": 40.0, "water": 26.0}  # how wide the surroundings are drawn
_MAJOR = frozenset({"tertiary", "secondary", "primary", "trunk"})
_MINOR = frozenset({"pedestrian", "living_street", "residential", "service", "unclassified", "road", "ferry"})
_ARROWS = 7
Bools = NDArray[np.bool_]


class Picture:
    """Draws on the plane around some routes."""

    def __init__(self, graph: Graph, described: Sequence[Described]) -> None:
        self.graph, self.described = graph, described
        quickest = described[0].yard.path
        self._quick = path_coordinates(graph, quickest) if quickest else (np.zeros(0), np.zeros(0))
        lat = np.concatenate([*(one.lat for one in described), self._quick[0]])
        lon = np.concatenate([*(one.lon for one in described), self._quick[1]])
        self._lat0, self._lon0 = float(lat.min() + lat.max()) / 2, float(lon.min() + lon.max()) / 2
        x, y = self.at(lat, lon)
        width, height = (max(float(np.ptp(v)), _LEAST_M * UNITS_PER_M) for v in (x, y))
        margin = _MARGIN * max(width, height)
        self.width, self.height = width + 2 * margin, height + 2 * margin

    def at(self, lat: F64, lon: F64) -> tuple[F64, F64]:
        """(n,) units to the east and south of the middle."""
        x, y = to_local(lat, lon, self._lat0, self._lon0)
        return x * UNITS_PER_M, -y * UNITS_PER_M

    def svg(self, title: str, text: str, closures: Sequence[Mapping[str, Any]], closed: I32) -> str:
        """The whole drawing; `text` is what a screen reader says of it."""
        w, h = self.width, self.height
        edges = self._in_sight()
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" '
                f'viewBox="{-w / 2:.0f} {-h / 2:.0f} {w:.0f} {h:.0f}" style="--u:{max(w, h) / 700:.2f}" '
                f'data-metre="{UNITS_PER_M:g}" tabindex="0" role="img" '
                'aria-labelledby="map-title map-text">',
                f'<title id="map-title">{plain(title)}</title><desc id="map-text">{plain(text)}</desc>',
                *self._surroundings(edges),
                *self._streets(edges),
                *self._closures(closures, edges[np.isin(edges, stretches(self.graph, closed))]),
                *self._quickest(),
                '<g class="routes">',
                *(self._route(one) for one in reversed(self.described)),
                "</g>",
                *self._ends(),
                "</svg>",
            ]
        )

    def _in_sight(self) -> I32:
        """Edges in the picture and around it, one of each two-way pair."""
        graph = self.graph
        x, y = self.at(graph.node_lat, graph.node_lon)
        reach = (0.5 + _AROUND) * max(self.width, self.height)  # a phone is high, a screen is wide
        inside = (np.abs(x) <= reach) & (np.abs(y) <= reach)
        once = (graph.reverse < 0) | (np.arange(graph.edge_count) < graph.reverse)
        found: I32 = np.flatnonzero(once & (inside[graph.tail] | inside[graph.head])).astype(np.int32)
        return found

    def _lines(self, edges: I32) -> str:
        """Path data of many edges, projected in one go."""
        if not len(edges):
            return ""
        first = self.graph.shape_first[edges]
        count = self.graph.shape_first[edges + 1] - first
        begins = np.cumsum(count) - count
        points = np.arange(count.sum()) + np.repeat(first - begins, count)
        whole = _whole(*self.at(self.graph.shape_lat[points], self.graph.shape_lon[points]))
        return "".join(
            path_data(whole[i : i + n]) for i, n in zip(begins.tolist(), count.tolist(), strict=True)
        )

    def _surroundings(self, edges: I32) -> list[str]:
        """Wide pale strokes along streets that run through green or by water: the graph knows no areas."""
        found = []
        for name, width_m in _GROUND_M.items():
            share = self.graph.static_factors[edges, STATIC_FACTORS.index(name)]
            if d := self._lines(edges[share >= _SHOWN_FROM]):
                found.append(
                    f'<path class="around {name}" d="{d}" stroke-width="{width_m * UNITS_PER_M:g}"/>'
                )
        return found

    def _streets(self, edges: I32) -> list[str]:
        """Paths below streets below main roads."""
        codes = {
            "foot": [CLASS_CODE[name] for name in ROAD_CLASSES if name not in _MAJOR | _MINOR],
            "minor": [CLASS_CODE[name] for name in ROAD_CLASSES if name in _MINOR],
            "major": [CLASS_CODE[name] for name in ROAD_CLASSES if name in _MAJOR],
        }
        kind = self.graph.road_class[edges]
        lines = ((name, self._lines(edges[np.isin(kind, these)])) for name, these in codes.items())
        return [f'<path class="{name}" d="{d}"/>' for name, d in lines if d]

    def _closures(self, geometries: Sequence[Mapping[str, Any]], edges: I32) -> list[str]:
        marks = [mark for geometry in geometries for mark in self._closure(geometry)]
        if d := self._lines(edges):
            marks.append(f'<path class="closed" d="{d}"><title>closed</title></path>')
        return marks

    def _closure(self, geometry: Mapping[str, Any]) -> list[str]:
        kind, coordinates = geometry["type"], geometry["coordinates"]
        if kind in ("Point", "MultiPoint"):
            points = [coordinates] if kind == "Point" else coordinates
            lat, lon = np.array([[p[1], p[0]] for p in points], np.float64).T
            return [
                _mark("closure", x, y, '<path class="closed" d="M-6-6 6 6M6-6-6 6"/>', "closed")
                for x, y in zip(*self.at(lat, lon), strict=True)
            ]
        rings = coordinates
        if kind == "LineString":
            rings = [coordinates]
        elif kind == "MultiPolygon":
            rings = [ring for polygon in coordinates for ring in polygon]
        d = "".join(
            compact(*self.at(*np.array([[p[1], p[0]] for p in ring], np.float64).T))
            + ("Z" if kind.endswith("Polygon") else "")
            for ring in rings
        )
        style = 'class="area" fill-rule="evenodd"' if kind.endswith("Polygon") else 'class="closed"'
        return [f'<path {style} d="{d}"><title>closed</title></path>']

    def _quickest(self) -> list[str]:
        if not len(self._quick[0]):
            return []
        d = compact(*self.at(*self._quick))
        return [f'<path class="quickest" d="{d}"><title>the quickest way</title></path>']

    def _route(self, one: Described) -> str:
        """The best route is drawn last and thinnest, so that others show where they share a street."""
        x, y = self.at(one.lat, one.lon)
        d, width = compact(x, y), 5.0 + 2.5 * min(one.number - 1, 4)
        done = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        arrows = [self._arrow(x, y, done, (i + 0.5) / _ARROWS) for i in range(_ARROWS)] if done[-1] else []
        at = int(np.argmax(self._apart(one, x, y)))
        number = f'<circle r="11"/><text y="4.5">{one.number}</text>'
        return (
            f'<g class="route" data-route="{one.number}" style="--c:var({colour(one.number)})">'
            f"<title>{plain(one.title)}</title>"
            f'<path class="case" d="{d}" stroke-width="{width + 3:g}"/>'
            f'<path class="way" d="{d}" stroke-width="{width:g}"/>'
            f"{''.join(arrows)}{_mark('badge', x[at], y[at], number)}</g>"
        )

    def _arrow(self, x: F64, y: F64, done: F64, share: float) -> str:
        here, step = share * done[-1], 6.0 * UNITS_PER_M
        ax, bx = np.interp([here - step, here + step], done, x)
        ay, by = np.interp([here - step, here + step], done, y)
        turn = math.degrees(math.atan2(by - ay, bx - ax))
        head = '<path class="arrow" d="M-5-6 7 0-5 6Z"/>'
        return _mark("mark", (ax + bx) / 2, (ay + by) / 2, head, turn=turn)

    def _apart(self, one: Described, x: F64, y: F64) -> F64:
        """(n,) how far each point is from the nearest of the other routes and of the ends, in units."""
        others = [self.at(two.lat, two.lon) for two in self.described if two is not one]
        ox = np.concatenate([x[[0, -1]], *(line[0] for line in others)])
        oy = np.concatenate([y[[0, -1]], *(line[1] for line in others)])
        apart: F64 = np.array([np.hypot(ox - a, oy - b).min() for a, b in zip(x, y, strict=True)])
        return apart

    def _ends(self) -> list[str]:
        x, y = self.at(self.described[0].lat, self.described[0].lon)
        marks = [_mark("end", x[-1], y[-1], '<circle r="7"/>', "end")]
        return [*marks, _mark("start", x[0], y[0], '<circle r="6"/>', "start")]


def colour(number: int) -> str:
    """The name of a route's colour in the style."""
    return f"--r{(number - 1) % _COLOURS + 1}"


def compact(x: F64, y: F64) -> str:
    """Path data through (n,) points, rounded to whole units."""
    return path_data(_whole(x, y))


def path_data(points: Sequence[tuple[int, int]]) -> str:
    """Relative path data, points that coincide left out: a third of the size of absolute numbers."""
    x, y = points[0]
    parts = [f"M{x} {y}l"]
    for new_x, new_y in points[1:]:
        if (dx := new_x - x) | (dy := new_y - y):
            parts.append(f"{dx}{dy}" if dy < 0 else f"{dx} {dy}")
            parts.append(" ")
            x, y = new_x, new_y
    return "".join(parts[:-1]) if len(parts) > 1 else f"{parts[0]}0 0"


def _whole(x: F64, y: F64) -> list[tuple[int, int]]:
    return list(zip(np.rint(x).astype(int).tolist(), np.rint(y).astype(int).tolist(), strict=True))


def _mark(name: str, x: float, y: float, inner: str, title: str = "", turn: float = 0.0) -> str:
    """Something that keeps its size in pixels, at a place."""
    spin = f" rotate({turn:.0f}deg)" if turn else ""
    said = f"<title>{plain(title)}</title>" if title else ""
    return (
        f'<g class="{name}" style="transform:translate({x:.0f}px,{y:.0f}px) scale(var(--u)){spin}">'
        f"{said}{inner}</g>"
    )
