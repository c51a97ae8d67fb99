"""Every format of recorded traces is read; what cannot be used is counted and named."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from streams.traces import Trace, read_trace, read_traces
from streams.traces.trace import to_epoch

DATA = Path(__file__).resolve().parents[2] / "data" / "traces"
NOON = 1_717_243_200.0  # 2024-06-01T12:00:00Z


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("file", "traces", "fixes"),
    [
        ("altona/altona_walk.json", 1, 2179),
        ("altona/hamburg_walk.gpx", 1, 427),
        ("dc-run/run.gpx", 1, 206),
        ("itinero/fiets_gent_2018-12-19.tsv", 1, 3179),
        ("itinero/test6-track.geojson", 3, 15),
        ("itinero/test9-track.geojson", 1, 50),
        ("lyon/noisecapture_lyon_walks.csv.gz", 17, 19_949),
        ("multisensor/DC/telephone/DC_telephone_pos.gpx.gz", 10, 279),
        ("multisensor/MC/polar/MC_polar_neg.gpx.gz", 10, 2006),
    ],
)
def test_the_recorded_traces_are_read_whole(file: str, traces: int, fixes: int) -> None:
    found = read_traces(DATA / file)
    assert (len(found), sum(map(len, found))) == (traces, fixes)
    for trace in found:
        assert (np.abs(trace.lat) <= 90).all()
        assert trace.timed == file.startswith(("altona", "dc", "lyon", "multi", "itinero/fiets"))
        assert not trace.timed or (np.diff(trace.ts) >= 0).all()


def test_the_altona_walk_is_as_its_source_says() -> None:
    trace = read_trace(DATA / "altona/altona_walk.json")
    assert trace.name == "altona_walk"
    assert trace.ts[0] == 1_705_601_801.0  # 2024-01-18T18:16:41Z
    assert trace.duration_s == 2422
    assert np.isnan(trace.accuracy_m).all()
    assert 53.5 < trace.lat.min() < trace.lat.max() < 53.6
    assert 9.9 < trace.lon.min() < trace.lon.max() < 10.0


def test_phone_tracks_keep_accuracy_speed_and_bearing() -> None:
    walk = read_trace(DATA / "lyon/noisecapture_lyon_walks.csv.gz", name="225")
    assert 2 <= np.median(walk.accuracy_m) <= 20
    assert np.nanmedian(walk.speed_mps) == pytest.approx(1.4, abs=0.1)
    assert ((walk.bearing_deg >= 0) & (walk.bearing_deg < 360) | np.isnan(walk.bearing_deg)).all()


def test_a_file_of_several_tracks_needs_a_name() -> None:
    file = DATA / "lyon/noisecapture_lyon_walks.csv.gz"
    with pytest.raises(BadInput, match=r"17 traces \(15, 62, 91, 117, 145, \.\.\.\): say which"):
        read_trace(file)
    with pytest.raises(BadInput, match="none is called 'nobody'"):
        read_trace(file, name="nobody")


def test_gpx_segments_are_joined_and_extensions_read(tmp_path: Path) -> None:
    gpx = """<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1">
      <trk><name>a</name>
        <trkseg><trkpt lat="1" lon="2"><time>2024-06-01T12:00:00Z</time><extensions><x:speed
          xmlns:x="urn:x">1.5</x:speed><x:course xmlns:x="urn:x">361</x:course></extensions></trkpt></trkseg>
        <trkseg><trkpt lat="1.1" lon="2"><time>2024-06-01T14:00:01+02:00</time></trkpt></trkseg></trk>
      <trk><trkseg><trkpt lat="3" lon="4"/></trkseg></trk></gpx>"""
    first, second = read_traces(written(tmp_path, "two.gpx", gpx))
    assert (first.name, list(first.ts)) == ("two-1", [NOON, NOON + 1])
    assert (first.speed_mps[0], first.bearing_deg[0]) == (1.5, 1.0)
    assert np.isnan(first.speed_mps[1])
    assert (len(second), second.timed) == (1, False)


def test_geojson_lines_carry_their_times_beside_them(tmp_path: Path) -> None:
    times = ["2024-06-01T12:00:00Z", "2024-06-01T12:00:05Z"]
    for properties in ({"coordTimes": times}, {"coordinateProperties": {"times": times}}):
        line = {"type": "LineString", "coordinates": [[2, 1], [2.1, 1.1, 30]]}
        feature = {"type": "Feature", "properties": properties, "geometry": line}
        trace = read_trace(written(tmp_path, "line.geojson", json.dumps(feature)))
        assert list(trace.ts) == [NOON, NOON + 5]
        assert (list(trace.lat), list(trace.lon)) == ([1, 1.1], [2, 2.1])


def test_geojson_multilines_are_one_trace_a_feature(tmp_path: Path) -> None:
    def feature(name: str, start: float) -> dict[str, object]:
        return {
            "type": "Feature",
            "properties": {"name": name, "coordTimes": [[start, start + 1], [start + 9]]},
            "geometry": {"type": "MultiLineString", "coordinates": [[[2, 1], [2, 1.1]], [[2, 1.2]]]},
        }

    document = {"type": "FeatureCollection", "features": [feature("ann", NOON), feature("bob", NOON + 50)]}
    ann, bob = read_traces(written(tmp_path, "m.json", json.dumps(document)))
    assert (ann.name, list(ann.ts)) == ("ann", [NOON, NOON + 1, NOON + 9])
    assert (bob.name, list(bob.ts)) == ("bob", [NOON + 50, NOON + 51, NOON + 59])


def test_geojson_points_are_split_by_track(tmp_path: Path) -> None:
    def point(track: str, ts: float, lat: float) -> dict[str, object]:
        return {
            "type": "Feature",
            "properties": {"track_id": track, "location_utc": ts * 1000, "accuracy": 4},
            "geometry": {"type": "Point", "coordinates": [2, lat]},
        }

    features = [
        point("a", NOON, 1),
        point("b", NOON, 2),
        point("a", NOON + 1, 1.1),
        point("b", NOON + 1, 2.1),
    ]
    document = {"type": "FeatureCollection", "features": features}
    a, b = read_traces(written(tmp_path, "points.json", json.dumps(document)))
    assert (a.name, b.name) == ("a", "b")
    assert list(a.lat) == [1, 1.1]
    assert list(b.ts) == [NOON, NOON + 1]
    assert list(a.accuracy_m) == [4, 4]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header", [("Timestamp", "Latitude", "Lng"), ("t", "y", "x"), ("time_ms", "lat", "lon")]
)
def test_tables_find_their_columns(tmp_path: Path, delimiter: str, header: tuple[str, ...]) -> None:
    lines = [header, ("1717243200000", "1", "2"), ("1717243201500", "1.1", "2.1")]
    text = "# " + "\n".join(delimiter.join(line) for line in lines)
    trace = read_trace(written(tmp_path, "t.csv.gz", gzip.compress(text.encode())))
    assert list(trace.ts) == [NOON, NOON + 1.5]
    assert (list(trace.lat), list(trace.lon)) == ([1, 1.1], [2, 2.1])
    assert trace.name == "t"


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = written(
        tmp_path, "t.csv", "lat,lon,north,east,when,wer\n9,9,1,2,1717243200,a\n9,9,3,4,1717243200,b\n"
    )
    a, b = read_traces(path, lat="north", lon="east", ts="when", track="wer")
    assert (a.name, a.lat[0], a.lon[0], b.name, b.lat[0]) == ("a", 1, 2, "b", 3)
    with pytest.raises(BadInput, match="has no column 'up': it has lat, lon, north"):
        read_traces(path, lat="up")


def test_an_id_of_each_row_does_not_split_the_track(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{NOON + i},1,2" for i in range(10))
    assert len(read_traces(written(tmp_path, "t.csv", f"id,ts,lat,lon\n{rows}"))) == 1


def test_porto_has_a_trip_a_row(tmp_path: Path) -> None:
    rows = ['7,1,1717243200,"[[2,1],[2.1,1.1]]"', '8,1,1717243200,"[]"', '9,1,x,"[[1,1]]"']
    text = "\n".join(["TRIP_ID,TAXI_ID,TIMESTAMP,POLYLINE", *rows])
    (trace,) = read_traces(written(tmp_path, "porto.csv", text))
    assert (trace.name, list(trace.ts), list(trace.lat)) == ("7", [NOON, NOON + 15], [1, 1.1])


def test_json_lines_of_fixes_split_by_device(tmp_path: Path) -> None:
    lines = [
        {"device": "a", "ts": NOON, "lat": 1, "lon": 2, "accuracy_m": 3},
        [
            {"device": "b", "ts": NOON, "lat": 5, "lon": 6},
            {"device": "b", "ts": NOON + 1, "lat": 5, "lon": 6},
        ],
        {"device": "a", "ts": NOON + 2, "lat": 1.5, "lon": 2},
    ]
    text = "\n".join(map(json.dumps, lines)) + "\nnot json\n7\n"
    a, b = read_traces(written(tmp_path, "fixes.jsonl", text))
    assert (a.name, list(a.ts), b.name, list(b.lat)) == ("a", [NOON, NOON + 2], "b", [5, 5])
    assert [str(problem) for problem in a.problems] == [
        "line is not JSON: 1 (line 4)",
        "line is not an object: 1 (line 5)",
    ]


def test_bad_rows_are_counted_and_named(tmp_path: Path) -> None:
    rows = [
        f"{NOON},1,2,5",
        f"{NOON + 1},91,2,5",
        f"{NOON + 2},1,,5",
        f"{NOON + 3},x,2,5",
        "yesterday,1,2,5",
        ",1,2,5",
        f"{NOON + 9},1,2,wide",
        f"{NOON + 8},1,2,-1",
        f"{NOON + 7},inf,2,5",
    ]
    trace = read_trace(written(tmp_path, "bad.csv", "ts,lat,lon,accuracy\n" + "\n".join(rows)))
    assert list(trace.ts) == [NOON, NOON + 8, NOON + 9]
    assert np.isnan(trace.accuracy_m[1:]).all()
    assert {problem.what: (problem.count, problem.first) for problem in trace.problems} == {
        "position is not on Earth": (1, "line 3"),
        "no position": (1, "line 4"),
        "position is not a number": (2, "line 5"),
        "time cannot be read": (1, "line 6"),
        "no time": (1, "in a track with times"),
        "accuracy is not a number, taken as unknown": (1, "line 8"),
        "time runs backwards, sorted": (1, "kept"),
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("   \n", "is empty"),
        ("<gpx", "not readable as XML"),
        ("<kml></kml>", "not GPX"),
        ("<gpx></gpx>", "has no usable fix"),
        ("{", "not readable as JSON"),
        ("[]", "has no usable fix"),
        ("[1, 2]", "has no usable fix"),
        ('{"type": "FeatureCollection", "features": [null, 3]}', "has no usable fix"),
        ('{"latlon": [[1]], "times": [0], "start_time": "2024-06-01"}', "no usable fix .no position: 1"),
        ('{"latlon": [[1, 2]], "times": [0], "start_time": "noon"}', "start_time cannot be read: 1"),
        ("a,b\n1,2\n", "no column that looks like lat"),
        ("lat,lon\n", "has no usable fix"),
        ("lat,lon\nx,2\n", "no usable fix .position is not a number: 1 .line 2"),
        ("POLYLINE\n[]\n", "has a POLYLINE column but no TIMESTAMP"),
        (b"\xff\xfe\x00", "neither text nor a known format"),
        (b"\x1f\x8b\x08garbage", "cannot be read"),
    ],
)
def test_a_useless_file_is_refused_in_one_sentence(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        read_traces(written(tmp_path, "bad", content))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_traces(tmp_path / "none.gpx")
    with pytest.raises(BadInput, match="Is a directory"):
        read_traces(tmp_path)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda t: ("{" + t).encode()))
def test_no_bytes_do_anything_but_a_trace_or_bad_input(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    try:
        traces = read_traces(path)
    except BadInput:
        return
    assert all(isinstance(trace, Trace) and len(trace) for trace in traces)


def test_times_are_told_by_their_size() -> None:
    for scale in (1, 1e3, 1e6, 1e9):
        assert to_epoch(NOON * scale) == pytest.approx(NOON)
        assert to_epoch(str(int(NOON * scale))) == pytest.approx(NOON)
    assert to_epoch("2024-06-01T12:00:00") == NOON
    assert to_epoch("2024-06-01 14:00:00+02:00") == NOON
    assert math.isnan(to_epoch(None))
    with pytest.raises(ValueError, match="yesterday"):
        to_epoch("yesterday")
