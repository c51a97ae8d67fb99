"""`flaneur import-osm`: what it prints, what it leaves behind, and its exit codes."""

import json
import re
from pathlib import Path

import numpy as np
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
    assert re.search(r"took [\d.]+ s and \d+ MiB", out)
    assert err == ""  # no bar where stderr is no terminal
    assert open_graph(tmp_path / "g", verify=True).edge_count == 2178


def test_json_is_the_metadata(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import-osm", str(ALTONA), "-o", str(tmp_path / "g"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("graph") == str(tmp_path / "g")
    assert 0 < printed.pop("import_s") < 600
    assert 50 < printed.pop("peak_rss_mib") < 24_000
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


def test_an_elevation_model_makes_hills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slope = np.broadcast_to(np.linspace(0, 6000, 1201), (1201, 1201)).astype(">i2")
    (tmp_path / "N53E009.hgt").write_bytes(slope.tobytes())
    where = ["-o", str(tmp_path / "g")]
    assert run(["import-osm", str(ALTONA), *where, "--dem", str(tmp_path / "N53E009.hgt")]) == 0
    assert "elevation: from N53E009.hgt, known along 100.0% of the ways" in capsys.readouterr().out
    graph = open_graph(tmp_path / "g", verify=True)
    both = graph.reverse >= 0
    assert (np.abs(graph.duration_s[both] / graph.duration_s[graph.reverse[both]] - 1) > 0.2).any()
    assert run(["import-osm", str(ALTONA), *where, "--dem", str(tmp_path / "nowhere")]) == 2
    assert "is no elevation model" in capsys.readouterr().err
    assert np.array_equal(open_graph(tmp_path / "g").duration_s, graph.duration_s)


def test_without_files_or_directory_exits_2(tmp_path: Path) -> None:
    assert run(["import-osm", "--out", str(tmp_path / "g")]) == 2
    assert run(["import-osm", str(ALTONA)]) == 2
