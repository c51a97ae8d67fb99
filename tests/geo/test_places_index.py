"""The index of places: one place for all pieces of a street, names as people type them."""

import sqlite3
import unicodedata
from pathlib import Path

import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st

from geo.osm.basemap.features import Named, read_features
from geo.osm.basemap.name_keys import latin, name_key
from geo.osm.basemap.places import KIND_WORDS, PLACES, join_places, write_places
from geo.osm.basemap.schema import _POIS

ALTONA = Path(__file__).parents[2] / "data" / "osm" / "altona" / "altona.osm.pbf"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Østre Anlæg", "ostre anlaeg"),
        ("Café  “Glück”", "cafe gluck"),
        ("Straße des 17. Juni", "strasse des 17 juni"),
        ("C. F. Møllers Allé", "c f mollers alle"),
        ("Парк «Ёлка»", "парк елка"),
        ("H.C. Andersens Boulevard", "h c andersens boulevard"),
        ("Łódź", "lodz"),
        ("𝓐𝔟𝒞 ﬁn ⅷ", "abc fin viii"),
        ("Ǿresund", "oresund"),
        ("", ""),
        ("—", ""),
    ],
)
def test_names_are_compared_without_case_accents_and_punctuation(name, key):
    assert name_key(name) == key


def test_cyrillic_is_read_as_latin():
    assert latin(name_key("Нюхавн")) == "nyukhavn"
    assert latin("nyhavn") == "nyhavn"


@given(st.text(), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
@example("𝓐", "NFKC")  # has no small letter before it is taken apart
def test_names_that_are_written_in_another_form_or_case_have_the_same_key(text, form):
    key = name_key(text)
    assert name_key(unicodedata.normalize(form, text)) == key
    assert name_key(text.casefold()) == key


@given(st.text())
def test_a_key_is_words_of_letters_and_its_own_key(text):
    key = name_key(text)
    assert key == " ".join(key.split())
    assert all(letter.isalnum() or letter == " " for letter in key)
    assert name_key(key) == key


def street(name, *points, kind="street", **tags):
    return Named(kind, shapely.LineString(points), {"name": name, **tags})


def poi(kind, lon, lat, **tags):
    return Named(kind, shapely.Point(lon, lat), tags)


def test_pieces_of_a_street_are_one_place_and_far_ones_another():
    pieces = [
        street("Vestergade", (12.0, 55.0), (12.001, 55.0)),
        street("Vestergade", (12.001, 55.0), (12.003, 55.0), kind="primary"),
        street("Vestergade", (12.1, 55.0), (12.101, 55.0)),  # of the next village
        street("Østergade", (12.0, 55.0), (12.0, 55.001)),
    ]
    places = join_places(pieces)
    assert sorted((place.name, round(place.lon, 4)) for place in places) == [
        ("Vestergade", 12.0015), ("Vestergade", 12.1005), ("Østergade", 12.0),
    ]  # fmt: skip
    assert {place.kind for place in places} == {"street"}


def test_a_square_and_the_street_round_it_are_the_square():
    pieces = [street("Nytorv", (12.0, 55.0), (12.001, 55.0)), poi("square", 12.0005, 55.0003, name="Nytorv")]
    (place,) = join_places(pieces)
    assert (place.kind, place.name) == ("square", "Nytorv")


def test_the_two_sides_of_a_stop_are_one_but_a_cafe_of_that_name_is_another():
    pieces = [poi("bus_stop", 12.0, 55.0, name="Nyhavn"), poi("bus_stop", 12.0003, 55.0, name="Nyhavn"),
              poi("cafe", 12.0, 55.0, name="Nyhavn")]  # fmt: skip
    assert sorted(place.kind for place in join_places(pieces)) == ["bus_stop", "cafe"]


def test_things_without_a_name_are_each_their_own():
    places = join_places([poi("toilets", 12.0, 55.0), poi("toilets", 12.0001, 55.0)])
    assert [(place.name, place.keys) for place in places] == [("", ()), ("", ())]


def test_every_name_of_a_place_finds_it():
    tags = {
        "name": "København H",
        "name:en": "Copenhagen Central",
        "name:ru": "Копенгаген",
        "alt_name": "Hoved;Hbf",
    }
    (place,) = join_places([poi("station", 12.0, 55.0, **tags)])
    assert set(place.keys) == {"kobenhavn h", "copenhagen central", "копенгаген", "hoved", "hbf"}
    assert place.names == {"name_en": "Copenhagen Central", "name_ru": "Копенгаген"}


def test_every_kind_has_its_words_in_both_languages():
    assert all(set(words) == {"en", "ru"} for words in KIND_WORDS.values())
    missing = {rule.kind.name for rule in _POIS} - set(KIND_WORDS) - {"bench"}
    assert missing == set()


def test_a_city_is_indexed(tmp_path):
    write_places(tmp_path / PLACES, read_features([ALTONA]).named)
    database = sqlite3.connect(tmp_path / PLACES)
    found = database.execute("SELECT kind, lat, lon FROM places WHERE name = 'Palmaille'").fetchall()
    assert [kind for kind, _, _ in found] == ["street"]
    assert found[0][1:] == pytest.approx((53.545, 9.94), abs=0.01)
    assert database.execute("SELECT count(*) FROM places").fetchone()[0] > 50
