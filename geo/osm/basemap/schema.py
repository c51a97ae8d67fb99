"""What of OpenStreetMap is on the base map: which tags make which class of which layer, from which zoom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Tags = Mapping[str, str]
Values = frozenset[str]

MIN_ZOOM, MAX_ZOOM = 10, 15  # the map is drawn from the tiles of MAX_ZOOM at every closer zoom


class Kind(NamedTuple):
    """A class of a layer, and the first zoom that shows it."""

    layer: str
    name: str
    min_zoom: int


class _Rule(NamedTuple):
    kind: Kind
    key: str
    values: Values  # none: any but "no"


def _rules(layer: str, *rows: tuple[str, int, str, str]) -> tuple[_Rule, ...]:
    return tuple(
        _Rule(Kind(layer, name, min_zoom), key, frozenset(values.split()))
        for name, min_zoom, key, values in rows
    )


# of the rules of a layer the first that fits counts
_GROUND = _rules(
    "ground",
    ("pier", 13, "man_made", "pier breakwater groyne"),
    ("land", 10, "natural", "land"),
    ("beach", 12, "natural", "beach sand shingle"),
    ("rock", 13, "natural", "bare_rock scree rock"),
    ("wood", 10, "natural", "wood"),
    ("wood", 10, "landuse", "forest"),
    ("wetland", 12, "natural", "wetland"),
    ("cemetery", 12, "landuse", "cemetery"),
    ("cemetery", 12, "amenity", "grave_yard"),
    ("pitch", 13, "leisure", "pitch track"),
    ("playground", 13, "leisure", "playground"),
    ("park", 11, "leisure", "park garden nature_reserve common dog_park"),
    ("park", 11, "landuse", "village_green recreation_ground"),
    ("allotments", 12, "landuse", "allotments orchard vineyard"),
    ("grass", 12, "landuse", "grass meadow flowerbed farmland greenfield"),
    ("grass", 12, "natural", "grassland scrub heath shrubbery fell"),
    ("grass", 12, "leisure", "golf_course miniature_golf"),
    ("square", 13, "place", "square"),
    ("industrial", 12, "landuse", "industrial railway port harbour"),
)  # fmt: skip
_WATER = _rules(
    "water",
    ("water", 10, "natural", "water bay"),
    ("water", 10, "waterway", "riverbank dock river canal"),
    ("water", 11, "landuse", "basin reservoir"),
    ("pool", 14, "leisure", "swimming_pool"),
    ("fountain", 14, "amenity", "fountain"),
)
_BUILDING = _rules("buildings", ("building", 14, "building", ""))
_WATERWAYS = _rules(
    "waterways",
    ("river", 11, "waterway", "river canal"),
    ("stream", 13, "waterway", "stream ditch drain"),
)
_RAILS = _rules(
    "rails",
    ("rail", 11, "railway", "rail narrow_gauge"),
    ("light_rail", 12, "railway", "light_rail subway funicular monorail"),
    ("tram", 14, "railway", "tram"),
)
_ROADS = _rules(
    "roads",
    ("motorway", 10, "highway", "motorway motorway_link"),
    ("primary", 10, "highway", "trunk primary trunk_link primary_link"),
    ("secondary", 11, "highway", "secondary secondary_link"),
    ("tertiary", 12, "highway", "tertiary tertiary_link"),
    ("street", 13, "highway", "residential unclassified living_street road busway"),
    ("service", 14, "highway", "service"),
    ("pedestrian", 13, "highway", "pedestrian"),
    ("path", 13, "highway", "path track bridleway"),
    ("footway", 14, "highway", "footway corridor platform"),
    ("cycleway", 14, "highway", "cycleway"),
    ("steps", 14, "highway", "steps"),
    ("ferry", 11, "route", "ferry"),
    ("pier", 13, "man_made", "pier"),
)  # fmt: skip
_PLACES = _rules(
    "places",
    ("city", 10, "place", "city"),
    ("town", 10, "place", "town"),
    ("village", 11, "place", "village hamlet"),
    ("suburb", 11, "place", "suburb borough"),
    ("quarter", 13, "place", "quarter neighbourhood"),
    ("island", 12, "place", "island islet"),
)
_POIS = _rules(
    "pois",
    ("museum", 13, "tourism", "museum"),
    ("gallery", 14, "tourism", "gallery"),
    ("gallery", 14, "amenity", "arts_centre"),
    ("viewpoint", 13, "tourism", "viewpoint"),
    ("zoo", 13, "tourism", "zoo aquarium theme_park"),
    ("castle", 13, "historic", "castle fort palace citywalls city_gate"),
    ("monument", 14, "historic", "monument"),
    ("ruins", 14, "historic", "ruins archaeological_site"),
    ("lighthouse", 13, "man_made", "lighthouse windmill watermill"),
    ("theatre", 14, "amenity", "theatre planetarium"),
    ("cinema", 14, "amenity", "cinema"),
    ("worship", 14, "amenity", "place_of_worship monastery"),
    ("attraction", 13, "tourism", "attraction"),
    ("station", 13, "railway", "station halt"),
    ("ferry", 14, "amenity", "ferry_terminal"),
    ("market", 14, "amenity", "marketplace"),
    ("library", 14, "amenity", "library"),
    ("townhall", 14, "amenity", "townhall"),
    ("university", 14, "amenity", "university college"),
    ("hospital", 14, "amenity", "hospital"),
    ("fountain", 14, "amenity", "fountain"),
    ("ice_cream", 14, "amenity", "ice_cream"),
    ("cafe", 14, "amenity", "cafe"),
    ("cafe", 14, "shop", "coffee tea"),
    ("bakery", 14, "shop", "bakery pastry"),
    ("restaurant", 15, "amenity", "restaurant food_court biergarten"),
    ("bar", 15, "amenity", "bar pub"),
    ("toilets", 14, "amenity", "toilets"),
    ("water", 14, "amenity", "drinking_water water_point"),
    ("shelter", 15, "amenity", "shelter"),
    ("pharmacy", 15, "amenity", "pharmacy"),
    ("supermarket", 15, "shop", "supermarket"),
    ("hotel", 15, "tourism", "hotel hostel guest_house"),
    ("picnic", 15, "tourism", "picnic_site"),
    ("picnic", 15, "leisure", "picnic_table"),
    ("playground", 14, "leisure", "playground"),
    ("sports", 15, "leisure", "sports_centre stadium swimming_area"),
    ("sauna", 15, "leisure", "sauna"),
    ("marina", 14, "leisure", "marina"),
    ("artwork", 15, "tourism", "artwork"),
    ("memorial", 15, "historic", "memorial wayside_cross wayside_shrine"),
    ("peak", 13, "natural", "peak"),
    ("tram_stop", 15, "railway", "tram_stop"),
    ("subway", 14, "railway", "subway_entrance"),
    ("bus_stop", 15, "highway", "bus_stop"),
    ("bench", 15, "amenity", "bench"),
)  # fmt: skip
_GREEN_NAMES = _rules(
    "pois",
    ("park", 13, "leisure", "park garden nature_reserve common"),
    ("park", 13, "landuse", "village_green recreation_ground"),
    ("wood", 13, "landuse", "forest"),
    ("wood", 13, "natural", "wood"),
    ("cemetery", 14, "landuse", "cemetery"),
    ("beach", 13, "natural", "beach"),
    ("lake", 13, "natural", "water"),
    ("square", 14, "place", "square"),
    ("square", 14, "highway", "pedestrian"),
)
_TREES = _rules("trees", ("tree", 15, "natural", "tree"))

_OF_AREAS = (_GROUND, _WATER, _BUILDING, _POIS)
_OF_LINES = (_ROADS, _RAILS, _WATERWAYS)
_OF_POINTS = (_PLACES, _POIS, _TREES)
# a thing without any of these keys is not on the map
AREA_KEYS = tuple(sorted({rule.key for rules in (*_OF_AREAS, _GREEN_NAMES) for rule in rules}))
LINE_KEYS = tuple(sorted({rule.key for rules in _OF_LINES for rule in rules}))
POINT_KEYS = tuple(sorted({rule.key for rules in _OF_POINTS for rule in rules}))
_NAMELESS = {  # these are of use without a name
    "bench", "water", "toilets", "fountain", "viewpoint", "shelter", "picnic", "playground", "artwork",
    "cafe", "ice_cream", "bakery", "ferry",
}  # fmt: skip


def area_kinds(tags: Tags) -> list[Kind]:
    """Layers in which an area is drawn as an area."""
    if tags.get("location") == "underground" or tags.get("tunnel") in ("yes", "culvert"):
        return []
    found = [kind for rules in (_GROUND, _WATER, _BUILDING) if (kind := _first(rules, tags))]
    if tags.get("building") == "no" or tags.get("indoor") in ("room", "area"):
        found = [kind for kind in found if kind.layer != "buildings"]
    if tags.get("highway") in ("pedestrian", "footway", "living_street"):
        found.append(Kind("ground", "square", 13))
    return found


def line_kind(tags: Tags) -> Kind | None:
    """How a way is drawn as a line."""
    if tags.get("indoor") == "yes":
        return None
    return next((kind for rules in _OF_LINES if (kind := _first(rules, tags))), None)


def point_kinds(tags: Tags) -> list[Kind]:
    """What a node is."""
    found = [kind for rules in (_PLACES, _POIS, _TREES) if (kind := _first(rules, tags))]
    return [kind for kind in found if _is_worth(kind, tags)]


def label_kind(tags: Tags) -> Kind | None:
    """What is written or drawn in the middle of an area."""
    named = _first(_GREEN_NAMES, tags) if "name" in tags else None
    kind = _first(_POIS, tags) or named or _first(_PLACES, tags)
    return kind if kind and _is_worth(kind, tags) else None


def names(tags: Tags) -> dict[str, str]:
    """`name`, and `name_en` and `name_ru` where they differ from it."""
    name = tags.get("name", "")
    found = {"name": name}
    found |= {f"name_{language}": tags.get(f"name:{language}", "") for language in ("en", "ru")}
    return {key: text for key, text in found.items() if text and (key == "name" or text != name)}


def _is_worth(kind: Kind, tags: Tags) -> bool:
    if tags.get("access") in ("no", "private") or tags.get("disused") == "yes":
        return False
    return kind.layer == "trees" or "name" in tags or (kind.layer == "pois" and kind.name in _NAMELESS)


def _first(rules: tuple[_Rule, ...], tags: Tags) -> Kind | None:
    for rule in rules:
        value = tags.get(rule.key)
        if value is not None and (value in rule.values if rule.values else value != "no"):
            return rule.kind
    return None
