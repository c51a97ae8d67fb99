"""What planning clients send, as schemas: OSRM's query, Valhalla's body, an isochrone's query."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.planning.requests import MOST_PLACES, Directions, Language, Lat, Lon, Point, Taste
from geo.errors import BadInput
from geo.polyline import decode6

_PAIR = re.compile(r"(-?\d{1,3}(?:\.\d{1,17})?),(-?\d{1,3}(?:\.\d{1,17})?)")
_POLYLINE = re.compile(r"polyline(6?)\((.*)\)", re.DOTALL)
_ALL = ["distance", "duration", "speed"]


class OsrmPath(msgspec.Struct, frozen=True):
    """What stands in the address of an OSRM route request."""

    coordinates: Annotated[
        str,
        Meta(
            description="lon,lat;lon,lat… (2 to 25), or polyline(…), polyline6(…)",
            examples=["12.5713,55.6839;12.5683,55.6761"],
        ),
    ]


class OsrmQuery(msgspec.Struct, frozen=True):
    """The options of an OSRM route request that a walker needs; others are passed over."""

    alternatives: Annotated[str, Meta(pattern="^(true|false|[0-9])$")] = "false"
    steps: Literal["true", "false"] = "false"
    annotations: Annotated[str, Meta(pattern="^[a-z,]{1,80}$")] = "false"
    geometries: Literal["polyline", "polyline6", "geojson"] = "polyline"
    overview: Literal["simplified", "full", "false"] = "simplified"
    language: Language = "en"
    taste: Annotated[str, Meta(max_length=1_000, description="Such as noise=1,green=-2; not of OSRM")] = ""


class ValhallaLocation(msgspec.Struct, frozen=True):
    """A place; at a break a leg ends."""

    lat: Lat
    lon: Lon
    type: Literal["break", "through", "via", "break_through"] = "break"


class ValhallaOptions(msgspec.Struct, frozen=True):
    """How directions are written."""

    language: Language | None = None
    units: Literal["kilometers", "km", "miles", "mi"] | None = None


class ValhallaFilters(msgspec.Struct, frozen=True):
    """What else is asked for: attributes that begin with shape_attributes become annotations."""

    attributes: list[str] = []
    action: Literal["include", "exclude"] = "exclude"


class ValhallaPedestrian(msgspec.Struct, frozen=True):
    """The taste is our own; Valhalla's options for people on foot are passed over."""

    taste: Taste | None = None


class ValhallaCosting(msgspec.Struct, frozen=True):
    """Options by costing."""

    pedestrian: ValhallaPedestrian | None = None


class ValhallaBody(msgspec.Struct, frozen=True):
    """The fields of a Valhalla route request that a walker needs; others are passed over."""

    locations: Annotated[list[ValhallaLocation], Meta(min_length=2, max_length=MOST_PLACES)]
    costing: Literal["pedestrian"]
    format: Literal["osrm"]
    language: Language | None = None
    units: Literal["kilometers", "km", "miles", "mi"] | None = None
    directions_options: ValhallaOptions | None = None
    costing_options: ValhallaCosting | None = None
    filters: ValhallaFilters | None = None
    alternates: Annotated[int, Meta(ge=0, le=9)] = 0
    shape_format: Literal["polyline6", "polyline5", "geojson"] = "polyline6"
    banner_instructions: bool = False
    voice_instructions: bool = False


class IsochroneQuery(msgspec.Struct, frozen=True):
    """Where from, and how long."""

    lat: Lat
    lon: Lon
    duration_s: Annotated[float, Meta(ge=60.0, le=7_200.0)]


def osrm_directions(coordinates: str, query: OsrmQuery) -> Directions:
    """Raises BadInput for coordinates or a taste that cannot be read."""
    places = _places(coordinates.removesuffix(".json"))
    wanted = query.annotations.split(",")
    return Directions(
        places=places,
        stops=[True] * len(places),
        alternatives={"true": 2, "false": 0}.get(query.alternatives) or _count(query.alternatives),
        geometries=query.geometries,
        overview=query.overview,
        steps=query.steps == "true",
        annotations=_ALL if "true" in wanted else [name for name in _ALL if name in wanted],
        language=query.language,
        taste=_taste(query.taste),
    )


def valhalla_directions(body: ValhallaBody) -> Directions:
    """The same for Valhalla's body."""
    options = body.directions_options or ValhallaOptions()
    pedestrian = (body.costing_options or ValhallaCosting()).pedestrian or ValhallaPedestrian()
    filters = body.filters or ValhallaFilters()
    annotated = filters.action == "include" and any(
        name.startswith("shape_attributes") for name in filters.attributes
    )
    geometries: Any = {"polyline5": "polyline"}.get(body.shape_format, body.shape_format)
    return Directions(
        places=[Point(one.lat, one.lon) for one in body.locations],
        stops=[one.type in ("break", "break_through") for one in body.locations],
        alternatives=body.alternates,
        geometries=geometries,
        annotations=_ALL if annotated else [],
        language=body.language or options.language or "en",
        spoken=body.voice_instructions,
        shown=body.banner_instructions,
        taste=pedestrian.taste or {},
    )


def _count(text: str) -> int:
    """How many alternatives besides the best way; OSRM's number is of these as well."""
    return int(text) if text.isdigit() else 0


def _places(text: str) -> list[Point]:
    line = _POLYLINE.fullmatch(text)
    if line is not None:
        scale = 1.0 if line[1] else 10.0  # five decimals read as six are a tenth
        lat, lon = decode6(line[2])
        pairs = list(zip((lat * scale).tolist(), (lon * scale).tolist(), strict=True))
    else:
        pairs = []
        for pair in text.split(";"):
            found = _PAIR.fullmatch(pair)
            if found is None:
                raise BadInput(f"{pair[:40]!r} is no place; coordinates are lon,lat;lon,lat in degrees")
            pairs.append((float(found[2]), float(found[1])))
    if not 2 <= len(pairs) <= MOST_PLACES:
        raise BadInput(f"a route has 2 to {MOST_PLACES} places, these are {len(pairs)}")
    for lat_deg, lon_deg in pairs:
        if abs(lat_deg) > 90.0 or abs(lon_deg) > 180.0:
            raise BadInput(f"{lon_deg},{lat_deg} is off the Earth; coordinates are lon,lat in degrees")
    return [Point(*pair) for pair in pairs]


def _taste(text: str) -> dict[str, float]:
    taste: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, weight = part.partition("=")
        try:
            taste[name.strip()] = float(weight)
        except ValueError as error:
            raise BadInput(f"{part[:40]!r} is no taste; write factor=weight,factor=weight") from error
    return taste
