"""Every service of compose.yaml by its very command line: healthy, at work, ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import ROUTE_UPDATES, TRAFFIC_REPORTS
from streams.local.services import PROJECT
from streams.settings import Settings
from tests.broker.own_process import wait_for
from tests.compose.native import ENDED_WELL, Native


@pytest.fixture
def native(tmp_path: Path) -> Iterator[Native]:
    one = Native("plain", tmp_path / "native", tmp_path / "graph")
    try:
        yield one
    finally:
        one.end()


def count(native: Native, topic: str) -> int:
    with TopicReader(Settings(bootstrap=native.bootstrap)) as topics:
        return sum(1 for _ in topics.messages(topic))


def test_everything_starts_is_healthy_works_and_ends(native: Native, tmp_path: Path) -> None:
    stores = native.start("redis"), native.start("kafka")
    shutil.copy(PROJECT / "data" / "osm" / "altona" / "altona.osm.pbf", native.folder / "extracts")
    native.run("graph")
    made = sorted((tmp_path / "graph").iterdir())
    assert made
    native.wait_healthy(*stores)
    assert "gps-fixes" in native.run("topics")
    ours = native.start("worker"), native.start("gateway"), native.start("feeds")
    native.wait_healthy(*ours)
    native.start("demo")
    works = next((PROJECT / "data" / "feeds" / "wzdx").glob("*.geojson"))
    shutil.copy(works, native.folder / "feeds")  # the folder was empty when the service began to follow it
    wait_for(lambda: count(native, ROUTE_UPDATES) > 0, 60, ours[0].tail)
    wait_for(lambda: count(native, TRAFFIC_REPORTS) > 0, 60, ours[2].tail)
    native.run("graph")  # one that is there stays
    assert sorted((tmp_path / "graph").iterdir()) == made
    native.run("topics")
    ended = native.end()
    assert ended == {name: ENDED_WELL.get(name, 0) for name in ended}
    assert len(ended) == 6
