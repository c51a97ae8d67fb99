"""The base map of a city: tiles that any reader understands, with what is there where it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import shapely
from pmtiles.reader import MmapSource, Reader, all_tiles

from geo.errors import BadGraph
from geo.osm.basemap.archive import TILES, make_basemap
from geo.osm.basemap.features import Box, Feature, joined, mark_stubs, read_features
from geo.osm.basemap.schema import MAX_ZOOM, MIN_ZOOM, area_kinds, label_kind, line_kind, names, point_kinds
from geo.osm.basemap.sea import sea
from tests.geo.tile_content import EXTENT, geometry_of, layers_of, point_in, tile_at

OSM = Path(__file__).parents[2] / "data" / "osm"
COPENHAGEN = OSM / "copenhagen" / "kbh.osm.pbf"
ALTONA = OSM / "altona" / "altona.osm.pbf"


def silent(stage, done, total):
    pass


@pytest.fixture(scope="module")
def copenhagen_map(tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    make_basemap([COPENHAGEN], folder, silent)
    with (folder / TILES).open("rb") as file:
        return Reader(MmapSource(file))


def drawn_at(reader, lat, lon, layer, zoom=MAX_ZOOM):
    """Attributes of the areas of a layer that hold a place, the last drawn last."""
    x, y = tile_at(lat, lon, zoom)
    place = point_in(lat, lon, zoom, x, y)
    features = layers_of(reader.get(zoom, x, y)).get(layer, [])
    return [one.attributes for one in features if one.kind == 3 and geometry_of(one).contains(place)]


def named_near(reader, lat, lon, layer, within, zoom=MAX_ZOOM):
    x, y = tile_at(lat, lon, zoom)
    place = point_in(lat, lon, zoom, x, y)
    features = layers_of(reader.get(zoom, x, y)).get(layer, [])
    near = [one.attributes for one in features if geometry_of(one).distance(place) < within]
    return {(one["class"], one.get("name")) for one in near}


# --- whole tiles ---


def test_every_tile_is_valid_and_within_its_bounds(copenhagen_map):
    tiles = list(all_tiles(copenhagen_map.get_bytes))
    assert {zoom for (zoom, _, _), _ in tiles} == set(range(MIN_ZOOM, MAX_ZOOM + 1))
    frame = shapely.box(-100, -100, EXTENT + 100, EXTENT + 100)
    features = 0
    for address, data in tiles:
        assert len(data) < 200_000, address
        assert data[4:8] == bytes(4)  # the time of its making would make each archive another one
        for name, drawn in layers_of(data).items():
            geometries = [geometry_of(one) for one in drawn]
            features += len(geometries)
            assert shapely.is_valid(geometries).all(), (address, name)
            assert not shapely.is_empty(geometries).any(), (address, name)
            assert shapely.covers(frame, geometries).all(), (address, name)
            assert all("class" in one.attributes for one in drawn)
    assert features > 40_000


def test_the_archive_says_what_it_covers_and_whose_data_it_is(copenhagen_map):
    header, metadata = copenhagen_map.header(), copenhagen_map.metadata()
    assert (header["min_zoom"], header["max_zoom"]) == (MIN_ZOOM, MAX_ZOOM)
    assert header["min_lon_e7"] < 125_780_000 < header["max_lon_e7"]
    assert "OpenStreetMap" in metadata["attribution"]
    (area,) = metadata["areas"]
    assert area["south"] < 55.68 < area["north"]
    layers = {layer["id"] for layer in metadata["vector_layers"]}
    assert {"ground", "water", "buildings", "roads", "rails", "places", "pois", "trees"} <= layers


def test_what_is_there_is_where_it_is(copenhagen_map):
    assert {"class": "park"} in drawn_at(copenhagen_map, 55.6858, 12.5790, "ground")  # Kongens Have
    assert drawn_at(copenhagen_map, 55.6734, 12.5840, "water") == [{"class": "sea"}]  # by the Black Diamond
    assert drawn_at(copenhagen_map, 55.6640, 12.5700, "water") == [{"class": "sea"}]  # the harbour
    assert drawn_at(copenhagen_map, 55.6785, 12.5590, "water")[0]["class"] == "water"  # Sankt Jørgens Sø
    assert drawn_at(copenhagen_map, 55.6790, 12.5770, "water") == []  # the old town
    assert ("street", "Nyhavn") in named_near(copenhagen_map, 55.6800, 12.5890, "roads", 60)
    assert ("museum", "Thorvaldsens Museum") in named_near(copenhagen_map, 55.6768, 12.5784, "pois", 150)


def test_houses_come_late_and_the_sea_is_always_there(copenhagen_map):
    x, y = tile_at(55.6734, 12.5840, 12)
    far = layers_of(copenhagen_map.get(12, x, y))
    assert "buildings" not in far
    assert any(one.attributes["class"] == "sea" for one in far["water"])
    x, y = tile_at(55.6790, 12.5770, 15)
    assert len(layers_of(copenhagen_map.get(15, x, y))["buildings"]) > 100


def test_the_same_file_makes_the_same_bytes(tmp_path):
    made = []
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        program = (
            "import sys; from pathlib import Path; from geo.osm.basemap.archive import make_basemap;"
            "make_basemap([Path(sys.argv[1])], Path(sys.argv[2]), lambda *_: None)"
        )
        command = [sys.executable, "-c", program, str(ALTONA), str(tmp_path / seed)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        made.append({file.name: file.read_bytes() for file in (tmp_path / seed).iterdir()})
    assert set(made[0]) == {"map.pmtiles", "places.sqlite"}
    assert made[0] == made[1]


# --- reading ---


def test_what_is_in_two_files_is_drawn_once():
    once, twice = read_features([ALTONA]), read_features([ALTONA, ALTONA])
    assert {name: len(of) for name, of in once.layers.items()} == {
        name: len(of) for name, of in twice.layers.items()
    }
    assert len(twice.boxes) == 2


def test_cities_far_from_each_other_are_one_archive(tmp_path):
    """Also where one of them has nothing of a layer."""
    make_basemap([small(tmp_path), ALTONA], tmp_path, silent)
    with (tmp_path / TILES).open("rb") as file:
        reader = Reader(MmapSource(file))
    path, altona = reader.metadata()["areas"]
    assert (path["name"], altona["name"]) == ("small", "altona")
    assert path["west"] == 12.0
    assert 9.9 < altona["west"] < altona["east"] < 10.0
    for lat, lon in ((55.05, 12.1), (53.545, 9.94)):
        assert "roads" in layers_of(reader.get(15, *tile_at(lat, lon, 15)))


def test_a_file_that_is_none_is_refused(tmp_path):
    broken = tmp_path / "cut.osm.pbf"
    broken.write_bytes(ALTONA.read_bytes()[:9000])
    with pytest.raises(BadGraph, match=r"cut\.osm\.pbf cannot be read"):
        read_features([broken])


def small(folder, bounds="", *, lake=False, places=((55.0, 12.0), (55.1, 12.2))):
    """A path between two places, and perhaps a lake of 2° × 2° around it."""
    corners = [(54.0, 11.0), (54.0, 13.0), (56.0, 13.0), (56.0, 11.0)] if lake else []
    nodes = "".join(
        f'<node id="{number}" lat="{lat}" lon="{lon}" version="1"/>'
        for number, (lat, lon) in enumerate([*places, *corners], 1)
    )
    path = '<way id="1" version="1"><nd ref="1"/><nd ref="2"/><nd ref="99"/><tag k="highway" v="path"/></way>'
    ring = "".join(f'<nd ref="{number}"/>' for number in (3, 4, 5, 6, 3))
    water = f'<way id="2" version="1">{ring}<tag k="natural" v="water"/></way>' if lake else ""
    (folder / "small.osm").write_text(f'<osm version="0.6">{bounds}{nodes}{path}{water}</osm>')
    return folder / "small.osm"


BOUNDS = '<bounds minlat="{}" minlon="{}" maxlat="{}" maxlon="{}"/>'


@pytest.mark.parametrize(
    ("bounds", "box"),
    [
        ("", (12.0, 55.0, 12.2, 55.1)),  # none: where its streets are
        (BOUNDS.format(55.02, 12.05, 55.2, 12.1), (12.05, 55.02, 12.1, 55.2)),
        (BOUNDS.format(-90, -180, 90, 180), (11.9, 54.9, 12.3, 55.2)),  # not the world
        (BOUNDS.format(10, 10, 11, 11), (12.0, 55.0, 12.2, 55.1)),  # of somewhere else
    ],
)
def test_a_file_covers_what_it_says_but_not_far_beyond_its_streets(tmp_path, bounds, box):
    features = read_features([small(tmp_path, bounds)])
    assert features.boxes[0][0] == "small"
    assert features.boxes[0][1:] == pytest.approx(box)
    assert len(features.layers["roads"]) == 1


def test_a_large_lake_makes_no_tiles_far_from_the_streets(tmp_path):
    make_basemap([small(tmp_path, BOUNDS.format(55.0, 12.0, 55.02, 12.04), lake=True)], tmp_path, silent)
    with (tmp_path / TILES).open("rb") as file:
        tiles = [address for address, _ in all_tiles(MmapSource(file)) if address[0] == MAX_ZOOM]
    assert 20 < len(tiles) < 120  # 0.06° × 0.04° with the margin


def test_a_way_across_the_180th_meridian_goes_not_round_the_world(tmp_path):
    features = read_features([small(tmp_path, places=((0.0, 179.999), (0.0, -179.999)))])
    assert "roads" not in features.layers


@pytest.mark.parametrize(
    ("tags", "kinds"),
    [
        ({"leisure": "park"}, ["ground/park"]),
        ({"natural": "water", "leisure": "park"}, ["ground/park", "water/water"]),
        ({"building": "yes", "tourism": "museum"}, ["buildings/building"]),
        ({"building": "no"}, []),
        ({"natural": "water", "location": "underground"}, []),
        ({"highway": "pedestrian", "area": "yes"}, ["ground/square"]),
        ({"place": "city"}, []),
    ],
)
def test_areas(tags, kinds):
    assert [f"{kind.layer}/{kind.name}" for kind in area_kinds(tags)] == kinds


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({"highway": "footway"}, "footway"),
        ({"highway": "trunk_link"}, "primary"),
        ({"highway": "steps", "indoor": "yes"}, None),
        ({"highway": "proposed"}, None),
        ({"railway": "tram", "highway": "residential"}, "street"),
        ({"waterway": "stream"}, "stream"),
        ({"barrier": "wall"}, None),
    ],
)
def test_lines(tags, name):
    kind = line_kind(tags)
    assert (kind and kind.name) == name


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({"amenity": "cafe"}, ["cafe"]),
        ({"amenity": "restaurant"}, []),  # of no use without a name
        ({"amenity": "restaurant", "name": "Noma"}, ["restaurant"]),
        ({"amenity": "toilets", "access": "private"}, []),
        ({"natural": "tree"}, ["tree"]),
        ({"place": "suburb", "name": "Nørrebro"}, ["suburb"]),
    ],
)
def test_points(tags, found):
    assert [kind.name for kind in point_kinds(tags)] == found


def test_an_area_is_labelled_by_what_people_come_for():
    assert label_kind({"building": "yes", "tourism": "museum", "name": "Glyptotek"}).name == "museum"
    assert label_kind({"leisure": "park", "name": "Fælledparken"}).name == "park"
    assert label_kind({"leisure": "park"}) is None


def test_names_in_other_languages_are_kept_where_they_differ():
    tags = {"name": "København", "name:en": "Copenhagen", "name:ru": "Копенгаген", "name:da": "København"}
    assert names(tags) == {"name": "København", "name_en": "Copenhagen", "name_ru": "Копенгаген"}
    assert names({"name": "Nyhavn", "name:en": "Nyhavn"}) == {"name": "Nyhavn"}


# --- lines ---


def feature(*points, **attributes):
    return Feature(shapely.LineString(points), {"class": "footway", **attributes}, 14)


def test_pieces_of_a_street_become_one_line():
    pieces = [
        feature((0, 0), (1, 0), name="A"),
        feature((1, 0), (2, 0), name="A"),
        feature((2, 0), (3, 0), name="B"),
    ]
    lengths = {(one.attributes["name"], one.geometry.length) for one in joined(pieces)}
    assert lengths == {("A", 2.0), ("B", 1.0)}


def test_only_a_short_loose_end_is_a_stub():
    path = feature((0, 0), (0.01, 0), (0.02, 0))
    to_a_door = feature((0.01, 0), (0.01, 0.0001))
    between = feature((0, 0), (0, 0.0001))
    beyond = feature((0, 0.0001), (0.02, 0.0001))
    mark_stubs([path, to_a_door, between, beyond])
    assert [one.attributes.get("stub") for one in (path, to_a_door, between, beyond)] == [None, 1, None, None]


# --- the sea: land on the left of a coastline, water on its right ---

BOX = Box("box", 0.0, 0.0, 1.0, 1.0)


def wet(coast, *places):
    water = shapely.union_all(sea(BOX, [shapely.LineString(line) for line in coast]))
    return [bool(shapely.contains(water, shapely.Point(place))) for place in places]


def test_water_is_on_the_right_of_a_coastline():
    northwards, southwards = [(0.5, -1), (0.5, 2)], [(0.5, 2), (0.5, -1)]
    assert wet([northwards], (0.2, 0.5), (0.8, 0.5)) == [False, True]
    assert wet([southwards], (0.2, 0.5), (0.8, 0.5)) == [True, False]


def test_islands_are_dry_and_lagoons_are_wet():
    island = [(0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6), (0.4, 0.4)]
    assert wet([island], (0.5, 0.5), (0.1, 0.1)) == [False, True]
    assert wet([island[::-1]], (0.5, 0.5), (0.1, 0.1)) == [True, False]


def test_a_strait_lies_between_its_shores():
    west, east = [(0.4, -1), (0.4, 2)], [(0.6, 2), (0.6, -1)]
    assert wet([west, east], (0.2, 0.5), (0.5, 0.5), (0.8, 0.5)) == [False, True, False]


def test_a_coast_that_the_file_cuts_short_is_led_on():
    assert wet([[(0.5, 0.01), (0.5, 0.99)]], (0.2, 0.5), (0.8, 0.5)) == [False, True]


def test_no_coast_no_sea():
    assert sea(BOX, []) == []
    assert sea(BOX, [shapely.LineString([(5, 5), (6, 6)])]) == []
