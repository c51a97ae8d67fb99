"""A small drawn city for the broker tests, and people who walk in it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from geo.cities import checksum_of
from geo.graph import Graph, save_graph
from geo.grid import GRID_DEG
from models.records import Fix
from tests.geo.asciimap import graph_from_ascii

# Three streets from west to east, 240 m long, 40 m apart. The northern one runs under arcades.
MAP = """
A-------B-------C-------D
|       |       |       |
|       |       |       |
|       |       |       |
E-------F-------G-------H
|       |       |       |
|       |       |       |
|       |       |       |
I-------J-------K-------L
"""
TAGS = {
    "ABCD": {"highway": "footway", "covered": "arcade", "name": "Arcades"},
    "EFGH": {"highway": "footway", "name": "Middle Street"},
    "IJKL": {"highway": "footway", "name": "South Street"},
}
T0 = 1_760_000_000.0


@dataclass(frozen=True)
class City:
    """The drawn graph, saved, with where its places are."""

    folder: Path
    graph: Graph
    places: dict[str, tuple[float, float]]

    @property
    def checksum(self) -> int:
        return checksum_of(self.graph.meta)

    def moved(self, folder: Path, north_deg: float) -> City:
        """A copy of the city, saved in `folder`, that lies further north."""
        graph = self.graph
        moved = {name: getattr(graph, name) + north_deg for name in ("node_lat", "shape_lat", "cell_lat")}
        key = graph.grid_key + (round(north_deg / GRID_DEG) << 32)
        others = {"way": graph.way + 1_000, "node_osm": graph.node_osm + 1_000, "cell_h3": graph.cell_h3 + 1}
        saved = save_graph(folder, replace(graph, **moved, **others, grid_key=key))
        places = {place: (lat + north_deg, lon) for place, (lat, lon) in self.places.items()}
        return City(folder, saved, places)

    def line(self, route: str) -> list[list[float]]:
        """GeoJSON coordinates (lon, lat) along places."""
        return [[self.places[p][1], self.places[p][0]] for p in route]

    def walk(
        self,
        device: str,
        route: str,
        *,
        start_ts: float = T0,
        pace_mps: float = 1.4,
        accuracy_m: float = 5.0,
        noise_m: float = 0.0,
        seed: int = 0,
    ) -> list[Fix]:
        """One fix a second along places, with GPS noise if wanted."""
        random = np.random.default_rng(seed)
        fixes: list[Fix] = []
        ts = start_ts
        for a, b in pairwise(route):
            (lat1, lon1), (lat2, lon2) = self.places[a], self.places[b]
            north, east = (lat2 - lat1) * 111_195, (lon2 - lon1) * 111_195 * math.cos(math.radians(lat1))
            steps = max(1, round(math.hypot(north, east) / pace_mps))
            for k in range(steps):
                dy, dx = random.normal(0, noise_m, 2) if noise_m else (0.0, 0.0)
                share = k / steps
                lat = lat1 + (lat2 - lat1) * share + dy / 111_195
                lon = lon1 + (lon2 - lon1) * share + dx / 111_195 / math.cos(math.radians(lat1))
                fixes.append(Fix(device=device, ts=ts, lat=float(lat), lon=float(lon), accuracy_m=accuracy_m))
                ts += 1.0
        return fixes


def draw(folder: Path) -> City:
    """The city, imported by the real importer and saved in `folder`."""
    graph, at = graph_from_ascii(MAP, tags=TAGS)
    saved = save_graph(folder, graph)
    places = {p: (float(graph.node_lat[n]), float(graph.node_lon[n])) for p, n in at.items()}
    return City(folder, saved, places)
