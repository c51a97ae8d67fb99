"""What `flaneur bench world-change` knows of the walkers' routes, and one small run of it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from bench.rig.walkers import Heard
from bench.world_change import Routes, WorldChangeJob, points_of, rain_gauges, steps_of, stretches
from geo.errors import BadInput
from geo.geodesy import METRES_PER_DEG
from geo.graph import Graph, open_graph
from geo.polyline import encode6
from tests.bench.altona import bench


def heard(device: str, points: list[tuple[float, float]], version: int = 1) -> Heard:
    lat, lon = np.array(points).T
    return Heard(0.0, device, "0-1", version, "requested", None, encode6(lat, lon), b"")


def test_a_step_is_the_same_both_ways() -> None:
    there = points_of(encode6(np.array([55.0, 55.001, 55.002]), np.array([12.0, 12.0, 12.001])))
    assert set(steps_of(there)) == set(steps_of(there[::-1]))
    assert len(there) == 3


def test_a_new_tail_replaces_what_was_ahead() -> None:
    routes = Routes()
    first = [(55.0, 12.0), (55.001, 12.0), (55.002, 12.0)]
    routes.read([heard("a", first), heard("b", first)])
    step = next(iter(routes.steps["a"]))
    assert routes.holding(step) == {"a", "b"}
    assert set(routes.usage().values()) == {2}
    routes.read([heard("a", first), heard("b", first), heard("a", [(55.0, 12.1), (55.0, 12.2)], 2)])
    assert routes.holding(step) == {"b"}


def test_every_stretch_is_found_by_the_step_it_begins_with(graph_dir: str) -> None:
    altona = open_graph(graph_dir)
    known = stretches(altona)
    for edge in range(0, altona.edge_count, 97):
        shape = slice(int(altona.shape_first[edge]), int(altona.shape_first[edge]) + 2)
        step = next(steps_of(points_of(encode6(altona.shape_lat[shape], altona.shape_lon[shape]))))
        assert step in known


def test_it_rains_where_there_are_streets_and_nowhere_else() -> None:
    two_towns = np.array([[41.1, -8.6], [41.103, -8.6], [55.7, 12.6]])
    graph = cast("Graph", SimpleNamespace(cell_lat=two_towns[:, 0], cell_lon=two_towns[:, 1]))
    gauges = rain_gauges(graph, 1_000.0)
    assert 2 <= len(gauges) <= 3
    for lat, lon in two_towns.tolist():
        off_m = np.hypot(gauges[:, 0] - lat, (gauges[:, 1] - lon) * np.cos(np.radians(lat))) * METRES_PER_DEG
        assert off_m.min() <= 1_000.0 * np.sqrt(0.5) + 1.0


def test_nonsense_is_refused() -> None:
    with pytest.raises(BadInput, match="closure"):
        WorldChangeJob(closures=0)
    with pytest.raises(BadInput, match="fixes/s"):
        WorldChangeJob(rate_per_s=0.0)


def test_those_concerned_are_told(graph_dir: str) -> None:
    numbers = ["--walkers", "300", "--rate", "300", "--closures", "1", "--fronts", "1", "--apart-m", "600"]
    done = bench("world-change", "--graph", graph_dir, *numbers, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    values = {(line["change"], line["metric"]): line["value"] for line in lines}
    assert values["closure", "affected_pushed_s"] > 0.0
    assert values["closure", "not_told"] == 0.0
    assert values["rain_front", "affected_pushed_s"] > 0.0
