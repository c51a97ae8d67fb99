"""The search of places in a real city: what people type, what they mistype, and what nobody should."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.map.places import PlaceIndexes, Point, open_places
from geo.errors import BadGraph
from geo.osm.basemap.features import read_features
from geo.osm.basemap.places import PLACES, write_places

COPENHAGEN = Path(__file__).parents[2] / "data" / "osm" / "copenhagen" / "kbh.osm.pbf"
CENTRE = Point(55.6800, 12.5780)
CHRISTIANSHAVN = Point(55.6720, 12.5910)


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> PlaceIndexes:
    folder = tmp_path_factory.mktemp("places")
    write_places(folder / PLACES, read_features([COPENHAGEN]).named)
    return open_places(folder)


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("Nyhavn", "Nyhavn", "street"),
        ("nyhavn", "Nyhavn", "street"),
        ("ØSTERGADE", "Østergade", "street"),
        ("ostergade", "Østergade", "street"),
        ("kobmagrgade", "Købmagergade", "street"),  # two letters other, one missing
        ("Нюхавн", "Nyhavn", "street"),
        ("thorvaldsen", "Thorvaldsens Museum", "museum"),
        ("museum thorvald", "Thorvaldsens Museum", "museum"),
        ("Copenhagen Central Station", "Københavns Hovedbanegård", "station"),
        ("kongns nytorv", "Kongens Nytorv", "square"),
        ("h.c. andersens boul", "H.C. Andersens Boulevard", "street"),
    ],
)
def test_what_people_type_is_found_first_or_second(places, text, name, kind):
    found = places.search(text, CENTRE, 2)
    assert (name, kind) in [(one.name, one.kind) for one in found]


@pytest.mark.parametrize(
    ("text", "kind"), [("toilets", "toilets"), ("туалет", "toilets"), ("музей", "museum")]
)
def test_a_kind_finds_the_nearest_of_it(places, text, kind):
    found = places.search(text, CENTRE, 5)
    assert [one.kind for one in found] == [kind] * 5
    assert all(one.distance_m < 1000 for one in found)


def test_of_the_same_name_the_nearer_comes_first(places):
    for near in (CENTRE, CHRISTIANSHAVN):
        found = [one for one in places.search("Netto", near, 10) if one.name == "Netto"]
        away = [one.distance_m for one in found]
        assert len(away) > 1
        assert away == sorted(away)


def test_distances_are_metres_on_the_ground(places):
    (found,) = places.search("Thorvaldsens Museum", Point(55.6768, 12.5784), 1)
    assert found.distance_m < 60
    assert places.search("Thorvaldsens Museum", None, 1)[0].distance_m is None


def test_what_is_like_nothing_finds_nothing(places):
    for text in ("zzzzqqqq", "", "   ", "—", "'\"*()", "-", ":"):
        assert places.search(text, CENTRE, 5) == [], text


def test_the_language_of_the_index_is_no_language_of_the_question(places):
    for text in (
        "a OR b",
        "NEAR(a b)",
        'name"',
        "keys:x",
        "a* AND NOT b",
        "');DROP TABLE places;--",
        "^ny",
        "{a b}:c",
    ):
        places.search(text, CENTRE, 5)
    assert places.search("Nyhavn", CENTRE, 1)


@settings(max_examples=300, deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=120), st.text(alphabet="ny havn'\"*()-:^+{}\\\0٣ßðⅣ½ıﬁ가อำ", max_size=40)
    ),
    near=st.none() | st.builds(Point, st.floats(-90, 90), st.floats(-180, 180)),
    limit=st.integers(1, 50),
)
def test_nothing_typed_breaks_the_search(places, text, near, limit):
    found = places.search(text, near, limit)
    assert len(found) <= limit
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert places.search(text, near, limit) == found


def test_several_cities_are_searched_as_one(tmp_path):
    altona = COPENHAGEN.parents[1] / "altona" / "altona.osm.pbf"
    for city, file in (("altona", altona), ("copenhagen", COPENHAGEN)):
        (tmp_path / city).mkdir()
        write_places(tmp_path / city / PLACES, read_features([file]).named)
    both = open_places(tmp_path)
    assert both.search("Palmaille", CENTRE, 1)[0].lat == pytest.approx(53.545, abs=0.01)
    assert both.search("Nyhavn", CENTRE, 1)[0].lat == pytest.approx(55.68, abs=0.01)


def test_a_damaged_index_is_told_of(tmp_path):
    (tmp_path / PLACES).write_bytes(b"no database at all" * 100)
    with pytest.raises(BadGraph, match="is not an index of places"):
        open_places(tmp_path)
    assert open_places(tmp_path / "nowhere").search("Nyhavn", None, 5) == []
