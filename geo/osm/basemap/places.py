"""Makes the index of places that can be searched: streets, squares, parks, sights and stops."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely

from geo.geodesy import METRES_PER_DEG
from geo.osm.basemap.features import Named
from geo.osm.basemap.name_keys import name_key
from geo.osm.basemap.schema import Tags

PLACES = "places.sqlite"
KIND_WORDS: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("kind_words.json").read_text("utf-8")
)
_JOIN_M = 250.0  # pieces of one name that are nearer than this are one place
_WAYS = {
    **dict.fromkeys(("motorway", "primary", "secondary", "tertiary", "street", "service"), "street"),
    **dict.fromkeys(("path", "footway", "steps", "cycleway", "pier"), "path"), "pedestrian": "street",
}  # fmt: skip
_WEIGHTS = {
    "city": 1.0, "town": 0.9, "village": 0.8, "suburb": 0.8, "station": 0.7, "quarter": 0.6, "island": 0.6,
    "park": 0.6, "square": 0.6, "museum": 0.6, "castle": 0.6, "zoo": 0.6, "attraction": 0.5, "street": 0.4,
}  # fmt: skip
_WEIGHT = 0.3
_OTHER_NAMES = ("alt_name", "short_name", "official_name", "loc_name", "old_name", "int_name")
_SCHEMA = """
PRAGMA page_size = 4096;
CREATE TABLE places (
    id INTEGER PRIMARY KEY, kind TEXT, name TEXT, name_en TEXT, name_ru TEXT, lat REAL, lon REAL, weight REAL,
    keys TEXT -- what it may be called, a line each, see name_key
);
CREATE VIRTUAL TABLE words USING fts5(keys, kind, content='', tokenize='unicode61', prefix='1 2 3');
CREATE VIRTUAL TABLE letters USING fts5(keys, content='', tokenize='trigram');
"""


class Place(NamedTuple):
    """Something with a name, or that is of use without one (`name` is empty)."""

    kind: str
    name: str
    names: dict[str, str]  # name_en and name_ru where they differ
    keys: tuple[str, ...]
    lat: float
    lon: float
    weight: float


def write_places(path: Path, named: Sequence[Named]) -> None:
    """Write the index; the more important places come first."""
    places = sorted(join_places(named), key=lambda place: (-place.weight, place.name, place.lat, place.lon))
    database = sqlite3.connect(path)
    with database:
        database.executescript(_SCHEMA)
        database.executemany(
            "INSERT INTO places VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (number, one.kind, one.name, one.names.get("name_en"), one.names.get("name_ru"),
                 one.lat, one.lon, one.weight, "\n".join(one.keys))
                for number, one in enumerate(places, 1)
            ),
        )  # fmt: skip
        keys = [(number, "\n".join(one.keys), kind_key(one.kind)) for number, one in enumerate(places, 1)]
        database.executemany("INSERT INTO words(rowid, keys, kind) VALUES (?, ?, ?)", keys)
        database.executemany("INSERT INTO letters(rowid, keys) VALUES (?, ?)", (row[:2] for row in keys))
        for table in ("words", "letters"):
            database.execute(f"INSERT INTO {table}({table}) VALUES ('optimize')")
    database.execute("VACUUM")
    database.close()


def kind_key(kind: str) -> str:
    """What a kind is called in all languages, as `name_key` has it."""
    return name_key(" ".join(KIND_WORDS.get(kind, {}).values()))


def join_places(named: Sequence[Named]) -> list[Place]:
    """One place for all pieces of a street and for all points of one thing."""
    rows = [one for one in named if one.kind in _WAYS or one.kind in KIND_WORDS]
    if not rows:
        return []
    flat, scale = _flattened([one.geometry for one in rows])
    group = _groups(rows, flat)
    members: dict[int, list[int]] = {}
    for row, first in enumerate(group):
        members.setdefault(first, []).append(row)
    return [_place([rows[row] for row in found], flat[found], scale) for found in members.values()]


def _flattened(geometries: Sequence[Any]) -> tuple[Any, float]:
    """Geometries in metres, more or less: an extract is small."""
    south, north = shapely.total_bounds(geometries)[[1, 3]]
    scale = float(np.cos(np.radians(0.5 * (south + north))))
    to_metres = np.array([scale, 1.0]) * METRES_PER_DEG
    return shapely.transform(np.array(geometries, object), lambda points: points * to_metres), scale


def _groups(rows: Sequence[Named], flat: Any) -> list[int]:
    """For each row the first row of the same place: the same name and kind, near each other."""
    first = list(range(len(rows)))

    def root(row: int) -> int:
        while first[row] != row:
            first[row] = first[first[row]]
            row = first[row]
        return row

    together: dict[tuple[str, str], list[int]] = {}
    for row, one in enumerate(rows):
        family = "street" if one.kind in _WAYS or one.kind == "square" else one.kind
        if "name" in one.tags:
            together.setdefault((family, one.tags["name"]), []).append(row)
    for members in together.values():
        tree = shapely.STRtree(flat[members])
        for one, other in tree.query(flat[members], predicate="dwithin", distance=_JOIN_M).T.tolist():
            low, high = sorted((root(members[one]), root(members[other])))
            first[high] = low
    return [root(row) for row in range(len(rows))]


def _place(pieces: Sequence[Named], flat: Any, scale: float) -> Place:
    middle = shapely.union_all(flat)
    at = shapely.shortest_line(middle, middle.centroid).coords[0]
    kinds = {_WAYS.get(piece.kind, piece.kind) for piece in pieces}
    kind = next((kind for kind in ("square", "street") if kind in kinds), pieces[0].kind)
    kind = _WAYS.get(kind, kind)
    weight = _WEIGHTS.get(kind, _WEIGHT)
    if kind == "street":
        weight += min(0.2, float(shapely.length(middle)) / 10_000)
    tags = pieces[0].tags
    keys = (name_key(name) for piece in pieces for name in _names(piece.tags))
    return Place(
        kind, tags.get("name", ""),
        {f"name_{language}": text for language in ("en", "ru") if (text := tags.get(f"name:{language}"))},
        tuple(dict.fromkeys(key for key in keys if key)),
        at[1] / METRES_PER_DEG, at[0] / METRES_PER_DEG / scale, round(weight, 3),
    )  # fmt: skip


def _names(tags: Tags) -> Iterable[str]:
    yield from tags.get("name", "").split(";")
    for key in _OTHER_NAMES:
        yield from tags.get(key, "").split(";")
    for key, name in tags.items():
        if key.startswith("name:") and len(key) <= 8:
            yield name
