"""Damaged documents: whatever is cut off or flipped, nothing is raised and only good reports come out."""

import gzip
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.transit import gtfs_realtime_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from models.records import encode
from streams.feeds import FORMATS, Context
from streams.feeds.places import read_places
from tests.geo.asciimap import graph_from_ascii

DATA = Path(__file__).parents[2] / "data"
STOPS = {"16230": {"type": "Point", "coordinates": [24.0, 60.0]}}
TEXT_ALERTS = (DATA / "feeds" / "gtfs-rt" / "alerts.asciipb").read_bytes()
BINARY_ALERTS = text_format.Parse(TEXT_ALERTS, gtfs_realtime_pb2.FeedMessage()).SerializeToString()
TAXIS = gzip.decompress((DATA / "traces" / "porto" / "porto_taxi.csv.gz").read_bytes())
GRAPH, _ = graph_from_ascii("A----B----C", tags={"ABC": {"highway": "residential"}})


def bundled():
    """(format, name, bytes) of every file; of taxis a few trips, of forecasts a few steps, to be quick."""
    for path in sorted((DATA / "feeds").glob("*/*")):
        if path.suffix == ".json":
            yield "fintraffic", path.name, path.read_bytes()
        elif path.suffix == ".xml":
            yield "datex2", path.name, path.read_bytes()
        elif path.suffix == ".geojson":
            yield "wzdx", path.name, path.read_bytes()
    for path in sorted((DATA / "weather").glob("*/*.json")):
        yield path.parent.name, path.name, path.read_bytes()
    yield "gtfs-rt", "text", TEXT_ALERTS
    yield "gtfs-rt", "binary", BINARY_ALERTS
    yield "probes", "taxis", b"".join(TAXIS.splitlines(keepends=True)[:8])


DOCUMENTS = {f"{name}:{file}": (name, document) for name, file, document in bundled()}
CONTEXT = Context(places={**STOPS, **read_places(DATA / "feeds" / "fintraffic")}, graph=GRAPH)


def read(name, document):
    parsed = FORMATS[name].parse(document, "feed", 1_700_000_000.0, CONTEXT)
    for report in parsed.reports:
        encode(report)
    for problem in parsed.problems:
        assert problem.position
        assert problem.reason
        assert isinstance(problem.raw, bytes)
    return parsed


@pytest.mark.parametrize("key", DOCUMENTS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_cut_off(key, data):
    name, document = DOCUMENTS[key]
    whole = document.rstrip()
    end = data.draw(st.integers(0, len(whole) - 1))
    parsed = read(name, whole[:end])
    full = read(name, whole)
    assert len(parsed.reports) <= len(full.reports)
    if name not in ("gtfs-rt", "probes"):  # these two may be cut between two items and be whole
        assert parsed.problems


@pytest.mark.parametrize("key", DOCUMENTS)
@settings(max_examples=12, deadline=None)
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=20)
)
def test_flipped(key, flips):
    name, document = DOCUMENTS[key]
    damaged = bytearray(document)
    for place, mask in flips:
        damaged[int(place * len(damaged))] ^= mask
    read(name, bytes(damaged))


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("key", [key for key, (_, document) in DOCUMENTS.items() if document[:1] == b"{"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_json_values_replaced(key, data):
    """Damage that a parser does not see: a value of the wrong kind anywhere in the tree."""
    import orjson

    name, document = DOCUMENTS[key]
    tree = orjson.loads(document)
    at = tree
    while True:
        step = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(min(len(at), 4))))
        if isinstance(at[step], (dict, list)) and at[step] and data.draw(st.booleans()):
            at = at[step]
            continue
        at[step] = data.draw(JSON_VALUES)
        break
    read(name, orjson.dumps(tree))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b"null", b"<a/>", b"\x00\xff", b"[" * 100_000])
def test_nothing_of_the_kind(name, document):
    parsed = read(name, document)
    assert parsed.reports == []
    assert parsed.problems or (name, document) == ("open-meteo", b"[]")
