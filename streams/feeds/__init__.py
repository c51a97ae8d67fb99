"""Adapters of traffic and weather feeds: the table of formats, and which one a document is read by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streams.feeds import datex2, fintraffic, gtfs_rt, met_norway, open_meteo, probes, wzdx
from streams.feeds.common import NO_CONTEXT, Context, Parsed, Problem, Report
from streams.kafka.topics import TRAFFIC_REPORTS, WEATHER_REPORTS

__all__ = ["FORMATS", "NO_CONTEXT", "Context", "Format", "Parsed", "Problem", "Report"]


@dataclass(frozen=True, slots=True)
class Format:
    """One format: how to read it, what its files are called, and what it says."""

    name: str
    parse: Callable[[bytes, str, float, Context], Parsed]
    suffixes: tuple[str, ...]
    topic: str
    about: str
    needs_graph: bool = False


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format(
            "met-norway",
            met_norway.parse,
            (".json",),
            WEATHER_REPORTS,
            "MET Norway locationforecast 2.0: weather",
        ),
        Format("open-meteo", open_meteo.parse, (".json",), WEATHER_REPORTS, "Open-Meteo forecast: weather"),
        Format(
            "datex2",
            datex2.parse,
            (".xml",),
            TRAFFIC_REPORTS,
            "DATEX II situations: closures, road works, incidents",
        ),
        Format(
            "fintraffic",
            fintraffic.parse,
            (".json",),
            TRAFFIC_REPORTS,
            "Fintraffic simple JSON: closures, road works",
        ),
        Format(
            "wzdx",
            wzdx.parse,
            (".geojson", ".json"),
            TRAFFIC_REPORTS,
            "WZDx work zones: closures, road works",
        ),
        Format(
            "gtfs-rt",
            gtfs_rt.parse,
            (".pb", ".asciipb", ".txt"),
            TRAFFIC_REPORTS,
            "GTFS-realtime alerts: incidents at stops",
        ),
        Format(
            "probes",
            probes.parse,
            (".csv", ".csv.gz"),
            TRAFFIC_REPORTS,
            "vehicle trajectories: speeds per street",
            needs_graph=True,
        ),
    )
}
