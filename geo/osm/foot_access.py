"""Where people may walk, as OSM tags say it: ways, their directions, and nodes that stop people.

Defaults follow the OSM wiki, "OSM tags for routing/Access restrictions"; explicit tags win over
them, the more special one (`foot`) over the more general one (`access`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Tags = Mapping[str, str]

# The code of a class is its place in this table; only ever append to it.
ROAD_CLASSES = (
    "footway", "sidewalk", "crossing", "path", "pedestrian", "steps", "escalator", "corridor", "platform",
    "pier", "living_street", "residential", "service", "track", "cycleway", "bridleway", "unclassified",
    "road", "tertiary", "secondary", "primary", "trunk", "ferry",
)  # fmt: skip

CLASS_CODE = {name: code for code, name in enumerate(ROAD_CLASSES)}

# walkable unless a tag says otherwise
_OPEN = frozenset({
    "footway", "path", "pedestrian", "steps", "corridor", "platform", "living_street", "residential",
    "service", "track", "unclassified", "road", "tertiary", "secondary", "primary", "elevator",
})  # fmt: skip
# walkable only where a tag says so: made for others (bicycles, horses) or for fast motor traffic
_ON_DEMAND = frozenset({"cycleway", "bridleway", "trunk", "busway"})
_BUSY = frozenset({"secondary", "primary", "trunk"})
_PAVED_ASIDE = frozenset({"both", "left", "right", "yes"})
_ALLOWED = frozenset({"yes", "designated", "permissive", "official", "destination", "customers", "public"})
_FORBIDDEN = frozenset({
    "no", "private", "use_sidepath", "restricted", "military", "emergency", "permit", "residents",
    "delivery", "agricultural", "forestry", "agricultural;forestry", "employees", "staff",
})  # fmt: skip
_PURPOSES = frozenset({"delivery", "agricultural", "forestry", "agricultural;forestry"})  # of vehicles
# barriers on a node that people on foot do not get over; gates, stiles, bollards, kerbs ... they do
_STOPPING_BARRIERS = frozenset({
    "fence", "wall", "hedge", "city_wall", "retaining_wall", "guard_rail", "wire_fence", "ditch",
})  # fmt: skip
# classes on which `oneway` is about people on foot, because nobody else uses them
_FOOT_ONLY = frozenset({"footway", "steps", "corridor", "elevator"})


class FootAccess(NamedTuple):
    """How a way may be walked: along its direction, against it, and as which of ROAD_CLASSES."""

    forward: bool
    backward: bool
    road_class: str


NO_ACCESS = FootAccess(False, False, "road")


def way_access(tags: Tags, *, granted: bool = False) -> FootAccess:
    """How people on foot may use a way with these tags; `granted`: at some hours, whatever they say."""
    road_class = _road_class(tags)
    if road_class is None or not (granted or _allowed(tags, road_class)):
        return NO_ACCESS
    forward, backward = _directions(tags)
    return FootAccess(forward, backward, road_class)


def node_stops(tags: Tags) -> bool:
    """Whether a node with these tags stops people who walk along a way through it."""
    barrier = tags.get("barrier")
    if barrier is None or barrier == "no":
        return False
    explicit = explicit_access(tags)
    if explicit is not None:
        return not explicit
    return barrier in _STOPPING_BARRIERS or tags.get("locked") == "yes"


def is_area(tags: Tags, *, multipolygon: bool = False) -> bool:
    """Whether a closed way or a multipolygon with these tags is an area that people cross, if they may."""
    if tags.get("area") == "no" or _road_class(tags) is None:
        return False
    return multipolygon or tags.get("area") == "yes" or "highway" not in tags


def is_wall(tags: Tags) -> bool:
    """Whether a way with these tags is a line that people on foot do not get over."""
    return tags.get("barrier") in _STOPPING_BARRIERS


def is_obstacle(tags: Tags) -> bool:
    """Whether an area with these tags is something that people walk round: a house, a pool, a fountain."""
    if tags.get("layer", "0") != "0" or tags.get("location") in ("underground", "roof", "rooftop"):
        return False
    house = tags.get("building", "no")
    if house != "no":
        return house not in ("roof", "carport") and tags.get("building:min_level", "0") == "0"
    return tags.get("natural") == "water" or tags.get("amenity") == "fountain"


def level_of(tags: Mapping[str, str]) -> tuple[str, str]:
    layer = tags.get("layer")
    if layer is None:
        layer = "1" if tags.get("bridge", "no") != "no" else "0"
        layer = "-1" if tags.get("tunnel", "no") not in ("no", "building_passage") else layer
    return layer, tags.get("level", "0")


def is_allowed_value(value: str | None) -> bool:
    """Whether an access value lets people in."""
    return value in _ALLOWED


def is_forbidden_value(value: str | None) -> bool:
    """Whether an access value keeps people out."""
    return value in _FORBIDDEN


def _road_class(tags: Tags) -> str | None:
    highway = tags.get("highway", "").removesuffix("_link")
    if highway == "footway":
        kind = tags.get("footway")
        return kind if kind in ("sidewalk", "crossing") else "footway"
    if highway == "steps" and tags.get("conveying", "no") != "no":
        return "escalator"
    if highway == "elevator":
        return "corridor"
    if highway == "busway":
        return "service"
    if highway in _OPEN or highway in _ON_DEMAND:
        return highway
    if highway:
        return None  # motorway, construction, proposed, raceway, services, ...
    if tags.get("railway") == "platform" or tags.get("public_transport") == "platform":
        return "platform"
    if tags.get("man_made") == "pier":
        return "pier"
    if tags.get("route") == "ferry":
        return "ferry"
    return None


def _allowed(tags: Tags, road_class: str) -> bool:
    explicit = explicit_access(tags)
    if explicit is not None:
        return explicit
    if tags.get("motorroad") == "yes":
        return False
    sidewalk = tags.get("sidewalk", tags.get("sidewalk:both", ""))
    if road_class in _BUSY and sidewalk == "separate":
        return False  # its pavements are ways of their own, and nobody walks on the carriageway
    if road_class == "ferry":
        return False  # only with foot=yes
    if tags.get("highway", "").removesuffix("_link") in _ON_DEMAND:
        return sidewalk in _PAVED_ASIDE
    return True


def explicit_access(tags: Tags) -> bool | None:
    """What `foot`, else `access`, says; None where neither says anything."""
    for key in ("foot", "access"):
        value = tags.get(key)
        if value in _ALLOWED:
            # access=yes on a motorroad or trunk does not mean people on foot
            return True if key == "foot" else None
        if value in _FORBIDDEN:
            # a pedestrian street is there for people on foot: what it is barred to is vehicles
            return (
                None
                if key == "access" and tags.get("highway") == "pedestrian" and value in _PURPOSES
                else False
            )
    return None


def _directions(tags: Tags) -> tuple[bool, bool]:
    value = tags.get("oneway:foot") or tags.get("foot:oneway")
    if value is None and tags.get("highway") in _FOOT_ONLY:
        value = {"forward": "yes", "backward": "-1"}.get(tags.get("conveying", "")) or tags.get("oneway")
    if tags.get("foot:backward") == "no" or value in ("yes", "true", "1"):
        return True, False
    if tags.get("foot:forward") == "no" or value in ("-1", "reverse"):
        return False, True
    return True, True
