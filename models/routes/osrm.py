"""Routes as an OSRM v5 route service answers: the JSON that navigation clients read.

The form is that of https://project-osrm.org/docs/v5.24.0/api/#route-service, with the additions of
Mapbox Directions that clients need for guidance: `instruction`, `voiceInstructions`, `bannerInstructions`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from geo.errors import BadInput
from geo.geodesy import haversine_m
from geo.graph import F64, Graph
from geo.guidance.maneuvers import Leg, Step, leg_of
from geo.guidance.path_line import simplified
from geo.osm.foot_access import ROAD_CLASSES
from geo.polyline import encode6
from geo.routing.search import Path, Place, path_coordinates
from models.routes.guidance import THEN_M, Texts, announcements, instructions, texts_in

Json = dict[str, object]
Geometries = Literal["polyline", "polyline6", "geojson"]
Overview = Literal["full", "simplified", "false"]


@dataclass(frozen=True)
class Waypoint:
    """A place that a route goes through, and the point in degrees that was asked for."""

    lat: float
    lon: float
    place: Place


@dataclass(frozen=True)
class _Form:
    """What the answer is to look like."""

    texts: Texts
    geometries: Geometries
    overview: Overview
    steps: bool
    annotations: bool


def route_response(
    graph: Graph,
    paths: Sequence[Path | Sequence[Path]],
    *,
    waypoints: Sequence[Waypoint],
    language: str = "en",
    geometries: Geometries = "polyline6",
    overview: Overview = "full",
    steps: bool = True,
    annotations: bool = False,
    extra: Sequence[Mapping[str, object]] | None = None,
) -> Json:
    """The answer for one or several routes, the best first; ready for `orjson.dumps`.

    A route is a path, or a path for each of its legs, from waypoint to waypoint; a loop has its start
    twice in `waypoints`. `extra` holds a `flaneur` object for each route. Raises BadInput for an unknown
    language, form of geometry or overview, and where legs and waypoints do not fit.
    """
    if geometries not in ("polyline", "polyline6", "geojson"):
        raise BadInput(f"geometries is {geometries!r}; it must be polyline, polyline6 or geojson")
    if overview not in ("full", "simplified", "false"):
        raise BadInput(f"overview is {overview!r}; it must be full, simplified or false")
    form = _Form(texts_in(language), geometries, overview, steps, annotations)
    routes = [[path] if isinstance(path, Path) else list(path) for path in paths]
    if any(len(legs) != len(waypoints) - 1 for legs in routes):
        raise BadInput(f"a route between {len(waypoints)} waypoints needs {len(waypoints) - 1} legs")
    if extra is not None and len(extra) != len(routes):
        raise BadInput(f"{len(routes)} routes cannot have {len(extra)} flaneur objects")
    answers = [_route(graph, legs, waypoints, form) for legs in routes]
    for answer, more in zip(answers, extra or (), strict=False):
        answer["flaneur"] = dict(more)
    return {"code": "Ok", "routes": answers, "waypoints": [_waypoint(graph, point) for point in waypoints]}


def _route(graph: Graph, paths: Sequence[Path], waypoints: Sequence[Waypoint], form: _Form) -> Json:
    legs = [
        leg_of(graph, path, (goal.lat, goal.lon)) for path, goal in zip(paths, waypoints[1:], strict=True)
    ]
    answer: Json = {
        "legs": [
            _leg(graph, path, leg, form, is_last=leg is legs[-1])
            for path, leg in zip(paths, legs, strict=True)
        ],
        "distance": round(sum(path.length_m for path in paths), 1),
        "duration": round(sum(path.duration_s for path in paths), 1),
        "weight": round(sum(_weight(path) for path in paths), 1),
        "weight_name": "impedance",
        "voiceLocale": form.texts.language,
    }
    if form.overview != "false":
        lat = np.concatenate([leg.line.lat for leg in legs])
        lon = np.concatenate([leg.line.lon for leg in legs])
        fresh = np.append(True, (np.diff(lat) != 0.0) | (np.diff(lon) != 0.0))
        lat, lon = lat[fresh], lon[fresh]
        if form.overview == "simplified":
            lat, lon = simplified(lat, lon)
        answer["geometry"] = _geometry(lat, lon, form)
    return answer


def _leg(graph: Graph, path: Path, leg: Leg, form: _Form, *, is_last: bool) -> Json:
    answer: Json = {
        "steps": _steps(graph, path, leg, form, is_last) if form.steps else [],
        "summary": _summary(graph, leg.steps) if form.steps else "",
        "distance": round(path.length_m, 1),
        "duration": round(path.duration_s, 1),
        "weight": round(_weight(path), 1),
    }
    if form.annotations:
        answer["annotation"] = _annotation(leg)
    return answer


def _steps(graph: Graph, path: Path, leg: Leg, form: _Form, is_last: bool) -> list[Json]:
    told = instructions(form.texts, graph, leg.steps, is_last_leg=is_last)
    said = announcements(form.texts, leg.steps, told, is_last_leg=is_last)
    per_s = _weight(path) / path.duration_s if path.duration_s > 0.0 else 0.0
    around = _intersections(path, leg)
    distance = _rounded([step.length_m for step in leg.steps])
    duration = _rounded([step.duration_s for step in leg.steps])
    weight = _rounded([step.duration_s * per_s for step in leg.steps])
    lat, lon = leg.line.lat, leg.line.lon
    found: list[Json] = []
    for k, step in enumerate(leg.steps):
        first, last = int(leg.line.at[step.first_edge]), int(leg.line.at[step.last_edge])
        points = slice(first, last + 1) if last > first else [first, first]
        found.append({
            "distance": distance[k],
            "duration": duration[k],
            "weight": weight[k],
            "name": _street(graph, step),
            "mode": "ferry" if ROAD_CLASSES[step.road_class] == "ferry" else "walking",
            "driving_side": "right",
            "geometry": _geometry(lat[points], lon[points], form),
            "maneuver": {
                **_kind(step),
                "location": _location(lat[first], lon[first]),
                "bearing_before": step.bearing_before,
                "bearing_after": step.bearing_after,
                "instruction": told[k],
            },
            "intersections": around[k],
            "voiceInstructions": [
                {
                    "distanceAlongGeometry": min(round(words.before_m, 1), distance[k]),
                    "announcement": words.text,
                    "ssmlAnnouncement": words.ssml,
                }
                for words in said[k]
            ],
            "bannerInstructions": _banners(graph, leg.steps, told, k, distance[k]),
        })  # fmt: skip
    return found


def _banners(graph: Graph, steps: Sequence[Step], told: Sequence[str], k: int, distance: float) -> list[Json]:
    """What is shown during step k: the maneuver at its end, and the one after it where that is near."""
    if k + 1 == len(steps):
        return []
    banner: Json = {"distanceAlongGeometry": distance, "primary": _shown(graph, steps[k + 1], told[k + 1])}
    if k + 2 < len(steps) and steps[k + 1].length_m < THEN_M:
        banner["sub"] = _shown(graph, steps[k + 2], told[k + 2])
    return [banner]


def _shown(graph: Graph, step: Step, told: str) -> Json:
    street = _street(graph, step)
    words = street if street and step.maneuver != "arrive" else told
    return {"text": words, "components": [{"text": words, "type": "text"}], **_kind(step)}


def _kind(step: Step) -> Json:
    kind: Json = {"type": step.maneuver}
    if step.modifier:
        kind["modifier"] = step.modifier
    return kind


def _intersections(path: Path, leg: Leg) -> list[list[Json]]:
    """Of each step: where it begins, and the junctions on its way at which one could go elsewhere."""
    line, branches = leg.line, leg.branches
    points = np.round(np.stack([line.lon[line.at], line.lat[line.at]], axis=1), 6).tolist()
    out, back_out = _whole(line.after_deg), _whole(line.before_deg + 180.0)
    first, edge, bearing = branches.first.tolist(), branches.edge.tolist(), _whole(branches.bearing_deg)
    edges, reverse = path.edges.tolist(), leg.reverse.tolist()
    found: list[list[Json]] = []
    for step in leg.steps[:-1]:
        here: list[Json] = []
        for i in range(step.first_edge, step.last_edge):
            if i == 0:
                here.append({"location": points[0], "bearings": out[:1], "entry": [True], "out": 0})
                continue
            ways = dict(zip(edge[first[i - 1] : first[i]], bearing[first[i - 1] : first[i]], strict=True))
            back = reverse[i - 1]
            if back not in ways:  # one may not go back, but that is where one came from
                ways[back] = back_out[i]
            if len(ways) > 2 or i == step.first_edge:
                order = sorted(ways, key=ways.__getitem__)
                here.append({
                    "location": points[i],
                    "bearings": [ways[e] for e in order],
                    "entry": [e != back or e == edges[i] for e in order],
                    "in": order.index(back),
                    "out": order.index(edges[i]),
                })  # fmt: skip
        found.append(here)
    end: Json = {"location": points[-1], "bearings": back_out[-1:], "entry": [True], "in": 0}
    return [*found, [end]]


def _annotation(leg: Leg) -> Json:
    """Metres, seconds and speed between any two points of the leg's line that follow one another."""
    line = leg.line
    if len(line.lat) < 2:
        return {"distance": [0.0], "duration": [0.0], "speed": [0.0]}
    edge = np.repeat(np.arange(len(line.length_m)), np.diff(line.at))
    drawn = np.diff(line.along_m)
    share = drawn / np.diff(line.along_m[line.at])[edge]
    distance, duration = share * line.length_m[edge], share * line.duration_s[edge]
    speed = line.length_m[edge] / line.duration_s[edge]
    return {
        "distance": np.round(distance, 2).tolist(),
        "duration": np.round(duration, 2).tolist(),
        "speed": np.round(speed, 2).tolist(),
    }


def _summary(graph: Graph, steps: Sequence[Step]) -> str:
    """The two streets that most of the leg is on, in the order of walking."""
    length: dict[str, float] = {}
    for step in steps:
        if street := _street(graph, step):
            length[street] = length.get(street, 0.0) + step.length_m
    longest = sorted(length, key=length.__getitem__, reverse=True)[:2]
    return ", ".join(street for street in length if street in longest)


def _waypoint(graph: Graph, point: Waypoint) -> Json:
    at = point.place.fraction
    here = Path(np.array([point.place.edge], np.int32), at, at, 0.0, 0.0, 0.0)
    lat, lon = (float(values[0]) for values in path_coordinates(graph, here))
    name = int(graph.name[point.place.edge])
    return {
        "location": _location(lat, lon),
        "name": graph.names[name] if name >= 0 else "",
        "distance": round(float(haversine_m(point.lat, point.lon, lat, lon)), 1),
    }


def _geometry(lat: F64, lon: F64, form: _Form) -> str | Json:
    if form.geometries == "geojson":
        points = np.round(np.stack([lat, lon], axis=1), 6)[:, ::-1].tolist()
        return {"type": "LineString", "coordinates": points}
    # five decimals of a degree are six of ten degrees
    scale = 0.1 if form.geometries == "polyline" else 1.0
    return encode6(lat * scale, lon * scale)


def _location(lat: float, lon: float) -> list[float]:
    return [round(float(lon), 6), round(float(lat), 6)]


def _whole(degrees: F64) -> list[int]:
    whole: list[int] = (np.rint(degrees).astype(np.int64) % 360).tolist()
    return whole


def _rounded(values: Sequence[float]) -> list[float]:
    """Each to one decimal, so that they add up to their sum to one decimal."""
    sums = [0.0, *(round(float(s), 1) for s in np.cumsum(values))]
    return [round(b - a, 1) for a, b in pairwise(sums)]


def _weight(path: Path) -> float:
    return path.impedance if math.isfinite(path.impedance) else path.duration_s


def _street(graph: Graph, step: Step) -> str:
    return graph.names[step.name] if step.name >= 0 else ""
