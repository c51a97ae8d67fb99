"""GeoJSON as RFC 7946 has it, GPX 1.1 as its schema has it, and the `flaneur` object."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import orjson
import pytest

from geo.geodesy import haversine_m
from geo.network import Network
from geo.routing.costs import FACTOR_NAMES, static_costs
from geo.routing.paths import walked_twice_m
from geo.routing.search import Place, SearchSpace
from models.routes.exports import ATTRIBUTION, amounts, describe, flaneur_object, geojson, gpx
from models.routes.planning import Wish
from models.routes.proposals import propose, yardstick
from streams.traces.gpx import read_gpx
from tests.geo.naive_city import lattice_city

CITY = replace(lattice_city(4), names=('Rosen & "Söhne" <Allee>',))
CITY = replace(CITY, name=np.zeros(CITY.edge_count, np.int32))
NETWORK = Network(CITY, static_costs(CITY))
SPACE = SearchSpace(CITY)
HOME = Place(int(CITY.first_out[20 * 40 + 20]), 0.4)
AWAY = Place(int(CITY.first_out[32 * 40 + 6]), 0.7)
GPX = "{http://www.topografix.com/GPX/1/1}"
# the children of an element in the order of its xsd:sequence, those in capitals at least once
SEQUENCES = {
    "gpx": ["metadata", "wpt", "rte", "TRK", "extensions"],
    "metadata": [
        "NAME", "desc", "author", "COPYRIGHT", "link", "time", "keywords", "BOUNDS", "extensions",
    ],
    "copyright": ["year", "LICENSE"],
    "trk": ["NAME", "cmt", "DESC", "src", "link", "NUMBER", "TYPE", "extensions", "TRKSEG"],
    "trkseg": ["TRKPT", "extensions"],
}  # fmt: skip


def described(wish):
    proposals = propose(NETWORK, wish, HOME, count=3, space=SPACE)
    return describe(CITY, proposals, yardstick(NETWORK, wish, HOME, proposals, space=SPACE))


WAYS = described(Wish("to", HOME, AWAY, None, None, {"green": -0.9}))
LOOPS = described(Wish("loop", HOME, None, 2500.0, None, {}))
NOWHERE = described(Wish("to", HOME, HOME, None, None, {}))
ALL = pytest.mark.parametrize("found", [WAYS, LOOPS, NOWHERE], ids=["ways", "loops", "nowhere"])


def assert_position(position):
    assert len(position) == 2
    lon, lat = position
    assert -180 <= lon <= 180
    assert -90 <= lat <= 90
    assert abs(lon - 12.5) < 0.2, "longitude comes first"


@ALL
def test_geojson_is_as_the_rfc_has_it(found):
    document = orjson.loads(orjson.dumps(geojson(found)))
    assert document["type"] == "FeatureCollection"
    assert document["attribution"] == ATTRIBUTION
    assert "crs" not in document
    assert [feature["id"] for feature in document["features"]] == list(range(1, len(found) + 1))
    for feature, one in zip(document["features"], found, strict=True):
        assert (feature["type"], feature["geometry"]["type"]) == ("Feature", "LineString")
        positions = feature["geometry"]["coordinates"]
        assert len(positions) >= 2
        for position in positions:
            assert_position(position)
        lons, lats = zip(*positions, strict=True)
        assert feature["bbox"] == [min(lons), min(lats), max(lons), max(lats)]
        assert feature["properties"] == {"name": one.title, **flaneur_object(one)}
        walked = haversine_m(lats[:-1], lons[:-1], lats[1:], lons[1:]).sum()
        assert walked == pytest.approx(one.planned.length_m, rel=1e-3, abs=0.5)
    boxes = np.array([feature["bbox"] for feature in document["features"]])
    whole = [*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]
    assert document["bbox"] == pytest.approx(whole)


@ALL
def test_gpx_is_as_its_schema_has_it(found):
    root = ET.fromstring(gpx(found, "Loops & <more>").encode())
    assert root.tag == GPX + "gpx"
    assert root.get("version") == "1.1"
    assert root.get("creator")
    for element in root.iter():
        assert element.tag.startswith(GPX)
        name = element.tag.removeprefix(GPX)
        children = [child.tag.removeprefix(GPX) for child in element]
        order = SEQUENCES.get(name, [])
        allowed = [child.lower() for child in order]
        assert set(children) <= set(allowed), name
        assert children == sorted(children, key=allowed.index), name
        assert {child.lower() for child in order if child.isupper()} <= set(children), name
    assert not list(root.iter(GPX + "time")), "nobody has walked it yet"
    assert root.find(f"{GPX}metadata/{GPX}name").text == "Loops & <more>"
    assert root.find(f"{GPX}metadata/{GPX}copyright").get("author") == "OpenStreetMap contributors"
    bounds = {k: float(v) for k, v in root.find(f"{GPX}metadata/{GPX}bounds").attrib.items()}
    points = list(root.iter(GPX + "trkpt"))
    lats, lons = ([float(point.get(key)) for point in points] for key in ("lat", "lon"))
    assert bounds == {"minlat": min(lats), "minlon": min(lons), "maxlat": max(lats), "maxlon": max(lons)}
    assert [int(number.text) for number in root.iter(GPX + "number")] == list(range(1, len(found) + 1))


def test_gpx_is_read_back_as_it_was():
    traces = read_gpx(gpx(WAYS, "ways").encode(), "ways.gpx", "ways")
    assert len(traces) == len(WAYS)
    for trace, one in zip(traces, WAYS, strict=True):
        assert not trace.timed
        assert trace.lat == pytest.approx(one.lat, abs=1e-6)
        assert trace.lon == pytest.approx(one.lon, abs=1e-6)


def test_what_stands_in_the_map_cannot_break_the_xml():
    text = gpx(WAYS, "ways")
    assert 'Via Rosen &amp; "Söhne" &lt;Allee&gt;.' in text
    assert next(ET.fromstring(text.encode()).iter(GPX + "desc")).text.endswith('Via Rosen & "Söhne" <Allee>.')


@ALL
def test_the_flaneur_object_adds_up(found):
    for one in found:
        about = orjson.loads(orjson.dumps(flaneur_object(one)))
        assert list(about["score"]) == list(FACTOR_NAMES)
        felt = about["duration_s"] + sum(row["added_s"] for row in about["score"].values())
        assert about["felt_s"] >= felt - 2.0  # above where the least multiplier is met
        assert about["felt_s"] == pytest.approx(felt, rel=0.02, abs=2.0)
        for row in about["score"].values():
            assert 0.0 <= row["exposure"] <= 1.0
            assert 0.0 <= row["usual"] <= 1.0
            felt_s = row["weight"] * row["exposure"] * about["duration_s"]
            assert row["added_s"] == pytest.approx(felt_s, abs=0.3)
        assert about["walked_twice_m"] == pytest.approx(walked_twice_m(CITY, one.planned.path), abs=0.1)
        assert about["costs_version"] == 0


def test_it_says_what_it_is_compared_with():
    about, loop = flaneur_object(WAYS[1]), flaneur_object(LOOPS[0])
    assert (about["number"], about["taste"]) == (2, {"green": -0.9})
    assert about["score"]["green"]["weight"] == pytest.approx(-0.9)
    assert about["compared"]["with"] == "quickest"
    assert about["compared"]["duration_s"] <= about["duration_s"]
    assert loop["compared"] == {"with": "streets_around"}
    assert about["via"] == ['Rosen & "Söhne" <Allee>']
    assert about["why"].endswith(".")


def test_amounts_are_for_people():
    assert amounts(849.6, 655.0) == "850 m, 11 min"
    assert amounts(2434.0, 1860.0) == "2.43 km, 31 min"
    assert re.fullmatch(r"Route 1: \d\.\d\d km, \d+ min", WAYS[0].title)
