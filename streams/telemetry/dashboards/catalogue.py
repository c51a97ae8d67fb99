"""All dashboards, and their files: what Grafana is given is what this module writes, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from streams.telemetry.dashboards.data_quality import data_quality
from streams.telemetry.dashboards.gateway import gateway
from streams.telemetry.dashboards.pipeline import pipeline
from streams.telemetry.dashboards.routing import routing
from streams.telemetry.dashboards.service import service
from streams.telemetry.dashboards.world import world

DASHBOARDS: dict[str, Callable[[], Dashboard]] = {
    "service": service,
    "pipeline": pipeline,
    "routing": routing,
    "world": world,
    "gateway": gateway,
    "data-quality": data_quality,
}


def encoded(dashboard: Dashboard) -> str:
    """A dashboard as Grafana reads it."""
    return json.dumps(dashboard, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_all(folder: Path) -> list[Path]:
    """Write every dashboard into `folder`; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, make in DASHBOARDS.items():
        file = folder / f"{name}.json"
        file.write_text(encoded(make()), encoding="utf-8")
        files.append(file)
    return files
