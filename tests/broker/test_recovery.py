"""Killed, joined by another, cut off from the broker: nothing is lost and nothing counts twice."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from models.records import EdgeCondition, Fix, RouteRequest, encode
from models.world.condition_places import cell_key
from streams.kafka.topics import EDGE_CONDITIONS, GPS_FIXES, ROUTE_REQUESTS, ensure_topics
from streams.local.processes import stop
from streams.local.services import start_broker, wait_for_broker
from streams.settings import Settings
from tests.broker.conftest import clear_topics
from tests.broker.deployment import (
    Client,
    Phone,
    Worker,
    committed,
    stored_walkers,
    total_fixes,
    wait_for,
)
from tests.broker.drawn import T0, City

WALKERS = 40
# asked for → walked: some follow their route, some leave it, some come near its end
WALKS = [
    ("E", "H", "EFGH"),
    ("A", "D", "ABFJK"),
    ("I", "L", "IJFBC"),
    ("D", "A", "DCGKJ"),
    ("L", "E", "LKGFE"),
]


def device(k: int) -> str:
    return f"walker-{k:03d}"


def requests(city: City) -> list[RouteRequest]:
    asked = []
    for k in range(WALKERS):
        start, end, _ = WALKS[k % len(WALKS)]
        (lat, lon), (dest_lat, dest_lon) = city.places[start], city.places[end]
        asked.append(
            RouteRequest(
                device=device(k),
                request=f"r{k}",
                ts=T0,
                kind="to",
                lat=lat,
                lon=lon,
                dest_lat=dest_lat,
                dest_lon=dest_lon,
                # how crowded a street is depends on when others are heard of, which two runs do not share
                taste={"crowd": 0.0},
            )
        )
    return asked


def fixes(city: City) -> list[Fix]:
    """Everybody's fixes in the order of time, with noise, some late and some twice."""
    everything: list[Fix] = []
    for k in range(WALKERS):
        walk = city.walk(device(k), WALKS[k % len(WALKS)][2], noise_m=4.0, seed=k)
        everything += walk
        everything += walk[10::50]  # sent again
    everything.sort(key=lambda fix: (fix.ts, fix.device))
    shuffled = random.Random(7)
    for i in range(0, len(everything) - 40, 97):  # a few come out of order
        j = i + shuffled.randrange(1, 30)
        everything[i], everything[j] = everything[j], everything[i]
    return everything


def ask_all(phone: Phone, client: Client, city: City) -> None:
    for request in requests(city):
        phone.send(ROUTE_REQUESTS, request.device, request)

    def answered() -> bool:
        client.read()
        return len(client.updates(reason="requested")) == WALKERS

    wait_for(answered, 40, lambda: f"only {len(client.updates(reason='requested'))} of {WALKERS} answered")


def send_paced(settings: Settings, all_fixes: list[Fix], seconds: float) -> threading.Thread:
    """Publish in the background, spread over so many seconds."""

    def run() -> None:
        phone = Phone(settings)
        started = time.monotonic()
        for i in range(0, len(all_fixes), 100):
            for fix in all_fixes[i : i + 100]:
                phone.queue(GPS_FIXES, fix.device, encode(fix))
            phone.flush()
            time.sleep(max(0.0, started + seconds * i / len(all_fixes) - time.monotonic()))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def final_state(worker: Worker, city: City, count: int) -> dict[str, dict[str, Any]]:
    """The stored state once all of `count` messages are in a checkpoint."""
    state: dict[str, dict[str, Any]] = {}

    def done() -> bool:
        state.clear()
        state.update(stored_walkers(worker.settings, city.checksum))
        return sum(w["fixes"] + w["late"] + w["duplicates"] for w in state.values()) >= count

    wait_for(done, 60, lambda: f"{total_fixes(state.values())} of {count} stored\n{worker.tail()}")
    return state


def comparable(state: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        name: {
            "windows": walker["windows"],
            "matches": walker["matches"],
            "trip": {field: repr(walker["trip"][field].tolist()) for field in walker["trip"].dtype.names},
            "route": walker["route"],
        }
        for name, walker in state.items()
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Which parts of which walkers' state differ."""
    found = []
    for name in sorted(one.keys() | other.keys()):
        a, b = one.get(name, {}), other.get(name, {})
        found += [
            f"{name} {part}" for part in a.keys() | b.keys() if part != "trip" and a.get(part) != b.get(part)
        ]
        trip_a, trip_b = a.get("trip", {}), b.get("trip", {})
        found += [
            f"{name} trip.{field}: {trip_a.get(field)} {trip_b.get(field)}"
            for field in trip_a.keys() | trip_b.keys()
            if trip_a.get(field) != trip_b.get(field)
        ]
    return found


def visible(client: Client) -> list[tuple[Any, ...]]:
    client.read()
    return sorted(
        (u.device, u.trip, u.version, u.reason, u.fix_ts or 0.0, u.keep_m, u.geometry, u.length_m)
        for u in client.updates()
    )


def run_day(
    settings: Settings, city: City, folder: Path, disturb: Callable[[Worker], None]
) -> tuple[dict[str, Any], list[tuple[Any, ...]], Client]:
    """The same walks once; `disturb` may do what it likes to the worker meanwhile."""
    folder.mkdir()
    # the workers' clock starts with it, in the morning: two runs differ if it gets dark between them
    morning = EdgeCondition(key=cell_key(int(city.graph.cell_h3[0])), ts=T0, version=0, expires=T0)
    Phone(settings).send(EDGE_CONDITIONS, morning.key, morning)
    # nothing is told of crowds: when the world changes by them depends on the clock
    alone = replace(settings, graph_dir=str(city.folder), observe_s=3600.0)
    worker = Worker(alone, folder).start().wait_ready()
    client = Client(worker.settings)
    try:
        ask_all(Phone(settings), client, city)
        everything = fixes(city)
        sending = send_paced(settings, everything, seconds=12.0)
        disturb(worker)
        sending.join()
        worker.wait_ready()  # what it had not sent when it was killed it sends when it opens its partitions
        state = final_state(worker, city, len(everything))
        assert worker.stop() == 0
        for _ in range(5):
            client.read()
        return comparable(state), visible(client), client
    finally:
        worker.stop()
        client.close()


def test_kill_nine_five_times_changes_nothing(
    settings: Settings, admin: AdminClient, city: City, tmp_path: Path
) -> None:
    calm_state, calm_updates, _ = run_day(settings, city, tmp_path / "calm", lambda worker: None)
    assert {update[3] for update in calm_updates} >= {"requested", "off_route", "arrived"}

    clear_topics(admin)
    again = replace(settings, group=settings.group + "-killed")
    ensure_topics(again)
    seed = int(time.time())
    moments = random.Random(seed)
    print(f"seed {seed}")

    def kill_five_times(worker: Worker) -> None:
        for _ in range(5):
            time.sleep(moments.uniform(0.2, 5.0))
            worker.kill()
            worker.start()

    state, updates, client = run_day(again, city, tmp_path / "killed", kill_five_times)
    assert differences(state, calm_state) == []
    assert updates == calm_updates
    for first, second in zip(client.received, client.received[1:], strict=False):
        assert (
            (first.device, first.trip) != (second.device, second.trip)
            or first.version != second.version
            or (first == second)
        ), "one id, two contents"


def test_a_second_worker_takes_its_share_and_gives_it_back(
    settings: Settings, city: City, tmp_path: Path
) -> None:
    mine = replace(settings, graph_dir=str(city.folder))
    one = Worker(mine, tmp_path, "one").start().wait_ready()
    two = Worker(mine, tmp_path, "two")
    client = Client(mine)
    try:
        ask_all(Phone(mine), client, city)
        everything = fixes(city)
        sending = send_paced(mine, everything, seconds=25.0)
        time.sleep(3)
        two.start().wait_ready(1)
        one.wait_ready(1)
        time.sleep(4)
        assert two.metric("flaneur_fixes_total") > 0
        assert two.stop() == 0
        one.wait_ready(2)
        sending.join()
        state = final_state(one, city, len(everything))
        counted = sum(w["fixes"] + w["duplicates"] + w["late"] for w in state.values())
        assert counted == len(everything)
        repeated = {(u.device, u.version) for u in client.received}
        assert len(repeated) == len(client.updates())
    finally:
        one.stop()
        two.stop()
        client.close()


def test_a_partition_that_stays_through_a_rebalance_keeps_its_state(
    settings: Settings, city: City, tmp_path: Path
) -> None:
    mine = replace(settings, graph_dir=str(city.folder))
    one = Worker(mine, tmp_path, "one").start().wait_ready()
    two = Worker(mine, tmp_path, "two")
    phone = Phone(mine)
    walks = {device(k): city.walk(device(k), "EFGH") for k in range(20)}

    def stored(fixes: int) -> bool:
        counts = {name: walker["fixes"] for name, walker in stored_walkers(mine, city.checksum).items()}
        return counts == dict.fromkeys(walks, fixes)

    try:
        for name, walk in walks.items():
            phone.send(GPS_FIXES, name, *walk[:20])
        wait_for(lambda: stored(20), 30, one.tail)
        assert one.stop() == 0
        one.start().wait_ready()  # what it recovers now is older than the rebalance
        two.start().wait_ready(1)
        one.wait_ready(1)
        wait_for(lambda: one.metric("flaneur_walkers") + two.metric("flaneur_walkers") == len(walks), 20)
        for name, walk in walks.items():
            phone.send(GPS_FIXES, name, *walk[20:30])
        wait_for(lambda: stored(30), 30, one.tail)
    finally:
        one.stop()
        two.stop()


def test_a_stopped_process_that_wakes_up_late_does_not_write(
    settings: Settings, city: City, tmp_path: Path
) -> None:
    mine = replace(settings, graph_dir=str(city.folder))
    one = Worker(mine, tmp_path, "one").start().wait_ready()
    two = Worker(mine, tmp_path, "two")
    try:
        walk = city.walk("anna", "EFGH")
        Phone(mine).send(GPS_FIXES, "anna", *walk[:50])
        wait_for(lambda: one.metric("flaneur_fixes_total") == 50, 20)
        assert one.process is not None
        one.process.send_signal(signal.SIGSTOP)
        two.start().wait_ready()
        Phone(mine).send(GPS_FIXES, "anna", *walk[50:100])
        one.process.send_signal(signal.SIGCONT)
        wait_for(
            lambda: two.metric("flaneur_fixes_total") >= 50 or one.metric("flaneur_fixes_total") >= 100, 40
        )
        final_state(two, city, 100)
    finally:
        one.kill()
        two.stop()


def test_a_broker_that_restarts_costs_time_only(services: Any, tmp_path: Path, city: City) -> None:
    from streams.local.processes import RunFolder, any_port
    from streams.local.services import run_folder

    folder = RunFolder(tmp_path / "own")
    libraries = run_folder().broker_libraries
    port = any_port()
    broker = start_broker(folder, port=port, libraries=libraries)
    worker = None
    try:
        mine = Settings(
            bootstrap=wait_for_broker(broker, folder),
            redis_url=services.redis_url,
            partitions=2,
            graph_dir=str(city.folder),
        )
        ensure_topics(mine)
        worker = Worker(mine, tmp_path).start().wait_ready()
        walk = city.walk("anna", "EFGH")
        Phone(mine).send(GPS_FIXES, "anna", *walk[:60])
        wait_for(lambda: worker.metric("flaneur_fixes_total") == 60, 20)
        stop(broker)
        time.sleep(2)
        broker = start_broker(folder, port=port, libraries=libraries)
        wait_for_broker(broker, folder)
        Phone(mine).send(GPS_FIXES, "anna", *walk[60:120])

        def stored() -> bool:
            if worker.process is not None and worker.process.poll() is not None:
                worker.start()  # it may leave: whoever runs it starts it again
            return total_fixes(stored_walkers(mine, city.checksum).values()) == 120

        wait_for(stored, 90, worker.tail)
        assert committed(worker) == 0
    finally:
        if worker is not None:
            worker.stop()
        stop(broker)
