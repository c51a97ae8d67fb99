"""Two cities, one worker: each is opened by its first walker, and hears of its own closures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models.records import RouteRequest, TrafficReport
from streams.kafka.topics import GPS_FIXES, ROUTE_REQUESTS, TRAFFIC_REPORTS
from streams.settings import Settings
from tests.broker.deployment import Client, Phone, Worker
from tests.broker.drawn import T0, City, draw


@pytest.fixture
def two(tmp_path: Path) -> list[City]:
    first = draw(tmp_path / "cities" / "first")
    return [first, first.moved(tmp_path / "cities" / "second", 1.0)]


@pytest.fixture
def worker(settings: Settings, two: list[City], tmp_path: Path) -> Iterator[Worker]:
    started = Worker(replace(settings, graph_dir=str(two[0].folder.parent)), tmp_path).start()
    try:
        yield started.wait_ready()
    finally:
        assert started.stop() == 0


def test_each_city_is_opened_by_its_first_walker(
    two: list[City], worker: Worker, client: Client, settings: Settings
) -> None:
    phone = Phone(settings)
    assert worker.metric("flaneur_cities_open") == 0.0
    for opened, (city, device) in enumerate(zip(two, ("anna", "otto"), strict=True), start=1):
        (lat, lon), (dest_lat, dest_lon) = city.places["E"], city.places["H"]
        request = RouteRequest(
            device=device, request="r", ts=T0, kind="to", lat=lat, lon=lon,
            dest_lat=dest_lat, dest_lon=dest_lon, taste={"noise": 0.0},
        )  # fmt: skip
        phone.send(ROUTE_REQUESTS, device, request)
        client.wait(device, "requested")
        assert worker.metric("flaneur_cities_open") == opened
        phone.send(GPS_FIXES, device, *city.walk(device, "EF")[:20])
    closure = TrafficReport(
        source="city#1", ts=T0 + 20, kind="closure", valid_from=T0, valid_to=T0 + 86_400,
        geometry={"type": "LineString", "coordinates": two[1].line("FG")},
    )  # fmt: skip
    phone.send(TRAFFIC_REPORTS, closure.source, closure)
    client.wait("otto", "world_changed")
    client.read()
    assert [update.reason for update in client.updates("anna")] == ["requested"]
