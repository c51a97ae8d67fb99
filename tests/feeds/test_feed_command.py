"""`flaneur feed` as it is called, without a broker; publishing itself is tested against the real one."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from cli.feed import command
from geo.errors import BadInput, Unavailable
from geo.graph import save_graph
from tests.geo.asciimap import graph_from_ascii

DATA = Path(__file__).parents[2] / "data"


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def as_json(*arguments):
    result = run(*arguments, "--dry-run", "--json")
    assert result.exception is None, result.output
    return orjson.loads(result.stdout)


def test_directory_of_datex_takes_its_places_from_the_json_beside_it():
    shown = as_json("datex2", DATA / "feeds" / "fintraffic")
    assert (shown["topic"], shown["moved"]) == ("traffic-reports", False)
    assert len(shown["reports"]) == 25
    assert len(shown["documents"]) == 22
    assert sum(len(document["problems"]) for document in shown["documents"]) == 29
    assert sum(document["ignored"] for document in shown["documents"]) == 12


def test_shift_and_place():
    file = DATA / "weather" / "open-meteo" / "openmeteo_hourly_2024-03-19.json"
    shown = as_json(
        "open-meteo", file, "--at", "60.17,24.94", "--shift-to", "2025-06-01T12:00Z", "--source", "om"
    )
    assert len(shown["reports"]) == 72
    first = shown["reports"][0]
    assert (first["source"], first["lat"], first["lon"]) == ("om", 60.17, 24.94)
    assert first["ts"] == first["valid_from"] == 1748779200.0


def test_move_onto_a_graph(tmp_path):
    graph, _ = graph_from_ascii("A----------B----------C")
    save_graph(tmp_path / "graph", graph)
    moving = ("--move-to-graph", tmp_path / "graph", "--shift-to", "2025-06-01T12:00Z")
    shown = as_json("fintraffic", DATA / "feeds" / "fintraffic", *moving)
    assert shown["moved"] is True
    assert len(shown["reports"]) == 23
    assert all(report["source"].endswith("~moved") for report in shown["reports"])
    result = run("fintraffic", DATA / "feeds" / "fintraffic", *moving, "--dry-run")
    assert "~moved" in result.output


def test_stops_give_alerts_their_places(tmp_path):
    stops = tmp_path / "stops.txt"
    stops.write_text("stop_id,stop_name,stop_lat,stop_lon\n16230,Elm,60.1,24.9\n16299,Oak,,\n")
    shown = as_json("gtfs-rt", DATA / "feeds" / "gtfs-rt", "--places", stops)
    assert [report["source"] for report in shown["reports"]] == ["gtfs-rt#0/16230"]
    assert len(shown["documents"][0]["problems"]) == 2


def test_text_output_names_kinds_and_problems():
    result = run("gtfs-rt", DATA / "feeds" / "gtfs-rt", "--dry-run")
    assert "3 × no_geometry, first at entity[0].alert.informed_entity[0]" in result.output
    assert "nothing was published" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("wzdx", "/nowhere"), "no file or directory /nowhere"),
        (("wzdx", DATA / "weather"), "has no file that ends in"),
        (("wzdx", DATA, "--follow", "--dry-run"), "exclude each other"),
        (("wzdx", DATA, "--move-to", "1,2", "--move-to-graph", "x"), "exclude each other"),
        (("wzdx", DATA / "feeds" / "wzdx", "--shift-to", "soon"), "--shift-to is 'soon'"),
        (
            ("gtfs-rt", DATA / "feeds" / "gtfs-rt", "--places", DATA / "feeds" / "wzdx" / "SOURCE.md"),
            "stops.txt",
        ),
    ],
)
def test_mistakes_are_told_in_one_sentence(arguments, said):
    result = run(*arguments)
    assert isinstance(result.exception, BadInput)
    assert said in str(result.exception)


def test_no_broker():
    result = run("wzdx", DATA / "feeds" / "wzdx", "--bootstrap", "127.0.0.1:1")
    assert isinstance(result.exception, Unavailable)
    assert "127.0.0.1:1" in str(result.exception)


def test_help_has_examples():
    result = run("--help")
    assert "flaneur feed datex2" in result.output
