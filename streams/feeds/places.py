"""Reading the places that documents refer to without giving coordinates: stops and situations."""

from __future__ import annotations

import csv
from pathlib import Path

from geo.errors import BadInput
from streams.feeds.common import Geometry, Unusable, number, point
from streams.feeds.fintraffic import places_of


def read_places(path: Path) -> dict[str, Geometry]:
    """Geometry by id from a GTFS stops.txt (CSV), a Fintraffic JSON document, or a directory of the latter.

    Raises BadInput for a file that is neither or cannot be read; stops without coordinates are left out.
    """
    try:
        if path.is_dir():
            found: dict[str, Geometry] = {}
            for file in sorted(path.glob("*.json")):
                found |= places_of(file.read_bytes())
            return found
        if path.suffix in (".json", ".geojson"):
            places = places_of(path.read_bytes())
            if not places:
                raise BadInput(f"{path} has no Fintraffic situation with a geometry")
            return places
        return _stops(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"cannot read places from {path}: {error}") from error


def _stops(path: Path) -> dict[str, Geometry]:
    places: dict[str, Geometry] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        names = rows.fieldnames or []
        if any(name not in names for name in ("stop_id", "stop_lat", "stop_lon")):
            raise BadInput(f"{path} has no columns stop_id, stop_lat and stop_lon: is it a GTFS stops.txt?")
        for row in rows:
            try:
                lat = number(float(row["stop_lat"] or "nan"), "stop_lat", -90.0, 90.0)
                lon = number(float(row["stop_lon"] or "nan"), "stop_lon", -180.0, 180.0)
            except (ValueError, TypeError, Unusable):
                continue
            places[row["stop_id"]] = point(lat, lon)
    return places
