"""The ground that can be walked to, as a GeoJSON polygon: squares around what is reached, put together."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from gateway.planning.requests import Isochrone
from geo.geodesy import METRES_PER_DEG
from geo.graph import F64, Graph
from geo.network import Network
from geo.routing.costs import INDIFFERENT
from geo.routing.reach import Reach, reach
from geo.routing.search import Path, Place, SearchSpace, path_coordinates
from models.routes.planning import snap
from models.routes.taste_metrics import searchable_metric_of
from models.trips.live_route import SNAP_M

WALKING_MPS = 1.4
SQUARES = 50  # from the place to the rim
SMALLEST_M, LARGEST_M = 20.0, 60.0  # sides of a square
SMOOTH = 1.0  # squares: corners that stand out by less are cut off


def isochrone_answer(network: Network, asked: Isochrone, space: SearchSpace) -> dict[str, Any]:
    """A FeatureCollection of one polygon; raises NoCandidate where no street is near."""
    graph = network.graph
    place = snap(graph, asked.lat, asked.lon, SNAP_M)
    reached = reach(graph, searchable_metric_of(network, INDIFFERENT), place, asked.duration_s, space)
    side_m = min(LARGEST_M, max(SMALLEST_M, asked.duration_s * WALKING_MPS / SQUARES))
    east, north = _points(graph, place, reached, asked, side_m)
    ground = _ground(np.floor(east / side_m).astype(np.int64), np.floor(north / side_m).astype(np.int64))
    east_deg = side_m / (METRES_PER_DEG * math.cos(math.radians(asked.lat)))
    polygon = shapely.transform(
        ground,
        lambda at: np.round(at * (east_deg, side_m / METRES_PER_DEG) + (asked.lon, asked.lat), 6),
    )
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {
                    "contour": asked.duration_s / 60.0,
                    "metric": "time",
                    "duration_s": asked.duration_s,
                    "length_m": round(
                        float((graph.length_m[reached.edges] * (reached.end - reached.begin)).sum())
                    ),
                },
                "geometry": shapely.geometry.mapping(polygon),
            }
        ],
    }


class _Lines(NamedTuple):
    """Straight pieces, metres east and north."""

    east: F64  # (n, 2) of both ends
    north: F64  # (n, 2)


def _points(graph: Graph, place: Place, reached: Reach, asked: Isochrone, side_m: float) -> tuple[F64, F64]:
    """Points on all that is reached, half a square apart; metres east and north of what was asked for.

    What is reached in part (the rim) is taken by its own line, all else by the graph's.
    """
    whole = (reached.begin == 0.0) & (reached.end == 1.0)
    lines = [_whole_lines(graph, reached.edges[whole])]
    rim = (reached.edges[~whole], reached.begin[~whole], reached.end[~whole])
    for edge, begin, end in zip(*(values.tolist() for values in rim), strict=True):
        lat, lon = path_coordinates(graph, Path(np.array([edge], np.int32), begin, end, 0.0, 0.0, 0.0))
        lines.append(_Lines(np.stack([lon[:-1], lon[1:]], 1), np.stack([lat[:-1], lat[1:]], 1)))
    east = (np.concatenate([one.east for one in lines]) - asked.lon) * METRES_PER_DEG
    east *= math.cos(math.radians(asked.lat))
    north = (np.concatenate([one.north for one in lines]) - asked.lat) * METRES_PER_DEG
    length_m = np.hypot(np.diff(east), np.diff(north)).ravel()
    parts = np.maximum(1, np.ceil(length_m / (side_m / 2))).astype(np.int64) + 1
    share = (np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)) / np.repeat(
        parts - 1, parts
    )
    ends = (np.repeat(values, parts, axis=0) for values in (east, north))
    x, y = ((1.0 - share) * two[:, 0] + share * two[:, 1] for two in ends)
    return np.append(x, 0.0), np.append(y, 0.0)


def _whole_lines(graph: Graph, edges: NDArray[np.int32]) -> _Lines:
    first = graph.shape_first[edges].astype(np.int64)
    count = graph.shape_first[edges + 1].astype(np.int64) - first - 1  # pieces of each
    at = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(count.sum())
    return _Lines(
        np.stack([graph.shape_lon[at], graph.shape_lon[at + 1]], 1),
        np.stack([graph.shape_lat[at], graph.shape_lat[at + 1]], 1),
    )


def _ground(column: NDArray[np.int64], row: NDArray[np.int64]) -> shapely.Geometry:
    """The squares with a point in them and those around, as one; coordinates are counted in squares."""
    west, south = int(column.min()) - 1, int(row.min()) - 1
    hit = np.zeros((int(row.max()) - south + 2, int(column.max()) - west + 2), np.bool_)
    hit[row - south, column - west] = True
    near = np.pad(hit, 1)
    wide = near[:, :-2] | near[:, 1:-1] | near[:, 2:]
    wide = wide[:-2] | wide[1:-1] | wide[2:]
    change = np.diff(np.pad(wide, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, begin = np.nonzero(change == 1)
    _, end = np.nonzero(change == -1)
    runs = shapely.box(begin + west, rows + south, end + west, rows + south + 1)
    return shapely.simplify(shapely.union_all(runs), SMOOTH)
