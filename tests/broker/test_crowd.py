"""Many walkers on one street: it is told of, led round, and withdrawn; of four nothing is told anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from geo.graph import edge_id
from models.records import CellObservation, EdgeCondition, Fix, RouteRequest, decode, encode
from streams.kafka.topics import CELL_OBSERVATIONS, EDGE_CONDITIONS, GPS_FIXES, ROUTE_REQUESTS
from streams.settings import Settings
from tests.broker.deployment import Client, Phone, Reader, Worker, wait_for
from tests.broker.drawn import T0, City
from tests.broker.test_replanning import passes

MANY, FEW = 24, 4
TO_AND_FRO = "EFGHGFEFGH"


@pytest.fixture
def worker(
    settings: Settings, city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Worker]:
    monkeypatch.setenv("OBSERVE_S", "0.5")
    started = Worker(replace(settings, graph_dir=str(city.folder)), tmp_path).start()
    try:
        yield started.wait_ready()
    finally:
        assert started.stop() == 0, started.tail(120)


def why(worker: Worker) -> str:
    names = ("flaneur_passages_total", "flaneur_passages_folded_total", "flaneur_fixes_total")
    return f"{[(name, worker.metric(name)) for name in names]}\n{worker.tail()}"


class Conditions:
    """edge-conditions as a reader of the compacted topic sees it, and everything that ever was there."""

    def __init__(self, settings: Settings) -> None:
        self._reader = Reader(settings, EDGE_CONDITIONS, 1)
        self.newest: dict[str, EdgeCondition] = {}
        self.seen: set[str] = set()

    def read(self) -> dict[str, EdgeCondition]:
        """By key what walkers tell now."""
        for message in self._reader.poll():
            key = message.key().decode()
            self.seen.add(key)
            self.newest.pop(key, None)
            if message.value() is not None:
                self.newest[key] = decode(EdgeCondition, message.value())
        return {key: one for key, one in self.newest.items() if key.startswith("crowd:")}

    def close(self) -> None:
        self._reader.close()


def street(city: City, a: str, b: str) -> str:
    """The key of what walkers tell of the street between two places."""
    graph = city.graph
    places = [tuple(map(float, city.places[name])) for name in (a, b)]
    for e in range(graph.edge_count):
        ends = [(float(graph.node_lat[n]), float(graph.node_lon[n])) for n in (graph.tail[e], graph.head[e])]
        if ends in (places, places[::-1]):
            return f"crowd:{edge_id(graph, min(e, int(graph.reverse[e])))}"
    raise AssertionError((a, b))


def send(phone: Phone, walks: list[list[Fix]]) -> None:
    for fix in sorted((fix for walk in walks for fix in walk), key=lambda fix: fix.ts):
        phone.queue(GPS_FIXES, fix.device, encode(fix))
    phone.flush()


def messages(settings: Settings, topic: str) -> list[Any]:
    reader = Reader(settings, topic, settings.partitions)
    try:
        found: list[Any] = []
        while some := list(reader.poll(1.0)):
            found += some
        return found
    finally:
        reader.close()


def test_a_crowd_of_several_partitions_is_led_round_and_of_four_walkers_nothing_is_told(
    city: City, worker: Worker, client: Client, online_store: redis.Redis
) -> None:
    phone = Phone(worker.settings)
    conditions = Conditions(worker.settings)
    (lat, lon), (dest_lat, dest_lon) = city.places["E"], city.places["H"]
    request = RouteRequest(
        device="anna", request="1", ts=T0, kind="to", lat=lat, lon=lon, dest_lat=dest_lat, dest_lon=dest_lon,
        taste={"noise": 0.0, "crowd": 5.0},
    )  # fmt: skip
    phone.send(ROUTE_REQUESTS, "anna", request)
    first = client.wait("anna", "requested")
    assert passes(city, first, "F")
    assert passes(city, first, "G")

    # each starts elsewhere, so that the street is full all the time
    many = [city.walk(f"many-{k}", TO_AND_FRO, start_ts=T0 + 2.0 * k, seed=k) for k in range(MANY)]
    few = [city.walk(f"few-{k}", "IJKLKJIJKL", start_ts=T0 + 2.0 * k, seed=k) for k in range(FEW)]
    send(phone, many + few)
    middle = street(city, "F", "G")
    wait_for(lambda: middle in conditions.read(), 40, lambda: why(worker))

    crowd = conditions.read()[middle]
    assert (crowd.walkers_900s or 0) >= 5
    assert (crowd.pace_ratio or 0) == pytest.approx(1.0, abs=0.15)
    changed = client.wait("anna", "world_changed")
    assert not passes(city, changed, "F") or not passes(city, changed, "G")
    assert "crowd" in (changed.message or "").lower()

    quiet = {street(city, a, b) for a, b in ("IJ", "JK", "KL")}
    assert not quiet & conditions.seen
    assert {message.partition() for message in messages(worker.settings, GPS_FIXES)} == {0, 1}
    sent = messages(worker.settings, CELL_OBSERVATIONS)
    told = b"".join(message.key() + message.value() for message in sent)
    assert not any(name in told for name in (b"many-", b"few-", b"anna"))
    walked = {edge for m in sent for edge in decode(CellObservation, m.value()).edges}
    assert {key.removeprefix("crowd:") for key in quiet} <= walked  # they were seen, and kept silent of
    wait_for(lambda: online_store.exists(middle) == 1, 20)
    assert not any(online_store.exists(key) for key in quiet)

    # two of them go on half an hour later: the others have left the window
    late = [city.walk(f"many-{k}", TO_AND_FRO, start_ts=T0 + 2400.0, seed=k) for k in range(2)]
    send(phone, late)
    wait_for(lambda: conditions.read() == {}, 40, lambda: f"{conditions.newest}\n{worker.tail()}")
    wait_for(lambda: not list(online_store.scan_iter("crowd:*")), 20)
    conditions.close()


def test_a_crowd_stays_known_through_kill_nine_and_is_withdrawn_after_it(city: City, worker: Worker) -> None:
    phone = Phone(worker.settings)
    conditions = Conditions(worker.settings)
    # up to eight are counted exactly: seven are told of as five, the same seven twice would be ten
    send(phone, [city.walk(f"many-{k}", TO_AND_FRO, start_ts=T0 + 2.0 * k, seed=k) for k in range(7)])
    middle = street(city, "F", "G")
    wait_for(lambda: middle in conditions.read(), 40, lambda: why(worker))
    before = conditions.read()[middle]
    worker.kill()
    worker.start().wait_ready()
    send(phone, [city.walk("many-0", TO_AND_FRO, start_ts=T0 + 500.0)])
    wait_for(lambda: conditions.read()[middle].version > before.version, 60, worker.tail)
    assert conditions.read()[middle].walkers_900s == 5
    send(phone, [city.walk(f"many-{k}", TO_AND_FRO, start_ts=T0 + 2400.0) for k in range(2)])
    wait_for(lambda: conditions.read() == {}, 40, lambda: f"{conditions.newest}\n{worker.tail()}")
    conditions.close()
