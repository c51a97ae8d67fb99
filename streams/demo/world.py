"""The world of the recorded day: real weather, road works and taxis, moved to its cities and to its time."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from geo.errors import BadInput
from geo.graph import Graph
from models.records import TrafficReport, WeatherReport, encode
from streams.demo.body import Line
from streams.demo.fleet import Timed
from streams.demo.walkers import LEAST_STREETS
from streams.feeds import FORMATS, NO_CONTEXT, Context, Report
from streams.feeds.move import MARK, move_to_graph, shift_to
from streams.feeds.publish import topic_of

WEATHER = Path("demo") / "weather_ewr_2013-05-11.csv"
TAXIS = Path("traces") / "porto" / "porto_taxi.csv.gz"
WORKS = Path("feeds") / "fintraffic"
RAIN_AFTER_S = 900.0  # the shower begins a quarter of an hour into the day
TOLD_BEFORE_S = 600.0  # and every hour's weather is told ten minutes before
WORKS_EVERY_S = 120.0
WORKS_M = 150.0  # of a motorway's miles of works that is what is taken into a city
LASTING_S = 3600.0
# a closure lies at 70 % of somebody's route, and is told when about 35 % are done
AHEAD_SHARE, TOLD_SHARE = 0.7, 0.35
USUAL_MPS = 1.3
LEAST_CLOSED_M = 1000.0
MINUTE_S = 60.0
DAY_S = 2 * 3600.0  # no walk of the day takes longer, so no report is needed later


def weather(graph: Graph, start_ts: float, data: Path) -> list[Timed]:
    """A real shower over every city: hourly observations, moved there, each told ten minutes before."""
    rows = _hours(data / WEATHER)
    first_rain = next(report for report in rows if report.precip_mmph)
    assert first_rain.valid_from is not None
    shift_s = start_ts + RAIN_AFTER_S - first_rain.valid_from
    records = []
    for name, lat, lon in _middles(graph):
        for report in rows:
            assert report.valid_from is not None
            assert report.valid_to is not None
            begins, ends = report.valid_from + shift_s, report.valid_to + shift_s
            if ends <= start_ts or begins > start_ts + DAY_S:
                continue
            moved = replace(
                report,
                source=f"ewr-{name}{MARK}",
                ts=max(start_ts, begins - TOLD_BEFORE_S),
                lat=lat,
                lon=lon,
                valid_from=begins,
                valid_to=ends,
            )
            records.append(_timed(moved))
    return records


def _hours(path: Path) -> list[WeatherReport]:
    """The rows of a file of hourly station weather in American units."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [_hour(row) for row in rows]
    except (OSError, KeyError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as hourly weather: {error!r}") from error


def _hour(row: dict[str, str]) -> WeatherReport:
    begins = datetime.fromisoformat(row["time_hour"]).timestamp()

    def value(name: str) -> float | None:
        return None if row[name] == "NA" else float(row[name])

    temp_f, wind_mph, wind_deg, inches = (value(n) for n in ("temp", "wind_speed", "wind_dir", "precip"))
    return WeatherReport(
        source=row["origin"].lower(),
        ts=begins,
        lat=40.6925,  # Newark Liberty International Airport
        lon=-74.1687,
        valid_from=begins,
        valid_to=begins + 3600.0,
        precip_mmph=None if inches is None else round(inches * 25.4, 2),
        temp_c=None if temp_f is None else round((temp_f - 32) / 1.8, 1),
        wind_mps=None if wind_mph is None else round(wind_mph * 0.44704, 1),
        wind_deg=wind_deg,
    )


def road_works(graph: Graph, start_ts: float, data: Path) -> list[Timed]:
    """Real road works of Finland on the streets of the graph, shortened, one every two minutes."""
    works = [work for work in _works(data / WORKS) if work.kind != "closure"]
    return [
        _timed(_lasting(moved, start_ts + WORKS_EVERY_S * index))
        for index, moved in enumerate(_traffic(move_to_graph(works, graph)))
    ]


class Closures:
    """Real closures of Finland, each to be laid on the way of somebody who will come there."""

    def __init__(self, start_ts: float, data: Path) -> None:
        self._left = [work for work in _works(data / WORKS) if work.kind == "closure"]
        self._start_ts = start_ts

    def ahead_of(self, line: Line, set_out_ts: float) -> Timed | None:
        """The next closure, on the way of somebody who sets out now; None when there is none for them."""
        if not self._left or line.length_m < LEAST_CLOSED_M:
            return None
        work = self._left.pop(0)
        middle_m = AHEAD_SHARE * line.length_m
        geometry = _part(line, middle_m - WORKS_M / 2, middle_m + WORKS_M / 2)
        told_s = set_out_ts + TOLD_SHARE * line.length_m / USUAL_MPS - self._start_ts
        # on the minute, as the day's networks are made
        told_ts = self._start_ts + MINUTE_S * math.ceil(told_s / MINUTE_S)
        return _timed(_lasting(replace(work, source=work.source + MARK, geometry=geometry), told_ts))


def _works(folder: Path) -> list[TrafficReport]:
    """One report an event, shortened."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise BadInput(f"there are no road works in {folder}: the bundled data is not complete")
    found: dict[str, TrafficReport] = {}
    for file in files:
        parsed = FORMATS["fintraffic"].parse(file.read_bytes(), "fintraffic", 0.0, NO_CONTEXT)
        for report in _traffic(parsed.reports):
            # the days of a work that goes on for a week are reports of their own: the first stands for all
            found.setdefault(report.source.split("/")[0], replace(report, geometry=_shortened(report)))
    return list(found.values())


def _traffic(reports: Sequence[Report]) -> list[TrafficReport]:
    return [report for report in reports if isinstance(report, TrafficReport)]


def _lasting(report: TrafficReport, ts: float) -> TrafficReport:
    return replace(report, ts=round(ts, 3), valid_from=round(ts, 3), valid_to=round(ts + LASTING_S, 3))


def _shortened(report: TrafficReport) -> dict[str, Any]:
    """The first WORKS_M of the first line of a report's geometry; what is no line stays."""
    geometry = report.geometry
    if geometry["type"] not in ("LineString", "MultiLineString"):
        return geometry
    line = geometry["coordinates"] if geometry["type"] == "LineString" else geometry["coordinates"][0]
    lon, lat = np.array([position[:2] for position in line], np.float64).T
    return _part(Line.of(lat, lon), 0.0, WORKS_M)


def _part(line: Line, from_m: float, to_m: float) -> dict[str, Any]:
    """The part of a line between two distances along it, as GeoJSON."""
    inside = line.at_m[(line.at_m > from_m) & (line.at_m < to_m)]
    y, x = line.points(np.concatenate(([max(from_m, 0.0)], inside, [min(to_m, line.length_m)])))
    return {
        "type": "LineString",
        "coordinates": [[round(float(a), 7), round(float(b), 7)] for a, b in zip(x, y, strict=True)],
    }


def taxis(graph: Graph, start_ts: float, data: Path) -> list[Timed]:
    """The speeds of Porto's taxis on its streets, as they were, from `start_ts` on; nothing elsewhere."""
    document = _trips_of_the_day(data / TAXIS)
    parsed = FORMATS["probes"].parse(document, "porto-taxis", start_ts, Context(graph=graph))
    shifted = shift_to(parsed.reports, start_ts)
    # the day's news comes on the minute, see `streams.demo.crowd`
    told = [
        replace(report, ts=start_ts + MINUTE_S * math.ceil((report.ts - start_ts) / MINUTE_S))
        for report in shifted
    ]
    return [_timed(report) for report in told if report.ts <= start_ts + DAY_S]


def _trips_of_the_day(path: Path) -> bytes:
    """The table of trips without those that begin after the day: most of the file, and slow to match."""
    try:
        header, *rows = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
        column = header.split(",").index("TIMESTAMP")
        begins = [int(row.split(",", column + 1)[column]) for row in rows]
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    last_ts = min(begins, default=0) + DAY_S
    of_day = [row for row, ts in zip(rows, begins, strict=True) if ts <= last_ts]
    return "".join([header, *of_day]).encode()


def _middles(graph: Graph) -> list[tuple[str, float, float]]:
    """A short name and the middle of every city of the graph."""
    number, count = np.unique(graph.component[graph.component >= 0], return_counts=True)
    found = []
    for component in number[(count >= min(LEAST_STREETS, int(count.max(initial=0))))]:
        nodes = graph.tail[graph.component == component]
        lat, lon = float(np.median(graph.node_lat[nodes])), float(np.median(graph.node_lon[nodes]))
        found.append((f"{lat:.2f}_{lon:.2f}", round(lat, 5), round(lon, 5)))
    return found


def _timed(report: Report) -> Timed:
    return Timed(report.ts, topic_of(report), report.source.encode(), encode(report))
