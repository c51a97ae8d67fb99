"""Told to end, a worker hands over: nothing is lost, nothing is sent twice, the others go on at once."""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.kafka.topics import GPS_FIXES, WALKERS_TABLE, ensure_topics
from streams.local.processes import RunFolder, any_port, stop
from streams.local.services import run_folder, start_broker, wait_for_broker
from streams.settings import Settings
from streams.worker.checkpoints import read_checkpoint
from tests.broker.deployment import Client, Phone, Worker, wait_for
from tests.broker.drawn import City
from tests.broker.own_process import health, health_is
from tests.broker.test_recovery import ask_all, final_state, fixes, send_paced

# what happens within less does not happen by itself
SESSION_S = 30.0  # the most that the driver allows
CHECKPOINT_S = 60.0


def committed(settings: Settings, admin: AdminClient) -> dict[int, int]:
    """What the group has committed of gps-fixes, by partition."""
    wanted = [TopicPartition(GPS_FIXES, p) for p in range(settings.partitions)]
    request = [ConsumerGroupTopicPartitions(settings.group, wanted)]
    found = admin.list_consumer_group_offsets(request)[settings.group].result(timeout=15)
    return {one.partition: one.offset for one in found.topic_partitions}


def contained(settings: Settings) -> dict[int, int]:
    """Up to which offset the checkpoints contain gps-fixes."""
    found = {p: read_checkpoint(settings, WALKERS_TABLE, p).offsets for p in range(settings.partitions)}
    return {p: (offsets or {}).get(GPS_FIXES, 0) for p, offsets in found.items()}


def test_a_worker_that_is_told_to_end_hands_over_at_once(
    settings: Settings, admin: AdminClient, city: City, tmp_path: Path
) -> None:
    # no checkpoint and no end of a session comes to help: all that happens is the drain's work
    mine = replace(
        settings, graph_dir=str(city.folder), session_timeout_s=SESSION_S, checkpoint_s=CHECKPOINT_S
    )
    one, two = Worker(mine, tmp_path, "one").start(), Worker(mine, tmp_path, "two").start()
    client = Client(mine)
    try:
        wait_for(lambda: one.is_ready(1) and two.is_ready(1), 60, lambda: one.tail() + two.tail())
        for worker in (one, two):
            wait_for(partial(health_is, worker.settings.metrics_port, "ready", 200), 30)
        assert health(one.settings.metrics_port, "live") == (200, {"status": "ok", "why": None})
        ask_all(Phone(mine), client, city)
        everything = fixes(city)
        sending = send_paced(mine, everything, seconds=10.0)
        time.sleep(3)
        ours = int(re.findall(r"walkers/(\d) (?:opened|goes on)", one.tail())[-1])
        assert not any(contained(mine).values()), "a checkpoint came without the worker being told to end"
        assert one.stop() == 0
        assert contained(mine)[ours] > 1000
        wait_for(lambda: two.is_ready(2), SESSION_S / 2, two.tail)
        sending.join()
        assert two.stop() == 0  # and the last one writes everything as well
        assert two.process is not None
        state = final_state(two, city, len(everything))
        counted = sum(w["fixes"] + w["duplicates"] + w["late"] for w in state.values())
        assert counted == len(everything)
        for _ in range(5):
            client.read()
        assert {u.reason for u in client.received} >= {"requested", "off_route"}
        assert len(client.received) == len(client.updates()), "an update was sent twice"
        assert committed(mine, admin) == contained(mine)
        assert sum(contained(mine).values()) == len(everything)
    finally:
        one.stop()
        two.stop()
        client.close()


def test_a_worker_may_keep_its_place_for_a_restart(settings: Settings, city: City, tmp_path: Path) -> None:
    mine = replace(settings, graph_dir=str(city.folder), session_timeout_s=SESSION_S, leave_on_stop=False)
    one, two = Worker(mine, tmp_path, "one").start(), Worker(mine, tmp_path, "two").start()
    try:
        wait_for(lambda: one.is_ready(1) and two.is_ready(1), 60, lambda: one.tail() + two.tail())
        before = two.metric("flaneur_rebalances_total")
        assert one.stop() == 0
        one.start().wait_ready(1)
        assert two.metric("flaneur_rebalances_total") == before
        assert two.is_ready(1)
    finally:
        one.stop()
        two.stop()


def test_a_worker_that_cannot_hand_over_ends_all_the_same(
    settings: Settings, city: City, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "own")
    broker = start_broker(folder, port=any_port(), libraries=run_folder().broker_libraries)
    mine = replace(
        settings, bootstrap=wait_for_broker(broker, folder), graph_dir=str(city.folder), drain_s=2.0
    )
    worker = None
    try:
        ensure_topics(mine)
        worker = Worker(mine, tmp_path).start().wait_ready()
        wait_for(lambda: health(worker.settings.metrics_port, "ready")[0] == 200, 30)

        os.kill(broker.pid, signal.SIGSTOP)
        assert worker.stop() == 70
        assert "within DRAIN_S=2 s" in worker.tail()
    finally:
        os.kill(broker.pid, signal.SIGCONT)
        if worker is not None:
            worker.stop()
        stop(broker)
