"""A way through places in the form of an OSRM route service, with what is said and shown on it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from gateway.planning.requests import Directions
from geo.graph import Graph
from geo.network import Network
from geo.routing.alternatives import alternatives
from geo.routing.metric import Metric
from geo.routing.paths import joined, node_place
from geo.routing.search import Path, Place, SearchSpace, shortest_path
from models.routes.osrm import Waypoint, route_response
from models.routes.planning import snap
from models.routes.taste_metrics import searchable_metric_of

SNAP_M = 500.0  # as far from a street may be a place that a client sends
MEASURES = ("distance", "duration", "speed")  # what a leg can be annotated with


def directions_answer(network: Network, asked: Directions, space: SearchSpace) -> dict[str, Any]:
    """The OSRM answer; raises NoCandidate, NoRoute, and BadInput for a taste or a language there is not."""
    graph = network.graph
    metric = searchable_metric_of(network, asked.taste)
    places = [snap(graph, point.lat, point.lon, SNAP_M) for point in asked.places]
    stops = [0, *(i for i in range(1, len(places) - 1) if asked.stops[i]), len(places) - 1]
    routes: list[list[Path]]
    if len(places) == 2:
        count = 1 + asked.alternatives
        routes = [[path] for path in alternatives(graph, metric, places[0], places[1], space, count=count)]
    else:
        routes = [[_leg(graph, metric, places[begin : end + 1], space) for begin, end in pairwise(stops)]]
    answer: dict[str, Any] = route_response(
        graph,
        routes,
        waypoints=[Waypoint(asked.places[i].lat, asked.places[i].lon, places[i]) for i in stops],
        language=asked.language,
        geometries=asked.geometries,
        overview=asked.overview,
        steps=asked.steps,
        annotations=bool(asked.annotations),
    )
    for route in answer["routes"]:
        _leave_out(route, asked)
    return answer


def _leg(graph: Graph, metric: Metric, places: list[Place], space: SearchSpace) -> Path:
    """From the first place to the last, by the junctions next to those between."""
    via = [_junction(graph, place) for place in places[1:-1]]
    ends = [places[0], *via, places[-1]]
    pieces = [shortest_path(graph, metric, begin, end, space) for begin, end in pairwise(ends)]
    return pieces[0] if len(pieces) == 1 else joined(graph, metric, pieces, cut=False)


def _junction(graph: Graph, place: Place) -> Place:
    node = graph.head[place.edge] if place.fraction >= 0.5 else graph.tail[place.edge]
    return node_place(graph, int(node))


def _leave_out(route: dict[str, Any], asked: Directions) -> None:
    """What was not asked for."""
    if not asked.spoken:
        route.pop("voiceLocale", None)
    for leg in route["legs"]:
        if "annotation" in leg:
            leg["annotation"] = {
                name: leg["annotation"][name] for name in MEASURES if name in asked.annotations
            }
        for step in leg["steps"]:
            if not asked.spoken:
                del step["voiceInstructions"]
            if not asked.shown:
                del step["bannerInstructions"]
