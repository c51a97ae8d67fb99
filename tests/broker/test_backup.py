"""The drill of docs/operations.md: saved while all runs, restored into a fresh broker; and a copied disk."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geo.errors import BadInput
from models.records import EdgeCondition, TrafficReport, decode
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import (
    CONDITIONS_TABLE,
    EDGE_CONDITIONS,
    TRAFFIC_REPORTS,
    changelog_topic,
    ensure_topics,
)
from streams.local.processes import RunFolder, any_port, stop
from streams.local.services import run_folder, start_broker, wait_for_broker
from streams.settings import Settings
from streams.worker.backup import restore
from tests.broker.deployment import Phone, Worker, stored_walkers, wait_for
from tests.broker.drawn import City
from tests.broker.gateways import Device, GatewayProcess, ask
from tests.broker.test_gateway_trips import fixes, start
from tests.faults.machine import QUICK_JVM

WITHIN_S = 40.0


def flaneur(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "flaneur"), *arguments]
    environment = os.environ | settings.environment()
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def own_broker(folder: Path, settings: Settings) -> Iterator[Settings]:
    """A broker on that folder, whatever lies there."""
    own = RunFolder(folder)
    libraries = run_folder().broker_libraries
    broker = start_broker(own, port=any_port(), libraries=libraries, jvm_options=QUICK_JVM)
    try:
        yield replace(settings, bootstrap=wait_for_broker(broker, own))
    finally:
        stop(broker)


def closed(settings: Settings) -> set[str]:
    """The streets that are closed, as the topic tells."""
    newest: dict[str, bool | None] = {}
    with TopicReader(settings) as reader:
        for message in reader.messages(EDGE_CONDITIONS):
            if message.value is not None:
                condition = decode(EdgeCondition, message.value)
                newest[condition.key] = condition.closed
    return {key for key, is_closed in newest.items() if is_closed}


def knows(gateway: GatewayProcess, device: Device) -> bool:
    return ask(f"{gateway.url}/v1/devices/token?key={device.key}", "POST").status == 200


def test_a_backup_is_restored_into_a_fresh_broker_and_a_copied_disk_goes_on(
    services: Any, city: City, tmp_path: Path
) -> None:
    settings = Settings(redis_url=services.redis_url, group="drill", partitions=2, graph_dir=str(city.folder))
    backup = tmp_path / "backup.gz"
    with own_broker(tmp_path / "first", settings) as first:
        ensure_topics(first)
        worker, gateway = Worker(first, tmp_path).start(), GatewayProcess(first, tmp_path).start()
        try:
            worker.wait_ready()
            device = Device(gateway.wait_ready())
            trip = start(device, city)
            now = time.time()
            assert device.ask("POST", "/v1/fixes", fixes(city, "EF", now - 60)).status == 202
            closure = TrafficReport(
                source="city#1", ts=now, kind="closure", valid_from=now - 60, valid_to=now + 86_400,
                geometry={"type": "LineString", "coordinates": city.line("JK")},
            )  # fmt: skip
            Phone(first).send(TRAFFIC_REPORTS, closure.source, closure)
            wait_for(lambda: bool(closed(first)), WITHIN_S, worker.tail)
            wait_for(lambda: len(stored_walkers(first, city.checksum)) == 1, WITHIN_S, worker.tail)
            learned = len(list(changelog(first)))
            done = flaneur(first, "backup", str(backup))  # while everything runs
            assert done.returncode == 0, done.stderr
            assert "1 devices" in done.stdout
            assert backup.stat().st_mode & 0o077 == 0
        finally:
            codes = gateway.stop(), worker.stop()
        assert codes == (0, 0)
        streets, walkers = closed(first), stored_walkers(first, city.checksum)
        with pytest.raises(BadInput, match="is not empty"):
            restore(first, backup)
    shutil.copytree(tmp_path / "first" / "kafka", tmp_path / "copied" / "kafka")

    with own_broker(tmp_path / "fresh", settings) as fresh:
        assert flaneur(fresh, "topics", "--create").returncode == 0
        cut = tmp_path / "cut.gz"
        cut.write_bytes(gzip.compress(b"".join(gzip.decompress(backup.read_bytes()).splitlines(True)[:-1])))
        with pytest.raises(BadInput, match="is not whole"):
            restore(fresh, cut)
        done = flaneur(fresh, "restore", str(backup))
        assert done.returncode == 0, done.stderr
        assert closed(fresh) == streets
        worker, gateway = Worker(fresh, tmp_path).start(), GatewayProcess(fresh, tmp_path).start()
        try:
            worker.wait_ready()
            device.gateway = gateway.wait_ready()
            assert knows(gateway, device)
            assert worker.metric("flaneur_checkpoints_flawed_total") == 0
            assert worker.metric("flaneur_recovered_buckets_total", table=CONDITIONS_TABLE) >= learned > 0
            again = start(device, city)  # from the first offset on
            assert device.ask("GET", f"/v1/trips/{again}").status == 200
        finally:
            codes = gateway.stop(), worker.stop()
        assert codes == (0, 0)

    with own_broker(tmp_path / "copied", settings) as copied:
        assert {name: one["fixes"] for name, one in stored_walkers(copied, city.checksum).items()} == {
            name: one["fixes"] for name, one in walkers.items()
        }
        gateway = GatewayProcess(copied, tmp_path).start()
        try:
            device.gateway = gateway.wait_ready()
            assert knows(gateway, device)
            assert device.ask("GET", f"/v1/trips/{trip}").status == 200
        finally:
            assert gateway.stop() == 0


def changelog(settings: Settings) -> set[bytes]:
    """Keys of what is stored of conditions, but for the offsets."""
    with TopicReader(settings) as reader:
        keys = {one.key or b"" for one in reader.partition(changelog_topic(settings, CONDITIONS_TABLE), 0)}
    return keys - {b"0/offsets"}
