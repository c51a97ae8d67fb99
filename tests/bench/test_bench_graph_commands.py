"""`flaneur bench route`, `conditions` and `growth` from the command line, and the peers that are here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.peers.routing import choose_routing_peers, run_routing_peer
from bench.rig.draws import random_pairs
from bench.rig.graph_run import graph_job
from bench.route import coordinates, deviation, node_pairs
from geo.graph import open_graph
from geo.routing.costs import static_costs
from geo.routing.metric import make_metric
from tests.bench.altona import ALTONA, bench


def figures(*arguments: str) -> list[dict[str, Any]]:
    done = bench(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_route_measures_and_checks(graph_dir: str) -> None:
    lines = figures("route", "--graph", graph_dir, "--pairs", "200", "--peers", "none")
    by_metric = {line["metric"]: line for line in lines}
    assert {"archetype_queries_per_s", "personal_queries_per_s", "cost_mismatches"} <= set(by_metric)
    assert by_metric["cost_mismatches"]["value"] == 0.0
    assert by_metric["cost_mismatches"]["compared"] == 2 * 2 * 5 * 200
    assert all(line["value"] > 0 for line in lines if line["metric"] != "cost_mismatches")
    assert {line["bench"] for line in lines} == {"route"}
    assert all(line["clock"] == "CPU time of one thread on one core" for line in lines)


def test_conditions_measure_every_kind_of_news(graph_dir: str) -> None:
    lines = figures("conditions", "--graph", graph_dir, "--changes", "20", "--peers", "none")
    values = {line["metric"]: line["value"] for line in lines}
    assert set(values) == {
        "order_s",
        "customize_ms",
        "closure_p99_ms",
        "cell_100_edges_ms",
        "rescore_10000_routes_ms",
        "bytes_per_node",
        "bytes_per_node_and_metric",
    }
    assert all(value > 0 for value in values.values())
    assert values["order_s"] < 60.0
    assert 20.0 < values["bytes_per_node_and_metric"] < values["bytes_per_node"]


def test_growth_goes_from_pieces_to_a_planet(graph_dir: str) -> None:
    lines = figures("growth", graph_dir, str(ALTONA), "--mosaic", "2")
    assert lines[0]["metric"] == "import_s"
    nodes = [line["nodes"] for line in lines if line["metric"] == "arcs_per_node"]
    assert len(nodes) == 7
    assert max(nodes) == 4 * nodes[0]
    planet = {line["metric"]: line for line in lines if line.get("of") == "planet"}
    country = {line["metric"]: line for line in lines if line.get("of") == "country"}
    assert planet["planet_order_s"]["value"] > country["country_order_s"]["value"] > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("route", "--pairs", "0"), "pairs is 0, it must be 1 or more"),
        (("route", "--peers", "valhalla"), "valhalla makes a graph of its own: name the OSM extract with"),
        (("conditions", "--peers", "osrm"), "peer 'osrm' is unknown: choose from routingkit, or none"),
        (("conditions", "--changes", "0"), "changes is 0, it must be 1 or more"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    graph_dir: str, arguments: tuple[str, ...], sentence: str
) -> None:
    done = bench(*arguments, "--graph", graph_dir)
    assert done.returncode == 2
    assert done.stderr.startswith(f"flaneur: {sentence}")
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_peers_on_the_same_graph_find_the_same_costs(graph_dir: str) -> None:
    graph = open_graph(graph_dir)
    metric = make_metric(graph, static_costs(graph), {})
    pairs = random_pairs(graph, 100, 1)
    job = graph_job(graph, metric.impedance) | {
        "node_pairs": node_pairs(graph, pairs),
        "place_pairs": coordinates(graph, pairs),
        "seconds": 0.1,
        "closures": [[3], [4, 5]],
        "rains": [[1, 2, 3]],
    }
    for peer in choose_routing_peers(None, ("routingkit", "igraph"), False):
        result = run_routing_peer(peer, job)
        assert result["version"]
        assert result["route"]["queries_per_s"] > 0
        assert deviation(graph, metric.impedance, pairs, result["route"]["costs"]) < 1e-3, peer.name
