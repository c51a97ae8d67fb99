"""The recorded day through real processes, and a real Prometheus: every query of every panel has an answer.

What happens by itself in a day happens; what does not is provoked (an unreadable message, who is turned away,
a feed's file) or counted from nought.
"""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from confluent_kafka.admin import AdminClient

from geo.graph import open_graph
from geo.polyline import decode6
from models.records import TrafficReport
from streams.demo.day import demo_day
from streams.demo.fleet import begin_ts
from streams.demo.replay import play
from streams.demo.world import DAY_S
from streams.kafka.topics import GPS_FIXES, TRAFFIC_REPORTS, ensure_topics
from streams.local.processes import RunFolder, any_port, stop
from streams.local.prometheus import Target as Scraped
from streams.local.prometheus import start_prometheus, wait_for_prometheus
from streams.local.services import PROJECT, run_folder
from streams.settings import Settings
from streams.telemetry.dashboards.catalogue import DASHBOARDS
from streams.telemetry.dashboards.picture import draw_dashboard
from streams.telemetry.dashboards.queries import (
    Target,
    choices,
    everything,
    filled,
    panels_of,
    read_dashboard,
    variables_of,
)
from streams.telemetry.prometheus import Prometheus
from tests.broker.conftest import clear_topics
from tests.broker.deployment import Phone, Worker, wait_for
from tests.broker.gateways import Device, GatewayProcess, ask

FOLDER = PROJECT / "compose" / "grafana" / "dashboards"
SPEED = 400.0
WALKERS = 12
RATE = "10s"
WITHIN_S = 60.0


@dataclass(frozen=True)
class Played:
    """A Prometheus that saw the day, and since when."""

    prometheus: Prometheus
    began_s: float

    def has_data(self, target: Target, values: Mapping[str, str]) -> bool:
        """Whether a query gives a number: now, or at any moment since the day began."""
        expr = filled(target.expr, values)
        if target.instant:
            found = self.prometheus.now(expr)
        else:
            found = self.prometheus.over(expr, self.began_s, time.time(), 1.0)
        return any(math.isfinite(value) for one in found for _, value in one.points)


@pytest.fixture(scope="module")
def played(services: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The day, played while everything is scraped once a second."""
    folder = tmp_path_factory.mktemp("dashboards")
    clear_topics(AdminClient({"bootstrap.servers": services.bootstrap, "log_level": 0}))
    settings = Settings(
        bootstrap=services.bootstrap,
        redis_url=services.redis_url,
        graph_dir=str(run_folder().graph),
        data_dir=str(folder),
        group=f"test-{uuid.uuid4().hex[:8]}",
        partitions=2,
        observe_s=2.0,
    )
    ensure_topics(settings)
    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
        worker = Worker(settings, folder).start()
        stack.callback(worker.stop)
        gateway = GatewayProcess(settings, folder).start()
        stack.callback(gateway.stop)
        run = RunFolder(folder)
        scraped = [
            Scraped("worker", "worker-0", worker.settings.metrics_port),
            Scraped("gateway", "gateway-0", gateway.settings.gateway_port),
        ]
        prometheus = start_prometheus(run, scraped, port=any_port(), scrape_s=1)
        stack.callback(stop, prometheus)
        began_s = time.time()
        graph = open_graph(run_folder().graph)
        day = demo_day(graph, WALKERS, 1, begin_ts(began_s, DAY_S, SPEED))
        address = wait_for_prometheus(prometheus, run)
        worker.wait_ready()
        gateway.wait_ready()
        seen = Prometheus(address)
        # who was not scraped before something was counted has no increase of it
        wait_for(lambda: set(seen.targets().values()) == {"up"}, WITHIN_S, lambda: f"{seen.targets()}")
        playing = pool.submit(play, day, settings, SPEED)
        _walk_and_be_turned_away(gateway, settings)
        _report(worker.settings)
        summary = playing.result(WITHIN_S)
        assert summary.delivered == len(day), summary
        wait_for(lambda: worker.metric("flaneur_consumer_lag_messages") == 0, WITHIN_S, worker.tail)
        _close_a_way(gateway, worker)
        yield Played(seen, began_s)


def _walk_and_be_turned_away(gateway: GatewayProcess, settings: Settings) -> None:
    """A device that sends good and bad fixes, follows, and asks without its token; a message that is none."""
    device = Device(gateway)
    good = {"ts": time.time(), "lat": 53.55, "lon": 9.93}
    assert device.ask("POST", "/v1/fixes", [good, good | {"lat": 95.0}]).status == 202
    assert device.ask("POST", "/v1/fixes", {"lat": 95.0}).status == 422
    assert ask(f"{gateway.url}/v1/fixes", "POST", good).status == 401
    assert ask(f"{gateway.url}/nowhere").status == 404
    Phone(settings).send(GPS_FIXES, device.id, b"{")


def _close_a_way(gateway: GatewayProcess, worker: Worker) -> None:
    """A trip, and a closure amid it: a new way is found, and has a gain."""
    device = Device(gateway)
    wish = {"kind": "loop", "lat": 53.55, "lon": 9.935, "length_m": 2000}
    trip = device.ask("POST", "/v1/routes", wish).json["trip"]
    shape = device.ask("GET", f"/v1/trips/{trip}?geometries=geojson").json["routes"][0]["geometry"]
    points = [(lon, lat) for lat, lon in zip(*decode6(shape), strict=True)]
    amid = {"type": "LineString", "coordinates": points[len(points) // 3 : len(points) // 2]}
    now = time.time()
    closure = TrafficReport(
        source="test#closure", ts=now, kind="closure", geometry=amid, valid_from=now, valid_to=now + 3600.0
    )
    before = worker.metric("flaneur_replan_gain_count")
    Phone(worker.settings).send(TRAFFIC_REPORTS, None, closure)
    wait_for(lambda: worker.metric("flaneur_replan_gain_count") > before, WITHIN_S, worker.tail)


def _report(settings: Settings) -> None:
    """What a real feed published, as `flaneur feed` sends it."""
    command = [str(Path(sys.executable).parent / "flaneur"), "feed", "datex2"]
    command += [str(PROJECT / "data" / "feeds" / "fintraffic"), "--source", "fi"]
    command += ["--bootstrap", settings.bootstrap]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_prometheus_reaches_everybody(played: Played) -> None:
    assert set(played.prometheus.targets().values()) == {"up"}


def test_each_process_tells_of_itself_only(played: Played) -> None:
    told = {
        name: played.prometheus.label_values("instance", name)
        for name in (
            "flaneur_walkers",
            "flaneur_online_store_current_timestamp_seconds",
            "flaneur_gateway_trips",
        )
    }
    assert list(told.values()) == [["worker-0"], ["worker-0"], ["gateway-0"]]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_variable_offers_something(name: str, played: Played) -> None:
    for variable in variables_of(read_dashboard(FOLDER / f"{name}.json")).values():
        if variable["type"] != "datasource":
            assert choices(played.prometheus, variable), variable["name"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_of_every_panel_has_an_answer(name: str, played: Played) -> None:
    board = read_dashboard(FOLDER / f"{name}.json")
    values = everything(board, partial(choices, played.prometheus), RATE)
    waiting = [(panel.title, target) for panel in panels_of(board) for target in panel.targets]

    def answered() -> bool:
        waiting[:] = [(title, target) for title, target in waiting if not played.has_data(target, values)]
        return not waiting

    assert waiting
    wait_for(answered, WITHIN_S, lambda: f"no data for {[(title, target.expr) for title, target in waiting]}")


@pytest.mark.parametrize("name", [name for name in DASHBOARDS if name != "gateway"])
def test_queries_hold_for_one_of_each_variable(name: str, played: Played) -> None:
    board = read_dashboard(FOLDER / f"{name}.json")
    for variable in variables_of(board).values():
        if variable["type"] == "datasource":
            continue
        for choice in choices(played.prometheus, variable):
            values = everything(board, partial(choices, played.prometheus), RATE) | {variable["name"]: choice}
            chosen = [
                target
                for panel in panels_of(board)
                for target in panel.targets
                if f"${variable['name']}" in target.expr
            ]
            assert any(played.has_data(target, values) for target in chosen), (variable["name"], choice)


def test_a_query_that_nobody_answers_is_noticed(played: Played) -> None:
    assert not played.has_data(Target("flaneur_no_such_metric", "", False), {})
    assert not played.has_data(Target('flaneur_walkers{instance="nobody"}', "", True), {})


@pytest.mark.parametrize("name", DASHBOARDS)
def test_it_can_be_drawn(name: str, played: Played) -> None:
    board = read_dashboard(FOLDER / f"{name}.json")
    drawn = draw_dashboard(board, played.prometheus, time.time() - played.began_s)
    words = [element.text for element in ElementTree.fromstring(drawn).iter() if element.text]
    for panel in panels_of(board):
        assert panel.title in words
