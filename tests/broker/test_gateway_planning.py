"""Planning by request over the running gateway: as our app, as OSRM's and as Valhalla's clients ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from confluent_kafka.admin import AdminClient

from geo.polyline import decode6
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.broker.conftest import clear_topics
from tests.broker.deployment import Worker
from tests.broker.drawn import City, draw
from tests.broker.gateways import Device, GatewayProcess, ask


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(tmp_path_factory.mktemp("city") / "graph")


@pytest.fixture(scope="module")
def gateway(services: Any, city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One for all tests here, with a worker behind it."""
    clear_topics(AdminClient({"bootstrap.servers": services.bootstrap, "log_level": 0}))
    settings = Settings(
        bootstrap=services.bootstrap, redis_url=services.redis_url, graph_dir=str(city.folder), partitions=2,
        group="test-gateway-planning",
    )  # fmt: skip
    ensure_topics(settings)
    folder = tmp_path_factory.mktemp("gateway")
    one = GatewayProcess(settings, folder, gateway_planners=1).start()
    worker = Worker(settings, folder).start()
    try:
        worker.wait_ready()
        yield one.wait_ready()
    finally:
        assert worker.stop() == 0
        assert one.stop() == 0, one.tail()


def wish(city: City, start: str, end: str, **more: Any) -> dict[str, Any]:
    (lat, lon), (dest_lat, dest_lon) = city.places[start], city.places[end]
    return {"kind": "to", "lat": lat, "lon": lon, "dest_lat": dest_lat, "dest_lon": dest_lon} | more


def passes(city: City, geometry: str, place: str) -> bool:
    lat, lon = decode6(geometry)
    at = city.places[place]
    return bool((np.hypot(lat - at[0], (lon - at[1]) * 0.5) < 1e-5).any())


def test_a_disliked_proposal_leads_to_another_and_a_liked_one_to_a_trip(
    gateway: GatewayProcess, city: City
) -> None:
    device = Device(gateway)
    (first,) = device.ask("POST", "/v1/routes", wish(city, "E", "H", propose=1)).json["proposals"]
    again = device.ask("POST", "/v1/routes", wish(city, "E", "H", propose=1, avoid=[first["id"]]))
    (second,) = again.json["proposals"]
    assert passes(city, first["geometry"], "F") != passes(city, second["geometry"], "F")
    assert second["overlap"] <= 0.6
    assert second["reasons"]
    assert len(second["words"]["ru"]) == len(second["words"]["en"]) == len(second["reasons"])
    for liked in (second, first):
        started = device.ask("POST", "/v1/routes", wish(city, "E", "H", proposal=liked["id"]))
        assert started.status == 202
        trip = device.ask("GET", f"/v1/trips/{started.json['trip']}").json
        assert passes(city, trip["line"], "F") == passes(city, liked["geometry"], "F")


def test_what_cannot_be_proposed_is_said_in_a_sentence(gateway: GatewayProcess, city: City) -> None:
    device = Device(gateway)
    good = wish(city, "E", "H", propose=1)
    for body, status, said in [
        (good | {"lat": -33.0}, 422, "outside of the maps"),
        (good | {"taste": {"speed": 1}}, 422, "no factor"),
        (good | {"avoid": ["x"]}, 422, "no proposal's id"),
        (good | {"kind": "loop", "length_m": 50_000}, 422, "no way of"),
    ]:
        answer = device.ask("POST", "/v1/routes", body)
        assert (answer.status, said in answer.json["error"]) == (status, True), answer.body
    for garbage in (b"", b"{", b"\xff\xfe", b"[1]", b'{"kind": "to", "propose": NaN}'):
        answer = device.ask("POST", "/v1/routes", garbage)
        assert answer.status in (400, 422)
        assert answer.json["error"]
    assert ask(f"{gateway.url}/v1/routes", "POST", good).status == 401


def test_stock_clients_of_osrm_are_answered_with_its_codes(gateway: GatewayProcess, city: City) -> None:
    device = Device(gateway)

    def get(path: str) -> Any:
        return device.ask("GET", f"/route/v1/foot/{path}")

    a, b = (f"{city.places[p][1]},{city.places[p][0]}" for p in "EH")
    good = get(f"{a};{b}?steps=true&alternatives=false&overview=full&geometries=polyline6")
    assert (good.status, good.json["code"]) == (200, "Ok")
    assert good.json["routes"][0]["legs"][0]["steps"][-1]["maneuver"]["type"] == "arrive"
    assert ask(f"{gateway.url}/route/v1/foot/{a};{b}?key={device.key}").json["code"] == "Ok"
    for path, code in [
        (f"{a};{b}?geometries=wkt", "InvalidOptions"), (f"{a};{b}?steps=maybe", "InvalidOptions"),
        (f"{a}", "InvalidQuery"), (f"{a};x,y", "InvalidQuery"), (f"{a};10.0,10.0", "NoSegment"),
        (f"{a};{b}?steps=true&language=tlh", "InvalidValue"), (f"{a};{b}?taste=speed=1", "InvalidValue"),
    ]:  # fmt: skip
        answer = get(path)
        assert (answer.status, answer.json["code"]) == (400, code), path
        assert answer.json["message"]
    assert ask(f"{gateway.url}/route/v1/foot/{a};{b}").status == 401


def test_stock_clients_of_valhalla_are_answered(gateway: GatewayProcess, city: City) -> None:
    device = Device(gateway)
    places = [{"lat": city.places[p][0], "lon": city.places[p][1], "type": "break"} for p in "EH"]
    # as Ferrostar's Valhalla adapter asks
    body = {
        "format": "osrm", "costing": "pedestrian", "locations": places, "units": "kilometers",
        "banner_instructions": True, "voice_instructions": True,
        "filters": {"action": "include", "attributes": ["shape_attributes.speed", "shape_attributes.time"]},
        "costing_options": {"pedestrian": {"walking_speed": 5.0}},
    }  # fmt: skip
    good = device.ask("POST", "/route", body)
    assert good.json["code"] == "Ok"
    assert good.json["routes"][0]["legs"][0]["steps"][0]["bannerInstructions"]
    for wrong in ({"costing": "auto"}, {"format": "json"}, {"locations": places[:1]}, {"locations": "x"}):
        answer = device.ask("POST", "/route", body | wrong)
        assert (answer.status, answer.json["code"]) == (400, "InvalidValue")
    assert ask(f"{gateway.url}/route", "POST", body).status == 401


def test_an_isochrone_is_a_polygon(gateway: GatewayProcess, city: City) -> None:
    device = Device(gateway)
    lat, lon = city.places["F"]
    answer = device.ask("GET", f"/v1/isochrone?lat={lat}&lon={lon}&duration_s=120")
    assert answer.headers["Content-Type"].startswith("application/geo+json")
    assert answer.json["features"][0]["geometry"]["type"] == "Polygon"
    for query, status in [("lat=1&lon=2&duration_s=120", 422), ("lat=x&lon=2&duration_s=9", 400), ("", 400)]:
        assert device.ask("GET", f"/v1/isochrone?{query}").status == status
