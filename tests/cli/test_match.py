"""`flaneur match` on the recorded walk: every fix once, the summary, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import run
from geo.graph import open_graph, save_graph
from geo.osm.importer import import_osm

DATA = Path(__file__).parents[2] / "data"
WALK = DATA / "traces" / "altona" / "altona_walk.json"


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    directory = tmp_path_factory.mktemp("altona") / "graph"
    save_graph(directory, import_osm([DATA / "osm" / "altona" / "altona.osm.pbf"]))
    return directory


def test_a_line_for_every_fix(graph, capsys):
    assert run(["match", "--graph", str(graph), str(WALK), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    recorded = json.loads(WALK.read_text())
    assert len(rows) == len(recorded["times"]) == 2179
    assert [[row["lat"], row["lon"]] for row in rows] == recorded["latlon"]
    arrays = open_graph(graph)
    edges = {
        (int(w), int(a), int(b))
        for w, a, b in zip(
            arrays.way, arrays.node_osm[arrays.tail], arrays.node_osm[arrays.head], strict=True
        )
    }
    for row in rows:
        named = (row["way"], row["from_node"], row["to_node"])
        assert named == (None, None, None) if row["off_network"] else named in edges
    assert sum(not row["off_network"] for row in rows) / len(rows) > 0.85
    assert all(10.0 <= row["lag_s"] <= 75.0 for row in rows[:-30])


def test_the_lag_is_an_option(graph, capsys):
    assert run(["match", "--graph", str(graph), str(WALK), "--json", "--lag", "0"]) == 0
    assert {json.loads(line)["lag_s"] for line in capsys.readouterr().out.splitlines()} == {0.0}


def test_a_summary(graph, capsys):
    assert run(["match", "--graph", str(graph), str(WALK)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("altona_walk: 2,179 fixes in 40.4 min, ")
    assert "on the network" in out
    assert "median distance" in out


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        ("", "is empty"),
        ('{"type":"LineString","coordinates":[[9.93,53.55],[9.94,53.55]]}', "has no times"),
    ],
)
def test_a_trace_that_cannot_be_used(graph, tmp_path, capsys, content, sentence):
    trace = tmp_path / "trace.json"
    if content is not None:
        trace.write_text(content)
    assert run(["match", "--graph", str(graph), str(trace)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("flaneur: ")
    assert sentence in err


def test_a_graph_that_is_not_there(tmp_path, capsys):
    assert run(["match", "--graph", str(tmp_path / "none"), str(WALK)]) == 2
    assert capsys.readouterr().err.startswith("flaneur: ")
