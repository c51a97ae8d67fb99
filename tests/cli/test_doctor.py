"""What doctor finds on machines that lack something, and how it says so."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli import doctor, main
from streams.local.processes import RunFolder
from streams.local.tools import java_major


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A machine with an empty run folder, and nothing named in the environment."""
    monkeypatch.setenv("FLANEUR_RUN_DIR", str(tmp_path / "run"))
    for name in ("BOOTSTRAP", "REDIS_URL", "GRAPH_DIR"):
        monkeypatch.delenv(name, raising=False)
    return RunFolder(tmp_path / "run")


def found(folder: RunFolder) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.examine(folder)}


def test_a_bare_folder_lacks_the_broker_and_the_graph(bare: RunFolder) -> None:
    findings = found(bare)
    assert findings["python"].ok
    assert findings["packages"].ok
    assert not findings["kafka"].ok
    assert not findings["graph"].ok
    assert "make setup" in findings["kafka"].remedy
    assert "make setup" in findings["graph"].remedy


def test_missing_programs_come_with_a_remedy(bare: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("find_java", "find_maven", "find_redis"):
        monkeypatch.setattr(doctor, name, lambda: None)
    findings = found(bare)
    for name in ("java 17+", "maven", "redis-server"):
        assert not findings[name].ok
        assert findings[name].found == "not found"
        assert "make setup" in findings[name].remedy


def test_every_failed_check_says_what_to_do(bare: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_GB_AT_LEAST", 1e9)
    for finding in doctor.examine(bare):
        assert finding.ok or finding.remedy
        assert "\n" not in finding.found


def test_a_taken_port_is_no_fault_but_is_said(bare: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(doctor, "BROKER_PORT", taken.getsockname()[1])
        finding = found(bare)["broker"]
    assert finding.ok
    assert "is taken" in finding.found


def test_a_broker_of_ones_own_needs_no_java(monkeypatch: pytest.MonkeyPatch, bare: RunFolder) -> None:
    monkeypatch.setenv("BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("REDIS_URL", "redis://user:secret@127.0.0.1:1/0")
    findings = found(bare)
    assert not {"java 17+", "maven", "kafka", "redis-server"} & set(findings)
    assert findings["broker"].found == "does not answer at 127.0.0.1:1"
    assert not findings["redis"].ok
    assert "secret" not in str(findings)


def test_what_answers_is_well(monkeypatch: pytest.MonkeyPatch, bare: RunFolder, services: Any) -> None:
    monkeypatch.setenv("BOOTSTRAP", services.bootstrap)
    monkeypatch.setenv("REDIS_URL", services.redis_url)
    findings = found(bare)
    assert findings["broker"].ok
    assert findings["redis"].ok


def test_json_is_one_object_and_the_exit_code_tells(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["doctor", "--json"]) == 1
    answer = orjson.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert {"name", "ok", "found", "remedy"} == set(answer["findings"][0])
    assert main.run(["doctor"]) == 1
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == len(answer["findings"])
    assert all(line.startswith(("ok  ", "fix ")) for line in lines)


@pytest.mark.parametrize(
    ("line", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ("", 0),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", 0),
    ],
)
def test_java_versions(line: str, major: int) -> None:
    assert java_major(line) == major
