"""What can be asked of a planner: whatever passes these schemas is finite, in range and of the right type."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Lat = Annotated[float, Meta(ge=-90.0, le=90.0)]
Lon = Annotated[float, Meta(ge=-180.0, le=180.0)]
Seconds = Annotated[float, Meta(ge=60.0, le=86_400.0)]
Metres = Annotated[float, Meta(ge=100.0, le=100_000.0)]
Weight = Annotated[float, Meta(ge=-10.0, le=10.0)]
Taste = Annotated[dict[str, Weight], Meta(max_length=64, description="Weight by factor; below 0 is liked")]
ProposalId = Annotated[str, Meta(min_length=1, max_length=8_192)]
Language = Annotated[str, Meta(min_length=2, max_length=35, description="Such as en, ru or de-AT")]

MOST_PROPOSALS = 10
MOST_AVOIDED = 20
MOST_PLACES = 25


class Point(msgspec.Struct, frozen=True):
    """A place; degrees, WGS 84."""

    lat: Lat
    lon: Lon


class RoutesBody(msgspec.Struct, frozen=True):
    """Body of POST /v1/routes: with `propose` it is only asked, without it a trip begins."""

    kind: Annotated[Literal["loop", "to"], Meta(description="Back to the start, or to a destination")]
    lat: Lat
    lon: Lon
    dest_lat: Lat | None = None
    dest_lon: Lon | None = None
    duration_s: Seconds | None = None
    length_m: Metres | None = None
    taste: Taste | None = None
    propose: Annotated[int, Meta(ge=1, le=MOST_PROPOSALS)] | None = None
    avoid: Annotated[list[ProposalId], Meta(max_length=MOST_AVOIDED)] = []
    proposal: ProposalId | None = None

    def __post_init__(self) -> None:
        if self.kind == "loop" and self.duration_s is None and self.length_m is None:
            raise ValueError("a loop needs a duration_s or a length_m")
        if (self.dest_lat is None) != (self.dest_lon is None):
            raise ValueError("a destination needs both dest_lat and dest_lon")
        if self.kind == "to" and self.dest_lat is None:
            raise ValueError("a route of kind to needs dest_lat and dest_lon")


class Propose(msgspec.Struct, frozen=True, tag=True):
    """Several proposals for a wish."""

    wish: RoutesBody


class Directions(msgspec.Struct, frozen=True, tag=True):
    """A way through places, as an OSRM route service answers.

    stops: of each place whether a leg ends there; at the first and the last one always. alternatives: so many
    more than the best way, between two places only.
    """

    places: list[Point]
    stops: list[bool]
    alternatives: int = 0
    geometries: Literal["polyline", "polyline6", "geojson"] = "polyline6"
    overview: Literal["full", "simplified", "false"] = "full"
    steps: bool = True
    annotations: list[str] = []
    language: str = "en"
    spoken: bool = True
    shown: bool = True
    taste: dict[str, float] = {}


class Isochrone(msgspec.Struct, frozen=True, tag=True):
    """The ground that can be walked to."""

    lat: float
    lon: float
    duration_s: float


Request = Propose | Directions | Isochrone


class Proposal(msgspec.Struct, frozen=True):
    """One way, and why it is good."""

    id: Annotated[str, Meta(description="Holds the way itself; good for avoid, proposal and ratings")]
    geometry: Annotated[str, Meta(description="Polyline with six decimals")]
    length_m: float
    duration_s: Annotated[float, Meta(description="Honest walking time")]
    felt_s: Annotated[float, Meta(description="The time as long as it feels to this taste")]
    overlap: Annotated[float, Meta(description="Share that is also on a way to be avoided, 0..1")]
    scores: Annotated[dict[str, float], Meta(description="Mean of each factor along the way, 0..1")]
    usual: Annotated[dict[str, float], Meta(description="The same of the quickest way, or around")]
    reasons: Annotated[list[str], Meta(description="Codes, such as less_noise or but_more_steps")]
    words: Annotated[dict[str, list[str]], Meta(description="By language: a phrase for each of the reasons")]
    via: Annotated[list[str], Meta(description="The streets followed furthest, in walking order")]


class Proposals(msgspec.Struct, frozen=True):
    """The proposals, the best first."""

    proposals: list[Proposal]
    conditions_version: Annotated[int, Meta(description="Offset in edge-conditions that they reckon with")]
