"""`flaneur import-osm`: what it prints, what it leaves behind, and its exit codes."""

import json
from pathlib import Path

import pytest

from cli.main import run
from geo.graph import open_graph

ALTONA = Path(__file__).parents[2] / "data" / "osm" / "altona" / "altona.osm.pbf"


def test_a_city_is_imported_and_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import-osm", str(ALTONA), "--out", str(tmp_path / "g")]) == 0
    out, err = capsys.readouterr()
    assert "838 nodes, 2,178 edges, 28.1 km to walk" in out
    assert "left out: 6 small components" in out
    assert "elevation: flat" in out
    assert "© OpenStreetMap contributors" in out
    assert err == ""  # no bar where stderr is no terminal
    assert open_graph(tmp_path / "g", verify=True).edge_count == 2178


def test_json_is_the_metadata(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import-osm", str(ALTONA), "-o", str(tmp_path / "g"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("graph") == str(tmp_path / "g")
    assert printed == json.loads((tmp_path / "g" / "metadata.json").read_text())
    assert printed["sources"][0]["file"] == "altona.osm.pbf"
    assert len(printed["sources"][0]["sha256"]) == 64


def test_a_broken_file_exits_2_and_keeps_the_old_graph(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import-osm", str(ALTONA), "-o", str(tmp_path / "g")]) == 0
    (tmp_path / "cut.osm.pbf").write_bytes(ALTONA.read_bytes()[:9000])
    capsys.readouterr()
    assert run(["import-osm", str(tmp_path / "cut.osm.pbf"), "-o", str(tmp_path / "g")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("flaneur: ")
    assert "cut.osm.pbf cannot be read as OSM data" in err
    assert len(err.splitlines()) == 1
    assert open_graph(tmp_path / "g", verify=True).edge_count == 2178
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.osm.pbf", "g"]


def test_without_files_or_directory_exits_2(tmp_path: Path) -> None:
    assert run(["import-osm", "--out", str(tmp_path / "g")]) == 2
    assert run(["import-osm", str(ALTONA)]) == 2
