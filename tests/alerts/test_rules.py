"""The rules are valid, do what their promtool tests say, and name only what exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

import gateway.metrics  # noqa: F401 - declares the gateway's metrics
from streams.kafka.topics import GPS_FIXES, REPORT_TOPICS
from streams.local.prometheus import RULES
from streams.local.services import PROJECT
from streams.local.tools import find_promtool
from streams.telemetry.metrics import ANSWER_AGE
from tests.alerts.rule_files import Rule, metric_names, read_rules, seconds, shorten

TESTS = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
OBJECTIVES = PROJECT / "docs" / "objectives.md"
ALERTS = [rule for rule in read_rules() if rule.is_alert]
RECORDED = {rule.name for rule in read_rules() if not rule.is_alert}


def promtool(*arguments: object) -> str:
    """What promtool says; AssertionError if it objects."""
    program = find_promtool()
    assert program is not None, "no promtool on this machine: run `make setup`, or install prometheus"
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def exposed() -> set[str]:
    """Every sample's name that a worker or a gateway tells, labels or not."""
    names: set[str] = set()
    for family in REGISTRY.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names


def test_the_files_are_valid() -> None:
    said = promtool("check", "rules", *sorted(RULES.glob("*.yaml")))
    assert "duplicate" not in said.lower()


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_they_do_what_their_tests_say(file: Path) -> None:
    promtool("test", "rules", file)


def test_every_alert_is_seen_firing_and_not_firing() -> None:
    seen: dict[str, set[bool]] = {}
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                seen.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert seen == {alert.name: {True, False} for alert in ALERTS}


@pytest.mark.parametrize("rule", read_rules(), ids=lambda rule: rule.name)
def test_every_metric_exists(rule: Rule) -> None:
    named = set(metric_names(rule.expr))
    assert named or rule.expr.startswith("up{")
    unknown = named - exposed() - RECORDED
    assert not unknown, f"{rule.name} names {unknown}, which nothing exposes"


def test_labels_in_the_rules_exist() -> None:
    text = "".join(file.read_text() for file in RULES.glob("*.yaml"))
    (age,) = ANSWER_AGE.collect()
    bounds = {sample.labels["le"] for sample in age.samples if "le" in sample.labels}
    assert set(re.findall(r'[{,]le="([^"]+)"', text)) == {"1.0"} <= bounds
    topics = {name for found in re.findall(r'topic=~?"([^"]+)"', text) for name in found.split("|")}
    assert topics <= {GPS_FIXES, *REPORT_TOPICS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_says_what_it_is_and_what_to_do(alert: Rule) -> None:
    assert alert.labels["severity"] in {"page", "ticket"}
    assert alert.annotations.keys() == {"summary", "description", "runbook_url"}
    page = (PROJECT / alert.annotations["runbook_url"]).read_text()
    assert re.search(rf"`{alert.name}`", page), "the page does not name it"
    for part in ("What it means", "Look here", "Do this", "When it is over"):
        assert f"\n## {part}\n" in page, f"the page does not say: {part}"


def test_the_table_of_alerts_is_whole() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (page|ticket) \| .*\]\((runbooks/[\w-]+\.md)\) \|$", OBJECTIVES.read_text(), re.M
    )
    told = [
        (alert.name, alert.labels["severity"], alert.annotations["runbook_url"].removeprefix("docs/"))
        for alert in ALERTS
    ]
    assert rows == told
    pages = {file.name for file in (PROJECT / "docs" / "runbooks").glob("*.md")}
    assert pages == {Path(page).name for _, _, page in told}


def test_a_name_that_nothing_exposes_is_found() -> None:
    expr = 'sum by (topic) (rate(flaneur_misspelt_total{topic="flaneur_ok"}[5m])) / flaneur:x:y > 3'
    assert set(metric_names(expr)) == {"flaneur_misspelt_total", "flaneur:x:y"}


def test_only_times_are_shortened(tmp_path: Path) -> None:
    shorten(tmp_path / "rules", 60)
    promtool("check", "rules", *sorted((tmp_path / "rules").glob("*.yaml")))
    before, after = read_rules(), read_rules(tmp_path / "rules")
    for was, now in zip(before, after, strict=True):
        assert (was.name, was.labels, was.annotations) == (now.name, now.labels, now.annotations)
        assert now.for_s == (max(1, round(was.for_s / 60)) if was.for_s else 0)
        times = r"(\[|offset )(\d+[smhd])"
        assert re.sub(times, "", was.expr).split() == re.sub(times, "", now.expr).split()
        for (_, long), (_, short) in zip(
            re.findall(times, was.expr), re.findall(times, now.expr), strict=True
        ):
            assert seconds(short) == max(3, round(seconds(long) / 60))
