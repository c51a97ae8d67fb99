"""Reads one OSM file with pyosmium into an `Extract`: nodes, ways, areas, in whatever order they come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import osmium
import shapely

from geo.errors import BadGraph
from geo.extract import Extract, Position, wants_way
from geo.surroundings import AREA_KEYS

FORMATS = (".osm", ".osm.gz", ".osm.bz2", ".osm.pbf")


def read_extract(path: Path, index: int = 0) -> Extract:
    """What the graph needs of an OSM file; `index` is its place among the imported files.

    Raises BadGraph for a file that is missing, of another format, broken or cut off.
    """
    if not path.name.endswith(FORMATS):
        raise BadGraph(f"{path} is not named like an OSM file; expected one of *{', *'.join(FORMATS)}")
    extract = Extract(index, _describe(path))
    try:
        outlines = _outline_tags(path)
        _read_all(path, extract, outlines)
    except (RuntimeError, ValueError) as error:  # libosmium's errors, each format has its own
        raise BadGraph(f"{path} cannot be read as OSM data: {_sentence(error)}") from error
    return extract


def _describe(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"file": path.name, "bytes": path.stat().st_size, "sha256": digest}
    except OSError as error:
        raise BadGraph(f"cannot read {path}: {error.strerror}") from error


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _outline_tags(path: Path) -> dict[int, dict[str, str]]:
    """Tags of multipolygon relations by the id of each outer way.

    A square is often mapped so: its outline carries no tags of its own. A lake or park that the
    extract cuts cannot become an area, but its bank is still there as a line.
    """
    outlines: dict[int, dict[str, str]] = {}
    for relation in osmium.FileProcessor(str(path), osmium.osm.RELATION):
        tags = _tags(relation)
        if isinstance(relation, osmium.osm.Relation) and tags.pop("type", None) == "multipolygon" and tags:
            for member in relation.members:
                if member.type == "w" and member.role in ("outer", ""):
                    outlines.setdefault(member.ref, {}).update(tags)
    return outlines


def _read_all(path: Path, extract: Extract, outlines: Mapping[int, Mapping[str, str]]) -> None:
    # all nodes first: in files from Overpass ways may come before the nodes they use
    positions = osmium.index.create_map("flex_mem")
    locate = osmium.NodeLocationsForWays(positions)
    locate.ignore_errors()
    with osmium.io.Reader(str(path), osmium.osm.NODE) as reader:
        osmium.apply(reader, locate)
    to_wkb = osmium.geom.WKBFactory()
    tagged_nodes = osmium.filter.EmptyTagFilter()
    tagged_nodes.enable_for(osmium.osm.NODE)
    area_keys = osmium.filter.KeyFilter(*AREA_KEYS)
    processor = osmium.FileProcessor(str(path))
    processor.with_locations(positions)  # type: ignore[arg-type]  # its annotation forgets tables
    processor.with_areas(area_keys).with_filter(tagged_nodes)
    for item in processor:
        if isinstance(item, osmium.osm.Node):
            if item.location.valid():
                extract.add_node(item.id, item.lat, item.lon, _tags(item))
        elif isinstance(item, osmium.osm.Way):
            tags = _tags(item)
            if not ("highway" in tags or "railway" in tags):
                tags = {**outlines.get(item.id, {}), **tags}
            if wants_way(tags):
                refs = [ref.ref for ref in item.nodes]
                extract.add_way(item.id, refs, [_position(ref) for ref in item.nodes], tags)
        elif isinstance(item, osmium.osm.Area):
            tags = _tags(item)
            if any(key in tags for key in AREA_KEYS):
                try:
                    geometry = shapely.from_wkb(bytes.fromhex(to_wkb.create_multipolygon(item)))
                except (RuntimeError, shapely.errors.ShapelyError):
                    continue  # an outline that crosses itself: mapped wrongly, its lines still count
                extract.add_area(geometry, tags)


def _tags(item: Any) -> dict[str, str]:
    return {tag.k: tag.v for tag in item.tags}


def _position(ref: Any) -> Position | None:
    location = ref.location
    return (location.lat, location.lon) if location.valid() else None
