"""OSRM route JSON: the form of the answer, and what it says of a drawn map."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from geo.costs import static_costs
from geo.errors import BadInput
from geo.metric import make_metric
from geo.polyline import decode6
from geo.search import Place, SearchSpace, path_coordinates, shortest_path
from models.osrm import Waypoint, route_response
from tests.geo.asciimap import graph_from_ascii


def drawn():
    graph, at = graph_from_ascii(
        """
        A---------B
                  |
                  |
        C---------D
        """,
        tags={"AB": {"highway": "residential", "name": "High Street"}},
    )
    start, end = (Place(int(graph.first_out[at[place]]), 0.0) for place in "AC")
    metric = make_metric(graph, static_costs(graph), {})
    path = shortest_path(graph, metric, start, end, SearchSpace(graph))
    lat, lon = graph.node_lat[[at["A"], at["C"]]], graph.node_lon[[at["A"], at["C"]]]
    ends = [Waypoint(float(lat[i]), float(lon[i]), place) for i, place in enumerate((start, end))]
    return graph, path, ends


def test_the_answer_is_json_with_the_path_of_the_route():
    graph, path, ends = drawn()
    answer = orjson.loads(orjson.dumps(route_response(graph, [path], waypoints=ends, extra=[{"score": 1.0}])))
    assert answer["code"] == "Ok"
    (route,) = answer["routes"]
    lat, lon = decode6(route["geometry"])
    want_lat, want_lon = path_coordinates(graph, path)
    np.testing.assert_allclose(lat, want_lat, atol=6e-7)
    np.testing.assert_allclose(lon, want_lon, atol=6e-7)
    assert route["distance"] == pytest.approx(path.length_m, abs=0.06)
    assert route["duration"] == pytest.approx(path.duration_s, abs=0.06)
    assert route["flaneur"] == {"score": 1.0}
    assert [point["name"] for point in answer["waypoints"]] == ["High Street", ""]
    assert [step["maneuver"]["type"] for step in route["legs"][0]["steps"]][0] == "depart"
    assert [step["maneuver"]["type"] for step in route["legs"][0]["steps"]][-1] == "arrive"


@pytest.mark.parametrize("wrong", [{"geometries": "wkt"}, {"overview": "all"}])
def test_an_unknown_form_is_refused(wrong):
    graph, path, ends = drawn()
    with pytest.raises(BadInput, match="must be"):
        route_response(graph, [path], waypoints=ends, **wrong)


def test_legs_and_waypoints_must_fit():
    graph, path, ends = drawn()
    with pytest.raises(BadInput, match="1 legs"):
        route_response(graph, [[path, path]], waypoints=ends)
