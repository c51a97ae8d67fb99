"""The graphs of a deployment, one a city: which of them a place belongs to, each opened when it is needed.

A deployment's directory holds a graph, or one graph a folder. Nothing of a city is read until
somebody walks there but its extent; its arrays are memory-mapped: workers on one machine share their pages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.errors import BadGraph, BadInput
from geo.geodesy import METRES_PER_DEG
from geo.graph import F64, I32, Graph, open_graph
from geo.graph_files import METADATA, read_bounds, read_metadata

MARGIN_DEG = 0.01  # about 1 km: who walks out of an extract is still in its city


@dataclass(frozen=True)
class City:
    """One graph, and the box in which it is the one to walk on; degrees."""

    number: int  # of the deployment's cities, in the order of their names
    name: str
    directory: Path
    checksum: int  # the first 32 bits of the graph's: edges of another graph mean something else
    south: float
    west: float
    north: float
    east: float

    @cached_property
    def graph(self) -> Graph:
        """Opened by the first who asks; raises BadGraph."""
        return open_graph(self.directory)

    @property
    def is_open(self) -> bool:
        return "graph" in vars(self)


class Cities:
    """All cities of a deployment."""

    def __init__(self, cities: list[City]) -> None:
        self._cities = cities
        boxes = np.array([(c.south, c.west, c.north, c.east) for c in cities]).reshape(-1, 4)
        self._boxes: F64 = boxes + np.array([-MARGIN_DEG, -MARGIN_DEG, MARGIN_DEG, MARGIN_DEG])

    def __len__(self) -> int:
        return len(self._cities)

    def __iter__(self) -> Iterator[City]:
        return iter(self._cities)

    def __getitem__(self, number: int) -> City:
        return self._cities[number]

    def with_checksum(self, checksum: int) -> City | None:
        """The city whose graph has this checksum."""
        return next((city for city in self._cities if city.checksum == checksum), None)

    def at(self, lat: float, lon: float) -> City | None:
        """The city that a place belongs to: of several the one whose middle is nearest. None: outside all."""
        number = _number_at(self._boxes, lat, lon)
        return None if number < 0 else self._cities[number]

    def near(self, lat: float, lon: float, reach_m: float) -> list[City]:
        """The cities that may have something within `reach_m` of a place."""
        north = reach_m / METRES_PER_DEG
        east = north / max(0.01, math.cos(math.radians(lat)))
        return self.meeting(lat - north, lon - east, lat + north, lon + east)

    def meeting(self, south: float, west: float, north: float, east: float) -> list[City]:
        """The cities whose boxes share something with a box; degrees."""
        box = self._boxes
        meets = (box[:, 0] <= north) & (box[:, 2] >= south) & (box[:, 1] <= east) & (box[:, 3] >= west)
        return [self._cities[number] for number in np.flatnonzero(meets).tolist()]

    def follow(
        self, city: I32, slot: I32, lat: F64, lon: F64, in_order: NDArray[np.bool_], start: int, out: I32
    ) -> int:
        """Write the city of each fix from `start` on, up to one that takes a walker from a city to another.

        city: (slots,) number of each walker's city, updated; -1 none yet. slot, lat, lon, in_order, out:
        (n,), fixes in order of arrival. A walker is in their city until a fix in order lies in the box of
        another one and not in theirs. Returns the index of the fix that is to take its walker there, or n.
        """
        return int(_follow(self._boxes, city, slot, lat, lon, in_order, start, out))


def open_cities(directory: str | Path) -> Cities:
    """The cities of a deployment: the graph in `directory`, or the graphs in its folders.

    Raises BadGraph where there is none, or one cannot be used.
    """
    place = Path(directory)
    folders = [place]
    if not (place / METADATA).is_file():
        folders = sorted(folder.parent for folder in place.glob(f"*/{METADATA}"))
    if not folders:
        raise BadGraph(f"{place} holds no graph; make one with `flaneur import-osm`")
    return Cities([_city(number, folder) for number, folder in enumerate(folders)])


def graph_at(directory: str | Path, lat: float, lon: float) -> Graph:
    """The graph of the city that a place belongs to; of a single city also where the place lies outside.

    Raises BadGraph, and BadInput for a place in none of several cities.
    """
    cities = open_cities(directory)
    city = cities[0] if len(cities) == 1 else cities.at(lat, lon)
    if city is None:
        names = ", ".join(one.name for one in cities)
        raise BadInput(f"{lat:.5f}, {lon:.5f} is in none of the cities {names} of {directory}")
    return city.graph


def one_city(graph: Graph, name: str = "city") -> Cities:
    """The only city there is."""
    lat, lon = graph.node_lat, graph.node_lon
    box = (float(lat.min()), float(lon.min()), float(lat.max()), float(lon.max()))
    city = City(0, name, Path(name), checksum_of(graph.meta), *box)
    vars(city)["graph"] = graph
    return Cities([city])


def checksum_of(meta: dict[str, object]) -> int:
    """The first 32 bits of a graph's checksum, from its metadata; 0 for one that was never stored."""
    return int(str(meta.get("checksum", "0"))[:8], 16)


def _city(number: int, folder: Path) -> City:
    return City(
        number, folder.resolve().name, folder, checksum_of(read_metadata(folder)), *read_bounds(folder)
    )


@njit(cache=True)
def _holds(box, lat, lon):  # type: ignore[no-untyped-def]
    return box[0] <= lat <= box[2] and box[1] <= lon <= box[3]


@njit(cache=True)
def _number_at(boxes, lat, lon):  # type: ignore[no-untyped-def]
    best = -1
    nearest = math.inf
    scale = math.cos(math.radians(lat))
    for number in range(len(boxes)):
        box = boxes[number]
        if not _holds(box, lat, lon):
            continue
        north = 0.5 * (box[0] + box[2]) - lat
        east = scale * (0.5 * (box[1] + box[3]) - lon)
        if north * north + east * east < nearest:
            nearest = north * north + east * east
            best = number
    return best


@njit(cache=True)
def _follow(boxes, city, slot, lat, lon, in_order, start, out):  # type: ignore[no-untyped-def]
    for i in range(start, len(slot)):
        s = slot[i]
        if in_order[i] and (city[s] < 0 or not _holds(boxes[city[s]], lat[i], lon[i])):
            found = _number_at(boxes, lat[i], lon[i])
            if found >= 0:
                if city[s] >= 0:
                    return i
                city[s] = found
        out[i] = city[s]
    return len(slot)
