"""Five real cities, each with what is peculiar to it: squares, stairs, lifts, islands, bridges, gates."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely

from geo.geodesy import haversine_m
from geo.graph import Graph, edge_id
from geo.graph_check import check_graph
from geo.osm.foot_access import CLASS_CODE
from geo.osm.reader import read_extract
from geo.osm.walkable_areas import cross_areas

OSM = Path(__file__).parents[2] / "data" / "osm"
City = Callable[[str], Graph]


@pytest.mark.parametrize(
    ("name", "nodes", "edges", "length_km", "components"),
    [
        ("altona", 838, 2178, 28.1, 1),
        ("copenhagen", 7778, 22826, 786.4, 1),
        ("porto-centre", 6845, 23700, 370.6, 1),
        ("monaco", 3898, 10266, 459.3, 1),
        ("helsinki-centre", 33305, 95441, 816.9, 2),  # the second is a metro station below ground
    ],
)
def test_the_graph_of_a_city(
    city_named: City, name: str, nodes: int, edges: int, length_km: float, components: int
) -> None:
    graph = city_named(name)
    check_graph(graph)
    counts = graph.meta["counts"]
    assert isinstance(counts, dict)
    assert (graph.node_count, graph.edge_count) == (nodes, edges)
    assert (counts["length_km"], counts["components"]) == (length_km, components)
    # walking pace is honest: nowhere faster than the reference, on stairs half of it
    pace = graph.length_m / graph.duration_s
    slopes = graph.static_factors[:, 8] > 0
    assert pace[(graph.road_class != CLASS_CODE["ferry"]) & ~slopes].max() <= 1.351
    assert np.allclose(pace[graph.road_class == CLASS_CODE["steps"]], 1.35 / 2, rtol=1e-4)
    # edges do not span ways: every pair (way, from, to) is one edge
    ids = {edge_id(graph, e) for e in range(graph.edge_count)}
    assert len(ids) == graph.edge_count


@pytest.mark.parametrize("name", ["porto-centre", "monaco"])
def test_no_line_across_an_area_leaves_it_or_enters_a_house(name: str) -> None:
    (file,) = (OSM / name).glob("*.osm.pbf")
    extract = read_extract(file)
    crossed = cross_areas(extract.ways, extract.areas, extract.obstacles, extract.position, extract.stops)
    place = {**extract.position, **crossed.position}
    houses = shapely.STRtree(
        [shapely.Polygon([(lon, lat) for lat, lon in o.places[0]]) for o in extract.obstacles if o.solid]
    )
    before = {way.way: len(way.runs) for way in extract.ways}
    areas = {}
    for area in extract.areas:
        shell, *holes = [[place[ref][::-1] for ref in ring] for ring in area.rings]
        areas.setdefault(area.way, []).append(shapely.Polygon(shell, holes))
    checked = entered = 0
    for way in crossed.ways:
        for a, b in way.runs[before.get(way.way, 0) :]:
            line = shapely.LineString([place[a][::-1], place[b][::-1]])
            inside = max(area.buffer(2e-6).intersection(line).length for area in areas[way.way])
            assert inside == pytest.approx(line.length, rel=1e-3), (way.way, a, b)
            through = houses.geometries[houses.query(line, predicate="crosses")]
            entered += any(house.intersection(line).length > 0.05 * line.length for house in through)
            checked += 1
    assert checked == crossed.lines > 50
    assert entered <= 0.01 * checked  # houses that cover most of an area are not in its way


@pytest.mark.parametrize(
    ("name", "square", "title"),
    [
        ("copenhagen", 28599292, "Højbro Plads"),
        ("porto-centre", 210470759, "Terreiro da Sé"),
        ("monaco", 4227155, "Place du Palais"),
        ("helsinki-centre", 4369051, "Narinkkatori"),
    ],
)
def test_a_known_square_is_crossed(city_named: City, name: str, square: int, title: str) -> None:
    graph = city_named(name)
    edges = np.flatnonzero(graph.way == square)
    assert {graph.names[graph.name[e]] for e in edges} == {title}
    assert set(graph.road_class[edges]) == {CLASS_CODE["pedestrian"]}
    nodes = np.unique(graph.tail[edges])
    straight = haversine_m(
        graph.node_lat[nodes, None], graph.node_lon[nodes, None], graph.node_lat[nodes], graph.node_lon[nodes]
    )
    # its longest lines across are as long as it is wide, and not walks round it
    points = np.diff(graph.shape_first)[edges]
    assert graph.length_m[edges[points == 2]].max() > 0.5 * straight.max()


def test_stairs_and_lifts(city_named: City) -> None:
    monaco, helsinki = city_named("monaco"), city_named("helsinki-centre")
    stairs = monaco.road_class == CLASS_CODE["steps"]
    assert stairs.sum() > 500
    assert np.all(monaco.reverse[stairs] >= 0)
    assert np.all(monaco.static_factors[stairs, 6] == 1)
    lifts = np.isin(helsinki.way, [465145489, 470014072])
    assert set(helsinki.road_class[lifts]) <= {CLASS_CODE["corridor"]}
    moving = helsinki.way == 18378805  # stairs that move one way
    assert moving.any()
    assert np.all(helsinki.reverse[moving] == -1)


def test_bridges_pass_over_streets_without_meeting_them(porto: Graph) -> None:
    def lines(edges: np.ndarray) -> np.ndarray:
        points = np.stack([porto.shape_lon, porto.shape_lat], axis=1)
        first = porto.shape_first
        return np.array([shapely.LineString(points[first[e] : first[e + 1]]) for e in edges], dtype=object)

    deck = np.flatnonzero(np.isin(porto.way, [98835981, 238911291]))  # upper deck of Ponte Dom Luís I
    nodes = set(porto.tail[deck].tolist())
    others = np.setdiff1d(np.arange(porto.edge_count), deck)
    crossing = shapely.STRtree(lines(others)).query(lines(deck), predicate="crosses")[1]
    below = others[np.unique(crossing)]
    assert len(below) >= 4  # the quays on both banks
    assert not nodes & {*porto.tail[below].tolist(), *porto.head[below].tolist()}


def test_islands_are_reached_by_ferries_and_bridges(city_named: City, copenhagen: Graph) -> None:
    helsinki = city_named("helsinki-centre")
    ferries = np.flatnonzero(helsinki.road_class == CLASS_CODE["ferry"])
    assert len(ferries) > 20
    assert np.all(helsinki.component[ferries] == 0)
    assert np.allclose(helsinki.length_m[ferries] / helsinki.duration_s[ferries], 2.8, rtol=1e-3)
    # Christianshavn is an island; its bridges and those of Amager make one town of it
    assert copenhagen.node_lon.max() > 12.61
    assert copenhagen.meta["counts"]["components"] == 1  # type: ignore[index]


def test_a_shopping_street_that_is_barred_to_vehicles_is_walked(porto: Graph) -> None:
    assert np.isin([26119759, 142214758], porto.way).all()  # Rua de Santa Catarina, access=delivery


def test_gates_of_helsinki_have_their_hours(city_named: City) -> None:
    helsinki = city_named("helsinki-centre")
    assert {text for rule in helsinki.rules for text in rule.texts} >= {"open 07:00-22:00"}
    assert {rule.time_zone for rule in helsinki.rules} == {"Europe/Helsinki"}
    hours = helsinki.meta["opening_hours"]
    assert isinstance(hours, dict)
    assert hours["not_understood"] == {"Closed after eight": 1}
