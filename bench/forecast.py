"""How good forecasts are on series that really happened, beside two plain ones that anybody can make.

*Persistence* says that it stays as it is; *profile* says what is usual at that time, as
`models.world.forecast` has learned it by then. All three forecast the same values from the same past, from
the first one on, and none sees what it forecasts.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.rig.session import Reporter
from geo.errors import BadInput
from geo.graph import Graph, open_graph
from models.records import TrafficReport
from models.world.forecast import (
    COVERAGE,
    FORECAST_STATE,
    HORIZONS,
    SLOT_S,
    fold_values,
    read_forecasts,
    slot_of,
)
from streams.feeds.common import Context
from streams.feeds.probes import parse

Values = dict[int, dict[int, float]]
"""slot → row → value"""


@dataclass(frozen=True)
class ForecastJob:
    """What is forecast: columns of a CSV file, one series for each value of `by`, or speeds from probes."""

    file: Path
    time: str = ""
    values: tuple[str, ...] = ()
    by: str | None = None
    graph_dir: str | None = None


@dataclass(frozen=True)
class Errors:
    """Mean absolute errors at one horizon, over all series."""

    horizon: int
    compared: int
    ours: float
    persistence: float
    profile: float
    covered: float


def run_forecast(job: ForecastJob, session: Reporter) -> None:
    """Forecast every series as it unfolds and report the errors; raises BadInput for unusable files."""
    if job.graph_dir is not None:
        named: Iterable[tuple[str, Values]] = probe_series(job.file, open_graph(job.graph_dir))
    else:
        named = ((name, csv_series(job.file, job.time, name, job.by)) for name in job.values)
    for name, values in named:
        series = len({row for rows in values.values() for row in rows})
        for one in forecast_errors(values):
            about: dict[str, object] = {
                "file": job.file.name, "column": name, "series": series, "compared": one.compared,
                "horizon_s": one.horizon * SLOT_S,
            }  # fmt: skip
            for peer, error in (("persistence", one.persistence), ("profile", one.profile)):
                session.report([("mae", one.ours, "as the column")], about, peer, [error])
            session.report([("covered_share", one.covered, f"share, {COVERAGE} is meant")], about)


def forecast_errors(values: Values) -> list[Errors]:
    """Errors of all forecasts of these values, by horizon; raises BadInput if none could be compared."""
    rows = 1 + max((row for by_row in values.values() for row in by_row), default=-1)
    state = np.zeros(max(rows, 1), FORECAST_STATE)
    # (slot, row) → forecast, the newest value, what was usual, low, high
    waiting: dict[int, dict[tuple[int, int], tuple[float, float, float, float, float]]]
    waiting = {horizon: {} for horizon in HORIZONS}
    found: dict[int, list[tuple[float, float, float, float]]] = {horizon: [] for horizon in HORIZONS}
    for slot in sorted(values):
        here = np.array(sorted(values[slot]), np.int32)
        seen = np.array([values[slot][row] for row in here.tolist()], np.float64)
        for horizon, made in waiting.items():
            for row, value in zip(here.tolist(), seen.tolist(), strict=True):
                known = made.pop((slot, row), None)
                if known is not None:
                    ours, newest, usual, low, high = known
                    errors = (abs(ours - value), abs(newest - value), abs(usual - value))
                    found[horizon].append((*errors, float(low <= value <= high)))
        fold_values(state, here, np.full(len(here), slot, np.int64), seen)
        for row, value in zip(here.tolist(), seen.tolist(), strict=True):
            for h, one in enumerate(read_forecasts(state[row])):
                target = slot + one.horizon
                usual = float(state["usual"][row, h, target % HORIZONS[-1]])
                waiting[one.horizon][target, row] = (one.value, value, usual, one.low, one.high)
    if not all(found.values()):
        raise BadInput("the series are too short, or too sparse: no forecast meets a value")
    return [
        Errors(horizon, len(some), *np.mean(np.array(some), axis=0).tolist())
        for horizon, some in found.items()
    ]


def csv_series(file: Path, time: str, column: str, by: str | None) -> Values:
    """A column's values of 0 or more by slot (their mean); what is no number is left out."""
    sums: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    names: dict[str, int] = {}
    for line in _rows(file, [time, column, *([by] if by else [])]):
        try:
            value, moment = float(line[column]), _moment(line[time])
        except ValueError:
            continue
        if value >= 0.0:
            row = names.setdefault(line[by] if by else "", len(names))
            sums[slot_of(moment)][row].append(value)
    return {slot: {row: sum(v) / len(v) for row, v in rows.items()} for slot, rows in sums.items()}


def probe_series(file: Path, graph: Graph) -> Iterator[tuple[str, Values]]:
    """Speed over free flow from probe trajectories: of all streets together, and street by street."""
    document = _bytes(file)
    parsed = parse(document, "bench", 0.0, Context(graph=graph))
    by_street: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    rows: dict[str, int] = {}
    for report in parsed.reports:
        if isinstance(report, TrafficReport) and report.speed_mps is not None and report.free_flow_mps:
            row = rows.setdefault(report.source, len(rows))
            by_street[slot_of(report.ts)][row].append(report.speed_mps / report.free_flow_mps)
    means = {slot: {row: sum(v) / len(v) for row, v in some.items()} for slot, some in by_street.items()}
    together = {slot: {0: sum(some.values()) / len(some)} for slot, some in means.items()}
    yield "speed_ratio of all streets", together
    yield "speed_ratio by street", means


def _rows(file: Path, needed: list[str]) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(_bytes(file).decode("utf-8-sig", "replace").splitlines())
    missing = [name for name in needed if name not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(
            f"{file} has no column {', '.join(missing)}; it has {', '.join(reader.fieldnames or ())}"
        )
    yield from reader


def _bytes(file: Path) -> bytes:
    try:
        data = file.read_bytes()
        return gzip.decompress(data) if file.suffix == ".gz" else data
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error}") from error


def _moment(text: str) -> float:
    """Seconds since the epoch of ISO 8601, or of `2010/01/31 23:00`; UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text.strip().replace("/", "-").replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
