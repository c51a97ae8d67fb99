"""The parts of `flaneur up`: what it counts, how it measures, what it draws; and the graph it imports."""

from __future__ import annotations

import io
from collections import Counter, OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cli import bundled_graph
from cli.up_view import View, report
from cli.up_watch import Snapshot, Watch, percentile_ms, snapshot
from geo.errors import Unavailable
from models.records import RouteUpdate, encode
from streams.demo.fleet import Timed
from streams.kafka.topics import GPS_FIXES, TRAFFIC_REPORTS
from streams.local.processes import RunFolder, any_port
from streams.telemetry.scrape import Samples, read_samples, scrape

EXPOSED = """\
# HELP flaneur_fixes_total Fixes
# TYPE flaneur_fixes_total counter
flaneur_fixes_total 12.0
# TYPE flaneur_route_updates_total counter
flaneur_route_updates_total{reason="off_route"} 3.0
flaneur_route_updates_total{reason="late"} 0.0
# TYPE flaneur_dead_letters_total counter
flaneur_dead_letters_total{topic="gps-fixes",reason="not_json"} 2.0
flaneur_dead_letters_total{topic="ratings",reason="not_json"} 1.0
# TYPE flaneur_consumer_lag_messages gauge
flaneur_consumer_lag_messages{topic="gps-fixes",partition="0"} 4.0
flaneur_consumer_lag_messages{topic="gps-fixes",partition="1"} 5.0
# TYPE flaneur_conditions_version gauge
flaneur_conditions_version 7.0
"""


def bare_watch() -> Watch:
    """A watch without a broker: only what it remembers."""
    watch = Watch.__new__(Watch)
    watch.updates, watch.latencies_s, watch.sent = Counter(), [], Counter()
    watch._sent_at = OrderedDict()
    return watch


def test_samples_are_read_by_name_and_label() -> None:
    samples = read_samples(EXPOSED)
    assert samples.total("flaneur_fixes_total") == 12
    assert samples.total("flaneur_consumer_lag_messages") == 9
    assert samples.values("flaneur_consumer_lag_messages", partition="1") == [5]
    assert samples.by("flaneur_route_updates_total", "reason") == {"off_route": 3}
    assert samples.by("flaneur_dead_letters_total", "reason") == {"not_json": 3}
    assert samples.total("flaneur_nothing_total") == 0
    assert scrape(any_port(), 0.5) == Samples()


def test_a_snapshot_sums_up_what_workers_count() -> None:
    watch = bare_watch()
    watch.latencies_s = [0.010, 0.020, 0.030]
    now = snapshot(read_samples(EXPOSED), watch, 2.0)
    assert now.summary() == {
        "fixes": 12,
        "late": 0,
        "dead_letters": 3,
        "updates": {"off_route": 3},
        "p50_ms": 20.0,
        "p99_ms": 30.0,
        "seconds": 2.0,
    }
    assert (now.lag, now.conditions_version) == (9, 7)


@given(st.lists(st.floats(0, 1e3), min_size=1), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_is_the_smallest_that_so_many_do_not_exceed(values: list[float], part: float) -> None:
    naive = min(v for v in values if sum(w <= v for w in values) >= part * len(values))
    assert percentile_ms(values, part) == round(1000 * naive, 3)


def test_no_latency_without_updates() -> None:
    assert percentile_ms([], 0.5) is None


def update(reason: str, fix_ts: float | None) -> bytes:
    return encode(RouteUpdate(device="a", trip="t", version=1, ts=100.5, reason=reason, fix_ts=fix_ts))


def test_an_update_is_timed_against_the_fix_that_caused_it() -> None:
    watch = bare_watch()
    records = [Timed(100.0, GPS_FIXES, b"a", b"{}"), Timed(100.1, TRAFFIC_REPORTS, b"s", b"{}")]
    list(watch.noting(records))
    assert watch.sent == {GPS_FIXES: 1, TRAFFIC_REPORTS: 1}
    sent = watch._sent_at["a", 100.0]
    watch._note(update("off_route", 100.0), sent + 0.25)
    assert watch.latencies_s == [pytest.approx(0.25)]
    watch._note(update("world_changed", 100.0), sent + 9)  # a report caused it, not the fix
    watch._note(update("late", 99.0), sent + 9)  # a fix that this run did not send
    watch._note(update("arrived", None), sent + 9)
    watch._note(b"not json", sent + 9)
    assert len(watch.latencies_s) == 1
    assert watch.updates == {"off_route": 1, "world_changed": 1, "late": 1, "arrived": 1, "unreadable": 1}


def test_a_fix_is_noted_after_it_was_sent() -> None:
    watch = bare_watch()
    noting = watch.noting([Timed(1.0, GPS_FIXES, b"a", b""), Timed(2.0, GPS_FIXES, b"a", b"")])
    next(noting)
    assert not watch._sent_at  # handed out, but still waiting for its time
    next(noting)
    assert list(watch._sent_at) == [("a", 1.0)]


def test_only_so_many_fixes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.up_watch.REMEMBERED", 3)
    watch = bare_watch()
    list(watch.noting(Timed(float(i), GPS_FIXES, b"a", b"") for i in range(10)))
    assert list(watch._sent_at) == [("a", 7.0), ("a", 8.0), ("a", 9.0)]


@pytest.mark.parametrize("live", [True, False])
def test_the_view_shows_counts_and_where_to_look(live: bool) -> None:
    output = io.StringIO()
    console = Console(file=output, width=120, force_terminal=live)
    now = Snapshot(4.0, 1200, 1, 2, {"not_json": 3}, {"late": 5}, 31, 30, 6, 7, 12.5, 48.0)
    with View(console, live, [("broker", "127.0.0.1:9092")]) as view:
        view.show(now, "the day is on")
    text = output.getvalue()
    for part in ("the day is on", "31", "1,200", "late 5", "127.0.0.1:9092", "p99 48 ms"):
        assert part in text
    assert "dead letters  3 (not_json 3)" in report(now)


@pytest.fixture
def cities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project with one small extract per city, and an importer that notes its calls."""
    for city in bundled_graph.CITIES:
        (tmp_path / "data" / "osm" / city).mkdir(parents=True)
        (tmp_path / "data" / "osm" / city / f"{city}.osm.pbf").write_bytes(city.encode())
    monkeypatch.setattr(bundled_graph, "PROJECT", tmp_path)
    calls: list[list[str]] = []

    def imports(command: list[str], **_: object) -> object:
        calls.append(command)
        folder = Path(command[command.index("-o") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metadata.json").write_text("{}")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(bundled_graph.subprocess, "run", imports)
    return SimpleNamespace(project=tmp_path, folder=RunFolder(tmp_path / "run"), calls=calls)


def test_the_cities_are_imported_once_and_again_when_an_extract_changes(cities: Any) -> None:
    said: list[str] = []
    (cities.folder.path).mkdir()
    assert bundled_graph.ensure_graph(cities.folder, said.append)
    assert not bundled_graph.ensure_graph(cities.folder, said.append)
    assert len(cities.calls) == 1
    assert said == ["graph: importing copenhagen, altona, porto-centre"]
    (cities.project / "data" / "osm" / "altona" / "altona.osm.pbf").write_bytes(b"newer")
    assert bundled_graph.ensure_graph(cities.folder, said.append)
    (cities.project / "geo").mkdir()
    (cities.project / "geo" / "pace.py").write_text("FASTER = True")
    assert bundled_graph.ensure_graph(cities.folder, said.append)
    assert len(cities.calls) == 3


def test_a_missing_extract_is_named(cities: Any) -> None:
    (cities.project / "data" / "osm" / "altona" / "altona.osm.pbf").unlink()
    with pytest.raises(Unavailable, match="altona"):
        bundled_graph.ensure_graph(cities.folder, print)
