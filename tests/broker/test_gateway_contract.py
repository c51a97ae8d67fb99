"""The running gateway keeps to its own OpenAPI document, whatever is sent (schemathesis)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import seed as seeded
from hypothesis import settings as bounded
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from streams.settings import Settings
from tests.broker.drawn import City
from tests.broker.gateways import Device, GatewayProcess, ask

EXAMPLES = 20  # of each operation, and as many that break its schema
FEW = 1  # of those that wait until a trip begins
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
APPS_OWN = {"/v1/osmand", "/v1/owntracks", "/v1/overland"}  # they are told that all is well, or send it again
ENDLESS = {"/v1/stream", "/v1/trips/{trip}/updates", "/v1/watch"}  # tested by those who read them


@pytest.fixture
def gateway(settings: Settings, city: City, tmp_path: Path) -> Iterator[GatewayProcess]:
    quick = replace(settings, graph_dir=str(city.folder), gateway_request_burst=10_000_000,
                    gateway_registration_burst=10_000_000, gateway_fix_burst=10_000_000)  # fmt: skip
    one = GatewayProcess(quick, tmp_path, gateway_planners=1)
    one.start()
    try:
        yield one.wait_ready()
    finally:
        assert one.stop() == 0, one.tail()


def test_the_document_tells_of_every_route(gateway: GatewayProcess) -> None:
    document = ask(f"{gateway.url}/openapi.json").json
    assert document["openapi"].startswith("3.1")
    told = {(method.upper(), path) for path, routes in document["paths"].items() for method in routes}
    for method, path in [
        ("POST", "/v1/routes"), ("POST", "/v1/fixes"), ("GET", "/v1/isochrone"), ("POST", "/route"),
        ("GET", "/route/v1/foot/{coordinates}"), ("GET", "/v1/trips/{trip}"), ("DELETE", "/v1/me"),
        ("GET", "/v1/places"), ("GET", "/openapi.json"), ("POST", "/v1/ratings"),
    ]:  # fmt: skip
        assert (method, path) in told, path


def test_whatever_is_sent_is_answered_as_the_document_says(gateway: GatewayProcess, city: City) -> None:
    schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    places = list(city.places.values())
    answered: set[str] = set()
    broken: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in ENDLESS:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                answered |= _conforms(operation, mode, Device(gateway), places)
            except Unsatisfiable:
                continue  # nothing there can be wrong
            except BaseExceptionGroup as error:
                broken.append(f"{operation.label} ({mode.value}): {error.exceptions}")
            except Exception as error:
                broken.append(f"{operation.label} ({mode.value}): {error}")
    assert not broken, "\n\n".join(broken)
    assert {"POST /route", "GET /v1/isochrone", "POST /v1/fixes"} <= answered


def _conforms(operation: Any, mode: Any, device: Device, places: list[tuple[float, float]]) -> set[str]:
    """Send examples of one operation and check the answers; its label if one was answered well."""
    answered: set[str] = set()
    draw = random.Random(1)

    @seeded(1)
    @bounded(
        max_examples=FEW if "{trip}" in operation.path else EXAMPLES,
        deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        checks = [*CHECKS]
        if mode is GenerationMode.NEGATIVE and operation.path not in APPS_OWN:
            checks.append(negative_data_rejection)
        if mode is GenerationMode.POSITIVE:
            _move_into_the_city(case, places, draw)
        response = case.call(headers={"Authorization": f"Bearer {device.token}"})
        if response.status_code < 300:
            answered.add(operation.label)
        case.validate_response(response, checks=checks)

    check()
    return answered


def _move_into_the_city(case: Any, places: list[tuple[float, float]], draw: random.Random) -> None:
    """Random places on Earth are hardly ever in the drawn city: most are put into it."""
    for part in (case.body, case.query):
        if isinstance(part, dict) and draw.random() < 0.8:
            for lat, lon in (("lat", "lon"), ("dest_lat", "dest_lon")):
                if part.get(lat) is not None:
                    part[lat], part[lon] = draw.choice(places)
            for one in part.get("locations", ()):
                one["lat"], one["lon"] = draw.choice(places)
    if case.path_parameters and "coordinates" in case.path_parameters:
        lines = (f"{lon},{lat}" for lat, lon in draw.sample(places, 2))
        case.path_parameters["coordinates"] = ";".join(lines)
