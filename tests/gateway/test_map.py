"""The base map over HTTP: what MapLibre asks for, addresses that make no sense, what is known already."""

import asyncio
import gzip
import json
import struct
import types
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.context import GATEWAY
from gateway.map.archives import merged, open_archives
from gateway.map.icon_shapes import ICONS
from gateway.map.palette import PALETTES
from gateway.map.routes import routes
from gateway.middleware import errors
from geo.errors import BadGraph
from geo.osm.basemap.archive import make_basemap
from geo.osm.basemap.schema import MAX_ZOOM
from streams.settings import Settings
from tests.geo.tile_content import layers_of

OSM = Path(__file__).parents[2] / "data" / "osm"
PALMAILLE = (15, 17288, 10591)  # a tile in Altona
NYHAVN = (15, 17529, 10255)


@pytest.fixture(scope="module")
def cities(tmp_path_factory):
    """Two cities, one a folder."""
    folder = tmp_path_factory.mktemp("graphs")
    for city in ("altona", "copenhagen"):
        (folder / city).mkdir()
        make_basemap(sorted((OSM / city).glob("*.osm.pbf")), folder / city, lambda *_: None)
    return folder


@pytest.fixture
def ask(cities):
    """Get something from a gateway that has these maps; the status, the headers and the body as sent."""

    async def get(path, headers):
        app = web.Application(middlewares=[errors])
        app[GATEWAY] = types.SimpleNamespace(settings=Settings(graph_dir=str(cities)))
        routes(app)
        async with TestClient(TestServer(app), auto_decompress=False) as client:
            answer = await client.get(path, headers=headers)
            return answer.status, answer.headers, await answer.read()

    def run(path, **headers):
        return asyncio.run(get(path, {name.replace("_", "-"): value for name, value in headers.items()}))

    return run


def test_a_tile_is_passed_on_compressed_to_who_takes_that(ask):
    path = "/map/tiles/{}/{}/{}.mvt".format(*PALMAILLE)
    status, headers, packed = ask(path, Accept_Encoding="gzip")
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert headers["Content-Type"] == "application/vnd.mapbox-vector-tile"
    assert b"Palmaille" in gzip.decompress(packed)
    status, headers, plain = ask(path, Accept_Encoding="identity")
    assert (status, "Content-Encoding" in headers) == (200, False)
    assert plain == gzip.decompress(packed)
    assert headers["Vary"] == "Accept-Encoding"


def test_what_is_known_is_not_sent_again(ask):
    for path in ("/map/tiles/{}/{}/{}.mvt".format(*PALMAILLE), "/map/style/light.json", "/map/icons@2x.png"):
        status, headers, _ = ask(path, Host="map.test")
        assert status == 200
        status, again, body = ask(path, Host="map.test", If_None_Match=headers["ETag"])
        assert (status, again["ETag"], body) == (304, headers["ETag"], b"")
        assert ask(path, Host="map.test", If_None_Match='"other"')[0] == 200


def test_both_cities_are_served_and_nothing_elsewhere(ask):
    assert ask("/map/tiles/{}/{}/{}.mvt".format(*NYHAVN))[0] == 200
    for outside in ("15/0/0", "15/32767/32767", "10/540/320", "9/270/160", "16/35050/20504", "0/0/0"):
        status, _, body = ask(f"/map/tiles/{outside}.mvt")
        assert (status, body) == (204, b""), outside
    status, _, body = ask("/v1/coverage")
    assert status == 200
    areas = json.loads(body)["areas"]
    assert [area["name"] for area in areas] == ["altona", "kbh"]
    assert areas[1]["west"] < 12.57 < areas[1]["east"]


@pytest.mark.parametrize(
    "address", ["1/2/x", "a/b/c", "15/-1/3", "1e1/2/3", "15/1.5/3", "٣/1/1", "15/123456789/1"]
)
def test_an_address_that_is_none_is_refused_in_one_sentence(ask, address):
    status, _, body = ask(f"/map/tiles/{address}.mvt")
    assert status == 400
    assert "three whole numbers" in json.loads(body)["error"]


def test_addresses_beyond_the_world_hold_nothing(ask):
    for address in ("15/32768/0", "15/0/32768", "99/0/0", "10/99999999/99999999"):
        assert ask(f"/map/tiles/{address}.mvt")[0] == 204


@pytest.mark.parametrize("name", sorted(PALETTES))
def test_a_style_names_only_this_server_and_what_is_in_the_tiles(ask, name):
    status, _, body = ask(f"/map/style/{name}.json")
    assert status == 200
    style = json.loads(body)
    assert "glyphs" not in style
    addresses = [style["sprite"], *style["sources"]["map"]["tiles"]]
    assert all(address.startswith("http://127.0.0.1:") for address in addresses)
    assert body.count(b"http") == len(addresses)
    assert style["sources"]["map"]["maxzoom"] == MAX_ZOOM
    layers = {"ground", "water", "waterways", "trees", "buildings", "roads", "rails", "places", "pois"}
    assert {layer["source-layer"] for layer in style["layers"] if "source-layer" in layer} == layers
    ids = [layer["id"] for layer in style["layers"]]
    assert len(set(ids)) == len(ids)


def test_a_language_is_preferred_for_sights_but_not_for_street_signs(ask):
    style = json.loads(ask("/map/style/light.json?lang=ru")[2])
    layers = {layer["id"]: layer for layer in style["layers"]}
    assert layers["towns"]["layout"]["text-field"] == ["coalesce", ["get", "name_ru"], ["get", "name"]]
    assert layers["street-names"]["layout"]["text-field"] == ["get", "name"]


def test_other_styles_and_languages_are_refused(ask):
    assert ask("/map/style/neon.json")[0] == 404
    assert ask("/map/style/light.json?lang=xx")[0] == 400


def test_icons_are_a_picture_and_where_each_is_in_it(ask):
    for scale, ratio in (("", 1), ("@2x", 2)):
        picture = ask(f"/map/icons{scale}.png")[2]
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", picture[16:24])
        places = json.loads(ask(f"/map/icons{scale}.json")[2])
        assert set(places) == set(ICONS)
        for place in places.values():
            assert place["sdf"]
            assert place["pixelRatio"] == ratio
            assert 0 <= place["x"] <= width - place["width"]
            assert 0 <= place["y"] <= height - place["height"]


def test_a_tile_that_two_cities_have_holds_what_is_in_both(cities):
    altona = open_archives(cities / "altona").tile(*PALMAILLE)
    elsewhere = open_archives(cities / "copenhagen").tile(*NYHAVN)
    single, other, both = map(layers_of, (altona.data, elsewhere.data, merged([altona.data, elsewhere.data])))
    assert set(both) == set(single) | set(other)
    for name, features in both.items():
        assert features == [*single.get(name, []), *other.get(name, [])]


def test_a_damaged_archive_is_told_of(tmp_path):
    (tmp_path / "map.pmtiles").write_bytes(b"PMTiles" + bytes(500))
    with pytest.raises(BadGraph, match="is not a map archive"):
        open_archives(tmp_path)


def test_no_map_is_an_empty_map(tmp_path):
    assert open_archives(tmp_path).areas == []
    assert open_archives(tmp_path / "nowhere").tile(15, 1, 1) is None
