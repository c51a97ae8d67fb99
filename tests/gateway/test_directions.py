"""Routes and isochrones as stock clients ask for them, in the form of the real answers that they read."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest
import shapely

from gateway.planning.planner import Planner
from gateway.planning.requests import Isochrone
from gateway.planning.wire import OsrmQuery, ValhallaBody, osrm_directions, valhalla_directions
from geo.cities import Cities
from geo.errors import BadInput, NoCandidate
from geo.polyline import decode6
from tests.gateway.calm import CalmNetworks
from tests.models.test_osrm import THEIR_OWN, shapes

MODELS = Path(__file__).parents[1] / "models" / "navigation"
OWN = Path(__file__).with_name("navigation")
A, B, C = (55.6839, 12.5713), (55.6761, 12.5683), (55.6800, 12.5800)


@pytest.fixture(scope="module")
def planner(copenhagen: Cities) -> Planner:
    return Planner(CalmNetworks(copenhagen))


def osrm(planner: Planner, *places: tuple[float, float], **options: str) -> Any:
    text = ";".join(f"{lon},{lat}" for lat, lon in places)
    query = msgspec.convert(options, OsrmQuery)
    return orjson.loads(planner.answer(osrm_directions(text, query)))


def valhalla(planner: Planner, **body: Any) -> Any:
    whole = {"costing": "pedestrian", "format": "osrm"} | body
    return orjson.loads(planner.answer(valhalla_directions(msgspec.convert(whole, ValhallaBody))))


def locations(*places: tuple[float, float], kind: str = "break") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"lat": lat, "lon": lon, "type": kind} for lat, lon in places]
    found[0]["type"] = found[-1]["type"] = "break"
    return found


def missing(ours: Any, real: Any) -> dict[str, set[str]]:
    """Of every place that both have: the keys that the real answer always has there and ours has not."""
    mine, theirs = shapes(ours), shapes(real)
    found = {}
    for place in mine.keys() & theirs.keys():
        if mine[place]["keys"] and theirs[place]["keys"]:
            lacks = set.intersection(*theirs[place]["keys"]) - set.union(*mine[place]["keys"]) - THEIR_OWN
            if lacks:
                found[place] = lacks
    return found


def test_an_osrm_answer_is_what_osrm_clients_read(planner: Planner) -> None:
    real = orjson.loads((MODELS / "standard_osrm_polyline6_response.json").read_bytes())
    assert missing(osrm(planner, A, B, steps="true", geometries="polyline6"), real) == {}


def test_a_valhalla_answer_is_what_ferrostar_reads(planner: Planner) -> None:
    answer = valhalla(
        planner, locations=locations(A, B), banner_instructions=True, voice_instructions=True,
        filters={"action": "include", "attributes": ["shape_attributes.speed", "shape_attributes.time"]},
        directions_options={"language": "ru-RU", "units": "kilometers"},
    )  # fmt: skip
    real = orjson.loads((MODELS / "valhalla_osrm_response.json").read_bytes())
    assert missing(answer, real) == {}
    (leg,) = answer["routes"][0]["legs"]
    assert answer["routes"][0]["voiceLocale"].startswith("ru")
    assert leg["steps"][0]["bannerInstructions"]
    assert leg["steps"][0]["voiceInstructions"]
    assert set(leg["annotation"]) == {"distance", "duration", "speed"}


def test_valhalla_says_and_shows_only_what_is_asked_for(planner: Planner) -> None:
    (step, *_) = valhalla(planner, locations=locations(A, B))["routes"][0]["legs"][0]["steps"]
    assert "voiceInstructions" not in step
    assert "bannerInstructions" not in step


def test_a_leg_ends_at_a_break_and_goes_through_the_rest(planner: Planner) -> None:
    stops = valhalla(planner, locations=locations(A, C, B))
    through = valhalla(planner, locations=locations(A, C, B, kind="through"))
    assert (len(stops["routes"][0]["legs"]), len(stops["waypoints"])) == (2, 3)
    assert (len(through["routes"][0]["legs"]), len(through["waypoints"])) == (1, 2)
    lat, lon = decode6(through["routes"][0]["geometry"])
    assert np.hypot(lat - C[0], (lon - C[1]) * 0.56).min() < 0.001
    assert max(math.dist(a, b) for a, b in pairwise(zip(lat, lon, strict=True))) < 0.01
    assert through["routes"][0]["distance"] == pytest.approx(stops["routes"][0]["distance"], rel=0.1)


def test_the_options_of_osrm(planner: Planner) -> None:
    plain = osrm(planner, A, B)
    assert len(plain["routes"]) == 1
    assert plain["routes"][0]["legs"][0]["steps"] == []
    assert "annotation" not in plain["routes"][0]["legs"][0]
    assert "geometry" not in osrm(planner, A, B, overview="false")["routes"][0]
    line = osrm(planner, A, B, geometries="geojson", overview="full")["routes"][0]["geometry"]
    assert line["type"] == "LineString"
    assert math.dist(line["coordinates"][0], A[::-1]) < 0.002
    assert len(osrm(planner, A, B, alternatives="true")["routes"]) > 1
    assert len(osrm(planner, A, B, alternatives="2")["routes"]) == 3
    noted = osrm(planner, A, B, annotations="duration,nodes")["routes"][0]["legs"][0]["annotation"]
    assert set(noted) == {"duration"}
    assert len(osrm(planner, A, C, B)["routes"][0]["legs"]) == 2
    quiet = osrm(planner, A, B, taste="noise=8,green=-2")["routes"][0]
    assert quiet["distance"] > osrm(planner, A, B, taste="noise=0,green=0")["routes"][0]["distance"]


def test_coordinates_may_be_a_polyline() -> None:
    five = osrm_directions("polyline(_p~iF~ps|U_ulLnnqC)", OsrmQuery()).places  # Google's own example
    assert [(round(p.lat, 6), round(p.lon, 6)) for p in five] == [(38.5, -120.2), (40.7, -120.95)]


@pytest.mark.parametrize(
    "text", ["", "1,2", "12.5,55.6;", "12.5,55.6;x,y", "12.5,95.6;12.5,55.6", "nan,1;2,3", "polyline(~~)",
             ";".join(["12.5,55.6"] * 26)],
)  # fmt: skip
def test_coordinates_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        osrm_directions(text, OsrmQuery())


def test_what_there_is_not_is_said(planner: Planner) -> None:
    with pytest.raises(NoCandidate, match="outside of the maps"):
        osrm(planner, A, (60.0, 24.0))
    with pytest.raises(BadInput, match="no factor"):
        osrm(planner, A, B, taste="speed=1")
    with pytest.raises(BadInput, match="no instructions"):
        osrm(planner, A, B, steps="true", language="tlh")


@pytest.mark.parametrize("minutes", [2, 10, 30])
def test_an_isochrone_holds_what_is_near_in_time_and_nothing_far(planner: Planner, minutes: int) -> None:
    answer = orjson.loads(planner.answer(Isochrone(*A, minutes * 60.0)))
    real = orjson.loads((OWN / "isochrone.json").read_bytes())
    assert set(answer) == set(real)
    assert {"contour", "metric"} <= set(answer["features"][0]["properties"])
    polygon = shapely.from_geojson(orjson.dumps(answer["features"][0]["geometry"]))
    assert polygon.is_valid
    assert polygon.contains(shapely.Point(*A[::-1]))
    reach_deg = minutes * 60 * 1.6 / 111_195  # as the crow flies, and quick
    assert polygon.within(shapely.Point(*A[::-1]).buffer(2.2 * reach_deg))
    route = osrm(planner, A, B, taste=",".join(f"{name}=0" for name in ("noise", "green", "air")))
    if route["routes"][0]["duration"] < 0.9 * minutes * 60:
        assert polygon.contains(shapely.Point(*B[::-1]))
    if route["routes"][0]["duration"] > 2.0 * minutes * 60:
        assert not polygon.contains(shapely.Point(*B[::-1]))
