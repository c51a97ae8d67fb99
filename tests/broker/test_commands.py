"""`flaneur status`, `topics` and `dead-letters` against a running deployment."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from models.records import Fix
from streams.kafka.topics import GPS_FIXES
from tests.broker.deployment import Client, Phone, Worker, wait_for
from tests.broker.drawn import City


def flaneur(worker: Worker, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    names = ("bootstrap", "graph_dir", "group", "metrics_port", "partitions")
    env = os.environ | {name.upper(): str(getattr(worker.settings, name)) for name in names}
    program = Path(sys.executable).parent / "flaneur"
    return subprocess.run([program, *arguments], env=env, capture_output=True, timeout=60, check=False)


def lines(done: subprocess.CompletedProcess[bytes]) -> list[Any]:
    assert done.returncode == 0, done.stderr
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def test_dead_letters_can_be_listed_shown_and_sent_again(worker: Worker, city: City) -> None:
    phone = Phone(worker.settings)
    phone.send(GPS_FIXES, "anna", b"rubbish")
    walk = city.walk("anna", "EF")
    phone.send(GPS_FIXES, "anna", *walk[:3])
    client = Client(worker.settings)
    wait_for(lambda: client.read() or len(client.letters) == 1, 20)  # type: ignore[func-returns-value]
    (letter,) = lines(flaneur(worker, "dead-letters", "list", "--json"))
    assert (letter["topic"], letter["value"]) == (GPS_FIXES, "rubbish")
    assert letter["reason"].startswith("not_json")
    assert lines(flaneur(worker, "dead-letters", "show", str(letter["number"]))) == [letter]
    assert b"rubbish" in flaneur(worker, "dead-letters", "list").stdout
    assert lines(flaneur(worker, "dead-letters", "list", "--reason", "too_large", "--json")) == []
    again = flaneur(worker, "dead-letters", "replay", str(letter["number"]))
    assert again.stdout == b"1 of 1 sent back\n"
    wait_for(lambda: client.read() or len(client.letters) == 2, 20)  # type: ignore[func-returns-value]
    client.close()
    absent = flaneur(worker, "dead-letters", "show", "99")
    assert absent.returncode == 2
    assert absent.stderr.count(b"\n") == 1


def test_status_tells_lag_checkpoints_and_versions(worker: Worker, city: City) -> None:
    Phone(worker.settings).send(
        GPS_FIXES, "anna", *city.walk("anna", "EF"), Fix(device="b", ts=1.0, lat=60, lon=24)
    )

    def caught_up() -> bool:
        (status,) = lines(flaneur(worker, "status", "--json"))
        fixes = [one for one in status["partitions"] if one["topic"] == GPS_FIXES]
        return sum(one["end"] for one in fixes) > 50 and all(one["lag"] == 0 for one in fixes if one["end"])

    wait_for(caught_up, 30)
    (status,) = lines(flaneur(worker, "status", "--json"))
    assert status["graph"]["edges"] == city.graph.edge_count
    assert any(name.startswith("walkers/") for name in status["checkpoints"])
    assert sum(one["fixes_total"] for one in status["workers"].values()) > 50
    assert b"gps-fixes" in flaneur(worker, "status").stdout


def test_topics_are_checked(worker: Worker) -> None:
    assert GPS_FIXES in {one["topic"] for one in lines(flaneur(worker, "topics", "--json"))}
    wrong = Worker(replace(worker.settings, partitions=5), worker.log.parent, "wrong")
    done = flaneur(wrong, "topics")
    assert done.returncode == 2
    assert b"partitions" in done.stderr
