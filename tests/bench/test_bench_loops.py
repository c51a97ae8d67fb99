"""`flaneur bench loops`: its figures are those of the loops; what cannot be measured is one sentence."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from bench.loops import Answers, dead_ends, peer_values, summed_up
from bench.peers.round_trips import summed_up as round_trips
from geo.routing.costs import static_costs
from geo.routing.metric import make_metric
from geo.routing.paths import path_of
from geo.routing.search import Place
from tests.bench.altona import bench
from tests.geo.asciimap import graph_from_ascii


def test_every_length_has_its_figures(graph_dir: str) -> None:
    done = bench(
        "loops",
        *("--graph", graph_dir, "--pairs", "20", "--length-m", "1000", "--length-m", "1500"),
        *("--peers", "none", "--json"),
    )
    assert done.returncode == 0, done.stderr
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    for length_m in (1000.0, 1500.0):
        values = {line["metric"]: line["value"] for line in lines if line.get("length_m") == length_m}
        assert values["within_5pct_share"] >= 0.9
        assert values["failure_share"] == 0.0
        assert values["avoidable_twice_median"] <= values["walked_twice_median"] <= values["walked_twice_p95"]
        assert values["without_metric_p99_ms"] > 0.0
        assert 0.0 < values["three_loops_ms"] <= values["three_loops_p99_ms"]
        assert values["overlap_median"] <= 0.6
    assert {line["metric"] for line in lines if "length_m" not in line} == {
        "alternatives_ms",
        "three_alternatives_share",
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--pairs", "0"), "pairs is 0, it must be 1 or more"),
        (("--length-m", "-5"), "a loop of -5.0 m cannot be walked; the length must be positive"),
        (("--length-m", "nan"), "a loop of nan m cannot be walked; the length must be positive"),
        (("--peers", "graphhopper"), "graphhopper makes a graph of its own: name the OSM extract with"),
        (("--peers", "valhalla"), "peer 'valhalla' is unknown: choose from graphhopper, or none"),
        (("--taste", "peace=1"), "taste names 'peace', which is no factor"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    graph_dir: str, arguments: tuple[str, ...], sentence: str
) -> None:
    done = bench("loops", *arguments, "--graph", graph_dir)
    assert done.returncode == 2
    assert done.stderr.startswith(f"flaneur: {sentence}")
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_figures_of_loops_made_by_hand() -> None:
    graph, at = graph_from_ascii(
        """
        A---------B
        |         |
        |         |
        D---------C---------E
        """
    )
    metric = make_metric(graph, static_costs(graph), {})

    def way(names: str) -> Any:
        nodes = [at[name] for name in names]
        edges = [
            next(e for e in range(graph.edge_count) if (graph.tail[e], graph.head[e]) == pair)
            for pair in itertools.pairwise(nodes)
        ]
        return path_of(graph, metric, np.array(edges, np.int32), 0.0, 1.0)

    ring, stubbed, whole = way("ABCDA"), way("ECBADCE"), way("ABCDA").length_m
    answers = Answers(whole, [ring, stubbed, None], [[ring, ring], [stubbed], []])
    answers.whole.cpu_s = answers.search.cpu_s = [0.001, 0.002, 0.009]
    starts = [Place(int(graph.first_out[at[name]]), 0.0) for name in "AEA"]
    found = {name: value for name, value, _ in summed_up(graph, answers, dead_ends(graph, starts))}
    stub_m = way("CE").length_m
    assert found["within_5pct_share"] == pytest.approx(1 / 3)
    assert found["failure_share"] == pytest.approx(2 / 3)
    assert found["walked_twice_p95"] == pytest.approx(stub_m / stubbed.length_m)
    assert found["walked_twice_median"] == pytest.approx(stub_m / stubbed.length_m / 2)
    assert found["avoidable_twice_median"] == pytest.approx(0.0, abs=1e-6)
    assert found["overlap_median"] == pytest.approx(1.0)
    assert found["three_loops_p99_ms"] == pytest.approx(9.0)
    assert found["three_found_share"] == 0.0


def test_the_peer_has_figures_of_the_same_names() -> None:
    trips = round_trips(2000.0, [[[2050.0, 0.1, 3.0]] * 5, [[2500.0, 0.3, 4.0]] * 5, [None] * 5])
    assert peer_values(trips) == {
        "within_5pct_share": pytest.approx(1 / 3),
        "walked_twice_median": pytest.approx(0.2),
        "failure_share": pytest.approx(1 / 3),
        "three_loops_p99_ms": pytest.approx(12.0),
        "walked_twice_p95": pytest.approx(0.3),
    }
