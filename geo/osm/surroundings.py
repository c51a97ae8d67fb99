"""What lies beside the ways: OSM objects sorted into layers (roads, green, water, sights ...)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Tags = Mapping[str, str]

# roads and rails by what they emit; links and lesser kinds count as their main class
EMITTERS = (
    "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential",
    "living_street", "service", "rail", "tram",
)  # fmt: skip

_ANY = frozenset[str]()
# layer, key, values (none listed: any but "no"); an object may be in several layers
_AREAS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("wood", "natural", frozenset({"wood"})),
    ("wood", "landuse", frozenset({"forest"})),
    ("park", "leisure", frozenset({"park", "garden", "nature_reserve", "common", "dog_park"})),
    ("park", "landuse", frozenset({
        "village_green", "recreation_ground", "cemetery", "orchard", "vineyard", "allotments",
    })),
    ("grass", "landuse", frozenset({"grass", "meadow", "flowerbed", "farmland"})),
    ("grass", "natural", frozenset({"grassland", "scrub", "heath", "shrubbery"})),
    ("water", "natural", frozenset({"water", "bay", "beach"})),
    ("water", "waterway", frozenset({"riverbank", "dock", "river", "canal"})),
    ("water", "landuse", frozenset({"basin", "reservoir"})),
    ("building", "building", _ANY),
)  # fmt: skip
_LINES: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("water", "waterway", frozenset({"river", "canal"})),
    ("water", "natural", frozenset({"coastline"})),
    ("stream", "waterway", frozenset({"stream"})),
    ("tree", "natural", frozenset({"tree_row"})),
)
_POINTS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("tree", "natural", frozenset({"tree"})),
    ("lamp", "highway", frozenset({"street_lamp"})),
)
_SIGHTS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("sight", "tourism", frozenset({
        "attraction", "museum", "gallery", "artwork", "viewpoint", "zoo", "aquarium", "theme_park",
    })),
    ("sight", "historic", _ANY),
    ("sight", "amenity", frozenset({
        "theatre", "arts_centre", "place_of_worship", "fountain", "marketplace", "planetarium",
    })),
    ("sight", "man_made", frozenset({"lighthouse", "windmill", "watermill", "obelisk"})),
    ("fountain", "amenity", frozenset({"fountain"})),
)  # fmt: skip

_AMENITIES: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("amenity", "amenity", frozenset({
        "bench", "cafe", "ice_cream", "biergarten", "drinking_water", "water_point", "toilets", "shelter",
    })),
    ("amenity", "shop", frozenset({"bakery", "pastry", "coffee"})),
    ("amenity", "leisure", frozenset({"picnic_table"})),
)  # fmt: skip

# a thing without any of these keys is in no layer
POINT_KEYS = tuple(sorted({key for _, key, _ in _POINTS + _SIGHTS + _AMENITIES}))
LINE_KEYS = tuple(sorted({key for _, key, _ in _LINES}))
AREA_KEYS = tuple(sorted({key for _, key, _ in _AREAS + _SIGHTS + _AMENITIES}))


@dataclass(slots=True)
class Surroundings:
    """Shapely geometries (x = longitude, y = latitude, degrees) by layer."""

    layers: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, layer: str, geometry: Any) -> None:
        self.layers.setdefault(layer, []).append(geometry)


def area_layers(tags: Tags) -> set[str]:
    """Layers of a closed way or multipolygon with these tags."""
    layers = _matching(tags, _AREAS) | _matching(tags, _SIGHTS) | _matching(tags, _AMENITIES)
    if tags.get("access") in ("no", "private") or tags.get("location") == "underground":
        layers -= {"park", "water", "amenity"}  # nobody walking by sees anything of it
    return layers


def line_layers(tags: Tags) -> set[str]:
    """Layers of a way with these tags that is not an area."""
    layers = _matching(tags, _LINES)
    if tags.get("tunnel", "no") != "no":
        return set()  # a culvert or a road below ground
    emitter = _emitter(tags)
    return layers | {f"road:{emitter}"} if emitter else layers


def point_layers(tags: Tags) -> set[str]:
    """Layers of a node with these tags."""
    layers = _matching(tags, _POINTS) | _matching(tags, _SIGHTS) | _matching(tags, _AMENITIES)
    return layers - {"amenity"} if tags.get("access") in ("no", "private") else layers


def _matching(tags: Tags, table: tuple[tuple[str, str, frozenset[str]], ...]) -> set[str]:
    return {
        layer
        for layer, key, values in table
        if key in tags and (tags[key] in values if values else tags[key] != "no")
    }


def _emitter(tags: Tags) -> str | None:
    railway = tags.get("railway")
    if railway in ("rail", "light_rail", "narrow_gauge"):
        return "rail"
    if railway == "tram":
        return "tram"
    if tags.get("motor_vehicle") == "no":
        return None
    highway = tags.get("highway", "").removesuffix("_link")
    highway = {"road": "unclassified", "busway": "tertiary"}.get(highway, highway)
    return highway if highway in EMITTERS else None
