"""What a walker sees: a first route, and another one when, and only when, there is reason."""

from __future__ import annotations

import time

import pytest

from geo.polyline import decode6
from models.records import Rating, RouteRequest, RouteUpdate, TrafficReport, WeatherReport
from streams.kafka.topics import GPS_FIXES, RATINGS, ROUTE_REQUESTS, TRAFFIC_REPORTS, WEATHER_REPORTS
from tests.broker.deployment import Client, Phone, Worker
from tests.broker.drawn import T0, City


@pytest.fixture
def phone(worker: Worker) -> Phone:
    return Phone(worker.settings)


def ask(phone: Phone, city: City, device: str, start: str, end: str, **taste: float) -> None:
    (lat, lon), (dest_lat, dest_lon) = city.places[start], city.places[end]
    request = RouteRequest(
        device=device, request=f"{device}-1", ts=T0, kind="to", lat=lat, lon=lon,
        dest_lat=dest_lat, dest_lon=dest_lon, taste=taste or None,
    )  # fmt: skip
    phone.send(ROUTE_REQUESTS, device, request)


def passes(city: City, update: RouteUpdate, place: str) -> bool:
    """Whether an update's geometry comes within 3 m of a place."""
    lat, lon = decode6(update.geometry)
    at = city.places[place]
    return any(abs(y - at[0]) < 3e-5 and abs(x - at[1]) < 6e-5 for y, x in zip(lat, lon, strict=True))


def quiet(client: Client, device: str, known: int, for_s: float = 3.0) -> None:
    """No further update for a device for a while."""
    give_up = time.monotonic() + for_s
    while time.monotonic() < give_up:
        client.read()
        assert len(client.updates(device)) == known, client.updates(device)


def test_a_closure_ahead_leads_round_it_and_leaves_others_alone(
    city: City, phone: Phone, client: Client
) -> None:
    ask(phone, city, "anna", "E", "H", noise=0)
    ask(phone, city, "otto", "I", "L", noise=0)
    first = client.wait("anna", "requested")
    assert passes(city, first, "F")
    assert passes(city, first, "G")
    client.wait("otto", "requested")
    phone.send(GPS_FIXES, "anna", *city.walk("anna", "EF")[:20])
    phone.send(GPS_FIXES, "otto", *city.walk("otto", "IJ")[:20])
    closure = TrafficReport(
        source="city#1", ts=T0 + 20, kind="closure",
        geometry={"type": "LineString", "coordinates": city.line("FG")}, valid_from=T0, valid_to=T0 + 86_400,
    )  # fmt: skip
    phone.send(TRAFFIC_REPORTS, closure.source, closure)
    changed = client.wait("anna", "world_changed")
    lat, lon = decode6(changed.geometry)
    on_closed = [
        abs(y - city.places["F"][0]) < 2e-5 and city.places["F"][1] + 1e-4 < x < city.places["G"][1] - 1e-4
        for y, x in zip(lat, lon, strict=True)
    ]
    assert not any(on_closed)
    assert passes(city, changed, "H")
    assert changed.version > first.version
    assert changed.trip == first.trip
    assert "closed" in (changed.message or "")
    assert 20 < changed.keep_m < 45
    quiet(client, "otto", 1)


def test_rain_leads_under_the_arcades(city: City, phone: Phone, client: Client) -> None:
    ask(phone, city, "anna", "E", "H", rain=3.0)
    assert passes(city, client.wait("anna", "requested"), "F")
    phone.send(GPS_FIXES, "anna", *city.walk("anna", "EF")[:5])
    lat, lon = city.places["F"]
    rain = WeatherReport(
        source="radar", ts=T0 + 5, lat=lat, lon=lon, valid_from=T0, valid_to=T0 + 3600, precip_mmph=12.0
    )
    phone.send(WEATHER_REPORTS, rain.source, rain)
    changed = client.wait("anna", "world_changed")
    assert passes(city, changed, "B")
    assert passes(city, changed, "C")
    assert "shelter" in (changed.message or "")
    assert 0 < (changed.gain or 0) < 1


def test_leaving_the_route_gives_a_new_one_from_where_the_walker_is(
    city: City, phone: Phone, client: Client
) -> None:
    ask(phone, city, "anna", "A", "D")
    ask(phone, city, "otto", "I", "L")
    client.wait("anna", "requested")
    phone.send(GPS_FIXES, "anna", *city.walk("anna", "ABFJ"))
    phone.send(GPS_FIXES, "otto", *city.walk("otto", "IJK"))
    changed = client.wait("anna", "off_route")
    assert passes(city, changed, "D")
    lat, _ = decode6(changed.geometry)
    assert lat[0] < city.places["B"][0] - 1e-4
    quiet(client, "otto", 1)


def test_arriving_and_stopping_end_a_trip(city: City, phone: Phone, client: Client) -> None:
    ask(phone, city, "anna", "E", "H")
    client.wait("anna", "requested")
    phone.send(GPS_FIXES, "anna", *city.walk("anna", "EFGH"))
    client.wait("anna", "arrived")
    ask(phone, city, "otto", "I", "L")
    client.wait("otto", "requested")
    phone.send(ROUTE_REQUESTS, "otto", RouteRequest(device="otto", request="stop", ts=T0 + 9, kind="stop"))
    client.wait("otto", "ended")


def test_a_dislike_gives_another_route(city: City, phone: Phone, client: Client) -> None:
    ask(phone, city, "anna", "E", "H")
    first = client.wait("anna", "requested")
    phone.send(RATINGS, "anna", Rating(device="anna", proposal=first.trip, ts=T0 + 1, verdict="dislike"))
    other = client.wait("anna", "disliked")
    assert other.geometry != first.geometry
    assert passes(city, other, "H")
