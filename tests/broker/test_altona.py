"""The real walk in Hamburg-Altona, from the file through Kafka to the route updates."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from geo.cities import checksum_of
from geo.graph import Graph, save_graph
from geo.network import Network, OnlyNetwork
from geo.osm.importer import import_osm
from geo.polyline import decode6
from geo.routing.costs import static_costs
from models.bytes_column import BytesColumn
from models.records import EdgeCondition, Fix, RouteRequest, RouteUpdate, decode, encode
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from models.world.condition_places import cell_key
from streams.kafka.topics import DEVICE_TOPICS, EDGE_CONDITIONS, GPS_FIXES, ROUTE_REQUESTS
from streams.settings import Settings
from streams.traces import read_trace
from tests.broker.deployment import Client, Phone, Reader, Worker, stored_walkers, wait_for

DATA = Path(__file__).resolve().parents[2] / "data"
WALK = DATA / "traces" / "altona" / "altona_walk.json"
FIXES = 2179
MORNING = datetime(2024, 6, 1, 8, 0, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def altona(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Graph]:
    folder = tmp_path_factory.mktemp("altona") / "graph"
    return folder, save_graph(folder, import_osm([DATA / "osm" / "altona" / "altona.osm.pbf"]))


@pytest.fixture
def worker(settings: Settings, altona: tuple[Path, Graph], tmp_path: Path) -> Iterator[Worker]:
    # the worker's clock starts with it, by day: what it plans depends on how dark it is
    morning = EdgeCondition(key=cell_key(int(altona[1].cell_h3[0])), ts=MORNING, version=0, expires=MORNING)
    Phone(settings).send(EDGE_CONDITIONS, morning.key, morning)
    started = Worker(replace(settings, graph_dir=str(altona[0])), tmp_path).start()
    try:
        yield started.wait_ready()
    finally:
        assert started.stop() == 0


def read_all(settings: Settings, topic: str, count: int) -> list[bytes]:
    reader = Reader(settings, topic, settings.partitions)
    values: list[bytes] = []

    def done() -> bool:
        values.extend(message.value() for message in reader.poll())
        return len(values) >= count

    wait_for(done, 30, f"{len(values)} of {count} in {topic}")
    reader.close()
    return values


def test_the_walk_is_replanned_as_in_process(worker: Worker, altona: tuple[Path, Graph]) -> None:
    program = Path(sys.executable).parent / "flaneur"
    client = Client(worker.settings)
    try:
        first = read_trace(WALK)
        asked = RouteRequest(
            device="altona_walk-001", request="1", ts=float(first.ts[0]), kind="loop", length_m=1800.0,
            lat=float(first.lat[0]), lon=float(first.lon[0]),
        )  # fmt: skip
        Phone(worker.settings).send(ROUTE_REQUESTS, asked.device, asked)
        client.wait(asked.device, "requested")
        subprocess.run(
            [program, "replay", WALK, "--bootstrap", worker.settings.bootstrap, "--speed", "max",
             "--at", "recorded"],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        wait_for(lambda: worker.metric("flaneur_fixes_total") == FIXES, 60, worker.tail)
        assert worker.metric("flaneur_fixes_late_total") == 0
        fixes = read_all(worker.settings, GPS_FIXES, FIXES)
        expected = in_process(altona[1], fixes, encode(asked))
        assert {update.reason for update in expected} >= {"requested", "off_route"}

        def all_there() -> bool:
            client.read()
            return len(client.updates()) >= len(expected)

        wait_for(all_there, 30, lambda: f"{len(client.updates())} of {len(expected)}\n{worker.tail()}")
        ours = sorted(client.updates(), key=lambda update: update.version)
        assert [(u.reason, u.version, u.geometry) for u in ours] == [
            (u.reason, u.version, u.geometry) for u in expected
        ]
        for update in ours:
            lat, lon = decode6(update.geometry)
            assert (np.abs(lat - 53.55) < 0.02).all()
            assert (np.abs(lon - 9.937) < 0.02).all()
    finally:
        client.close()
    assert worker.stop() == 0
    walker = stored_walkers(worker.settings, checksum_of(altona[1].meta))
    assert [one["fixes"] + one["duplicates"] for one in walker.values()] == [FIXES]


def in_process(graph: Graph, fixes: list[bytes], request: bytes) -> list[RouteUpdate]:
    """The same messages through the engine alone."""
    network = Network(graph, static_costs(graph))
    walking = Walking(0, OnlyNetwork(network), WalkerState(1, (0,), DEVICE_TOPICS))
    asked = decode(RouteRequest, request)
    updates = walking.take_request(asked.device.encode(), asked, 0, 0).updates
    assert decode(Fix, fixes[0]).device == asked.device
    updates += walking.take_fixes(BytesColumn.of(fixes), np.arange(len(fixes))).updates
    return [decode(RouteUpdate, encode(update)) for update in updates]
