"""Recorded walks, each led along what it was matched to: whoever follows their route is not to be rerouted.

The truth is not known. The route is what the matcher, with the whole walk seen, says was walked; where that
does not hang together the parts are judged alone. So the figure counts reroutes that a walker would have
got while doing what the route says, as well as the matcher can tell.
"""

from __future__ import annotations

import numpy as np

from bench.rig.session import Reporter
from geo.geodesy import haversine_m
from geo.graph import F64, I32, Graph
from geo.matching import MATCH_STATE, MatchFixes, empty_matches, match_arrays, match_fixes
from models.trips import trip as trips
from models.trips.trip import MatchedFixes, Policy, Routes, advance_fixes, route_geometry
from streams.traces import Trace, read_traces

LEAST_M = 200.0  # a shorter part is not judged


def report_trace(graph: Graph, path: str, reporter: Reporter) -> None:
    """The false reroutes of the traces of one file or folder that lie on the graph."""
    metres, reroutes, walks = 0.0, 0, 0
    for trace in read_traces(path):
        if not trace.timed:
            continue
        for part_m, found in _parts(graph, trace):
            metres, reroutes, walks = metres + part_m, reroutes + found, walks + 1
    if walks:
        about: dict[str, object] = {"traces": path, "walks": walks, "km": round(metres / 1000.0, 2)}
        reporter.report([("false_reroutes_per_km", 1000.0 * reroutes / metres, "1/km")], about)
    else:
        reporter.warn(f"{path}: no walk of {LEAST_M:.0f} m lies on this graph")


def _parts(graph: Graph, trace: Trace) -> list[tuple[float, int]]:
    n = len(trace.ts)
    accuracy = np.asarray(trace.accuracy_m, np.float32)
    out = empty_matches(n)
    state = np.zeros(1, MATCH_STATE)
    slot, kind = np.zeros(n, np.int32), np.zeros(n, np.uint8)
    lat, lon, ts = (np.asarray(axis, np.float64) for axis in (trace.lat, trace.lon, trace.ts))
    match_fixes(match_arrays(graph), state, MatchFixes(slot, kind, ts, lat, lon, accuracy), out)
    found = []
    for edges, first, last in _routes(graph, out.settled_edge, out.settled_ts, ts):
        length = graph.length_m[edges].astype(np.float64)
        if length.sum() < LEAST_M:
            continue
        part = slice(first, last)
        walked_m = float(haversine_m(*graph_ends(graph, edges)).sum()) or float(length.sum())
        fixes = MatchedFixes(
            slot[part], np.ones(last - first, np.bool_), ts[part], lat[part], lon[part],
            accuracy[part].astype(np.float64), out.edge[part], out.fraction[part], out.probability[part],
        )  # fmt: skip
        found.append((max(walked_m, 1.0), _reroutes(graph, edges, length, fixes)))
    return found


def graph_ends(graph: Graph, edges: I32) -> tuple[F64, F64, F64, F64]:
    """Tail and head of every edge, in degrees."""
    tail, head = graph.tail[edges], graph.head[edges]
    return graph.node_lat[tail], graph.node_lon[tail], graph.node_lat[head], graph.node_lon[head]


def _routes(graph: Graph, edge: I32, settled_ts: F64, ts: F64) -> list[tuple[I32, int, int]]:
    """Paths of settled edges that hang together, with the fixes (from, to) they were settled for."""
    found: list[tuple[I32, int, int]] = []
    path: list[int] = []
    begins = ends = 0.0
    known = ~np.isnan(settled_ts)
    for e, when in zip(edge[known].tolist(), settled_ts[known].tolist(), strict=True):
        if path and e == path[-1]:
            ends = when
        elif path and e >= 0 and graph.tail[e] == graph.head[path[-1]]:
            path.append(e)
            ends = when
        else:
            if path:
                found.append(_part(path, begins, ends, ts))
            path, begins, ends = ([e] if e >= 0 else []), when, when
    if path:
        found.append(_part(path, begins, ends, ts))
    return found


def _part(path: list[int], begins: float, ends: float, ts: F64) -> tuple[I32, int, int]:
    first, last = int(np.searchsorted(ts, begins)), int(np.searchsorted(ts, ends, side="right"))
    return np.array(path, np.int32), first, last


def _reroutes(graph: Graph, edges: I32, length: F64, fixes: MatchedFixes) -> int:
    trip = np.zeros(1, trips.TRIP_STATE)
    trip["status"], trip["started_ts"] = trips.ACTIVE, fixes.ts[0]
    trip["route_m"], trip["route_s"] = length.sum(), length.sum() / Policy().reference_mps
    trip["speed_mps"] = Policy().reference_mps
    start_m = np.concatenate([[0.0], np.cumsum(length[:-1])])
    routes = Routes(np.zeros(1, np.int64), np.array([len(edges)], np.int32), edges, start_m)
    next_fix, found = np.zeros(1, np.int64), 0
    while True:
        decision, at = np.zeros(1, np.uint8), np.zeros(1, np.int64)
        advance_fixes(trip, routes, route_geometry(graph), fixes, Policy(), next_fix, decision, at)
        if decision[0] in (trips.NONE, trips.ARRIVE):
            return found
        found += int(decision[0] == trips.OFF_ROUTE)
