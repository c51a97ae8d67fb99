"""The peers do the same job: on the same topic of a real broker they count the same windows."""

from __future__ import annotations

from collections import defaultdict
from uuid import uuid4

import orjson
import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from bench.peers.meter import WINDOW_S
from bench.peers.run import Outcome, choose_peers, run_peer
from bench.rig.fixes import Walk, encode_tick, walk_ticks
from bench.rig.scratch import preload
from bench.rig.tracks import wander
from tests.conftest import Services

PARTITIONS = 3
DEVICES = 25
TICKS = 80
FIXES = DEVICES * TICKS
ALWAYS_HERE = {
    "confluent",
    "aiokafka",
    "faust",
    "kafka-streams",
    "kafka-streams-tuned",
    "kafka-streams-memory",
}


@pytest.fixture(scope="module")
def walk() -> Walk:
    return Walk(wander(DEVICES, 200.0, seed=4), start_s=1_750_000_000.0, seed=4)


@pytest.fixture(scope="module")
def topic(services: Services, walk: Walk) -> str:
    name = f"bench-peers-{uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": services.bootstrap})
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1)]).values():
        future.result(timeout=30)
    assert preload(services.bootstrap, name, walk, FIXES) == FIXES
    return name


@pytest.fixture(scope="module")
def expected(walk: Walk) -> tuple[int, int, int, float]:
    """Counted, windows, squared counts and summed speeds, the plain way."""
    windows: dict[tuple[str, int], list[float]] = defaultdict(list)
    for tick in walk_ticks(walk, TICKS):
        for value in encode_tick(walk.devices(), tick):
            fix = orjson.loads(value)
            windows[fix["device"], int(fix["ts"] // WINDOW_S)].append(fix["speed_mps"])
    counts = [len(speeds) for speeds in windows.values()]
    return sum(counts), len(counts), sum(n * n for n in counts), sum(map(sum, windows.values()))


def test_every_peer_counts_what_was_sent(
    services: Services, topic: str, expected: tuple[int, int, int, float]
) -> None:
    peers = choose_peers(None)
    assert {peer.name for peer in peers} >= ALWAYS_HERE
    outcomes: dict[str, Outcome] = {
        peer.name: run_peer(peer, services.bootstrap, topic, PARTITIONS, FIXES // 4, FIXES - FIXES // 4)
        for peer in peers
    }
    counted, windows, squares, speed_sum = expected
    for name, outcome in outcomes.items():
        assert outcome.counted == counted, name
        assert outcome.version, name
        if outcome.windows is not None:
            assert (outcome.windows, outcome.count_squares) == (windows, squares), name
            assert outcome.speed_sum == pytest.approx(speed_sum, rel=1e-6), name
    assert outcomes["kafka-streams"].cpu_s > 0
