"""Proposals for other programs: GeoJSON (RFC 7946) and GPX 1.1, and the `flaneur` object of OSRM answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geo.graph import F64, Graph
from geo.routing.paths import walked_twice_m
from geo.routing.search import path_coordinates
from models.routes.planning import Planned
from models.routes.proposals import Yardstick
from models.routes.reasons import breakdown, via, why
from models.svg import plain

Json = dict[str, object]
ATTRIBUTION = "© OpenStreetMap contributors"
LICENSE_URL = "https://opendatacommons.org/licenses/odbl/1-0/"
_GPX = "http://www.topografix.com/GPX/1/1"
TWICE_FROM_M = 20.0  # what is walked twice is told to people from here on
_DIGITS = 6  # of degrees: a decimetre


@dataclass(frozen=True, eq=False)
class Described:
    """A proposal with all that is said of it in any form."""

    number: int  # 1 is the best
    planned: Planned
    yard: Yardstick
    lat: F64  # (n,) degrees, n >= 2
    lon: F64  # (n,)
    via: tuple[str, ...]
    why: str
    walked_twice_m: float

    @property
    def title(self) -> str:
        return f"Route {self.number}: {amounts(self.planned.length_m, self.planned.duration_s)}"


def describe(graph: Graph, proposals: Sequence[Planned], yard: Yardstick) -> list[Described]:
    """The proposals with their lines and words, numbered from 1 in the order given."""
    found = []
    for number, planned in enumerate(proposals, 1):
        lat, lon = path_coordinates(graph, planned.path)
        if len(lat) == 1:  # a way of 0 m, but a line has two ends
            lat, lon = lat.repeat(2), lon.repeat(2)
        twice_m = walked_twice_m(graph, planned.path)
        streets = tuple(via(graph, planned.path))
        found.append(Described(number, planned, yard, lat, lon, streets, why(planned, yard), twice_m))
    return found


def amounts(length_m: float, duration_s: float) -> str:
    """ "850 m, 11 min" or "2.43 km, 31 min"."""
    length = f"{length_m:.0f} m" if length_m < 1000 else f"{length_m / 1000:.2f} km"
    return f"{length}, {duration_s / 60:.0f} min"


def flaneur_object(one: Described) -> Json:
    """What OSRM has no field for: felt_s is duration_s plus what each factor in `score` adds.

    `usual` is a factor's exposure on what the proposal is compared with. felt_s lies above that sum where a
    stretch is so pleasant that it meets the least multiplier of `geo.routing.costs`.
    """
    planned, quickest = one.planned, one.yard.path
    compared: Json = {"with": "streets_around"}
    if quickest is not None:
        compared = {
            "with": "quickest",
            "length_m": round(quickest.length_m, 1),
            "duration_s": round(quickest.duration_s, 1),
        }
    return {
        "number": one.number,
        "length_m": round(planned.length_m, 1),
        "duration_s": round(planned.duration_s, 1),
        "felt_s": round(planned.impedance, 1),
        "score": {
            row.factor: {
                "weight": round(row.weight, 4),
                "exposure": round(row.exposure, 4),
                "usual": round(row.usual, 4),
                "added_s": round(row.added_s, 1),
            }
            for row in breakdown(planned, one.yard)
        },
        "taste": dict(planned.taste),
        "costs_version": planned.version,
        "walked_twice_m": round(one.walked_twice_m, 1),
        "via": list(one.via),
        "why": one.why,
        "compared": compared,
    }


def geojson(described: Sequence[Described]) -> Json:
    """A FeatureCollection, one LineString a proposal; its properties are the `flaneur` object."""
    features = [
        {
            "type": "Feature",
            "id": one.number,
            "bbox": _box([one]),
            "geometry": {
                "type": "LineString",
                "coordinates": [
                    [round(x, _DIGITS), round(y, _DIGITS)]
                    for x, y in zip(one.lon.tolist(), one.lat.tolist(), strict=True)
                ],
            },
            "properties": {"name": one.title, **flaneur_object(one)},
        }
        for one in described
    ]
    return {
        "type": "FeatureCollection",
        "bbox": _box(described),
        "features": features,
        "attribution": ATTRIBUTION,
    }


def gpx(described: Sequence[Described], name: str) -> str:
    """GPX 1.1, one track a proposal; nobody has walked it yet, so that its points have no times."""
    west, south, east, north = _box(described)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<gpx version="1.1" creator="flaneur" xmlns="{_GPX}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{_GPX} {_GPX}/gpx.xsd">',
        "<metadata>",
        f"<name>{plain(name)}</name>",
        f'<copyright author="OpenStreetMap contributors"><license>{LICENSE_URL}</license></copyright>',
        f'<bounds minlat="{south}" minlon="{west}" maxlat="{north}" maxlon="{east}"/>',
        "</metadata>",
    ]
    for one in described:
        lines += [
            "<trk>",
            f"<name>{plain(one.title)}</name>",
            f"<desc>{plain(_description(one))}</desc>",
            f"<number>{one.number}</number>",
            "<type>walking</type>",
            "<trkseg>",
            *(
                f'<trkpt lat="{lat:.{_DIGITS}f}" lon="{lon:.{_DIGITS}f}"/>'
                for lat, lon in zip(one.lat.tolist(), one.lon.tolist(), strict=True)
            ),
            "</trkseg>",
            "</trk>",
        ]
    return "\n".join([*lines, "</gpx>\n"])


def _description(one: Described) -> str:
    return " ".join([one.why, *([f"Via {', '.join(one.via)}."] if one.via else [])])


def _box(described: Sequence[Described]) -> list[float]:
    """west, south, east, north in degrees."""
    return [
        round(float(value), _DIGITS)
        for value in (
            min(one.lon.min() for one in described),
            min(one.lat.min() for one in described),
            max(one.lon.max() for one in described),
            max(one.lat.max() for one in described),
        )
    ]
