"""What leaves a walker's partition: who passed where, and nothing that says who that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geo.graph import edge_id
from geo.network import Network, OnlyNetwork
from geo.passages import PASSAGE
from geo.routing.costs import static_costs
from models.bytes_column import BytesColumn
from models.records import CellObservation, decode, encode
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from models.world.condition_places import cell_key
from models.world.observations import AT_ONCE, cell_observations, in_cells, pseudonym
from streams.kafka.topics import CELL_OBSERVATIONS, DEVICE_TOPICS, GPS_FIXES
from streams.settings import Settings
from streams.transport.block import Block
from streams.worker.delivery import Outgoing
from streams.worker.walker_shard import PSEUDONYM_KEY, WalkerShard
from tests.broker.drawn import T0, City, draw

KEY = b"k" * 32
POSITIONS = dict.fromkeys(DEVICE_TOPICS, 0)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(tmp_path_factory.mktemp("city") / "graph")


def shard_of(city: City, buckets: dict[str, bytes] | None = None) -> WalkerShard:
    shard = WalkerShard(0, Settings(buckets=4), OnlyNetwork(Network(city.graph, static_costs(city.graph))))
    shard.load(buckets or {})
    return shard


def block(values: Sequence[bytes], first: int = 0) -> Block:
    n = len(values)
    return Block.of(GPS_FIXES, 0, list(range(first, first + n)), [None] * n, list(values), [1] * n)


def walks(city: City) -> list[bytes]:
    fixes = [
        fix
        for k, route in enumerate(("EFGH", "ABFJ", "LKGC", "IJK"))
        for fix in city.walk(f"walker-{k}", route, noise_m=3.0, seed=k)
    ]
    return [encode(fix) for fix in sorted(fixes, key=lambda fix: fix.ts)]


def rows(records: Sequence[CellObservation]) -> list[tuple[Any, ...]]:
    """Every passage by itself."""
    return sorted(
        (one.cell, walker, one.edges[edge] if edge >= 0 else "", *rest)
        for one in records
        for walker, edge, *rest in zip(
            one.walkers, one.edge, one.end_ts, one.walked_m, one.seconds, one.expected_s, strict=True
        )
    )


def observed(shard: WalkerShard) -> list[Outgoing]:
    return [message for part in shard.observe() for message in part.messages]


def sent(shard: WalkerShard) -> list[CellObservation]:
    """Everything that waits, as it is read from the topic; it counts as delivered."""
    messages = observed(shard)
    shard.sent()
    assert all(message.topic == CELL_OBSERVATIONS for message in messages)
    records = [decode(CellObservation, message.value or b"") for message in messages]
    assert [message.key for message in messages] == [record.cell.encode() for record in records]
    return records


def test_a_passage_says_where_and_how_long_and_not_who(city: City) -> None:
    shard = shard_of(city)
    values = walks(city)
    shard.process(block(values))
    messages = observed(shard)
    told = b"".join(message.value or b"" for message in messages)
    assert b"walker-" not in told
    records = [decode(CellObservation, message.value or b"") for message in messages]
    graph = city.graph
    known = {edge_id(graph, e) for e in range(graph.edge_count) if not 0 <= graph.reverse[e] < e}
    assert {edge for record in records for edge in record.edges} <= known
    assert {record.cell for record in records} <= {cell_key(int(h3)) for h3 in graph.cell_h3}
    seconds = sum(sum(record.seconds) for record in records)
    expected = sum(sum(record.expected_s) for record in records)
    assert 0.8 * len(values) < seconds < len(values)  # the end of each walk is not settled yet
    assert expected == pytest.approx(seconds, rel=0.15)  # they walk at about the reference pace
    assert len(told) < 0.1 * sum(map(len, values))


def test_passages_do_not_depend_on_how_blocks_are_cut(city: City) -> None:
    values = walks(city)
    whole, parts = shard_of(city), shard_of(city)
    parts._pseudonym_key = whole._pseudonym_key
    whole.process(block(values))
    found = []
    for first in range(0, len(values), 37):
        parts.process(block(values[first : first + 37], first))
        found += sent(parts) if first % 2 else []
    found += sent(parts)
    assert rows(found) == rows(sent(whole))


def test_passages_can_be_sent_a_few_at_a_time(city: City) -> None:
    values = walks(city)
    whole, parts = shard_of(city), shard_of(city)
    parts._pseudonym_key = whole._pseudonym_key
    messages = []
    for shard in (whole, parts):
        shard.process(block(values))
    for part in parts.observe(7):
        assert 0 < sum(len(decode(CellObservation, m.value or b"").walkers) for m in part.messages) <= 7
        messages += part.messages
        assert parts.forget_gone(1e9, 0.0) == []
    parts.sent()
    records = [decode(CellObservation, message.value or b"") for message in messages]
    assert rows(records) == rows(sent(whole))
    assert sent(parts) == []


def test_after_a_crash_everything_is_sent_at_least_once_and_the_same(city: City) -> None:
    values = walks(city)
    calm, shard = shard_of(city), shard_of(city)
    calm._pseudonym_key = shard._pseudonym_key
    calm.process(block(values))
    stored: dict[str, bytes] = {PSEUDONYM_KEY: shard._pseudonym_key}
    found: list[CellObservation] = []
    for first in range(0, len(values), 50):
        shard.process(block(values[first : first + 50], first))
        if first % 100 == 0:
            names = [*map(str, range(4)), PSEUDONYM_KEY]
            positions = POSITIONS | {GPS_FIXES: first + 50}
            stored = {name: data for name in names if (data := shard.pack(name, positions)) is not None}
            at = first + 50
        if first % 150 == 0:
            found += sent(shard)
        if first % 200 == 0:  # killed: what came since the last checkpoint is read again
            shard = shard_of(city, stored)
            shard.process(block(values[at : first + 50], at)) if at < first + 50 else None
    found += sent(shard)
    assert set(rows(found)) == set(rows(sent(calm)))


def test_the_key_is_stored_before_the_first_pseudonym_is_sent(city: City) -> None:
    shard = shard_of(city)
    shard.process(block(walks(city)))
    (first,) = shard.observe(1_000_000)
    assert first.messages
    assert first.write_ahead == {PSEUDONYM_KEY}
    key = shard.pack(PSEUDONYM_KEY, POSITIONS)
    assert key is not None
    assert key != shard_of(city).pack(PSEUDONYM_KEY, POSITIONS)
    again = shard_of(city, {PSEUDONYM_KEY: key})
    assert again.pack(PSEUDONYM_KEY, POSITIONS) == key
    again.process(block(walks(city)))
    assert [part.write_ahead for part in again.observe(1_000_000)] == [set()]


def test_a_pseudonym_holds_in_one_cell_on_one_day_under_one_key() -> None:
    one = pseudonym(b"anna", KEY, T0, "891126d3303ffff")
    assert one == pseudonym(b"anna", KEY, T0 + 60.0, "891126d3303ffff")
    others = {
        pseudonym(b"otto", KEY, T0, "891126d3303ffff"),
        pseudonym(b"anna", b"l" * 32, T0, "891126d3303ffff"),
        pseudonym(b"anna", KEY, T0 + 86_400.0, "891126d3303ffff"),
        pseudonym(b"anna", KEY, T0, "891126d3307ffff"),
    }
    assert len(others | {one}) == 5
    assert all(0 <= value < 2**48 for value in others)


def test_who_is_off_the_network_counts_in_the_nearest_cell_and_far_away_in_none(city: City) -> None:
    graph = city.graph
    found = np.zeros(2, PASSAGE)
    found["ts"], found["edge"], found["seconds"], found["walked_m"] = T0, -1, 60.0, 9.0
    found["lat"], found["lon"] = (graph.cell_lat[0], graph.cell_lat[0] + 1.0), graph.cell_lon[0]
    (record,) = cell_observations(graph, *in_cells(graph, found), [b"anna"], KEY)
    assert record.cell == cell_key(int(graph.cell_h3[0]))
    assert (record.edges, record.edge) == ([], [-1])
    assert (record.walked_m, record.seconds, record.expected_s) == ([0.0], [60.0], [0.0])


def test_many_passages_make_several_records(city: City) -> None:
    found = np.zeros(2 * AT_ONCE + 1, PASSAGE)
    found["ts"] = T0 + np.arange(len(found))
    found["seconds"] = 1.0
    records = cell_observations(city.graph, *in_cells(city.graph, found), [b"anna"], KEY)
    assert [len(record.walkers) for record in records] == [AT_ONCE, AT_ONCE, 1]
    assert sum(len(row) for row in (record.end_ts for record in records)) == len(found)


def test_windows_only_makes_no_passages(city: City, tmp_path: Path) -> None:
    one = Walking(
        0,
        OnlyNetwork(Network(city.graph, static_costs(city.graph))),
        WalkerState(4, (0,), DEVICE_TOPICS),
        ingest_only=True,
    )
    values = walks(city)
    one.take_fixes(BytesColumn.of(values), np.arange(len(values)))
    assert len(one.state.finished) == 0


def test_a_passage_of_another_graph_is_left_out(city: City) -> None:
    found = np.zeros(2, PASSAGE)
    found["ts"], found["seconds"], found["edge"] = T0, 5.0, (0, city.graph.edge_count)
    (record,) = cell_observations(city.graph, *in_cells(city.graph, found), [b"anna"], KEY)
    assert len(record.walkers) == 1
