"""Ways, gates and parks that are open at some hours only, as OSM says it, for the importer.

A rule is "open HOURS" (passable within HOURS only) or "closed HOURS" (not passable within HOURS); HOURS
is an expression of the OSM wiki's "Key:opening_hours/specification". `geo.opening_hours` evaluates it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from geo.graph import I32, Rule
from geo.opening_hours import time_zone_at, understood
from geo.osm.foot_access import explicit_access, is_allowed_value, is_forbidden_value, level_of
from geo.osm.stretches import Stretches, WalkableWay, mileage, points_at

Tags = Mapping[str, str]

_CLAUSE = re.compile(r"([\w:]+)\s*@\s*(\([^()]*(?:\([^()]*\)[^()]*)*\)|[^;]+)")
_TIMED = frozenset({"opening_hours", "foot:conditional", "access:conditional"})
# allowed at some hours: nobody writes so where it is allowed at all others too
_GRANTS = frozenset({"yes", "designated", "permissive", "public", "official"})
_ENCLOSED = {
    "leisure": frozenset({"park", "garden", "playground", "dog_park", "nature_reserve"}),
    "landuse": frozenset({"cemetery"}),
    "amenity": frozenset({"grave_yard"}),
    "tourism": frozenset({"zoo", "theme_park"}),
}
# what is locked with the park around it; streets and their pavements go through
_INSIDE = frozenset({
    "footway", "path", "pedestrian", "steps", "corridor", "service", "track", "cycleway", "bridleway", "pier",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class TimedAccess:
    """`rules` that must all allow it; `grants`: otherwise forbidden, allowed at the hours of the rules."""

    rules: tuple[str, ...] = ()
    grants: bool = False


_ALWAYS = TimedAccess()


@dataclass(slots=True)
class Timetables:
    """Rules by where they were found."""

    gates: dict[int, tuple[str, ...]] = field(default_factory=dict)  # by OSM node
    parks: list[tuple[Any, tuple[str, ...]]] = field(default_factory=list)  # shapely, x = longitude


def way_hours(tags: Tags) -> TimedAccess:
    """When a way with these tags may be walked."""
    if _TIMED.isdisjoint(tags):
        return _ALWAYS
    conditional = _conditional(tags)
    hours = tags.get("opening_hours") if "highway" in tags or "railway" in tags else None
    own = (f"open {hours}",) if hours else ()
    return TimedAccess(_unique(own + conditional.rules), conditional.grants)


def gate_hours(tags: Tags) -> TimedAccess:
    """When a gate or another barrier on a node may be passed; nothing for other nodes."""
    if tags.get("barrier", "no") == "no" or _TIMED.isdisjoint(tags):
        return _ALWAYS
    conditional = _conditional(tags)
    hours = tags.get("opening_hours")
    own = (f"open {hours}",) if hours else ()
    # a gate that is locked, and has hours, is locked outside of them
    unlocked = bool(hours) and explicit_access(tags) is not False
    return TimedAccess(_unique(own + conditional.rules), conditional.grants or unlocked)


def park_hours(tags: Tags) -> tuple[str, ...]:
    """When the ways inside an enclosed area with these tags may be walked."""
    hours = tags.get("opening_hours")
    enclosed = any(tags.get(key) in values for key, values in _ENCLOSED.items())
    return (f"open {hours}",) if hours and enclosed else ()


def _conditional(tags: Tags) -> TimedAccess:
    """What `foot:conditional`, else `access:conditional`, says about hours.

    Clauses about anything but time (weight, a permit) allow nothing; what they forbid is not understood as
    hours later, and dropped then.
    """
    text = tags.get("foot:conditional")
    if text is None:
        if is_allowed_value(tags.get("foot")) or is_forbidden_value(tags.get("foot")):
            return _ALWAYS  # the more special tag wins
        text = tags.get("access:conditional", "")
    clauses = [
        (value, hours.strip().removeprefix("(").removesuffix(")")) for value, hours in _CLAUSE.findall(text)
    ]
    base = explicit_access(tags)
    if base is False:
        # hours of two clauses cannot be joined as text; one is what people write
        open_at = [
            rule
            for value, hours in clauses
            if is_allowed_value(value) and understood(rule := f"open {hours}")
        ]
        return TimedAccess(tuple(open_at[:1]), bool(open_at))
    rules = [f"closed {hours}" for value, hours in clauses if is_forbidden_value(value)]
    if base is None and not any(is_allowed_value(tags.get(key)) for key in ("foot", "access")):
        rules += [f"open {hours}" for value, hours in clauses if value in _GRANTS]
    return TimedAccess(_unique(tuple(rules)))


def _unique(rules: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rules))


def stretch_rules(
    ways: Sequence[WalkableWay], stretches: Stretches, timetables: Sequence[Timetables]
) -> tuple[I32, tuple[Rule, ...], Counter[str]]:
    """Which rule each stretch follows (L,), -1 for none; the rules; and hours that nobody understands.

    Hours that are not understood count as always open.
    """
    found: dict[int, tuple[str, ...]] = {}
    for row, way in enumerate(stretches.way.tolist()):
        if ways[way].rules:
            found[row] = ways[way].rules
    for table in timetables:
        for row, rules in [*_at_gates(stretches, table.gates), *_inside_parks(ways, stretches, table.parks)]:
            found[row] = _unique(found.get(row, ()) + rules)
    unknown: Counter[str] = Counter()
    index = np.full(len(stretches.way), -1, np.int32)
    if not found:
        return index, (), unknown
    rows = np.array(sorted(found))
    lat, lon = points_at(stretches, mileage(stretches), rows, np.full(len(rows), 0.5))
    codes: dict[tuple[object, ...], int] = {}
    table_of: list[Rule] = []
    for row, a, b in zip(rows.tolist(), lat.tolist(), lon.tolist(), strict=True):
        usable = tuple(rule for rule in found[row] if understood(rule))
        unknown.update(rule.partition(" ")[2] for rule in found[row] if rule not in usable)
        if usable:
            # within 0.1 degrees the sun rises and sets within a minute: one rule is enough there
            key = usable, round(a, 1), round(b, 1)
            if key not in codes:
                codes[key] = len(table_of)
                table_of.append(Rule(usable, a, b, time_zone_at(a, b)))
            index[row] = codes[key]
    return index, tuple(table_of), unknown


def _at_gates(
    stretches: Stretches, gates: Mapping[int, tuple[str, ...]]
) -> list[tuple[int, tuple[str, ...]]]:
    """Stretches that a gate shuts: all that end there, of two the shorter one."""
    at: dict[int, list[int]] = {}
    for ends in (stretches.start, stretches.end):
        for row in np.flatnonzero(np.isin(stretches.node_osm[ends], list(gates))).tolist():
            at.setdefault(int(stretches.node_osm[ends[row]]), []).append(row)
    shut = []
    for gate, rows in at.items():
        chosen = [min(rows, key=lambda row: float(stretches.length_m[row]))] if len(rows) == 2 else rows
        shut += [(row, gates[gate]) for row in chosen]
    return shut


def _inside_parks(
    ways: Sequence[WalkableWay], stretches: Stretches, parks: Sequence[tuple[Any, tuple[str, ...]]]
) -> list[tuple[int, tuple[str, ...]]]:
    """Stretches of footways and paths that are inside a park for half of their length."""
    ground = [
        row for row, way in enumerate(stretches.way.tolist())
        if ways[way].road_class in _INSIDE and level_of(ways[way].tags)[0] == "0"
    ] if parks else []  # fmt: skip
    if not ground:
        return []
    points = np.stack([stretches.shape_lon, stretches.shape_lat], axis=1)
    first = stretches.shape_first
    lines = np.array(
        [shapely.LineString(points[first[row] : first[row + 1]]) for row in ground], dtype=object
    )
    tree = shapely.STRtree(lines)
    inside = []
    for park, rules in parks:
        hits = tree.query(park, predicate="intersects")
        share = shapely.length(shapely.intersection(lines[hits], park)) / shapely.length(lines[hits])
        inside += [(ground[hit], rules) for hit in np.sort(hits[share >= 0.5]).tolist()]
    return inside
