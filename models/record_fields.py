"""What a value of a record may be: one small reader a kind of field, used for reading and for writing alike.

A reader takes the field's name and the raw value (as orjson gives it) and returns the value to keep, or
raises BadRecord with one of REASONS. Records attach readers to their fields with `typing.Annotated`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from geo.errors import BadRecord

REASONS = (
    "not_json",
    "not_object",
    "missing_field",
    "bad_type",
    "out_of_range",
    "not_finite",
    "unknown_kind",
    "too_large",
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
EDGE_PATTERN = r"-?[0-9]{1,19}/-?[0-9]{1,19}/-?[0-9]{1,19}"
_KEY = re.compile(rf"(crowd:)?([0-9a-f]{{15}}|{EDGE_PATTERN})")
_CELL = re.compile(r"[0-9a-f]{15}")
_MOST_LISTED = 4096
_GEOMETRY_DEPTH = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}


class Reader(Protocol):
    """One kind of field."""

    def read(self, name: str, raw: Any) -> Any:
        """The value to keep of `raw`; BadRecord if it cannot be kept."""


def shown(raw: object) -> str:
    """A short, printable form of a refused value, for the detail of an error."""
    text = repr(raw)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high` (both included unless `open`), rounded to `digits` when given."""

    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    digits: int | None = None

    def read(self, name: str, raw: Any) -> float:
        if isinstance(raw, bool) or not isinstance(raw, (int, float)):
            raise BadRecord("bad_type", f"{name}: {shown(raw)} is not a number")
        try:
            value = float(raw)
        except OverflowError as error:
            raise BadRecord("not_finite", f"{name}: {shown(raw)} is beyond what a double holds") from error
        if not math.isfinite(value):
            raise BadRecord("not_finite", f"{name}: {value} is not a finite number")
        if not self.low <= value <= self.high or (self.open and value in (self.low, self.high)):
            span = f"{self.low:g}..{self.high:g}" + (", ends excluded" if self.open else "")
            raise BadRecord("out_of_range", f"{name}: {value} is not within {span}")
        return value if self.digits is None else round(value, self.digits)


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`, both included."""

    low: int = 0
    high: int = 2**63 - 1

    def read(self, name: str, raw: Any) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise BadRecord("bad_type", f"{name}: {shown(raw)} is not a whole number")
        if not self.low <= raw <= self.high:
            raise BadRecord("out_of_range", f"{name}: {raw} is not within {self.low}..{self.high}")
        return int(raw)


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def read(self, name: str, raw: Any) -> bool:
        if not isinstance(raw, bool):
            raise BadRecord("bad_type", f"{name}: {shown(raw)} is not true or false")
        return raw


@dataclass(frozen=True)
class Text:
    """A string of at most `most` bytes of UTF-8; not empty and, unless `free`, without control characters."""

    most: int
    free: bool = False
    empty: bool = False

    def read(self, name: str, raw: Any) -> str:
        if not isinstance(raw, str):
            raise BadRecord("bad_type", f"{name}: {shown(raw)} is not a string")
        size = len(raw.encode("utf-8", "surrogatepass"))
        if size > self.most or (size == 0 and not self.empty):
            least = 0 if self.empty else 1
            raise BadRecord("out_of_range", f"{name}: {size} bytes, should be {least}..{self.most}")
        if not self.free and _CONTROL.search(raw):
            raise BadRecord("out_of_range", f"{name}: {shown(raw)} has control characters")
        return raw


@dataclass(frozen=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, name: str, raw: Any) -> str:
        if not isinstance(raw, str):
            raise BadRecord("bad_type", f"{name}: {shown(raw)} is not a string")
        if raw not in self.words:
            raise BadRecord("unknown_kind", f"{name}: {shown(raw)} is none of {', '.join(self.words)}")
        return raw


@dataclass(frozen=True)
class Verdict:
    """`like`, `dislike`, or a whole number of stars 1..5."""

    def read(self, name: str, raw: Any) -> str | int:
        if isinstance(raw, str):
            return OneOf(("like", "dislike")).read(name, raw)
        return Whole(1, 5).read(name, raw)


@dataclass(frozen=True)
class Key:
    """An H3 cell (15 hexadecimal digits, lower case) or an edge id `way/from/to` of three OSM ids.

    Before either may stand `crowd:`, for what the walkers there tell.
    """

    def read(self, name: str, raw: Any) -> str:
        text = Text(72).read(name, raw)
        if not _KEY.fullmatch(text):
            raise BadRecord("out_of_range", f"{name}: {shown(raw)} is neither an H3 cell nor way/from/to")
        return text


@dataclass(frozen=True)
class Cell:
    """An H3 cell: 15 hexadecimal digits, lower case."""

    def read(self, name: str, raw: Any) -> str:
        text = Text(15).read(name, raw)
        if not _CELL.fullmatch(text):
            raise BadRecord("out_of_range", f"{name}: {shown(raw)} is not an H3 cell")
        return text


@dataclass(frozen=True)
class NumberList:
    """An array of numbers (whole ones if `whole`) from `low` to `high`, both included."""

    low: float
    high: float
    whole: bool = False

    def read(self, name: str, raw: Any) -> list[Any]:
        values = _short_array(name, raw)
        if not set(map(type, values)) <= ({int} if self.whole else {int, float}):
            raise BadRecord("bad_type", f"{name}: not all of {shown(raw)} are numbers of the right kind")
        if values and not (
            math.isfinite(sum(values)) and self.low <= min(values) <= max(values) <= self.high
        ):
            raise BadRecord("out_of_range", f"{name}: {shown(raw)} is not within {self.low:g}..{self.high:g}")
        return values


@dataclass(frozen=True)
class TextList:
    """An array of strings that look like `pattern`."""

    pattern: str

    def read(self, name: str, raw: Any) -> list[str]:
        values = _short_array(name, raw)
        if not set(map(type, values)) <= {str}:
            raise BadRecord("bad_type", f"{name}: not all of {shown(raw)} are strings")
        if not re.fullmatch(f"(?:{self.pattern} )*", "".join(value + " " for value in values)):
            raise BadRecord("out_of_range", f"{name}: not all of {shown(raw)} are like {self.pattern}")
        return values


def _short_array(name: str, raw: Any) -> list[Any]:
    if not isinstance(raw, list):
        raise BadRecord("bad_type", f"{name}: {shown(raw)} is not an array")
    if len(raw) > _MOST_LISTED:
        raise BadRecord("out_of_range", f"{name}: {len(raw)} entries, should be {_MOST_LISTED} at most")
    return raw


@dataclass(frozen=True)
class Numbers:
    """An object of at most `most` names to numbers, each read by `each`."""

    each: Number
    most: int = 64

    def read(self, name: str, raw: Any) -> dict[str, float]:
        if not isinstance(raw, Mapping):
            raise BadRecord("bad_type", f"{name}: {shown(raw)} is not an object")
        if len(raw) > self.most:
            raise BadRecord("out_of_range", f"{name}: {len(raw)} entries, should be {self.most} at most")
        label = Text(64)
        return {label.read(f"{name} name", key): self.each.read(f"{name}.{key}", raw[key]) for key in raw}


@dataclass(frozen=True)
class Parts:
    """An object of named parts, each read by its own reader; one that is not there is unknown."""

    readers: Mapping[str, Reader]

    def read(self, name: str, raw: Any) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            raise BadRecord("bad_type", f"{name}: {shown(raw)} is not an object")
        return {
            key: reader.read(f"{name}.{key}", raw[key])
            for key, reader in self.readers.items()
            if raw.get(key) is not None
        }


@dataclass(frozen=True)
class Geometry:
    """A GeoJSON geometry (RFC 7946), positions as [lon, lat, ...]; no GeometryCollection."""

    def read(self, name: str, raw: Any) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            raise BadRecord("bad_type", f"{name}: {shown(raw)} is not an object")
        kind = OneOf(tuple(_GEOMETRY_DEPTH)).read(f"{name}.type", raw.get("type"))
        coordinates = self._nested(f"{name}.coordinates", raw.get("coordinates"), _GEOMETRY_DEPTH[kind])
        return {"type": kind, "coordinates": coordinates}

    def _nested(self, name: str, raw: Any, depth: int) -> list[Any]:
        if not isinstance(raw, (list, tuple)):
            raise BadRecord("bad_type", f"{name}: {shown(raw)} is not an array")
        if len(raw) < (1 if depth else 2):
            raise BadRecord("out_of_range", f"{name}: {shown(raw)} is too short")
        if depth:
            return [self._nested(name, part, depth - 1) for part in raw]
        return [Number(-180, 180).read(name, raw[0]), Number(-90, 90).read(name, raw[1])]
