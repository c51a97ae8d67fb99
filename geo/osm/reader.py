"""Reads one OSM file with pyosmium into an `Extract`: nodes, ways, areas, in whatever order they come."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import osmium
import shapely

from geo.errors import BadGraph
from geo.osm.extract import NODE_KEYS, WAY_KEYS, Extract
from geo.osm.foot_access import is_area, is_obstacle
from geo.osm.surroundings import AREA_KEYS
from geo.osm.walkable_areas import Position

_WALKABLE_KEYS = ("highway", "railway", "public_transport", "man_made")
FORMATS = (".osm", ".osm.gz", ".osm.bz2", ".osm.pbf")


def read_extract(path: Path, index: int = 0) -> Extract:
    """What the graph needs of an OSM file; `index` is its place among the imported files.

    Raises BadGraph for a file that is missing, of another format, broken or cut off.
    """
    if not path.name.endswith(FORMATS):
        raise BadGraph(f"{path} is not named like an OSM file; expected one of *{', *'.join(FORMATS)}")
    extract = Extract(index, _describe(path))
    try:
        _read_all(path, extract, _read_relations(path))
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


@dataclass(slots=True)
class _Outlines:
    """The outer ways of multipolygon relations."""

    tags: dict[int, dict[str, str]] = field(default_factory=dict)  # of the relations, by way
    ways: dict[int, list[int]] = field(default_factory=dict)  # by relation
    tagged: set[int] = field(default_factory=set)  # ways that are something on their own


def _read_relations(path: Path) -> _Outlines:
    """Tags of multipolygon relations by the id of each outer way.

    A square is often mapped so: its outline carries no tags of its own. A lake or park that the
    extract cuts cannot become an area, but its bank is still there as a line.
    """
    outlines = _Outlines()
    for relation in osmium.FileProcessor(str(path), osmium.osm.RELATION):
        tags = tags_of(relation)
        if isinstance(relation, osmium.osm.Relation) and tags.pop("type", None) == "multipolygon" and tags:
            for member in relation.members:
                if member.type == "w" and member.role in ("outer", ""):
                    outlines.tags.setdefault(member.ref, {}).update(tags)
                    outlines.ways.setdefault(relation.id, []).append(member.ref)
    return outlines


def located_items(path: Path, node_keys: Sequence[str], area_keys: Sequence[str]) -> Iterator[Any]:
    """The nodes with any of `node_keys`, all ways with places, and the areas with any of `area_keys`."""
    # all nodes first: in files from Overpass ways may come before the nodes they use
    positions = osmium.index.create_map("flex_mem")
    locate = osmium.NodeLocationsForWays(positions)
    locate.ignore_errors()
    with osmium.io.Reader(str(path), osmium.osm.NODE) as reader:
        osmium.apply(reader, locate)
    useful_nodes = osmium.filter.KeyFilter(*node_keys)
    useful_nodes.enable_for(osmium.osm.NODE)
    processor = osmium.FileProcessor(str(path))
    processor.with_locations(positions)  # type: ignore[arg-type]  # its annotation forgets tables
    yield from processor.with_areas(osmium.filter.KeyFilter(*area_keys)).with_filter(useful_nodes)


def _read_all(path: Path, extract: Extract, outlines: _Outlines) -> None:
    to_wkb = osmium.geom.WKBFactory()
    for item in located_items(path, NODE_KEYS, (*AREA_KEYS, *_WALKABLE_KEYS)):
        if isinstance(item, osmium.osm.Node):
            if item.location.valid():
                extract.add_node(item.id, item.lat, item.lon, tags_of(item))
        elif isinstance(item, osmium.osm.Way):
            _add_way(extract, item, outlines)
        elif isinstance(item, osmium.osm.Area):
            _add_area(extract, item, outlines, to_wkb)


def _add_way(extract: Extract, way: Any, outlines: _Outlines) -> None:
    if way.id not in outlines.tags and not any(key in way.tags for key in WAY_KEYS):
        return  # most ways are houses
    tags = tags_of(way)
    if "highway" in tags or "railway" in tags:
        outlines.tagged.add(way.id)
    else:
        tags = {**outlines.tags.get(way.id, {}), **tags}
    refs: list[int] = []
    places: list[Position | None] = []
    for node in way.nodes:
        refs.append(node.ref)
        location = node.location
        places.append((location.lat, location.lon) if location.valid() else None)
    extract.add_way(way.id, refs, places, tags)


def _add_area(extract: Extract, area: Any, outlines: _Outlines, to_wkb: Any) -> None:
    tags = tags_of(area)
    if is_area(tags, multipolygon=not area.from_way()):
        way_ids = [area.orig_id()] if area.from_way() else outlines.ways.get(area.orig_id(), [])
        outer_ways = {way: area.from_way() or way not in outlines.tagged for way in way_ids}
        for rings in _rings(area):
            extract.add_walkable_area(outer_ways, rings, tags)
    if is_obstacle(tags):
        for rings in _rings(area):
            extract.add_obstacle(rings, tags)
    if any(key in tags for key in AREA_KEYS):
        try:
            geometry = shapely.from_wkb(bytes.fromhex(to_wkb.create_multipolygon(area)))
        except (RuntimeError, shapely.errors.ShapelyError):
            return  # an outline that crosses itself: mapped wrongly, its lines still count
        extract.add_area(geometry, tags)


def _rings(area: Any) -> Iterator[list[tuple[list[int], list[Position]]]]:
    """Each outline of an area with its holes."""
    for outer in area.outer_rings():
        rings = [outer, *area.inner_rings(outer)]
        yield [([ref.ref for ref in ring], [(ref.lat, ref.lon) for ref in ring]) for ring in rings]


def tags_of(item: Any) -> dict[str, str]:
    """The tags of an osmium object, which is gone once the next one is read."""
    return {tag.k: tag.v for tag in item.tags}
