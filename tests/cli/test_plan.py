"""`flaneur plan` on real streets: every form of answer, every option, and one sentence for what cannot be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import shapely

from cli.main import run
from geo.geodesy import haversine_m
from geo.graph import open_graph, save_graph
from geo.osm.importer import import_osm
from geo.polyline import decode6
from models.world.closures import read_closures
from tests.geo.asciimap import graph_from_ascii

OSM = Path(__file__).parents[2] / "data" / "osm"
CITY_HALL, LAKES, ALTONA = "55.6761,12.5683", "55.6867,12.5700", "53.5500,9.9370"
NIGHT, DAY = "2026-06-01T23:30+02:00", "2026-06-01T12:00+02:00"


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """Copenhagen and Altona as one graph: two cities that no way connects."""
    directory = tmp_path_factory.mktemp("cities") / "graph"
    files = [file for city in ("copenhagen", "altona") for file in sorted((OSM / city).glob("*.osm.pbf"))]
    save_graph(directory, import_osm(files))
    return directory


@pytest.fixture
def plan(graph, monkeypatch, capsys):
    """Runs the command and gives exit code, stdout and stderr."""
    monkeypatch.setenv("GRAPH_DIR", str(graph))

    def planned(*arguments, start=CITY_HALL):
        code = run(["plan", "--from", start, *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return planned


def routes_of(answer):
    code, out, err = answer
    assert (code, err) == (0, "")
    return json.loads(out)["routes"]


def line_of(route):
    return np.array(decode6(route["geometry"])).T


def ends_at(route, place):
    lat, lon = (float(part) for part in place.split(","))
    return float(haversine_m(lat, lon, *line_of(route)[-1])) < 100


# ---- forms of answer


def test_osrm_json_with_a_flaneur_object_a_route(plan):
    code, out, err = plan("--to", LAKES, "--json", "--at", DAY)
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["code"] == "Ok"
    assert len(answer["waypoints"]) == 2
    for number, route in enumerate(answer["routes"], 1):
        about = route["flaneur"]
        assert about["number"] == number
        assert about["duration_s"] == pytest.approx(route["duration"], abs=0.2)
        assert about["length_m"] == pytest.approx(route["distance"], abs=0.2)
        assert about["felt_s"] == pytest.approx(route["weight"], abs=0.2)
        assert set(about["score"]["noise"]) == {"weight", "exposure", "usual", "added_s"}
        assert {"taste", "costs_version", "walked_twice_m", "via", "why", "compared", "at"} <= set(about)
        assert about["at"] == 1780308000.0
        lat, lon = line_of(route).T
        assert haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:]).sum() == pytest.approx(
            route["distance"], rel=2e-3
        )
        assert ends_at(route, LAKES)
        assert route["legs"][0]["steps"]


def test_geojson(plan):
    code, out, err = plan("--loop-m", "2000", "--geojson")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["type"] == "FeatureCollection"
    assert len(document["features"]) == 3
    for feature in document["features"]:
        positions = feature["geometry"]["coordinates"]
        assert positions[0] == pytest.approx(positions[-1], abs=2e-6)
        assert feature["properties"]["length_m"] == pytest.approx(2000, rel=0.05)


def test_gpx(plan):
    code, out, err = plan("--loop-m", "2000", "--gpx", "--alternatives", "2")
    assert (code, err) == (0, "")
    root = ET.fromstring(out.encode())
    assert root.tag == "{http://www.topografix.com/GPX/1/1}gpx"
    assert len(root.findall("{*}trk")) == 2
    assert root.find("{*}metadata/{*}name").text == "2 loops of 2 km"


def test_a_table_for_people(plan):
    code, out, err = plan("--loop-min", "30", "--taste", "green=-1, noise=1", "--at", NIGHT)
    assert (code, err) == (0, "")
    assert out.startswith("3 loops of 30 min\n1 June 2026, 23:30 (dark); taste: green -1, noise 1\n")
    assert len(re.findall(r"^[123] +\d[.\d]* k?m +\d+ min +\d+ min ", out, re.MULTILINE)) == 3
    assert "than the streets" in out
    assert "Via " in out
    assert "© OpenStreetMap contributors" in out


def test_a_map_is_written_whole(plan, tmp_path):
    page = tmp_path / "walks.html"
    page.write_text("old")
    code, out, err = plan("--to", LAKES, "--map", str(page))
    assert (code, err) == (0, "")
    assert out.rstrip().endswith(f"Map: {page}")
    html = page.read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert html.rstrip().endswith("</html>")
    assert list(tmp_path.iterdir()) == [page]


def test_a_map_beside_json_leaves_stdout_to_json(plan, tmp_path):
    assert routes_of(plan("--to", LAKES, "--json", "--map", str(tmp_path / "walks.html")))
    assert (tmp_path / "walks.html").stat().st_size > 10_000


# ---- options


def test_loops_are_as_long_as_wanted_and_differ(plan):
    for wanted in (2000, 4000):
        routes = routes_of(plan("--loop-m", str(wanted), "--json"))
        assert len({route["geometry"] for route in routes}) == len(routes) == 3
        for route in routes:
            assert route["distance"] == pytest.approx(wanted, rel=0.05)
            assert ends_at(route, CITY_HALL)
    for route in routes_of(plan("--loop-min", "40", "--json")):
        assert route["duration"] == pytest.approx(2400, rel=0.05)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_so_many_proposals_at_most(plan, count):
    routes = routes_of(plan("--to", "55.6720,12.5900", "--json", "--alternatives", str(count)))
    assert 1 <= len(routes) <= count
    assert len({route["geometry"] for route in routes}) == len(routes)


def test_taste_changes_the_way_and_not_its_time(plan):
    indifferent = (
        "noise=0,air=0,green=0,water=0,rough_surface=0,steps=0,sights=0,steep=0,narrow=0,amenities=0"
    )
    hushed = indifferent.replace("noise=0", "noise=8")
    asked = ("--to", LAKES, "--json", "--alternatives", "1", "--at", DAY)
    (plain,) = routes_of(plan(*asked, "--taste", indifferent))
    (quiet,) = routes_of(plan(*asked, "--taste", hushed))
    assert plain["flaneur"]["felt_s"] == pytest.approx(plain["flaneur"]["duration_s"], abs=0.2)
    assert quiet["flaneur"]["taste"]["noise"] == 8.0
    exposure = [route["flaneur"]["score"]["noise"]["exposure"] for route in (plain, quiet)]
    assert exposure[1] < exposure[0]
    assert plain["duration"] <= quiet["duration"] < quiet["weight"]
    repeated = plan(*asked, *(f"--taste={one}" for one in hushed.split(",")))
    assert routes_of(repeated)[0]["geometry"] == quiet["geometry"]


def test_at_night_it_is_dark(plan):
    darkness = []
    for at in (DAY, NIGHT, "1780349400", "2026-06-01T23:30"):  # the night's in seconds, and by Danish clocks
        (route,) = routes_of(plan("--to", LAKES, "--json", "--alternatives", "1", "--at", at))
        darkness.append(route["flaneur"]["score"]["dark"]["exposure"])
    assert darkness[0] == 0.0 < darkness[1] == darkness[2] == darkness[3]


def test_a_park_is_shut_at_night(tmp_path, capsys):
    drawn, at = graph_from_ascii(
        """
        A---B---C---D
        |           |
        |           |
        E-----------F
        """,
        metres_per_char=20.0,
        tags={"BC": {"highway": "footway", "opening_hours": "07:00-22:00"}, "*": {"highway": "residential"}},
    )
    save_graph(tmp_path / "graph", drawn)
    ends = [f"{drawn.node_lat[at[place]]},{drawn.node_lon[at[place]]}" for place in "AD"]
    lengths = []
    for hour in ("12:00", "23:00"):
        question = ["plan", "--graph", str(tmp_path / "graph"), "--from", ends[0], "--to", ends[1], "--json"]
        assert run([*question, "--at", f"2026-06-03T{hour}", "--alternatives", "1"]) == 0
        lengths.append(routes_of((0, capsys.readouterr().out, ""))[0]["distance"])
    assert lengths == [pytest.approx(240, abs=2), pytest.approx(360, abs=2)]


def square_around(lat, lon, half_m=60.0):
    dy = half_m / 111_195
    dx = dy / np.cos(np.radians(lat))
    ring = [
        [lon - dx, lat - dy],
        [lon + dx, lat - dy],
        [lon + dx, lat + dy],
        [lon - dx, lat + dy],
        [lon - dx, lat - dy],
    ]
    return {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


@pytest.mark.parametrize("target", [("--to", LAKES), ("--loop-m", "3000")])
def test_what_is_closed_is_never_walked(plan, graph, tmp_path, target):
    before = routes_of(plan(*target, "--json", "--alternatives", "1"))[0]
    line = line_of(before)
    features = [square_around(*line[int(len(line) * share)]) for share in (0.4, 0.7)]
    file = tmp_path / "closure.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    network = open_graph(graph)
    shut = read_closures(network, file.read_bytes(), "closure").edges
    assert len(shut) > 2
    closed = shapely.union_all([
        shapely.LineString(np.column_stack([network.shape_lon[a:b], network.shape_lat[a:b]]))
        for a, b in zip(network.shape_first[shut], network.shape_first[shut + 1], strict=True)
    ]).buffer(2e-6)  # fmt: skip

    def walked_on_closed_m(route):
        return shapely.LineString(line_of(route)[:, ::-1]).intersection(closed).length * 60_000

    assert walked_on_closed_m(before) > 20.0
    after = routes_of(plan(*target, "--json", "--avoid", str(file)))
    for route in after:
        assert walked_on_closed_m(route) < 2.0  # a street that is closed may be crossed at its ends
    # two files, a closure each, are the same as one file with both
    files = []
    for i, feature in enumerate(features):
        files.append(tmp_path / f"{i}.geojson")
        files[-1].write_text(json.dumps(feature))
    twice = routes_of(plan(*target, "--json", *(f"--avoid={file}" for file in files)))
    assert [route["geometry"] for route in twice] == [route["geometry"] for route in after]


def test_a_closure_elsewhere_is_told_and_changes_nothing(plan, tmp_path):
    file = tmp_path / "paris.geojson"
    file.write_text('{"type": "Point", "coordinates": [2.35, 48.85]}')
    code, out, err = plan("--to", LAKES, "--json", "--at", DAY, "--avoid", str(file))
    assert code == 0
    assert err == f"flaneur: {file} closes no street of this map\n"
    assert out == plan("--to", LAKES, "--json", "--at", DAY)[1]


@pytest.mark.parametrize(("language", "letters"), [("en", "[a-z]"), ("de", "[a-z]"), ("ru", "[а-я]")])
def test_instructions_in_a_language(plan, language, letters):
    route = routes_of(plan("--to", LAKES, "--json", "--alternatives", "1", "--language", language))[0]
    said = [step["maneuver"]["instruction"] for step in route["legs"][0]["steps"]]
    assert len(said) > 3
    assert all(re.search(letters, words) for words in said)


def test_the_graph_is_given_or_set(graph, monkeypatch, capsys):
    monkeypatch.setenv("GRAPH_DIR", "/nowhere/at/all")
    assert run(["plan", "--from", ALTONA, "--loop-m", "800", "--graph", str(graph), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["routes"][0]["distance"] == pytest.approx(800, rel=0.05)
    assert run(["plan", "--from", ALTONA, "--loop-m", "800", "--json"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "/nowhere/at/all" in output.err


def test_the_same_question_has_the_same_answer(plan):
    arguments = "--loop-m", "2500", "--json", "--at", DAY
    assert plan(*arguments) == plan(*arguments)


# ---- what cannot be


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one of --to LAT,LON, --loop-m M and --loop-min MIN"),
        (["--to", LAKES, "--loop-m", "2000"], "only one"),
        (["--loop-m", "2000", "--loop-min", "20"], "only one"),
        (["--loop-m", "2000", "--json", "--gpx"], "only one of --json"),
        (["--to", "55.6867"], "LAT,LON"),
        (["--to", "55.6867,12.57,3"], "LAT,LON"),
        (["--to", "nan,12.57"], "LAT,LON"),
        (["--to", "north,12.57"], "LAT,LON"),
        (["--to", "155.6867,12.57"], "off the Earth"),
        (["--to", "55.6867,inf"], "off the Earth"),
        (["--to", "55.0,12.0"], "there is no way within 100 m of lat 55.0"),
        (["--to", ALTONA], f"no way on foot from {CITY_HALL} to {ALTONA}"),
        (["--loop-m", "nan"], "--loop-m is nan"),
        (["--loop-m", "inf"], "--loop-m is inf"),
        (["--loop-m", "-2000"], "between 100 and 100,000 metres"),
        (["--loop-m", "0"], "between 100 and 100,000 metres"),
        (["--loop-m", "1e9"], "between 100 and 100,000 metres"),
        (["--loop-min", "nan"], "between 1 and 1,440 minutes"),
        (["--loop-min", "-1"], "between 1 and 1,440 minutes"),
        (["--loop-m", "2000", "--taste", "greeen=1"], "taste names 'greeen', which is no factor"),
        (["--loop-m", "2000", "--taste", "green=nan"], "name=weight"),
        (["--loop-m", "2000", "--taste", "green"], "name=weight"),
        (["--loop-m", "2000", "--taste", "=1"], "name=weight"),
        (["--loop-m", "2000", "--taste", ""], "name=weight"),
        (["--loop-m", "2000", "--taste", "green=99"], "between -10 and 10"),
        (["--loop-m", "2000", "--taste", "green=1,green=2"], "twice"),
        (["--loop-m", "2000", "--at", "tomorrow"], "--at is 'tomorrow'"),
        (["--loop-m", "2000", "--at", "0001-01-01T00:00+00:00"], "--at is"),
        (["--loop-m", "2000", "--at", "nan"], "--at is 'nan'"),
        (["--loop-m", "2000", "--language", "tlh"], "no instructions in 'tlh'"),
        (["--loop-m", "2000", "--avoid", "/nowhere.geojson"], "/nowhere.geojson cannot be read"),
        (["--loop-m", "2000", "--map", "/nowhere/map.html"], "/nowhere/map.html cannot be written"),
    ],
)
def test_one_sentence_and_exit_code_2(plan, arguments, words):
    code, out, err = plan(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("flaneur: ")
    assert words in err
    assert err.count("\n") == 1


def test_a_start_off_the_map(plan):
    code, out, err = plan("--loop-m", "2000", start="0,0")
    assert (code, out) == (2, "")
    assert "there is no way within 100 m of lat 0.0" in err


def test_a_loop_longer_than_the_town_has_streets_for(plan):
    code, out, err = plan("--loop-m", "40000", start=ALTONA)
    assert (code, out) == (2, "")
    assert re.match(r"flaneur: there is no way of 40,000 m from here, the nearest to it has [\d,]+ m; ", err)


def test_a_place_in_a_closed_quarter_cannot_be_reached(plan, tmp_path):
    file = tmp_path / "closure.geojson"
    file.write_text(json.dumps(square_around(*(float(part) for part in LAKES.split(",")), half_m=150.0)))
    code, out, err = plan("--to", LAKES, "--avoid", str(file))
    assert (code, out) == (2, "")
    assert "every way between them is closed" in err


@pytest.mark.parametrize("content", ["", "[]", '{"type":"Feature","geometry":null}', '{"type":"Circle"}'])
def test_a_closure_that_is_none(plan, tmp_path, content):
    file, page = tmp_path / "closure.geojson", tmp_path / "map.html"
    file.write_text(content)
    code, out, err = plan("--loop-m", "2000", "--avoid", str(file), "--map", str(page))
    assert (code, out) == (2, "")
    assert err.startswith(f"flaneur: {file} ")
    assert not page.exists()


def test_a_map_that_cannot_be_written_leaves_what_was_there(plan, tmp_path):
    folder = tmp_path / "map.html"
    folder.mkdir()
    code, out, err = plan("--loop-m", "2000", "--map", str(folder))
    assert (code, out) == (2, "")
    assert "cannot be written" in err
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("arguments", [["--loop-m", "x"], ["--alternatives", "0"], ["--nosuch"]])
def test_a_wrong_option(plan, arguments):
    code, out, _ = plan("--to", LAKES, *arguments)
    assert (code, out) == (2, "")


def test_as_a_process_nothing_else_is_on_stdout(graph):
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "plan",
        "--graph",
        str(graph),
        "--from",
        ALTONA,
        "--loop-m",
        "900",
    ]
    done = subprocess.run([*command, "--geojson"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["type"] == "FeatureCollection"
    refused = subprocess.run([*command, "--taste", "nosuch=1"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
