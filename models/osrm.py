"""Routes as an OSRM v5 route service answers: the JSON that navigation clients read.

https://project-osrm.org/docs/v5.24.0/api/#route-service
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from geo.errors import BadInput
from geo.geodesy import bearing_deg, haversine_m
from geo.graph import F64, Graph
from geo.polyline import encode6
from geo.search import Path, Place, path_coordinates

Json = dict[str, object]
Geometries = Literal["polyline", "polyline6", "geojson"]
Overview = Literal["full", "simplified", "false"]


@dataclass(frozen=True)
class Waypoint:
    """A place that a route goes through, and the point in degrees that was asked for."""

    lat: float
    lon: float
    place: Place


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
    routes = [[path] if isinstance(path, Path) else list(path) for path in paths]
    if any(len(legs) != len(waypoints) - 1 for legs in routes):
        raise BadInput(f"a route between {len(waypoints)} waypoints needs {len(waypoints) - 1} legs")
    return {
        "code": "Ok",
        "routes": [
            _route(graph, legs, geometries, overview, extra[i] if extra else None)
            for i, legs in enumerate(routes)
        ],
        "waypoints": [_waypoint(graph, point) for point in waypoints],
    }


def _route(
    graph: Graph,
    paths: Sequence[Path],
    geometries: Geometries,
    overview: Overview,
    flaneur: Mapping[str, object] | None,
) -> Json:
    lines = [path_coordinates(graph, path) for path in paths]
    legs = [_leg(graph, path, line, geometries) for path, line in zip(paths, lines, strict=True)]
    out: Json = {
        "legs": legs,
        "distance": round(sum(path.length_m for path in paths), 1),
        "duration": round(sum(path.duration_s for path in paths), 1),
        "weight": round(sum(_weight(path) for path in paths), 1),
        "weight_name": "impedance",
    }
    if overview != "false":
        lat = [float(x) for line in lines for x in line[0]]
        lon = [float(x) for line in lines for x in line[1]]
        out["geometry"] = _geometry(lat, lon, geometries)
    if flaneur is not None:
        out["flaneur"] = dict(flaneur)
    return out


def _leg(graph: Graph, path: Path, line: tuple[F64, F64], geometries: Geometries) -> Json:
    lat, lon = line
    after = round(float(bearing_deg(lat[0], lon[0], lat[min(1, len(lat) - 1)], lon[min(1, len(lon) - 1)])))
    depart = {
        "distance": round(path.length_m, 1),
        "duration": round(path.duration_s, 1),
        "weight": round(_weight(path), 1),
        "name": _name(graph, int(path.edges[0])),
        "mode": "walking",
        "driving_side": "right",
        "geometry": _geometry(lat.tolist(), lon.tolist(), geometries),
        "maneuver": {
            "type": "depart", "location": [lon[0].item(), lat[0].item()],
            "bearing_before": 0, "bearing_after": after % 360,
        },
        "intersections": [
            {"location": [lon[0].item(), lat[0].item()], "bearings": [after % 360], "entry": [True], "out": 0}
        ],
    }  # fmt: skip
    arrive = {
        **depart,
        "distance": 0.0, "duration": 0.0, "weight": 0.0,
        "name": _name(graph, int(path.edges[-1])),
        "geometry": _geometry([lat[-1].item()] * 2, [lon[-1].item()] * 2, geometries),
        "maneuver": {
            "type": "arrive", "location": [lon[-1].item(), lat[-1].item()],
            "bearing_before": after % 360, "bearing_after": 0,
        },
        "intersections": [
            {"location": [lon[-1].item(), lat[-1].item()], "bearings": [(after + 180) % 360],
             "entry": [True], "in": 0}
        ],
    }  # fmt: skip
    return {
        "steps": [depart, arrive],
        "summary": "",
        "distance": round(path.length_m, 1),
        "duration": round(path.duration_s, 1),
        "weight": round(_weight(path), 1),
    }


def _weight(path: Path) -> float:
    return path.impedance if math.isfinite(path.impedance) else path.duration_s


def _geometry(lat: list[float], lon: list[float], geometries: Geometries) -> str | Json:
    if geometries == "geojson":
        points = [[round(x, 6), round(y, 6)] for x, y in zip(lon, lat, strict=True)]
        return {"type": "LineString", "coordinates": points}
    # five decimals of a degree are six of ten degrees
    scale = 0.1 if geometries == "polyline" else 1.0
    return encode6([x * scale for x in lat], [x * scale for x in lon])


def _waypoint(graph: Graph, point: Waypoint) -> Json:
    at = point.place.fraction
    here = Path(np.array([point.place.edge], np.int32), at, at, 0.0, 0.0, 0.0)
    lat, lon = (float(values[0]) for values in path_coordinates(graph, here))
    return {
        "location": [round(lon, 6), round(lat, 6)],
        "name": _name(graph, point.place.edge),
        "distance": round(float(haversine_m(point.lat, point.lon, lat, lon)), 1),
    }


def _name(graph: Graph, edge: int) -> str:
    code = int(graph.name[edge])
    return graph.names[code] if code >= 0 else ""
