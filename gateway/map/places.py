"""Searches the places that were indexed at the import, by name or by what they are.

First what has all words of the question, each perhaps only begun; then, if that is little, what has most of
its letters in runs of three, so that a slip of the finger still finds. Of that the best by name and nearness.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from geo.errors import BadGraph
from geo.geodesy import METRES_PER_DEG
from geo.osm.basemap.name_keys import latin, name_key, trigrams
from geo.osm.basemap.places import PLACES, kind_key

MAX_LETTERS = 100
_MATCHES = 4000  # looked at for their nearness
_CANDIDATES = 120  # of which so many are compared by name
_ENOUGH = 5  # found by words: nobody mistyped
_MIN_ALIKE = 0.42  # share of runs of letters; less is another name
_NEARNESS, _NEAR_KM = 0.25, 3.0
_IMPORTANCE = 0.15

_COLUMNS = "id, kind, name, name_en, name_ru, lat, lon, weight, keys"
# the alias keeps the full-text table's rowid apart from the join
_FOUND = "SELECT {columns} FROM (SELECT rowid AS found FROM {inner}) JOIN places ON id = found"
_BY_WORDS = _FOUND.format(columns=_COLUMNS, inner="words WHERE words MATCH :match LIMIT :matches")
_BY_LETTERS = _FOUND.format(
    columns=_COLUMNS, inner="letters WHERE letters MATCH :match ORDER BY rank LIMIT :candidates"
)
_NEAREST = (
    " ORDER BY (lat - :lat) * (lat - :lat) + (lon - :lon) * (lon - :lon) * :squeeze, id LIMIT :candidates"
)
_FIRST = " ORDER BY id LIMIT :candidates"  # the more important


class Found(NamedTuple):
    """A place that answers a question; `distance_m` is None where nobody said from where."""

    name: str  # empty for what has none: a fountain, toilets
    names: dict[str, str]  # by language, "en" and "ru", where they differ
    kind: str
    lat: float
    lon: float
    distance_m: float | None
    score: float


class Point(NamedTuple):
    lat: float
    lon: float


class PlaceIndex:
    """The index of one graph; raises BadGraph for one that cannot be read."""

    def __init__(self, path: Path) -> None:
        try:
            self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
            self._database.execute(f"SELECT {_COLUMNS} FROM places LIMIT 1").fetchone()
        except sqlite3.Error as error:
            raise BadGraph(f"{path} is not an index of places ({error}); import the graph again") from error

    def search(self, question: str, near: Point | None, limit: int) -> list[Found]:
        """The places that fit best, the best first; `limit` at most. The question is a key of `name_key`."""
        found: dict[int, Found] = {}
        for asked in dict.fromkeys((question, latin(question))):
            self._look(asked, self._with_words(asked, near), near, found)
            if len(found) < _ENOUGH:
                self._look(asked, self._with_letters(asked, near), near, found)
        return best(found.values(), limit)

    def _look(
        self, asked: str, rows: Iterable[tuple[object, ...]], near: Point | None, found: dict[int, Found]
    ) -> None:
        question = _Question(asked, near)
        for row in rows:
            answer = question.compare(row)
            number = int(str(row[0]))
            if answer is not None and (number not in found or found[number].score < answer.score):
                found[number] = answer

    def _with_words(self, asked: str, near: Point | None) -> list[tuple[object, ...]]:
        return self._rows(_BY_WORDS, [f'"{word}"*' for word in asked.split()], " AND ", near)

    def _with_letters(self, asked: str, near: Point | None) -> list[tuple[object, ...]]:
        runs = sorted({asked[start : start + 3] for start in range(len(asked) - 2)})
        return self._rows(_BY_LETTERS, [f'"{run}"' for run in runs], " OR ", near)

    def _rows(
        self, statement: str, terms: Sequence[str], joined: str, near: Point | None
    ) -> list[tuple[object, ...]]:
        """Rows of the index; a key holds letters, digits and spaces only, so no term can end its quotes."""
        if not terms:
            return []
        values: dict[str, object] = {
            "match": joined.join(terms), "matches": _MATCHES, "candidates": _CANDIDATES
        }  # fmt: skip
        if near is not None:
            values |= {"lat": near.lat, "lon": near.lon, "squeeze": math.cos(math.radians(near.lat)) ** 2}
        order = _FIRST if near is None else _NEAREST
        return self._database.execute(statement + order, values).fetchall()


class _Question:
    """One question, compared with one place after another."""

    def __init__(self, asked: str, near: Point | None) -> None:
        self._asked = asked
        self._words = asked.split()
        self._runs = trigrams(asked)
        self._near = near

    def compare(self, row: Sequence[object]) -> Found | None:
        """The place of a row of the index with its score; None where it is called otherwise."""
        _, kind, name, name_en, name_ru, lat, lon, weight, keys = row
        kind, lat, lon = str(kind), float(str(lat)), float(str(lon))
        fit = self._fit(str(keys).split("\n"), kind)
        if fit is None:
            return None
        away_m = None if self._near is None else _distance_m(self._near, lat, lon)
        score = fit + _IMPORTANCE * float(str(weight))
        if away_m is not None:
            score += _NEARNESS / (1 + away_m / 1000 / _NEAR_KM)
        names = {"en": name_en, "ru": name_ru}
        return Found(
            str(name), {key: str(text) for key, text in names.items() if text}, kind, lat, lon, away_m, score
        )

    def _fit(self, keys: Sequence[str], kind: str) -> float | None:
        """1 for the very name, less for a part of it, least for one that is only spelled alike."""
        best = 0.0
        for key in keys:
            if key == self._asked:
                return 1.0
            if key.startswith(self._asked):
                best = max(best, 0.9)
            elif self._begin(key.split()):
                best = max(best, 0.8)
            elif self._asked in key and len(self._asked) > 2:
                best = max(best, 0.7)
        if best:
            return best
        if self._begin([*kind_key(kind).split(), *(word for key in keys for word in key.split())]):
            return 0.75
        alike = max((self._alike(key) for key in keys), default=0.0)
        return 0.7 * alike if alike >= _MIN_ALIKE else None

    def _begin(self, words: Sequence[str]) -> bool:
        """Whether each word of the question begins one of these."""
        return all(any(word.startswith(begun) for word in words) for begun in self._words)

    def _alike(self, key: str) -> float:
        """The share of runs of letters that both have (Dice's coefficient); of longer names the best part."""
        runs = trigrams(key)
        shared = len(runs & self._runs)
        return 2 * shared / (len(self._runs) + min(len(runs), 1.3 * len(self._runs)))


class PlaceIndexes:
    """The indexes of a deployment, one for each graph that has one."""

    def __init__(self, indexes: Sequence[PlaceIndex]) -> None:
        self._indexes = indexes

    def search(self, text: str, near: Point | None, limit: int) -> list[Found]:
        """The places that fit best in any of the cities; none for a text without a letter or a digit."""
        question = name_key(text[:MAX_LETTERS])[:MAX_LETTERS].strip()
        return best([one for index in self._indexes for one in index.search(question, near, limit)], limit)


def best(found: Iterable[Found], limit: int) -> list[Found]:
    """The first `limit` by score; alike in everything, by name and place."""
    return sorted(found, key=lambda one: (-one.score, one.name, one.lat, one.lon))[:limit]


def open_places(directory: Path) -> PlaceIndexes:
    """The indexes in a deployment's graph directory, that of one graph or one a folder; there may be none."""
    paths = [directory / PLACES] if (directory / PLACES).is_file() else sorted(directory.glob(f"*/{PLACES}"))
    return PlaceIndexes([PlaceIndex(path) for path in paths])


def _distance_m(near: Point, lat: float, lon: float) -> float:
    """Of two places in one city; good enough to sort by."""
    east = (lon - near.lon) * math.cos(math.radians(0.5 * (lat + near.lat)))
    return math.hypot(lat - near.lat, east) * METRES_PER_DEG
