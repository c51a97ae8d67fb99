"""The kernels behind loops against naive twins on random graphs; good and bad loops on drawn maps."""

import itertools

import numpy as np
import pytest

from geo.errors import NoRoute
from geo.loops.loops import loops
from geo.loops.pairs import unpack_ways
from geo.loops.search import Amount, LoopSearch, draft_of
from geo.loops.vias import climb_vias, meet_between
from geo.loops.ways import passes_again
from geo.routing.costs import static_costs
from geo.routing.metric import Metric, customized, make_metric
from geo.routing.paths import node_place, path_of, walked_twice_m
from geo.routing.search import Place, SearchSpace
from tests.geo.asciimap import graph_from_ascii
from tests.geo.naive_loops import naive_amounts, naive_costs, naive_loop_lengths
from tests.geo.naive_search import piece_fractions, random_costs, random_graph, random_place

NO_EDGES = np.empty(0, np.int32)


def question(graph, metric, place, wanted, home=None):
    amount, home = Amount(wanted, False), home or place
    metric = customized(graph, metric)
    return LoopSearch(graph, metric, metric, place, home, SearchSpace(graph), amount, NO_EDGES, 0.0)


def random_question(seed, closed_share=0.05):
    graph = random_graph(seed)
    metric = make_metric(graph, random_costs(graph, seed, closed_share=closed_share), {})
    rng = np.random.default_rng(seed)
    place = random_place(graph, rng)
    return graph, metric, place, question(graph, metric, place, float(rng.uniform(300.0, 1500.0)))


@pytest.mark.parametrize("seed", range(150))
def test_trees_tell_impedances_and_metres_of_the_best_ways(seed):
    graph, metric, place, search = random_question(seed)
    naive = naive_amounts(graph, metric, place)
    rank, out, home = graph.hierarchy.rank, search.room.out, search.room.home
    for node in range(graph.node_count):
        if node in naive:
            assert out.impedance[rank[node]] == pytest.approx(naive[node][0], rel=1e-5, abs=1e-6)
            assert out.amount[rank[node]] == pytest.approx(naive[node][1], rel=1e-5, abs=1e-3)
        else:
            assert out.impedance[rank[node]] == np.inf
    for node in range(graph.node_count):
        best, least = naive_costs(graph, metric, node), np.inf
        for edge, until in (
            (place.edge, place.fraction),
            (int(graph.reverse[place.edge]), 1 - place.fraction),
        ):
            if edge >= 0:
                last = until * float(metric.impedance[edge]) if until > 0 else 0.0
                least = min(least, best.get(int(graph.tail[edge]), np.inf) + last)
        assert home.impedance[rank[node]] == pytest.approx(least, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("seed", range(60))
def test_ways_between_vias_are_the_best_ones(seed):
    graph, metric, _, search = random_question(seed)
    vias = search.room.vias(graph.node_count)
    vias.rank[:] = graph.hierarchy.rank
    climb_vias(search.climbed, search.room.depth, vias, graph.node_count)
    for a in range(graph.node_count):
        best = naive_costs(graph, metric, a)
        for b in range(graph.node_count):
            between, _ = meet_between(vias, search.room.depth, a, b)
            assert between == pytest.approx(best.get(b, np.inf), rel=1e-5, abs=1e-5)


def test_pairs_are_told_by_what_their_loops_come_to_without_spurs():
    """But for a spur over the place's own edge, which is seen only once the loop is unpacked."""
    right = []
    for seed in range(300):
        graph, _, _, search = random_question(seed)
        for error in (0.05, 0.4):
            drafts = search.through_vias(40, 4, (0.0, 1.5), error, seed)
            for i in range(len(drafts.start)):
                edges = drafts.edge[drafts.first[i] : drafts.first[i + 1]]
                path = path_of(graph, search.metric, edges, float(drafts.start[i]), float(drafts.end[i]))
                right.append(search.amount.error(path) <= error + 1e-4)
                assert not (edges[1:] == graph.reverse[edges[:-1]]).any()
                assert (graph.head[edges[:-1]] == graph.tail[edges[1:]]).all()
    assert len(right) > 1000
    assert np.mean(right) > 0.95


def test_edges_towards_the_ends_are_those_of_the_trees():
    for seed in range(40):
        graph, _, _, search = random_question(seed, closed_share=0.0)
        count = graph.node_count
        vias, first = search.room.vias(count), np.empty(count + 1, np.int64)
        vias.rank[:] = graph.hierarchy.rank
        reached = np.isfinite(search.room.out.impedance[vias.rank])
        vias.rank[:] = np.where(reached, vias.rank, vias.rank[reached][0])
        edges = unpack_ways(search.climbed, vias, count, search.room.out, 0, search.room.memory.stack, first)
        for k in range(count):
            way = edges[first[k] : first[k + 1]]  # turned round: the edge that leads to the via comes first
            assert (graph.tail[way[:-1]] == graph.head[way[1:]]).all()
            if len(way):
                assert graph.hierarchy.rank[graph.head[way[0]]] == vias.rank[k]


def test_where_the_naive_search_finds_a_loop_there_is_one():
    compared = 0
    for seed in range(250):
        graph = random_graph(seed)
        metric = make_metric(graph, random_costs(graph, seed), {})
        nodes = [n for n in range(graph.node_count) if graph.first_out[n] < graph.first_out[n + 1]]
        rng, space = np.random.default_rng(seed), SearchSpace(graph)
        node = int(rng.choice(nodes))
        possible = naive_loop_lengths(graph, metric, node)
        for wanted in rng.choice(possible, 2) if possible else []:
            wanted = float(wanted * rng.uniform(0.97, 1.03))
            if wanted < 10.0:
                continue
            found = loops(graph, metric, node_place(graph, node), space, length_m=wanted)
            assert found[0].length_m == pytest.approx(wanted, rel=0.05 + 1e-6), (seed, node, wanted)
            compared += 1
    assert compared > 200


def drawn(map, **options):
    graph, at = graph_from_ascii(map, **options)
    return graph, at, make_metric(graph, static_costs(graph), {})


def way(graph, at, names):
    pairs = itertools.pairwise(at[name] for name in names)
    edges = [
        next(e for e in range(graph.edge_count) if (graph.tail[e], graph.head[e]) == pair) for pair in pairs
    ]
    return np.array(edges, np.int32)


def test_the_other_pavement_of_a_street_is_no_other_street():
    graph, at, metric = drawn(
        "A------------------B\n|                  |\nD------------------C", metres_per_char=7.0
    )
    pavements = question(graph, metric, node_place(graph, at["A"]), 400.0)
    wide, at_wide, metric_wide = drawn(
        "A--------B\n|        |\n|        |\n|        |\n|        |\nD--------C"
    )
    block = question(wide, metric_wide, node_place(wide, at_wide["A"]), 280.0)

    def near_m(search, edges):
        memory = search.room.memory
        memory.number[0] += 1
        return passes_again(search.streets, edges, memory.visited, memory.visited_at, memory.number[0])

    assert near_m(pavements, way(graph, at, "ABCDA")) > 100.0  # all of the way back but for the turn
    assert near_m(block, way(wide, at_wide, "ABCDA")) < 50.0  # where it ends, it began
    there_and_back = near_m(block, way(wide, at_wide, "ABCBA"))
    assert there_and_back > near_m(block, way(wide, at_wide, "ABCDA"))


def test_a_small_island_is_walked_round_more_than_once():
    graph, at, metric = drawn("A----B----C\n|    |    |\n|    |    |\nD----E----F")
    start, space = node_place(graph, at["A"]), SearchSpace(graph)
    for wanted in (600.0, 1150.0):
        loop = loops(graph, metric, start, space, length_m=wanted)[0]
        assert loop.length_m == pytest.approx(wanted, rel=0.05)
        assert not (loop.edges[1:] == graph.reverse[loop.edges[:-1]]).any()


def test_where_there_is_no_loop_the_way_back_is_the_way_out():
    graph, at, metric = drawn("A----B----C----D----E----F")
    start = node_place(graph, at["B"])
    loop = loops(graph, metric, start, SearchSpace(graph), length_m=300.0)[0]
    walked = [edge for edge, share in piece_fractions(loop) if share > 0.0]
    assert walked == way(graph, at, "BCDEDCB").tolist()
    assert walked_twice_m(graph, loop) == pytest.approx(loop.length_m / 2)
    with pytest.raises(NoRoute):
        loops(graph, metric, start, SearchSpace(graph), length_m=1000.0)


def test_a_ring_whose_far_side_nobody_would_choose_is_walked_round():
    """The far side is part of no best way between nodes: the way back must keep off the way out."""
    graph, at, metric = drawn(
        "A---------------------B\n|                     |\n|                     |\nD---C-----------------E"
    )
    values = metric.impedance.copy()
    far = way(graph, at, "CE")[0]
    values[[far, graph.reverse[far]]] *= 3.0
    around = way(graph, at, "ABECDA")
    wanted = float(graph.length_m[around].sum())
    loop = loops(graph, Metric(values), node_place(graph, at["A"]), SearchSpace(graph), length_m=wanted)[0]
    assert loop.length_m == pytest.approx(wanted, rel=0.05)
    assert far in loop.edges or graph.reverse[far] in loop.edges


def test_drafts_keep_the_paths_that_they_are_made_of():
    graph, at, metric = drawn("A----B----C")
    paths = [path_of(graph, metric, way(graph, at, names), 0.0, 1.0) for names in ("AB", "ABC")]
    drafts = draft_of(paths)
    assert [drafts.edge[a:b].tolist() for a, b in itertools.pairwise(drafts.first)] == [
        path.edges.tolist() for path in paths
    ]
    assert len(draft_of([]).start) == 0


def test_a_place_amid_a_closed_street_is_left_and_not_come_back_to():
    graph, at, metric = drawn("A----B\n|    |\nD----C")
    values = metric.impedance.copy()
    shut = way(graph, at, "AB")[0]
    values[[shut, graph.reverse[shut]]] = np.inf
    with pytest.raises(NoRoute):
        loops(graph, Metric(values), Place(int(shut), 0.5), SearchSpace(graph), length_m=150.0)
