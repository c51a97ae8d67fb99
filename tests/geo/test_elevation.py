"""Slopes from an elevation model: tiles that are planes, so that every slope is known."""

import gzip
import math
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from geo.errors import BadGraph
from geo.geodesy import METRES_PER_DEG
from geo.graph import Graph
from geo.osm.elevation import ElevationModel
from geo.osm.importer import graph_of, import_osm
from geo.pace import REFERENCE_MPS, tobler_factor
from geo.routing.costs import STATIC_FACTORS
from tests.geo.asciimap import extract_from_ascii
from tests.geo.test_osm_import import xml

STEEP = STATIC_FACTORS.index("steep")
Heights = Callable[[np.ndarray, np.ndarray], np.ndarray]


def tile(folder: Path, south: int, west: int, height: Heights, size: int = 1201) -> Path:
    """An .hgt file; `height` of degrees north and east of the south-west corner."""
    folder.mkdir(exist_ok=True)
    north = np.linspace(1, 0, size)[:, None]
    east = np.linspace(0, 1, size)[None, :]
    file = (
        folder / f"{'N' if south >= 0 else 'S'}{abs(south):02}{'E' if west >= 0 else 'W'}{abs(west):03}.hgt"
    )
    file.write_bytes(np.rint(height(north + 0 * east, east + 0 * north)).astype(">i2").tobytes())
    return file


def plane(north: np.ndarray, east: np.ndarray, *, to_north: float = 0.0, to_east: float = 0.0) -> np.ndarray:
    """Metres above the sea where it climbs by that much a degree; drawn maps are at 60° N, 24° E."""
    return 1000 + north * to_north + east * to_east


def drawn(drawing: str, model: ElevationModel, **options: object) -> tuple[Graph, dict[str, int]]:
    extract, places = extract_from_ascii(drawing, **options)  # type: ignore[arg-type]
    graph = graph_of([extract], keep_nodes=set(places.values()), keep_all=True, model=model)
    index = {int(osm): node for node, osm in enumerate(graph.node_osm)}
    return graph, {place: index[osm] for place, osm in places.items() if osm in index}


def edge(graph: Graph, at: dict[str, int], name: str) -> int:
    (found,) = np.flatnonzero((graph.tail == at[name[0]]) & (graph.head == at[name[1]]))
    return int(found)


def slope_of(graph: Graph, at: dict[str, int], name: str) -> float:
    """The slope that the walking time of an edge tells, uphill or steeper than 5 % downhill."""
    e = edge(graph, at, name)
    factor = graph.duration_s[e] * REFERENCE_MPS / graph.length_m[e]
    return math.log(factor) / 3.5


EAST_M = METRES_PER_DEG * math.cos(math.radians(60.0))  # metres a degree of longitude
LINE = "X\n\n\n\n\nC--------D"  # drawn southwards from 60° N, so in the tile south of it


def test_uphill_takes_longer_than_downhill(tmp_path: Path) -> None:
    tile(tmp_path, 59, 24, partial(plane, to_east=0.10 * EAST_M))
    graph, at = drawn(LINE, ElevationModel(tmp_path), metres_per_char=50)
    assert slope_of(graph, at, "CD") == pytest.approx(0.10, abs=0.004)
    up, down = edge(graph, at, "CD"), edge(graph, at, "DC")
    flat_s = graph.length_m[up] / REFERENCE_MPS
    assert graph.duration_s[up] == pytest.approx(flat_s * tobler_factor(0.10), rel=0.02)
    assert graph.duration_s[down] == pytest.approx(flat_s * tobler_factor(-0.10), rel=0.02)
    for e in (up, down):
        assert graph.static_factors[e, STEEP] == pytest.approx((0.10 - 0.02) / 0.13, abs=0.05)
    assert graph.meta["elevation"] == "from N59E024.hgt, known along 100.0% of the ways"


def test_across_the_slope_is_flat(tmp_path: Path) -> None:
    tile(tmp_path, 59, 24, partial(plane, to_north=0.10 * METRES_PER_DEG))
    graph, at = drawn(LINE, ElevationModel(tmp_path), metres_per_char=50)
    assert graph.duration_s[edge(graph, at, "CD")] == pytest.approx(
        graph.length_m[edge(graph, at, "CD")] / REFERENCE_MPS, rel=0.01
    )
    assert graph.static_factors[edge(graph, at, "CD"), STEEP] < 0.02


def test_a_hill_on_the_way_counts_though_both_ends_are_level(tmp_path: Path) -> None:
    # a ridge 20 m high, in steps of 3 arc seconds, 250 m from the origin
    def ridge(north: np.ndarray, east: np.ndarray) -> np.ndarray:
        return np.maximum(0, 30 - np.abs(east * EAST_M - 225) / 5)

    tile(tmp_path, 59, 24, ridge)
    graph, at = drawn(LINE, ElevationModel(tmp_path), metres_per_char=50)
    e = edge(graph, at, "CD")
    assert graph.duration_s[e] > graph.length_m[e] / REFERENCE_MPS * 1.1
    assert graph.static_factors[e, STEEP] > 0.4


VALLEY = """
    A-----B-----C-----D-----E
"""


@pytest.mark.parametrize("tag", [{"bridge": "yes"}, {"tunnel": "yes"}, {"layer": "1"}])
def test_bridges_do_not_go_down_into_the_valley(tmp_path: Path, tag: dict[str, str]) -> None:
    def valley(north: np.ndarray, east: np.ndarray) -> np.ndarray:
        # level at 100 m, 40 m deeper around the middle of the drawing, the far side 10 m higher
        x = east * EAST_M
        return np.where(np.abs(x - 1200) < 500, 60, np.where(x > 1200, 110, 100))

    tile(tmp_path, 59, 24, valley)
    bridge = {"highway": "footway", **tag}
    tags = {"BC": bridge, "CD": bridge}
    graph, at = drawn(
        "+\n" + VALLEY.strip("\n").strip(), ElevationModel(tmp_path), metres_per_char=100, tags=tags
    )
    # B is at 600 m, C at 1200 m, D at 1800 m: both halves of the bridge climb 5 of the 10 m
    for name in ("BC", "CD"):
        assert slope_of(graph, at, name) == pytest.approx(5 / 600, abs=0.001)


def test_a_measured_incline_goes_before_the_model(tmp_path: Path) -> None:
    tile(tmp_path, 59, 24, partial(plane, to_east=0.10 * EAST_M))
    tags = {"CD": {"highway": "footway", "incline": "5%"}}
    graph, at = drawn(LINE, ElevationModel(tmp_path), metres_per_char=50, tags=tags)
    assert slope_of(graph, at, "CD") == pytest.approx(0.05, abs=1e-3)


def test_where_nothing_is_known_it_is_flat_and_said(tmp_path: Path) -> None:
    def half(north: np.ndarray, east: np.ndarray) -> np.ndarray:
        return np.where(east * EAST_M < 200, -32768, plane(north, east, to_east=0.10 * EAST_M))

    tile(tmp_path, 59, 24, half)
    graph, at = drawn("X\nA---B-------C", ElevationModel(tmp_path), metres_per_char=50)
    e = edge(graph, at, "AB")
    assert graph.duration_s[e] == pytest.approx(graph.length_m[e] / REFERENCE_MPS)
    assert slope_of(graph, at, "BC") == pytest.approx(0.0, abs=0.11)
    assert "known along" in str(graph.meta["elevation"])
    extract, _ = extract_from_ascii("A---B")
    elsewhere = ElevationModel(tile(tmp_path, 10, 10, plane))
    with pytest.raises(BadGraph, match="no tile of the elevation model covers"):
        graph_of([extract], keep_all=True, model=elsewhere)


def test_tiles_may_be_packed_and_lie_anywhere_on_earth(tmp_path: Path) -> None:
    plain = tile(tmp_path, -34, -59, partial(plane, to_north=100))
    south_west = [ElevationModel(plain)]
    (tmp_path / "gz").mkdir()
    (tmp_path / "gz" / "S34W059.hgt.gz").write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "zip").mkdir()
    with zipfile.ZipFile(tmp_path / "zip" / "s34w059.SRTMGL1.hgt.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "S34W059.hgt")
    south_west += [ElevationModel(tmp_path / "gz"), ElevationModel(tmp_path / "zip")]
    lat, lon = np.array([-33.25, -33.999, 12.0]), np.array([-58.5, -58.001, 12.0])
    for model in south_west:
        heights = model.heights(lat, lon)
        assert heights[:2] == pytest.approx([1075.0, 1000.1], abs=0.6)
        assert np.isnan(heights[2])


def test_fine_tiles_are_smoothed(tmp_path: Path) -> None:
    def rough(north: np.ndarray, east: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(1).normal(0, 3, north.shape)
        return plane(north, east) + noise

    model = ElevationModel(tile(tmp_path, 59, 24, rough, size=3601))
    rng = np.random.default_rng(2)
    heights = model.heights(59 + rng.random(2000), 24 + rng.random(2000))
    assert heights.mean() == pytest.approx(1000, abs=0.2)
    assert heights.std() < 1.5


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("N59E024.hgt", b"abc", "3 bytes"),
        ("N59E024.hgt.gz", b"abc", "cannot read"),
        ("N59E024.hgt.zip", b"abc", "cannot read"),
        ("height.tif", b"abc", "is no elevation model"),
    ],
)
def test_what_is_no_elevation_model_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadGraph, match=message):
        ElevationModel(tmp_path / name).heights(np.array([59.5]), np.array([24.5]))
    with pytest.raises(BadGraph, match="is no elevation model"):
        ElevationModel(tmp_path / "nowhere")


def test_an_import_takes_a_folder_of_tiles(tmp_path: Path) -> None:
    nodes = {1: (59.5, 24.5), 2: (59.5, 24.51)}
    (tmp_path / "a.osm").write_text(xml(nodes, {1: ([1, 2], {"highway": "path"})}))
    tile(tmp_path / "dem", 59, 24, partial(plane, to_east=0.10 * EAST_M))
    flat = import_osm([tmp_path / "a.osm"])
    hilly = import_osm([tmp_path / "a.osm"], dem=tmp_path / "dem")
    assert str(flat.meta["elevation"]).startswith("flat")
    assert hilly.duration_s.max() > flat.duration_s.max() * 1.3
    assert hilly.duration_s.min() < hilly.duration_s.max() * 0.75
    # taste and everything else stay as they were
    columns = [i for i in range(len(STATIC_FACTORS)) if i != STEEP]
    assert np.array_equal(flat.static_factors[:, columns], hilly.static_factors[:, columns])


def test_no_model_is_no_slope() -> None:
    extract, _ = extract_from_ascii("A----B")
    graph = graph_of([extract], keep_all=True)
    assert graph.duration_s == pytest.approx(graph.length_m / REFERENCE_MPS)
