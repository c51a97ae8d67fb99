"""One form for what everybody logs, and nothing in it that leads to a person."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import orjson
import pytest

from geo.errors import BadInput
from streams.settings import Settings
from streams.telemetry import logs

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
KEY = "Q2xvc2VkLWJvb2sh." + "k" * 43


@pytest.fixture(autouse=True)
def root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


def test_a_line_of_json_says_who_what_when_and_how_bad(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings(log_format="json", worker_id="w-1"), "worker")
    logging.getLogger("streams.worker.shards").warning("%s/%d opened", "walkers", 3)
    logging.getLogger("aiokafka.consumer").warning("no coordinator")
    logging.getLogger("aiokafka.consumer").info("as libraries say all the time")
    own, theirs = (orjson.loads(line) for line in capsys.readouterr().err.splitlines())
    assert list(own) == ["ts", "level", "service", "process", "instance", "event", "logger"]
    assert {name: own[name] for name in ("level", "service", "process", "instance", "event", "logger")} == {
        "level": "warning",
        "service": "flaneur",
        "process": "worker",
        "instance": "w-1",
        "event": "walkers/3 opened",
        "logger": "streams.worker.shards",
    }
    assert own["ts"].endswith("Z")
    assert (theirs["logger"], theirs["process"]) == ("aiokafka.consumer", "worker")


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_error_keeps_its_lines_and_loses_what_leads_to_a_person(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(Settings(log_format=form), "gateway")
    lat, device = 55.683912, "anna"
    try:
        raise ValueError(f"{{'device': '{device}', 'lat': {lat}}} with {TOKEN}, {KEY}, /x?key=abc&token=def")
    except ValueError:
        logging.getLogger("gateway").exception("failed at %.5f, %s", -12.57133, "Bearer abc")
    line = capsys.readouterr().err
    assert "test_logs.py" in line
    assert "ValueError" in line
    for hidden in ("55.68", "12.57", "anna", TOKEN, "k" * 43, "=abc", "=def", "Bearer abc"):
        assert hidden not in line, line
    assert "hidden" in line
    if form == "json":
        assert len(line.splitlines()) == 1
        assert "ValueError" in orjson.loads(line)["exception"]


def test_what_is_no_secret_stays() -> None:
    text = "gps-fixes/3: a block begins at 1760000000.1234, 12.5 s, 127.0.0.1:9092, streams.worker.shards"
    assert logs.scrubbed(text) == text


def test_the_form_follows_the_setting_and_else_whether_somebody_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert logs.writes_json(Settings())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert not logs.writes_json(Settings())
    assert logs.writes_json(Settings(log_format="json"))
    with pytest.raises(BadInput, match="LOG_FORMAT is 'xml'"):
        Settings(log_format="xml")
