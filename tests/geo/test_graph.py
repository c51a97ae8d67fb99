"""What holds in every graph, whatever the map; and that edges keep their names."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from geo.geodesy import haversine_m
from geo.graph import Graph, edge_id, edge_index, edge_of_id
from geo.graph_check import check_graph
from geo.osm.extract import Extract
from geo.osm.importer import graph_of
from tests.geo.asciimap import graph_from_ascii

SIDE = 5  # random maps are drawn over a lattice of SIDE x SIDE OSM nodes
TAGS = st.sampled_from([
    {"highway": "footway"}, {"highway": "residential", "name": "High Street"}, {"highway": "steps"},
    {"highway": "footway", "oneway:foot": "yes"}, {"highway": "footway", "oneway:foot": "-1"},
])  # fmt: skip


@st.composite
def extracts(draw: st.DrawFn) -> Extract:
    """Ways that wander over a lattice, crossing and repeating themselves and each other, with fences."""
    extract = Extract(source={"file": "random"})
    for node in draw(st.sets(st.integers(0, SIDE * SIDE - 1), max_size=3)):
        extract.add_node(node, *place(node), {"barrier": "fence"})
    for way in range(draw(st.integers(1, 6))):
        refs = [draw(st.integers(0, SIDE * SIDE - 1))]
        for _ in range(draw(st.integers(1, 9))):
            refs.append(draw(st.sampled_from(neighbours(refs[-1]))))
        if draw(st.booleans()):
            refs.append(refs[0])
        extract.add_way(1000 + way, refs, [place(ref) for ref in refs], draw(TAGS))
    return extract


def place(node: int) -> tuple[float, float]:
    return 55.0 + (node // SIDE) * 0.001, 12.0 + (node % SIDE) * 0.001


def neighbours(node: int) -> list[int]:
    row, column = divmod(node, SIDE)
    around = [(row + r, column + c) for r in (-1, 0, 1) for c in (-1, 0, 1) if r or c]
    return [r * SIDE + c for r, c in around if 0 <= r < SIDE and 0 <= c < SIDE]


def shape(graph: Graph, edge: int) -> list[tuple[float, float]]:
    first, last = graph.shape_first[edge], graph.shape_first[edge + 1]
    return list(zip(graph.shape_lat[first:last].tolist(), graph.shape_lon[first:last].tolist(), strict=True))


@given(extracts())
@settings(deadline=None, max_examples=60)
def test_invariants_on_random_maps(extract: Extract) -> None:
    graph = graph_of([extract], keep_all=True)
    check_graph(graph)
    way_of = {way.way: way for way in extract.ways}
    walked: dict[int, set[tuple[tuple[float, float], tuple[float, float]]]] = {}
    for edge in range(graph.edge_count):
        points, way = shape(graph, edge), way_of[int(graph.way[edge])]
        tail, head, reverse = int(graph.tail[edge]), int(graph.head[edge]), int(graph.reverse[edge])
        assert graph.first_out[tail] <= edge < graph.first_out[tail + 1]
        assert points[0] == (graph.node_lat[tail], graph.node_lon[tail])
        assert points[-1] == (graph.node_lat[head], graph.node_lon[head])
        assert tail != head
        length = sum(float(haversine_m(*a, *b)) for a, b in itertools.pairwise(points))
        assert graph.length_m[edge] == pytest.approx(length, rel=1e-6)
        assert (reverse >= 0) == (way.forward and way.backward)
        if reverse >= 0:
            assert graph.reverse[reverse] == edge
            assert shape(graph, reverse) == points[::-1]
            assert graph.component[reverse] == graph.component[edge]
            assert np.array_equal(graph.static_factors[reverse], graph.static_factors[edge])
        segments = walked.setdefault(way.way, set())
        for a, b in itertools.pairwise(points):
            segments.add((a, b))
    # every segment of every way can be walked in the directions the way allows, and no other can
    for way in extract.ways:
        forward = {
            (extract.position[a], extract.position[b]) for run in way.runs for a, b in itertools.pairwise(run)
        }
        backward = {(b, a) for a, b in forward}
        allowed = (forward if way.forward else set()) | (backward if way.backward else set())
        found = walked[way.way]
        if way.forward and way.backward:
            assert found == allowed
        else:  # of a segment that a one-way way takes twice, to and fro, the first direction counts
            assert found <= allowed
            assert {frozenset(s) for s in found} == {frozenset(s) for s in allowed}


@given(extracts())
@settings(deadline=None, max_examples=40)
def test_edge_ids_are_unique_and_lead_back(extract: Extract) -> None:
    graph = graph_of([extract], keep_all=True)
    ids = [edge_id(graph, edge) for edge in range(graph.edge_count)]
    assert len(set(ids)) == len(ids)
    assert [edge_of_id(graph, text) for text in ids] == list(range(graph.edge_count))


@given(extracts())
@settings(deadline=None, max_examples=40)
def test_components_and_fences(extract: Extract) -> None:
    graph = graph_of([extract], keep_all=True)
    component_of = np.full(graph.node_count, -1)
    for edge in range(graph.edge_count):
        for node in (graph.tail[edge], graph.head[edge]):
            assert component_of[node] in (-1, graph.component[edge])
            component_of[node] = graph.component[edge]
    # walk from one node of each component: it reaches the whole of it, against one-ways too
    for component in range(graph.component.max() + 1):
        members = np.flatnonzero(component_of == component)
        reached, border = {int(members[0])}, [int(members[0])]
        while border:
            node = border.pop()
            joined = graph.head[graph.tail == node].tolist() + graph.tail[graph.head == node].tolist()
            border += [n for n in joined if n not in reached]
            reached.update(joined)
        assert reached == set(members.tolist())
    for node in np.flatnonzero(np.isin(graph.node_osm, sorted(extract.stops))):
        touching = np.flatnonzero((graph.tail == node) | (graph.head == node))
        assert len({min(e, graph.reverse[e]) if graph.reverse[e] >= 0 else e for e in touching}) == 1


def test_nodes_are_only_where_ways_meet_or_end() -> None:
    graph, at = graph_from_ascii("""
        A----+----B
             |
             +----C
    """)
    assert graph.node_count == 4  # the upper + is a junction, the lower one a bend
    assert graph.edge_count == 6
    to_c = np.flatnonzero(graph.head == at["C"])
    assert [len(shape(graph, int(e))) for e in to_c] == [3]
    assert graph.length_m[to_c[0]] == pytest.approx(70, abs=0.01)


def test_an_edge_spans_one_way_only() -> None:
    graph, at = graph_from_ascii(
        "A----B----C----D",
        tags={"AB": {"highway": "footway", "name": "Lane"}, "BCD": {"highway": "path", "name": "Trail"}},
    )
    assert {graph.names[n] for n in graph.name[graph.tail == at["B"]]} == {"Lane", "Trail"}
    assert len(np.unique(graph.way)) == 2


def test_a_ring_that_touches_another_way_once_becomes_three_edges() -> None:
    graph, at = graph_from_ascii(
        """
        A----B----+
             |    |
             +----+
        """
    )
    ring = np.flatnonzero((graph.tail != at["A"]) & (graph.head != at["A"]))
    assert len(ring) == 6
    assert graph.length_m[ring].sum() == pytest.approx(2 * 140, abs=0.1)
    assert (graph.tail != graph.head).all()


def test_a_ring_that_touches_two_ways_keeps_its_halves_apart() -> None:
    graph, at = graph_from_ascii(
        """
             +----+
             |    |
        A----B    C----D
             |    |
             +----+
        """
    )
    between = np.flatnonzero((graph.tail == at["B"]) & (graph.head == at["C"]))
    assert len(between) == 2  # two ways: each has its own id
    assert len({edge_id(graph, int(e)) for e in between}) == 2


def test_a_fence_parts_and_a_gate_does_not() -> None:
    drawing = "A----B----C"
    fenced, at = graph_from_ascii(drawing, tags={"ABC": {"highway": "path"}, "B": {"barrier": "fence"}})
    assert fenced.node_count == 4
    assert len(set(fenced.component.tolist())) == 2
    assert (fenced.node_osm == fenced.node_osm[at["B"]]).sum() == 2
    gated, _ = graph_from_ascii(drawing, tags={"ABC": {"highway": "path"}, "B": {"barrier": "gate"}})
    assert gated.node_count == 3
    assert set(gated.component.tolist()) == {0}


def test_edges_are_looked_up_by_their_osm_ids() -> None:
    graph, at = graph_from_ascii("A----B----C", tags={"ABC": {"highway": "path"}})
    edge = edge_index(graph, 101, 1, 2)
    assert (graph.tail[edge], graph.head[edge]) == (at["A"], at["B"])
    assert edge_index(graph, 101, 2, 1) == graph.reverse[edge]
    assert edge_id(graph, edge) == "101/1/2"
    with pytest.raises(BadInput, match="no edge 101/1/3"):
        edge_index(graph, 101, 1, 3)
    with pytest.raises(BadInput, match="no edge 7/1/2"):
        edge_of_id(graph, "7/1/2")


@pytest.mark.parametrize("text", ["", "101/1", "101/1/2/3", "a/b/c", "101,1,2"])
def test_what_is_no_edge_id_is_refused(text: str) -> None:
    graph, _ = graph_from_ascii("A----B")
    with pytest.raises(BadInput, match="not an edge id"):
        edge_of_id(graph, text)
