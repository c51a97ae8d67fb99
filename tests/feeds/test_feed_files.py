"""What every bundled file of a feed becomes; the numbers were checked against the files by eye."""

from pathlib import Path

import pytest

from models.records import TrafficReport, WeatherReport, decode, encode
from streams.feeds import FORMATS, Context
from streams.feeds.places import read_places

DATA = Path(__file__).parents[2] / "data"
FINTRAFFIC = DATA / "feeds" / "fintraffic"

# file: reports by kind, reasons of problems, ignored
TRAFFIC = {
    ("fintraffic", "wazefeed_Roadwork.json"): ({"roadwork": 4, "closure": 2}, [], 0),
    ("fintraffic", "wazefeed_Roadwork2.json"): ({"roadwork": 5, "closure": 1}, [], 0),
    ("fintraffic", "wazefeed_Roadwork_lane_closed.json"): ({"roadwork": 5}, [], 0),
    ("fintraffic", "wazefeed_Roadwork_lane_closed_2.json"): ({"roadwork": 1}, [], 0),
    ("fintraffic", "wazefeed_Roadwork_lane_management.json"): ({"roadwork": 5}, [], 0),
    ("wzdx", "scenario1_simple_linestring_example.geojson"): ({"roadwork": 5}, [], 0),
    ("wzdx", "scenario1_simple_multipoint_example.geojson"): ({"roadwork": 5}, [], 0),
    ("wzdx", "scenario2_laneshift_linestring_example.geojson"): ({"roadwork": 1}, [], 0),
    ("wzdx", "scenario3_shoulder_bidirectional_linestring_example.geojson"): ({"roadwork": 2}, [], 0),
    ("wzdx", "scenario4_detour_linestring_example.geojson"): ({"roadwork": 1}, [], 3),
    ("wzdx", "scenario5_recurring_linestring_example.geojson"): ({"roadwork": 4}, [], 0),
    ("gtfs-rt", "alerts.asciipb"): ({}, ["no_geometry"] * 3, 0),
    ("datex2", "wazefeed_Roadwork.xml"): ({"roadwork": 5, "closure": 2}, [], 1),
    ("datex2", "wazefeed_Roadwork2.xml"): ({"roadwork": 3, "closure": 1}, [], 1),
    ("datex2", "wazefeed_Roadwork_lane_closed.xml"): ({"roadwork": 3}, [], 1),
    ("datex2", "wazefeed_Roadwork_lane_closed_2.xml"): ({"roadwork": 2}, [], 0),
    ("datex2", "wazefeed_Roadwork_lane_management.xml"): ({"roadwork": 9}, [], 0),
}
# Fintraffic's traffic situations give Alert-C codes without coordinates; some are templates without a time.
SITUATIONS = {
    "AbnormalTraffic": (["no_geometry"] * 3, 0),
    "AbnormalTrafficExtension": (["no_geometry"] * 3, 0),
    "AccidentAndRoadOrCarriagewayOrLaneManagement": (["no_geometry"] * 3, 1),
    "DisturbanceActivity": (["no_geometry"] * 2, 0),
    "EquipmentOrSystemFault": ([], 1),
    "GeneralAccidentOtherAndUnprotectedAccidentArea": (["bad_time"] * 2, 0),
    "GeneralNetworkManagement": (["no_geometry"], 3),
    "IceRoadClosed": (["no_geometry"], 0),
    "InfrastructureDamageObstruction": (["no_geometry"] * 2, 0),
    "NonWeatherRelatedRoadcondition": (["no_geometry"] * 2, 0),
    "PoorEnvironmentalConditions": (["no_geometry"] * 2, 0),
    "PublicEvent": (["no_geometry"] * 2, 0),
    "RoadOrCarriagewayOrLaneManagementAndSpeedManagement": (["no_geometry"], 1),
    "RoadOrCarriagewayOrLaneManagementAndWeatherCondition": (["no_geometry"] * 2, 1),
    "RoadOrCarriagewayOrLaneManagementWithReroutingManagement": (["bad_time"], 1),
    "TransitInformation": ([], 1),
    "VehicleObstructionAndRoadOrCarriagewayOrLaneManagement": (["no_geometry"] * 2, 0),
}
FOLDERS = {"fintraffic": "fintraffic", "datex2": "fintraffic", "wzdx": "wzdx", "gtfs-rt": "gtfs-rt"}


def parse(name, path, now=1.0, context=None):
    return FORMATS[name].parse(path.read_bytes(), "feed", now, context or Context())


def traffic(name, file, context=None):
    return parse(name, DATA / "feeds" / FOLDERS[name] / file, context=context)


@pytest.mark.parametrize(("name", "file"), TRAFFIC)
def test_traffic_file(name, file):
    kinds, reasons, ignored = TRAFFIC[name, file]
    parsed = traffic(name, file, Context(places=read_places(FINTRAFFIC)))
    found = [report.kind for report in parsed.reports]
    assert {kind: found.count(kind) for kind in found} == kinds
    assert [problem.reason for problem in parsed.problems] == reasons
    assert parsed.ignored == ignored


@pytest.mark.parametrize("name", SITUATIONS)
def test_situation_without_a_place(name):
    parsed = traffic(
        "datex2", f"wazefeed_TrafficSituation{name}.xml", Context(places=read_places(FINTRAFFIC))
    )
    assert parsed.reports == []
    assert ([problem.reason for problem in parsed.problems], parsed.ignored) == SITUATIONS[name]


def test_every_bundled_file_is_pinned():
    pinned = {file for _, file in TRAFFIC} | {f"wazefeed_TrafficSituation{name}.xml" for name in SITUATIONS}
    files = {path.name for path in (DATA / "feeds").glob("*/*") if path.suffix != ".md"}
    assert files == pinned


@pytest.mark.parametrize("name", SITUATIONS)
def test_situation_with_a_place_for_its_codes(name):
    """Whoever has the location table gives the codes a place, and the situation is read."""
    from xml.etree import ElementTree

    path = FINTRAFFIC / f"wazefeed_TrafficSituation{name}.xml"
    codes = [e.text for e in ElementTree.parse(path).iter() if e.tag.endswith("specificLocation")]
    places = {f"alertc:6:17:{code}": {"type": "Point", "coordinates": [24.9, 60.2]} for code in codes}
    parsed = parse("datex2", path, context=Context(places=places))
    reasons, ignored = SITUATIONS[name]
    assert len(parsed.reports) == reasons.count("no_geometry")
    assert len(parsed.problems) == reasons.count("bad_time")
    assert parsed.ignored == ignored


def test_suspended_situation_has_ended():
    places = {"GUID50406791": {"type": "Point", "coordinates": [24.9, 60.2]}}
    parsed = traffic(
        "datex2", "wazefeed_TrafficSituationGeneralNetworkManagement.xml", Context(places=places)
    )
    (report,) = parsed.reports
    assert report.source == "feed#GUID5040791201"
    assert report.valid_from == 1668712740.0  # 2022-11-17T19:19:00Z
    assert report.valid_to <= 1668726689.793  # its overallEndTime, 23:11:29.793


def test_fintraffic_closure_and_its_datex_twin():
    json = [r for r in traffic("fintraffic", "wazefeed_Roadwork2.json").reports if r.kind == "closure"]
    places = read_places(FINTRAFFIC / "wazefeed_Roadwork2.json")
    xml = [
        r
        for r in traffic("datex2", "wazefeed_Roadwork2.xml", Context(places=places)).reports
        if r.kind == "closure"
    ]
    assert len(json) == len(xml) == 1
    assert json[0].geometry == xml[0].geometry
    assert json[0].ts == xml[0].ts == 1762960709.1  # 2025-11-12T15:18:29.1Z
    assert json[0].source == "feed#GUID50460145"
    assert json[0].valid_from == 1762725600.0  # 2025-11-09T22:00:00Z
    assert json[0].valid_to == 1794496680.0  # 2026-11-12T15:18:00Z
    assert json[0].severity == 10.0


def test_fintraffic_works_only_in_working_hours():
    reports = [r for r in traffic("fintraffic", "wazefeed_Roadwork2.json").reports if r.kind == "roadwork"]
    # From Thursday 2025-05-15 on, Monday to Friday 07:00-20:00 in Finland, summer time: 04:00-17:00 UTC.
    days = [15, 16, 19, 20, 21]
    assert [r.valid_from for r in reports] == [1747267200.0 + 14_400.0 + 86_400.0 * (d - 15) for d in days]
    assert {r.valid_to - r.valid_from for r in reports} == {13 * 3600.0}
    assert [r.source for r in reports] == [f"feed#GUID50448561/2025-05-{d}" for d in days]


def test_fintraffic_closed_footway_is_severe():
    reports = traffic("fintraffic", "wazefeed_Roadwork_lane_closed.json").reports
    assert {r.severity for r in reports} == {8.0}


def test_works_without_a_known_end_are_open():
    reports = traffic("datex2", "wazefeed_Roadwork.xml", Context(places=read_places(FINTRAFFIC))).reports
    assert [r.valid_to is None for r in reports] == [True, False, False, False, False, False, False]


def test_wzdx_severity_follows_the_impact():
    reports = traffic("wzdx", "scenario1_simple_linestring_example.geojson").reports
    assert {r.severity for r in reports} == {6.0}
    assert reports[0].source == "feed#af2e3f51-611f-4ce0-9282-2f28ca68e62f"
    assert reports[0].ts == 1262282461.0  # 2009-12-31T18:01:01Z
    assert (reports[0].valid_from, reports[0].valid_to) == (1262307600.0, 1262394000.0)
    assert [
        r.severity for r in traffic("wzdx", "scenario5_recurring_linestring_example.geojson").reports
    ] == [1.0] * 4


def weather(file, context=None):
    folder = "met-norway" if file.startswith("metno") else "open-meteo"
    return parse(folder, DATA / "weather" / folder / file, context=context)


@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("metno_lat40.7lon-74.0altitude10_compact.json", 82),
        ("metno_lat51.5lon-0.1altitude25_complete.json", 82),
        ("openmeteo_general.json", 1 + 288 + 168),
        ("openmeteo_general_one_model.json", 1 + 288 + 168),
    ],
)
def test_weather_file(file, count):
    parsed = weather(file)
    assert len(parsed.reports) == count
    assert parsed.problems == []


def test_met_norway_step():
    first = weather("metno_lat51.5lon-0.1altitude25_complete.json").reports[0]
    assert first == WeatherReport(
        source="feed",
        ts=1595208657.0,  # updated_at 2020-07-20T01:30:57Z
        lat=51.5,
        lon=-0.1,
        valid_from=1595242800.0,  # 2020-07-20T11:00:00Z
        valid_to=1595246400.0,
        precip_mmph=0.0,
        temp_c=18.8,
        wind_mps=2.3,
        wind_deg=349.3,
        cloud=12.5,
        uv=6.4,
    )


def test_met_norway_long_steps_spread_their_rain():
    reports = weather("metno_lat51.5lon-0.1altitude25_complete.json").reports
    assert {r.valid_to - r.valid_from for r in reports[:55]} == {3600.0}
    assert {r.valid_to - r.valid_from for r in reports[55:]} == {21_600.0}
    assert any(r.precip_mmph for r in reports[55:])
    assert reports[-1].precip_mmph is None  # the last step tells of its moment only


def test_open_meteo_codes_become_rain_where_there_is_none_given():
    reports = weather("openmeteo_general.json").reports
    current = reports[0]
    assert (current.ts, current.valid_from, current.valid_to) == (1699872300.0, 1699872300.0, 1699873200.0)
    assert current.precip_mmph == 0.0  # code 3: overcast
    quarters = reports[1:289]
    assert sum(r.precip_mmph == 1.2 for r in quarters) == 48 + 46  # codes 80 and 61
    assert sum(r.precip_mmph == 0.0 for r in quarters) == 128 + 58 + 8


def test_open_meteo_without_a_place():
    parsed = weather("openmeteo_hourly_2024-03-19.json")
    assert [p.reason for p in parsed.problems] == ["no_geometry"]
    placed = Context(places={"": {"type": "Point", "coordinates": [13.4, 52.5]}})
    parsed = weather("openmeteo_hourly_2024-03-19.json", placed)
    assert len(parsed.reports) == 72
    assert parsed.problems == []
    first = parsed.reports[0]
    assert (first.lat, first.lon, first.cloud) == (52.5, 13.4, 61.0)
    assert first.wind_mps == pytest.approx(14.4 / 3.6)  # no units given: km/h
    assert first.valid_from == 1710806400.0


def test_every_report_is_read_back_by_its_topic():
    places = Context(places=read_places(FINTRAFFIC))
    for name, file in TRAFFIC:
        for report in traffic(name, file, places).reports:
            assert decode(TrafficReport, encode(report)) == report
    for report in weather("openmeteo_general.json").reports:
        assert decode(WeatherReport, encode(report)) == report
