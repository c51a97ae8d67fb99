"""The rule files of the deployment as data, and the same with shorter windows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from streams.local.prometheus import RULES

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = r"(\d+)([smhd])"


@dataclass(frozen=True)
class Rule:
    """One alert or one recording."""

    group: str
    name: str
    expr: str
    is_alert: bool
    for_s: float
    labels: dict[str, str]
    annotations: dict[str, str]


def read_rules(folder: Path = RULES) -> list[Rule]:
    """Every rule of every file in the folder."""
    return [
        Rule(
            group["name"],
            raw.get("alert") or raw["record"],
            raw["expr"],
            "alert" in raw,
            seconds(raw.get("for", "0s")),
            raw.get("labels", {}),
            raw.get("annotations", {}),
        )
        for document in _documents(folder).values()
        for group in document["groups"]
        for raw in group["rules"]
    ]


def seconds(duration: str) -> float:
    """`5m` in seconds."""
    found = re.fullmatch(_DURATION, duration)
    assert found is not None, f"{duration} is no duration of one unit"
    return int(found[1]) * _UNIT_S[found[2]]


def shorten(into: Path, factor: int, folder: Path = RULES) -> None:
    """Write the same rules with every window, `offset`, `for` and `interval` divided by `factor`.

    Nothing else changes: names, thresholds (also those in seconds, such as 5 min of age) and labels stay.
    What would be shorter than a second is a second; windows are at least 3 s, so that scrapes fill them.
    """

    def shorter(duration: str, least_s: int = 1) -> str:
        return f"{max(least_s, round(seconds(duration) / factor))}s"

    def window(found: re.Match[str]) -> str:
        return f"[{shorter(found[1], 3)}]"

    def offset(found: re.Match[str]) -> str:
        return f"offset {shorter(found[1], 3)}"

    into.mkdir(parents=True)
    for name, document in _documents(folder).items():
        for group in document["groups"]:
            if "interval" in group:
                group["interval"] = shorter(group["interval"])
            for rule in group["rules"]:
                rule["expr"] = re.sub(r"\[(\d+[smhd])\]", window, rule["expr"])
                rule["expr"] = re.sub(r"offset (\d+[smhd])", offset, rule["expr"])
                if "for" in rule:
                    rule["for"] = shorter(rule["for"])
        (into / name).write_text(yaml.safe_dump(document, sort_keys=False))


def metric_names(expr: str) -> Iterator[str]:
    """Names of metrics and recordings in an expression: what could be one and is none is left out."""
    without_strings = re.sub(r'"[^"]*"|by \([^)]*\)', "", expr)
    for name in re.findall(r"[a-z_:][a-z0-9_:]*", without_strings):
        if ":" in name or name.startswith(("flaneur_", "process_")):
            yield name


def _documents(folder: Path) -> dict[str, Any]:
    return {file.name: yaml.safe_load(file.read_text()) for file in sorted(folder.glob("*.yaml"))}
