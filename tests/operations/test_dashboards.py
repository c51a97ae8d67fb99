"""The dashboards' files: what the command writes, as Grafana's own types read them, and complete."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import REGISTRY

from cli.dashboards import command
from gateway import metrics as gateway_metrics
from geo.errors import BadInput
from streams.local.services import PROJECT
from streams.telemetry import metrics as worker_metrics
from streams.telemetry.dashboards.catalogue import DASHBOARDS, encoded
from streams.telemetry.dashboards.queries import (
    PanelRead,
    any_of,
    choices,
    everything,
    filled,
    named,
    panels_of,
    read_dashboard,
    variables_of,
)
from streams.telemetry.prometheus import Prometheus

# what may be asked for is declared in these; the process's own figures are prometheus_client's
DECLARED_BY = (gateway_metrics, worker_metrics)
FOLDER = PROJECT / "compose" / "grafana" / "dashboards"
UNITS = {value for value in vars(units).values() if isinstance(value, str)}
METRIC = re.compile(r"\b(?:flaneur|process)_[a-z0-9_]+")
ENDS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def asked(name: str) -> list[PanelRead]:
    return [panel for panel in panels_of(read_dashboard(FOLDER / f"{name}.json")) if panel.kind != "row"]


PANELS = [
    pytest.param(name, panel, id=f"{name}: {panel.title}") for name in DASHBOARDS for panel in asked(name)
]


def test_the_files_are_what_the_command_writes(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["--folder", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert written == {file.name: file.read_bytes() for file in FOLDER.iterdir()}, "run `flaneur dashboards`"
    assert set(written) == {f"{name}.json" for name in DASHBOARDS}
    assert all(encoded(make()) == encoded(make()) for make in DASHBOARDS.values())


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafanas_own_types_know_every_field(name: str) -> None:
    register_default_plugins()
    board = read_dashboard(FOLDER / f"{name}.json")
    assert orjson.loads(encoded(Dashboard.from_json(board))) == board
    misspelt = board | {"panels": [board["panels"][1] | {"descripton": "lost"}]}
    assert "descripton" not in encoded(Dashboard.from_json(misspelt))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_can_be_found_and_read(name: str) -> None:
    board = read_dashboard(FOLDER / f"{name}.json")
    assert board["uid"] == f"flaneur-{name}"
    assert "flaneur" in board["tags"]
    assert board["description"]
    (source,) = [one for one in variables_of(board).values() if one["type"] == "datasource"]
    assert (source["name"], source["query"]) == ("datasource", "prometheus")
    panels = list(panels_of(board))
    ids = [panel.raw["id"] for panel in panels if panel.kind != "row"]
    assert len(set(ids)) == len(ids)
    for panel in panels:
        assert 0 <= panel.x < panel.x + panel.width <= 24
    for one, other in combinations(panels, 2):
        apart = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y, (one, other)
    used = "".join(target.expr for panel in panels for target in panel.targets)
    for variable in variables_of(board):
        assert variable == "datasource" or f"${variable}" in used, f"${variable} chooses nothing"


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_panel_is_a_question_with_its_unit_and_its_queries(name: str, panel: PanelRead) -> None:
    assert panel.title.endswith("?")
    assert panel.about.endswith(".")
    assert panel.unit in UNITS
    assert panel.raw["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    steps = [value for value, _ in panel.steps]
    assert steps[1:] == sorted(steps[1:])
    assert steps[:1] in ([], [None])
    values = everything(read_dashboard(FOLDER / f"{name}.json"), lambda _: ["one", "two"])
    refs = [target["refId"] for target in panel.raw["targets"]]
    assert panel.targets
    assert len(set(refs)) == len(refs)
    told = {sample.name for family in REGISTRY.collect() for sample in family.samples} | {
        family.name + suffix
        for family in REGISTRY.collect()
        for suffix in (
            {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        )
    }
    for target in panel.targets:
        expr = filled(target.expr, values)
        assert "$" not in expr
        asked_for = set(METRIC.findall(expr))
        assert asked_for or "up{" in expr
        assert asked_for <= told, f"nobody tells {asked_for - told}"


def test_objectives_are_seen() -> None:
    steps = {panel.title: panel.steps for panel in asked("service")}
    assert steps["Are 99 % of fixes answered within a second?"] == ((None, "red"), (0.99, "green"))
    assert (300.0, "red") in steps["How old are the conditions in use?"]
    assert (1.0, "red") in steps["How long until a fix is answered?"]
    assert (1.0, "red") in steps["Is there a hole that is not closed?"]


def test_no_query_asks_for_what_could_lead_to_a_walker() -> None:
    for name in DASHBOARDS:
        for panel in asked(name):
            for target in panel.targets:
                assert not re.search(r"\b(device|walker_id|trip)\b", target.expr)


def test_variables_are_filled_in() -> None:
    values = {"worker": ".*", "__rate_interval": "1m"}
    assert filled('rate(x{i=~"$worker"}[$__rate_interval]) ${worker}', values) == 'rate(x{i=~".*"}[1m]) .*'
    with pytest.raises(BadInput, match=r"\$city"):
        filled("x{$city}", values)
    assert any_of(["worker-0", "10.0.0.1:80"]) == r"(worker-0|10\\.0\\.0\\.1:80)"
    assert named("{{city}}: closed", {"city": "porto"}) == "porto: closed"
    assert named("__auto", {"__name__": "x", "instance": "worker-0"}) == "worker-0"
    variable: dict[str, Any] = {"type": "query", "query": "query_result(x)"}
    with pytest.raises(BadInput, match="label_values"):
        choices(Prometheus("http://127.0.0.1:9"), variable)


def test_what_is_no_dashboard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="flaneur dashboards"):
        read_dashboard(tmp_path / "service.json")
