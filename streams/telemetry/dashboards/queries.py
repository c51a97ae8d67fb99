"""Reads dashboards as Grafana does: their panels' queries, with the variables filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from geo.errors import BadInput
from streams.telemetry.prometheus import Prometheus

_LABEL_VALUES = re.compile(r"label_values\((?P<of>.+), *(?P<label>\w+)\)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class Target:
    """One query of a panel, as it stands in the dashboard's file."""

    expr: str
    legend: str
    instant: bool


@dataclass(frozen=True)
class PanelRead:
    """One panel of a dashboard's file."""

    kind: str
    title: str
    about: str
    unit: str
    x: int
    y: int
    width: int
    height: int
    targets: tuple[Target, ...]
    steps: tuple[tuple[float | None, str], ...]  # thresholds, rising
    raw: Mapping[str, Any]

    @property
    def stacked(self) -> bool:
        custom = self.raw["fieldConfig"]["defaults"].get("custom", {})
        return bool(custom.get("stacking", {}).get("mode") == "normal")


def read_dashboard(file: Path) -> dict[str, Any]:
    """A dashboard's file; raises BadInput if it is none."""
    try:
        found: dict[str, Any] = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise BadInput(f"{file} is no dashboard: {error}; write them with `flaneur dashboards`") from error
    return found


def panels_of(board: Mapping[str, Any]) -> Iterator[PanelRead]:
    """The panels of a dashboard in their order, its headings (of kind `row`) among them."""
    for raw in board["panels"]:
        place = raw["gridPos"]
        defaults = raw.get("fieldConfig", {}).get("defaults", {})
        yield PanelRead(
            kind=raw["type"],
            title=raw["title"],
            about=raw.get("description", ""),
            unit=defaults.get("unit", ""),
            x=place["x"],
            y=place["y"],
            width=place["w"],
            height=place["h"],
            targets=tuple(
                Target(one["expr"], one.get("legendFormat", ""), bool(one.get("instant")))
                for one in raw.get("targets", [])
            ),
            steps=tuple(
                (step["value"], step["color"])
                for step in defaults.get("thresholds", {}).get("steps", [])
            ),
            raw=raw,
        )  # fmt: skip


def variables_of(board: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What may stand behind a `$` in a dashboard's queries, by name."""
    return {one["name"]: one for one in board["templating"]["list"]}


def everything(
    board: Mapping[str, Any], offered: Callable[[Mapping[str, Any]], list[str]], rate: str = "1m"
) -> dict[str, str]:
    """The values of variables with which all is shown, as Grafana writes «All».

    offered: what a variable offers, such as `choices`; rate: what Grafana makes of $__rate_interval.
    """
    values = {"__rate_interval": rate}
    for name, variable in variables_of(board).items():
        if variable["type"] == "query":
            values[name] = any_of(offered(variable))
        elif variable["type"] == "custom":
            values[name] = variable["current"]["value"]
    return values


def any_of(values: Iterable[str]) -> str:
    """A regular expression for any of these, escaped twice: it stands in a string."""
    return "(" + "|".join(re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value) for value in values) + ")"


def filled(text: str, values: Mapping[str, str]) -> str:
    """A query with its variables filled in; raises BadInput for one that has no value."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in values:
            raise BadInput(f"nothing is known of ${name} in {text}")
        return values[name]

    return _VARIABLE.sub(value, text)


def choices(prometheus: Prometheus, variable: Mapping[str, Any]) -> list[str]:
    """What a variable offers at this moment; raises BadInput for a query that is no label_values."""
    if variable["type"] == "custom":
        return [option["value"] for option in variable["options"]]
    match = _LABEL_VALUES.fullmatch(variable["query"])
    if match is None:
        raise BadInput(f"{variable['query']!r} is not label_values(series, label)")
    return prometheus.label_values(match["label"], match["of"])


def named(legend: str, labels: Mapping[str, str]) -> str:
    """What a series is called: `{{label}}` in its legend filled in."""
    if legend in ("", "__auto"):
        return ", ".join(value for label, value in labels.items() if label != "__name__")
    return re.sub(r"\{\{ *(\w+) *\}\}", lambda match: labels.get(match[1], ""), legend)
