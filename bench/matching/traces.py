"""Recorded traces through the online matcher: how much of them lies on streets, and beside what is expected.

A trace without times (a drawn line) is walked at 1.4 m/s, with a fix at least every 5 s. A test of
Itinero's map matching (a JSON document with `trackfile` and `expected`) names its trace and the line that
should come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from bench.matching.fixes import KnownFixes
from bench.matching.online import Answers, match_walks
from bench.matching.score import passing
from bench.matching.walks import Truth, point_at
from geo.errors import BadInput
from geo.geodesy import haversine_m, to_local
from geo.graph import F32, F64, Graph
from streams.traces import Trace, read_traces

WALKING_MPS, LONGEST_S = 1.4, 5.0
AGREES_M = 10.0
EVERY_M = 2.0  # at which lines are compared


@dataclass(frozen=True)
class RealTrace:
    """A trace, and the line that is expected of it, where that is known."""

    name: str
    fixes: KnownFixes  # of an unknown truth
    expected: tuple[F64, F64] | None


def read_real(paths: Sequence[Path]) -> list[RealTrace]:
    """All traces of the files; raises BadInput for one that cannot be read."""
    found: list[RealTrace] = []
    for path in paths:
        track, expected = path, None
        if path.suffix == ".json":
            track, expected = _itinero(path)
        recorded = [(trace.name, _fixes_of(trace)) for trace in read_traces(track)]
        if expected is not None:
            recorded = [(path.stem, _joined([fixes for _, fixes in recorded]))]
        found += [RealTrace(name, fixes, expected) for name, fixes in recorded]
    return found


def _itinero(path: Path) -> tuple[Path, tuple[F64, F64] | None]:
    """The track and the expected line of a test of Itinero's; another file is its own track."""
    try:
        document = orjson.loads(path.read_bytes())
        points = np.array(document["expected"]["coordinates"], np.float64)
        return path.parent / Path(document["trackfile"]).name, (points[:, 1], points[:, 0])
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, ValueError):
        return path, None


def _joined(parts: Sequence[KnownFixes]) -> KnownFixes:
    """Tracks of which one line is expected, one after the other."""
    ts: list[F64] = []
    for part in parts:
        begin = ts[-1][-1] + LONGEST_S if ts else 0.0
        ts.append(part.ts - part.ts[0] + begin)
    lat, lon = np.concatenate([part.lat for part in parts]), np.concatenate([part.lon for part in parts])
    return _unknown(np.concatenate(ts), lat, lon, np.concatenate([part.accuracy_m for part in parts]))


def _fixes_of(trace: Trace) -> KnownFixes:
    ts, lat, lon, accuracy_m = trace.ts, trace.lat, trace.lon, trace.accuracy_m
    if not trace.timed:
        run_m = np.append(0.0, np.cumsum(haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])))
        corners = run_m / WALKING_MPS
        ts = np.unique(np.concatenate((corners, np.arange(0.0, corners[-1], LONGEST_S))))
        lat, lon = np.interp(ts, corners, lat), np.interp(ts, corners, lon)
        accuracy_m = np.full(len(ts), np.nan)
    return _unknown(ts, lat, lon, accuracy_m.astype(np.float32))


def _unknown(ts: F64, lat: F64, lon: F64, accuracy_m: F32) -> KnownFixes:
    """Fixes of which nobody knows the truth."""
    nowhere = Truth(ts, lat, lon, np.full(len(ts), -1, np.int32), np.zeros(len(ts)))
    return KnownFixes(ts, lat, lon, accuracy_m, nowhere)


def lies_on(graph: Graph, trace: RealTrace) -> bool:
    """Whether most of a trace is within the box around a graph."""
    lat, lon = trace.fixes.lat, trace.fixes.lon
    inside = (lat >= graph.node_lat.min()) & (lat <= graph.node_lat.max())
    inside &= (lon >= graph.node_lon.min()) & (lon <= graph.node_lon.max())
    return bool(inside.mean() > 0.5)


def trace_figures(graph: Graph, trace: RealTrace, lag_s: float) -> list[tuple[str, float, str]]:
    """What came out of one trace."""
    settled = match_walks(graph, [trace.fixes], lag_s)[0].settled
    on = settled.edge >= 0
    away_m = np.array(
        [
            passing(graph, int(edge), float(lat), float(lon))[0]
            for edge, lat, lon in zip(settled.edge[on], trace.fixes.lat[on], trace.fixes.lon[on], strict=True)
        ]
    )
    figures = [("on_network_share", float(on.mean()), "share of the fixes")]
    if on.any():
        figures += [
            ("median_distance_m", float(np.median(away_m)), "m from fix to street"),
            ("p90_distance_m", float(np.quantile(away_m, 0.9)), "m from fix to street"),
        ]
    if trace.expected is not None:
        covered, right = agreement(graph, settled, trace)
        figures += [
            ("expected_covered", covered, "share of the expected line within 10 m of the matched"),
            ("matched_right", right, "share of the matched fixes within 10 m of the expected line"),
        ]
    return figures


def agreement(graph: Graph, settled: Answers, trace: RealTrace) -> tuple[float, float]:
    """Shares: of the expected line near the matched one, of the matched fixes near the expected line."""
    assert trace.expected is not None
    lat, lon = trace.fixes.lat.copy(), trace.fixes.lon.copy()
    for i in np.flatnonzero(settled.edge >= 0):
        lat[i], lon[i] = point_at(graph, int(settled.edge[i]), float(settled.fraction[i]))
    origin = float(lat[0]), float(lon[0])
    matched, wanted = _dense(*to_local(lat, lon, *origin)), _dense(*to_local(*trace.expected, *origin))
    places = np.column_stack(to_local(lat, lon, *origin))
    return float((_away_m(wanted, matched) <= AGREES_M).mean()), float(
        (_away_m(places, wanted) <= AGREES_M).mean()
    )


def _dense(x: F64, y: F64) -> F64:
    """(k, 2) points along a line, EVERY_M apart."""
    run = np.append(0.0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    at = np.linspace(0.0, run[-1], max(2, int(run[-1] / EVERY_M)))
    return np.column_stack((np.interp(at, run, x), np.interp(at, run, y)))


def _away_m(points: F64, line: F64) -> F64:
    """Metres from each point to the nearest of a dense line's."""
    return np.array([np.hypot(*(line - point).T).min() for point in points])
