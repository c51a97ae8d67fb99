"""What a drawn closure closes, in every form that GeoJSON has for it."""

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from models.world.closures import read_closures
from models.world.condition_places import edges_of
from tests.geo.asciimap import graph_from_ascii

GRAPH, AT = graph_from_ascii(
    """
    A----------B----------C
    |          |          |
    |          |          |
    |          |          |
    D----------E----------F
    """
)


def at(place, east_deg=0.0, south_deg=0.0):
    return [float(GRAPH.node_lon[AT[place]]) + east_deg, float(GRAPH.node_lat[AT[place]]) - south_deg]


def middle(a, b):
    return [(x + y) / 2 for x, y in zip(at(a), at(b), strict=True)]


LINE = {"type": "LineString", "coordinates": [at("A"), at("B")]}
POINT = {"type": "Point", "coordinates": middle("E", "F")}
AREA = {
    "type": "Polygon",
    "coordinates": [
        [at("C", -1e-4, -1e-4), at("C", 1e-4, -1e-4), at("F", 1e-4, -2e-5), at("F", -1e-4, -2e-5)]
    ],
}


def feature(geometry, **properties):
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def closed(document):
    found = read_closures(GRAPH, orjson.dumps(document), "closure.geojson")
    names = {node: name for name, node in AT.items()}
    return sorted("".join(sorted((names[GRAPH.tail[e]], names[GRAPH.head[e]]))) for e in found.edges)


@pytest.mark.parametrize(
    ("document", "streets"),
    [
        (LINE, ["AB"]),
        (POINT, ["EF"]),
        (AREA, ["CF"]),
        ({"type": "MultiPolygon", "coordinates": [AREA["coordinates"]]}, ["CF"]),
        (feature(LINE, name="works"), ["AB"]),
        (
            {"type": "FeatureCollection", "features": [feature(LINE), feature(POINT), feature(LINE)]},
            ["AB", "EF"],
        ),
        ({"type": "FeatureCollection", "features": [feature(None), feature(AREA)]}, ["CF"]),
        ({"type": "GeometryCollection", "geometries": [POINT, AREA]}, ["CF", "EF"]),
        ({**POINT, "crs": {"type": "name"}, "bbox": [0, 0, 1, 1]}, ["EF"]),
        ({"type": "Point", "coordinates": [*middle("E", "F"), 12.5]}, ["EF"]),
        ({"type": "Point", "coordinates": [0.0, 0.0]}, []),
    ],
)
def test_closes_what_it_touches(document, streets):
    assert closed(document) == streets


def test_keeps_what_was_drawn_for_the_map():
    found = read_closures(
        GRAPH, orjson.dumps({"type": "GeometryCollection", "geometries": [POINT, LINE]}), "x"
    )
    assert [geometry["type"] for geometry in found.geometries] == ["Point", "LineString"]
    both = np.union1d(edges_of(GRAPH, POINT), edges_of(GRAPH, LINE))
    assert found.edges.tolist() == both.tolist()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b'{"type":"Point","coordinates":[NaN,60.0]}', "is not JSON"),
        (b"[]", "is not an object"),
        (b'"closed"', "is not an object"),
        (b'{"type":"Circle","coordinates":[24.0,60.0]}', "'Circle' is none of Point"),
        (b'{"coordinates":[24.0,60.0]}', "geometry.type"),
        (b'{"type":"Point","coordinates":[60.0]}', "too short"),
        (b'{"type":"Point","coordinates":["a",60.0]}', "is not a number"),
        (b'{"type":"Point","coordinates":[24.0,160.0]}', "160.0"),
        (b'{"type":"Polygon","coordinates":[[24.0,60.0]]}', "is not an array"),
        (b'{"type":"FeatureCollection","features":{}}', "features"),
        (b'{"type":"FeatureCollection","features":[]}', "has no geometry"),
        (b'{"type":"Feature","geometry":null}', "has no geometry"),
        (b'{"type":"GeometryCollection","geometries":[' * 40 + b"]}" * 40, "nested"),
    ],
)
def test_says_what_cannot_be_used(data, words):
    with pytest.raises(BadInput, match=r"^closure\.geojson ") as raised:
        read_closures(GRAPH, data, "closure.geojson")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-200, 200) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "coordinates", "features", "geometry", "geometries"]), inner
        )
    ),
)
KINDS = st.sampled_from(["Point", "LineString", "Polygon", "MultiPolygon", "Feature", "FeatureCollection", 3])


@settings(max_examples=50)
@given(
    st.builds(
        lambda kind, node: {"type": kind, "coordinates": node, "features": node, "geometry": node},
        KINDS,
        JSON,
    )
)
def test_whatever_it_is_it_is_read_or_refused(document):
    try:
        found = read_closures(GRAPH, orjson.dumps(document), "x")
    except BadInput:
        return
    assert ((found.edges >= 0) & (found.edges < GRAPH.edge_count)).all()
