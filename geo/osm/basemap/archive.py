"""Makes the base map of a graph's directory: map.pmtiles (PMTiles specification 3) and places.sqlite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from geo.osm.basemap.features import Box, Feature, joined, mark_stubs, read_features
from geo.osm.basemap.places import PLACES, write_places
from geo.osm.basemap.schema import MAX_ZOOM, MIN_ZOOM
from geo.osm.basemap.sea import sea
from geo.osm.basemap.tiles import cut_tiles

TILES = "map.pmtiles"
ATTRIBUTION = "© OpenStreetMap contributors"

Told = Callable[[str, int, int], None]  # what is being done, how much of it, how much there is


def make_basemap(files: Sequence[Path], directory: Path, told: Told) -> None:
    """Write the base map of OSM files to `directory`; the same files make the same bytes.

    Raises BadGraph for a file that cannot be read.
    """
    told("map", 0, 1)
    features = read_features(files)
    for box, coast in features.coast:
        for water in sea(box, coast):
            features.layers.setdefault("water", []).append(Feature(water, {"class": "sea"}, MIN_ZOOM))
    for lines in ("roads", "rails", "waterways"):
        features.layers[lines] = joined(features.layers.get(lines, []))
    mark_stubs(features.layers["roads"])
    write_tiles(directory / TILES, features.layers, features.boxes, told)
    write_places(directory / PLACES, features.named)


def write_tiles(path: Path, layers: dict[str, list[Feature]], boxes: Sequence[Box], told: Told) -> None:
    """Write an archive of gzipped vector tiles; its metadata name the areas that it covers."""
    tiles = cut_tiles(layers, boxes, lambda done, total: told("map", done, total))
    by_number = sorted((zxy_to_tileid(*address), data) for address, data in tiles)
    west, south = min(box.west for box in boxes), min(box.south for box in boxes)
    east, north = max(box.east for box in boxes), max(box.north for box in boxes)
    header = {
        "tile_type": TileType.MVT, "tile_compression": Compression.GZIP,
        "min_lon_e7": round(west * 1e7), "min_lat_e7": round(south * 1e7),
        "max_lon_e7": round(east * 1e7), "max_lat_e7": round(north * 1e7),
        "center_zoom": 14, "center_lon_e7": round((boxes[0].west + boxes[0].east) * 5e6),
        "center_lat_e7": round((boxes[0].south + boxes[0].north) * 5e6),
    }  # fmt: skip
    metadata = {
        "name": "base map", "type": "baselayer", "attribution": ATTRIBUTION,
        "vector_layers": [
            {
                "id": name, "minzoom": min(one.min_zoom for one in features), "maxzoom": MAX_ZOOM,
                "fields": {
                    key: "Number" if isinstance(value, int) else "String"
                    for one in features for key, value in one.attributes.items()
                },
            }
            for name, features in sorted(layers.items())
            if features
        ],
        "areas": [box._asdict() for box in boxes],
    }  # fmt: skip
    with path.open("wb") as file:
        writer = Writer(file)
        for number, data in by_number:
            writer.write_tile(number, data)
        writer.finalize(header, metadata)
