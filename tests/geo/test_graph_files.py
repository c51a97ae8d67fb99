"""A graph's directory: round trip, replacement, and every kind of damage."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geo.errors import BadGraph
from geo.graph import Graph, open_graph, save_graph
from geo.graph_check import check_graph, check_hierarchy
from geo.graph_files import ARRAYS, FORMAT_VERSION
from geo.routing.hierarchy import build_hierarchy
from tests.geo.asciimap import graph_from_ascii

DRAWING = """
    A----B----C
    |    |    |
    D----E----F
"""


def drawn() -> Graph:
    street = {"highway": "residential", "name": "Rue de l’Été"}
    passage = {"highway": "footway", "opening_hours": "08:00-20:00"}
    return graph_from_ascii(DRAWING, tags={"ABC": street, "DE": passage})[0]


def test_a_saved_graph_opens_equal_and_read_only(tmp_path: Path) -> None:
    graph = drawn()
    opened = save_graph(tmp_path / "deep" / "g", graph)
    for again in (
        opened,
        open_graph(tmp_path / "deep" / "g", verify=True),
        open_graph(str(tmp_path / "deep" / "g")),
    ):
        for name, dtype in ARRAYS.items():
            array = getattr(again, name)
            assert np.array_equal(array, getattr(graph, name)), name
            assert array.dtype.str == dtype
            assert not array.flags.writeable
            assert isinstance(array, np.memmap)
        assert again.names == graph.names == ("Rue de l’Été",)
        assert again.meta["counts"] == graph.meta["counts"]
        assert again.meta["attribution"] == "© OpenStreetMap contributors, ODbL 1.0"
        assert again.meta["version"] == FORMAT_VERSION


def test_the_checksum_is_of_the_arrays_and_nothing_else(tmp_path: Path) -> None:
    one = save_graph(tmp_path / "one", drawn())
    two = save_graph(tmp_path / "two", replace(drawn(), meta={"anything": "else"}))
    other = save_graph(tmp_path / "other", graph_from_ascii(DRAWING)[0])
    assert one.meta["checksum"] == two.meta["checksum"] != other.meta["checksum"]


def test_saving_replaces_a_graph_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = save_graph(tmp_path / "g", drawn())
    after = save_graph(tmp_path / "g", graph_from_ascii("A----B")[0])
    assert after.edge_count == 2
    assert before.edge_count == 14  # whoever has the old graph open keeps it
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def test_an_empty_directory_may_become_a_graph(tmp_path: Path) -> None:
    (tmp_path / "g").mkdir()
    assert save_graph(tmp_path / "g", drawn()).edge_count == 14


def test_what_is_not_a_graph_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("dear")
    for name in ("mine", "file"):
        with pytest.raises(BadGraph, match="is not a graph"):
            save_graph(tmp_path / name, drawn())
    with pytest.raises(BadGraph, match="cannot write"):
        save_graph(tmp_path / "file" / "g", drawn())
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine"]


def test_a_failure_in_the_middle_keeps_the_old_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_graph(tmp_path / "g", drawn())
    real_save = np.save

    def save(file: Path, array: np.ndarray) -> None:
        if file.name == "grid_key.npy":
            raise OSError(28, "No space left on device")
        real_save(file, array)

    monkeypatch.setattr(np, "save", save)
    with pytest.raises(BadGraph, match="No space left"):
        save_graph(tmp_path / "g", graph_from_ascii("A----B")[0])
    assert open_graph(tmp_path / "g", verify=True).edge_count == 14
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


@pytest.mark.parametrize("name", [f"{name}.npy" for name in ARRAYS] + ["names.json", "rules.json"])
def test_a_flipped_byte_is_found(tmp_path: Path, name: str) -> None:
    save_graph(tmp_path / "g", drawn())
    file = tmp_path / "g" / name
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    with pytest.raises(BadGraph, match="checksum"):
        open_graph(tmp_path / "g", verify=True)


@pytest.mark.parametrize(
    "name", ["tail.npy", "hierarchy_head.npy", "names.json", "rules.json", "metadata.json"]
)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "text"])
def test_damaged_files_are_refused_without_verify(tmp_path: Path, name: str, damage: str) -> None:
    save_graph(tmp_path / "g", drawn())
    file = tmp_path / "g" / name
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes({"empty": b"", "cut": file.read_bytes()[:-9], "text": b"hello"}[damage])
    with pytest.raises(BadGraph):
        open_graph(tmp_path / "g")


def test_other_versions_and_types_are_refused(tmp_path: Path) -> None:
    save_graph(tmp_path / "g", drawn())
    meta = json.loads((tmp_path / "g" / "metadata.json").read_text())
    for version in (FORMAT_VERSION - 1, FORMAT_VERSION + 1, str(FORMAT_VERSION), None):
        (tmp_path / "g" / "metadata.json").write_text(json.dumps({**meta, "version": version}))
        with pytest.raises(BadGraph, match=rf"format version .* reads {FORMAT_VERSION}"):
            open_graph(tmp_path / "g")
    (tmp_path / "g" / "metadata.json").write_text(json.dumps({**meta, "checksum": "0" * 64}))
    with pytest.raises(BadGraph, match="changed after the import"):
        open_graph(tmp_path / "g")
    (tmp_path / "g" / "metadata.json").write_text("[]")
    with pytest.raises(BadGraph, match="version"):
        open_graph(tmp_path / "g")
    (tmp_path / "g" / "metadata.json").write_text(json.dumps(meta))
    np.save(tmp_path / "g" / "tail.npy", np.zeros(14, np.int64))
    with pytest.raises(BadGraph, match="expected <i4"):
        open_graph(tmp_path / "g")
    np.save(tmp_path / "g" / "tail.npy", np.zeros(13, np.int32))
    with pytest.raises(BadGraph, match="tail has 13 elements where 14"):
        open_graph(tmp_path / "g")


def test_no_graph_at_all(tmp_path: Path) -> None:
    with pytest.raises(BadGraph, match="import-osm"):
        open_graph(tmp_path / "nowhere")
    with pytest.raises(BadGraph, match="import-osm"):
        open_graph(tmp_path)


def test_moving_a_graph_does_not_break_it(tmp_path: Path) -> None:
    save_graph(tmp_path / "g", drawn())
    shutil.move(tmp_path / "g", tmp_path / "h")
    assert open_graph(tmp_path / "h", verify=True).edge_count == 14


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("reverse", 0, 0, "reverse"), ("head", 0, 99, "head"), ("head", 0, 5, "reverse"),
        ("tail", 0, 1, "tail"), ("first_out", 1, 9, "first_out"), ("shape_lat", 0, 1.0, "shape"),
        ("shape_first", 1, 1, "fewer than two"),
        ("name", 0, 7, "name"), ("cell", 0, 7, "cell"), ("length_m", 0, np.nan, "length_m"),
        ("duration_s", 0, 0.0, "duration_s"), ("static_factors", 0, 1.5, "static factor"),
        ("grid_key", 0, 2**62, "grid_key"), ("grid_edge", 0, -1, "grid_edge"),
        ("grid_first", 0, 1, "grid_first"), ("hours", 0, 3, "hours"), ("way", 0, 5, "do not join"),
    ],
)  # fmt: skip
def test_every_broken_invariant_is_named(name: str, place: int, value: float, message: str) -> None:
    graph = drawn()
    array = getattr(graph, name).copy()
    array[place] = value
    with pytest.raises(BadGraph, match=message):
        check_graph(replace(graph, **{name: array}))


def test_the_hierarchy_is_opened_and_compared_with_the_graph(tmp_path: Path) -> None:
    saved = save_graph(tmp_path / "g", drawn())
    again = open_graph(tmp_path / "g", verify=True)
    for name, array in build_hierarchy(drawn())._asdict().items():
        assert np.array_equal(getattr(again.hierarchy, name), array)
        assert not getattr(again.hierarchy, name).flags.writeable
    stored = saved.hierarchy
    other = build_hierarchy(saved, stored.rank[::-1].copy())
    with pytest.raises(BadGraph, match="another graph's"):
        check_hierarchy(saved, stored._replace(slot_of_edge=other.slot_of_edge), deep=True)
    with pytest.raises(BadGraph, match="no order"):
        check_hierarchy(saved, stored._replace(rank=np.zeros_like(stored.rank)), deep=True)
    with pytest.raises(BadGraph, match="hierarchy_slot_of_edge has"):
        check_hierarchy(saved, stored._replace(slot_of_edge=stored.slot_of_edge[1:]), deep=False)
