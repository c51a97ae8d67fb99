"""OSM files in, graphs out: formats, orders, multipolygons, overlaps and crumbs."""

import bz2
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from geo.errors import BadGraph
from geo.geodesy import haversine_m
from geo.graph import Graph, edge_id, edge_index
from geo.graph_check import check_graph
from geo.osm.foot_access import ROAD_CLASSES
from geo.osm.importer import graph_of, import_osm
from geo.osm.reader import read_extract

OSM = Path(__file__).parents[2] / "data" / "osm"


def xml(
    nodes: Mapping[int, tuple[float, float]],
    ways: Mapping[int, tuple[Sequence[int], Mapping[str, str]]],
    relations: Mapping[int, tuple[Sequence[tuple[int, str]], Mapping[str, str]]] | None = None,
    *,
    ways_first: bool = False,
) -> str:
    """An OSM XML file; relations have ways as members, with roles."""
    node_part = [f'<node id="{i}" lat="{lat}" lon="{lon}" version="1"/>' for i, (lat, lon) in nodes.items()]
    way_part = []
    for i, (refs, tags) in ways.items():
        inside = "".join(f'<nd ref="{ref}"/>' for ref in refs)
        way_part.append(f'<way id="{i}" version="1">{inside}{_tags(tags)}</way>')
    relation_part = []
    for i, (members, tags) in (relations or {}).items():
        inside = "".join(f'<member type="way" ref="{ref}" role="{role}"/>' for ref, role in members)
        relation_part.append(f'<relation id="{i}" version="1">{inside}{_tags(tags)}</relation>')
    parts = [way_part, node_part] if ways_first else [node_part, way_part]
    body = "\n".join(line for part in [*parts, relation_part] for line in part)
    return f'<?xml version="1.0"?>\n<osm version="0.6">\n{body}\n</osm>\n'


def _tags(tags: Mapping[str, str]) -> str:
    return "".join(f'<tag k="{key}" v="{value}"/>' for key, value in tags.items())


SQUARE = {1: (55.0, 12.0), 2: (55.0, 12.002), 3: (55.001, 12.002), 4: (55.001, 12.0)}
ROUND = {10: ([1, 2, 3], {"highway": "footway"}), 11: ([3, 4, 1], {"highway": "path", "name": "Sti"})}


def write(path: Path, text: str) -> Path:
    data = text.encode()
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".bz2":
        data = bz2.compress(data)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [".osm", ".osm.gz", ".osm.bz2"])
@pytest.mark.parametrize("ways_first", [False, True])
def test_a_small_file_in_every_text_format(tmp_path: Path, suffix: str, ways_first: bool) -> None:
    graph = import_osm([write(tmp_path / f"a{suffix}", xml(SQUARE, ROUND, ways_first=ways_first))])
    check_graph(graph)
    assert sorted(edge_id(graph, e) for e in range(graph.edge_count)) == [
        "10/1/3", "10/3/1", "11/1/3", "11/3/1",
    ]  # fmt: skip
    edge = edge_index(graph, 11, 3, 1)
    assert graph.names[graph.name[edge]] == "Sti"
    assert ROAD_CLASSES[graph.road_class[edge]] == "path"
    assert graph.name[edge_index(graph, 10, 1, 3)] == -1
    assert graph.length_m[edge] == pytest.approx(
        haversine_m(55.001, 12.002, 55.001, 12.0) + haversine_m(55.001, 12.0, 55.0, 12.0)
    )


def test_the_outline_of_a_square_mapped_as_multipolygon_can_be_walked(tmp_path: Path) -> None:
    ways: dict[int, tuple[Sequence[int], Mapping[str, str]]] = {10: ([1, 2, 3], {}), 11: ([3, 4, 1], {})}
    relations = {5: ([(10, "outer"), (11, "outer")], {"type": "multipolygon", "highway": "pedestrian"})}
    graph = import_osm([write(tmp_path / "a.osm", xml(SQUARE, ways, relations))])
    assert {ROAD_CLASSES[c] for c in graph.road_class} == {"pedestrian"}
    assert set(graph.way.tolist()) == {10, 11}


def test_a_park_mapped_as_multipolygon_is_green(tmp_path: Path) -> None:
    ways = {
        10: ([1, 2, 3], {}),
        11: ([3, 4, 1], {}),
        12: ([1, 3], {"highway": "path"}),
    }
    relations = {5: ([(10, "outer"), (11, "outer")], {"type": "multipolygon", "leisure": "park"})}
    graph = import_osm([write(tmp_path / "a.osm", xml(SQUARE, ways, relations))])
    assert set(graph.way.tolist()) == {12}
    assert graph.static_factors[:, 2].min() == 1.0


def test_a_way_with_missing_nodes_is_walkable_where_it_is_known(tmp_path: Path) -> None:
    ways = {10: ([1, 2, 77, 3, 4, 78], {"highway": "footway"})}
    extract = read_extract(write(tmp_path / "a.osm", xml(SQUARE, ways)))
    graph = graph_of([extract], keep_all=True)
    assert {edge_id(graph, e) for e in range(graph.edge_count)} == {
        "10/1/2", "10/2/1", "10/3/4", "10/4/3",
    }  # fmt: skip


def test_extracts_that_overlap_are_joined(tmp_path: Path) -> None:
    nodes = {**SQUARE, 5: (55.002, 12.002), 6: (55.003, 12.002)}
    north = {11: ROUND[11], 12: ([3, 5, 6], {"highway": "footway"})}
    cut = {n: place for n, place in nodes.items() if n != 2}
    a = write(tmp_path / "a.osm", xml(SQUARE, {**ROUND, 12: ([3, 5, 6], {"highway": "footway"})}))
    b = write(tmp_path / "b.osm", xml(cut, north))
    for files in ([a, b], [b, a]):
        graph = import_osm(files)
        assert graph.meta["counts"] == {**_counts(graph), "components": 1}
        ids = {edge_id(graph, e) for e in range(graph.edge_count)}
        assert ids == {"10/1/3", "10/3/1", "11/1/3", "11/3/1", "12/3/6", "12/6/3"}


def _counts(graph: Graph) -> dict[str, object]:
    counts = graph.meta["counts"]
    assert isinstance(counts, dict)
    return counts


def test_several_cities_are_several_components(tmp_path: Path) -> None:
    elsewhere = {n + 100: (lat - 40, lon + 100) for n, (lat, lon) in SQUARE.items()}
    far = {w + 100: ([r + 100 for r in refs], tags) for w, (refs, tags) in ROUND.items()}
    a = write(tmp_path / "a.osm", xml(SQUARE, ROUND))
    b = write(tmp_path / "b.osm", xml(elsewhere, far))
    graph = import_osm([a, b])
    assert graph.edge_count == 8
    assert sorted(set(graph.component.tolist())) == [0, 1]
    sources = graph.meta["sources"]
    assert isinstance(sources, list)
    assert [source["file"] for source in sources] == ["a.osm", "b.osm"]


def test_crumbs_are_dropped_and_reported(tmp_path: Path) -> None:
    nodes = {i: (55.0, 12.0 + i * 0.001) for i in range(60)}
    nodes.update({100: (55.1, 12.0), 101: (55.1, 12.001), 102: (55.1, 12.002)})
    ways = {i: ([i, i + 1], {"highway": "footway"}) for i in range(59)}
    ways[100] = ([100, 101], {"highway": "footway"})
    graph = import_osm([write(tmp_path / "a.osm", xml(nodes, ways))])
    assert graph.edge_count == 118
    assert 100 not in graph.way
    dropped = graph.meta["dropped"]
    assert isinstance(dropped, dict)
    assert (dropped["components"], dropped["edges"]) == (1, 2)
    # three more edges, and it is at least a twentieth of the largest
    ways.update({101: ([101, 102], {"highway": "path"}), 102: ([102, 100], {"highway": "steps"})})
    graph = import_osm([write(tmp_path / "b.osm", xml(nodes, ways))])
    assert {100, 101, 102} <= set(graph.way.tolist())


def test_importing_is_repeatable(tmp_path: Path) -> None:
    first, second = (import_osm([OSM / "altona" / "altona.osm.pbf"]) for _ in range(2))
    for name in ("node_osm", "head", "shape_lat", "static_factors", "grid_edge", "cell_h3"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.osm", "", "cannot be read as OSM data"),
        ("a.osm", "<html></html>", "cannot be read as OSM data"),
        ("a.osm", xml(SQUARE, ROUND)[:-60], "cannot be read as OSM data"),
        ("a.osm", '<osm version="0.6"></osm>', "no way that people may walk"),
        ("a.osm", xml(SQUARE, {1: ([1, 2], {"highway": "motorway"})}), "no way that people may walk"),
        ("a.osm", xml({}, ROUND), "no way that people may walk"),
        ("a.osm", xml(SQUARE, {1: ([1, 1], {"highway": "path"})}), "no way that people may walk"),
        ("a.osm.pbf", xml(SQUARE, ROUND), "cannot be read as OSM data"),
        ("a.osm.gz", "", "cannot be read as OSM data"),
        ("a.txt", xml(SQUARE, ROUND), "not named like an OSM file"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadGraph, match=message):
        import_osm([tmp_path / name])


def test_missing_and_cut_off_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGraph, match="No such file"):
        import_osm([tmp_path / "nowhere.osm"])
    with pytest.raises(BadGraph, match="no OSM file"):
        import_osm([])
    (tmp_path / "dir.osm").mkdir()
    with pytest.raises(BadGraph, match="cannot read"):
        import_osm([tmp_path / "dir.osm"])
    whole = (OSM / "altona" / "altona.osm.pbf").read_bytes()
    for size in (0, 10, 1000, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.osm.pbf").write_bytes(whole[:size])
        with pytest.raises(BadGraph):
            import_osm([tmp_path / "cut.osm.pbf"])


def test_progress_reaches_its_end(tmp_path: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}
    import_osm(
        [write(tmp_path / "a.osm", xml(SQUARE, ROUND))], lambda stage, *done: seen.update({stage: done})
    )
    assert seen == {"read": (1, 1), "split": (1, 1), "factors": (2, 2)}
    square = {
        10: ([1, 2, 3, 4, 1], {"highway": "pedestrian", "area": "yes"}),
        11: ([1, 3], {"highway": "path"}),
    }
    import_osm(
        [write(tmp_path / "b.osm", xml(SQUARE, square))], lambda stage, *done: seen.update({stage: done})
    )
    assert seen["areas"] == (1, 1)


def test_the_cell_of_an_edge_is_where_its_middle_is() -> None:
    graph = import_osm([OSM / "altona" / "altona.osm.pbf"])
    for edge in range(0, graph.edge_count, 97):
        first, last = graph.shape_first[edge], graph.shape_first[edge + 1] - 1
        cell = graph.cell[edge]
        away = haversine_m(
            graph.shape_lat[first : last + 1].mean(), graph.shape_lon[first : last + 1].mean(),
            graph.cell_lat[cell], graph.cell_lon[cell],
        )  # fmt: skip
        assert away < 220 + graph.length_m[edge] / 2  # 220 m: from a cell's centre to its farthest corner
