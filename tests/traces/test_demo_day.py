"""The recorded day: the same bytes for the same arguments, every record good, everything in it."""

from __future__ import annotations

import itertools
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import orjson
import pytest

from geo.errors import BadInput
from geo.geodesy import haversine_m
from geo.graph import Graph
from geo.grid import nearest_edges
from geo.network import OnlyNetwork
from geo.osm.importer import import_osm
from models.bytes_column import BytesColumn
from models.records import Fix, RouteRequest, TrafficReport, WeatherReport, decode
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from streams.demo.crowd import NEWS_S
from streams.demo.day import NOTES, DemoDay, demo_day, main
from streams.demo.learned import DATA, load_learned
from streams.demo.networks import Networks
from streams.demo.walkers import TASTES, _shares
from streams.demo.world import DAY_S
from streams.kafka.topics import DEVICE_TOPICS
from tests.geo.asciimap import graph_from_ascii

T0 = 1_760_000_040.0  # a full minute
KINDS = {
    "gps-fixes": Fix,
    "route-requests": RouteRequest,
    "traffic-reports": TrafficReport,
    "weather-reports": WeatherReport,
}


@pytest.fixture(scope="module")
def altona() -> Graph:
    return import_osm([DATA / "osm" / "altona" / "altona.osm.pbf"])


@pytest.fixture(scope="module")
def day(altona: Graph) -> DemoDay:
    return demo_day(altona, 12, 7, T0)


def fixes_of(day: DemoDay, device: str) -> list[Fix]:
    return [decode(Fix, one.value) for one in day if one.key == device.encode() and one.topic == "gps-fixes"]


def test_the_same_arguments_give_the_same_bytes(altona: Graph, day: DemoDay) -> None:
    assert demo_day(altona, 12, 7, T0).records == day.records
    assert demo_day(altona, 12, 8, T0).records != day.records


def test_every_record_is_good_and_in_event_time_order(day: DemoDay) -> None:
    assert all(one.ts <= two.ts for one, two in itertools.pairwise(day))
    assert day.records[0].ts >= T0
    assert Counter(record.topic for record in day) == day.counts
    for record in day:
        read = decode(KINDS[record.topic], record.value)
        assert read.ts == pytest.approx(record.ts, abs=1e-3)
        owner = read.device if isinstance(read, (Fix, RouteRequest)) else read.source
        assert record.key == owner.encode()


def test_everybody_asks_first_and_then_walks(day: DemoDay) -> None:
    assert day.counts["route-requests"] == len(day.walkers) == 13
    for walker in day.walkers:
        mine = [record for record in day if record.key == walker.device.encode()]
        assert [record.topic for record in mine[:2]] == ["route-requests", "gps-fixes"]
        request = decode(RouteRequest, mine[0].value)
        assert (request.kind, request.ts) == (walker.kind, walker.start_ts)
        assert (request.taste or {}) == TASTES[walker.taste]
        first = decode(Fix, mine[1].value)
        assert haversine_m(first.lat, first.lon, request.lat, request.lon) < 60  # the request knows where
        fixes = fixes_of(day, walker.device)[::60]
        for one, two in itertools.pairwise(fixes):
            far_m = float(haversine_m(one.lat, one.lon, two.lat, two.lon))
            assert far_m < 2.5 * (two.ts - one.ts) + 100  # nobody runs, but a phone may jump


def test_the_real_walk_is_in_it_unchanged_but_for_its_times(day: DemoDay) -> None:
    fixes = fixes_of(day, "altona-walker")
    raw = orjson.loads((DATA / "traces" / "altona" / "altona_walk.json").read_bytes())
    assert [[fix.lat, fix.lon] for fix in fixes] == [[round(v, 7) for v in pair] for pair in raw["latlon"]]
    assert [fix.ts - T0 for fix in fixes] == raw["times"]


def test_the_day_ends_with_the_walkers(day: DemoDay) -> None:
    assert day.records[-1].ts == max(record.ts for record in day if record.topic == "gps-fixes")
    assert 1000 < day.duration_s < DAY_S


def test_walkers_do_as_the_engine_says_and_arrive(altona: Graph, day: DemoDay) -> None:
    """The engine that reads the day gives those who follow it hardly anything to come back from."""
    told: dict[str, Counter[str]] = {walker.device: Counter() for walker in day.walkers}
    networks = Networks(altona, [one for one in day if one.topic.endswith("-reports")])
    engine = Walking(0, OnlyNetwork(networks.at(T0)), WalkerState(1, (0,), DEVICE_TOPICS))
    look_ts = T0 + NEWS_S
    for offset, record in enumerate(one for one in day if one.topic in DEVICE_TOPICS):
        updates = []
        while record.ts >= look_ts:
            updates += engine.change_world(0, networks.at(look_ts - NEWS_S)).updates
            look_ts += 60.0
        if record.topic == "gps-fixes":
            updates += engine.take_fixes(BytesColumn.of([record.value]), np.array([offset])).updates
        else:
            request = decode(RouteRequest, record.value)
            updates += engine.take_request(record.key, request, offset, 0).updates
        for update in updates:
            told[update.device][update.reason] += 1
    simulated = day.walkers[1:]
    assert all(told[walker.device]["arrived"] == 1 for walker in simulated)
    for walker in simulated:
        if walker.leaves_at_m is not None:
            assert told[walker.device]["off_route"] >= 1
    # a phone that jumps or was silent for minutes may look as if its walker had left
    others = [told[walker.device]["off_route"] for walker in simulated if walker.leaves_at_m is None]
    assert np.median(others) == 0
    assert sum(others) <= len(others)
    assert sum(counts["world_changed"] for counts in told.values()) >= 2  # closures and rain


def test_walkers_keep_to_their_route_unless_they_leave_it_or_get_another(altona: Graph, day: DemoDay) -> None:
    left = [walker for walker in day.walkers if walker.leaves_at_m is not None]
    assert 1 <= len(left) <= 8
    assert any(walker.followed for walker in day.walkers)
    assert any(walker.leaves_at_m is None and not walker.followed for walker in day.walkers[1:])
    for walker in day.walkers[1:]:
        mine = fixes_of(day, walker.device)
        along = np.linspace(0, len(walker.lat) - 1, 40 * len(walker.lat))
        lat = np.interp(along, np.arange(len(walker.lat)), walker.lat)
        lon = np.interp(along, np.arange(len(walker.lat)), walker.lon)
        away = np.array([haversine_m(fix.lat, fix.lon, lat, lon).min() for fix in mine[::10]])
        off_m = [nearest_edges(altona, fix.lat, fix.lon, 200.0, 1)[0].distance_m for fix in mine[::20]]
        assert np.median(off_m) < 15
        if walker.leaves_at_m is None and not walker.followed:
            assert np.quantile(away, 0.9) < 40  # the GPS error; a jump may be for good


def test_a_shower_comes_and_is_told_before(day: DemoDay) -> None:
    told = [decode(WeatherReport, one.value) for one in day if one.topic == "weather-reports"]
    rain = [report for report in told if report.precip_mmph]
    assert rain[0].precip_mmph == 11.18  # 0.44 inches
    assert rain[0].ts == T0 + 300
    assert rain[0].valid_from == T0 + 900
    assert all(report.source.endswith("~moved") and 53 < report.lat < 54 for report in told)


def test_closures_lie_on_the_way_of_those_who_come_there(day: DemoDay) -> None:
    reports = [decode(TrafficReport, one.value) for one in day if one.topic == "traffic-reports"]
    closures = [report for report in reports if report.kind == "closure"]
    assert len(closures) == 3
    for closure in closures:
        lon, lat = closure.geometry["coordinates"][1]
        assert any(haversine_m(lat, lon, w.lat, w.lon).min() < 1 for w in day.walkers[1:])
    assert all(report.source.endswith("~moved") for report in reports)  # no taxis in Altona
    assert any(report.kind == "roadwork" for report in reports)


def test_it_says_what_is_not_as_it_was(day: DemoDay) -> None:
    assert day.notes == NOTES
    assert sum("shifted" in note for note in NOTES) == 4


def test_cities_share_the_walkers() -> None:
    cities = [np.zeros(n, np.int32) for n in (900, 500, 300)]
    assert _shares(cities, 40) == [28, 6, 6]
    assert _shares(cities, 3) == [1, 1, 1]
    assert _shares(cities, 1) == [0, 1, 0]
    assert _shares(cities, 0) == [0, 0, 0]
    assert _shares(cities[:1], 5) == [5]


def test_nobody_is_a_day_too(altona: Graph) -> None:
    assert demo_day(altona, 0, 1, T0).counts["route-requests"] == 1  # the real one


def test_what_cannot_be_a_day_is_refused(altona: Graph, tmp_path: Path) -> None:
    small, _ = graph_from_ascii("A----B----C")
    with pytest.raises(BadInput, match="no connected network of 200 edges"):
        demo_day(small, 3, 1, T0)
    with pytest.raises(BadInput, match="-1 walkers"):
        demo_day(altona, -1, 1, T0)
    with pytest.raises(BadInput, match="fit-gps-error"):
        demo_day(altona, 1, 1, T0, tmp_path)
    shutil.copytree(DATA / "traces", tmp_path / "traces")
    with pytest.raises(BadInput, match="hourly weather"):
        demo_day(altona, 1, 1, T0, tmp_path)


def test_the_fit_can_be_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walks = DATA / "traces" / "lyon" / "noisecapture_lyon_walks.csv.gz"
    out = tmp_path / "fitted.json"
    assert main(["fit-gps-error", str(walks), "--out", str(out)]) == 0
    fitted = orjson.loads(out.read_bytes())
    error, pace = load_learned()
    # a fifth of the walks: not the same numbers, but the same phones and people
    assert fitted["gps_error"]["walks"] == 17
    assert fitted["gps_error"]["tau_s"] == pytest.approx(error.tau_s, rel=0.6)
    assert fitted["gps_error"]["slow_share"] == pytest.approx(error.slow_share, abs=0.15)
    assert np.mean(fitted["pace"]["mean_mps"]) == pytest.approx(np.mean(pace.mean_mps), abs=0.1)
    assert main(["fit-gps-error", str(tmp_path / "none.csv")]) == 2
    assert capsys.readouterr().err.startswith("streams.demo.day: ")
