"""The compose files as Docker Compose reads them: variables filled in, one laid over the other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from streams.local.services import PROJECT

COMPOSE = PROJECT / "compose"
FORMS = {"plain": ("compose.yaml",), "secure": ("compose.yaml", "secure.yaml")}
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\})")
_REPLACED = frozenset({"command", "entrypoint", "test"})  # lists that are not added to


def read(form: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The whole model of one form; variables that are not in `environ` take their defaults."""
    model: dict[str, Any] = {}
    for name in FORMS[form]:
        model = _laid_over(model, yaml.safe_load((COMPOSE / name).read_text()))
    filled: dict[str, Any] = _filled(model, environ or {})
    return {key: value for key, value in filled.items() if not key.startswith("x-")}


def variables(form: str) -> set[str]:
    """What the files ask the environment for."""
    text = "".join((COMPOSE / name).read_text() for name in FORMS[form])
    return {found["name"] for found in _VARIABLE.finditer(text) if found["name"]}


def _filled(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, environ) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, environ) for one in value]
    if not isinstance(value, str):
        return value

    def fill(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        default = found["default"]
        assert default is not None, f"{found['name']} has no default"
        return environ.get(found["name"]) or default

    return _VARIABLE.sub(fill, value)


def _laid_over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        merged = dict(below)
        for key, value in above.items():
            merged[key] = value if key in _REPLACED or key not in below else _laid_over(below[key], value)
        return merged
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *(one for one in above if one not in below)]
    return above


def dockerfile() -> dict[str, Any]:
    """Of the last stage: its user, environment, entry point, folders that it makes, and what it copies."""
    text = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    begins = [index for index, (word, *_) in enumerate(lines) if word == "FROM"]
    last = [(word, rest[0] if rest else "") for word, *rest in lines[begins[-1] :]]
    env = " ".join(value for word, value in last if word == "ENV")
    return {
        "images": [lines[index][1].split()[0] for index in begins],
        "user": next(value for word, value in last if word == "USER"),
        "env": dict(part.split("=", 1) for part in env.split()),
        "entrypoint": yaml.safe_load(next(value for word, value in last if word == "ENTRYPOINT")),
        "ports": next(value for word, value in last if word == "EXPOSE").split(),
        "copies": [value.split() for word, value in last if word == "COPY"],
        "run": " ".join(value for word, value in last if word == "RUN"),
        "workdir": next(value for word, value in last if word == "WORKDIR"),
    }
