"""A real gateway that serves a city's map, and searches its places for who is signed in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from geo.osm.basemap.archive import make_basemap
from streams.settings import Settings
from tests.broker.gateways import Device, GatewayProcess, ask

ALTONA = Path(__file__).parents[2] / "data" / "osm" / "altona" / "altona.osm.pbf"
NOT_SEARCHES = (
    "", "q=", "q=" + 101 * "a", "q=a&lat=53.5", "q=a&lon=9.9", "q=a&lat=nan&lon=9.9", "q=a&lat=91&lon=9.9",
    "q=a&lat=53.5&lon=inf", "q=a&lat=x&lon=9.9", "q=a&limit=0", "q=a&limit=51", "q=a&limit=1.5", "lat=1",
)  # fmt: skip


@pytest.fixture
def gateway(settings: Settings, tmp_path: Path) -> Iterator[GatewayProcess]:
    (tmp_path / "altona").mkdir()
    make_basemap([ALTONA], tmp_path / "altona", lambda *_: None)
    one = GatewayProcess(replace(settings, graph_dir=str(tmp_path)), tmp_path).start()
    try:
        yield one.wait_ready()
    finally:
        assert one.stop() == 0, one.tail()


def test_places_are_found_by_who_is_signed_in(gateway: GatewayProcess) -> None:
    device = Device(gateway)
    answer = device.ask("GET", f"/v1/places?q={quote('Пальмайле')}&lat=53.545&lon=9.94&limit=3")
    assert answer.status == 200
    first = answer.json["places"][0]
    assert (first["name"], first["kind"], first["words"]["ru"]) == ("Palmaille", "street", "улица")
    assert first["distance_m"] < 500
    nameless = device.ask("GET", "/v1/places?q=toilets").json["places"]
    assert all(place["distance_m"] is None and "names" in place for place in nameless)
    assert device.ask("GET", "/v1/places?q=%00%ff%27%22*&lat=53.545&lon=9.94").json == {"places": []}
    for query in NOT_SEARCHES:
        refused = device.ask("GET", f"/v1/places?{query}")
        assert (refused.status, list(refused.json)) == (422, ["error"]), query
    assert ask(f"{gateway.url}/v1/places?q=Palmaille").status == 401


def test_the_map_is_open_to_all_and_told_of(gateway: GatewayProcess) -> None:
    for path in ("/map/style/dark.json", "/map/icons.png", "/map/tiles/15/17288/10591.mvt", "/v1/coverage"):
        answer = ask(gateway.url + path)
        assert answer.status == 200, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    paths = ask(f"{gateway.url}/openapi.json").json["paths"]
    assert {"/v1/places", "/v1/coverage", "/map/tiles/{zoom}/{x}/{y}.mvt"} <= set(paths)
