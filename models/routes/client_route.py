"""What a navigation client makes of route updates: its whole route after each of them.

The other side of `models.trips.walking`: keep the first `keep_m` metres of the route that is there, go on
with the new tail, drop what was seen before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from geo.geodesy import haversine_m
from geo.graph import F64
from geo.polyline import decode6
from models.records import RouteUpdate


@dataclass(frozen=True, eq=False)
class ClientRoute:
    """A client's route once it has taken an update; empty for a trip that never had one."""

    update: RouteUpdate
    lat: F64  # (n,) degrees, from the start of the trip to its end
    lon: F64  # (n,)
    tail_first: int  # points from here on came with the update; n where it brought none


def reconstruct(updates: Iterable[RouteUpdate]) -> list[ClientRoute]:
    """The route after every update of one device that counts, in the order in which they came.

    An update of a trip that another trip has followed, and one whose version is not above the last of its
    trip, is repeated or too old: it changes nothing and is not in the result. Raises BadInput where a
    geometry is no polyline.
    """
    routes: list[ClientRoute] = []
    newest: dict[str, int] = {}
    for update in updates:
        current = routes[-1] if routes else None
        same_trip = current is not None and current.update.trip == update.trip
        if update.trip in newest and (not same_trip or update.version <= newest[update.trip]):
            continue
        newest[update.trip] = update.version
        if current is None or not same_trip:
            lat, lon = np.zeros(0), np.zeros(0)
        else:
            lat, lon = first_metres(current.lat, current.lon, update.keep_m)
        tail_lat, tail_lon = decode6(update.geometry)
        whole = np.concatenate([lat, tail_lat]), np.concatenate([lon, tail_lon])
        routes.append(ClientRoute(update, *whole, tail_first=len(lat)))
    return routes


def first_metres(lat: F64, lon: F64, length_m: float) -> tuple[F64, F64]:
    """The first `length_m` metres of a line of (n,) degrees; all of it where it is shorter."""
    after, point = _cut(lat, lon, length_m)
    return np.append(lat[:after], point[:1]), np.append(lon[:after], point[1:])


def without_first_metres(lat: F64, lon: F64, length_m: float) -> tuple[F64, F64]:
    """What `first_metres` leaves: from the point where it ends; empty where the line is shorter."""
    after, point = _cut(lat, lon, length_m)
    return np.append(point[:1], lat[after:]), np.append(point[1:], lon[after:])


def _cut(lat: F64, lon: F64, length_m: float) -> tuple[int, F64]:
    """How many points lie before the cut, and the point at the cut; (n, nothing) behind the line's end."""
    if len(lat) == 0:
        return 0, np.zeros(0)
    steps = haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    done = np.concatenate([[0.0], np.cumsum(steps)])
    if length_m >= done[-1]:
        return len(lat), np.zeros(0)
    after = int(np.searchsorted(done, length_m, "right"))  # >= 1: done[0] is 0
    share = (length_m - done[after - 1]) / (done[after] - done[after - 1])
    a, b = after - 1, after
    return after, np.array([lat[a] + share * (lat[b] - lat[a]), lon[a] + share * (lon[b] - lon[a])])
