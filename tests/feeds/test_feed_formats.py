"""What the bundled files do not show: other units, coordinates in DATEX II, binary alerts, nights at work."""

from pathlib import Path

import orjson
import pytest
from google.protobuf import text_format
from google.transit import gtfs_realtime_pb2

from streams.feeds import Context, datex2, fintraffic, gtfs_rt, met_norway, open_meteo, probes, wzdx
from streams.feeds.common import Unusable, end_time, event_source, geometry_of, time_of
from streams.feeds.fintraffic import helsinki_offset_s
from tests.geo.asciimap import graph_from_ascii

DATA = Path(__file__).parents[2] / "data"
NOW = 1_700_000_000.0


# Open-Meteo


def open_meteo_answer(**changes):
    return {
        "latitude": 60.17,
        "longitude": 24.94,
        "utc_offset_seconds": 7200,
        "hourly_units": {"temperature_2m": "°F", "wind_speed_10m": "mp/h", "precipitation": "inch"},
        "hourly": {
            "time": ["2024-01-01T02:00", "2024-01-01T03:00"],
            "temperature_2m": [50.0, 41.0],
            "wind_speed_10m": [10.0, None],
            "precipitation": [9.0, 0.1],
        },
    } | changes


def test_open_meteo_units_local_time_and_rain_of_the_hour_before():
    parsed = open_meteo.parse(orjson.dumps(open_meteo_answer()), "om", NOW)
    first, second = parsed.reports
    assert first.valid_from == 1704067200.0  # 2024-01-01T00:00Z
    assert first.temp_c == pytest.approx(10.0)
    assert first.wind_mps == pytest.approx(4.4704)
    assert first.precip_mmph == pytest.approx(2.54)  # what is stamped 03:00 fell from 02:00 on
    assert (second.wind_mps, second.precip_mmph) == (None, None)
    assert first.ts == NOW


def test_open_meteo_several_places_and_epoch_times():
    answers = [open_meteo_answer(), open_meteo_answer(latitude=999.0), {"latitude": 1.0, "longitude": 2.0}]
    answers[0]["hourly"]["time"] = [1704067200, 1704070800]
    parsed = open_meteo.parse(orjson.dumps(answers), "om", NOW)
    assert [r.valid_from for r in parsed.reports] == [1704067200.0, 1704070800.0]
    assert [(p.position, p.reason) for p in parsed.problems] == [
        ("[1]", "out_of_range"),
        ("[2]", "missing_field"),
    ]


def test_open_meteo_one_bad_row_does_not_spoil_the_others():
    answer = open_meteo_answer()
    answer["hourly"]["temperature_2m"] = [50.0, 5e6]
    parsed = open_meteo.parse(orjson.dumps(answer), "om", NOW)
    assert len(parsed.reports) == 1
    assert [(p.position, p.reason) for p in parsed.problems] == [("hourly.time[1]", "out_of_range")]


def test_open_meteo_unknown_unit_is_refused_rather_than_guessed():
    answer = open_meteo_answer(hourly_units={"wind_speed_10m": "furlongs"})
    parsed = open_meteo.parse(orjson.dumps(answer), "om", NOW)
    assert [p.reason for p in parsed.problems] == ["bad_type"]


def test_met_norway_bare_answer_without_envelope():
    wrapped = (DATA / "weather/met-norway/metno_lat40.7lon-74.0altitude10_compact.json").read_bytes()
    bare = orjson.dumps(orjson.loads(wrapped)["data"])
    assert met_norway.parse(bare, "m", NOW) == met_norway.parse(wrapped, "m", NOW)


# DATEX II


def situation(location, record='xsi:type="Accident"', rest=""):
    return f"""<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0"
     xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
     <payloadPublication xsi:type="SituationPublication">
     <situation id="S" version="1"><situationRecord {record} id="R" version="1">
     <situationRecordVersionTime>2024-01-01T00:00:00Z</situationRecordVersionTime><severity>high</severity>
     <validity><validityStatus>active</validityStatus><validityTimeSpecification>
     <overallStartTime>2024-01-01T00:00:00+02:00</overallStartTime></validityTimeSpecification></validity>
     <groupOfLocations>{location}</groupOfLocations>{rest}</situationRecord></situation>
     </payloadPublication></d2LogicalModel>""".encode()


POINT = (
    "<pointByCoordinates><pointCoordinates><latitude>51.5</latitude><longitude>5.6</longitude>"
    "</pointCoordinates></pointByCoordinates>"
)


def test_datex_point():
    parsed = datex2.parse(situation(f"<locationForDisplay>{POINT}</locationForDisplay>{POINT}"), "ndw", NOW)
    (report,) = parsed.reports
    assert report.geometry == {"type": "Point", "coordinates": [5.6, 51.5]}
    assert (report.kind, report.source, report.severity) == ("incident", "ndw#R", 8.0)
    assert (report.valid_from, report.valid_to) == (1704060000.0, None)


def test_datex_line_is_latitude_first():
    line = '<gmlLineString srsName="x"><posList>52.0 5.0 52.1 5.1</posList></gmlLineString>'
    (report,) = datex2.parse(situation(line), "ndw", NOW).reports
    assert report.geometry == {"type": "LineString", "coordinates": [[5.0, 52.0], [5.1, 52.1]]}


def test_datex_two_points_are_not_joined_by_a_straight_line():
    (report,) = datex2.parse(situation(POINT + POINT.replace("5.6", "5.7")), "ndw", NOW).reports
    assert report.geometry == {"type": "MultiPoint", "coordinates": [[5.6, 51.5], [5.7, 51.5]]}


def test_datex_empty_coordinates_are_a_problem():
    """Seen in the Dutch feed of bridge openings."""
    parsed = datex2.parse(situation(POINT.replace("51.5", "")), "ndw", NOW)
    assert [p.reason for p in parsed.problems] == ["missing_field"]


@pytest.mark.parametrize("way", ["carriagewayClosures", "roadClosed"])
def test_datex_closures(way):
    rest = f"<roadOrCarriagewayOrLaneManagementType>{way}</roadOrCarriagewayOrLaneManagementType>"
    document = situation(POINT, 'xsi:type="RoadOrCarriagewayOrLaneManagement"', rest)
    assert [r.kind for r in datex2.parse(document, "ndw", NOW).reports] == ["closure"]


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    ],
)
def test_datex_with_a_doctype_is_not_read(doctype):
    parsed = datex2.parse(doctype.encode() + situation(POINT), "ndw", NOW)
    assert parsed.reports == []
    assert [p.reason for p in parsed.problems] == ["doctype"]


def test_datex_before_the_defect_is_used():
    whole = situation(POINT)
    two = whole.replace(b"</payloadPublication>", b'<situation id="T"><situationRecord')
    parsed = datex2.parse(two, "ndw", NOW)
    assert len(parsed.reports) == 1
    assert [p.reason for p in parsed.problems] == ["not_xml"]


def test_datex_deep_nesting_is_refused():
    parsed = datex2.parse(b"<a>" * 5_000, "ndw", NOW)
    assert [p.reason for p in parsed.problems] == ["too_large"]


# Fintraffic


def phase_document(hours, start="2024-01-01T00:00:00Z", end="2024-02-01T00:00:00Z"):
    phase = {
        "id": "P",
        "restrictions": [{"type": "ROAD_CLOSED"}],
        "workingHours": hours,
        "timeAndDuration": {"startTime": start, "endTime": end},
    }
    return orjson.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": {"type": "LineString", "coordinates": [[24.0, 60.0, 9.0], [24.1, 60.0, 9.0]]},
                    "properties": {
                        "situationId": "S",
                        "situationType": "ROAD_WORK",
                        "versionTime": "2024-01-01T00:00:00Z",
                        "announcements": [{"language": "FI", "roadWorkPhases": [phase]}],
                    },
                }
            ],
        }
    )


def hours(weekday, start, end):
    return {"weekday": weekday, "startTime": start, "endTime": end}


def test_fintraffic_night_work_runs_into_the_next_day():
    document = phase_document([hours("TUESDAY", "21:00", "06:00")])
    (report,) = fintraffic.parse(document, "f", 1.0).reports
    assert report.valid_from == 1704222000.0  # Tuesday 2024-01-02 21:00 in Finland: 19:00Z
    assert report.valid_to - report.valid_from == 9 * 3600.0
    assert report.geometry["coordinates"] == [[24.0, 60.0], [24.1, 60.0]]


def test_fintraffic_hours_now_running_are_told():
    document = phase_document([hours("TUESDAY", "21:00", "06:00")])
    found = fintraffic.parse(document, "f", 1704222000.0 + 8 * 3600.0).reports
    assert [r.valid_from for r in found] == [1704222000.0, 1704222000.0 + 7 * 86_400.0]


def test_fintraffic_round_the_clock_is_one_interval():
    days = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
    document = phase_document([hours(day, "00:00", "23:59") for day in days])
    (report,) = fintraffic.parse(document, "f", 1.0).reports
    assert report.valid_to - report.valid_from == 7 * 86_400.0


@pytest.mark.parametrize("bad", [hours("NODAY", "01:00", "02:00"), hours("MONDAY", "1", "2"), "x"])
def test_fintraffic_bad_hours_are_a_problem(bad):
    parsed = fintraffic.parse(phase_document([bad]), "f", 1.0)
    assert parsed.reports == []
    assert [p.position for p in parsed.problems] == [
        "features[0].properties.announcements[0].roadWorkPhases[0]"
    ]


def test_finnish_time_changes_on_last_sundays():
    from datetime import UTC, datetime

    def at(*parts):
        return helsinki_offset_s(datetime(*parts, tzinfo=UTC).timestamp())

    assert at(2024, 3, 31, 0, 59) == 7200.0
    assert at(2024, 3, 31, 1, 0) == 10_800.0
    assert at(2025, 10, 26, 0, 59) == 10_800.0
    assert at(2025, 10, 26, 1, 0) == 7200.0


# WZDx


def wzdx_feature(**properties):
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [[-93.6, 41.6], [-93.7, 41.6]]},
        "properties": {
            "road_event_id": "E",
            "event_type": "work-zone",
            "start_date": "2024-01-01T00:00:00Z",
            "end_date": "2024-01-02T00:00:00Z",
            "vehicle_impact": "all-lanes-closed",
        }
        | properties,
    }


def test_wzdx_version_3_is_flat_and_closures_are_closures():
    feed = {
        "road_event_feed_info": {"update_date": "2023-12-01T00:00:00Z", "version": "3.1"},
        "features": [wzdx_feature(), wzdx_feature(event_status="completed")],
    }
    parsed = wzdx.parse(orjson.dumps(feed), "w", NOW)
    (report,) = parsed.reports
    assert (report.kind, report.severity, report.source, report.ts) == ("closure", 10.0, "w#E", 1701388800.0)
    assert parsed.ignored == 1


def test_wzdx_closed_sidewalk_is_severe():
    lanes = [{"type": "sidewalk", "status": "closed"}, {"type": "general", "status": "open"}]
    feed = {"features": [wzdx_feature(vehicle_impact="all-lanes-open", lanes=lanes)]}
    (report,) = wzdx.parse(orjson.dumps(feed), "w", NOW).reports
    assert (report.kind, report.severity, report.ts) == ("roadwork", 8.0, NOW)


def test_wzdx_ends_before_it_starts():
    feed = {"features": [wzdx_feature(end_date="2023-01-01T00:00:00Z")]}
    assert [p.reason for p in wzdx.parse(orjson.dumps(feed), "w", NOW).problems] == ["bad_time"]


# GTFS-realtime


TEXT = (DATA / "feeds" / "gtfs-rt" / "alerts.asciipb").read_bytes()


def test_alerts_at_stops_with_places():
    places = {
        "16230": {"type": "Point", "coordinates": [24.0, 60.0]},
        "16299": {"type": "Point", "coordinates": [24.1, 60.1]},
    }
    parsed = gtfs_rt.parse(TEXT, "hsl", NOW, Context(places=places))
    assert [r.source for r in parsed.reports] == ["hsl#0/16230", "hsl#0/16299"]
    assert {(r.kind, r.severity, r.ts, r.valid_from, r.valid_to) for r in parsed.reports} == {
        ("incident", 3.0, 1284457468.0, 1284457468.0, 1284468072.0)
    }
    assert [p.position for p in parsed.problems] == ["entity[0].alert.informed_entity[0]"]
    binary = text_format.Parse(TEXT, gtfs_realtime_pb2.FeedMessage()).SerializeToString()
    assert gtfs_rt.parse(binary, "hsl", NOW, Context(places=places)) == parsed


def test_alert_of_no_effect_is_ignored():
    message = text_format.Parse(TEXT, gtfs_realtime_pb2.FeedMessage())
    message.entity[0].alert.effect = gtfs_realtime_pb2.Alert.ADDITIONAL_SERVICE
    parsed = gtfs_rt.parse(message.SerializeToString(), "hsl", NOW)
    assert (parsed.reports, parsed.problems, parsed.ignored) == ([], [], 1)


# Probes


def test_probe_speeds_per_street():
    """A taxi drives 150 m in 15 s along the street, then 30 m, then stands at a rank: that is no traffic."""
    graph, at = graph_from_ascii(
        """
        A--------------------B--------------------C
                             |
                             D
        """,
        tags={"ABC": {"highway": "residential"}, "BD": {"highway": "footway"}},
    )
    lat, lon = float(graph.node_lat[at["A"]]), float(graph.node_lon[at["A"]])
    metre = (float(graph.node_lon[at["C"]]) - lon) / 420.0
    line = [[lon + metre * m, lat] for m in (20, 170, 200, 200, 200, 200)]
    document = f'TRIP_ID,TIMESTAMP,POLYLINE\n1,1372636800,"{orjson.dumps(line).decode()}"\n'.encode()
    parsed = probes.parse(document, "taxi", NOW, Context(graph=graph))
    (report,) = parsed.reports
    assert report.speed_mps == pytest.approx(2 / (1 / (150 / 15) + 1 / (30 / 15)), abs=0.01)
    assert report.free_flow_mps == 8.3  # too few passages for a percentile: a residential street
    assert (report.ts, report.valid_from, report.valid_to) == (1372636830.0, 1372636800.0, 1372637100.0)
    assert report.geometry["type"] == "LineString"


def test_probe_lines_that_cannot_be_used():
    graph, _ = graph_from_ascii("A----B", tags={"AB": {"highway": "residential"}})
    lines = [
        "TIMESTAMP,POLYLINE",
        'x,"[]"',
        '1372636800,"[[1]]"',
        '1372636800,"[[1,2"',
        "1372636800",
        '1372636800,"[]"',
    ]
    parsed = probes.parse("\n".join(lines).encode(), "taxi", NOW, Context(graph=graph))
    assert [(p.position, p.reason) for p in parsed.problems] == [
        ("line 2", "bad_time"),
        ("line 3", "bad_geometry"),
        ("line 4", "not_json"),
        ("line 5", "missing_field"),
    ]
    assert (parsed.reports, parsed.ignored) == ([], 1)


def test_probes_need_a_graph():
    assert [p.reason for p in probes.parse(b"TIMESTAMP,POLYLINE\n", "t", NOW).problems] == ["no_graph"]


# What all share


@pytest.mark.parametrize(
    ("text", "ts"),
    [
        ("2024-01-01T00:00:00Z", 1704067200.0),
        ("2024-01-01T02:00+02:00", 1704067200.0),
        ("2024-01-01T00:00:00.500Z", 1704067200.5),
        (" 2024-01-01T00:00:00Z\n", 1704067200.0),
        (1704067200, 1704067200.0),
    ],
)
def test_times(text, ts):
    assert time_of(text, "t") == ts


@pytest.mark.parametrize(
    "text",
    ["", "OVERALL_START_TIME", "2024-13-01T00:00Z", "2024-01-01", True, [], "9999-12-31T23:59Z", 1e300],
)
def test_bad_times(text):
    with pytest.raises(Unusable):
        time_of(text, "t")


def test_an_end_beyond_2100_is_open():
    assert end_time("2124-10-31T00:00:00Z", "t") is None
    assert end_time(None, "t") is None
    with pytest.raises(Unusable):
        end_time("nonsense", "t")


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        (None, "no_geometry"),
        ({"type": "GeometryCollection", "geometries": []}, "bad_geometry"),
        ({"type": "LineString", "coordinates": [[1.0, 2.0]]}, "bad_geometry"),
        ({"type": "Point", "coordinates": [200.0, 0.0]}, "out_of_range"),
        ({"type": "Point", "coordinates": [[1.0, 2.0]]}, "bad_geometry"),
        ({"type": "MultiPoint", "coordinates": [[1.0, 2.0]] * 10_001}, "too_large"),
    ],
)
def test_bad_geometries(geometry, reason):
    with pytest.raises(Unusable) as caught:
        geometry_of(geometry)
    assert caught.value.reason == reason


def test_long_event_ids_are_hashed_to_fit_a_source():
    long = event_source("feed", "x" * 500)
    assert len(long.encode()) <= 122
    assert long != event_source("feed", "x" * 501)
    assert event_source("feed", "a\nb") == "feed#ab"
