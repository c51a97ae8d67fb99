"""A trip's route as a navigation client reads it: OSRM route JSON of what lies ahead, with its maneuvers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import orjson

from gateway.trips import Event, Trip
from geo.cities import Cities, open_cities
from geo.errors import BadGraph
from geo.geodesy import haversine_m
from geo.polyline import decode6, encode6
from geo.routing.retracing import retrace
from geo.routing.search import Path, Place
from models.records import UPDATE_REASONS, RouteUpdate, decode
from models.routes.client_route import reconstruct
from models.routes.osrm import Waypoint, route_response

Json = dict[str, Any]


def route_answer(trip: Trip, graph_dir: str, language: str = "en") -> Json:
    """The route from where the last update began to the end, and what is known of the trip besides.

    `line` is the whole way from the trip's start, as far as it is known. Raises BadInput for a language that
    there is none of.
    """
    updates = [_read(event) for event in trip.events]
    last = updates[-1]
    answer = _osrm(last, graph_dir, language) if last.geometry else _ended()
    routes = reconstruct(updates)
    line = encode6(routes[-1].lat, routes[-1].lon) if routes and trip.whole else last.geometry
    about = {name: value for name, value in orjson.loads(trip.last.record).items() if name != "device"}
    return answer | about | {"id": trip.last.id, "line": line, "ended": trip.ended}


def _read(event: Event) -> RouteUpdate:
    """The update. A reason that only a newer worker gives counts as another one: the way is what matters."""
    if event.reason in UPDATE_REASONS:
        return decode(RouteUpdate, event.record)
    return decode(RouteUpdate, orjson.dumps({**orjson.loads(event.record), "reason": "better"}))


def _osrm(update: RouteUpdate, graph_dir: str, language: str) -> Json:
    lat, lon = decode6(update.geometry)
    found = _path(graph_dir, update.geometry)
    if found is None:
        return _plain(update)
    graph, path = found
    ends = (
        Waypoint(float(lat[0]), float(lon[0]), Place(int(path.edges[0]), path.start_fraction)),
        Waypoint(float(lat[-1]), float(lon[-1]), Place(int(path.edges[-1]), path.end_fraction)),
    )
    return dict(route_response(graph, [path], waypoints=ends, language=language))


@lru_cache(maxsize=1)
def _cities(graph_dir: str) -> Cities:
    return open_cities(graph_dir)


@lru_cache(maxsize=4096)
def _path(graph_dir: str, geometry: str) -> tuple[Any, Path] | None:
    """The graph and the path behind a line; None where this gateway's maps do not have it."""
    lat, lon = decode6(geometry)
    try:
        city = _cities(graph_dir).at(float(lat[0]), float(lon[0]))
    except BadGraph:
        return None
    if city is None:
        return None
    path = retrace(city.graph, lat, lon)
    return None if path is None else (city.graph, path)


def _plain(update: RouteUpdate) -> Json:
    """Without the map: the line and its length."""
    lat, lon = decode6(update.geometry)
    length_m = float(np.sum(haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])))
    ends = [{"location": [float(lon[k]), float(lat[k])], "name": "", "distance": 0.0} for k in (0, -1)]
    amounts = {"distance": round(length_m, 1), "duration": update.duration_s, "weight": update.duration_s}
    leg = {"steps": [], "summary": "", **amounts}
    route = {"geometry": update.geometry, "legs": [leg], "weight_name": "duration", **amounts}
    return {"code": "Ok", "routes": [route], "waypoints": ends}


def _ended() -> Json:
    return {"code": "NoRoute", "routes": [], "waypoints": []}
