"""What goes out of a polled feed, and how problems become dead letters."""

import base64

from models.records import DeadLetter, TrafficReport, WeatherReport, decode, encode
from streams.feeds.common import Problem
from streams.feeds.publish import Changes, dead_letter, send_paced, withdrawn

POINT = {"type": "Point", "coordinates": [24.0, 60.0]}


def closure(source="f#1", ts=100.0, **fields):
    return TrafficReport(source=source, ts=ts, kind="closure", geometry=POINT, **fields)


def test_unchanged_reports_are_sent_once():
    changes = Changes()
    assert changes.of("doc", [closure()], 200.0) == ([closure()], [])
    assert changes.of("doc", [closure()], 300.0) == ([], [])
    newer = closure(ts=250.0)
    assert changes.of("doc", [newer], 300.0) == ([newer], [])


def test_an_event_that_has_gone_is_withdrawn():
    changes = Changes()
    changes.of("doc", [closure(), closure("f#2")], 200.0)
    fresh, ended = changes.of("doc", [closure("f#2")], 300.0)
    assert fresh == []
    assert ended == [closure(ts=300.0, valid_from=100.0, valid_to=300.0)]
    assert changes.of("doc", [closure("f#2")], 400.0) == ([], [])


def test_a_damaged_document_withdraws_nothing():
    changes = Changes()
    changes.of("doc", [closure()], 200.0)
    assert changes.of("doc", [], 300.0, whole=False) == ([], [])
    assert changes.of("doc", [closure()], 400.0) == ([], [])


def test_documents_are_told_apart():
    changes = Changes()
    changes.of("a", [closure()], 200.0)
    assert changes.of("b", [], 300.0) == ([], [])


def test_what_needs_no_withdrawal():
    flow = TrafficReport(source="f", ts=1.0, kind="flow", geometry=POINT, speed_mps=1.0)
    assert withdrawn(flow, 300.0) is None
    assert withdrawn(WeatherReport(source="w", ts=1.0, lat=0.0, lon=0.0), 300.0) is None
    assert withdrawn(closure(valid_to=250.0), 300.0) is None
    planned = withdrawn(closure(valid_from=900.0), 300.0)
    assert (planned.valid_from, planned.valid_to) == (300.0, 300.0)


def test_dead_letter_says_why_and_where_and_keeps_the_bytes():
    problem = Problem("features[3]", "bad_geometry", b"\x00raw", "geometry type\n'x'" + "ä" * 2000)
    letter = decode(DeadLetter, encode(dead_letter(problem, "traffic-reports")))
    assert letter.reason.startswith("bad_geometry at features[3]: geometry type 'x'")
    assert len(letter.reason.encode()) <= 1024
    assert base64.b64decode(letter.value_b64) == b"\x00raw"
    assert (letter.topic, letter.partition, letter.offset) == ("traffic-reports", 0, 0)


class Recorder:
    """Stands in for a publisher: notes what was sent, and the pauses between."""

    def __init__(self):
        self.log = []

    def send(self, report):
        self.log.append(report.ts)

    def flush(self):
        pass


def test_paced_sending_follows_the_reports_times():
    recorder = Recorder()
    reports = [closure(ts=130.0), closure(ts=100.0), closure(ts=130.0)]
    sent = send_paced(recorder, reports, 10.0, lambda s: recorder.log.append(f"wait {s:g}"), lambda n: None)
    assert sent == 3
    assert recorder.log == [100.0, "wait 3", 130.0, 130.0]


def test_unpaced_sending_does_not_wait():
    recorder = Recorder()
    send_paced(recorder, [closure(ts=1.0), closure(ts=9.0)], 0.0, recorder.log.append, lambda n: None)
    assert recorder.log == [1.0, 9.0]
